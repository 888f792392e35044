//! What has become of the points in the log: how far each identity is forwarded, what was lost, when the boots were.
//!
//! The state is part of the log: a whole one stands at the head of each segment, and a change is appended like any record. So it
//! costs no file and, while points keep arriving, no flush of its own; and opening the store reads one segment.

use super::fields::{Fields, HEADER};
use crate::queue::point::PointTime;

/// Identities with points in the queue, at the most. So many fit into a tenth of a segment.
pub const MAX_CURSORS: usize = 512;
/// Boots whose points may wait for their time at once.
pub const MAX_BOOTS: usize = 32;
/// A state's record, in bytes, at the most.
pub const MAX_SIZE: usize = HEADER + 40 + MAX_CURSORS * 28 + MAX_BOOTS * 21 + MAX_KNOWN * 8;
/// Damaged segments remembered at once: beyond that, damage may be counted again after a restart.
const MAX_KNOWN: usize = 64;

/// How far an identity is forwarded: its points from `from` on are still to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Whose points.
    pub identity: u64,
    /// The first sequence number that may be one of its waiting points.
    pub from: u64,
    /// The last one that is.
    pub last: u64,
    /// How many wait: for people to read. Whether any wait is never told from a count, which damage can falsify.
    pub queued: u32,
}

/// What is counted over the store's whole life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Points that the platform has taken.
    pub forwarded: u64,
    /// Points given up by `drop_oldest`.
    pub dropped: u64,
    /// Records lost to damage.
    pub damaged: u64,
}

/// A boot during which points arrived before the time was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// Its name: derived from the kernel's boot id, never 0.
    pub tag: u32,
    /// When it began, in milliseconds since 1970, once that is known.
    pub began: Option<i64>,
    /// The latest of its points, in milliseconds since its start.
    pub last: i64,
}

/// The state, or a change of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreState {
    /// Whether this is the whole state; else what it does not name stays as it was.
    pub whole: bool,
    /// Always all of them.
    pub counters: Counters,
    /// A change that names a cursor whose `from` is behind its `last` ends it.
    pub cursors: Vec<Cursor>,
    /// In the order of the boots.
    pub boots: Vec<Boot>,
    /// The segments that are damaged, always all of them: so that what is counted above is not counted again.
    pub damage: Vec<KnownDamage>,
}

/// Damage that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownDamage {
    /// The segment's number.
    pub number: u32,
    /// The records lost in it.
    pub lost: u32,
}

impl StoreState {
    /// Takes over a state read from the log, or a change of it.
    pub fn apply(&mut self, change: StoreState) {
        if change.whole {
            *self = change;
            return;
        }
        self.counters = change.counters;
        self.damage = change.damage;
        for cursor in change.cursors {
            self.set(cursor);
        }
        for boot in change.boots {
            self.set_boot(boot);
        }
    }

    /// Counts a point that was appended.
    pub fn appended(&mut self, identity: u64, sequence: u64) {
        match self.cursor_mut(identity) {
            Some(cursor) => {
                cursor.last = sequence;
                cursor.queued = cursor.queued.saturating_add(1);
            }
            None => self.cursors.push(Cursor { identity, from: sequence, last: sequence, queued: 1 }),
        }
    }

    /// Puts a cursor in place; one with nothing left goes.
    pub fn set(&mut self, cursor: Cursor) {
        self.cursors.retain(|c| c.identity != cursor.identity);
        if cursor.from <= cursor.last {
            self.cursors.push(Cursor { queued: cursor.queued.max(1), ..cursor });
        }
    }

    /// Puts a boot in place, behind those already known.
    pub fn set_boot(&mut self, boot: Boot) {
        match self.boots.iter_mut().find(|b| b.tag == boot.tag) {
            Some(old) => *old = boot,
            None => self.boots.push(boot),
        }
        let excess = self.boots.len().saturating_sub(MAX_BOOTS);
        self.boots.drain(..excess);
    }

    /// Counts the damaged records met in a segment, less those already counted there.
    pub fn count_damage(&mut self, number: u32, lost: u32) {
        let known = match self.damage.iter_mut().find(|known| known.number == number) {
            Some(known) => known,
            None if lost == 0 => return,
            None => {
                let excess = (self.damage.len() + 1).saturating_sub(MAX_KNOWN);
                self.damage.drain(..excess);
                self.damage.push(KnownDamage { number, lost: 0 });
                let Some(known) = self.damage.last_mut() else { return };
                known
            }
        };
        self.counters.damaged += u64::from(lost.saturating_sub(known.lost));
        known.lost = known.lost.max(lost);
    }

    /// Notes that a point of a boot whose place in time was not known was appended.
    pub fn note_boot(&mut self, time: PointTime) {
        let PointTime::SinceBoot { boot: tag, milliseconds } = time else { return };
        match self.boots.iter_mut().find(|b| b.tag == tag) {
            Some(boot) => boot.last = boot.last.max(milliseconds),
            None => self.set_boot(Boot { tag, began: None, last: milliseconds }),
        }
    }

    /// The cursor of an identity that has something queued.
    #[must_use]
    pub fn cursor(&self, identity: u64) -> Option<&Cursor> {
        self.cursors.iter().find(|c| c.identity == identity)
    }

    /// The same, to change it.
    pub fn cursor_mut(&mut self, identity: u64) -> Option<&mut Cursor> {
        self.cursors.iter_mut().find(|c| c.identity == identity)
    }

    /// Whether a point still waits.
    #[must_use]
    pub fn waits(&self, identity: u64, sequence: u64) -> bool {
        self.cursor(identity).is_some_and(|c| (c.from..=c.last).contains(&sequence))
    }

    /// The first sequence number that may still wait, over all identities.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        self.cursors.iter().map(|c| c.from).min()
    }

    /// How many points wait.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.cursors.iter().map(|c| u64::from(c.queued)).sum()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.whole));
        for counter in [self.counters.forwarded, self.counters.dropped, self.counters.damaged] {
            out.extend_from_slice(&counter.to_le_bytes());
        }
        out.extend_from_slice(&(self.cursors.len() as u16).to_le_bytes());
        for cursor in &self.cursors {
            out.extend_from_slice(&cursor.identity.to_le_bytes());
            out.extend_from_slice(&cursor.from.to_le_bytes());
            out.extend_from_slice(&cursor.last.to_le_bytes());
            out.extend_from_slice(&cursor.queued.to_le_bytes());
        }
        out.extend_from_slice(&(self.boots.len() as u16).to_le_bytes());
        for boot in &self.boots {
            out.extend_from_slice(&boot.tag.to_le_bytes());
            out.push(u8::from(boot.began.is_some()));
            out.extend_from_slice(&boot.began.unwrap_or(0).to_le_bytes());
            out.extend_from_slice(&boot.last.to_le_bytes());
        }
        out.extend_from_slice(&(self.damage.len() as u16).to_le_bytes());
        for known in &self.damage {
            out.extend_from_slice(&known.number.to_le_bytes());
            out.extend_from_slice(&known.lost.to_le_bytes());
        }
    }

    pub(super) fn decode(body: &mut Fields<'_>) -> Option<StoreState> {
        let whole = body.u8()? != 0;
        let counters = Counters { forwarded: body.u64()?, dropped: body.u64()?, damaged: body.u64()? };
        let mut state = StoreState { whole, counters, ..StoreState::default() };
        for _ in 0..body.u16()? {
            let (identity, from, last) = (body.u64()?, body.u64()?, body.u64()?);
            state.cursors.push(Cursor { identity, from, last, queued: body.u32()? });
        }
        for _ in 0..body.u16()? {
            let (tag, is_known) = (body.u32()?, body.u8()? != 0);
            let (began, last) = (body.i64()?, body.i64()?);
            state.boots.push(Boot { tag, began: is_known.then_some(began), last });
        }
        for _ in 0..body.u16()? {
            state.damage.push(KnownDamage { number: body.u32()?, lost: body.u32()? });
        }
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> StoreState {
        StoreState {
            whole: true,
            counters: Counters { forwarded: 3, dropped: 2, damaged: 1 },
            cursors: vec![
                Cursor { identity: 7, from: 10, last: 14, queued: 5 },
                Cursor { identity: 8, from: 4, last: 4, queued: 1 },
            ],
            boots: vec![Boot { tag: 1, began: None, last: -5 }, Boot { tag: 2, began: Some(-1), last: 9 }],
            damage: vec![KnownDamage { number: 3, lost: 1 }],
        }
    }

    #[test]
    fn a_state_comes_back_as_it_went_and_a_cut_one_is_none() {
        let mut bytes = Vec::new();
        sample().encode(&mut bytes);
        assert_eq!(StoreState::decode(&mut Fields(&bytes)), Some(sample()));
        for end in 0..bytes.len() {
            assert_eq!(StoreState::decode(&mut Fields(&bytes[..end])), None, "cut at {end}");
        }
    }

    #[test]
    fn a_change_leaves_alone_what_it_does_not_name() {
        let mut state = sample();
        state.apply(StoreState {
            cursors: vec![
                Cursor { identity: 7, from: 15, last: 14, queued: 0 },
                Cursor { identity: 9, from: 16, last: 17, queued: 2 },
            ],
            boots: vec![Boot { tag: 1, began: Some(100), last: 3 }],
            ..StoreState::default()
        });
        assert!(!state.waits(7, 14) && state.waits(8, 4) && !state.waits(8, 3) && state.waits(9, 16));
        assert_eq!((state.oldest(), state.queued()), (Some(4), 3));
        assert_eq!(state.boots[0], Boot { tag: 1, began: Some(100), last: 3 });
        assert_eq!(state.boots.len(), 2);
    }

    #[test]
    fn damage_is_counted_once_and_what_is_remembered_is_bounded() {
        let mut state = StoreState::default();
        for (lost, total) in [(0, 0), (2, 2), (2, 2), (1, 2), (5, 5)] {
            state.count_damage(7, lost);
            assert_eq!(state.counters.damaged, total);
        }
        for number in 100..200 {
            state.count_damage(number, 1);
        }
        assert_eq!((state.counters.damaged, state.damage.len()), (105, MAX_KNOWN));
    }

    #[test]
    fn an_append_opens_a_cursor_or_counts_on() {
        let mut state = StoreState::default();
        state.appended(1, 50);
        state.appended(1, 51);
        assert_eq!(state.cursor(1), Some(&Cursor { identity: 1, from: 50, last: 51, queued: 2 }));
    }

    #[test]
    fn the_boots_are_bounded_and_the_oldest_goes() {
        let mut state = StoreState::default();
        for tag in 1..=MAX_BOOTS as u32 + 1 {
            state.set_boot(Boot { tag, began: None, last: 0 });
        }
        assert_eq!((state.boots.len(), state.boots[0].tag), (MAX_BOOTS, 2));
    }
}
