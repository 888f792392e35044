//! The pause between two check-ins, and what the engine keeps over it.
//!
//! A long one is slept as another program of two kilobytes ([`crate::sys::doze`]): the engine's own code, and the TLS library that it
//! comes with, are in memory only while a check-in runs. A short one is not worth it, and where it cannot be had the engine
//! sleeps as it is.

use std::path::Path;
use std::time::Duration;

use super::own_executable;
use crate::config::Paths;
use crate::sys::clock;
use crate::sys::doze::{self, WakeCause};
use crate::sys::signal::{self, Signal};

/// Shorter pauses are slept as the engine.
pub const LONG: Duration = Duration::from_secs(10);

/// What is to be known after a pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarriedOver {
    /// Check-ins in a row that did not complete.
    pub failures: u32,
    /// Whether one completed since the start.
    pub completed: bool,
}

impl CarriedOver {
    fn write(self) -> String {
        [self.failures.to_string().as_str(), if self.completed { "1" } else { "0" }].join(",")
    }

    /// Anything else than what was written is a fresh start.
    fn read(text: &str) -> CarriedOver {
        let parse = |(failures, completed): (&str, &str)| {
            Some(CarriedOver { failures: failures.parse().ok()?, completed: completed == "1" })
        };
        text.split_once(',').and_then(parse).unwrap_or_default()
    }
}

/// Whether this process comes out of a pause: what it kept, and the signal that ended it early. To be called once, first, with signals
/// blocked.
pub fn woken() -> Option<(CarriedOver, Option<Signal>)> {
    let woken = doze::woken()?;
    let signal = match woken.why {
        // Too early is no reason to check in: then the rest is slept as the engine.
        WakeCause::Time => wait(Some(woken.deadline)),
        WakeCause::Hurry => Some(Signal::Hurry),
        WakeCause::Stop => Some(Signal::Stop),
    };
    Some((CarriedOver::read(&woken.kept), signal))
}

/// Sleeps on the monotonic clock; a signal other than "a child ended" ends it early. With something to be `kept`, a long pause
/// does not come back: the engine starts anew, and [`woken`] says so.
pub fn pause(delay: Duration, kept: Option<CarriedOver>, paths: &Paths) -> Option<Signal> {
    let deadline = clock::since_boot() + delay;
    if let Some(kept) = kept.filter(|_| delay >= LONG && doze::is_allowed()) {
        let own = own_executable();
        // Replaced meanwhile, perhaps by a package's update: the next check-in still is this version's.
        if own.is_file() {
            let error = doze::doze(deadline, &kept.write(), [&own, Path::new(&paths.below_root("/usr/bin/gwe"))]);
            crate::debug!("cannot sleep as a smaller program: {error}");
        }
    }
    wait((!delay.is_zero()).then_some(deadline))
}

/// Waits for a signal until the deadline; without one it only looks whether there is a signal.
fn wait(deadline: Option<Duration>) -> Option<Signal> {
    loop {
        let left = deadline.unwrap_or_default().saturating_sub(clock::since_boot());
        if left.is_zero() && deadline.is_some() {
            return None;
        }
        match signal::wait(left) {
            Some(Signal::Child) => {}
            Some(other) => return Some(other),
            None if deadline.is_none() => return None,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_anything_else_is_a_fresh_start() {
        for kept in [
            CarriedOver::default(),
            CarriedOver { failures: 3, completed: true },
            CarriedOver { failures: u32::MAX, completed: false },
        ] {
            assert_eq!(CarriedOver::read(&kept.write()), kept);
        }
        for text in ["", ",", "1", "-1,1", "x,1", "99999999999,1"] {
            assert_eq!(CarriedOver::read(text), CarriedOver::default(), "{text}");
        }
    }
}
