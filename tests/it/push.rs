//! A gateway that listens between check-ins (docs/operators.md): an order is seen at once, with no check-in more than needed, and the
//! engine sleeps as it does without.

use gwe_tests::harness::{
    child_pids, children_of, is_asleep, number_of, wait_until, Background, Murano, Site, Tarball, PATIENCE, SN,
};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;
use std::thread;
use std::time::Duration;

/// A gateway that checks in every four hours and listens in between, in its first pause.
fn listening() -> (Site, Background) {
    let (site, engine) = listens_at(Murano::start());
    await_listening(&site, &engine, 1);
    (site, engine)
}

/// The same, at this platform, from its first check-in on.
fn listens_at(murano: Murano) -> (Site, Background) {
    let mut site = Site::of(murano);
    site.set("engine", "update_interval", "14400");
    site.set("engine", "push", "yes");
    let engine = site.start_engine();
    (site, engine)
}

/// It sleeps, and its child's poll is with the platform: which answers the first one at once, since it asks for everything ever written.
#[track_caller]
fn await_listening(site: &Site, engine: &Background, check_ins: u64) {
    wait_until("the engine to sleep and its child to listen", PATIENCE, || {
        is_asleep(engine.pid()) && listener(engine).is_some() && site.murano.count(Endpoint::Hybrid) == check_ins
    });
    let switches = || number_of(listener(engine)?, "status", "voluntary_ctxt_switches:");
    let mut before = None;
    wait_until("the poll to be held", PATIENCE, || {
        thread::sleep(Duration::from_millis(1500));
        let now = switches();
        std::mem::replace(&mut before, now) == now && now.is_some()
    });
}

/// The engine's child that listens.
fn listener(engine: &Background) -> Option<u32> {
    let listens = |pid: &u32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains("--listen")
    };
    child_pids(engine.pid()).into_iter().find(listens)
}

#[test]
fn an_order_is_seen_at_once_and_costs_one_check_in() {
    let (site, mut engine) = listening();
    site.deploy("good.v1.tar.gz", &Tarball::app("echo here"));
    site.await_status("[gwe] installed good v1 in N s");
    await_listening(&site, &engine, 2);
    site.deploy("good.v2.tar.gz", &Tarball::app("echo there"));
    site.await_status("[gwe] installed good v2 in N s");
    await_listening(&site, &engine, 3);
    assert!(engine.stop().success(), "{}", engine.log());
}

#[test]
fn an_interval_is_taken_at_once_too() {
    let (site, mut engine) = listening();
    site.murano.write(SN, "update_interval", "7200");
    await_listening(&site, &engine, 2);
    let set = site.gateway.gwe(&["--engine-conf"]).ok();
    assert!(set.stdout.contains("update_interval = 7200"), "{}", set.report());
    assert!(engine.stop().success());
}

#[test]
fn who_listens_wakes_nobody_and_ends_with_the_engine() {
    let (_site, mut engine) = listening();
    let child = listener(&engine).unwrap();
    let counts = |pid| number_of(pid, "status", "voluntary_ctxt_switches:");
    let before = (counts(engine.pid()), counts(child));
    thread::sleep(Duration::from_secs(3));
    assert_eq!((counts(engine.pid()), counts(child)), before);
    engine.kill();
    wait_until("its child to end with it", PATIENCE, || counts(child).is_none());
}

#[test]
fn a_check_in_by_signal_is_one_and_is_followed_by_listening() {
    let (site, mut engine) = listening();
    let first = listener(&engine).unwrap();
    engine.signal(libc::SIGHUP);
    await_listening(&site, &engine, 2);
    assert_ne!(listener(&engine), Some(first), "each pause has its own");
    assert_eq!(children_of(engine.pid()).len(), 1);
    assert!(engine.stop().success(), "{}", engine.log());
    wait_until("nobody to listen any more", PATIENCE, || !fs::exists(format!("/proc/{first}")).unwrap());
}

#[test]
fn a_listener_that_dies_leaves_the_schedule_as_it_is() {
    let (site, mut engine) = listening();
    let child = listener(&engine).unwrap();
    // SAFETY: kill has no memory effects; the process is the engine's child, so its number is not another's.
    unsafe { libc::kill(child as i32, libc::SIGKILL) };
    thread::sleep(Duration::from_secs(2));
    assert!(is_asleep(engine.pid()), "nobody was woken");
    engine.signal(libc::SIGHUP);
    await_listening(&site, &engine, 2);
    assert!(engine.stop().success());
}

#[test]
fn a_poll_that_fails_ends_nobody() {
    let (site, mut engine) = listening();
    let child = listener(&engine);
    site.murano.faults(&["poll:refuse=rst"]);
    // The held poll is answered: nothing is there. The next one fails.
    site.murano.write(SN, "engine_fetch", "");
    wait_until("the fault to have happened", PATIENCE, || {
        site.murano.server().platform().faults.list().first().is_none_or(|(_, applied)| *applied > 0)
    });
    thread::sleep(Duration::from_secs(1));
    assert_eq!(listener(&engine), child, "it tries again later");
    assert!(is_asleep(engine.pid()));
    assert_eq!(site.murano.count(Endpoint::Hybrid), 1);
    assert!(engine.stop().success());
}

#[test]
fn without_it_nobody_listens() {
    let mut site = Site::new();
    site.set("engine", "update_interval", "14400");
    let mut engine = site.start_engine();
    wait_until("the engine to sleep", PATIENCE, || is_asleep(engine.pid()));
    assert_eq!(listener(&engine), None);
    assert_eq!(site.murano.count(Endpoint::Poll), 0);
    assert!(engine.stop().success());
}

/// The requests of each kind since they were forgotten: read, hybrid, write.
fn requests(site: &Site) -> [u64; 3] {
    [Endpoint::Read, Endpoint::Hybrid, Endpoint::Write].map(|endpoint| site.murano.count(endpoint))
}

#[test]
fn an_order_in_the_first_moment_of_listening_is_seen_and_writes_keep_their_pace() {
    // The platform refuses a second write within a second: an order that comes right behind a check-in must not cost a failure.
    let (site, mut engine) = listens_at(Murano::with(|options| options.rate_limit = true));
    for version in 1..=3 {
        wait_until("the engine to sleep and its child to listen", PATIENCE, || {
            is_asleep(engine.pid()) && listener(&engine).is_some()
        });
        let check_ins = site.murano.count(Endpoint::Hybrid);
        site.deploy(&format!("good.v{version}.tar.gz"), &Tarball::app("exit 0"));
        site.await_status(&format!("[gwe] installed good v{version} in N s"));
        assert_eq!(site.murano.count(Endpoint::Hybrid), check_ins + 1, "{}", engine.log());
    }
    assert!(engine.stop().success(), "{}", engine.log());
    assert!(!engine.log().contains("check-in failed"), "{}", engine.log());
}

/// What is left for the check-in by whoever has seen an order.
const CALLED: &str = "run/gwe/called";

#[test]
fn who_is_called_reads_first_and_clears_with_its_one_report() {
    let app = Tarball::app("echo run >> $GWE_ROOT/runs");
    for (faults, first, requests_made) in [
        (&[][..], Some(0), [1, 1, 1]),
        // Refused for good, both together: each is tried by itself.
        (&["hybrid:status=400*1"][..], Some(0), [1, 2, 2]),
        // Kept, and not cleared: the next check-in finds the same order, and is called by nobody.
        (&["hybrid:status=503*1"][..], Some(1), [1, 2, 2]),
        // Cleared, and the answer lost.
        (&["hybrid:lost-reply*1"][..], Some(1), [1, 2, 1]),
        (&["read:status=503*1"][..], Some(1), [1, 1, 2]),
    ] {
        let site = Site::new();
        site.check_in().ok();
        site.deploy("app.v1.tar.gz", &app);
        site.gateway.root().write(CALLED, "0");
        site.murano.forget_requests();
        site.murano.faults(faults);
        assert_eq!(site.check_in().code, first, "{faults:?}");
        assert!(!site.gateway.root().has(CALLED), "it is taken, whatever comes of it");
        site.murano.clear_faults();
        if first == Some(1) {
            site.check_in().ok();
        }
        assert_eq!(requests(&site), requests_made, "{faults:?}: {}", site.murano.requests());
        assert_eq!(site.reports(), ["[gwe] installed app v1 in N s\n"], "{faults:?}");
        assert_eq!(site.gateway.root().read("runs"), "run\n", "{faults:?}");
        assert_eq!(site.murano.read(SN, "engine_fetch"), None, "{faults:?}");
    }
}

#[test]
fn who_is_called_in_vain_checks_in_as_ever() {
    let site = Site::new();
    site.check_in().ok();
    for torn in ["", "not a time"] {
        site.gateway.root().write(CALLED, torn);
        site.murano.forget_requests();
        site.check_in().ok();
        assert_eq!(requests(&site), [1, 1, 0]);
    }
}
