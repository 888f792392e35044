//! The forwarding process: one errand from stdin, reports on stdout, then its end.

use std::path::Path;
use std::time::Duration;

use super::deliver::{DeliveryDesk, DeliveryStop, Parcel, Served};
use super::plan;
use super::upstream::PlatformRefusal;
use super::wire::{Batch, CourierReport, Errand};
use crate::queue::point::Point;
use crate::queue::stamp;
use crate::queue::store::reader::{ExtentReader, WaitingPoint};

/// Points held in memory while batches fill up, in bytes, at the most (and one segment more).
const MAX_HELD: usize = 512 * 1024;

/// The longest that a write takes, while an app waits for it.
pub const WRITE_LIMIT: Duration = Duration::from_secs(4);
/// A write that met a void CIK is done again with the new one if no more time than this has gone; else it is stored.
const WRITE_AGAIN_WITHIN: Duration = Duration::from_secs(1);

/// Does an errand. What goes wrong becomes a report.
pub fn run(errand: Errand, folder: &Path, desk: &mut DeliveryDesk<'_>) {
    match errand {
        Errand::Write(who, values) => {
            let mut device = Served::in_a_hurry(who, WRITE_AGAIN_WITHIN);
            match device.write(desk, &values) {
                Ok(None) => (desk.report)(CourierReport::Written),
                Ok(Some(why)) => (desk.report)(CourierReport::Refused(why)),
                Err(stop) => say(desk, device.id(), stop),
            }
        }
        Errand::Activate(who) => {
            let mut device = Served::new(who);
            if let Err(stop) = device.cik(desk) {
                say(desk, device.id(), stop);
            }
        }
        Errand::Time => match desk.upstream.timestamp() {
            Ok(unix) => (desk.report)(CourierReport::Time(Some(unix))),
            Err(PlatformRefusal::Link(why, after)) => (desk.report)(CourierReport::Link(why, after)),
            Err(_) => (desk.report)(CourierReport::Time(None)),
        },
        Errand::Batch(batch) => {
            // Over: the server has been told why.
            let _ = StorePass::new(batch).walk(folder, desk);
        }
    }
}

fn say(desk: &mut DeliveryDesk<'_>, id: u64, stop: DeliveryStop) {
    (desk.report)(match stop {
        DeliveryStop::Held(why, after) => CourierReport::Held(id, why, after),
        DeliveryStop::Link(why, after) => CourierReport::Link(why, after),
        DeliveryStop::Late => CourierReport::Late,
    });
}

/// One pass over the store for several devices.
struct StorePass {
    batch: Batch,
    lines: Vec<Line>,
}

/// One device's points, waiting to become a full upload.
struct Line {
    device: Served,
    from: u64,
    last: u64,
    held: Vec<Parcel>,
    is_stopped: bool,
}

/// The platform is out of reach: the pass is over.
struct Over;

impl StorePass {
    fn new(mut batch: Batch) -> StorePass {
        let shares = std::mem::take(&mut batch.shares);
        let line = |share: super::wire::Share| Line {
            device: Served::new(share.who),
            from: share.from,
            last: share.last,
            held: Vec::new(),
            is_stopped: false,
        };
        StorePass { batch, lines: shares.into_iter().map(line).collect() }
    }

    fn walk(&mut self, folder: &Path, desk: &mut DeliveryDesk<'_>) -> Result<(), Over> {
        for line in &mut self.lines {
            let activated = line.device.cik(desk).map(|_| ());
            line.note(desk, activated)?;
        }
        let mut reader = match ExtentReader::new(folder, self.batch.extent) {
            Ok(reader) => reader,
            Err(e) => {
                (desk.report)(CourierReport::Link(e.to_string(), None));
                return Err(Over);
            }
        };
        let boots = std::mem::take(&mut self.batch.boots);
        let now = desk.now;
        loop {
            let waits = |id: u64, sequence: u64| self.lines.iter().any(|line| line.waits(id, sequence));
            let mut found: Vec<WaitingPoint> = Vec::new();
            let Some(read) = reader.next_segment(&waits, &mut |waiting| found.push(waiting)) else { break };
            if read.lost > 0 {
                (desk.report)(CourierReport::Damaged(read.number, read.lost));
            }
            for WaitingPoint { identity, sequence, point } in found {
                let Some(line) = self.lines.iter_mut().find(|line| line.device.id() == identity) else { continue };
                // The server places every boot that it knows of before; what is left is what damage took.
                let time = stamp::unix(point.time, &boots).unwrap_or(now);
                let Point { alias, value, .. } = point;
                line.held.push(Parcel { sequence, alias, time, value });
            }
            self.send_full(desk)?;
        }
        for line in &mut self.lines {
            line.send(desk, self.batch.quantity, 1)?;
            if !line.is_stopped {
                (desk.report)(CourierReport::End(line.device.id()));
            }
        }
        Ok(())
    }

    /// Sends the uploads that are full, and everything where too much is held.
    fn send_full(&mut self, desk: &mut DeliveryDesk<'_>) -> Result<(), Over> {
        for line in &mut self.lines {
            line.send(desk, self.batch.quantity, self.batch.quantity)?;
        }
        let held: usize =
            self.lines.iter().flat_map(|line| &line.held).map(|p| p.alias.len() + p.value.len() + 100).sum();
        if held > MAX_HELD {
            for line in &mut self.lines {
                line.send(desk, self.batch.quantity, 1)?;
            }
        }
        Ok(())
    }
}

impl Line {
    fn waits(&self, id: u64, sequence: u64) -> bool {
        !self.is_stopped && self.device.id() == id && (self.from..=self.last).contains(&sequence)
    }

    /// Sends what is held, upload by upload, as long as there are `at_least` so many points or bytes enough for one.
    fn send(&mut self, desk: &mut DeliveryDesk<'_>, quantity: usize, at_least: usize) -> Result<(), Over> {
        let mut sent = 0;
        while !self.is_stopped {
            let rest = self.held.get(sent..).unwrap_or_default();
            let count = plan::upload(rest.iter().map(|p| (p.alias.as_str(), p.value.as_str())), quantity);
            // One that is not full for its number is full for its bytes if another point was left out.
            let is_full = count >= at_least || count < rest.len();
            if count == 0 || !is_full {
                break;
            }
            let result = self.device.record(desk, rest.get(..count).unwrap_or_default());
            sent += count;
            self.note(desk, result)?;
        }
        if self.is_stopped {
            self.held = Vec::new();
        } else {
            self.held.drain(..sent);
        }
        Ok(())
    }

    /// Stops this line, or the pass, where that is what came of it.
    fn note(&mut self, desk: &mut DeliveryDesk<'_>, result: Result<(), DeliveryStop>) -> Result<(), Over> {
        let Err(stop) = result else { return Ok(()) };
        let is_over = matches!(stop, DeliveryStop::Link(..));
        say(desk, self.device.id(), stop);
        self.is_stopped = true;
        if is_over {
            Err(Over)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
