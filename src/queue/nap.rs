//! An idle queue sleeps as another program of two kilobytes ([`crate::sys::doze`]) until somebody connects: what it takes of memory is
//! otherwise the TLS library, which only its forwarding processes need.
//!
//! The listening sockets and the lock stay open meanwhile. So no client is turned away: who connects waits in the kernel's
//! queue for the few milliseconds that the start takes; and no other gmq can begin. Nothing is asleep that has anything to do, or
//! knows anything that is neither on disk nor in [`NapRecord`].

use std::io;
use std::net::TcpListener;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sys::doze::{self, WakeCause};
use crate::sys::hand_over::{call_by_signal, keep, take_listener};
use crate::sys::lock::{self, Lock};
use crate::sys::poll::Watch;
use crate::sys::{clock, signal};

/// How long nothing has happened by then: an app that writes every minute is not to pay for a start each time.
const AFTER: Duration = Duration::from_secs(90);
/// Another time in seconds, for tests.
const AFTER_VARIABLE: &str = "GWE_NAP_AFTER";
/// Nothing has to be done at a certain time, and no clock can tell "never".
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// Both loopback addresses.
const MAX_LISTENERS: usize = 2;

/// What a queue that naps cannot find on disk again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NapRecord {
    /// Requests refused since the server started.
    pub refused: u64,
    /// Points that the platform has taken since the queue was made: those that never waited are noted with the next that does.
    pub forwarded: u64,
    /// When this boot began, in milliseconds since 1970, if that is known.
    pub began: Option<i64>,
}

/// A queue that has been woken.
#[derive(Debug)]
pub struct Awake {
    /// Held all the time; `None`: it was not handed over after all.
    pub lock: Option<Lock>,
    /// Open all the time; empty: not handed over.
    pub listeners: Vec<TcpListener>,
    /// What it knew.
    pub kept: NapRecord,
    /// Whether it was told to stop.
    pub is_stopped: bool,
}

/// When to nap, and as what to wake up.
#[derive(Debug)]
pub struct Nap {
    after: Duration,
    /// Nothing has happened since the server saw that there is nothing to do.
    at: Option<Duration>,
    programs: [PathBuf; 2],
}

impl Nap {
    /// `programs`: what is run after a nap, and what in its place where that is gone. `None` where naps are not wanted or cannot be.
    #[must_use]
    pub fn new(programs: [PathBuf; 2], now: Duration) -> Option<Nap> {
        let after = std::env::var(AFTER_VARIABLE).ok().and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let after = after.unwrap_or(AFTER);
        // Also where nobody ever comes.
        let at = Some(now.saturating_add(after));
        doze::is_allowed().then_some(Nap { after, at, programs })
    }

    /// When to look again whether it is time.
    #[must_use]
    pub fn at(&self) -> Option<Duration> {
        self.at
    }

    /// Something has happened.
    pub fn put_off(&mut self) {
        self.at = None;
    }

    /// Whether it is time, given that there is nothing to do. To be asked in each turn of the loop.
    pub fn is_due(&mut self, is_idle: bool, now: Duration) -> bool {
        self.at = if is_idle { self.at.or(Some(now.saturating_add(self.after))) } else { None };
        self.at.is_some_and(|at| at <= now)
    }

    /// Naps. Comes back where a client called at this very moment, and with an error where it cannot be done.
    ///
    /// # Errors
    /// What the system said. Nothing has changed then, and it would say so again.
    pub fn take(&mut self, lock: &Lock, listeners: &[TcpListener], kept: NapRecord) -> io::Result<()> {
        self.at = None;
        // Before the kernel is asked for calls: one that comes from here on stays pending.
        signal::forget_calls();
        let mut descriptors = vec![keep(lock, true)?];
        let mut watch = Watch::default();
        for listener in listeners {
            descriptors.push(keep(listener, true)?);
            call_by_signal(listener, true)?;
            watch.add(listener, true, false);
        }
        // Who called before that has sent no signal.
        watch.wait(Some(Duration::ZERO))?;
        let is_called = (0..listeners.len()).any(|place| watch.ready(place).read);
        let result = if is_called { Ok(()) } else { Err(self.sleep(&descriptors, kept)) };
        for listener in listeners {
            call_by_signal(listener, false)?;
            keep(listener, false)?;
        }
        keep(lock, false)?;
        result
    }

    fn sleep(&self, descriptors: &[RawFd], kept: NapRecord) -> io::Error {
        let [first, second] = &self.programs;
        doze::doze(clock::since_boot() + LONGEST, &write(descriptors, kept), [first, second])
    }
}

/// Takes back what was handed over before a nap; `None` where this process comes from none. To be called once, first, with signals blocked.
#[must_use]
pub fn awake(lock: &Path) -> Option<Awake> {
    let woken = doze::woken()?;
    let (descriptors, kept) = read(&woken.kept)?;
    let (first, listeners) = descriptors.split_first()?;
    let lock = lock::take_back(*first, lock);
    let listeners = listeners.iter().filter_map(|fd| take_listener(*fd)).collect();
    Some(Awake { lock, listeners, kept, is_stopped: woken.why == WakeCause::Stop })
}

/// `refused,forwarded,began,descriptor,…`: the lock's, then the listeners'.
fn write(descriptors: &[RawFd], kept: NapRecord) -> String {
    let mut text = kept.refused.to_string();
    text.push(',');
    text.push_str(&kept.forwarded.to_string());
    text.push(',');
    text.push_str(&kept.began.map_or_else(String::new, |began| began.to_string()));
    for descriptor in descriptors {
        text.push(',');
        text.push_str(&descriptor.to_string());
    }
    text
}

/// Anything else than what was written is no nap.
fn read(text: &str) -> Option<(Vec<RawFd>, NapRecord)> {
    let mut fields = text.split(',');
    let mut count = || fields.next()?.parse().ok();
    let (refused, forwarded) = (count()?, count()?);
    let began = match fields.next()? {
        "" => None,
        began => Some(began.parse().ok()?),
    };
    let descriptors: Vec<RawFd> = fields.map(|fd| fd.parse().ok().filter(|fd| *fd > 2)).collect::<Option<_>>()?;
    // Each is taken by its number: none twice.
    let is_each_once = descriptors.iter().enumerate().all(|(place, fd)| !descriptors[..place].contains(fd));
    let is_usable = is_each_once && (2..=1 + MAX_LISTENERS).contains(&descriptors.len());
    is_usable.then_some((descriptors, NapRecord { refused, forwarded, began }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_nothing_else_is_taken_for_it() {
        for (descriptors, kept) in [
            (vec![3, 4], NapRecord::default()),
            (vec![5, 3, 4], NapRecord { refused: u64::MAX, forwarded: u64::MAX, began: Some(i64::MIN) }),
            (vec![i32::MAX, 100, 3], NapRecord { refused: 7, forwarded: 9, began: Some(1_800_000_000_000) }),
        ] {
            let text = write(&descriptors, kept);
            assert!(text.len() <= 128, "{text}");
            assert_eq!(read(&text), Some((descriptors, kept)));
        }
        for text in [
            "",
            "0",
            "0,0",
            "0,0,",
            "0,0,,3",
            "0,0,,3,4,5,6",
            "0,0,,3,3",
            "0,0,,2,3",
            "0,0,,3,-4",
            "0,0,,3,x",
            "x,0,,3,4",
            "0,x,,3,4",
            "0,0,x,3,4",
            "3,1",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn it_is_time_when_nothing_has_happened_for_long() {
        let mut nap = Nap { after: Duration::from_secs(90), at: None, programs: Default::default() };
        let s = Duration::from_secs;
        assert!(!nap.is_due(true, s(10)));
        assert_eq!(nap.at(), Some(s(100)));
        assert!(!nap.is_due(true, s(99)));
        assert!(nap.is_due(true, s(100)));
        assert!(!nap.is_due(false, s(101)), "there is something to do");
        assert_eq!(nap.at(), None);
        assert!(!nap.is_due(true, s(102)));
        nap.put_off();
        assert!(!nap.is_due(true, s(192)), "a request has come in between");
        assert!(nap.is_due(true, s(282)));
    }
}
