//! The table, row by row: a state, what happens, and what is then.

use crate::hosting::table::{Action, Event, Life, Restart, Rules, Sent, State, Wanted, STATES};

const NOW: u64 = 50_000;
const RULES: Rules = Rules { startsecs: 3, startretries: 2, stopwaitsecs: 10, autorestart: Restart::Unexpected };
const EVENTS: [Event; 7] = [
    Event::Start,
    Event::Stop,
    Event::Failed,
    Event::Ended { expected: true },
    Event::Ended { expected: false },
    Event::Due,
    Event::GiveUp,
];

/// A process as it is in a state, started two seconds ago.
fn life(state: State) -> Life {
    let (wanted, sent) = match state {
        State::Starting | State::Running | State::Backoff => (Wanted::Up, Sent::Nothing),
        State::Stopping => (Wanted::Down, Sent::Stop),
        State::Stopped | State::Exited | State::Fatal => (Wanted::Down, Sent::Nothing),
    };
    Life { state, wanted, sent, backoff: 1, started_ms: NOW - 2000, due_ms: None }
}

#[test]
fn every_pair_of_state_and_event() {
    use Action::{Nothing, RefuseRunning, RefuseStopped, SendKill, SendStop, Spawn};
    use State::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping};
    // In the order of EVENTS: the state after it, what is to be done, and in how many milliseconds something is due.
    type Row = [(State, Action, Option<u64>); 7];
    let rows: [(State, Row); 7] = [
        (
            Stopped,
            [
                (Starting, Spawn, Some(3001)),
                (Stopped, RefuseStopped, None),
                (Stopped, Nothing, None),
                (Stopped, Nothing, None),
                (Stopped, Nothing, None),
                (Stopped, Nothing, None),
                (Stopped, Nothing, None),
            ],
        ),
        (
            Starting,
            [
                (Starting, RefuseRunning, None),
                (Stopping, SendStop, Some(10_000)),
                (Backoff, Nothing, Some(2000)),
                (Backoff, Nothing, Some(2000)),
                (Backoff, Nothing, Some(2000)),
                (Running, Nothing, None),
                (Starting, Nothing, None),
            ],
        ),
        (
            Running,
            [
                (Running, RefuseRunning, None),
                (Stopping, SendStop, Some(10_000)),
                (Running, Nothing, None),
                (Exited, Nothing, None),
                (Exited, Nothing, Some(0)),
                (Running, Nothing, None),
                (Running, Nothing, None),
            ],
        ),
        (
            Backoff,
            [
                (Backoff, RefuseRunning, None),
                (Stopped, Nothing, None),
                (Backoff, Nothing, None),
                (Backoff, Nothing, None),
                (Backoff, Nothing, None),
                (Starting, Spawn, Some(3001)),
                (Fatal, Nothing, None),
            ],
        ),
        (
            Stopping,
            [
                (Stopping, Nothing, None),
                (Stopping, RefuseStopped, None),
                (Stopping, Nothing, None),
                (Stopped, Nothing, None),
                (Stopped, Nothing, None),
                (Stopping, SendKill, Some(10_000)),
                (Stopping, Nothing, None),
            ],
        ),
        (
            Exited,
            [
                (Starting, Spawn, Some(3001)),
                (Exited, RefuseStopped, None),
                (Exited, Nothing, None),
                (Exited, Nothing, None),
                (Exited, Nothing, None),
                (Exited, Nothing, None),
                (Exited, Nothing, None),
            ],
        ),
        (
            Fatal,
            [
                (Starting, Spawn, Some(3001)),
                (Fatal, RefuseStopped, None),
                (Fatal, Nothing, None),
                (Fatal, Nothing, None),
                (Fatal, Nothing, None),
                (Fatal, Nothing, None),
                (Fatal, Nothing, None),
            ],
        ),
    ];
    assert_eq!(rows.map(|(state, _)| state), STATES);
    for (state, row) in rows {
        for (event, (then, action, due)) in EVENTS.iter().zip(row) {
            let mut life = life(state);
            let done = life.step(*event, NOW, &RULES);
            let due_in = life.due_ms.map(|due| due - NOW);
            assert_eq!((life.state, done, due_in), (then, action, due), "{state:?} {event:?}");
        }
    }
}

#[test]
fn three_retries_are_four_starts_that_wait_one_two_and_three_seconds() {
    let rules = Rules { startretries: 3, ..RULES };
    let (mut life, mut now, mut starts, mut waits) = (Life::default(), NOW, 1, Vec::new());
    assert_eq!(life.step(Event::Start, now, &rules), Action::Spawn);
    loop {
        life.step(Event::Failed, now, &rules);
        waits.push(life.due_ms.unwrap() - now);
        now = life.due_ms.unwrap();
        match life.step(Event::Due, now, &rules) {
            Action::Spawn => starts += 1,
            action => break assert_eq!((action, life.state), (Action::Nothing, State::Fatal)),
        }
    }
    assert_eq!((starts, waits), (4, vec![1000, 2000, 3000, 0]));
}

#[test]
fn a_start_while_it_stops_is_done_when_it_has_stopped_and_another_stop_takes_it_back() {
    for taken_back in [false, true] {
        let mut life = life(State::Stopping);
        assert_eq!(life.step(Event::Start, NOW, &RULES), Action::Nothing);
        if taken_back {
            assert_eq!(life.step(Event::Stop, NOW, &RULES), Action::RefuseStopped);
        }
        life.step(Event::Ended { expected: false }, NOW + 5, &RULES);
        assert_eq!((life.state, life.due_ms), (State::Stopped, (!taken_back).then_some(NOW + 5)));
        let action = life.step(Event::Due, NOW + 5, &RULES);
        assert_eq!(action, if taken_back { Action::Nothing } else { Action::Spawn });
    }
}

/// Supervisor/supervisor 1285, 212, 574: without startsecs it has run at once, so startretries never counts; it must not spin.
#[test]
fn a_program_without_startsecs_that_ends_at_once_is_started_once_a_second() {
    let rules = Rules { startsecs: 0, autorestart: Restart::Always, ..RULES };
    let mut life = Life::default();
    life.step(Event::Start, NOW, &rules);
    assert_eq!(life.due_ms, Some(NOW));
    life.step(Event::Ended { expected: true }, NOW + 1, &rules);
    assert_eq!((life.state, life.backoff, life.due_ms), (State::Exited, 0, Some(NOW + 1000)));
}

#[test]
fn a_stop_takes_back_the_restart_that_is_due() {
    let mut life = life(State::Running);
    life.step(Event::Ended { expected: false }, NOW, &RULES);
    assert_eq!((life.state, life.wanted), (State::Exited, Wanted::Up));
    assert_eq!(life.step(Event::Stop, NOW, &RULES), Action::RefuseStopped);
    assert_eq!(life.step(Event::Due, NOW, &RULES), Action::Nothing);
    assert_eq!(life.state, State::Exited);
}
