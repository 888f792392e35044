//! The time of points while the clock may be wrong: no clock battery, no network yet (docs/spec/failures.md, row 7).
//!
//! The time since boot is always right. So a point that arrives before the wall clock is known good is stored with its place
//! in this boot, and becomes a time of day when it is known when the boot began: points keep their distance from each other.
//!
//! The clock is known good when the kernel says that NTP has set it, or when the platform has told the time, which it is asked
//! once a boot where the kernel says no such thing and stored points depend on it.
//!
//! If the power goes before that, the boot's beginning is never learnt. Then its last point is put at the moment when the next
//! boot began: the latest that it can have been.

use super::point::PointTime;
use super::store::state::Boot;
use crate::sys::epoch::BUILD_EPOCH;

/// A claimed time this far outside the boot, by the same wall clock, is no reading of that clock: milliseconds.
const SLACK: u64 = 60_000;

/// The clocks at one moment, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// What the wall clock shows.
    pub wall: u64,
    /// The time since boot.
    pub since_boot: u64,
    /// Whether the kernel knows the wall clock to be right.
    pub is_synchronised: bool,
}

impl ClockReading {
    /// Whether the wall clock shows a time that can be.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        self.wall / 1000 >= BUILD_EPOCH
    }
}

/// What is known of this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootClock {
    boot: u32,
    began: Option<i64>,
}

impl BootClock {
    /// For the boot of that tag; `began`: what an earlier process of this boot has learnt.
    #[must_use]
    pub fn new(boot: u32, began: Option<i64>) -> BootClock {
        BootClock { boot, began }
    }

    /// Looks at the clocks. Returns whether it is known when this boot began.
    pub fn look(&mut self, now: ClockReading) -> bool {
        if now.is_synchronised && now.is_plausible() {
            self.began = Some(difference(now.wall, now.since_boot));
        }
        self.began.is_some()
    }

    /// Takes the platform's word for the time, in unix seconds, if it is one that can be; a wall clock that is nearly right is left alone.
    pub fn told(&mut self, unix: u64, now: ClockReading) {
        if unix >= BUILD_EPOCH {
            let told = unix.saturating_mul(1000);
            let is_near = now.wall.abs_diff(told) <= SLACK;
            self.began = Some(difference(if is_near { now.wall } else { told }, now.since_boot));
        }
    }

    /// The platform tells no time: a wall clock that can be right has to be.
    pub fn not_told(&mut self, now: ClockReading) {
        if now.is_plausible() {
            self.began = Some(difference(now.wall, now.since_boot));
        }
    }

    /// This boot's tag.
    #[must_use]
    pub fn boot(&self) -> u32 {
        self.boot
    }

    /// When this boot began, in milliseconds since 1970, if that is known.
    #[must_use]
    pub fn began(&self) -> Option<i64> {
        self.began
    }

    /// The time of a point that arrives now. `claimed` is what the app says, in unix seconds; a reading of the wall clock during
    /// this boot is put right with it, any other time is the app's own business.
    #[must_use]
    pub fn stamp(&self, claimed: Option<u64>, now: ClockReading) -> PointTime {
        let milliseconds = match claimed {
            None => to_signed(now.since_boot),
            // The middle of the second that the app names: so that a clock that is slewed by a little names the same one.
            Some(time) => match time.checked_mul(1000).map(|t| t + 500).filter(|t| is_of_this_boot(*t, now)) {
                Some(time) => difference(time, now.wall).saturating_add(to_signed(now.since_boot)),
                None => return PointTime::Unix(time),
            },
        };
        match self.began {
            None => PointTime::SinceBoot { boot: self.boot, milliseconds },
            Some(began) => PointTime::Unix(to_seconds(began.saturating_add(milliseconds))),
        }
    }
}

fn is_of_this_boot(time: u64, now: ClockReading) -> bool {
    time <= now.wall.saturating_add(SLACK) && time >= now.wall.saturating_sub(now.since_boot).saturating_sub(SLACK)
}

/// Places all boots in time once it is known when the present one began: those whose own beginning was never learnt end where
/// the next one begins. `boots` in their order. Returns those that were not placed before.
#[must_use]
pub fn place(boots: &[Boot], present: u32, began: i64) -> Vec<Boot> {
    let mut next = began;
    let mut placed = Vec::new();
    for boot in boots.iter().rev() {
        let begins = match boot.began {
            Some(known) => known,
            None if boot.tag == present => began,
            None => next.saturating_sub(boot.last.max(0)),
        };
        if boot.began.is_none() {
            placed.push(Boot { began: Some(begins), ..*boot });
        }
        next = begins;
    }
    placed.reverse();
    placed
}

/// A time of day in unix seconds, given when its boot began.
#[must_use]
pub fn unix(time: PointTime, boots: &[Boot]) -> Option<u64> {
    match time {
        PointTime::Unix(unix) => Some(unix),
        PointTime::SinceBoot { boot, milliseconds } => {
            let began = boots.iter().find(|b| b.tag == boot)?.began?;
            Some(to_seconds(began.saturating_add(milliseconds)))
        }
    }
}

/// A short name for a boot, from the kernel's random boot id; never 0.
#[must_use]
pub fn tag(boot_id: &str) -> u32 {
    crc32fast::hash(boot_id.trim().as_bytes()).max(1)
}

fn to_signed(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}

fn to_seconds(milliseconds: i64) -> u64 {
    u64::try_from(milliseconds).unwrap_or(0) / 1000
}

fn difference(a: u64, b: u64) -> i64 {
    to_signed(a).saturating_sub(to_signed(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: u64 = BUILD_EPOCH + 1_000_000;

    /// In seconds, and a little.
    fn now(wall: u64, since_boot: u64) -> ClockReading {
        ClockReading { wall: wall * 1000 + 250, since_boot: since_boot * 1000 + 750, is_synchronised: false }
    }

    fn in_boot(milliseconds: i64) -> PointTime {
        PointTime::SinceBoot { boot: 9, milliseconds }
    }

    #[test]
    fn before_the_clock_is_known_good_points_have_their_place_in_the_boot() {
        let mut clock = BootClock::new(9, None);
        for (wall, since_boot, claimed, expected) in [
            (100, 100, None, in_boot(100_750)),
            // A wall clock set forward to the last known time is plausible, and behind: not known good either.
            (GOOD, 100, None, in_boot(100_750)),
            // The app read the same wrong clock a moment ago, or since the boot. (The middle of its second.)
            (100, 100, Some(90), in_boot(91_000)),
            (GOOD, 100, Some(GOOD - 99), in_boot(2_000)),
            (GOOD, 100, Some(GOOD + 5), in_boot(106_000)),
            (40, 100, Some(10), in_boot(71_000)),
            // It did not: the time is from a better clock, or from the past.
            (100, 100, Some(GOOD), PointTime::Unix(GOOD)),
            (GOOD, 100, Some(GOOD - 200), PointTime::Unix(GOOD - 200)),
            (GOOD, 100, Some(5), PointTime::Unix(5)),
            (100, 100, Some(u64::MAX), PointTime::Unix(u64::MAX)),
        ] {
            assert!(!clock.look(now(wall, since_boot)));
            assert_eq!(clock.stamp(claimed, now(wall, since_boot)), expected, "{wall} {since_boot} {claimed:?}");
        }
    }

    #[test]
    fn a_clock_set_by_ntp_is_believed_at_once() {
        let mut clock = BootClock::new(9, None);
        assert!(!clock.look(ClockReading { is_synchronised: true, ..now(BUILD_EPOCH - 1, 3) }), "however it says so");
        let set = ClockReading { is_synchronised: true, ..now(GOOD, 50) };
        assert!(clock.look(set));
        assert_eq!(clock.began(), Some(GOOD as i64 * 1000 - 50_500));
        assert_eq!(clock.stamp(None, set), PointTime::Unix(GOOD));
        assert_eq!(clock.stamp(Some(GOOD - 20), set), PointTime::Unix(GOOD - 20));
        assert_eq!(clock.stamp(Some(7), set), PointTime::Unix(7));
    }

    #[test]
    fn the_platform_is_believed_where_the_wall_clock_is_off() {
        let mut clock = BootClock::new(9, None);
        clock.told(12, now(0, 50));
        assert_eq!(clock.began(), None, "a server that lies in 1970, too");
        clock.told(GOOD, now(GOOD - 7200, 50));
        assert_eq!(clock.stamp(None, now(GOOD - 7190, 60)), PointTime::Unix(GOOD + 10));
        assert_eq!(
            clock.stamp(Some(GOOD - 7195), now(GOOD - 7190, 60)),
            PointTime::Unix(GOOD + 5),
            "by the app's clock"
        );
        let mut clock = BootClock::new(9, None);
        clock.told(GOOD, now(GOOD + 3, 50));
        assert_eq!(clock.stamp(None, now(GOOD + 4, 51)), PointTime::Unix(GOOD + 4), "nearly right is left alone");
    }

    #[test]
    fn a_platform_without_time_leaves_a_plausible_clock() {
        let mut clock = BootClock::new(9, None);
        clock.not_told(now(100, 50));
        assert_eq!(clock.began(), None);
        clock.not_told(now(GOOD, 50));
        assert_eq!(clock.stamp(None, now(GOOD, 50)), PointTime::Unix(GOOD));
    }

    #[test]
    fn boots_that_were_cut_short_end_where_the_next_begins() {
        let boot = |tag, began, last| Boot { tag, began, last };
        let boots = [
            boot(1, None, 500_000),
            boot(2, Some(10_000_000), 50_000),
            boot(3, None, 300_000),
            boot(4, None, -5),
            boot(5, None, 70_000),
        ];
        let began = 1_000_000_000;
        let expected = [
            boot(1, Some(9_500_000), 500_000),
            boot(3, Some(began - 300_000), 300_000),
            boot(4, Some(began), -5),
            boot(5, Some(began), 70_000),
        ];
        assert_eq!(place(&boots, 5, began), expected);
        let not_in_it = place(&boots[..3], 5, began);
        assert_eq!(not_in_it[1], boot(3, Some(began - 300_000), 300_000), "the present one has no points");
        assert_eq!(place(&[], 5, began), []);
        let at = |boot, milliseconds| unix(PointTime::SinceBoot { boot, milliseconds }, &expected);
        assert_eq!(at(1, 490_999), Some(9_990));
        assert_eq!(at(1, -99_999_999), Some(0));
        assert_eq!(at(77, 1), None);
        assert_eq!(unix(PointTime::Unix(3), &expected), Some(3));
    }

    #[test]
    fn a_clock_that_is_slewed_meanwhile_names_the_same_second() {
        let unknown = BootClock::new(9, None);
        for slewed in [-400_i64, 0, 400] {
            let PointTime::SinceBoot { milliseconds, .. } = unknown.stamp(Some(GOOD), now(GOOD, 50)) else { panic!() };
            let mut later = now(GOOD + 100, 150);
            later.wall = later.wall.saturating_add_signed(slewed);
            let mut clock = BootClock::new(9, None);
            clock.told(GOOD + 100, later);
            let boots = [Boot { tag: 9, began: clock.began(), last: milliseconds }];
            assert_eq!(unix(PointTime::SinceBoot { boot: 9, milliseconds }, &boots), Some(GOOD), "{slewed}");
        }
    }

    #[test]
    fn a_boot_has_a_name_that_is_never_zero() {
        assert_eq!(tag("2f7f\n"), tag("2f7f"));
        assert_ne!(tag("2f7f"), tag("2f80"));
        assert_ne!(tag(""), 0);
    }
}
