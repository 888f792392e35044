//! The forwarder's passes over the store, and what is made of what they found.
//!
//! Invariant: a point waits until the platform has it, it is set aside or given up, or a pass that read to the end did not find it.

use super::reader::Extent;
use super::segment::END;
use super::state::Cursor;
use super::{Store, FLUSH_STATE_AFTER};

impl Store {
    /// Begins a pass of the forwarder, one at a time: where it is to read. `None`: nothing waits. Call it with nothing staged.
    pub fn begin_pass(&mut self, identities: &mut dyn Iterator<Item = u64>) -> Option<Extent> {
        let from = identities.filter_map(|id| self.state.cursor(id)).map(|cursor| cursor.from).min()?;
        let first = self.segments.iter().rev().find(|s| s.first <= from).or(self.segments.first())?;
        let last = self.segments.last()?;
        let end = self.current.as_ref().map_or(END, |current| current.end);
        self.since_pass.clear();
        self.pass_last = last.number;
        self.pass_before = self.next_sequence;
        Some(Extent { first: first.number, last: last.number, end, salt: self.salt })
    }

    /// Ends a pass that has read an identity's points to the end: whatever of them it did not find is lost to damage, and must
    /// not be waited for.
    pub fn end_pass(&mut self, identity: u64) {
        let before = self.pass_before;
        let Some(cursor) = self.state.cursor(identity) else { return };
        if cursor.from < before {
            let later = self.since_pass.iter().find(|(id, _)| *id == identity).map_or(0, |(_, count)| *count);
            let missing = cursor.queued.saturating_sub(later);
            if missing > 0 {
                crate::warning!("{missing} queued points cannot be found any more");
            }
            self.gone(identity, before, missing);
        }
    }

    /// Notes that all points of an identity that waited before sequence number `from` are gone: `forwarded` of them the platform
    /// has taken, the others are set aside.
    pub fn forwarded(&mut self, identity: u64, from: u64, forwarded: u32, aside: u32) {
        self.state.counters.forwarded += u64::from(forwarded);
        self.gone(identity, from, forwarded.saturating_add(aside));
    }

    /// Notes that `count` points of an identity wait no more: all that waited before sequence number `from`.
    pub fn gone(&mut self, identity: u64, from: u64, count: u32) {
        let Some(cursor) = self.state.cursor(identity) else { return };
        let (from, queued) = (cursor.from.max(from), cursor.queued.saturating_sub(count));
        let cursor = Cursor { from, queued, ..*cursor };
        self.state.set(cursor);
        self.note(vec![cursor], Vec::new());
        self.unflushed = self.unflushed.saturating_add(count);
        if self.unflushed >= FLUSH_STATE_AFTER {
            self.flush_state();
        }
        self.reclaim();
    }

    /// Counts points that never waited, since the platform took them at once.
    pub fn forwarded_at_once(&mut self, points: u32) {
        self.state.counters.forwarded += u64::from(points);
    }

    /// Takes the count of forwarded points from who knows more than the disk.
    pub fn know_forwarded(&mut self, points: u64) {
        let counted = &mut self.state.counters.forwarded;
        *counted = points.max(*counted);
    }

    /// Counts damaged records met in a segment; those already known there are not counted again.
    pub fn damaged(&mut self, number: u32, lost: u32) {
        if self.segments.iter().any(|s| s.number == number) {
            self.state.count_damage(number, lost);
        }
    }

    pub(super) fn count_since_pass(&mut self, identity: u64) {
        match self.since_pass.iter_mut().find(|(id, _)| *id == identity) {
            Some((_, count)) => *count += 1,
            None => self.since_pass.push((identity, 1)),
        }
    }
}
