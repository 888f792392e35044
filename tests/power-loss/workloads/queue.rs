//! gmq with apps that record and write through outages, kills and restarts. Acknowledged is what was answered with 204.
//!
//! Each point is a number of its own. Before the cut it may have reached the platform; if not, it must be on the disk, and reach
//! the platform now, once, in its device's order. Nothing else may reach it.

use crate::gateway::{lay_out, Arrived, Platform, Queue};
use crate::trouble::Outcome;
use crate::witness::{Fact, Witness};
use crate::workload::{Checker, CrashState, Finding, Workload};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// The device that records, and the one that writes.
const RECORDER: &str = "recorder";
const WRITER: &str = "writer";
/// The one that the platform refuses.
const STUCK: &str = "stuck";

/// The workload.
pub struct QueueWork;

impl Workload for QueueWork {
    fn name(&self) -> &'static str {
        "queue"
    }

    fn prepare(&self, root: &Path, _notes: &Path) -> Outcome<()> {
        lay_out(root)
    }

    fn work(&self, root: &Path, _notes: &Path, witness: &Witness) -> Outcome<()> {
        let platform = Platform::start(Some(witness.clone()))?;
        let mut app = App { witness, next: 1 };
        let mut queue = Queue::start(root, &platform.url())?;
        // A good link: writes cost no flash, records are forwarded while more come.
        app.mix(&queue, 40)?;
        // An outage, killed and started again in it.
        platform.set_down(true);
        app.mix(&queue, 60)?;
        queue.kill();
        queue = Queue::start(root, &platform.url())?;
        app.bursts(&queue, 40)?;
        // Back: segments are forwarded and removed while others are written.
        platform.set_down(false);
        app.mix(&queue, 40)?;
        if !queue.drains_within(DRAIN_LIMIT, 0)? {
            return Err(format!("the queue does not drain: {}", queue.log()));
        }
        // A device that the platform refuses has a point in each segment: the store gets full, and moves them together.
        platform.refuse(STUCK);
        for turn in 1..=16 {
            app.record(&queue, STUCK, 1)?;
            app.bursts(&queue, 12)?;
            if !queue.drains_within(DRAIN_LIMIT, turn)? {
                return Err(format!("the queue does not drain beside a refused device: {}", queue.log()));
            }
        }
        // New devices, one after the other, with the link going up and down.
        for turn in 0..6 {
            platform.set_down(turn % 2 == 0);
            let device = ["da", "db", "dc", "dd", "de", "df"][turn];
            app.record(&queue, device, 1)?;
            app.mix(&queue, 10)?;
        }
        // And an outage again, so that there is something to lose at the end.
        platform.set_down(true);
        app.bursts(&queue, 30)?;
        app.mix(&queue, 60)?;
        queue.kill();
        Ok(())
    }

    fn checker(&self, _notes: &Path) -> Outcome<Box<dyn Checker>> {
        Ok(Box::new(Drain))
    }
}

/// An app that counts.
struct App<'a> {
    witness: &'a Witness,
    next: u64,
}

impl App<'_> {
    /// Lone records and writes in turns.
    fn mix(&mut self, queue: &Queue, rounds: u64) -> Outcome<()> {
        for round in 0..rounds {
            match round % 3 {
                0 => self.write(queue)?,
                _ => self.record(queue, RECORDER, 1)?,
            }
        }
        Ok(())
    }

    /// Many points in a request.
    fn bursts(&mut self, queue: &Queue, rounds: u64) -> Outcome<()> {
        (0..rounds).try_for_each(|_| self.record(queue, RECORDER, 120))
    }

    fn record(&mut self, queue: &Queue, device: &str, points: u64) -> Outcome<()> {
        let body = |first: u64| {
            let point = |n: u64| format!("{}={}", 1_700_000_000 + n, value(n));
            (first..first + points).map(point).collect::<Vec<_>>().join("&")
        };
        self.send(points, |first| queue.post(device, "/onep:v1/stack/alias/n", &body(first)))
    }

    fn write(&mut self, queue: &Queue) -> Outcome<()> {
        self.send(1, |first| queue.post(WRITER, "/onep:v1/stack/alias", &format!("w={}", value(first))))
    }

    fn send(&mut self, count: u64, request: impl FnOnce(u64) -> Outcome<()>) -> Outcome<()> {
        let first = self.next;
        self.next += count;
        self.witness.note(format!("began {first} {count}"));
        request(first)?;
        self.witness.note(format!("acknowledged {first} {count}"));
        Ok(())
    }
}

/// Some hundred bytes that tell their number and whether they are whole.
fn value(number: u64) -> String {
    format!("{number}.{}.end", "v".repeat(90))
}

/// The numbers of all facts that begin with a word.
fn numbers(past: &[Fact], word: &str) -> BTreeSet<u64> {
    let range = |fact: &Fact| {
        let mut words = fact.text.strip_prefix(word)?.split_whitespace().map(|n| n.parse::<u64>().ok());
        let first = words.next()??;
        Some(first..first + words.next().flatten().unwrap_or(1))
    };
    past.iter().filter_map(range).flatten().collect()
}

/// Starts gmq on what is left, and looks at what reaches the platform.
struct Drain;

impl Checker for Drain {
    fn check(&mut self, state: &CrashState) -> Outcome<Finding> {
        let platform = Platform::start(None)?;
        let queue = match Queue::start(state.root, &platform.url()) {
            Ok(queue) => queue,
            Err(why) => return Ok(Finding::DoesNotStart(why)),
        };
        if !queue.drains_within(DRAIN_LIMIT, 0)? {
            return Ok(Finding::DoesNotStart(format!("it does not drain: {}", queue.log())));
        }
        let log = queue.log();
        queue.kill();
        let arrived = platform.arrived();
        let finding = judge(state.past, &arrived);
        Ok(if finding == Finding::Sound { finding } else { with_log(finding, &log) })
    }
}

fn with_log(finding: Finding, log: &str) -> Finding {
    match finding {
        Finding::Lost(what) => Finding::Lost(format!("{what}\n{log}")),
        Finding::Third(what) => Finding::Third(format!("{what}\n{log}")),
        other => other,
    }
}

fn judge(past: &[Fact], arrived: &[Arrived]) -> Finding {
    let (began, acknowledged) = (numbers(past, "began "), numbers(past, "acknowledged "));
    let before = numbers(past, "arrived ");
    let now: BTreeSet<u64> = arrived.iter().map(|a| a.number).collect();
    let lost: Vec<&u64> = acknowledged.iter().filter(|n| !before.contains(n) && !now.contains(n)).collect();
    if !lost.is_empty() {
        return Finding::Lost(format!(
            "{} of {} acknowledged points, from {:?} on",
            lost.len(),
            acknowledged.len(),
            lost[0]
        ));
    }
    if let Some(invented) = now.iter().find(|n| !began.contains(n)) {
        return Finding::Third(format!("{invented} arrived, which nobody had sent"));
    }
    for device in arrived.iter().map(|a| &a.serial).collect::<BTreeSet<_>>() {
        let of_it: Vec<u64> = arrived.iter().filter(|a| a.serial == *device).map(|a| a.number).collect();
        if let Some(pair) = of_it.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Finding::Third(format!("of {device}, {} arrived behind {}", pair[1], pair[0]));
        }
    }
    Finding::Sound
}

#[cfg(test)]
mod tests {
    use super::{judge, Arrived, Fact, Finding};

    fn judged(facts: &[&str], arrived: &[u64]) -> Finding {
        let facts: Vec<Fact> = facts.iter().map(|text| Fact { at: 0, text: text.to_string() }).collect();
        let arrived: Vec<Arrived> =
            arrived.iter().map(|number| Arrived { serial: "a".to_string(), number: *number }).collect();
        judge(&facts, &arrived)
    }

    #[test]
    fn what_is_gone_invented_or_out_of_order_is_seen() {
        let past = ["began 1 3", "acknowledged 1 3", "arrived 1", "began 4 2"];
        assert_eq!(judged(&past, &[2, 3]), Finding::Sound);
        assert_eq!(judged(&past, &[1, 2, 3, 4]), Finding::Sound);
        assert!(matches!(judged(&past, &[3]), Finding::Lost(_)));
        assert!(matches!(judged(&past, &[2, 3, 6]), Finding::Third(_)));
        assert!(matches!(judged(&past, &[3, 2]), Finding::Third(_)));
        assert!(matches!(judged(&past, &[2, 2, 3]), Finding::Third(_)));
    }
}
