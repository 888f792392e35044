//! What a program says between two tokens in its output goes into an event (PROCESS_COMMUNICATION) instead of its log.

use super::kept::{Item, CAPTURE};
use super::memory::Mapping;
use super::output::{normal, Stream};
use super::own::Core;
use super::pool;
use super::store::Place;

const BEGIN: &[u8] = b"<!--XSUPERVISOR:BEGIN-->";
const END: &[u8] = b"<!--XSUPERVISOR:END-->";
/// So many outputs are looked into at the same time; one more goes into its log as it is.
pub const MAX_CAPTURES: usize = 16;
/// An event is never larger, so no more is kept, whatever capture_maxbytes says.
const MAX_KEPT: usize = 12 << 10;

/// One output that is looked into.
#[derive(Clone, Copy)]
pub struct Capture {
    /// The process; 0: none.
    id: u32,
    is_stdout: bool,
    /// Bytes of the token that have come so far, and are in nobody's hands.
    matched: usize,
    is_inside: bool,
    kept: Mapping,
    len: usize,
    room: usize,
}

impl Capture {
    pub const NONE: Capture =
        Capture { id: 0, is_stdout: true, matched: 0, is_inside: false, kept: Mapping::NONE, len: 0, room: 0 };

    fn token(&self) -> &'static [u8] {
        if self.is_inside {
            END
        } else {
            BEGIN
        }
    }

    /// The oldest bytes go.
    fn keep(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(bytes.len().saturating_sub(self.room)..).unwrap_or(bytes);
        let all = self.kept.bytes_mut();
        let surplus = (self.len + bytes.len()).saturating_sub(self.room);
        all.copy_within(surplus..self.len, 0);
        self.len -= surplus;
        if let Some(place) = all.get_mut(self.len..self.len + bytes.len()) {
            place.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }
}

fn place_of(core: &Core, id: u32, stream: Stream) -> Option<usize> {
    core.buffers.captures.iter().position(|one| one.id == id && one.is_stdout == (stream == Stream::Stdout))
}

/// Output of a program with `capture_maxbytes`.
#[inline(never)]
pub fn take(core: &mut Core, place: Place, stream: Stream, maxbytes: u32, bytes: &[u8]) {
    let Some(id) = core.store.process(place).map(|process| process.id) else { return };
    let Some(index) = place_of(core, id, stream).or_else(|| begin(core, id, stream, maxbytes)) else {
        return normal(core, place, stream, bytes);
    };
    // Where the part begins that is in nobody's hands yet.
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let Some(capture) = core.buffers.captures.get_mut(index) else { return };
        let token = capture.token();
        if token.get(capture.matched) != Some(byte) && capture.matched > 0 {
            // It only began like one. A token's first byte is nowhere else in it.
            let held = token.get(..capture.matched).unwrap_or(b"");
            capture.matched = 0;
            pass_on(core, index, place, stream, held);
            from = at;
        }
        let Some(capture) = core.buffers.captures.get_mut(index) else { return };
        if token.get(capture.matched) != Some(byte) {
            continue;
        }
        capture.matched += 1;
        let (is_first, is_whole) = (capture.matched == 1, capture.matched == token.len());
        if is_first {
            pass_on(core, index, place, stream, bytes.get(from..at).unwrap_or(b""));
        }
        from = at + 1;
        if is_whole {
            turn(core, index, place, stream);
        }
    }
    let is_in_token = core.buffers.captures.get(index).is_some_and(|capture| capture.matched > 0);
    if !is_in_token {
        pass_on(core, index, place, stream, bytes.get(from..).unwrap_or(b""));
    }
}

fn begin(core: &mut Core, id: u32, stream: Stream, maxbytes: u32) -> Option<usize> {
    let room = (maxbytes as usize).min(MAX_KEPT);
    let index = core.buffers.captures.iter().position(|one| one.id == 0)?;
    let kept = Mapping::own(room.max(1)).ok()?;
    *core.buffers.captures.get_mut(index)? =
        Capture { id, is_stdout: stream == Stream::Stdout, kept, room, ..Capture::NONE };
    Some(index)
}

/// For the next core.
pub fn save(core: &Core, put: &mut dyn FnMut(Item<'_>) -> bool) -> bool {
    core.buffers.captures.iter().filter(|one| one.id != 0).all(|one| {
        let flags = u32::from(one.is_stdout) | u32::from(one.is_inside) << 1;
        let said = one.kept.bytes().get(..one.len).unwrap_or(b"");
        put(Item::of(CAPTURE, one.id, [flags, one.matched as u32, one.room as u32, 0], said))
    })
}

pub fn restore(core: &mut Core, item: &Item<'_>) {
    let [flags, matched, room] = [0, 1, 2].map(|index| item.number(index));
    let stream = if flags & 1 != 0 { Stream::Stdout } else { Stream::Stderr };
    let Some(index) = begin(core, item.id, stream, room) else { return };
    if let Some(one) = core.buffers.captures.get_mut(index) {
        one.is_inside = flags & 2 != 0;
        one.matched = (matched as usize).min(one.token().len() - 1);
        one.keep(item.bytes);
    }
}

fn pass_on(core: &mut Core, index: usize, place: Place, stream: Stream, bytes: &[u8]) {
    match core.buffers.captures.get_mut(index) {
        Some(capture) if capture.is_inside => capture.keep(bytes),
        _ if bytes.is_empty() => {}
        _ => normal(core, place, stream, bytes),
    }
}

/// A token is whole: what is inside begins, or is told.
fn turn(core: &mut Core, index: usize, place: Place, stream: Stream) {
    let Some(capture) = core.buffers.captures.get_mut(index) else { return };
    capture.matched = 0;
    capture.is_inside = !capture.is_inside;
    let len = core::mem::take(&mut capture.len);
    if !capture.is_inside {
        let said = capture.kept.bytes().get(..len).unwrap_or(b"");
        pool::communication(core, place, stream, said);
    }
}

/// The process has ended: what looked like the beginning of a token was none (in 4.3.0 it is lost).
pub fn ended(core: &mut Core, place: Place) {
    let id = core.store.process(place).map_or(0, |process| process.id);
    for stream in super::output::STREAMS {
        let Some(index) = place_of(core, id, stream).filter(|_| id != 0) else { continue };
        let Some(capture) = core.buffers.captures.get(index).copied() else { continue };
        if !capture.is_inside && capture.matched > 0 {
            normal(core, place, stream, capture.token().get(..capture.matched).unwrap_or(b""));
        }
        capture.kept.drop();
        if let Some(one) = core.buffers.captures.get_mut(index) {
            *one = Capture::NONE;
        }
    }
}

/// Without colours and moves of the cursor, as 4.3.0 takes them out of each read: from ESC [ up to one of the letters that end such a thing.
pub fn without_ansi<'a>(bytes: &[u8], into: &'a mut [u8]) -> &'a [u8] {
    let (mut len, mut is_inside) = (0, false);
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if is_inside {
            is_inside = !b"HfABCDRsuJKhlpm".contains(byte);
        } else if bytes.get(at..).is_some_and(|rest| rest.starts_with(b"\x1b[")) {
            is_inside = true;
        } else if let Some(place) = into.get_mut(len) {
            *place = *byte;
            len += 1;
        }
        at += 1;
    }
    into.get(..len).unwrap_or(b"")
}
