//! Listening between two check-ins (`[engine] push = yes`): a child holds one long poll, and tells the engine when there is an order,
//! as whoever else wants a check-in now does: by SIGHUP. So the engine sleeps as it does without, and its schedule stays as it is.
//!
//! Invariants: the child orders nothing and clears nothing, a check-in does; it never asks more often than the backing off below lets
//! it, whatever it is answered; it ends with the engine, and before the next check-in.

use std::time::Duration;

use super::{own_executable, schedule};
use crate::config::paths::ROOT_VARIABLE;
use crate::config::Config;
use crate::device::{call, Client, DeviceError, Settings, Waited, MAX_WAIT, ORDERS};
use crate::sys::program::Program;
use crate::sys::{clock, process, random, signal};

/// The engine's process, for the child that listens for it.
const LISTENS_FOR: &str = "GWE_LISTENS_FOR";
/// What is written in a second may bear that second's time, and so be no news to whoever has read in it: it is read again after this.
/// Until then a poll is held that asks for whatever is written from now on.
const SETTLE: Duration = Duration::from_millis(1100);
/// An answer that comes sooner than this is no wait.
const QUICK: Duration = Duration::from_secs(5);
/// The longest pause after answers that come at once, one after the other.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A platform that restarts breaks all polls in one moment. Who listens comes back spread over one wait, then over two, up to so many: so
/// the load on it stays below twice the usual one, which is a poll a wait (`tests/it/herd.rs` has it for check-ins).
const LONGEST_SPREAD: u32 = 4;
/// Where a network forgets silent connections, shorter waits come back; none is shorter than this.
const SHORTEST_WAIT: Duration = Duration::from_secs(60);
/// Before everything that was ever written.
const EVER: &str = "0";

/// Starts to listen for this process. What cannot be started is told, and then the schedule alone counts.
pub fn start(config: &Config) {
    let mut listener = Program::new(own_executable());
    listener.arg("--listen").env(ROOT_VARIABLE, config.paths().root()).env(LISTENS_FOR, std::process::id().to_string());
    if let Err(e) = process::spawn_with_parent(listener) {
        crate::warning!("cannot listen for orders: {e}; they wait for the next check-in");
    }
}

/// Ends what [`start`] started. The call of a listener that was just about to end is answered by the check-in that follows.
#[must_use]
pub fn end() -> Option<signal::Signal> {
    process::end_children();
    loop {
        match signal::wait(Duration::ZERO) {
            Some(signal::Signal::Child | signal::Signal::Hurry) => {}
            other => return other,
        }
    }
}

/// Waits until there is an order; 0: there is one, 1: it cannot be waited for.
#[must_use]
pub fn run(config: &Config) -> u8 {
    let Some(cik) = config.cik() else {
        crate::error!("cannot listen: this gateway is not activated");
        return 1;
    };
    let client = match Client::new(Settings::of(config, "gwe")) {
        Ok(client) => client,
        Err(e) => {
            crate::error!("cannot listen: {e}");
            return 1;
        }
    };
    let listens_since = clock::since_boot();
    let mut listener = Listener::new();
    loop {
        let begun = clock::since_boot();
        let (wait, since) = listener.asks();
        let answer = client.wait(&cik, &ORDERS, wait, since);
        match listener.next(answer, clock::since_boot().saturating_sub(begun), random::bits()) {
            ListenNext::Order => {
                tell(config, listens_since);
                return 0;
            }
            ListenNext::Ask(pause) => drop(clock::sleep(pause)),
            ListenNext::GiveUp(e) => {
                crate::warning!("{e}; not listening until the next check-in");
                return 1;
            }
        }
    }
}

/// Tells the engine, where one waits.
fn tell(config: &Config, listens_since: Duration) {
    let engine = std::env::var(LISTENS_FOR).ok().and_then(|pid| pid.parse().ok());
    if let Some(pid) = engine.filter(|pid| *pid == std::os::unix::process::parent_id() as i32) {
        crate::info!("there is an order");
        call::leave(config.paths(), listens_since);
        let _ = signal::hurry(pid);
    }
}

/// What to do after an answer.
#[derive(Debug)]
enum ListenNext {
    /// Tell that there is an order.
    Order,
    /// Ask again after this pause.
    Ask(Duration),
    /// No answer will ever be another.
    GiveUp(Box<DeviceError>),
}

/// What is known of the platform's answers so far. It reads no clock and draws nothing, so that tests turn both.
#[derive(Debug)]
struct Listener {
    /// What the next poll is to be newer than; `None` where the platform does not tell times.
    since: Option<String>,
    /// The last time that the platform told.
    told: Option<String>,
    /// What was told may not be the last of its second: whatever is written from now on is waited for, until that second is over.
    settles: bool,
    wait: Duration,
    failures: u32,
    quick: u32,
}

impl Listener {
    fn new() -> Listener {
        Listener { since: Some(EVER.to_string()), told: None, settles: false, wait: MAX_WAIT, failures: 0, quick: 0 }
    }

    /// How long the next poll waits, and what it is to be newer than.
    fn asks(&self) -> (Duration, Option<&str>) {
        if self.settles {
            (SETTLE, None)
        } else {
            (self.wait, self.since.as_deref())
        }
    }

    fn next(&mut self, answer: Result<Option<Waited>, Box<DeviceError>>, took: Duration, random: u64) -> ListenNext {
        match answer {
            Err(e) if e.unauthorized() => ListenNext::GiveUp(e),
            Err(e) => {
                crate::debug!("{e}; listening again later");
                if took >= SHORTEST_WAIT {
                    self.wait = (self.wait / 2).max(SHORTEST_WAIT);
                }
                let spread = MAX_WAIT.saturating_mul((1 << self.failures.min(16)).min(LONGEST_SPREAD));
                self.failures = self.failures.saturating_add(1);
                self.settles = false;
                ListenNext::Ask(schedule::fraction(spread, random).max(SETTLE))
            }
            Ok(Some(waited)) if waited.values.iter().any(|(_, value)| !value.trim().is_empty()) => ListenNext::Order,
            Ok(waited) => {
                self.failures = 0;
                if std::mem::take(&mut self.settles) {
                    return ListenNext::Ask(self.settled(waited, took, random));
                }
                self.quick = if took < QUICK { self.quick.saturating_add(1) } else { 0 };
                if let Some(waited) = waited {
                    self.note(waited);
                }
                ListenNext::Ask(self.pause(random))
            }
        }
    }

    /// The pause after a poll that was held while a second went by: what is left of that where the poll was not held.
    fn settled(&mut self, waited: Option<Waited>, took: Duration, random: u64) -> Duration {
        match waited {
            None if took >= SETTLE => return Duration::ZERO,
            None => {}
            // Emptied once more.
            Some(waited) => self.told = waited.last_modified,
        }
        self.quick = self.quick.saturating_add(1);
        self.pause(random).max(SETTLE)
    }

    /// Nothing is there, and `last_modified` is when that was written. It is believed where that second is over, or once it has been told
    /// twice: see [`SETTLE`].
    fn note(&mut self, Waited { last_modified, is_past, .. }: Waited) {
        let is_settled = last_modified.is_some() && (is_past || last_modified == self.told);
        self.settles = last_modified.is_some() && !is_settled;
        self.since = match (&last_modified, is_settled) {
            (None, _) => None,
            (Some(time), true) => Some(time.clone()),
            (Some(_), false) => Some(EVER.to_string()),
        };
        self.told = last_modified;
    }

    /// Two quick answers are the beginning of a listening; more of them are a platform that does not wait.
    fn pause(&self, random: u64) -> Duration {
        match self.quick {
            0..=2 => Duration::ZERO,
            more => schedule::fraction(SETTLE.saturating_mul(1 << (more - 2).min(16)).min(LONGEST_PAUSE), random)
                .max(SETTLE),
        }
    }
}

#[cfg(test)]
mod tests;
