//! Reading the records of a segment in order, past whatever damage.
//!
//! Invariants: any bytes are read to their end; only records that pass their checksum come out; sequence numbers only rise, so
//! nothing comes out twice.

use super::fields::HEADER;
use super::record::{self, Record};

/// So many bytes are checksummed while looking for the end of damaged stretches, in one segment. Values made to look like
/// records could otherwise cost the square of a segment.
const SEARCH_BUDGET: usize = 16 * 1024 * 1024;

/// What is found next.
#[derive(Debug, PartialEq, Eq)]
pub enum Scanned<'a> {
    /// A whole record.
    Record(Record<'a>),
    /// Bytes that are neither a record nor the untouched rest.
    Damage(Damage),
}

/// A stretch that holds no readable record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The offset of its first byte.
    pub from: usize,
    /// The offset behind its last byte.
    pub to: usize,
    /// How many records it cost: exactly, where the numbers of its neighbours tell; else 1.
    pub lost: u32,
}

/// Yields what a stretch of a segment holds.
#[derive(Debug)]
pub struct Scan<'a> {
    bytes: &'a [u8],
    salt: u64,
    at: usize,
    /// The lowest sequence number that may come.
    next: u64,
    /// Whether the numbers follow each other without gaps.
    is_dense: bool,
    budget: usize,
}

impl<'a> Scan<'a> {
    /// Scans `bytes`, which begin at a record; records before sequence number `next` are passed over as already seen.
    /// `is_dense`: the numbers have no gaps, so a missing one is a lost record.
    #[must_use]
    pub fn new(bytes: &'a [u8], salt: u64, next: u64, is_dense: bool) -> Scan<'a> {
        Scan { bytes, salt, at: 0, next, is_dense, budget: SEARCH_BUDGET }
    }

    /// The lowest sequence number that may come.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Where the scan stands: at the end, the offset behind the last record or damaged byte.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or(&[])
    }

    /// How many records a damaged stretch of so many bytes cost, when the scan stands behind it.
    fn lost(&self, is_before_record: bool, length: usize) -> u32 {
        let Some((sequence, _)) = record::plausible(self.rest()).filter(|_| is_before_record) else { return 1 };
        if !self.is_dense || self.next == 0 {
            return 1;
        }
        // Numbers left out after an earlier damage must not count as records that never were.
        let fitting = (length / HEADER).max(1) as u64;
        sequence.saturating_sub(self.next).clamp(1, fitting) as u32
    }

    /// The offset of the next record at `from` or behind it.
    fn find_record(&mut self, from: usize) -> Option<usize> {
        let mut at = from;
        while at + HEADER <= self.bytes.len() {
            let rest = self.bytes.get(at..)?;
            if let Some((sequence, length)) = record::plausible(rest) {
                if sequence >= self.next {
                    self.budget = self.budget.checked_sub(length)?;
                    if record::first(rest, self.salt).is_some() {
                        return Some(at);
                    }
                }
            }
            at += 1;
        }
        None
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Scanned<'a>;

    fn next(&mut self) -> Option<Scanned<'a>> {
        loop {
            let rest = self.rest();
            if let Some(record) = record::first(rest, self.salt) {
                self.at += record.bytes.len();
                if record.sequence < self.next {
                    continue;
                }
                self.next = record.sequence.saturating_add(1);
                return Some(Scanned::Record(record));
            }
            // Zeros to the end: never written.
            rest.iter().position(|b| *b != 0)?;
            let from = self.at;
            let found = self.find_record(from + 1);
            self.at = found.unwrap_or(self.bytes.len() - self.bytes.iter().rev().take_while(|b| **b == 0).count());
            return Some(Scanned::Damage(Damage {
                from,
                to: self.at,
                lost: self.lost(found.is_some(), self.at - from),
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::push_point;
    use super::*;
    use crate::queue::point::{Point, PointTime};

    const SALT: u64 = 77;

    fn log(values: &[&str]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        for (i, value) in values.iter().enumerate() {
            starts.push(bytes.len());
            let point = Point { alias: "a".into(), value: (*value).into(), time: PointTime::Unix(1) };
            push_point(&mut bytes, SALT, 10 + i as u64, 1, &point);
        }
        (bytes, starts)
    }

    fn scanned(bytes: &[u8]) -> (Vec<u64>, Vec<(usize, usize)>, usize) {
        let (mut records, mut damage) = (Vec::new(), Vec::new());
        let mut scan = Scan::new(bytes, SALT, 0, true);
        for item in &mut scan {
            match item {
                Scanned::Record(record) => records.push(record.sequence),
                Scanned::Damage(d) => damage.push((d.from, d.to)),
            }
        }
        (records, damage, scan.offset())
    }

    #[test]
    fn zeros_to_the_end_are_the_end() {
        let (mut bytes, _) = log(&["x", "y"]);
        let end = bytes.len();
        bytes.resize(4096, 0);
        assert_eq!(scanned(&bytes), (vec![10, 11], vec![], end));
        assert_eq!(scanned(&[0; 100]), (vec![], vec![], 0));
        assert_eq!(scanned(&[]), (vec![], vec![], 0));
    }

    #[test]
    fn damage_is_skipped_up_to_the_next_whole_record() {
        let (bytes, starts) = log(&["one", "two", "three", "four"]);
        let mut hole = bytes.clone();
        hole[starts[1]..starts[2]].fill(0);
        assert_eq!(scanned(&hole), (vec![10, 12, 13], vec![(starts[1], starts[2])], bytes.len()));
        let mut flipped = bytes.clone();
        flipped[starts[2] + 20] ^= 1;
        assert_eq!(scanned(&flipped), (vec![10, 11, 13], vec![(starts[2], starts[3])], bytes.len()));
        let mut torn = bytes[..starts[3] + 9].to_vec();
        torn.resize(4096, 0);
        let (records, damage, end) = scanned(&torn);
        assert_eq!((records, damage), (vec![10, 11, 12], vec![(starts[3], end)]));
        assert!(end <= starts[3] + 9);
    }

    #[test]
    fn the_gap_in_the_numbers_tells_how_many_were_lost() {
        let (mut bytes, starts) = log(&["one", "two", "three", "four"]);
        bytes[starts[1]..starts[3]].fill(0xaa);
        let lost = |is_dense| {
            let found = Scan::new(&bytes, SALT, 0, is_dense).find_map(|item| match item {
                Scanned::Damage(damage) => Some(damage.lost),
                Scanned::Record(_) => None,
            });
            found.unwrap()
        };
        assert_eq!((lost(true), lost(false)), (2, 1));
    }

    #[test]
    fn a_value_that_looks_like_a_record_is_none_even_beside_damage() {
        let mut forged = Vec::new();
        let point = Point { alias: "a".into(), value: "forged".into(), time: PointTime::Unix(1) };
        push_point(&mut forged, SALT + 1, 11, 1, &point);
        let mut bytes = Vec::new();
        let carrier = String::from_utf8_lossy(&forged).into_owned();
        push_point(&mut bytes, SALT, 10, 1, &Point { alias: "a".into(), value: carrier, time: PointTime::Unix(1) });
        bytes[0] ^= 1;
        assert!(scanned(&bytes).0.is_empty());
    }

    #[test]
    fn what_was_seen_is_passed_over() {
        let (mut bytes, _) = log(&["x", "y"]);
        bytes.extend_from_slice(&bytes.clone());
        assert_eq!(scanned(&bytes), (vec![10, 11], vec![], bytes.len()));
        let items: Vec<_> = Scan::new(&bytes, SALT, 11, true).collect();
        assert_eq!(items.len(), 1);
    }

    #[test]
    fn bytes_made_to_cost_much_are_given_up() {
        // Each byte begins a header whose record would be as long as the rest.
        let bytes: Vec<u8> = (0..200_000).map(|i| if i % 8 < 4 { 1 } else { 0 }).collect();
        let begun = std::time::Instant::now();
        let (records, _, _) = scanned(&bytes);
        assert!(records.is_empty());
        assert!(begun.elapsed().as_secs() < 20);
    }
}
