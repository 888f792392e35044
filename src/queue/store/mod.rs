//! The queue's store: a log of points on flash, bounded in bytes, durable when it says so.
//!
//! One log for all identities, so that everything that arrived together shares one write and one fdatasync. It is cut into
//! [`segment`]s, which are prepared ahead of time and removed whole. The [`state`] of the points is part of the log.
//!
//! Invariants: what [`Store::commit`] returned `Ok` for survives power loss; the files never take more than `max_bytes`; memory
//! does not grow with the backlog; damage costs the damaged records and nothing else.

mod compact;
pub mod fields;
pub mod load;
mod pass;
pub mod reader;
pub mod record;
pub mod scan;
pub mod segment;
mod settled;
mod space;
pub mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::point::Point;
use crate::sys::file::{self, Context, FileError};
use crate::sys::random;
use load::{load, Segment};
use record::RecordBody;
use scan::{Scan, Scanned};
use segment::{END, START};
use state::{Boot, Cursor, StoreState};

/// What one segment holds beside the state at its head, at least.
const FRESH_ROOM: usize = END - START - state::MAX_SIZE;
/// The largest point, in bytes of alias and value: a segment must hold some.
pub const MAX_POINT: usize = 200 * 1024;
/// The fewest segments that the store works with: one that is written, one prepared, one with a backlog, one kept free to
/// compact into.
const MIN_SEGMENTS: usize = 4;
/// The smallest `max_bytes`.
pub const MIN_BYTES: u64 = (MIN_SEGMENTS * segment::SIZE) as u64;
/// The largest `max_bytes`.
pub const MAX_BYTES: u64 = segment::MAX_SEGMENTS as u64 * segment::SIZE as u64;
/// After so many forwarded points, the note of them is flushed on its own. Until then it lies in the page cache, since all that
/// its loss can do is to send a point twice, and flash wears.
const FLUSH_STATE_AFTER: u32 = 1000;
/// After a segment could not be prepared, the time until that is tried again ahead of need.
const PREPARE_AGAIN: Duration = Duration::from_secs(10);

/// What happens to a new point when the store is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused, and the app told so.
    Refuse,
    /// The oldest segment goes, and what it held is counted.
    DropOldest,
}

/// The store's bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What its files may take.
    pub max_bytes: u64,
    /// What then.
    pub when_full: WhenFull,
}

/// Why points were not taken.
#[derive(Debug)]
pub enum StoreRefusal {
    /// `max_bytes` are used up.
    Full(u64),
    /// One point is larger than [`MAX_POINT`].
    TooLarge,
    /// More identities than [`state::MAX_CURSORS`] have points waiting.
    TooManyIdentities,
    /// The disk refused.
    Disk(FileError),
}

impl fmt::Display for StoreRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreRefusal::Full(max) => {
                write!(f, "the queue is full: max_bytes = {max} are used by data that the platform has not taken yet")
            }
            StoreRefusal::TooLarge => f.write_str("an alias with its value is larger than 204800 bytes"),
            StoreRefusal::TooManyIdentities => f.write_str("too many devices have data waiting"),
            StoreRefusal::Disk(e) => write!(f, "{e}"),
        }
    }
}

/// The store, open for writing. One process at a time: the caller holds the folder's lock.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    limits: Limits,
    salt: u64,
    /// Those with records; while `current` is open the last one is being written.
    segments: Vec<Segment>,
    ready: Vec<u32>,
    current: Option<Current>,
    next_number: u32,
    next_sequence: u64,
    state: StoreState,
    /// Records not yet written.
    pending: Vec<u8>,
    /// Points forwarded since the state was last flushed.
    unflushed: u32,
    /// The segment in which the last pass ends, if one began.
    pass_last: u32,
    /// What the pass that began last will find is below this sequence number.
    pass_before: u64,
    /// Something staged since the last commit is already lost.
    failed: Option<FileError>,
    /// Per identity, the points appended since the last pass began.
    since_pass: Vec<(u64, u32)>,
    /// Compacting gained nothing until so many points have gone.
    compact_at: u64,
    prepare_at: Duration,
}

#[derive(Debug)]
struct Current {
    file: File,
    /// Where the next record goes, in bytes from the segment's beginning.
    end: usize,
}

impl Store {
    /// Opens a store, or makes one. Damage never makes this fail: it is logged, skipped and counted.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(folder: &Path, limits: Limits) -> Result<Store, FileError> {
        file::create_folder(folder)?;
        segment::remove_leftovers(folder);
        let loaded = load(folder)?;
        for number in loaded.useless {
            let _ = std::fs::remove_file(segment::path(folder, number));
        }
        let mut store = Store {
            folder: folder.to_path_buf(),
            limits,
            salt: loaded.salt.unwrap_or_else(|| random::bits() | 1),
            segments: loaded.segments,
            ready: loaded.ready,
            current: None,
            next_number: loaded.next_number,
            next_sequence: loaded.next_sequence.max(1),
            state: loaded.state,
            pending: Vec::new(),
            unflushed: 0,
            pass_last: 0,
            pass_before: 0,
            failed: None,
            since_pass: Vec::new(),
            compact_at: 0,
            prepare_at: Duration::ZERO,
        };
        if let (Some(end), Some(last)) = (loaded.end, store.segments.last()) {
            match segment::open(folder, last.number) {
                Ok(file) => store.current = Some(Current { file, end }),
                Err(e) => crate::error!("{e}; the queue can be forwarded, and not written"),
            }
        }
        store.prepare_ahead(Duration::ZERO);
        Ok(store)
    }

    /// Takes new bounds. Where the store is larger already, it shrinks as its points are forwarded.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.compact_at = 0;
    }

    /// What has become of the points.
    #[must_use]
    pub fn state(&self) -> &StoreState {
        &self.state
    }

    /// What the files take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        (self.segments.len() + self.ready.len()) as u64 * segment::SIZE as u64
    }

    /// Stages points of one identity, all or none. They are durable after the next [`Store::commit`].
    ///
    /// # Errors
    /// Why none of them was taken.
    pub fn stage(&mut self, identity: u64, points: &[Point]) -> Result<(), StoreRefusal> {
        if self.state.cursor(identity).is_none() && self.state.cursors.len() >= state::MAX_CURSORS {
            return Err(StoreRefusal::TooManyIdentities);
        }
        self.reserve(points)?;
        for point in points {
            if record::point_size(point) > self.room() {
                self.begin_segment().map_err(StoreRefusal::Disk)?;
            }
            let sequence = self.take_sequence();
            record::push_point(&mut self.pending, self.salt, sequence, identity, point);
            self.state.appended(identity, sequence);
            self.state.note_boot(point.time);
            self.count_since_pass(identity);
        }
        Ok(())
    }

    /// Makes everything staged durable, with one write and one flush.
    ///
    /// # Errors
    /// Nothing staged since the last commit may be acknowledged. (Some of it may still be forwarded.)
    pub fn commit(&mut self) -> Result<(), FileError> {
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        let result = self.write_pending().and_then(|()| self.flush());
        if result.is_err() {
            // Linux drops what it could not write, and forgets the error: nothing may be appended behind that.
            self.current = None;
            self.pending.clear();
        }
        // A large burst must not stay resident.
        self.pending.shrink_to(4096);
        result
    }

    /// The oldest point that waits.
    #[must_use]
    pub fn oldest(&self) -> Option<Point> {
        let from = self.state.oldest()?;
        let mut buffer = Vec::new();
        let newest_first = self.segments.iter().rev();
        let skipped = newest_first.skip_while(|s| s.first > from).count().max(1) - 1;
        self.segments.iter().skip(skipped).find_map(|s| {
            segment::read(&self.folder, s.number, END, &mut buffer).ok()?;
            Scan::new(&buffer, self.salt, 0, false).find_map(|item| match item {
                Scanned::Record(record) => match record.entry()? {
                    RecordBody::Point(id, point) if self.state.waits(id, record.sequence) => Some(point),
                    _ => None,
                },
                Scanned::Damage(_) => None,
            })
        })
    }

    /// Places a boot in time, durably.
    ///
    /// # Errors
    /// It is not on the disk. It counts until the power goes all the same.
    pub fn set_boot(&mut self, boot: Boot) -> Result<(), FileError> {
        self.state.set_boot(boot);
        self.note(Vec::new(), vec![boot]);
        self.flush()
    }

    /// Makes the notes of forwarded points durable: before the server ends.
    pub fn flush_state(&mut self) {
        if self.unflushed > 0 {
            if let Err(e) = self.flush() {
                crate::warning!("{e}; some points may be sent twice");
            }
            self.unflushed = 0;
        }
    }

    fn take_sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence - 1
    }

    /// What still fits into the current segment.
    fn room(&self) -> usize {
        self.current.as_ref().map_or(0, |current| (END - current.end).saturating_sub(self.pending.len()))
    }

    /// Writes what is pending behind what is there.
    fn write_pending(&mut self) -> Result<(), FileError> {
        let (Some(current), Some(last)) = (&mut self.current, self.segments.last()) else { return self.no_segment() };
        let path = || segment::path(&self.folder, last.number);
        current
            .file
            .write_all_at(&self.pending, current.end as u64)
            .map_err(|e| FileError::new("write", &path(), e))?;
        current.end += self.pending.len();
        self.pending.clear();
        Ok(())
    }

    fn no_segment(&self) -> Result<(), FileError> {
        Err(std::io::Error::from(std::io::ErrorKind::NotFound)).context("write a segment of", &self.folder)
    }

    fn flush(&mut self) -> Result<(), FileError> {
        let (Some(current), Some(last)) = (&self.current, self.segments.last()) else { return Ok(()) };
        let number = last.number;
        current.file.sync_data().map_err(|e| FileError::new("sync", &segment::path(&self.folder, number), e))?;
        self.unflushed = 0;
        Ok(())
    }

    /// Appends a change of the state, unflushed. Where there is no room it is left to the head of the next segment.
    fn note(&mut self, cursors: Vec<Cursor>, boots: Vec<Boot>) {
        let is_alone = self.pending.is_empty();
        let change = StoreState { whole: false, cursors, boots, ..self.state_without_lists() };
        let sequence = self.next_sequence;
        let before = self.pending.len();
        record::push_state(&mut self.pending, self.salt, sequence, &change);
        if self.current.is_none() || self.pending.len() > self.current.as_ref().map_or(0, |c| END - c.end) {
            self.pending.truncate(before);
            return;
        }
        self.next_sequence += 1;
        if is_alone {
            if let Err(e) = self.write_pending() {
                crate::warning!("{e}; some points may be sent twice");
                self.current = None;
                self.pending.clear();
            }
        }
    }

    fn state_without_lists(&self) -> StoreState {
        StoreState {
            whole: false,
            counters: self.state.counters,
            damage: self.state.damage.clone(),
            cursors: Vec::new(),
            boots: Vec::new(),
        }
    }

    /// Closes the current segment, all in it durable, and begins the next prepared one with the whole state.
    fn begin_segment(&mut self) -> Result<(), FileError> {
        if let Err(e) = self.commit() {
            self.failed = Some(FileError::new(e.action, &e.path, std::io::Error::from(e.source.kind())));
            return Err(e);
        }
        if self.ready.is_empty() {
            return self.no_segment();
        }
        let number = self.ready.remove(0);
        let file = segment::open(&self.folder, number)?;
        let sequence = self.take_sequence();
        self.segments.push(Segment { number, first: sequence });
        self.current = Some(Current { file, end: START });
        self.state.whole = true;
        record::push_state(&mut self.pending, self.salt, sequence, &self.state);
        Ok(())
    }
}
