//! What is asked next, after each kind of answer, and what that makes of ten thousand who listen.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const AT_ONCE: Duration = Duration::from_millis(50);

fn empty(last_modified: Option<&str>) -> Result<Option<Waited>, DeviceError> {
    Ok(Some(Waited { values: Vec::new(), last_modified: last_modified.map(str::to_string) }))
}

fn broken() -> Result<Option<Waited>, DeviceError> {
    Err(DeviceError::Status { call: "wait", status: 503, text: String::new(), retry_after: None })
}

fn pause(next: &Next) -> Duration {
    match next {
        Next::Ask(pause) => *pause,
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
        let waited = Waited { values: values.clone(), last_modified: None };
        let next = Listener::new().next(Ok(Some(waited)), AT_ONCE, 0);
        assert_eq!(matches!(next, Next::Order), is_order, "{values:?}");
    }
}

#[test]
fn a_time_is_believed_once_it_has_been_told_twice() {
    let mut listener = Listener::new();
    let mut since = Vec::new();
    // Cleared by the check-in in second 7; something came and went in second 9.
    for time in ["7", "7", "9", "9"] {
        since.push(listener.since.clone().unwrap());
        let next = listener.next(empty(Some(time)), AT_ONCE, 0);
        assert!(pause(&next) >= SETTLE, "the second has to be over");
    }
    since.push(listener.since.clone().unwrap());
    assert_eq!(since, ["0", "0", "7", "0", "9"]);
    assert_eq!(
        pause(&listener.next(Ok(None), MAX_WAIT, 0)),
        Duration::ZERO,
        "304 after the whole wait is the quiet answer"
    );
    assert_eq!(listener.since.as_deref(), Some("9"));
}

#[test]
fn a_platform_that_tells_no_times_is_asked_without() {
    let mut listener = Listener::new();
    listener.next(empty(None), AT_ONCE, 0);
    assert_eq!(listener.since, None);
}

#[test]
fn a_platform_that_answers_at_once_for_ever_is_asked_less_and_less() {
    for answer in [|| Ok(None), || empty(Some("7")), || empty(None)] {
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
    let next = Listener::new().next(Err(refused), AT_ONCE, 0);
    assert!(matches!(next, Next::GiveUp(_)), "{next:?}");
}
