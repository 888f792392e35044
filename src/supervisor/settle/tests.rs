//! Settling by a clock that the test turns.

use super::super::take::tests::process;
use super::*;

fn with_reason(state: ProcessState, spawnerr: &str, exitstatus: i64) -> Process {
    Process { spawnerr: spawnerr.to_string(), exitstatus, ..process("app", "app", state, 0) }
}

#[test]
fn the_table() {
    use Health::{Failing, Steady, Unsteady};
    for (state, pid, spawnerr, ran, want) in [
        (ProcessState::Starting, 5, "", None, Unsteady),
        (ProcessState::Starting, 6, "", Some(5), Failing(SettleFault::Restarted)),
        (ProcessState::Running, 5, "", None, Steady(Settled::Running)),
        (ProcessState::Running, 5, "", Some(5), Steady(Settled::Running)),
        (ProcessState::Running, 6, "", Some(5), Failing(SettleFault::Restarted)),
        (ProcessState::Backoff, 0, "Exited too quickly", None, Unsteady),
        (ProcessState::Backoff, 0, "Exited too quickly", Some(5), Failing(SettleFault::GivenUp)),
        (ProcessState::Stopping, 5, "", Some(5), Unsteady),
        (ProcessState::Stopped, 0, "", None, Steady(Settled::Stopped)),
        (ProcessState::Stopped, 0, "", Some(5), Steady(Settled::Stopped)),
        (ProcessState::Exited, 0, "", Some(5), Steady(Settled::Finished)),
        (ProcessState::Exited, 0, "Bad exit code 3", Some(5), Failing(SettleFault::Exited)),
        (ProcessState::Fatal, 0, "can't find command '/x'", None, Failing(SettleFault::GivenUp)),
        (ProcessState::Unknown, 0, "", None, Failing(SettleFault::Lost)),
    ] {
        let seen = Process { pid, ..with_reason(state, spawnerr, 0) };
        assert_eq!(judge(&seen, ran), want, "{state:?} {pid} {spawnerr} {ran:?}");
    }
}

fn terms(settle: u64, order: u64) -> Terms {
    let seconds = Duration::from_secs;
    Terms { settle: seconds(settle), patience: seconds(60), order: seconds(order), probing: seconds(5) }
}

/// `after`: an app whose start waits for others is not one that somebody stopped.
#[test]
fn one_that_waits_for_others_is_given_that_time() {
    for (order, verdict) in [(0, Some(5)), (7, Some(12))] {
        let mut watch = Looks::default();
        let stopped = [process("app", "app", ProcessState::Stopped, 0)];
        let second = (0..20).find(|second| {
            let looked = watch.look("app", &stopped, Duration::from_secs(*second), &terms(3, order));
            matches!(looked, SettleVerdict::Settled(Settled::Stopped))
        });
        assert_eq!(second, verdict);
    }
}

/// What supervisord says second by second, and what a settling time of 3 s makes of it: the second of the verdict and its text.
#[test]
fn lives_of_apps() {
    use ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping};
    let at = |state, pid| vec![process("app", "app", state, pid)];
    let ended = |state, said: &str, status| vec![with_reason(state, said, status)];
    let pair = |one, other| vec![process("app", "a0", one, 1), process("app", "a1", other, 2)];
    let both = vec![process("app", "a0", Running, 1), process("other", "other", Fatal, 0)];
    for (what, looks, want) in [
        (
            "comes up and stays",
            vec![at(Stopped, 0), at(Starting, 5), at(Running, 5), at(Running, 5), at(Running, 5), at(Running, 5)],
            Some((5, "ok Running")),
        ),
        (
            "crashes and is started again",
            vec![at(Running, 5), at(Running, 5), at(Running, 6)],
            Some((2, "app ended by itself while it settled, and was started again")),
        ),
        (
            "comes up at the second try",
            vec![
                at(Starting, 5),
                ended(Backoff, "Exited too quickly", 0),
                at(Starting, 6),
                at(Running, 6),
                at(Running, 6),
                at(Running, 6),
                at(Running, 6),
            ],
            Some((6, "ok Running")),
        ),
        (
            "never comes up",
            vec![
                at(Starting, 5),
                ended(Backoff, "Exited too quickly", 0),
                at(Starting, 6),
                ended(Fatal, "Exited too quickly (process log may have details)", 0),
            ],
            Some((3, "app cannot be kept up (FATAL): Exited too quickly (process log may have details)")),
        ),
        (
            "runs once",
            vec![at(Running, 5), at(Exited, 0), at(Exited, 0), at(Exited, 0), at(Exited, 0)],
            Some((4, "ok Finished")),
        ),
        (
            "runs once, badly",
            vec![at(Running, 5), ended(Exited, "Bad exit code 3", 3)],
            Some((1, "app exited with status 3")),
        ),
        (
            "has autostart off: that takes longer to tell",
            vec![at(Stopped, 0), at(Stopped, 0), at(Stopped, 0), at(Stopped, 0), at(Stopped, 0), at(Stopped, 0)],
            Some((5, "ok Stopped")),
        ),
        (
            "is being stopped",
            vec![at(Running, 5), at(Stopping, 5), at(Stopping, 5), at(Stopping, 5), at(Stopping, 5)],
            None,
        ),
        (
            "one of two comes late",
            vec![pair(Running, Starting), pair(Running, Starting), pair(Running, Running), pair(Running, Running)],
            None,
        ),
        (
            "both of two are up",
            vec![pair(Running, Running), pair(Running, Running), pair(Running, Running), pair(Running, Running)],
            Some((3, "ok Running")),
        ),
        (
            "one of two is given up",
            vec![pair(Running, Fatal)],
            Some((0, "app:a1 cannot be kept up (FATAL): supervisord gives no reason")),
        ),
        ("other apps do not count", vec![both.clone(), both.clone(), both.clone(), both], Some((3, "ok Running"))),
        ("is not there", vec![vec![]], Some((0, "app is not hosted by supervisord"))),
        ("goes away", vec![at(Running, 5), vec![]], Some((1, "app is not hosted by supervisord"))),
    ] {
        let mut watch = Looks::default();
        let mut got = None;
        for (second, processes) in looks.iter().enumerate() {
            let now = Duration::from_secs(1000 + second as u64);
            match watch.look("app", processes, now, &terms(3, 0)) {
                SettleVerdict::GoOn => continue,
                SettleVerdict::Settled(settled) => got = Some((second, format!("ok {settled:?}"))),
                SettleVerdict::Failed(why) => got = Some((second, why.to_string())),
            }
            break;
        }
        assert_eq!(got, want.map(|(second, text)| (second, text.to_string())), "{what}");
    }
}

#[test]
fn one_that_does_not_settle_is_named_with_its_last_state() {
    let mut watch = Looks::default();
    assert_eq!(watch.last("app").to_string(), "app is still not known to supervisord and has not settled");
    let processes = [process("app", "a0", ProcessState::Running, 1), process("app", "a1", ProcessState::Starting, 2)];
    watch.look("app", &processes, Duration::ZERO, &terms(1, 0));
    assert_eq!(watch.last("app").to_string(), "app:a1 is still STARTING and has not settled");
}
