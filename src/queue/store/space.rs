//! The store's space: segments prepared ahead, removed when forwarded, compacted, or dropped when the store is full.

use std::time::Duration;

use super::compact;
use super::load::Segment;
use super::record;
use super::scan::{Scan, Scanned};
use super::segment::{self, SegmentHeader, END};
use super::state::Cursor;
use super::{Store, StoreRefusal, WhenFull, FRESH_ROOM, MAX_POINT, MIN_SEGMENTS, PREPARE_AGAIN};
use crate::queue::point::Point;
use crate::sys::file::{self, FileError};

/// When compacting gained nothing, it is tried again after so many points have gone: about what a segment holds.
const COMPACT_AGAIN: u64 = 2000;

impl Store {
    /// Prepares a segment ahead of need, once the current one is half full: so that whoever fills it does not wait for that.
    /// Never gives up data for it. `now`: the time since boot.
    pub fn prepare_ahead(&mut self, now: Duration) {
        let has_enough = !self.ready.is_empty() || self.room() > (END / 2);
        if has_enough || now < self.prepare_at || self.used() >= self.limit() {
            return;
        }
        if let Err(e) = self.prepare() {
            self.prepare_at = now.saturating_add(PREPARE_AGAIN);
            crate::debug!("{e}");
        }
    }

    /// Makes sure that all the points find room.
    pub(super) fn reserve(&mut self, points: &[Point]) -> Result<(), StoreRefusal> {
        while self.segments_for(points)? > self.ready.len() {
            self.make_ready()?;
        }
        Ok(())
    }

    /// How many prepared segments the points need beside the current one.
    fn segments_for(&self, points: &[Point]) -> Result<usize, StoreRefusal> {
        let (mut room, mut needed) = (self.room(), 0);
        for point in points {
            let size = record::point_size(point);
            if size > MAX_POINT {
                return Err(StoreRefusal::TooLarge);
            }
            if size > room {
                needed += 1;
                room = FRESH_ROOM;
            }
            room -= size;
        }
        Ok(needed)
    }

    /// Prepares a segment, making room for it where that is needed.
    fn make_ready(&mut self) -> Result<(), StoreRefusal> {
        while self.used() >= self.limit() {
            if !self.make_room() {
                return Err(StoreRefusal::Full(self.limits.max_bytes));
            }
        }
        match self.prepare() {
            // The disk is fuller than `max_bytes` allows for: what an OEM wants to happen is the same.
            Err(e) if e.is_full() && self.make_room() => self.prepare().map_err(StoreRefusal::Disk),
            other => other.map_err(StoreRefusal::Disk),
        }
    }

    fn prepare(&mut self) -> Result<(), FileError> {
        let number = self.next_number;
        segment::write(&self.folder, SegmentHeader { number, since: number, salt: self.salt }, &[])?;
        self.next_number = number.saturating_add(1);
        self.ready.push(number);
        Ok(())
    }

    fn used(&self) -> usize {
        self.segments.len() + self.ready.len()
    }

    /// How many segments there may be, one kept free to compact into.
    fn limit(&self) -> usize {
        let limit = usize::try_from(self.limits.max_bytes / segment::SIZE as u64).unwrap_or(usize::MAX);
        limit.clamp(MIN_SEGMENTS, segment::MAX_SEGMENTS) - 1
    }

    fn make_room(&mut self) -> bool {
        self.reclaim() || self.compact() || (self.limits.when_full == WhenFull::DropOldest && self.drop_oldest())
    }

    /// Removes the segments in which nothing waits any more, oldest first. Whether there were any.
    pub(super) fn reclaim(&mut self) -> bool {
        let oldest = self.state.oldest().unwrap_or(u64::MAX);
        // All of a segment's numbers are below its successor's first.
        let done =
            self.segments.windows(2).take_while(|pair| pair.get(1).is_some_and(|next| next.first <= oldest)).count();
        if done == 0 {
            return false;
        }
        self.flush_state();
        self.remove(0, done);
        true
    }

    /// Removes segments; where that is not durable, the next start finds them again, and nothing in them waiting.
    fn remove(&mut self, from: usize, to: usize) {
        for segment in self.segments.drain(from..to) {
            self.state.damage.retain(|known| known.number != segment.number);
            let path = segment::path(&self.folder, segment.number);
            if let Err(e) = std::fs::remove_file(&path) {
                crate::warning!("{}", FileError::new("remove", &path, e));
            }
        }
        if let Err(e) = file::sync_folder(&self.folder) {
            crate::warning!("{e}");
        }
    }

    /// The segments that are written no more.
    fn closed(&self) -> &[Segment] {
        let open = usize::from(self.current.is_some());
        self.segments.get(..self.segments.len() - open.min(self.segments.len())).unwrap_or_default()
    }

    /// Moves waiting points together. Whether a segment came free.
    fn compact(&mut self) -> bool {
        let counters = self.state.counters;
        if counters.forwarded + counters.dropped < self.compact_at {
            return false;
        }
        let Some(plan) = compact::plan(&self.folder, self.closed(), self.pass_last, self.salt, &self.state) else {
            self.compact_at = counters.forwarded + counters.dropped + COMPACT_AGAIN;
            return false;
        };
        if !plan.records.is_empty() {
            if let Err(e) = compact::carry_out(&self.folder, self.closed(), &plan, self.salt) {
                crate::warning!("{e}; the queue is not compacted");
                return false;
            }
        }
        for (number, lost) in &plan.damage {
            self.state.count_damage(*number, *lost);
        }
        // The number now stands for another file, which is whole.
        if let Some((last, _)) = plan.damage.last() {
            self.state.damage.retain(|known| known.number != *last);
        }
        crate::debug!("compacted {} segments of the queue", plan.to - plan.from);
        let kept = usize::from(!plan.records.is_empty());
        self.remove(plan.from, plan.to - kept);
        if let Some(merged) = self.segments.get_mut(plan.from).filter(|_| kept == 1) {
            merged.first = plan.first;
        }
        true
    }

    /// Gives up all points of an identity that wait, durably, and counts them as dropped. Returns how many they were.
    ///
    /// # Errors
    /// It is not on the disk: after the next start they may wait again.
    pub fn give_up(&mut self, identity: u64) -> Result<u32, FileError> {
        self.commit()?;
        let Some(&Cursor { last, queued, .. }) = self.state.cursor(identity) else { return Ok(0) };
        self.state.counters.dropped += u64::from(queued);
        let noted = self.next_sequence;
        self.gone(identity, last + 1, queued);
        if self.next_sequence == noted || self.current.is_none() {
            // There was no room for the note, or the disk refused it: the head of another segment says the same.
            if self.ready.is_empty() {
                self.prepare()?;
            }
            self.begin_segment()?;
            self.commit()?;
        }
        self.flush()?;
        Ok(queued)
    }

    /// Gives up the oldest segment, and counts what waited in it. Whether there was one.
    fn drop_oldest(&mut self) -> bool {
        let [oldest, ..] = self.closed() else { return false };
        let number = oldest.number;
        let behind = self.segments.get(1).map_or(self.next_sequence, |next| next.first);
        let mut buffer = Vec::new();
        let mut gone: Vec<(u64, u32)> = Vec::new();
        if segment::read(&self.folder, number, END, &mut buffer).is_ok() {
            for item in Scan::new(&buffer, self.salt, 0, false) {
                let Scanned::Record(record) = item else { continue };
                let Some(identity) = record.point_identity().filter(|id| self.state.waits(*id, record.sequence)) else {
                    continue;
                };
                match gone.iter_mut().find(|(id, _)| *id == identity) {
                    Some((_, count)) => *count += 1,
                    None => gone.push((identity, 1)),
                }
            }
        }
        let dropped: u64 = gone.iter().map(|(_, count)| u64::from(*count)).sum();
        self.state.counters.dropped += dropped;
        crate::warning!("the queue is full: dropped its {dropped} oldest points");
        self.remove(0, 1);
        for (identity, count) in gone {
            self.gone(identity, behind, count);
        }
        true
    }
}
