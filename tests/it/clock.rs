//! Wrong clocks (docs/spec/failures.md, row 7; swupd-client#195, magma#5612, thin-edge#3786): an engine that boots in 1970 says "clock" and
//! recovers by the first check-in after the time is set; jumps of fifty years never move a check-in.

use gwe_tests::harness::{run, wait_until, Background, Murano, Scratch, Site, WrongClock, PATIENCE, SN};
use gwe_tests::murano::endpoint::Endpoint;
use gwe_tests::skip;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const YEAR: i64 = 365 * 86_400;

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A gateway that talks TLS to its cloud; `None`, and said so, where the agent was built without.
fn over_tls(valid: Option<(u64, u64)>) -> Option<Site> {
    let murano = Murano::with(|options| {
        options.tls_listen = Some("127.0.0.1:0".to_string());
        options.tls_valid = valid;
    });
    let mut site = Site::of(murano);
    let (url, ca) = (site.murano.tls_url().replace("127.0.0.1", "localhost"), site.murano.ca_certificate());
    site.set("engine", "server", &url);
    site.set("engine", "cacert", ca.to_str().unwrap());
    let ran = site.check_in();
    if ran.stderr.contains("built without TLS") {
        gwe_tests::harness::announce_skip("needs an agent with TLS");
        return None;
    }
    Some(site)
}

/// The engine with that clock.
fn start_engine(site: &Site, clock: &WrongClock, logs: &Scratch) -> Background {
    Background::start(clock.wear(&mut site.gateway.command("gwe")), logs, "gwe")
}

#[test]
fn jumps_of_fifty_years_never_move_a_check_in() {
    let Some(clock) = WrongClock::new() else { skip!("needs a C compiler") };
    let (site, logs) = (Site::new(), Scratch::new());
    let mut engine = start_engine(&site, &clock, &logs);
    wait_until("the first check-ins", PATIENCE, || site.murano.count(Endpoint::Hybrid) >= 2);
    for jump in [50 * YEAR, -50 * YEAR, 0, -now(), 3600, -3600] {
        clock.turn(jump);
        let (begun, before) = (Instant::now(), site.murano.count(Endpoint::Hybrid));
        wait_until("three check-ins", PATIENCE, || site.murano.count(Endpoint::Hybrid) >= before + 3);
        let took = begun.elapsed();
        assert!(took > Duration::from_millis(1500), "{jump}: three check-ins at an interval of 1 s took {took:?}");
        assert!(took < Duration::from_secs(15), "{jump}: {took:?}");
    }
    assert!(engine.is_running(), "{}", engine.log());
    assert!(engine.stop().success());
}

#[test]
fn a_gateway_that_boots_in_1970_says_clock_and_recovers_when_the_time_is_set() {
    let Some(clock) = WrongClock::new() else { skip!("needs a C compiler") };
    let (Some(site), logs) = (over_tls(None), Scratch::new()) else { return };
    assert_eq!(site.murano.count(Endpoint::Hybrid), 1, "with the right time it works");
    clock.turn(-now());
    let mut engine = start_engine(&site, &clock, &logs);
    wait_until("an error that says clock", PATIENCE, || engine.log().contains("check the system clock"));
    assert_eq!(site.murano.count(Endpoint::Hybrid), 1);
    assert!(engine.log().contains("the system clock says"), "{}", engine.log());
    // Somebody, or NTP, sets it. No restart.
    clock.turn(0);
    wait_until("a check-in", PATIENCE, || site.murano.count(Endpoint::Hybrid) >= 2);
    assert!(engine.stop().success());
}

#[test]
fn at_start_the_clock_is_set_forward_to_the_last_known_time() {
    let Some(clock) = WrongClock::new() else { skip!("needs a C compiler") };
    let (Some(mut site), logs) = (over_tls(None), Scratch::new()) else { return };
    site.set("engine", "keep_clock", "yes");
    site.check_in().ok();
    assert!(site.gateway.root().has("var/lib/gwe/last_known_time"));
    clock.turn(-now());
    let mut engine = start_engine(&site, &clock, &logs);
    wait_until("a check-in", PATIENCE, || site.murano.count(Endpoint::Hybrid) >= 3);
    assert!(engine.log().contains("the last known time"), "{}", engine.log());
    assert!(clock.offset().abs() < 120, "{} s off", clock.offset());
    assert!(engine.stop().success());
    // A clock that is ahead is never set back.
    clock.turn(YEAR);
    let mut engine = start_engine(&site, &clock, &logs);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(clock.offset(), YEAR);
    engine.stop();
}

#[test]
fn a_certificate_that_the_clock_does_not_fit_says_clock() {
    let now = u64::try_from(now()).unwrap();
    let day = 86_400;
    for (what, valid) in
        [("expired", (now - 20 * day, now - 10 * day)), ("not yet valid", (now + 10 * day, now + 20 * day))]
    {
        let Some(site) = over_tls(Some(valid)) else { return };
        let ran = run(site.gateway.command("gwe").arg("--once"), PATIENCE).exited(1);
        assert!(ran.stderr.contains("check the system clock"), "{what}: {}", ran.stderr);
        assert_eq!(site.murano.read(SN, "engine_report"), None, "{what}");
    }
}
