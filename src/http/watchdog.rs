//! When a request has taken too long: plain decisions over times and counts, for the relay to carry out.
//!
//! A stall is silence of the *server*. While the client is busy with what has come (a slow flash), or has not read what
//! was passed on to it, nothing counts against the server.

use std::time::Duration;

/// A download must bring [`MIN_BYTES`] in each such stretch of time, or it is dropped and resumed later: a server that
/// drips a byte now and then is never silent, and would hold the agent for ever.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// See [`WINDOW`]: 68 bytes a second, a twentieth of the slowest cellular link.
pub(crate) const MIN_BYTES: u64 = 4 * 1024;

/// The time that a request may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimits {
    /// The longest silence of the server.
    pub stall: Duration,
    /// From the connection's beginning to the answer's end; `None`: as long as [`WINDOW`] is content.
    pub total: Option<Duration>,
    /// So many bytes a second are read at the most; `None`: as many as come.
    pub rate: Option<u64>,
}

/// Which limit was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expired {
    /// No byte for so long.
    Stalled(Duration),
    /// The whole took so long.
    TimedOut(Duration),
    /// Fewer than [`MIN_BYTES`] in a [`WINDOW`].
    TooSlow,
}

/// What the relay sees at one moment. Times count from the connection's beginning.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sight {
    pub now: Duration,
    /// Bytes from and to the server so far.
    pub wire: u64,
    /// KiB of the body that the client has dealt with so far.
    pub consumed: u32,
    /// Whether the client waits for bytes, and all that came was passed on to it.
    pub is_hungry: bool,
}

/// Remembers when something last moved.
#[derive(Debug)]
pub(crate) struct Watchdog {
    limits: TimeLimits,
    /// What was there at the last movement, and when that was.
    last: Sight,
    /// What was there when the window began.
    window: Sight,
}

impl Watchdog {
    pub(crate) fn new(limits: TimeLimits) -> Watchdog {
        Watchdog { limits, last: Sight::default(), window: Sight::default() }
    }

    /// When to look again at the latest, or which limit was passed.
    pub(crate) fn look(&mut self, sight: Sight) -> Result<Duration, Expired> {
        if !sight.is_hungry {
            self.last = sight;
            self.window = sight;
        }
        if sight.wire != self.last.wire || sight.consumed != self.last.consumed {
            self.last = sight;
        }
        let stalled_at = self.last.now + self.limits.stall;
        if sight.now >= stalled_at {
            return Err(Expired::Stalled(self.limits.stall));
        }
        let ends_at = match self.limits.total {
            Some(total) if sight.now >= total => return Err(Expired::TimedOut(total)),
            Some(total) => total,
            None => self.look_at_window(sight)?,
        };
        // What the client does wakes nobody: looking now and then keeps its progress from being seen too late.
        Ok((stalled_at.min(ends_at) - sight.now).min(self.limits.stall / 4))
    }

    fn look_at_window(&mut self, sight: Sight) -> Result<Duration, Expired> {
        if sight.now >= self.window.now + WINDOW {
            let consumed = u64::from(sight.consumed.wrapping_sub(self.window.consumed)) * 1024;
            if (sight.wire - self.window.wire).max(consumed) < MIN_BYTES {
                return Err(Expired::TooSlow);
            }
            self.window = sight;
        }
        Ok(self.window.now + WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(30);

    /// Second by second, what the link brings and the client does; returns when and why it ends within the time.
    fn play(total: Option<u64>, seconds: u64, at: impl Fn(u64) -> (u64, u32, bool)) -> Option<(u64, Expired)> {
        let limits = TimeLimits { stall: STALL, total: total.map(Duration::from_secs), rate: None };
        let mut dog = Watchdog::new(limits);
        let mut wake = Duration::ZERO;
        for second in 0..=seconds {
            let (wire, consumed, is_hungry) = at(second);
            let now = Duration::from_secs(second);
            assert!(wake >= now || second == 0 || wake > now - Duration::from_secs(1), "it would have slept too long");
            match dog.look(Sight { now, wire, consumed, is_hungry }) {
                Ok(time) => wake = now + time,
                Err(why) => return Some((second, why)),
            }
        }
        None
    }

    #[test]
    fn silence_of_the_server_is_a_stall() {
        // rauc#1517: a stall must be noticed within 60 s.
        assert_eq!(play(None, 100, |_| (0, 0, true)), Some((30, Expired::Stalled(STALL))));
        assert_eq!(play(None, 100, |s| (s.min(20) * 9000, 0, true)), Some((50, Expired::Stalled(STALL))));
        assert_eq!(play(Some(10), 100, |_| (0, 0, true)), Some((10, Expired::TimedOut(Duration::from_secs(10)))));
    }

    #[test]
    fn a_drip_is_too_slow_for_a_download_and_out_of_time_for_a_call() {
        assert_eq!(play(None, 100, |s| (s, 0, true)), Some((60, Expired::TooSlow)));
        let late = |s: u64| (s.min(70) * 9000 + s, 0, true);
        assert_eq!(play(None, 300, late), Some((180, Expired::TooSlow)));
        assert_eq!(play(Some(60), 100, |s| (s, 0, true)), Some((60, Expired::TimedOut(Duration::from_secs(60)))));
        assert_eq!(play(None, 10_000, |s| (s * 70, 0, true)), None, "a slow link is no drip");
    }

    #[test]
    fn a_slow_flash_is_not_held_against_the_server() {
        assert_eq!(play(None, 500, |_| (0, 0, false)), None, "busy all the time");
        // All has come within 5 seconds; the client takes long to deal with what lies in between.
        assert_eq!(play(None, 3000, |s| (s.min(5) << 20, s as u32, s % 29 != 0)), None);
        let stuck = |s: u64| (s.min(5) << 20, s.min(100) as u32, true);
        assert_eq!(play(None, 3000, stuck), Some((130, Expired::Stalled(STALL))));
    }
}
