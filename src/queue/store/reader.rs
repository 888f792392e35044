//! Reading the waiting points in order, segment by segment, in the memory of one segment. For the process that forwards them,
//! beside the server that goes on appending and never looks here.

use std::path::{Path, PathBuf};

use super::fields::HEADER;
use super::record::RecordBody;
use super::scan::{Scan, Scanned};
use super::segment::{self, END};
use crate::queue::point::Point;
use crate::sys::file::FileError;

/// The part of a store that a pass covers; the server tells it, so that what it appends meanwhile is not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The first segment.
    pub first: u32,
    /// The last segment.
    pub last: u32,
    /// Where the last one ends, in bytes from its beginning.
    pub end: usize,
    /// The store's salt.
    pub salt: u64,
}

/// One waiting point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingPoint {
    /// Whose.
    pub identity: u64,
    /// Its place in the order.
    pub sequence: u64,
    /// The point.
    pub point: Point,
}

/// What reading a segment came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The segment.
    pub number: u32,
    /// Records lost to damage in it, or at the end of the one before.
    pub lost: u32,
}

/// Walks through an extent.
#[derive(Debug)]
pub struct ExtentReader {
    folder: PathBuf,
    extent: Extent,
    numbers: std::vec::IntoIter<u32>,
    next: u64,
    /// The segment that the numbers go on from without a gap.
    follows: Option<u32>,
    buffer: Vec<u8>,
}

impl ExtentReader {
    /// Begins a pass.
    ///
    /// # Errors
    /// The folder could not be read.
    pub fn new(folder: &Path, extent: Extent) -> Result<ExtentReader, FileError> {
        let mut numbers = segment::list(folder)?;
        numbers.retain(|n| (extent.first..=extent.last).contains(n));
        Ok(ExtentReader {
            folder: folder.to_path_buf(),
            extent,
            numbers: numbers.into_iter(),
            next: 0,
            follows: None,
            buffer: Vec::new(),
        })
    }

    /// Reads the next segment, and hands over those of its points that `waits` says yes to, in order. `None` at the end.
    pub fn next_segment(
        &mut self,
        waits: &dyn Fn(u64, u64) -> bool,
        take: &mut dyn FnMut(WaitingPoint),
    ) -> Option<Read> {
        let number = self.numbers.next()?;
        let end = if number == self.extent.last { self.extent.end } else { END };
        let follows = self.follows.take();
        let Ok(found) = segment::read(&self.folder, number, end, &mut self.buffer) else {
            // It was dropped meanwhile, with all in it.
            return Some(Read { number, lost: 0 });
        };
        let is_dense = found.header.is_some_and(|header| header.since == number);
        let expected = self.next;
        let mut scan = Scan::new(&self.buffer, self.extent.salt, self.next, is_dense);
        let mut lost = u32::from(found.is_short);
        let mut is_first = true;
        for item in &mut scan {
            match item {
                Scanned::Damage(damage) => {
                    segment::warn_of(&self.folder, number, damage);
                    lost += damage.lost;
                }
                Scanned::Record(record) => {
                    if is_first && is_dense && follows.and_then(|n| n.checked_add(1)) == Some(number) {
                        lost += missing_between(expected, record.sequence);
                    }
                    if record.point_identity().is_some_and(|identity| waits(identity, record.sequence)) {
                        if let Some(RecordBody::Point(identity, point)) = record.entry() {
                            take(WaitingPoint { identity, sequence: record.sequence, point });
                        }
                    }
                }
            }
            is_first = false;
        }
        self.next = scan.next_sequence();
        self.follows = (is_dense && !found.is_short).then_some(number);
        Some(Read { number, lost })
    }
}

/// How many records the end of a segment has lost without a trace, told by the next one's first number. Numbers that were left
/// out on purpose, after damage that was counted, are more than a segment can hold.
fn missing_between(expected: u64, found: u64) -> u32 {
    let gap = found.saturating_sub(expected);
    if gap <= (segment::SIZE / HEADER) as u64 {
        gap as u32
    } else {
        0
    }
}
