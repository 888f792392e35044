//! Moving the waiting points of several segments together into one, so that a few points that cannot go yet (a device that is
//! not enabled on the platform) do not keep segments full of forwarded ones.
//!
//! The new segment takes the place and the number of the last of them by one rename, and names the first. If the power goes
//! before the others are removed, the next start finds them named, and removes them. A reader that is under way meets each
//! record at its old place or, later in its way, at the new one.

use std::path::Path;

use super::load::Segment;
use super::scan::{Scan, Scanned};
use super::segment::{self, SegmentHeader, END, START};
use super::state::StoreState;
use crate::sys::file::FileError;

/// Segments looked at for one new one, at the most: what one call may cost in time.
const MAX_INPUTS: usize = 16;

/// Segments whose waiting records fit into one.
#[derive(Debug)]
pub struct Compaction {
    /// The index of the first of them.
    pub from: usize,
    /// The index behind the last.
    pub to: usize,
    /// The first waiting record's sequence number.
    pub first: u64,
    /// The waiting records, as they are in the log.
    pub records: Vec<u8>,
    /// Damaged records met in them: segment, records.
    pub damage: Vec<(u32, u32)>,
}

/// Finds the first place among `segments` where at least two become one; `None`: nothing can be gained. The segment numbered
/// `fixed`, where a reader's way ends, is not touched, and nothing is moved past it.
#[must_use]
pub fn plan(folder: &Path, segments: &[Segment], fixed: u32, salt: u64, state: &StoreState) -> Option<Compaction> {
    let mut from = 0;
    while from + 1 < segments.len() {
        let behind = segments.iter().skip(from).position(|s| s.number == fixed).map_or(segments.len(), |n| from + n);
        let plan = gather(folder, segments.get(..behind).unwrap_or_default(), from, salt, state);
        if plan.to > from + 1 {
            return Some(plan);
        }
        from = plan.to.max(from + 1);
    }
    None
}

/// Collects from the segment `from` on as long as all fits into one segment.
fn gather(folder: &Path, segments: &[Segment], from: usize, salt: u64, state: &StoreState) -> Compaction {
    let mut plan = Compaction { from, to: from, first: u64::MAX, records: Vec::new(), damage: Vec::new() };
    let mut buffer = Vec::new();
    for segment in segments.iter().skip(from).take(MAX_INPUTS) {
        let begun_at = plan.records.len();
        let mut damaged = 0;
        // One that cannot be opened holds nothing any more.
        if segment::read(folder, segment.number, END, &mut buffer).is_ok() {
            for item in Scan::new(&buffer, salt, 0, false) {
                match item {
                    Scanned::Damage(damage) => damaged += damage.lost,
                    Scanned::Record(record) => {
                        let waits = record.point_identity().is_some_and(|id| state.waits(id, record.sequence));
                        if waits {
                            plan.first = plan.first.min(record.sequence);
                            plan.records.extend_from_slice(record.bytes);
                        }
                    }
                }
            }
        }
        if plan.records.len() > END - START {
            plan.records.truncate(begun_at);
            break;
        }
        plan.damage.push((segment.number, damaged));
        plan.to += 1;
    }
    plan
}

/// Carries out a plan: afterwards the last of its segments holds all the records, durably; the caller removes the others.
///
/// # Errors
/// The new segment could not be written; the old ones are untouched.
pub fn carry_out(folder: &Path, segments: &[Segment], plan: &Compaction, salt: u64) -> Result<(), FileError> {
    let (Some(first), Some(last)) = (segments.get(plan.from), segments.get(plan.to - 1)) else { return Ok(()) };
    segment::write(folder, SegmentHeader { number: last.number, since: first.number, salt }, &plan.records)
}
