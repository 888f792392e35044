//! Endurance: check-ins without number against a server that fails in every way, by seed, with installs good and bad among them. What
//! stays resident must not grow: neither memory nor descriptors, threads, processes or files.
//!
//! `make endurance N=10000` for long; a short run is part of `make test-long`. The engine is hurried from one check-in to the next by SIGHUP, so
//! that ten thousand take minutes.

use gwe_tests::harness::{
    children_of, is_asleep, number_of, wait_until, Background, Chance, Scratch, Site, Tarball, FAULTS, PATIENCE, SN,
};
use std::fmt;
use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Check-ins in the short run.
const SHORT: u32 = 60;
/// An order comes with every so manyeth check-in.
const ORDERS: u32 = 20;
/// Of so many kinds.
const ORDER_KINDS: usize = 6;
/// The longest check-in: a stall is noticed within a minute, and a download is tried a few times.
const LONGEST: Duration = Duration::from_secs(150);
/// What the process's own memory may grow by, in kB, over any number of check-ins: two pages of the stack and two of the heap.
const SLACK_KB: u64 = 16;
/// Freed memory goes back into the heap at once. In the caches of the C library some 100 kB of it pile up in the first thousand
/// check-ins, and a leak could hide behind them. Other C libraries do not know the word.
const NO_CACHES: &str = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0";

/// What must not grow.
#[derive(Debug)]
struct Held {
    /// Heap, stack and what was written of the program's own data. Pages of code are not in it: those come in when their
    /// code is first run, and there are no more of them than the program has.
    anonymous_kb: u64,
    /// Pages of code and of constant data.
    mapped_kb: u64,
    descriptors: usize,
    threads: u64,
    children: usize,
    files: Vec<String>,
}

impl Held {
    fn of(engine: &Background, site: &Site) -> Held {
        let pid = engine.pid();
        let number = |key| number_of(pid, "status", key).expect("the engine is alive");
        let (anonymous_kb, mapped_kb, threads) = (number("RssAnon:"), number("RssFile:"), number("Threads:"));
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("the engine is alive").count();
        let mut files = site.gateway.root().tree("");
        // A lock or an account is there from its first use on.
        files.retain(|path| !path.starts_with("run/"));
        // Installs take an app's two folders in turns: in which of them the last one is says nothing.
        for path in &mut files {
            *path = path.replace("apps/good/a/", "apps/good/b/");
        }
        Held { anonymous_kb, mapped_kb, descriptors, threads, children: children_of(pid).len(), files }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Held { anonymous_kb, mapped_kb, descriptors, threads, files, .. } = self;
        let files = files.len();
        write!(f, "{anonymous_kb} kB its own, {mapped_kb} kB of files, {descriptors} descriptors, {threads} threads, {files} files")
    }
}

/// When the last check-in ended.
fn ended(site: &Site) -> Option<SystemTime> {
    fs::metadata(site.gateway.root().path("run/gwe/last_check_in.json")).and_then(|meta| meta.modified()).ok()
}

/// Has the engine check in now, and waits for the end of it.
#[track_caller]
fn hurry(engine: &mut Background, site: &Site, what: &str) {
    let (before, begun) = (ended(site), Instant::now());
    let mut asked = Instant::now() - LONGEST;
    while ended(site) == before {
        assert!(begun.elapsed() < LONGEST && engine.is_running(), "{what}: no end\n{}", tail(&engine.log()));
        // One that comes while a check-in runs is not heard.
        if asked.elapsed() > Duration::from_millis(50) {
            engine.signal(libc::SIGHUP);
            asked = Instant::now();
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// An order of some kind; the names are few, so that what is installed stays the same.
fn order(site: &Site, kind: usize) {
    match kind % ORDER_KINDS {
        0 | 1 => site.deploy("good.v1.tar.gz", &Tarball::app("echo well")),
        2 => site.deploy("fails.v1.tar.gz", &Tarball::app("echo ill; exit 3")),
        3 => site.deploy("daemon.v1.tar.gz", &Tarball::app("(setsid sleep 30 &); sleep 30 & exit 4")),
        4 => {
            site.murano.upload("damaged.v1.tar.gz", b"no tarball");
            site.order(&["damaged.v1.tar.gz"]);
        }
        _ => site.murano.write(SN, "engine_fetch", "{\"install\": nonsense"),
    }
}

/// What the engine is between two check-ins.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pause {
    /// A program of two kilobytes, as in the field: what could pile up is what goes through an exec, and files.
    Asleep,
    /// The engine itself, so that what it keeps in memory can be seen to stay what it is.
    Itself,
}

impl Pause {
    fn start(self, site: &Site, logs: &Scratch) -> Background {
        let mut command = site.gateway.command("gwe");
        match self {
            Pause::Asleep => Background::start(&mut command, logs, "gwe"),
            Pause::Itself => {
                Background::start(command.env("GWE_STAY", "1").env("GLIBC_TUNABLES", NO_CACHES), logs, "gwe")
            }
        }
    }

    /// What is held in a pause.
    fn held(self, engine: &Background, site: &Site) -> Held {
        match self {
            Pause::Asleep => wait_until("the engine sleeps", PATIENCE, || is_asleep(engine.pid())),
            Pause::Itself => {
                thread::sleep(Duration::from_millis(200));
                assert!(!is_asleep(engine.pid()), "GWE_STAY=1 is not heard");
            }
        }
        Held::of(engine, site)
    }
}

#[test]
#[ignore = "make test-long"]
fn nothing_grows_in_an_engine_that_stays_itself_however_the_server_fails() {
    nothing_grows(Pause::Itself);
}

#[test]
#[ignore = "make test-long"]
fn nothing_is_left_by_an_engine_that_sleeps_however_the_server_fails() {
    nothing_grows(Pause::Asleep);
}

fn nothing_grows(pause: Pause) {
    let count = std::env::var("ENDURANCE").ok().and_then(|n| n.parse().ok()).unwrap_or(SHORT);
    let mut site = Site::new();
    site.set("engine", "update_interval", "3600");
    site.set("engine", "log_level", "ERROR");
    let logs = Scratch::new();
    let mut engine = pause.start(&site, &logs);
    let mut chance = Chance::new(2026);
    wait_until("the first check-in", PATIENCE, || ended(&site).is_some());
    // Every order is carried out once, and every failure met once; then what is held is what may be held.
    for kind in 0..ORDER_KINDS {
        order(&site, kind);
        calm(&mut engine, &site);
    }
    for fault in FAULTS {
        site.murano.faults(&[fault]);
        hurry(&mut engine, &site, "warming up");
    }
    calm(&mut engine, &site);
    let before = pause.held(&engine, &site);
    println!("{pause:?}, before: {before}");
    for round in 0..count {
        let fault = FAULTS[chance.below(FAULTS.len())];
        if round % ORDERS == 0 {
            order(&site, chance.below(ORDER_KINDS));
        }
        site.murano.faults(&[fault]);
        hurry(&mut engine, &site, fault);
        let now = children_of(engine.pid()).len();
        assert!(now <= 1, "round {round}, {fault}: {now} children");
        if count > SHORT && (round + 1) % (count / 10).max(1) == 0 {
            println!("{pause:?}, after {}: {}", round + 1, pause.held(&engine, &site));
        }
    }
    calm(&mut engine, &site);
    let after = pause.held(&engine, &site);
    println!("{pause:?}, at the end: {after}");
    assert!(after.anonymous_kb <= before.anonymous_kb + SLACK_KB, "memory grows: {before}, then {after}");
    assert_eq!((after.descriptors, after.threads, after.children), (before.descriptors, 1, 0));
    let new: Vec<_> = after.files.iter().filter(|path| !before.files.contains(path)).collect();
    assert!(new.iter().all(|path| path.ends_with("/downloads/")), "files that were not there before: {new:?}");
    let account = fs::metadata(site.gateway.root().path("run/gwe/usage")).map_or(0, |meta| meta.len());
    assert!(account <= 4096, "the account of requests has {account} bytes");
    assert!(engine.stop().success());
}

/// What is pending comes to its end.
fn calm(engine: &mut Background, site: &Site) {
    site.murano.clear_faults();
    for _ in 0..30 {
        hurry(engine, site, "calm again");
        if !site.gateway.root().has("var/lib/gwe/install/journal.json") {
            break;
        }
    }
    hurry(engine, site, "calm again");
}
