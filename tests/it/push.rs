//! A gateway that listens between check-ins (docs/operators.md): an order is seen at once, with no check-in more than needed, and the
//! engine sleeps as it does without.

use gwe_tests::harness::{
    child_pids, children_of, is_asleep, number_of, wait_until, Background, Site, Tarball, PATIENCE,
};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;
use std::thread;
use std::time::Duration;

/// A gateway that checks in every four hours and listens in between, in its first pause.
fn listening() -> (Site, Background) {
    let mut site = Site::new();
    site.set("engine", "update_interval", "14400");
    site.set("engine", "push", "yes");
    let engine = site.start_engine();
    await_listening(&site, &engine, 1);
    (site, engine)
}

/// It sleeps, and its child's poll is with the platform: which answers the first two at once, since they ask for everything ever written.
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
    site.murano.write(gwe_tests::harness::SN, "update_interval", "7200");
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
    site.murano.write(gwe_tests::harness::SN, "engine_fetch", "");
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
