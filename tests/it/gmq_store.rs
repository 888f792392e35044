//! gmq's store from outside: killed at random, damaged at random, full, on a disk that is full or read-only (docs/spec/failures.md, row 9:
//! persist-queue#180, a store that a cut left unreadable; rsyslog#5771, a bad record that stops the queue; lavinmq#1862, a torn tail).

use gwe_tests::harness::{run, wait_until, Gmq, Murano};
use gwe_tests::skip;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LIMIT: Duration = Duration::from_secs(60);

/// Numbers that differ from run to run; the seed is printed, so that a failure can be looked into.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
        eprintln!("seed {seed}");
        Random(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// An app that records numbers one after the other until it is stopped: those that were acknowledged, and how many were sent.
fn app(url: String, first: u64, stop: Arc<AtomicBool>) -> thread::JoinHandle<(Vec<u64>, u64)> {
    thread::spawn(move || {
        let client = gwe_tests::murano::client::Client::new(&url).unwrap();
        let (mut acknowledged, mut next) = (Vec::new(), first);
        while !stop.load(Ordering::Relaxed) {
            let body = format!("{}={next}", 1_700_000_000 + next);
            let sent = gwe_tests::murano::client::Sent::Bytes(body.as_bytes());
            let headers = [("X-Exosite-VMS", "p p 1")];
            let reply = client.send("POST", "/onep:v1/stack/alias/n", &headers, sent);
            next += 1;
            match reply {
                Ok(reply) if reply.status == 204 => acknowledged.push(next - 1),
                Ok(reply) => panic!("{} {}", reply.status, reply.text()),
                Err(_) => break,
            }
        }
        (acknowledged, next)
    })
}

fn numbers(murano: &Murano) -> Vec<u64> {
    murano.history("1", "n").iter().map(|value| value.parse().expect("nothing invented")).collect()
}

/// Runs an app beside gmq, and kills gmq after a random time, again and again. What was acknowledged, and the first number
/// never sent.
fn kill_again_and_again(gmq: &mut Gmq, rounds: usize) -> (Vec<u64>, u64) {
    let mut random = Random::new();
    let (mut acknowledged, mut next) = (Vec::new(), 0);
    for _ in 0..rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let app = app(gmq.url(), next, stop.clone());
        thread::sleep(Duration::from_millis(random.below(400) as u64));
        gmq.kill();
        stop.store(true, Ordering::Relaxed);
        let (more, behind) = app.join().unwrap();
        acknowledged.extend(more);
        next = behind;
        gmq.run();
    }
    (acknowledged, next)
}

#[test]
fn killed_at_random_in_an_outage_nothing_acknowledged_is_lost_or_doubled() {
    let murano = Murano::start();
    let mut gmq = Gmq::start(&murano.url());
    murano.faults(&["any:refuse"]);
    let (acknowledged, next) = kill_again_and_again(&mut gmq, 25);
    murano.clear_faults();
    gmq.drained(LIMIT);
    let found = numbers(&murano);
    assert!(found.windows(2).all(|w| w[0] < w[1]), "in order, once");
    assert!(found.iter().all(|n| *n < next));
    let missing: Vec<_> = acknowledged.iter().filter(|n| found.binary_search(n).is_err()).collect();
    assert!(missing.is_empty() && acknowledged.len() > 100, "{missing:?} of {}", acknowledged.len());
    assert_eq!(gmq.count("damaged"), 0);
}

#[test]
fn killed_at_random_while_forwarding_nothing_is_lost_and_order_is_kept() {
    let murano = Murano::start();
    let mut gmq = Gmq::with(&murano.url(), "[unq]\nbatch_record_period = 0.05\nbatch_qty = 20\n");
    let (acknowledged, _) = kill_again_and_again(&mut gmq, 25);
    gmq.drained(LIMIT);
    let found = numbers(&murano);
    // What was sent and not yet noted is sent again: the first time of each counts.
    let mut firsts: Vec<u64> = Vec::new();
    for n in &found {
        if !firsts.contains(n) {
            firsts.push(*n);
        }
    }
    assert!(firsts.windows(2).all(|w| w[0] < w[1]), "in order");
    let missing: Vec<_> = acknowledged.iter().filter(|n| firsts.binary_search(n).is_err()).collect();
    assert!(missing.is_empty(), "{missing:?} of {}", acknowledged.len());
}

fn segments(gmq: &Gmq) -> Vec<PathBuf> {
    let folder = gmq.gateway().root().path("var/lib/gwe/queue");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "seg")).collect();
    found.sort();
    found
}

#[test]
fn damage_anywhere_is_skipped_counted_and_never_becomes_data() {
    let mut random = Random::new();
    let murano = Murano::start();
    for round in 0..12 {
        murano.faults(&["any:refuse"]);
        let sn = format!("d{round}");
        let mut gmq = Gmq::start(&murano.url());
        for n in 0..60 {
            let points: Vec<String> =
                (n * 100..n * 100 + 100).map(|n| format!("{}=value-{n}", 1_700_000_000 + n)).collect();
            assert_eq!(gmq.record(&sn, "n", &points.join("&")), 204);
        }
        gmq.stop();
        let files = segments(&gmq);
        for _ in 0..1 + random.below(3) {
            let path = &files[random.below(files.len())];
            let mut bytes = fs::read(path).unwrap();
            let at = random.below(bytes.len());
            let end = (at + 1 + random.below(600)).min(bytes.len());
            match random.below(4) {
                0 => bytes[at..end].fill(0),
                1 => bytes[at..end].iter_mut().for_each(|b| *b = b.wrapping_add(77)),
                2 => bytes[at] ^= 1 << random.below(8),
                _ => bytes.truncate(at),
            }
            fs::write(path, bytes).unwrap();
        }
        if round % 4 == 3 {
            let path = gmq.gateway().root().path("var/lib/gwe/queue/identities");
            fs::write(path, [0; 50]).unwrap();
        }
        murano.clear_faults();
        gmq.run();
        // A lost identity is known again as soon as an app names it.
        assert_eq!(gmq.write(&sn, "alive=1"), 204);
        gmq.drained(LIMIT);
        let found = murano.history(&sn, "n");
        let numbers: Vec<usize> = found.iter().map(|v| v.strip_prefix("value-").unwrap().parse().unwrap()).collect();
        assert!(
            numbers.windows(2).all(|w| w[0] < w[1]) && numbers.iter().all(|n| *n < 6000),
            "in order, once, not invented"
        );
        let is_prefix = numbers == (0..numbers.len()).collect::<Vec<_>>();
        let damaged = gmq.count("damaged");
        assert!(numbers.len() == 6000 || damaged > 0 || is_prefix, "{} lost, none counted", 6000 - numbers.len());
        assert!(gmq.server().is_running());
    }
}

#[test]
fn a_full_queue_refuses_with_a_reason_and_takes_again() {
    let murano = Murano::start();
    let cfg = "[unq]\nbatch_record_period = 0.2\n[db]\nmax_bytes = 1048576\n";
    let gmq = Gmq::with(&murano.url(), cfg);
    assert_eq!(gmq.write("1", "a=1"), 204);
    murano.faults(&["any:refuse"]);
    let value = "v".repeat(1000);
    let mut taken = 0;
    let refusal = loop {
        let body = format!("{}={taken}{value}", 1_700_000_000 + taken);
        let reply = gmq.post("/onep:v1/stack/alias/n", &[("X-Exosite-VMS", "p p 1")], &body);
        if reply.status != 204 {
            break reply;
        }
        taken += 1;
        assert!(taken < 5000);
    };
    assert!(
        refusal.status == 503 && refusal.text().contains("the queue is full: max_bytes = 1048576"),
        "{}",
        refusal.text()
    );
    assert!(taken > 400 && gmq.count("bytes") <= 1_048_576);
    assert_eq!((gmq.count("queued"), gmq.count("refused")), (taken, 1));
    murano.clear_faults();
    gmq.drained(LIMIT);
    assert_eq!(gmq.record("1", "n", "1700009999=last"), 204);
    gmq.drained(LIMIT);
    assert_eq!(murano.history("1", "n").len() as u64, taken + 1);
}

#[test]
fn a_full_queue_drops_its_oldest_where_told_so_and_counts_it() {
    let murano = Murano::start();
    let cfg = "[unq]\nbatch_record_period = 0.2\n[db]\nmax_bytes = 1048576\nwhen_full = drop_oldest\n";
    let gmq = Gmq::with(&murano.url(), cfg);
    assert_eq!(gmq.write("1", "a=1"), 204);
    murano.faults(&["any:refuse"]);
    let value = "v".repeat(1000);
    for n in 0..2000 {
        assert_eq!(gmq.record("1", "n", &format!("{}={n}.{value}", 1_700_000_000 + n)), 204);
    }
    let status = gmq.status();
    let dropped = status["dropped"].as_u64().unwrap();
    assert!(dropped > 500 && status["bytes"].as_u64().unwrap() <= 1_048_576, "{status}");
    murano.clear_faults();
    gmq.drained(LIMIT);
    let found: Vec<u64> =
        murano.history("1", "n").iter().map(|v| v.split('.').next().unwrap().parse().unwrap()).collect();
    assert_eq!(found, (dropped..2000).collect::<Vec<_>>());
}

/// A small tmpfs on the gateway's state folder; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, size: &str) -> Option<SmallDisk> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={size}");
        let ran = run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(at), LIMIT);
        (ran.code == Some(0)).then(|| SmallDisk(at.to_path_buf()))
    }

    fn remount(&self, option: &str) {
        run(Command::new("mount").args(["-o", &format!("remount,{option}")]).arg(&self.0), LIMIT).ok();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(&self.0), LIMIT);
    }
}

#[test]
fn a_disk_that_is_full_is_a_reason_and_ends_without_a_restart() {
    let murano = Murano::start();
    let mut gmq = Gmq::not_running(&murano.url(), "[unq]\nbatch_record_period = 0.2\n");
    let state = gmq.gateway().root().path("var/lib/gwe");
    let Some(disk) = SmallDisk::mount(&state, "1200k") else { skip!("needs root, to mount a small disk") };
    gmq.run();
    assert_eq!(gmq.write("1", "a=1"), 204);
    murano.faults(&["any:refuse"]);
    let value = "v".repeat(1000);
    let mut taken = 0;
    let mut put = |gmq: &Gmq| {
        let body = format!("{}={taken}{value}", 1_700_000_000 + taken);
        let reply = gmq.post("/onep:v1/stack/alias/n", &[("X-Exosite-VMS", "p p 1")], &body);
        taken += u64::from(reply.status == 204);
        (reply.status, reply.text())
    };
    let (status, why) = loop {
        let (status, why) = put(&gmq);
        if status != 204 {
            break (status, why);
        }
    };
    assert!(status == 503 && why.contains("No space left"), "{status} {why}");
    let leftovers = fs::read_dir(state.join("queue"))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().ends_with(".new"));
    assert_eq!(leftovers.count(), 0, "a full disk keeps no partials");
    // A new device cannot be written down either, on a disk that something else has filled.
    let filler = state.join("filler");
    let _ = fs::write(&filler, vec![1; 2_000_000]);
    let new = gmq.post("/onep:v1/stack/alias/n", &[("X-Exosite-VMS", "p p 2")], "1700000000=x");
    assert_eq!(new.status, 503, "{}", new.text());
    fs::remove_file(&filler).unwrap();
    disk.remount("size=4m");
    assert_eq!(put(&gmq).0, 204, "no restart is needed");
    assert_eq!(put(&gmq).0, 204);
    murano.clear_faults();
    gmq.drained(LIMIT);
    wait_until("all of it arrives", LIMIT, || murano.history("1", "n").len() as u64 == taken);
    gmq.stop();
}

#[test]
fn a_read_only_disk_still_lets_what_is_queued_and_what_is_written_through() {
    let murano = Murano::start();
    let mut gmq = Gmq::not_running(&murano.url(), "[unq]\nbatch_record_period = 0.2\n");
    let state = gmq.gateway().root().path("var/lib/gwe");
    let Some(disk) = SmallDisk::mount(&state, "4m") else { skip!("needs root, to mount a small disk") };
    gmq.run();
    assert_eq!(gmq.write("1", "a=1"), 204);
    murano.faults(&["any:refuse"]);
    assert_eq!(gmq.record("1", "n", "1700000000=queued"), 204);
    gmq.kill();
    disk.remount("ro");
    gmq.run();
    let refused = gmq.post("/onep:v1/stack/alias/n", &[("X-Exosite-VMS", "p p 1")], "1700000001=x");
    assert!(refused.status == 503 && refused.text().contains("Read-only"), "{} {}", refused.status, refused.text());
    murano.clear_faults();
    wait_until("what is queued arrives", LIMIT, || murano.history("1", "n") == ["queued"]);
    gmq.drained(LIMIT);
    assert_eq!(gmq.write("1", "b=1"), 204, "a write that goes at once needs no disk");
    gmq.stop();
}

#[test]
fn a_store_that_cannot_be_made_leaves_writes_working() {
    let murano = Murano::start();
    let mut gmq = Gmq::not_running(&murano.url(), "");
    gmq.gateway().root().write("var/lib/gwe/queue", "a file where the folder should be");
    gmq.run();
    let reply = gmq.post("/onep:v1/stack/alias/n", &[("X-Exosite-VMS", "p p 1")], "1700000000=x");
    assert_eq!(reply.status, 503, "{}", reply.text());
    let status = gmq.gmq(&["status"]);
    assert!(status.code.is_some(), "{}", status.report());
    fs::remove_file(gmq.gateway().root().path("var/lib/gwe/queue")).unwrap();
    assert_eq!(gmq.write("1", "a=1"), 204);
}
