//! How fast a download may be read: a bucket of bytes that fills with time, and is emptied by what comes (docs/spec/failures.md, F7).
//!
//! Plain decisions over times and counts, for the pump to carry out: what it does not read, TCP keeps the server from sending. A server
//! that is not read from is not silent, so nothing of this counts as a stall ([`watchdog`](super::watchdog)).

use std::time::Duration;

/// The bucket holds what comes in this part of a second; half of it is waited for, so that nobody wakes for a few bytes.
const PART: u64 = 4;
/// And so much at least.
const LEAST: u64 = 1024;
const NANOSECONDS: u128 = 1_000_000_000;

/// A faster one takes in ahead what the system thinks fit: a slow start would be all that a limit of its own is good for.
const FAST: u64 = 256 * 1024;
/// A window that holds one segment of every link.
const SMALLEST_WINDOW: u64 = 8 * 1024;

/// How many bytes the system should take in ahead for such a rate; `None`: as it thinks fit. One second's: as long as any round trip.
pub(crate) fn ahead(rate: u64) -> Option<usize> {
    (rate < FAST).then(|| usize::try_from(rate.max(SMALLEST_WINDOW)).unwrap_or(usize::MAX))
}

/// A bucket of bytes. Times count from the connection's beginning.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: u64,
    /// Bytes that may be read; below zero what a record of TLS has brought beyond that.
    level: i64,
    /// The bytes that had come by then.
    counted: u64,
    /// Up to when it is filled.
    filled: Duration,
}

impl Pace {
    /// So many bytes a second.
    pub(crate) fn new(rate: u64) -> Pace {
        let rate = rate.max(1);
        Pace { rate, level: signed(size(rate)), counted: 0, filled: Duration::ZERO }
    }

    /// At a time, with so many bytes come: how many may be read now, or how long none may.
    pub(crate) fn look(&mut self, now: Duration, come: u64) -> Result<usize, Duration> {
        self.level = self.level.saturating_sub(signed(come.saturating_sub(self.counted)));
        self.counted = come;
        let full = signed(size(self.rate));
        let passed = now.saturating_sub(self.filled).as_nanos();
        let new = u64::try_from(passed * u128::from(self.rate) / NANOSECONDS).unwrap_or(u64::MAX);
        // Only the time that made whole bytes is used up.
        self.filled += time_of(new, self.rate);
        self.level = self.level.saturating_add(signed(new)).min(full);
        match full / 2 - self.level {
            missing if missing > 0 => Err(time_of(missing.unsigned_abs(), self.rate).max(Duration::from_millis(1))),
            _ => Ok(usize::try_from(self.level).unwrap_or(usize::MAX)),
        }
    }
}

fn size(rate: u64) -> u64 {
    (rate / PART).max(LEAST)
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// How long so many bytes take.
fn time_of(bytes: u64, rate: u64) -> Duration {
    let nanoseconds = u128::from(bytes) * NANOSECONDS / u128::from(rate);
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads for so many milliseconds what a server sends that always has more, `extra` bytes beyond what is allowed at each read. The
    /// bytes read and the times woken.
    fn play(rate: u64, milliseconds: u64, extra: u64) -> (u64, u64) {
        let (mut pace, end) = (Pace::new(rate), Duration::from_millis(milliseconds));
        let (mut now, mut come, mut woken) = (Duration::ZERO, 0, 0);
        while now < end {
            woken += 1;
            match pace.look(now, come) {
                Ok(bytes) => come += bytes as u64 + extra,
                Err(wait) => now += wait,
            }
        }
        (come, woken)
    }

    #[test]
    fn no_more_comes_than_the_rate_and_one_bucket() {
        for (rate, extra) in [(1000, 0), (1000, 16 * 1024), (64_000, 0), (64_000, 16 * 1024), (1 << 40, 0), (1001, 3)] {
            let (come, woken) = play(rate, 60_000, extra);
            let fair = rate * 60;
            // One record of TLS may be beyond it.
            assert!(come <= fair + size(rate) + extra, "{rate} {extra}: {come}");
            assert!(come >= fair - extra.min(fair) - size(rate), "{rate} {extra}: {come}");
            assert!(woken < 60 * 2 * 2 * PART + 10, "{rate}: woken {woken} times in a minute");
        }
    }

    #[test]
    fn a_silent_server_saves_nothing_up() {
        let mut pace = Pace::new(64_000);
        assert_eq!(pace.look(Duration::ZERO, 0), Ok(16_000));
        assert_eq!(pace.look(Duration::from_secs(3600), 0), Ok(16_000));
        assert_eq!(pace.look(Duration::from_secs(3600), 16_000), Err(Duration::from_millis(125)));
        assert_eq!(pace.look(Duration::from_millis(3_600_125), 16_000), Ok(8000));
        // A clock that stands, or is behind, fills nothing and breaks nothing.
        assert_eq!(pace.look(Duration::ZERO, 24_000), Err(Duration::from_millis(125)));
        assert!(pace.look(Duration::MAX, u64::MAX).is_err());
    }
}
