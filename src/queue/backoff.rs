//! When to try again: later each time, and never all gateways at once.

use std::time::Duration;

/// The time before a retry: anything from nothing up to a limit that doubles with each failure ("full jitter"), so that a fleet
/// that lost its server together does not come back together (docs/spec/failures.md, row 6). `failures` in a row, at least 1.
#[must_use]
pub fn delay(failures: u32, first: Duration, longest: Duration, random: u64) -> Duration {
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(30));
    let limit = u64::try_from(doubled.min(longest).as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random % limit.saturating_add(1))
}

/// Failures in a row of one thing, and when it may be tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retry {
    failures: u32,
    /// Not before that, in time since boot.
    at: Duration,
}

impl Retry {
    /// It failed at `now`; `asked` is what the server asked to wait at least.
    pub fn failed(&mut self, now: Duration, first: Duration, longest: Duration, asked: Option<Duration>, random: u64) {
        self.failures = self.failures.saturating_add(1);
        let wait = delay(self.failures, first, longest, random).max(asked.unwrap_or_default());
        self.at = now.saturating_add(wait);
    }

    /// Whether the last try was a failure.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// When it may be tried again, in time since boot; zero: at once.
    #[must_use]
    pub fn at(&self) -> Duration {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(300);

    #[test]
    fn the_limit_doubles_up_to_the_longest_and_any_time_below_it_can_come() {
        for (failures, limit_ms) in [(0, 1000), (1, 1000), (2, 2000), (5, 16_000), (9, 256_000), (10, 300_000)] {
            for random in [0, 1, limit_ms / 2, limit_ms] {
                assert_eq!(delay(failures, FIRST, LONGEST, random), Duration::from_millis(random), "{failures}");
            }
            assert_eq!(delay(failures, FIRST, LONGEST, limit_ms + 1), Duration::ZERO);
        }
        assert!(delay(u32::MAX, FIRST, LONGEST, u64::MAX) <= LONGEST);
        assert!(delay(40, Duration::MAX, Duration::MAX, u64::MAX - 1) <= Duration::from_millis(u64::MAX));
    }

    #[test]
    fn a_server_that_asks_for_time_gets_it() {
        let mut retry = Retry::default();
        let now = Duration::from_secs(100);
        assert_eq!((retry.is_failing(), retry.at()), (false, Duration::ZERO));
        retry.failed(now, FIRST, LONGEST, None, 700);
        assert_eq!((retry.is_failing(), retry.at()), (true, now + Duration::from_millis(700)));
        retry.failed(now, FIRST, LONGEST, Some(Duration::from_secs(90)), 5);
        assert_eq!(retry.at(), now + Duration::from_secs(90));
    }
}
