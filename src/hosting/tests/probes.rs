//! Questions to a program by a clock that the test turns.

use crate::hosting::probe::{Cadence, Duty, Phase, ProbeEvent, Questions, KILL_AGAIN_MS};

const PACE: Cadence = Cadence { interval_ms: 10_000, timeout_ms: 2_000, retries: 3 };
const PHASES: [Phase; 3] = [Phase::Resting, Phase::Asking, Phase::Late];

#[test]
fn every_pair_of_phase_and_event() {
    use Duty::{Ask, Kill, Missed, Nothing};
    let good = ProbeEvent::Ended { good: true };
    let bad = ProbeEvent::Ended { good: false };
    for (phase, event, action, then, due_in) in [
        (Phase::Resting, ProbeEvent::Due, Ask, Phase::Asking, Some(2_000)),
        (Phase::Resting, ProbeEvent::NotAsked, Nothing, Phase::Resting, None),
        (Phase::Resting, good, Nothing, Phase::Resting, None),
        (Phase::Resting, bad, Nothing, Phase::Resting, None),
        (Phase::Asking, ProbeEvent::Due, Kill, Phase::Late, Some(KILL_AGAIN_MS)),
        (Phase::Asking, ProbeEvent::NotAsked, Nothing, Phase::Resting, Some(10_000)),
        (Phase::Asking, good, Nothing, Phase::Resting, Some(10_000)),
        (Phase::Asking, bad, Missed, Phase::Resting, Some(10_000)),
        (Phase::Late, ProbeEvent::Due, Kill, Phase::Late, Some(KILL_AGAIN_MS)),
        (Phase::Late, ProbeEvent::NotAsked, Nothing, Phase::Resting, Some(10_000)),
        // It ended well, and too late.
        (Phase::Late, good, Missed, Phase::Resting, Some(10_000)),
        (Phase::Late, bad, Missed, Phase::Resting, Some(10_000)),
    ] {
        let mut watch = Questions { phase, due_ms: 77, ..Questions::default() };
        let got = watch.step(event, 5_000, &PACE);
        let due = due_in.map_or(77, |due_in| 5_000 + due_in);
        assert_eq!((got, watch.phase, watch.due_ms), (action, then, due), "{phase:?} {event:?}");
    }
}

/// Supervisor_checks' way and everybody's: so many in a row, and one good answer begins the count anew.
#[test]
fn so_many_misses_in_a_row_are_a_fault_and_no_other_number() {
    let bad = ProbeEvent::Ended { good: false };
    let mut watch = Questions::begun(1_000);
    assert_eq!((watch.due_ms, watch.has_passed), (1_000, false), "asked at once");
    let mut ask = |event, now| {
        assert_eq!(watch.step(ProbeEvent::Due, now, &PACE), Duty::Ask);
        (watch.step(event, now + 1, &PACE), watch.misses, watch.has_passed)
    };
    assert_eq!(ask(bad, 1_000), (Duty::Missed, 1, false));
    assert_eq!(ask(bad, 11_000), (Duty::Missed, 2, false));
    assert_eq!(ask(ProbeEvent::Ended { good: true }, 21_000), (Duty::Nothing, 0, true));
    assert_eq!(ask(bad, 31_000), (Duty::Missed, 1, true));
    // Not knowing is neither.
    assert_eq!(ask(ProbeEvent::NotAsked, 41_000), (Duty::Nothing, 1, true));
    assert_eq!(ask(bad, 51_000), (Duty::Missed, 2, true));
    assert_eq!(ask(bad, 61_000), (Duty::Restart, 3, true));
    let once = Cadence { retries: 1, ..PACE };
    let mut watch = Questions { phase: Phase::Asking, ..Questions::default() };
    assert_eq!(watch.step(bad, 0, &once), Duty::Restart);
}

/// A long random life: never two probes at once, none without an end, and a restart only behind that many misses in a row.
#[test]
fn a_long_random_life() {
    let (mut watch, mut now, mut runs, mut in_a_row) = (Questions::begun(0), 0_u64, false, 0);
    let mut seed = 2026_u64;
    let mut restarts = 0;
    for _ in 0..200_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = seed >> 33;
        let event = match draw % 4 {
            0 | 1 => ProbeEvent::Due,
            2 => ProbeEvent::Ended { good: draw % 8 < 4 },
            _ => ProbeEvent::NotAsked,
        };
        now = if event == ProbeEvent::Due { now.max(watch.due_ms) } else { now + draw % 50 };
        let before = watch.phase;
        match watch.step(event, now, &PACE) {
            Duty::Ask => {
                assert!(!runs, "two at once");
                runs = true;
            }
            Duty::Kill => assert!(runs && now >= watch.due_ms - KILL_AGAIN_MS),
            Duty::Missed | Duty::Restart if before != Phase::Resting => {
                (runs, in_a_row) = (false, in_a_row + 1);
                if watch.misses >= PACE.retries {
                    assert_eq!(in_a_row, PACE.retries);
                    restarts += 1;
                    (watch, in_a_row) = (Questions::begun(now), 0);
                }
            }
            Duty::Missed | Duty::Restart => panic!("nothing was asked"),
            Duty::Nothing => {
                runs &= before == Phase::Resting;
                in_a_row = watch.misses;
            }
        }
        assert!(PHASES.contains(&watch.phase) && watch.misses < PACE.retries);
        assert_eq!(runs, watch.phase != Phase::Resting);
    }
    assert!(restarts > 100, "{restarts}");
}
