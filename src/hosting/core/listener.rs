//! What an event listener says on its standard output: READY, then for each event RESULT and how it went. Anything else, and it hears
//! nothing more until it is started again.

use super::kept::{Item, LISTENER};
use super::log::{line, DEBG, WARN};
use super::own::Core;
use super::pool::{answered, give_all};
use super::store::Place;

/// A line of it, or a result, is never longer; of a longer result only its length counts.
const MAX_SAID: usize = 64;
const READY: &[u8] = b"READY\n";
const RESULT: &[u8] = b"RESULT ";
const OK: &[u8] = b"OK";

#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Acknowledged,
    Ready,
    Busy,
    /// Of this result so many bytes are still to come.
    Answers(u32),
    Unknown,
}

#[derive(Clone, Copy)]
pub struct Conversation {
    /// The process; 0: none.
    pub id: u32,
    mood: Mood,
    said: [u8; MAX_SAID],
    len: usize,
}

enum Heard {
    Nothing,
    Ready,
    SysResult(bool),
    Nonsense,
}

impl Conversation {
    pub const NONE: Conversation = Conversation { id: 0, mood: Mood::Acknowledged, said: [0; MAX_SAID], len: 0 };

    pub fn is_ready(&self) -> bool {
        self.mood == Mood::Ready
    }

    pub fn is_busy(&mut self) {
        self.mood = Mood::Busy;
        self.len = 0;
    }

    /// One byte more.
    fn hear(&mut self, byte: u8) -> Heard {
        match self.mood {
            Mood::Unknown => Heard::Nothing,
            Mood::Ready => self.nonsense(),
            Mood::Acknowledged => {
                self.keep(byte);
                let said = self.said.get(..self.len).unwrap_or(b"");
                if said == READY {
                    (self.mood, self.len) = (Mood::Ready, 0);
                    Heard::Ready
                } else if READY.starts_with(said) {
                    Heard::Nothing
                } else {
                    self.nonsense()
                }
            }
            Mood::Busy => {
                self.keep(byte);
                if byte != b'\n' {
                    return if self.len == MAX_SAID { self.nonsense() } else { Heard::Nothing };
                }
                let line = self.said.get(..self.len - 1).unwrap_or(b"");
                let length = line.strip_prefix(RESULT).and_then(number);
                self.len = 0;
                match length {
                    Some(0) => self.answer(),
                    Some(length) => {
                        self.mood = Mood::Answers(length);
                        Heard::Nothing
                    }
                    None => self.nonsense(),
                }
            }
            Mood::Answers(left) => {
                self.keep(byte);
                self.mood = Mood::Answers(left - 1);
                if left == 1 {
                    self.answer()
                } else {
                    Heard::Nothing
                }
            }
        }
    }

    fn keep(&mut self, byte: u8) {
        if let Some(place) = self.said.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn answer(&mut self) -> Heard {
        let is_done = self.said.get(..self.len) == Some(OK);
        (self.mood, self.len) = (Mood::Acknowledged, 0);
        Heard::SysResult(is_done)
    }

    fn nonsense(&mut self) -> Heard {
        (self.mood, self.len) = (Mood::Unknown, 0);
        Heard::Nonsense
    }
}

/// For the next core.
pub fn save(core: &Core, put: &mut dyn FnMut(Item<'_>) -> bool) -> bool {
    core.buffers.listeners.iter().filter(|one| one.id != 0).all(|one| {
        let (mood, left) = match one.mood {
            Mood::Acknowledged => (0, 0),
            Mood::Ready => (1, 0),
            Mood::Busy => (2, 0),
            Mood::Answers(left) => (3, left),
            Mood::Unknown => (4, 0),
        };
        put(Item::of(LISTENER, one.id, [mood, left, 0, 0], one.said.get(..one.len).unwrap_or(b"")))
    })
}

pub fn restore(core: &mut Core, item: &Item<'_>) {
    let Some(one) = core.buffers.listeners.iter_mut().find(|one| one.id == 0) else { return };
    let mood = match item.number(0) {
        0 => Mood::Acknowledged,
        1 => Mood::Ready,
        2 => Mood::Busy,
        3 if item.number(1) > 0 => Mood::Answers(item.number(1)),
        _ => Mood::Unknown,
    };
    *one = Conversation { id: item.id, mood, ..Conversation::NONE };
    item.bytes.iter().for_each(|byte| one.keep(*byte));
}

fn number(text: &[u8]) -> Option<u32> {
    const LARGEST: u32 = 1 << 20;
    let mut value = 0_u32;
    for digit in text {
        value = value.checked_mul(10)?.checked_add(u32::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?))?;
    }
    (!text.is_empty() && value <= LARGEST).then_some(value)
}

pub fn said(core: &mut Core, place: Place, bytes: &[u8]) {
    let (Some(process), Some((_, program))) = (core.store.process(place), core.store.program(place)) else { return };
    let id = process.id;
    for byte in bytes {
        let known = core.buffers.listeners.iter().position(|one| one.id == id);
        let free = || core.buffers.listeners.iter().position(|one| one.id == 0);
        let Some(index) = known.or_else(free) else { return };
        let Some(conversation) = core.buffers.listeners.get_mut(index) else { return };
        conversation.id = id;
        match conversation.hear(*byte) {
            Heard::Nothing => {}
            Heard::Ready => {
                line(&core.store, DEBG, &[program.name, b": ACKNOWLEDGED -> READY"]);
                give_all(core);
            }
            Heard::SysResult(is_done) => {
                let text: &[u8] = if is_done { b": event was processed" } else { b": event was rejected" };
                line(&core.store, DEBG, &[program.name, text]);
                line(&core.store, DEBG, &[program.name, b": BUSY -> ACKNOWLEDGED"]);
                answered(core, id, is_done);
            }
            Heard::Nonsense => {
                answered(core, id, false);
                let what = b": bad result line, or output while it was not asked: -> UNKNOWN, it hears nothing more";
                line(&core.store, WARN, &[program.name, what]);
            }
        }
    }
}
