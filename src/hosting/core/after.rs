//! The order of starts: what begins by itself and is to come `after` others waits for these. It is STOPPED and wanted meanwhile, due when its
//! patience ends, so that a start or a stop by hand, an end of the daemon and another core find nothing new.

use super::log::{line, INFO, WARN};
use super::own::Core;
use super::probes;
use super::spawn_error::Number;
use super::state::{ProcessRecord, NEVER};
use super::store::Place;
use super::system::now_ms;
use super::table::{State, Wanted};
use super::text::Text;
use super::wire::texts;

/// Whether the start has to wait; then it is noted when it comes at the latest. What is not there is not waited for.
pub fn holds_back(core: &mut Core, place: Place) -> bool {
    let (Some((_, program)), Some(process)) = (core.store.program(place), core.store.process(place)) else {
        return false;
    };
    for name in texts(program.after_missing) {
        line(&core.store, WARN, &[program.name, b" does not wait for ", name, b": there is no such program"]);
    }
    let missing = not_up(core, program.after);
    if missing.bytes().is_empty() || program.after_timeout == 0 {
        return false;
    }
    core.store.changing(|| {
        process.wanted = Wanted::Up as u32;
        process.due_ms = now_ms() + u64::from(program.after_timeout) * 1000;
        process.changes = process.changes.wrapping_add(1);
    });
    line(&core.store, INFO, &[program.name, b" waits for ", missing.bytes()]);
    true
}

/// Whether it waits for others: no other process that was never started has a time.
pub fn is_waiting(process: &ProcessRecord) -> bool {
    process.state == State::Stopped as u32
        && process.starts == 0
        && process.wanted == Wanted::Up as u32
        && process.due_ms != NEVER
}

/// Something has changed: whose turn has come is due now.
pub fn look(core: &mut Core) {
    let changes = core.store.header().changes;
    if core::mem::replace(&mut core.after_seen, changes) == changes {
        return;
    }
    for place in core.store.processes() {
        let Some(process) = core.store.process(place).filter(|process| is_waiting(process)) else { continue };
        let Some((_, program)) = core.store.program(place) else { continue };
        if not_up(core, program.after).bytes().is_empty() {
            process.due_ms = process.due_ms.min(now_ms());
        }
    }
}

/// It is due: where that is because of the time, the log says what it no longer waits for.
pub fn said_if_late(core: &Core, place: Place) {
    let (Some((_, program)), Some(process)) = (core.store.program(place), core.store.process(place)) else { return };
    if !is_waiting(process) {
        return;
    }
    let missing = not_up(core, program.after);
    if !missing.bytes().is_empty() {
        let seconds = Number::of_u64(u64::from(program.after_timeout));
        let why = b" starts without having waited to the end: ";
        let parts: [&[u8]; 6] = [program.name, why, missing.bytes(), b" not up after ", seconds.digits(), b" s"];
        line(&core.store, WARN, &parts);
    }
}

/// Those of a list that are not up, with blanks between them.
fn not_up(core: &Core, list: &[u8]) -> Text<256> {
    let mut missing = Text::new();
    for name in texts(list).filter(|name| !is_up(core, name)) {
        missing.push(if missing.bytes().is_empty() { b"" } else { b" " });
        missing.push(name);
    }
    missing
}

/// All processes of a group, or the one that is named; with a probe that is asked again and again, each has passed it. A program that does its work and ends has proven itself when it has ended well.
fn is_up(core: &Core, name: &[u8]) -> bool {
    let mut parts = name.splitn(2, |byte| *byte == b':');
    let (group, only) = (parts.next().unwrap_or(b""), parts.next());
    let Some(group) = core.store.find_group(group) else { return false };
    let is_meant = |place: &Place| {
        let name = core.store.program(*place).map_or(b"" as &[u8], |(_, program)| program.name);
        place.group == group && only.map_or(true, |only| only == name)
    };
    core.store.processes().filter(is_meant).all(|place| {
        core.store.process(place).is_some_and(|process| match State::of(process.state) {
            State::Running => probes::has_passed(process.id),
            State::Exited => process.spawn_error == 0 && process.wanted == Wanted::Down as u32,
            State::Stopped | State::Starting | State::Backoff | State::Stopping | State::Fatal => false,
        })
    })
}
