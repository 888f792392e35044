//! When the next check-in is: pure arithmetic, which the simulation in `tests/` drives with 10,000 agents.
//!
//! Invariant: nothing here reads a clock; durations go in and come out, so a jump of the wall clock moves nothing.

use std::time::Duration;

/// The longest first wait after a failure, where the update interval is not shorter.
const FIRST_RETRY: Duration = Duration::from_secs(60);
/// The part of the update interval that the second wait after a failure is drawn from, and the first after boot.
const SHARE: u32 = 4;
/// A shorter share is none: its retries and the first ones would come at the same time.
const LEAST_SHARE: Duration = Duration::from_secs(900);
/// A gateway that checks in more often than this still backs off as far as this.
const LEAST_CAP: Duration = Duration::from_secs(60);
/// Doublings after which the cap counts anyway.
const MAX_DOUBLINGS: u32 = 20;
/// No wait is shorter.
const SHORTEST: Duration = Duration::from_secs(1);

/// The wait after the `failures`-th failure in a row (from 1). The first retry comes soon: a modem that was late at boot, a connection that
/// broke. The second comes within a quarter of the update interval where that is long, and then each gateway keeps to the interval. So what
/// an outage of the server has missed comes back over as long a time as it would have come in, and the load on it at most doubles, however
/// long the outage was (docs/spec/failures.md, row 6; `tests/it/herd.rs` has the figures). More retries within one interval, as spread as
/// they are, were three times the steady load after an outage of most of an interval.
#[must_use]
pub fn after_failure(failures: u32, interval: Duration, random: u64) -> Duration {
    let first = FIRST_RETRY.min(interval);
    let wait = match failures {
        0 | 1 => fraction(first, random),
        more if interval < LEAST_CAP => {
            fraction(first.saturating_mul(1 << (more - 2).min(MAX_DOUBLINGS)).min(LEAST_CAP), random)
        }
        2 if interval / SHARE >= LEAST_SHARE => fraction(interval / SHARE, random),
        _ => interval,
    };
    wait.max(SHORTEST)
}

/// The wait before the first check-in after boot: spread over a quarter of the update interval, so that a district in which the
/// power comes back is no thundering herd (`tests/it/herd.rs`). An agent that was restarted on a running gateway does not wait, nor does
/// one that still has to be activated: somebody stands beside it.
#[must_use]
pub fn after_boot(interval: Duration, random: u64) -> Duration {
    fraction(interval / SHARE, random)
}

/// A part of `whole`, even over the 2^32 fractions that `random`'s upper half names.
pub(super) fn fraction(whole: Duration, random: u64) -> Duration {
    let ms = (u128::from(random >> 32) * whole.as_millis()) >> 32;
    Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR4: Duration = Duration::from_secs(14_400);
    const MINUTES5: Duration = Duration::from_secs(300);

    #[test]
    fn the_first_retries_come_soon_and_none_hammers() {
        let quick = Duration::from_secs(10);
        // Failures, interval, and the shortest and longest wait.
        for (failures, interval, shortest, longest) in [
            (1, HOUR4, 1, 60),
            (2, HOUR4, 1, 3600),
            (3, HOUR4, 14_400, 14_400),
            (u32::MAX, HOUR4, 14_400, 14_400),
            (1, MINUTES5, 1, 60),
            (2, MINUTES5, 300, 300),
            (9, MINUTES5, 300, 300),
            (1, quick, 1, 10),
            (2, quick, 1, 10),
            (9, quick, 1, 60),
            (1, SHORTEST, 1, 1),
            (9, SHORTEST, 1, 60),
        ] {
            let wait = |random| after_failure(failures, interval, random);
            assert_eq!(wait(0), Duration::from_secs(shortest), "{failures} of {interval:?}");
            let longest = Duration::from_secs(longest);
            assert!(
                wait(u64::MAX) <= longest && wait(u64::MAX) + Duration::from_millis(1) >= longest,
                "{failures} of {interval:?}"
            );
        }
    }

    #[test]
    fn the_first_check_in_after_boot_is_spread() {
        assert_eq!(after_boot(HOUR4, 0), Duration::ZERO);
        assert!(after_boot(HOUR4, u64::MAX) > Duration::from_secs(3599));
        assert!(after_boot(HOUR4, u64::MAX) <= Duration::from_secs(3600));
        assert!(after_boot(Duration::from_secs(4), u64::MAX) <= Duration::from_secs(1));
        assert_eq!(after_boot(HOUR4, 1 << 63), Duration::from_secs(1800));
    }
}
