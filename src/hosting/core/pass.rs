//! One look at everything that can be due, and when the next one is.

use super::after;
use super::life::happens;
use super::listen;
use super::log::{line, INFO};
use super::own::Core;
use super::pool;
use super::probes;
use super::state::NEVER;
use super::stop;
use super::store::Place;
use super::system::now_ms;
use super::table::{Event, State};

/// How often it is said that a process is waited for.
const STOP_REPORT_MS: u64 = 2000;

/// What the look ended with.
pub enum Next {
    /// In so many milliseconds; `None`: when something happens.
    Wait(Option<u64>),
    AllStopped,
}

pub fn pass(core: &mut Core) -> Next {
    // One look at the clock does, as long as nothing is due.
    let mut now = now_ms();
    listen::look_on_the_way(core, now);
    let is_going_on = core.store.header().mood > 0;
    if !is_going_on && stop::step(core) {
        return Next::AllStopped;
    }
    // What a step makes due at once is done in the same look; the bound is for a table that would never rest.
    for _ in 0..4 {
        after::look(core);
        let due = core.store.processes().filter(|place| is_due(core, *place, now)).count();
        if due == 0 {
            break;
        }
        each(core, |core, place| {
            if is_due(core, place, now_ms()) {
                after::said_if_late(core, place);
                happens(core, place, due_event(core, place, is_going_on));
            }
        });
        now = now_ms();
    }
    let probed = probes::look(core);
    after::look(core);
    if !is_going_on && stop::step(core) {
        return Next::AllStopped;
    }
    let soonest = report_stops(core, now).min(probed).min(pool::tick(core)).min(listen::due_ms(core)).min(super::watchdog::feed(core));
    let soonest = core
        .store
        .processes()
        .fold(soonest, |soonest, place| soonest.min(core.store.process(place).map_or(NEVER, |process| process.due_ms)));
    let soonest = if is_going_on { soonest } else { soonest.min(stop::due_ms(core)) };
    Next::Wait((soonest != NEVER).then(|| soonest.saturating_sub(now_ms())))
}

/// For each process, in groups of ascending priority. No group comes or goes meanwhile.
pub fn each(core: &mut Core, mut act: impl FnMut(&mut Core, Place)) {
    let mut last: Option<(i32, usize)> = None;
    loop {
        let key = |at: &usize| (core.store.group(*at).map_or(0, |group| group.priority), *at);
        let next = core.store.groups().map(|at| key(&at)).filter(|key| last.map_or(true, |last| *key > last)).min();
        let Some((priority, group)) = next else { return };
        last = Some((priority, group));
        let count = core.store.group(group).map_or(0, |record| record.processes as usize);
        (0..count).for_each(|index| act(core, Place { group, index }));
    }
}

fn is_due(core: &Core, place: Place, now: u64) -> bool {
    core.store.process(place).is_some_and(|process| process.due_ms <= now)
}

/// Nothing is started any more on the way down.
fn due_event(core: &Core, place: Place, is_going_on: bool) -> Event {
    let state = core.store.process(place).map_or(State::Stopped, |process| State::of(process.state));
    match state {
        State::Backoff | State::Exited | State::Stopped | State::Fatal if !is_going_on => Event::GiveUp,
        _ => Event::Due,
    }
}

/// Says of each process that is stopping that it is waited for; when the next such line is due.
fn report_stops(core: &mut Core, now: u64) -> u64 {
    let mut soonest = NEVER;
    for place in core.store.processes() {
        let (Some(process), Some((_, program))) = (core.store.process(place), core.store.program(place)) else {
            continue;
        };
        if State::of(process.state) != State::Stopping {
            continue;
        }
        if process.reported_ms == 0 || now >= process.reported_ms + STOP_REPORT_MS {
            process.reported_ms = now;
            line(&core.store, INFO, &[b"waiting for ", program.name, b" to stop"]);
        }
        soonest = soonest.min(process.reported_ms + STOP_REPORT_MS);
    }
    soonest
}

/// All that is to run from the beginning.
pub fn autostart(core: &mut Core, group: Option<usize>) {
    each(core, |core, place| {
        let is_meant = group.map_or(true, |group| group == place.group);
        let wants = core.store.program(place).is_some_and(|(_, program)| program.autostart);
        if is_meant && wants && core.store.header().mood > 0 && !after::holds_back(core, place) {
            happens(core, place, Event::Start);
        }
    });
}
