//! Random numbers that a seed repeats: the same seed, the same crash state.

use std::time::{SystemTime, UNIX_EPOCH};

/// SplitMix64: small, and good enough to choose what a disk forgets.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The numbers of one state of one run.
    pub fn of(seed: u64, state: u64) -> Random {
        let mut random = Random { state: seed };
        let mixed = random.bits() ^ state;
        Random { state: mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }

    /// Numbers that nothing repeats.
    pub fn of_clock() -> Random {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Random::of(now.as_secs(), u64::from(now.subsec_nanos()))
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    /// True so often in a hundred.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_state_gives_others() {
        let draw = |seed, state| {
            let mut random = Random::of(seed, state);
            (random.bits(), random.below(10), random.percent(50))
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }

    #[test]
    fn chances_are_about_what_they_say() {
        let mut random = Random::of(7, 0);
        let hits = (0..10_000).filter(|_| random.percent(30)).count();
        assert!((2_700..3_300).contains(&hits), "{hits}");
    }
}
