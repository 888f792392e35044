//! `make hawkbit-load`: a fleet of simulated gateways against a real hawkBit. Each is the agent's own check-in with hawkBit and the agent's own
//! schedule, in a process of many; its books alone are simulated ([`books`]): what is ordered is downloaded, not installed, and ends well.
//!
//!     bench-hawkbit register URL TOKEN FOLDER GATEWAYS          each registers by its first poll
//!     bench-hawkbit steady   URL TOKEN FOLDER GATEWAYS SECONDS  each polls when the server said, for so long
//!     bench-hawkbit flat-out URL TOKEN FOLDER GATEWAYS SECONDS  as fast as they are answered
//!     bench-hawkbit orders   URL TOKEN FOLDER GATEWAYS          each checks in until it has had an order, told its end, and its attributes
//!
//! It prints one line of JSON; `tests/hawkbit/load.py` runs it and looks at the server meanwhile.

mod books;

use books::Books;
use gwe::config::{Config, Paths, Setting, Which};
use gwe::ddi::HawkBit;
use gwe::engine::schedule;
use gwe::orders::Backend;
use gwe_tests::harness::Chance;
use serde_json::json;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Requests under way at once.
const WORKERS: usize = 16;
/// Check-ins of one gateway until it has had its order, and then some.
const MOST_CHECK_INS: u32 = 20;
const A_SECOND: Duration = Duration::from_secs(1);

/// What one worker saw.
#[derive(Default)]
struct Seen {
    check_ins: Vec<Duration>,
    failed: usize,
    why: Option<String>,
    late: Duration,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, url, token, folder, gateways, rest @ ..] = &arguments[..] else {
        panic!("see the first lines of main.rs")
    };
    let count: usize = gateways.parse().expect("a number of gateways");
    let limit = Duration::from_secs(rest.first().map_or(u64::MAX / 4, |text| text.parse().expect("seconds")));
    let fleet: Vec<PathBuf> = (0..count).map(|index| configured(Path::new(folder), index, url, token)).collect();
    let begun = Instant::now();
    let seen = match kind.as_str() {
        "register" => each(&fleet, limit, 1),
        "orders" => each(&fleet, limit, MOST_CHECK_INS),
        "flat-out" => each(&fleet, limit, u32::MAX),
        "steady" => steady(&fleet, limit),
        _ => panic!("{kind} is none"),
    };
    report(kind, begun.elapsed(), seen);
}

/// A gateway's folder with its settings.
fn configured(folder: &Path, index: usize, url: &str, token: &str) -> PathBuf {
    let root = folder.join(format!("load-{index:06}"));
    if !root.exists() {
        let mut config = Config::load(Paths::new(&root));
        let id = format!("load-{index:06}");
        let settings = [("url", url), ("token", token), ("token_kind", "gateway"), ("id", &id)];
        let settings = settings.map(|(key, value)| Setting { which: Which::Gateway, key, value: value.to_string() });
        config.set_all(&settings).expect("the folder takes settings");
        config.set(Which::Engine, "backend", "ddi").expect("the folder takes settings");
    }
    root
}

/// One check-in of a gateway, as the engine has it; whether it is through with its order.
fn check_in(root: &Path, seen: &mut Seen) -> bool {
    let config = Config::load(Paths::new(root));
    let source = HawkBit::new(&config).expect("the settings work");
    let mut books = Books::of(root);
    let begun = Instant::now();
    let done = source.check_in(&mut books).and_then(|()| books.work(&source));
    seen.check_ins.push(begun.elapsed());
    if let Err(error) = done {
        seen.failed += 1;
        seen.why = Some(error.to_string());
    }
    books.is_through()
}

/// Each gateway in turn, up to so many check-ins or until its order is through; as many at once as there are workers.
fn each(fleet: &[PathBuf], limit: Duration, most: u32) -> Vec<Seen> {
    let begun = Instant::now();
    let next = Mutex::new((0..fleet.len()).cycle().take(if most == u32::MAX { usize::MAX } else { fleet.len() }));
    let take = || next.lock().expect("no worker panics").next();
    workers(|seen| {
        while let Some(index) = take().filter(|_| begun.elapsed() < limit) {
            let rounds = if most == u32::MAX { 1 } else { most };
            // An order may show a little later than its roll-out begins.
            for round in 0..rounds {
                if check_in(&fleet[index], seen) {
                    break;
                }
                if round + 1 < rounds {
                    thread::sleep(A_SECOND / 4);
                }
            }
        }
    })
}

/// Each gateway when its turn comes: the first check-in anywhere within an interval, the next as the agent's schedule has it.
fn steady(fleet: &[PathBuf], limit: Duration) -> Vec<Seen> {
    let begun = Instant::now();
    let mut chance = Chance::new(2026);
    let interval = |root: &Path| Config::load(Paths::new(root)).check_in_interval();
    let first = |index: usize, chance: &mut Chance| {
        let ms = usize::try_from(interval(&fleet[index]).as_millis()).expect("an interval of less than an age");
        Duration::from_millis(chance.below(ms) as u64)
    };
    let queue: BinaryHeap<_> = (0..fleet.len()).map(|index| Reverse((first(index, &mut chance), index, 0))).collect();
    let queue = Mutex::new(queue);
    workers(|seen| {
        let mut chance = Chance::new(begun.elapsed().as_nanos() as u64);
        loop {
            let Some(Reverse((due, index, failures))) = queue.lock().expect("no worker panics").pop() else { return };
            if due >= limit {
                return;
            }
            thread::sleep(due.saturating_sub(begun.elapsed()));
            seen.late = seen.late.max(begun.elapsed().saturating_sub(due));
            let failed = seen.failed;
            check_in(&fleet[index], seen);
            let interval = interval(&fleet[index]);
            let failures = if seen.failed > failed { failures + 1 } else { 0 };
            let wait = match failures {
                0 => interval,
                more => schedule::after_failure(more, interval, chance.below(usize::MAX) as u64),
            };
            queue.lock().expect("no worker panics").push(Reverse((begun.elapsed() + wait, index, failures)));
        }
    })
}

fn workers(work: impl Fn(&mut Seen) + Sync) -> Vec<Seen> {
    thread::scope(|scope| {
        let work = &work;
        let all: Vec<_> = (0..WORKERS)
            .map(|_| {
                scope.spawn(move || {
                    let mut seen = Seen::default();
                    work(&mut seen);
                    seen
                })
            })
            .collect();
        all.into_iter().map(|worker| worker.join().expect("no worker panics")).collect()
    })
}

fn report(kind: &str, took: Duration, seen: Vec<Seen>) {
    let failed: usize = seen.iter().map(|seen| seen.failed).sum();
    let late = seen.iter().map(|seen| seen.late).max().unwrap_or_default();
    let why = seen.iter().find_map(|seen| seen.why.clone());
    let mut times: Vec<Duration> = seen.into_iter().flat_map(|seen| seen.check_ins).collect();
    times.sort_unstable();
    let at =
        |share: usize| times.get((times.len().saturating_sub(1)) * share / 100).map(|time| time.as_secs_f64() * 1000.0);
    let line = json!({
        "kind": kind, "seconds": took.as_secs_f64(), "check_ins": times.len(), "failed": failed, "why": why,
        "median_ms": at(50), "p99_ms": at(99), "late_ms": late.as_millis() as u64,
    });
    println!("{line}");
}
