//! An app that gives its values to the queue: each again and again until it is acknowledged, and the next one only then.

use gwe_tests::harness::{wait_until, Murano};
use gwe_tests::murano::client::{Client, Sent};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The device that the values are of.
const DEVICE: &str = "meter-1";
/// The time of the first value; they are a minute apart.
const BEGAN: u64 = 1_700_000_000;
/// So manyeth values are written, too.
const WRITES: u64 = 10;
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(50);
/// Until all that was asked for is acknowledged.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
struct Shared {
    /// How many values are to be given by now.
    wanted: AtomicU64,
    /// How many are acknowledged.
    acknowledged: AtomicU64,
    /// Tries that had no answer: the queue was not up.
    unanswered: AtomicU64,
    /// Answers that an app should never see.
    strange: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

/// The app; it ends when dropped.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What became of the values.
#[derive(Debug)]
pub struct Arrived {
    /// How many there were.
    pub values: u64,
    /// Of these, how many the platform has more than once.
    pub twice: usize,
}

impl Recorder {
    /// One for the queue that says in this file where it listens.
    pub fn start(port_file: PathBuf) -> Recorder {
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        let thread = thread::spawn(move || {
            while !of_thread.is_over.load(SeqCst) {
                let next = of_thread.acknowledged.load(SeqCst);
                if next < of_thread.wanted.load(SeqCst) && of_thread.give(next, &port_file) {
                    of_thread.acknowledged.store(next + 1, SeqCst);
                } else {
                    thread::sleep(Duration::from_millis(5));
                }
            }
        });
        Recorder { shared, thread: Some(thread) }
    }

    /// So many values more are to be given.
    pub fn records(&self, count: u64) {
        self.shared.wanted.fetch_add(count, SeqCst);
    }

    /// Waits until all of them are acknowledged; panics where the queue gave an answer that no app should see.
    #[track_caller]
    pub fn catches_up(&self) {
        wait_until("the values to be acknowledged", PATIENCE, || {
            self.shared.acknowledged.load(SeqCst) == self.shared.wanted.load(SeqCst)
        });
        let strange = self.shared.strange.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(strange.is_empty(), "the queue answered {strange:?}");
    }

    /// Tries so far that the queue did not answer.
    pub fn unanswered(&self) -> u64 {
        self.shared.unanswered.load(SeqCst)
    }

    /// What docs/gmq.md promises: all that was acknowledged is there, in order, and nothing that nobody sent; a lost reply may
    /// have led to the same value twice.
    #[track_caller]
    pub fn checks(&self, murano: &Murano) -> Arrived {
        let values = self.shared.acknowledged.load(SeqCst);
        let state = murano.state();
        let twice = [("reading", 1), ("beat", WRITES)].map(|(alias, step)| {
            let points = state["data"][DEVICE][alias].as_array().cloned().unwrap_or_default();
            judge(&points, values, step).unwrap_or_else(|why| panic!("{alias}: {why}"))
        });
        Arrived { values, twice: twice.iter().sum() }
    }
}

/// How many of the points came twice, where everything is as it should be: of `values` values every `step`th.
fn judge(points: &[Value], values: u64, step: u64) -> Result<usize, String> {
    let (mut seen, mut next, mut twice) = (BTreeSet::new(), 0, 0);
    for point in points {
        let number = point[1].as_str().and_then(|text| text.strip_prefix('n')?.parse::<u64>().ok());
        let n = number.ok_or_else(|| format!("nobody sent {point}"))?;
        if point[2] == "record" && step == 1 && point[0] != BEGAN + 60 * n {
            return Err(format!("{point} has another time"));
        }
        if !seen.insert(n) {
            twice += 1;
        } else if n != next {
            return Err(format!("{n} came where {next} was due"));
        } else {
            next += step;
        }
    }
    match values.next_multiple_of(step) {
        end if end == next => Ok(twice),
        end => Err(format!("the platform has them up to {next}, {end} were acknowledged")),
    }
}

#[test]
fn what_is_missing_or_strange_is_told() {
    let point = |n: u64| serde_json::json!([BEGAN + 60 * n, format!("n{n}"), "record"]);
    let judged = |numbers: &[u64]| judge(&numbers.iter().map(|n| point(*n)).collect::<Vec<_>>(), 3, 1);
    assert_eq!(judged(&[0, 1, 2]), Ok(0));
    assert_eq!(judged(&[0, 1, 0, 1, 2]), Ok(2));
    for bad in [&[0, 1][..], &[0, 2], &[1, 0, 2], &[], &[0, 1, 2, 3]] {
        assert!(judged(bad).is_err(), "{bad:?}");
    }
    for strange in [serde_json::json!([BEGAN, "x", "record"]), serde_json::json!([BEGAN + 1, "n0", "record"])] {
        assert!(judge(&[strange.clone(), point(1), point(2)], 3, 1).is_err(), "{strange}");
    }
}

impl Shared {
    /// Gives one value; whether it was acknowledged.
    fn give(&self, n: u64, port_file: &PathBuf) -> bool {
        let record = format!("{}=n{n}", BEGAN + 60 * n);
        self.post(port_file, "/onep:v1/stack/alias/reading", &record)
            && (!n.is_multiple_of(WRITES) || self.is_written(port_file, &format!("beat=n{n}")))
    }

    /// Until it is: the record before it is not given again.
    fn is_written(&self, port_file: &PathBuf, body: &str) -> bool {
        while !self.is_over.load(SeqCst) {
            if self.post(port_file, "/onep:v1/stack/alias", body) {
                return true;
            }
        }
        false
    }

    fn post(&self, port_file: &PathBuf, target: &str, body: &str) -> bool {
        let port = fs::read_to_string(port_file).unwrap_or_default();
        let headers = [("X-Exosite-VMS", format!("p p {DEVICE}"))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let client = Client::new(&format!("http://127.0.0.1:{}", port.trim()));
        match client.and_then(|client| client.send("POST", target, &headers, Sent::Bytes(body.as_bytes()))) {
            Ok(reply) if reply.status == 204 => return true,
            // Not accepted: try again later.
            Ok(reply) if reply.status == 503 => {}
            Ok(reply) => {
                let mut strange = self.strange.lock().unwrap_or_else(PoisonError::into_inner);
                strange.push(format!("{} {}", reply.status, reply.text()));
                strange.truncate(20);
            }
            Err(_) => {
                self.unanswered.fetch_add(1, SeqCst);
            }
        }
        thread::sleep(AGAIN);
        false
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
