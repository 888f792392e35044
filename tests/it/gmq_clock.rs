//! A gateway that boots in 1970: and one whose clock is set late.

use gwe_tests::harness::{wait_until, Gmq, Murano, WrongClock};
use gwe_tests::skip;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LIMIT: Duration = Duration::from_secs(60);

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A gmq whose clock is wrong by so many seconds. `None` where there is no C compiler.
fn wrong_clock(murano: &Murano, offset: i64) -> Option<(Gmq, WrongClock)> {
    let clock = WrongClock::new()?;
    clock.turn(offset);
    let mut gmq = Gmq::not_running(&murano.url(), "[unq]\nbatch_record_period = 0.2\n");
    gmq.environment(&clock.environment().map(|(key, value)| (key, value.to_str().unwrap())));
    gmq.run();
    Some((gmq, clock))
}

fn times(murano: &Murano, alias: &str) -> Vec<u64> {
    let state = murano.state();
    let points = state["data"]["1"][alias].as_array().cloned().unwrap_or_default();
    points.iter().map(|point| point[0].as_f64().unwrap() as u64).collect()
}

fn assert_near(found: &[u64], expected: &[u64]) {
    assert_eq!(found.len(), expected.len(), "{found:?} {expected:?}");
    for (a, b) in found.iter().zip(expected) {
        assert!(a.abs_diff(*b) <= 1, "{found:?} {expected:?}");
    }
}

#[test]
fn a_clock_in_1970_is_put_right_by_the_platform_before_anything_is_sent() {
    let murano = Murano::start();
    let begun = now();
    let Some((gmq, _clock)) = wrong_clock(&murano, -(begun as i64) + 30) else { skip!("needs a C compiler") };
    murano.faults(&["any:refuse"]);
    let mut expected = Vec::new();
    for _ in 0..3 {
        expected.push(now());
        assert_eq!(gmq.write("1", "a=1"), 204);
        // An app that reads the same wrong clock: it shows some 30 seconds.
        assert_eq!(gmq.record("1", "b", &format!("{}=1", now() - begun + 30)), 204);
        std::thread::sleep(Duration::from_millis(1200));
    }
    // An app that has the time from elsewhere.
    assert_eq!(gmq.record("1", "c", "1750000000=1"), 204);
    assert!(gmq.gmq(&["status"]).ok().stdout.contains("not known good"));
    murano.clear_faults();
    gmq.drained(LIMIT);
    assert_near(&times(&murano, "a"), &expected);
    assert_near(&times(&murano, "b"), &expected);
    assert_eq!(times(&murano, "c"), [1_750_000_000]);
    // The rest of this boot needs no further question.
    let asked = murano.count(gwe_tests::murano::endpoint::Endpoint::Timestamp);
    let at = now();
    assert_eq!(gmq.record("1", "d", &format!("{}=1", now() - begun + 30)), 204);
    gmq.drained(LIMIT);
    assert_near(&times(&murano, "d"), &[at]);
    assert_eq!(murano.count(gwe_tests::murano::endpoint::Endpoint::Timestamp), asked);
}

#[test]
fn ntp_that_comes_late_puts_the_points_right_also_over_a_restart() {
    let murano = Murano::start();
    murano.faults(&["timestamp:status=503", "any:pass"]);
    let Some((mut gmq, clock)) = wrong_clock(&murano, -7200) else { skip!("needs a C compiler") };
    let at = now();
    assert_eq!(gmq.record("1", "a", &format!("{}=1", at - 7200)), 204);
    gmq.kill();
    gmq.run();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(times(&murano, "a"), Vec::<u64>::new(), "nothing is sent before the time is known");
    // NTP steps the clock, and says so.
    clock.synchronise();
    wait_until("the point is there", LIMIT, || !times(&murano, "a").is_empty());
    assert_near(&times(&murano, "a"), &[at]);
}
