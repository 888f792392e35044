//! What is asked next, after each kind of answer, and what that makes of ten thousand who listen.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const AT_ONCE: Duration = Duration::from_millis(50);

fn empty(last_modified: Option<&str>) -> Result<Option<Waited>, Box<DeviceError>> {
    Ok(Some(Waited { values: Vec::new(), last_modified: last_modified.map(str::to_string), is_past: false }))
}

/// The same, by a platform whose clock has gone on since.
fn long_empty(last_modified: &str) -> Result<Option<Waited>, Box<DeviceError>> {
    Ok(Some(Waited { values: Vec::new(), last_modified: Some(last_modified.to_string()), is_past: true }))
}

fn broken() -> Result<Option<Waited>, Box<DeviceError>> {
    Err(DeviceError::Status { call: "wait", status: 503, text: String::new(), retry_after: None }.into())
}

fn pause(next: &ListenNext) -> Duration {
    match next {
        ListenNext::Ask(pause) => *pause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_order_is_told_and_emptied_aliases_are_none() {
    for (values, is_order) in [
        (vec![("engine_fetch", "{}")], true),
        (vec![("engine_fetch", ""), ("update_interval", "5")], true),
        (vec![("engine_fetch", ""), ("update_interval", " ")], false),
        (vec![], false),
    ] {
        let values: Vec<_> = values.into_iter().map(|(alias, value)| (alias.to_string(), value.to_string())).collect();
        let waited = Waited { values: values.clone(), last_modified: None, is_past: false };
        let next = Listener::new().next(Ok(Some(waited)), AT_ONCE, 0);
        assert_eq!(matches!(next, ListenNext::Order), is_order, "{values:?}");
    }
}

/// What is asked for: seconds to wait, and since when.
fn asks(listener: &Listener) -> (u64, Option<&str>) {
    let (wait, since) = listener.asks();
    (wait.as_secs(), since)
}

#[test]
fn a_time_is_believed_once_its_second_is_over_and_until_then_a_poll_is_held_too() {
    let mut listener = Listener::new();
    // Cleared by the check-in in second 7; something came and went in second 9, during a wait.
    for (asked, answer, took) in [
        ((300, Some("0")), empty(Some("7")), AT_ONCE),
        ((1, None), Ok(None), SETTLE),
        ((300, Some("0")), empty(Some("7")), AT_ONCE),
        ((300, Some("7")), empty(Some("9")), MAX_WAIT / 2),
        ((1, None), Ok(None), SETTLE),
        ((300, Some("0")), empty(Some("9")), AT_ONCE),
        ((300, Some("9")), Ok(None), MAX_WAIT),
        ((300, Some("9")), Ok(None), MAX_WAIT),
    ] {
        assert_eq!(asks(&listener), asked);
        assert_eq!(pause(&listener.next(answer, took, u64::MAX)), Duration::ZERO, "no moment without a poll");
    }
}

#[test]
fn a_second_that_is_over_by_the_platform_s_clock_costs_one_short_request() {
    let mut listener = Listener::new();
    assert_eq!(pause(&listener.next(long_empty("7"), AT_ONCE, u64::MAX)), Duration::ZERO);
    assert_eq!(asks(&listener), (300, Some("7")));
}

#[test]
fn a_platform_that_does_not_hold_the_second_long_poll_is_given_that_second() {
    for answer in [Ok(None), empty(Some("7")), empty(Some("8")), empty(None), long_empty("7")] {
        let mut listener = Listener::new();
        listener.next(empty(Some("7")), AT_ONCE, 0);
        assert!(pause(&listener.next(answer, AT_ONCE, 0)) >= SETTLE);
        assert_eq!(asks(&listener), (300, Some("0")));
    }
    let mut listener = Listener::new();
    listener.next(empty(Some("7")), AT_ONCE, 0);
    listener.next(broken(), AT_ONCE, 0);
    assert_eq!(asks(&listener), (300, Some("0")), "nothing is believed of it");
}

#[test]
fn a_platform_that_tells_no_times_is_asked_without() {
    let mut listener = Listener::new();
    listener.next(empty(None), AT_ONCE, 0);
    assert_eq!(listener.since, None);
}

#[test]
fn a_platform_that_answers_at_once_for_ever_is_asked_less_and_less() {
    for answer in [|| Ok(None), || empty(Some("7")), || empty(None), || long_empty("7")] {
        let mut listener = Listener::new();
        let (mut requests, mut time) = (0, Duration::ZERO);
        while time < HOUR {
            time += AT_ONCE + pause(&listener.next(answer(), AT_ONCE, u64::MAX));
            requests += 1;
        }
        assert!(requests <= 21, "{requests} requests an hour");
        assert!(pause(&listener.next(answer(), AT_ONCE, 0)) >= SETTLE, "whatever is drawn");
    }
}

#[test]
fn what_fails_comes_back_spread() {
    let mut listener = Listener::new();
    let longest = |listener: &mut Listener| pause(&listener.next(broken(), AT_ONCE, u64::MAX)).as_secs_f64().round();
    assert_eq!([0; 5].map(|_| longest(&mut listener)), [300.0, 600.0, 1200.0, 1200.0, 1200.0]);
    assert_eq!(pause(&listener.next(broken(), AT_ONCE, 0)), SETTLE, "whatever is drawn");
    listener.next(Ok(None), MAX_WAIT, 0);
    assert_eq!(longest(&mut listener), 300.0, "an answer ends the row");
    assert_eq!(listener.wait, MAX_WAIT, "who refuses at once does not forget connections");
}

/// Polls that reach the platform in each ten seconds, of so many gateways over two hours, with an outage from the first hour on.
fn load(gateways: usize, outage: Duration) -> Vec<usize> {
    const SLOT: Duration = Duration::from_secs(10);
    let (down, up, end) = (HOUR, HOUR + outage, 2 * HOUR + outage);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut slots = vec![0; usize::try_from(end.as_secs() / SLOT.as_secs()).unwrap() + 1];
    for _ in 0..gateways {
        let mut listener = Listener::new();
        listener.since = Some("7".to_string());
        let mut now = schedule::fraction(MAX_WAIT, draw());
        while now < end {
            let is_down = now >= down && now < up;
            slots[usize::try_from(now.as_secs() / SLOT.as_secs()).unwrap()] += usize::from(!is_down);
            let breaks = now < down && now + MAX_WAIT > down;
            let (answer, took) = match (is_down, breaks) {
                (true, _) => (broken(), Duration::ZERO),
                (false, true) => (broken(), down - now),
                (false, false) => (Ok(None), MAX_WAIT),
            };
            now += took + pause(&listener.next(answer, took, draw()));
        }
    }
    slots
}

#[test]
fn after_an_outage_the_platform_is_not_overrun() {
    let steady = load(10_000, Duration::ZERO)[30..300].iter().sum::<usize>() as f64 / 270.0;
    for outage in [5, 60, 1800] {
        let worst = *load(10_000, Duration::from_secs(outage)).iter().max().unwrap() as f64;
        println!(
            "outage of {outage} s: at most {:.2} times the steady {steady:.0} polls in ten seconds",
            worst / steady
        );
        assert!(worst <= 2.0 * steady, "outage of {outage} s: {worst} polls in ten seconds, {steady} before");
    }
}

#[test]
fn where_connections_are_forgotten_shorter_waits_are_tried() {
    let mut listener = Listener::new();
    let mut waits = Vec::new();
    for _ in 0..4 {
        listener.next(broken(), MAX_WAIT, 0);
        waits.push(listener.wait.as_secs());
    }
    assert_eq!(waits, [150, 75, 60, 60]);
}

#[test]
fn a_cik_that_is_void_is_a_matter_for_the_check_in() {
    let refused = DeviceError::Status { call: "wait", status: 401, text: String::new(), retry_after: None };
    let next = Listener::new().next(Err(refused.into()), AT_ONCE, 0);
    assert!(matches!(next, ListenNext::GiveUp(_)), "{next:?}");
}
