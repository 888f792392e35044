//! What a resident engine is between check-ins: a program of two kilobytes under the same process number (docs/decisions.md, "Budgets"). It wakes
//! up by time and by signal, and keeps what the engine knows.

use gwe_tests::harness::{
    exe, is_asleep, number_of, refusing, wait_until, worker_app, Background, Scratch, Site, PATIENCE,
};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

fn fact(engine: &Background, file: &str) -> String {
    fs::read_to_string(format!("/proc/{}/{file}", engine.pid())).expect("the engine is alive")
}

/// A site whose engine has checked in, and sleeps for an hour.
fn asleep() -> (Site, Background) {
    let mut site = Site::new();
    site.set("engine", "update_interval", "3600");
    let engine = site.start_engine();
    wait_until("the first pause", PATIENCE, || is_asleep(engine.pid()));
    assert_eq!(site.murano.count(Endpoint::Hybrid), 1, "{}", engine.log());
    (site, engine)
}

#[test]
fn between_check_ins_next_to_nothing_is_resident() {
    let (site, mut engine) = asleep();
    let status = fact(&engine, "status");
    let number = |key| number_of(engine.pid(), "status", key).expect("the engine is alive");
    assert!(number("VmRSS:") < 64, "{status}");
    assert_eq!(number("Threads:"), 1);
    // For people and scripts it is the same program with the same arguments.
    // The kernel names it after its file, until it gives itself the name.
    wait_until("its name", PATIENCE, || fact(&engine, "comm") == "gwe\n");
    assert!(fact(&engine, "cmdline").trim_end_matches('\0').ends_with("gwe"), "{:?}", fact(&engine, "cmdline"));
    let open: Vec<_> = fs::read_dir(format!("/proc/{}/fd", engine.pid())).unwrap().flatten().collect();
    let open: Vec<_> = open.iter().filter_map(|fd| fs::read_link(fd.path()).ok()).collect();
    let own = site.gateway.root().root();
    assert!(open.iter().all(|path| !path.starts_with(own) && !path.starts_with("/memfd:gwe")), "{open:?}");
    assert!(engine.stop().success(), "{}", engine.log());
}

/// docs/decisions.md, "Budgets": with an app that runs, and nothing asked for, one request, and nothing of the flash is touched: no file, no time of
/// a file, no folder.
#[test]
fn a_quiet_check_in_is_one_request_and_touches_no_file_of_the_flash() {
    let Some(site) = Site::hosted() else { return };
    site.install("app.v1.tar.gz", &worker_app("one"));
    site.check_in().ok();
    let root = site.gateway.root();
    let facts = |path: String| {
        let file = fs::symlink_metadata(root.path(&path)).expect("it is there");
        (path, file.ino(), file.size(), file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec())
    };
    let flash = || -> Vec<_> {
        let all = ["etc", "var/lib", "usr"].iter().flat_map(|folder| root.tree(folder));
        all.map(|path| facts(path.trim_end_matches('/').to_string())).collect()
    };
    let before = flash();
    assert!(before.len() > 10, "{before:?}");
    site.murano.forget_requests();
    site.check_in().ok();
    assert_eq!(site.murano.requests()["totals"]["requests"], 1);
    assert_eq!(site.murano.count(Endpoint::Hybrid), 1);
    assert_eq!(flash(), before);
}

#[test]
fn a_signal_wakes_it_and_it_sleeps_again() {
    let (site, mut engine) = asleep();
    for count in 2..=3 {
        engine.signal(libc::SIGHUP);
        wait_until("a check-in", PATIENCE, || site.murano.count(Endpoint::Hybrid) == count && is_asleep(engine.pid()));
    }
    // It says once who it is, not at each awakening.
    assert_eq!(engine.log().matches("gwe v").count(), 1, "{}", engine.log());
    let begun = Instant::now();
    assert!(engine.stop().success(), "{}", engine.log());
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn it_wakes_in_time() {
    let mut site = Site::new();
    site.set("engine", "update_interval", "12");
    let mut engine = site.start_engine();
    wait_until("the first pause", PATIENCE, || is_asleep(engine.pid()));
    let begun = Instant::now();
    wait_until("the next check-in", PATIENCE, || site.murano.count(Endpoint::Hybrid) == 2);
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(9), "{took:?}: too early\n{}", engine.log());
    wait_until("the next pause", PATIENCE, || is_asleep(engine.pid()));
    engine.stop();
}

#[test]
fn failures_in_a_row_are_counted_through_pauses() {
    let (site, mut engine) = asleep();
    site.murano.faults(&["hybrid:status=500"]);
    let tries = || site.murano.count(Endpoint::Hybrid);
    for _ in 0..3 {
        engine.signal(libc::SIGHUP);
        // A short pause is not slept this way: then the next failure comes by itself.
        wait_until("a failure that is counted", PATIENCE, || {
            let environment = fact(&engine, "environ");
            let doze = environment.split('\0').find_map(|variable| variable.strip_prefix("GWE_DOZE=T,"));
            doze.is_some_and(|doze| tries() > 1 && doze.ends_with(&format!(",{},1", tries() - 1)))
        });
    }
    assert!(tries() >= 2, "{}", engine.log());
    engine.stop();
}

#[test]
fn a_configuration_that_is_lost_in_a_pause_does_not_end_the_engine() {
    let (site, mut engine) = asleep();
    for path in ["etc/gwe/Gateway.cfg", "var/lib/gwe/Gateway.cfg"] {
        site.gateway.root().write(path, "");
    }
    engine.signal(libc::SIGHUP);
    wait_until("a check-in that fails", PATIENCE, || engine.log().contains("has no product id"));
    std::thread::sleep(Duration::from_millis(500));
    assert!(engine.is_running(), "{}", engine.log());
    assert!(engine.stop().success(), "{}", engine.log());
}

#[test]
fn whoever_asks_for_it_has_an_engine_that_stays_itself() {
    let mut site = Site::new();
    site.set("engine", "update_interval", "3600");
    let logs = Scratch::new();
    let mut engine = Background::start(site.gateway.command("gwe").env("GWE_STAY", "1"), &logs, "gwe");
    for count in 1..=2 {
        wait_until("a check-in", PATIENCE, || site.murano.count(Endpoint::Hybrid) == count);
        std::thread::sleep(Duration::from_millis(500));
        assert!(!is_asleep(engine.pid()), "{}", exe(engine.pid()).display());
        engine.signal(libc::SIGHUP);
    }
    assert!(engine.stop().success());
}

#[test]
fn where_the_kernel_refuses_it_the_engine_stays_itself() {
    for (call, error) in [(libc::SYS_memfd_create, libc::ENOSYS), (libc::SYS_execveat, libc::EACCES)] {
        let mut site = Site::new();
        site.set("engine", "update_interval", "3600");
        let logs = Scratch::new();
        let mut engine = Background::start(refusing(&mut site.gateway.command("gwe"), call, error), &logs, "gwe");
        for count in 1..=2 {
            wait_until("a check-in", PATIENCE, || site.murano.count(Endpoint::Hybrid) == count);
            std::thread::sleep(Duration::from_millis(500));
            assert!(!is_asleep(engine.pid()), "{}", exe(engine.pid()).display());
            engine.signal(libc::SIGHUP);
        }
        assert!(engine.stop().success(), "{}", engine.log());
    }
}
