//! The daemon's own end, and its new beginning: groups are stopped one after the other, in descending priority.

use super::life::happens;
use super::log::{line, INFO};
use super::own::Core;
use super::pool;
use super::state::FLAG_STOPPING_ANNOUNCED;
use super::store::Place;
use super::system::now_ms;
use super::table::{Event, State};
use super::text::Text;

/// How often what is waited for is named.
const REPORT_MS: u64 = 3000;

pub const MOOD_RESTART: i32 = 0;
pub const MOOD_SHUTDOWN: i32 = -1;

pub fn shut_down(core: &mut Core) {
    set_mood(core, MOOD_SHUTDOWN);
}

pub fn restart(core: &mut Core) {
    set_mood(core, MOOD_RESTART);
}

fn set_mood(core: &mut Core, mood: i32) {
    let header = core.store.header();
    header.mood = header.mood.min(mood);
    header.changes = header.changes.wrapping_add(1);
}

/// One step on the way down. Whether all has stopped.
pub fn step(core: &mut Core) -> bool {
    let header = core.store.header();
    if header.flags & FLAG_STOPPING_ANNOUNCED == 0 {
        header.flags |= FLAG_STOPPING_ANNOUNCED;
        pool::supervisor_changed(core, true);
        core.reported_ms = now_ms();
        report(core);
    }
    loop {
        let Some(group) = last_group(core) else { return true };
        let mut has_changed = false;
        let count = core.store.group(group).map_or(0, |record| record.processes as usize);
        for index in (0..count).rev() {
            has_changed |= stop_one(core, Place { group, index });
        }
        // A group without processes to wait for is done in this very step.
        if !has_changed || is_waiting(core, group) {
            break;
        }
    }
    if now_ms() >= core.reported_ms + REPORT_MS {
        core.reported_ms = now_ms();
        report(core);
    }
    last_group(core).is_none()
}

/// When this is to be looked at again, if nothing happens before.
pub fn due_ms(core: &Core) -> u64 {
    core.reported_ms + REPORT_MS
}

fn state_of(core: &Core, place: Place) -> State {
    core.store.process(place).map_or(State::Stopped, |process| State::of(process.state))
}

fn stop_one(core: &mut Core, place: Place) -> bool {
    match state_of(core, place) {
        State::Starting | State::Running => {
            happens(core, place, Event::Stop);
            true
        }
        State::Backoff => {
            happens(core, place, Event::GiveUp);
            true
        }
        State::Stopping | State::Stopped | State::Exited | State::Fatal => false,
    }
}

fn is_waiting(core: &Core, group: usize) -> bool {
    core.store.processes().any(|place| place.group == group && !state_of(core, place).is_stopped())
}

/// The group of the highest priority in which something is not yet stopped; of several the last.
fn last_group(core: &Core) -> Option<usize> {
    let up = core.store.groups().filter(|group| is_waiting(core, *group));
    up.max_by_key(|group| core.store.group(*group).map_or(0, |record| record.priority))
}

fn report(core: &Core) {
    let mut names = Text::<1024>::new();
    for place in core.store.processes().filter(|place| !state_of(core, *place).is_stopped()) {
        if let Some((_, program)) = core.store.program(place) {
            names.push(if names.bytes().is_empty() { b"" } else { b", " });
            names.push(program.name);
        }
    }
    if !names.bytes().is_empty() {
        line(&core.store, INFO, &[b"waiting for ", names.bytes(), b" to die"]);
    }
}
