//! The clocks. Intervals run on the time since boot, which nobody can set; the wall clock is only for what people and
//! servers read (docs/spec/failures.md, row 7).

use std::io;
use std::time::Duration;

use super::time64::{self, Time64};

/// The time since boot, suspended time included (`CLOCK_BOOTTIME`). Never goes back, never jumps.
#[must_use]
pub fn since_boot() -> Duration {
    // A kernel or a sandbox without CLOCK_BOOTTIME still has the other, which only leaves suspended time out.
    read_clock(libc::CLOCK_BOOTTIME).or_else(|| read_clock(libc::CLOCK_MONOTONIC)).unwrap_or_default()
}

/// The time since boot without what was suspended (`CLOCK_MONOTONIC`): the clock that hosting's core counts by.
#[must_use]
pub fn monotonic() -> Duration {
    read_clock(libc::CLOCK_MONOTONIC).unwrap_or_default()
}

/// The wall clock in unix seconds; 0 where it stands before 1970. It may be decades off, and may jump.
#[must_use]
pub fn unix_seconds() -> u64 {
    since_1970().as_secs()
}

/// The wall clock in milliseconds since 1970; see [`unix_seconds`].
#[must_use]
pub fn unix_milliseconds() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

/// The wall clock; zero where it stands before 1970.
pub(super) fn since_1970() -> Duration {
    read_clock(libc::CLOCK_REALTIME).unwrap_or_default()
}

/// Whether the kernel has been told, by an NTP client, that the wall clock is right. Where no such client runs it never is.
#[must_use]
pub fn is_synchronised() -> bool {
    // SAFETY: a timex is integers only, so all zeros is a valid one; with no modes set the call only fills it in.
    unsafe {
        let mut time: libc::timex = std::mem::zeroed();
        libc::adjtimex(&mut time) >= 0 && time.status & libc::STA_UNSYNC == 0
    }
}

/// Sets the wall clock to `unix` seconds.
///
/// # Errors
/// `PermissionDenied` without CAP_SYS_TIME; `InvalidInput` for a time that this machine's kernel cannot hold.
pub fn set_wall_clock(unix: u64) -> io::Result<()> {
    time64::set_wall_clock(i64::try_from(unix).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?)
}

/// Sleeps for `duration`, or until a signal handler has run. `true`: the time is over; `false`: a signal came first.
///
/// A signal that arrives before the sleep begins does not shorten it, whatever its handler noted down.
pub fn sleep(duration: Duration) -> bool {
    sleep_until(since_boot().saturating_add(duration))
}

/// Sleeps until [`since_boot`] reaches `deadline`, or until a signal handler has run. `true`: the deadline is reached.
pub fn sleep_until(deadline: Duration) -> bool {
    let until = from_duration(deadline);
    let no_rest = std::ptr::null_mut();
    // SAFETY: `until` is a valid timespec for the whole call; the rest, which an absolute sleep never writes, is null.
    let errno = unsafe { libc::clock_nanosleep(libc::CLOCK_BOOTTIME, libc::TIMER_ABSTIME, &until, no_rest) };
    match errno {
        0 => true,
        libc::EINTR => false,
        _ => sleep_plainly(deadline.saturating_sub(since_boot())),
    }
}

/// The same where this machine cannot sleep on CLOCK_BOOTTIME: it must never turn into a busy loop.
fn sleep_plainly(duration: Duration) -> bool {
    let time = from_duration(duration);
    // SAFETY: `time` is a valid timespec for the whole call; the rest may be null.
    unsafe { libc::nanosleep(&time, std::ptr::null_mut()) == 0 }
}

fn read_clock(clock: libc::clockid_t) -> Option<Duration> {
    let Time64 { s, ns } = time64::read(clock)?;
    Some(Duration::new(u64::try_from(s).ok()?, u32::try_from(ns).ok()?))
}

/// A duration as the kernel takes it; one that `time_t` cannot hold becomes the longest that it can.
fn from_duration(duration: Duration) -> libc::timespec {
    let seconds = libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX);
    timespec(seconds, duration.subsec_nanos())
}

fn timespec(seconds: libc::time_t, nanoseconds: u32) -> libc::timespec {
    // SAFETY: a timespec is integers only (and padding on some 32-bit machines), so all zeros is a valid one.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    time.tv_sec = seconds;
    // Below 10^9: it fits every tv_nsec there is.
    time.tv_nsec = nanoseconds as _;
    time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_since_boot_goes_on_and_agrees_with_the_kernel() {
        let before = since_boot();
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let after = since_boot();
        let kernel: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!(
            before.as_secs_f64() <= kernel + 0.02 && kernel <= after.as_secs_f64(),
            "{before:?} {kernel} {after:?}"
        );
    }

    #[test]
    fn a_sleep_takes_its_time() {
        let begun = since_boot();
        assert!(sleep(Duration::from_millis(30)));
        assert!(since_boot() - begun >= Duration::from_millis(30));
        assert!(sleep_until(begun), "a deadline that has passed is reached at once");
        let begun = since_boot();
        assert!(sleep_plainly(Duration::from_millis(20)));
        assert!(since_boot() - begun >= Duration::from_millis(20));
    }

    #[test]
    fn a_signal_ends_a_sleep_early() {
        extern "C" fn note(_: libc::c_int) {}
        // SAFETY: the handler does nothing, and the signal goes to this very thread.
        let sleeper = unsafe {
            libc::signal(libc::SIGUSR2, note as *const () as libc::sighandler_t);
            libc::pthread_self()
        };
        let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let is_over = over.clone();
        let killer = std::thread::spawn(move || {
            // One that comes before the sleep begins is lost: send a few.
            for _ in 0..200 {
                std::thread::sleep(Duration::from_millis(50));
                if is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                // SAFETY: the sleeping thread outlives this one, which it joins.
                unsafe { libc::pthread_kill(sleeper, libc::SIGUSR2) };
            }
        });
        let begun = since_boot();
        assert!(!sleep(Duration::from_secs(30)));
        assert!(since_boot() - begun < Duration::from_secs(20));
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        killer.join().unwrap();
    }

    #[test]
    fn the_longest_sleep_does_not_wrap_around() {
        assert_eq!(from_duration(Duration::MAX).tv_sec, libc::time_t::MAX);
        assert_eq!(from_duration(Duration::new(5, 7)).tv_nsec, 7);
    }

    #[test]
    fn a_time_that_the_kernel_cannot_hold_is_refused() {
        assert_eq!(set_wall_clock(u64::MAX).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(unix_seconds() > 1_000_000_000);
    }
}
