//! Events and their listeners: each pool keeps what its group asked for until a listener is free, at most `buffer_size` events.
//!
//! An event that was given to a listener stays where it is until that says OK; else it is the next to be given again, to this pool alone.

use super::capture::{Capture, MAX_CAPTURES};
use super::definition::{Group, KIND_LISTENER};
use super::events::EVENTS;
use super::kept::{Item, EVENT};
use super::listener::Conversation;
use super::log::{line, ERRO};
use super::memory::Mapping;
use super::output::Stream;
use super::own::{for_events, Core};
use super::spawn_error::Number;
use super::state::NEVER;
use super::store::{Place, SharedMemory};
use super::system::{now_ms, wall, write};
use super::table::{Event, State};
use super::text::Text;
use super::wire::{Fixed, FieldSink};

/// Pools and listeners at the same time; a listener group more is hosted, and hears nothing.
const MAX_POOLS: usize = 8;
pub const MAX_LISTENERS: usize = 16;
/// The bytes that a pool keeps. Memory is taken as it is used.
const POOL_SIZE: usize = 256 << 10;
/// An event is never larger; longer output is cut.
const MAX_EVENT: usize = 12 << 10;

const LOG_STDOUT: u32 = 8;
const LOG_STDERR: u32 = 9;
const COMMUNICATION_STDOUT: u32 = 10;
const COMMUNICATION_STDERR: u32 = 11;
const REMOTE: u32 = 12;
const SUPERVISOR_RUNNING: u32 = 13;
const SUPERVISOR_STOPPING: u32 = 14;
const TICK_5: u32 = 15;
const GROUP_ADDED: u32 = 18;
const GROUP_REMOVED: u32 = 19;

/// What stands before each kept event.
#[derive(Clone, Copy)]
#[repr(C)]
struct EventHead {
    /// Of the event and this, a multiple of eight.
    size: u32,
    len: u32,
    /// The process that has it; 0: nobody.
    owner: u32,
    serial: u32,
    pool_serial: u32,
    bit: u32,
}

#[derive(Clone, Copy)]
struct Pool {
    /// The id of its group; 0: none.
    group: u32,
    piece: Mapping,
    used: usize,
    count: u32,
}

pub struct Buffers {
    pools: [Pool; MAX_POOLS],
    pub listeners: [Conversation; MAX_LISTENERS],
    pub captures: [Capture; MAX_CAPTURES],
}

impl Buffers {
    pub const EMPTY: Buffers = Buffers {
        pools: [Pool { group: 0, piece: Mapping::NONE, used: 0, count: 0 }; MAX_POOLS],
        listeners: [Conversation::NONE; MAX_LISTENERS],
        captures: [Capture::NONE; MAX_CAPTURES],
    };
}

/// A group is there now: a listener's gets its pool.
pub fn added(core: &mut Core, at: usize) {
    let Some(record) = core.store.group(at).filter(|record| record.kind == KIND_LISTENER) else { return };
    let free = core.buffers.pools.iter_mut().find(|pool| pool.group == 0);
    if let (Some(pool), Ok(piece)) = (free, Mapping::own(POOL_SIZE)) {
        *pool = Pool { group: record.id, piece, used: 0, count: 0 };
    } else {
        line(&core.store, ERRO, &[b"too many event listeners: this one hears nothing"]);
    }
}

pub fn removed(core: &mut Core, at: usize) {
    let id = core.store.group(at).map_or(0, |record| record.id);
    for pool in core.buffers.pools.iter_mut().filter(|pool| pool.group == id && id != 0) {
        pool.piece.drop();
        *pool = Pool { group: 0, piece: Mapping::NONE, used: 0, count: 0 };
    }
}

impl Pool {
    fn entry<'a>(&self, at: usize) -> Option<&'a mut EventHead> {
        (at < self.used).then(|| self.piece.record(at)).flatten()
    }

    /// Where the events begin.
    fn entries(&self) -> impl Iterator<Item = usize> + '_ {
        let mut at = 0;
        core::iter::from_fn(move || {
            let here = at;
            at += self.entry(here)?.size as usize;
            Some(here)
        })
    }

    fn payload<'a>(&self, at: usize, entry: &EventHead) -> &'a [u8] {
        let from = at + core::mem::size_of::<EventHead>();
        self.piece.bytes().get(from..from + entry.len as usize).unwrap_or(&[])
    }

    fn remove(&mut self, at: usize) {
        let Some(size) = self.entry(at).map(|entry| entry.size as usize) else { return };
        self.piece.bytes_mut().copy_within(at + size..self.used, at);
        self.used -= size;
        self.count -= 1;
    }

    fn push(&mut self, entry: EventHead, payload: &[u8]) {
        let from = self.used + core::mem::size_of::<EventHead>();
        if let Some(place) = self.piece.bytes_mut().get_mut(from..from + payload.len()) {
            place.copy_from_slice(payload);
        }
        if let Some(place) = self.piece.record(self.used) {
            *place = entry;
        }
        self.used += entry.size as usize;
        self.count += 1;
    }
}

/// For the next core: the events of each pool, in their order.
pub fn save(core: &Core, put: &mut dyn FnMut(Item<'_>) -> bool) -> bool {
    let mut pools = core.buffers.pools.iter().filter(|pool| pool.group != 0);
    pools.all(|pool| {
        pool.entries().all(|at| {
            let Some(entry) = pool.entry(at) else { return false };
            let numbers = [entry.owner, entry.serial, entry.pool_serial, entry.bit];
            put(Item::of(EVENT, pool.group, numbers, pool.payload(at, entry)))
        })
    })
}

/// An event that the core before had; the pool is there, where the group is.
pub fn restore(core: &mut Core, item: &Item<'_>) {
    let size = (core::mem::size_of::<EventHead>() + item.bytes.len() + 7) & !7;
    let pool = core.buffers.pools.iter_mut().find(|pool| pool.group == item.id && item.id != 0);
    if let Some(pool) = pool.filter(|pool| pool.used + size <= POOL_SIZE) {
        let [owner, serial, pool_serial, bit] = [0, 1, 2, 3].map(|index| item.number(index));
        let len = item.bytes.len() as u32;
        pool.push(EventHead { size: size as u32, len, owner, serial, pool_serial, bit }, item.bytes);
    }
}

/// Something has happened: every pool that asked for it keeps it.
fn notify(core: &mut Core, bit: u32, payload: &[u8]) {
    let payload = payload.get(..payload.len().min(MAX_EVENT)).unwrap_or(payload);
    let mut serial = None;
    for index in 0..MAX_POOLS {
        let Some(pool) = core.buffers.pools.get_mut(index).filter(|pool| pool.group != 0) else { continue };
        let Some((at, group)) = group_of(&core.store, pool.group) else { continue };
        if group.events >> bit & 1 == 0 {
            continue;
        }
        let size = (core::mem::size_of::<EventHead>() + payload.len() + 7) & !7;
        make_room(&core.store, pool, &group, size);
        let header = core.store.header();
        let serial = *serial.get_or_insert_with(|| {
            header.event_serial = header.event_serial.wrapping_add(1);
            header.event_serial - 1
        });
        let Some(record) = core.store.group(at) else { continue };
        let pool_serial = record.pool_serial;
        record.pool_serial = pool_serial.wrapping_add(1);
        if pool.used + size <= POOL_SIZE {
            let entry = EventHead { size: size as u32, len: payload.len() as u32, owner: 0, serial, pool_serial, bit };
            pool.push(entry, payload);
        }
    }
    give_all(core);
}

/// The oldest that nobody has goes.
fn make_room(store: &SharedMemory, pool: &mut Pool, group: &Group<'_>, size: usize) {
    while pool.count > 0 && (pool.count >= group.buffer_size.max(1) || pool.used + size > POOL_SIZE) {
        let oldest = pool.entries().find(|at| pool.entry(*at).is_some_and(|entry| entry.owner == 0));
        let Some(at) = oldest else { return };
        let serial = pool.entry(at).map_or(0, |entry| entry.serial);
        let serial = Number::of_u64(u64::from(serial));
        line(store, ERRO, &[b"pool ", group.name, b" event buffer overflowed, discarding event ", serial.digits()]);
        pool.remove(at);
    }
}

fn group_of<'a>(store: &SharedMemory, id: u32) -> Option<(usize, Group<'a>)> {
    let at = store.groups().find(|at| store.group(*at).is_some_and(|group| group.id == id))?;
    Some((at, store.definition(at)?))
}

/// What waits goes to whoever is ready.
pub fn give_all(core: &mut Core) {
    for index in 0..MAX_POOLS {
        while give_one(core, index) {}
    }
}

fn give_one(core: &mut Core, index: usize) -> bool {
    let Some(pool) = core.buffers.pools.get(index).copied().filter(|pool| pool.count > 0) else { return false };
    let Some(at) = pool.entries().find(|at| pool.entry(*at).is_some_and(|entry| entry.owner == 0)) else {
        return false;
    };
    let (Some(entry), Some((group_at, group))) = (pool.entry(at), group_of(&core.store, pool.group)) else {
        return false;
    };
    let count = core.store.group(group_at).map_or(0, |record| record.processes as usize);
    for place in (0..count).map(|index| Place { group: group_at, index }) {
        let Some(process) = core.store.process(place) else { continue };
        let id = process.id;
        let is_ready = core.buffers.listeners.iter().any(|one| one.id == id && one.is_ready());
        if is_ready && process.state == State::Running as u32 && send(core, process.stdin_fd, &pool, at, &group) {
            entry.owner = id;
            core.buffers.listeners.iter_mut().filter(|one| one.id == id).for_each(|one| one.is_busy());
            return true;
        }
    }
    false
}

/// Whole, or this listener does not get it: its pipe is empty while it is ready, and takes more than any event.
fn send(core: &Core, fd: i32, pool: &Pool, at: usize, group: &Group<'_>) -> bool {
    let Some(entry) = pool.entry(at) else { return false };
    let payload = pool.payload(at, entry);
    // Characters, not bytes, as listeners that read text expect.
    let characters = payload.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    let name = EVENTS.get(entry.bit as usize).copied().unwrap_or("").as_bytes();
    let number = |value: u32| Number::of_u64(u64::from(value));
    let (serial, pool_serial, length) = (number(entry.serial), number(entry.pool_serial), number(characters as u32));
    let mut packet = Fixed { buffer: for_events(), len: 0 };
    let parts: [&[u8]; 12] = [
        b"ver:3.0 server:",
        core.store.settings().identifier,
        b" serial:",
        serial.digits(),
        b" pool:",
        group.name,
        b" poolserial:",
        pool_serial.digits(),
        b" eventname:",
        name,
        b" len:",
        length.digits(),
    ];
    let fits = parts.iter().all(|part| packet.put(part)) && packet.put(b"\n") && packet.put(payload);
    let bytes = packet.buffer.get(..packet.len).unwrap_or(&[]);
    fits && write(fd, bytes) == Ok(bytes.len())
}

/// A listener is done with its event: it is gone, or the next to be given again.
pub fn answered(core: &mut Core, id: u32, is_done: bool) {
    for pool in core.buffers.pools.iter_mut().filter(|pool| pool.group != 0) {
        let held = pool.entries().find(|at| pool.entry(*at).is_some_and(|entry| entry.owner == id));
        match held {
            Some(at) if is_done => pool.remove(at),
            Some(at) => {
                if let Some(entry) = pool.entry(at) {
                    entry.owner = 0;
                }
            }
            None => {}
        }
    }
}

pub fn is_listener(core: &Core, place: Place) -> bool {
    core.store.group(place.group).is_some_and(|group| group.kind == KIND_LISTENER)
}

pub fn listener_said(core: &mut Core, place: Place, bytes: &[u8]) {
    super::listener::said(core, place, bytes);
}

/// It has ended: what it had is somebody else's.
pub fn listener_ended(core: &mut Core, place: Place) {
    let id = core.store.process(place).map_or(0, |process| process.id);
    if is_listener(core, place) {
        answered(core, id, false);
        core.buffers.listeners.iter_mut().filter(|one| one.id == id).for_each(|one| *one = Conversation::NONE);
    }
}

fn is_asked_for(core: &Core) -> bool {
    core.buffers.pools.iter().any(|pool| pool.group != 0)
}

pub fn state_changed(core: &mut Core, place: Place, before: State, after: State, event: Event) {
    if !is_asked_for(core) {
        return;
    }
    let (Some((group, program)), Some(process)) = (core.store.program(place), core.store.process(place)) else {
        return;
    };
    let mut payload = about(program.name, group.name);
    payload.push(b" from_state:");
    payload.push(before.name().as_bytes());
    let pid = if process.pid > 0 { process.pid } else { core.ended_pid };
    match after {
        State::Starting | State::Backoff => {
            payload.push(b" tries:");
            payload.number(i64::from(process.backoff));
        }
        State::Exited => {
            payload.push(if event == (Event::Ended { expected: true }) { b" expected:1" } else { b" expected:0" });
        }
        State::Stopped | State::Running | State::Stopping | State::Fatal => {}
    }
    if matches!(after, State::Exited | State::Stopped | State::Running | State::Stopping) {
        payload.push(b" pid:");
        payload.number(i64::from(pid));
    }
    let bit = super::table::STATES.iter().position(|state| *state == after).unwrap_or(0);
    notify(core, [0, 1, 2, 3, 4, 5, 6][bit], payload.bytes());
}

fn about(process: &[u8], group: &[u8]) -> Text<1024> {
    Text::of(&[b"processname:", process, b" groupname:", group])
}

/// A read of output, where its program says so.
#[inline(never)]
pub fn output(core: &mut Core, place: Place, stream: Stream, bytes: &[u8]) {
    if !is_asked_for(core) {
        return;
    }
    let (Some((group, program)), Some(process)) = (core.store.program(place), core.store.process(place)) else {
        return;
    };
    let mut payload = Text::<MAX_EVENT>::of(&[about(program.name, group.name).bytes(), b" pid:"]);
    payload.number(i64::from(process.pid));
    payload.push(b" channel:");
    payload.push(stream.name());
    payload.push(b"\n");
    payload.push(bytes);
    notify(core, if stream == Stream::Stdout { LOG_STDOUT } else { LOG_STDERR }, payload.bytes());
}

/// What a program said between two tokens.
#[inline(never)]
pub fn communication(core: &mut Core, place: Place, stream: Stream, bytes: &[u8]) {
    let (Some((group, program)), Some(process)) = (core.store.program(place), core.store.process(place)) else {
        return;
    };
    let mut payload = Text::<MAX_EVENT>::of(&[about(program.name, group.name).bytes(), b" pid:"]);
    payload.number(i64::from(process.pid));
    payload.push(b"\n");
    payload.push(bytes);
    let bit = if stream == Stream::Stdout { COMMUNICATION_STDOUT } else { COMMUNICATION_STDERR };
    notify(core, bit, payload.bytes());
}

#[inline(never)]
pub fn remote(core: &mut Core, kind: &[u8], data: &[u8]) {
    let payload = Text::<MAX_EVENT>::of(&[b"type:", kind, b"\n", data]);
    notify(core, REMOTE, payload.bytes());
}

pub fn supervisor_changed(core: &mut Core, is_stopping: bool) {
    notify(core, if is_stopping { SUPERVISOR_STOPPING } else { SUPERVISOR_RUNNING }, b"");
}

pub fn group_changed(core: &mut Core, at: usize, is_there: bool) {
    let Some(group) = core.store.definition(at) else { return };
    let payload = Text::<512>::of(&[b"groupname:", group.name, b"\n"]);
    notify(core, if is_there { GROUP_ADDED } else { GROUP_REMOVED }, payload.bytes());
}

/// The clock's events, if somebody wants them; when the next is due.
pub fn tick(core: &mut Core) -> u64 {
    const PERIODS: [i64; 3] = [5, 60, 3600];
    let wants =
        |pool: &Pool| group_of(&core.store, pool.group).is_some_and(|(_, group)| group.events >> TICK_5 & 7 != 0);
    if !core.buffers.pools.iter().filter(|pool| pool.group != 0).any(wants) {
        return NEVER;
    }
    let (seconds, ms) = wall();
    let now = seconds - seconds.rem_euclid(PERIODS[0]);
    let last = core::mem::replace(&mut core.store.header().last_tick, now as u64) as i64;
    for (index, period) in PERIODS.iter().enumerate() {
        let slice = now - now.rem_euclid(*period);
        if last != 0 && slice != last - last.rem_euclid(*period) {
            let mut payload = Text::<64>::of(&[b"when:"]);
            payload.number(slice);
            notify(core, TICK_5 + index as u32, payload.bytes());
        }
    }
    let left = (now + PERIODS[0] - seconds) as u64 * 1000;
    now_ms() + left.saturating_sub(u64::from(ms)).max(1)
}
