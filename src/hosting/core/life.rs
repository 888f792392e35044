//! An event comes to a process: the table says what it is then and what is to be done; this does it, counts it, logs it and tells listeners.

use super::definition::Program;
use super::log::{line, CRIT, DEBG, INFO, WARN};
use super::own::Core;
use super::pool;
use super::probes;
use super::spawn::spawn;
use super::spawn_error::{errno_name, Number, SpawnError};
use super::state::{ProcessRecord, NEVER};
use super::store::Place;
use super::system::{kill, now_ms, ESRCH};
use super::table::{Action, Event, Life, Restart, Rules, Sent, State, Wanted};

const SIGKILL: u32 = 9;

/// Does all that follows, and says what the table said.
pub fn happens(core: &mut Core, place: Place, event: Event) -> Action {
    let (Some((_, program)), Some(process)) = (core.store.program(place), core.store.process(place)) else {
        return Action::RefuseStopped;
    };
    let now = now_ms();
    let (mut life, rules) = (life_of(process), rules_of(&program));
    let before = life.state;
    // A process that has ended before its first look was up all the same where nothing more is asked of it.
    if let (Event::Ended { .. }, State::Starting, 0) = (event, before, rules.startsecs) {
        process.due_ms = NEVER;
        happens(core, place, Event::Due);
        return happens(core, place, event);
    }
    let action = life.step(event, now, &rules);
    core.store.changing(|| {
        keep(process, &life);
        count(process, before, life.state);
    });
    let header = core.store.header();
    header.changes = header.changes.wrapping_add(1);
    tell(core, place, &program, before, event);
    act(core, place, &program, action);
    action
}

fn act(core: &mut Core, place: Place, program: &Program<'_>, action: Action) {
    match action {
        Action::Nothing | Action::RefuseRunning | Action::RefuseStopped => {}
        Action::Spawn => {
            if !spawn(core, place) {
                happens(core, place, Event::Failed);
            }
        }
        Action::SendStop => send(core, place, program.stopsignal, program.stopasgroup),
        Action::SendKill => send(core, place, SIGKILL, program.killasgroup),
    }
}

/// A signal to the process or its group. That it has just ended is for the reaper; nothing else changes what it is.
pub fn send(core: &Core, place: Place, signal: u32, to_group: bool) {
    let (Some((_, program)), Some(process)) = (core.store.program(place), core.store.process(place)) else { return };
    if process.pid <= 0 {
        return;
    }
    let target = if to_group { -process.pid } else { process.pid };
    match kill(target, signal) {
        Ok(_) | Err(ESRCH) => {}
        Err(why) => {
            let (pid, mut number) = (Number::of(process.pid), Number::of(why));
            let why = errno_name(why, &mut number);
            line(
                &core.store,
                CRIT,
                &[b"unknown problem killing ", program.name, b" (", pid.digits(), b"): ", why, b"; it stays as it is"],
            );
        }
    }
}

pub fn life_of(process: &ProcessRecord) -> Life {
    Life {
        state: State::of(process.state),
        wanted: if process.wanted == 0 { Wanted::Down } else { Wanted::Up },
        sent: match process.sent {
            0 => Sent::Nothing,
            1 => Sent::Stop,
            _ => Sent::Kill,
        },
        backoff: process.backoff,
        started_ms: process.started_ms,
        due_ms: (process.due_ms != NEVER).then_some(process.due_ms),
    }
}

fn keep(process: &mut ProcessRecord, life: &Life) {
    process.state = life.state as u32;
    process.wanted = life.wanted as u32;
    process.sent = life.sent as u32;
    process.backoff = life.backoff;
    process.started_ms = life.started_ms;
    process.due_ms = life.due_ms.unwrap_or(NEVER);
}

fn rules_of(program: &Program<'_>) -> Rules {
    Rules {
        startsecs: program.startsecs,
        startretries: program.startretries,
        stopwaitsecs: program.stopwaitsecs,
        autorestart: match program.autorestart {
            0 => Restart::Never,
            1 => Restart::Always,
            _ => Restart::Unexpected,
        },
    }
}

fn count(process: &mut ProcessRecord, before: State, after: State) {
    if before != after {
        process.changes = process.changes.wrapping_add(1);
        process.runs = process.runs.wrapping_add(u32::from(after == State::Running));
        process.failures = process.failures.wrapping_add(u32::from(after == State::Backoff));
    }
    if after == State::Stopping && before != State::Stopping {
        // Said at the first look at it.
        process.reported_ms = 0;
    }
}

/// Log and listeners.
fn tell(core: &mut Core, place: Place, program: &Program<'_>, before: State, event: Event) {
    let Some(process) = core.store.process(place) else { return };
    let after = State::of(process.state);
    let name = program.name;
    if before != after {
        pool::state_changed(core, place, before, after, event);
        probes::state_changed(core, process, program, after);
    }
    match (before, event, after) {
        (State::Starting, Event::Due, State::Running) => {
            let seconds = Number::of_u64(u64::from(program.startsecs));
            let up = b" entered RUNNING state, process has stayed up for > than ";
            line(&core.store, INFO, &[b"success: ", name, up, seconds.digits(), b" seconds (startsecs)"]);
        }
        (State::Backoff, Event::Due, State::Fatal) => {
            let why = b" entered FATAL state, too many start retries too quickly";
            line(&core.store, INFO, &[b"gave up: ", name, why]);
        }
        (State::Stopping, Event::Due, State::Stopping) => {
            let pid = Number::of(process.pid);
            line(&core.store, WARN, &[b"killing '", name, b"' (", pid.digits(), b") with SIGKILL"]);
        }
        (State::Starting | State::Running, Event::Stop, State::Stopping) => {
            let (pid, signal) = (Number::of(process.pid), Number::of_u64(u64::from(program.stopsignal)));
            line(&core.store, DEBG, &[b"killing ", name, b" (pid ", pid.digits(), b") with signal ", signal.digits()]);
        }
        _ => {}
    }
}

/// What a process that has ended leaves in its record.
pub fn note_end(process: &mut ProcessRecord, status: i32, is_expected: bool, before: State) {
    process.exit_status = status;
    match before {
        State::Stopping => process.has_exited = 1,
        _ if process.state == State::Backoff as u32 => {
            process.has_exited = 0;
            process.spawn_error = SpawnError::TooQuickly as u32;
        }
        _ => {
            process.has_exited = 1;
            if !is_expected {
                process.spawn_error = SpawnError::BadExit as u32;
                process.spawn_detail = status as u32;
            }
        }
    }
}
