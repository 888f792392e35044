//! What is in a store's folder, found by reading only: the start of the server, and `gmq status` beside it.
//!
//! In the usual case this reads a few bytes of each segment and one segment whole, so that a backlog of any size opens fast and
//! in the memory of one segment. The state at the head of the last segment saves reading the others; where damage took it, the
//! search goes back segment by segment, and where there is none at all, every point that is there counts as waiting.

use std::path::Path;

use super::record::{self, RecordBody};
use super::scan::{Scan, Scanned};
use super::segment::{self, END, START};
use super::state::StoreState;
use crate::sys::file::FileError;

/// A segment that holds records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its number.
    pub number: u32,
    /// The sequence number of its first readable record.
    pub first: u64,
}

/// A store as found.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The salt, where any segment still tells it.
    pub salt: Option<u64>,
    /// Segments with records, in order.
    pub segments: Vec<Segment>,
    /// Prepared segments behind them, still all zeros.
    pub ready: Vec<u32>,
    /// Segments that are of no use: their records were moved into another one, or none of them can be read.
    pub useless: Vec<u32>,
    /// What has become of the points.
    pub state: StoreState,
    /// Where the last segment may be written on; `None`: nothing may follow what it holds.
    pub end: Option<usize>,
    /// The next record's sequence number.
    pub next_sequence: u64,
    /// The next segment's number.
    pub next_number: u32,
}

/// Sequence numbers left out after damage, so that none of a lost record is used again.
const SKIP_AFTER_DAMAGE: u64 = 1 << 20;

/// Reads a store's folder.
///
/// # Errors
/// The folder could not be read.
pub fn load(folder: &Path) -> Result<Loaded, FileError> {
    let mut numbers = segment::list(folder)?;
    let mut loaded = Loaded { next_number: numbers.last().map_or(1, |n| n.saturating_add(1)), ..Loaded::default() };
    loaded.take_headers(folder, &mut numbers);
    let Some(salt) = loaded.salt else {
        loaded.give_up(&numbers);
        return Ok(loaded);
    };
    loaded.sort_out(folder, &numbers, salt);
    loaded.replay(folder, salt);
    Ok(loaded)
}

impl Loaded {
    /// Finds the salt, and takes out the segments whose records were moved into a later one.
    fn take_headers(&mut self, folder: &Path, numbers: &mut Vec<u32>) {
        let mut since = u32::MAX;
        let mut kept = Vec::with_capacity(numbers.len());
        for number in numbers.iter().rev().copied() {
            if number >= since {
                self.useless.push(number);
                continue;
            }
            kept.push(number);
            since = u32::MAX;
            if let Some(header) = segment::header(folder, number) {
                self.salt.get_or_insert(header.salt);
                if header.since < number {
                    since = header.since;
                }
            }
        }
        kept.reverse();
        *numbers = kept;
    }

    /// No segment tells the salt: nothing can be told from damage.
    fn give_up(&mut self, numbers: &[u32]) {
        if !numbers.is_empty() {
            crate::error!("the queue's segments are damaged so that nothing in them can be read");
            self.state.counters.damaged = numbers.len() as u64;
            self.next_sequence = SKIP_AFTER_DAMAGE;
        }
        self.useless.extend_from_slice(numbers);
    }

    /// Tells the segments with records from the prepared ones at the end and from unreadable ones.
    fn sort_out(&mut self, folder: &Path, numbers: &[u32], salt: u64) {
        let mut buffer = Vec::new();
        for number in numbers {
            match first_sequence(folder, *number, salt, &mut buffer) {
                FirstRecord::At(first) => {
                    self.not_prepared(folder);
                    self.segments.push(Segment { number: *number, first });
                }
                FirstRecord::Untouched => self.ready.push(*number),
                FirstRecord::Short => self.useless.push(*number),
                FirstRecord::Unreadable => self.lose(folder, *number),
            }
        }
    }

    /// Segments are used in order: one of zeros with records behind it has lost its own.
    fn not_prepared(&mut self, folder: &Path) {
        for number in std::mem::take(&mut self.ready) {
            self.lose(folder, number);
        }
    }

    fn lose(&mut self, folder: &Path, number: u32) {
        crate::error!("nothing in {} can be read", segment::path(folder, number).display());
        self.state.counters.damaged += 1;
        self.useless.push(number);
        self.next_sequence = SKIP_AFTER_DAMAGE;
    }

    /// Reads the state: from the last segment that begins with a whole one, to the end.
    fn replay(&mut self, folder: &Path, salt: u64) {
        let unreadable = self.state.counters.damaged;
        let mut buffer = Vec::new();
        let mut begin = self.segments.len().saturating_sub(1);
        while begin > 0 && !begins_with_whole_state(folder, self.segments[begin], salt, &mut buffer) {
            begin -= 1;
        }
        let (mut next, mut skip) = (0, self.next_sequence);
        for segment in self.segments.get(begin..).unwrap_or_default().to_vec() {
            let Ok(found) = segment::read(folder, segment.number, END, &mut buffer) else { continue };
            let mut scan = Scan::new(&buffer, salt, next, true);
            let (mut lost, mut is_open) = (u32::from(found.is_short), !found.is_short);
            for item in &mut scan {
                is_open = !found.is_short && matches!(item, Scanned::Record(_));
                match item {
                    Scanned::Record(record) => self.take_in(record),
                    Scanned::Damage(damage) => {
                        segment::warn_of(folder, segment.number, damage);
                        lost += damage.lost;
                    }
                }
            }
            next = scan.next_sequence();
            self.state.count_damage(segment.number, lost);
            self.end = is_open.then_some(START + scan.offset());
            skip = if is_open { self.next_sequence } else { SKIP_AFTER_DAMAGE };
        }
        self.state.counters.damaged += unreadable;
        self.next_sequence = next.saturating_add(skip).max(1);
    }

    fn take_in(&mut self, record: record::Record<'_>) {
        match record.entry() {
            Some(RecordBody::Point(identity, point)) => {
                self.state.appended(identity, record.sequence);
                self.state.note_boot(point.time);
            }
            Some(RecordBody::State(state)) => self.state.apply(state),
            None => {}
        }
    }
}

enum FirstRecord {
    At(u64),
    Untouched,
    /// Zeros, too few of them: its preparation was undone by what happened to the file system.
    Short,
    Unreadable,
}

/// The first readable record's sequence number. Reads a few bytes where the first record is whole.
fn first_sequence(folder: &Path, number: u32, salt: u64, buffer: &mut Vec<u8>) -> FirstRecord {
    let mut is_short = false;
    for end in [START + super::fields::HEADER + 64, START + super::state::MAX_SIZE, END] {
        match segment::read(folder, number, end, buffer) {
            Ok(found) => is_short = found.is_short,
            Err(_) => return FirstRecord::Unreadable,
        }
        if let Some(record) = record::first(buffer, salt) {
            return FirstRecord::At(record.sequence);
        }
    }
    let mut scan = Scan::new(buffer, salt, 0, false);
    match scan.find(|item| matches!(item, Scanned::Record(_))) {
        Some(Scanned::Record(record)) => FirstRecord::At(record.sequence),
        _ if scan.offset() > 0 => FirstRecord::Unreadable,
        _ if is_short => FirstRecord::Short,
        _ => FirstRecord::Untouched,
    }
}

fn begins_with_whole_state(folder: &Path, segment: Segment, salt: u64, buffer: &mut Vec<u8>) -> bool {
    let end = START + super::state::MAX_SIZE;
    segment::read(folder, segment.number, end, buffer).is_ok()
        && matches!(
            record::first(buffer, salt).and_then(|record| record.entry()),
            Some(RecordBody::State(StoreState { whole: true, .. }))
        )
}
