//! What a disk forgets when its power goes: any of the writes that no flush had covered, whole or in part.

use super::log::SECTOR;
use super::random::Random;

/// How a crash treats what no flush had covered.
#[derive(Debug, Clone)]
pub struct Loss {
    random: Random,
    mood: Mood,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// The write cache was lost whole.
    All,
    /// It had been written back in time: the crash is a mere stop.
    Nothing,
    /// Each write is lost or torn with this chance in a hundred.
    Some(u64),
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It reached the medium.
    Kept,
    /// It did not.
    Dropped,
    /// These of its sectors did.
    Torn(Vec<bool>),
}

impl Loss {
    /// Chosen by the seed: the whole cache now and then, nothing now and then, else some of it.
    pub fn choose(mut random: Random) -> Loss {
        let mood = match random.below(8) {
            0 | 1 => Mood::All,
            2 => Mood::Nothing,
            _ => Mood::Some(10 + random.below(81)),
        };
        Loss { random, mood }
    }

    /// The fate of the next write, of `length` bytes.
    pub fn fate(&mut self, length: u64) -> Fate {
        let chance = match self.mood {
            Mood::All => return Fate::Dropped,
            Mood::Nothing => return Fate::Kept,
            Mood::Some(chance) => chance,
        };
        if !self.random.percent(chance) {
            return Fate::Kept;
        }
        let sectors = length.div_ceil(SECTOR);
        if sectors < 2 || self.random.percent(50) {
            return Fate::Dropped;
        }
        Fate::Torn(self.tear(sectors))
    }

    /// A write that breaks off, or one whose sectors reached the medium in any order.
    fn tear(&mut self, sectors: u64) -> Vec<bool> {
        if self.random.percent(50) {
            let kept = 1 + self.random.below(sectors - 1);
            return (0..sectors).map(|sector| sector < kept).collect();
        }
        (0..sectors).map(|_| self.random.percent(50)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Fate, Loss};
    use crate::random::Random;

    #[test]
    fn every_fate_comes_up_and_a_seed_repeats_it() {
        let fates = |state| {
            let mut loss = Loss::choose(Random::of(1, state));
            (0..50).map(|_| loss.fate(4096)).collect::<Vec<_>>()
        };
        let all: Vec<_> = (0..200).map(fates).collect();
        assert_eq!(all[17], fates(17));
        assert!(all.iter().any(|fates| fates.iter().all(|fate| *fate == Fate::Dropped)));
        assert!(all.iter().any(|fates| fates.iter().all(|fate| *fate == Fate::Kept)));
        assert!(all.iter().any(|fates| fates.contains(&Fate::Kept) && fates.contains(&Fate::Dropped)));
        let torn = |fate: &Fate| matches!(fate, Fate::Torn(kept) if kept.len() == 8);
        assert!(all.iter().any(|fates| fates.iter().any(torn)));
    }

    #[test]
    fn a_single_sector_never_tears() {
        for state in 0..200 {
            let mut loss = Loss::choose(Random::of(3, state));
            assert!((0..50).all(|_| !matches!(loss.fate(512), Fate::Torn(_))));
        }
    }
}
