//! Endurance: check-ins without number against a server that fails in every way, by seed, with installs good and bad among them. What
//! stays resident must not grow: neither memory nor descriptors, threads, processes or files.
//!
//! `make endurance N=10000` for long; a short run is part of the tests. The engine is hurried from one check-in to the next by SIGHUP, so
//! that ten thousand take minutes.

use gwe_tests::harness::{Background, Chance, Scratch, Site, Tarball, FAULTS, SN};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Check-ins in the short run.
const SHORT: u32 = 60;
/// An order comes with every so manyeth check-in.
const ORDERS: u32 = 20;
/// The longest check-in: a stall is noticed within a minute, and a download is tried a few times.
const LONGEST: Duration = Duration::from_secs(150);
/// What the allocator and the log may move resident memory by, in kB; a leak of a hundred bytes a check-in is ten times that.
const SLACK_KB: u64 = 100;

/// What must not grow.
#[derive(Debug)]
struct Held {
    rss_kb: u64,
    descriptors: usize,
    threads: u64,
    children: usize,
    files: Vec<String>,
}

impl Held {
    fn of(engine: &Background, site: &Site) -> Held {
        let pid = engine.pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the engine is alive");
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("Linux tells it");
            line.trim().trim_end_matches(" kB").parse().expect("a number")
        };
        let (rss_kb, threads) = (number("VmRSS:"), number("Threads:"));
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("the engine is alive").count();
        let mut files = site.gateway.root().tree("");
        // A lock or an account is there from its first use on.
        files.retain(|path| !path.starts_with("run/"));
        Held { rss_kb, descriptors, threads, children: children_of(pid), files }
    }
}

/// Zombies too.
fn children_of(pid: u32) -> usize {
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
    let parent = |path: &Path| {
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse::<u32>().ok()
    };
    processes.filter(|process| parent(&process.path()) == Some(pid)).count()
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
fn order(site: &Site, chance: &mut Chance) {
    match chance.below(6) {
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

#[test]
fn nothing_grows_however_often_and_however_the_server_fails() {
    let count = std::env::var("ENDURANCE").ok().and_then(|n| n.parse().ok()).unwrap_or(SHORT);
    let mut site = Site::new();
    site.set("engine", "update_interval", "3600");
    site.set("engine", "log_level", "ERROR");
    // It stays itself between check-ins: as another program it would have nothing that could grow.
    let logs = Scratch::new();
    let mut engine = Background::start(site.gateway.command("gwe").env("GWE_STAY", "1"), &logs, "gwe");
    let mut chance = Chance::new(2026);
    // All that is ever installed is installed once; then what is held is what may be held.
    site.install("good.v1.tar.gz", &Tarball::app("echo well"));
    for _ in 0..20 {
        hurry(&mut engine, &site, "warming up");
    }
    let before = Held::of(&engine, &site);
    for round in 0..count {
        let fault = FAULTS[chance.below(FAULTS.len())];
        if round % ORDERS == 0 {
            order(&site, &mut chance);
        }
        site.murano.faults(&[fault]);
        hurry(&mut engine, &site, fault);
        let now = children_of(engine.pid());
        assert!(now <= 1, "round {round}, {fault}: {now} children");
        if count > SHORT && (round + 1) % (count / 10).max(1) == 0 {
            let held = Held::of(&engine, &site);
            println!(
                "after {:6}: {} kB, {} descriptors, {} files",
                round + 1,
                held.rss_kb,
                held.descriptors,
                held.files.len()
            );
        }
    }
    site.murano.clear_faults();
    // What is pending comes to its end.
    for _ in 0..30 {
        hurry(&mut engine, &site, "calm again");
        if !site.gateway.root().has("var/lib/gwe/install/journal.json") {
            break;
        }
    }
    hurry(&mut engine, &site, "calm again");
    thread::sleep(Duration::from_millis(200));
    let after = Held::of(&engine, &site);
    println!(
        "{count} check-ins: resident memory {} kB, then {} kB; descriptors {}, then {}; threads {}, then {}; files {}, then {}",
        before.rss_kb, after.rss_kb, before.descriptors, after.descriptors, before.threads, after.threads, before.files.len(),
        after.files.len()
    );
    assert!(
        after.rss_kb <= before.rss_kb + SLACK_KB,
        "resident memory grows: {} kB, then {} kB",
        before.rss_kb,
        after.rss_kb
    );
    assert_eq!((after.descriptors, after.threads, after.children), (before.descriptors, 1, 0));
    let new: Vec<_> = after.files.iter().filter(|path| !before.files.contains(path)).collect();
    assert!(new.iter().all(|path| path.ends_with("/downloads/")), "files that were not there before: {new:?}");
    let account = fs::metadata(site.gateway.root().path("run/gwe/usage")).map_or(0, |meta| meta.len());
    assert!(account <= 64 * 1024 + 4096, "the account of requests has {account} bytes");
    assert!(engine.stop().success());
}
