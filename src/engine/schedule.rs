//! When the next check-in is: pure arithmetic, which the simulation in `tests/` drives with 10,000 agents.
//!
//! Invariant: nothing here reads a clock; durations go in and come out, so a jump of the wall clock moves nothing.

use std::time::Duration;

/// The longest first wait after a failure, where the update interval is not shorter.
const FIRST_RETRY: Duration = Duration::from_secs(60);
/// The part of the update interval that the second wait after a failure is drawn from, and the first after boot.
const SHARE: u32 = 4;
/// A gateway that checks in more often than this still backs off as far as this.
const LEAST_CAP: Duration = Duration::from_secs(60);
/// Doublings after which the cap counts anyway.
const MAX_DOUBLINGS: u32 = 20;
/// No wait is shorter.
const SHORTEST: Duration = Duration::from_secs(1);

/// The wait after the `failures`-th failure in a row (from 1), with full jitter. The first retry comes soon: a modem that was
/// late at boot, a connection that broke. From the second on, waits are drawn from a quarter of the update interval, which
/// doubles up to the whole: so those that an outage of the server has missed come back over as long a time as they would have
/// come in, and the load on it at most doubles (docs/spec/failures.md, row 6; `tests/it/herd.rs` has the figures).
#[must_use]
pub fn after_failure(failures: u32, interval: Duration, random: u64) -> Duration {
    let first = FIRST_RETRY.min(interval);
    let ceiling = match failures {
        0 | 1 => first,
        _ => first.max(interval / SHARE).saturating_mul(1 << (failures - 2).min(MAX_DOUBLINGS)),
    };
    fraction(ceiling.min(interval.max(LEAST_CAP)), random).max(SHORTEST)
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

    #[test]
    fn retries_double_up_to_the_interval_and_never_hammer() {
        for (failures, interval, ceiling) in [
            (1, HOUR4, 60),
            (2, HOUR4, 3600),
            (3, HOUR4, 7200),
            (4, HOUR4, 14_400),
            (u32::MAX, HOUR4, 14_400),
            (1, Duration::from_secs(10), 10),
            (2, Duration::from_secs(10), 10),
            (9, Duration::from_secs(10), 60),
            (1, Duration::from_secs(1), 1),
        ] {
            let longest = after_failure(failures, interval, u64::MAX);
            assert!(longest <= Duration::from_secs(ceiling), "{failures}: {longest:?}");
            assert!(longest >= Duration::from_secs(ceiling) - Duration::from_millis(1), "{failures}: {longest:?}");
            assert_eq!(after_failure(failures, interval, 0), SHORTEST);
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
