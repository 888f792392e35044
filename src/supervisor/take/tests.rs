//! Taking up and down against a supervisord that follows a script.

use super::*;

use Happened::{Added, Paused, Reloaded, Removed, Saw, Told, Unreadable};
use TakeReply::{Fault, Obeyed};

const GOALS: [Goal; 2] = [Goal::Up, Goal::Down];
const TIMES: [Patience; 3] = [Patience::Early, Patience::Late, Patience::Over];
const STANDINGS: [TakeStanding; 4] =
    [TakeStanding::Absent, TakeStanding::Up, TakeStanding::Stopping, TakeStanding::Halted];
const REPLIES: [TakeReply; 8] = [
    Obeyed,
    Fault(code::BAD_NAME),
    Fault(code::FAILED),
    Fault(code::NOT_RUNNING),
    Fault(code::ALREADY_ADDED),
    Fault(code::STILL_RUNNING),
    Fault(code::SHUTDOWN_STATE),
    Fault(12_345),
];

/// Each row: what happened, when; what follows for an app that shall be up, and for one that shall be down.
#[test]
fn the_table() {
    use Patience::{Early, Late, Over};
    use TakeStep::{Add, Done, Fail, Kill, Look, Pause, Remove, Stop};
    let said = Fail(TakeReason::AsSaid);
    let still = Fail(TakeReason::StillRunning);
    let absent = Fail(TakeReason::NotIncluded);
    for (happened, times, up, down) in [
        (Reloaded(Listed::Elsewhere), &TIMES[..], Look, Done),
        (Reloaded(Listed::Removed), &TIMES[..], absent, Look),
        (Unreadable, &TIMES[..], said, Look),
        (Saw(TakeStanding::Absent), &TIMES[..], Add, Done),
        (Saw(TakeStanding::Halted), &TIMES[..], Remove, Remove),
        (Saw(TakeStanding::Up), &[Early], Stop, Stop),
        (Saw(TakeStanding::Up), &[Late], Kill, Kill),
        (Saw(TakeStanding::Up), &[Over], still, still),
        (Saw(TakeStanding::Stopping), &[Early], Pause, Pause),
        (Saw(TakeStanding::Stopping), &[Late], Kill, Kill),
        (Saw(TakeStanding::Stopping), &[Over], still, still),
        (Told(Obeyed), &TIMES[..], Pause, Pause),
        (Told(Fault(code::BAD_NAME)), &TIMES[..], Pause, Pause),
        (Told(Fault(code::NOT_RUNNING)), &TIMES[..], Pause, Pause),
        (Told(Fault(code::FAILED)), &TIMES[..], Pause, Pause),
        (Told(Fault(code::SHUTDOWN_STATE)), &TIMES[..], said, said),
        (Removed(Obeyed), &TIMES[..], Add, Done),
        (Removed(Fault(code::BAD_NAME)), &TIMES[..], Add, Done),
        (Removed(Fault(code::STILL_RUNNING)), &[Early, Late], Pause, Pause),
        (Removed(Fault(code::STILL_RUNNING)), &[Over], still, still),
        (Removed(Fault(code::SHUTDOWN_STATE)), &TIMES[..], said, said),
        (Added(Obeyed), &TIMES[..], Done, Done),
        (Added(Fault(code::ALREADY_ADDED)), &TIMES[..], Done, Done),
        (Added(Fault(code::BAD_NAME)), &TIMES[..], absent, absent),
        (Added(Fault(code::SHUTDOWN_STATE)), &TIMES[..], said, said),
        (Paused, &TIMES[..], Look, Look),
    ] {
        for time in times {
            assert_eq!(next(Goal::Up, happened, *time), up, "{happened:?} {time:?}, up");
            assert_eq!(next(Goal::Down, happened, *time), down, "{happened:?} {time:?}, down");
        }
    }
}

/// What may come of a step.
fn outcomes(step: TakeStep) -> Vec<Happened> {
    match step {
        TakeStep::Reload => vec![Reloaded(Listed::Elsewhere), Reloaded(Listed::Removed), Unreadable],
        TakeStep::Look => STANDINGS.map(Saw).to_vec(),
        TakeStep::Stop | TakeStep::Kill => REPLIES.map(Told).to_vec(),
        TakeStep::Remove => REPLIES.map(Removed).to_vec(),
        TakeStep::Add => REPLIES.map(Added).to_vec(),
        TakeStep::Pause => vec![Paused],
        TakeStep::Done | TakeStep::Fail(_) => vec![],
    }
}

/// Whatever supervisord answers, an attempt ends: once time is over, every path of the table reaches an end without a loop.
#[test]
fn once_time_is_over_every_path_ends() {
    fn walk(goal: Goal, step: TakeStep, depth: usize) -> usize {
        assert!(depth < 10, "the table loops when time is over");
        let paths =
            outcomes(step).into_iter().map(|happened| walk(goal, next(goal, happened, Patience::Over), depth + 1));
        1 + paths.sum::<usize>()
    }
    for goal in GOALS {
        for step in [
            TakeStep::Reload,
            TakeStep::Look,
            TakeStep::Stop,
            TakeStep::Kill,
            TakeStep::Pause,
            TakeStep::Remove,
            TakeStep::Add,
        ] {
            assert!(walk(goal, step, 0) > 1);
        }
    }
}

/// Before time is over, a loop always passes through a pause: supervisord is never asked without rest.
#[test]
fn no_loop_without_a_pause() {
    fn walk(goal: Goal, step: TakeStep, time: Patience, path: &mut Vec<TakeStep>) {
        assert!(!path.contains(&step), "{goal:?} {time:?}: {path:?} leads back to {step:?}");
        if step == TakeStep::Pause {
            return;
        }
        path.push(step);
        for happened in outcomes(step) {
            walk(goal, next(goal, happened, time), time, path);
        }
        path.pop();
    }
    for goal in GOALS {
        for time in TIMES {
            walk(goal, TakeStep::Reload, time, &mut Vec::new());
            walk(goal, next(goal, Paused, time), time, &mut Vec::new());
        }
    }
}

/// Only what has ended is removed, and only what is not hosted is added: never two copies of one app.
#[test]
fn an_app_is_added_only_where_it_is_absent() {
    for goal in GOALS {
        for time in TIMES {
            for step in [
                TakeStep::Reload,
                TakeStep::Look,
                TakeStep::Stop,
                TakeStep::Kill,
                TakeStep::Pause,
                TakeStep::Remove,
                TakeStep::Add,
            ] {
                for happened in outcomes(step) {
                    match next(goal, happened, time) {
                        TakeStep::Add => {
                            assert!(matches!(
                                happened,
                                Saw(TakeStanding::Absent) | Removed(Obeyed | Fault(code::BAD_NAME))
                            ))
                        }
                        TakeStep::Remove => assert_eq!(happened, Saw(TakeStanding::Halted)),
                        _ => {}
                    }
                }
            }
        }
    }
}

pub(crate) fn process(group: &str, name: &str, state: ProcessState, pid: u32) -> Process {
    Process {
        name: name.to_string(),
        group: group.to_string(),
        state,
        start: 100,
        stop: 0,
        now: 160,
        pid,
        exitstatus: 0,
        spawnerr: String::new(),
        logfile: String::new(),
        probe_restarts: None,
    }
}

#[test]
fn a_group_stands_as_its_liveliest_process() {
    use ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping};
    for (states, want) in [
        (&[][..], TakeStanding::Absent),
        (&[Running], TakeStanding::Up),
        (&[Starting], TakeStanding::Up),
        // Supervisor#746: it is stopped like one that runs.
        (&[Backoff], TakeStanding::Up),
        (&[Stopping], TakeStanding::Stopping),
        (&[Stopped], TakeStanding::Halted),
        (&[Exited, Fatal, ProcessState::Unknown], TakeStanding::Halted),
        (&[Stopped, Stopping], TakeStanding::Stopping),
        (&[Stopping, Stopped], TakeStanding::Stopping),
        (&[Stopping, Running], TakeStanding::Up),
        (&[Running, Stopping, Stopped], TakeStanding::Up),
    ] {
        let mut processes = vec![process("other", "a", Running, 1)];
        processes.extend(states.iter().map(|state| process("app", "a", *state, 2)));
        assert_eq!(standing(&processes, "app"), want, "{states:?}");
    }
}

#[test]
fn time_runs_out_in_two_steps() {
    let second = Duration::from_secs(1);
    for (waited, want) in [
        (Duration::ZERO, Patience::Early),
        (STOP_PATIENCE - second, Patience::Early),
        (STOP_PATIENCE, Patience::Late),
        (STOP_PATIENCE + KILL_PATIENCE - second, Patience::Late),
        (STOP_PATIENCE + KILL_PATIENCE, Patience::Over),
        (Duration::MAX, Patience::Over),
    ] {
        assert_eq!(time(waited), want);
    }
}
