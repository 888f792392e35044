//! A resolver that is dead for a day, and comes back (docs/spec/failures.md, row 2; minreq#52). The real engine, hurried from one check-in to
//! the next: none of them waits without end, nothing piles up, and the first one after the resolver's return succeeds.

use gwe_tests::harness::{
    child_pids, number_of, wait_for, wait_until, with_files, Background, Dns, Scratch, Site, PATIENCE,
};
use gwe_tests::murano::endpoint::Endpoint;
use gwe_tests::skip;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// An engine with the usual interval fails a dozen times a day.
const SILENT_CHECK_INS: u32 = 24;
const REFUSED_CHECK_INS: u32 = 24;
/// What a check-in may take beside its lookup, on a busy machine.
const REST: Duration = Duration::from_secs(10);
/// A lookup may take so long, whatever the resolver would (`src/http/resolve.rs`).
const LOOKUP: Duration = Duration::from_secs(15);
/// What the engine's own memory may grow by, in kB: two pages of the stack and two of the heap.
const SLACK_KB: u64 = 16;
/// Freed memory goes back into the heap at once, where the C library is glibc.
const NO_CACHES: &str = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0";

/// What of the engine must stay as it is.
#[derive(Debug, PartialEq)]
struct Held {
    anonymous_kb: u64,
    threads: u64,
    descriptors: usize,
}

impl Held {
    /// In a pause: the next try may come after a second, and holds a child's descriptors.
    fn of(engine: &Background) -> Held {
        let mut before = Held::now(engine);
        wait_for("a pause", PATIENCE, || {
            thread::sleep(Duration::from_millis(100));
            let (was, is) = (std::mem::replace(&mut before, Held::now(engine)), child_pids(engine.pid()));
            (is.is_empty() && was == before).then_some(was)
        })
    }

    fn now(engine: &Background) -> Held {
        let pid = engine.pid();
        let number = |key| number_of(pid, "status", key).expect("the engine is alive");
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("the engine is alive").count();
        Held { anonymous_kb: number("RssAnon:"), threads: number("Threads:"), descriptors }
    }
}

/// When the last check-in ended.
fn ended(site: &Site) -> Option<SystemTime> {
    fs::metadata(site.gateway.root().path("run/gwe/last_check_in.json")).and_then(|meta| meta.modified()).ok()
}

/// Has the engine check in now; gives how long that took, at the most.
#[track_caller]
fn hurry(engine: &mut Background, site: &Site, limit: Duration) -> Duration {
    let (before, begun) = (ended(site), Instant::now());
    while ended(site) == before {
        assert!(begun.elapsed() < limit && engine.is_running(), "no end after {limit:?}\n{}", engine.log());
        // One that comes while a check-in runs is not heard.
        engine.signal(libc::SIGHUP);
        let children = child_pids(engine.pid());
        assert!(children.len() <= 1, "check-ins beside each other: {children:?}");
        for child in children {
            // What does the work, and one lookup.
            let threads = number_of(child, "status", "Threads:").unwrap_or(1);
            assert!(threads <= 2, "{threads} threads in a check-in");
        }
        thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

/// Another test run on this machine has another one.
fn address() -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 53, high, low.max(1))
}

#[test]
fn a_resolver_that_is_dead_for_a_day_costs_nothing_but_the_day() {
    let address = address();
    let Ok(dns) = Dns::silent(address) else { skip!("needs the right to bind port 53") };
    let mut site = Site::new();
    let port = site.murano.url().rsplit(':').next().expect("a URL has a port").to_string();
    site.set("engine", "server", &format!("http://gw.test:{port}"));
    site.set("engine", "update_interval", "3600");
    let scratch = Scratch::new();
    let files = Dns::configuration(address, "timeout:1 attempts:1", &scratch);
    let files: Vec<(&Path, &str)> = files.iter().map(|(file, place)| (file.as_path(), *place)).collect();
    let mut command = site.gateway.command("gwe");
    command.env("GWE_STAY", "1").env("GLIBC_TUNABLES", NO_CACHES);
    let Some(mut command) = with_files(&command, &files) else { skip!("needs a mount namespace") };
    dns.answers(true);
    let mut engine = Background::start(&mut command, &scratch, "gwe");
    wait_until("the first check-in", PATIENCE, || site.murano.count(Endpoint::Hybrid) == 1);
    assert!(dns.asked() > 0, "its name was not looked up: {}", engine.log());

    // Silent. The first failures are part of what may be held.
    dns.answers(false);
    for _ in 0..3 {
        hurry(&mut engine, &site, REST);
    }
    let before = Held::of(&engine);
    let asked = dns.asked();
    for _ in 0..SILENT_CHECK_INS {
        hurry(&mut engine, &site, REST);
    }
    assert!(dns.asked() >= asked + u64::from(SILENT_CHECK_INS), "{} questions", dns.asked() - asked);
    assert!(engine.log().contains("cannot resolve gw.test"), "{}", engine.log());

    // A resolver library that would wait for minutes: the lookup is given up all the same.
    Dns::configuration(address, "timeout:30 attempts:5", &scratch);
    let took = hurry(&mut engine, &site, LOOKUP + REST);
    assert!(took > LOOKUP - Duration::from_secs(2), "{took:?}: the library gave up first");
    assert!(engine.log().contains("resolver did not answer"), "{}", engine.log());
    Dns::configuration(address, "timeout:1 attempts:1", &scratch);

    // Nobody there.
    drop(dns);
    for _ in 0..REFUSED_CHECK_INS {
        hurry(&mut engine, &site, REST);
    }
    let after = Held::of(&engine);
    assert!(after.anonymous_kb <= before.anonymous_kb + SLACK_KB, "memory grows: {before:?}, then {after:?}");
    assert_eq!((after.threads, after.descriptors), (1, before.descriptors), "{before:?}, then {after:?}");
    assert_eq!(site.murano.count(Endpoint::Hybrid), 1, "the server was reached by a name that nobody resolved");

    // Back: the next check-in of the same engine succeeds.
    let dns = Dns::silent(address).expect("the port was ours a moment ago");
    dns.answers(true);
    hurry(&mut engine, &site, REST);
    assert_eq!(site.murano.count(Endpoint::Hybrid), 2, "{}", engine.log());
    assert!(engine.stop().success());
}
