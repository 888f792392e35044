//! Signals as events: blocked, and waited for with a time limit, so that what idles needs no handler and no wakeup.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::FromRawFd;
use std::time::Duration;

/// What the engine's parent waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, SIGINT or SIGQUIT: stop.
    Stop,
    /// SIGHUP or SIGUSR1: check in now.
    Hurry,
    /// SIGCHLD: a child has ended.
    Child,
}

const AWAITED: [(libc::c_int, Signal); 6] = [
    (libc::SIGTERM, Signal::Stop),
    (libc::SIGINT, Signal::Stop),
    (libc::SIGQUIT, Signal::Stop),
    (libc::SIGHUP, Signal::Hurry),
    (libc::SIGUSR1, Signal::Hurry),
    (libc::SIGCHLD, Signal::Child),
];

fn awaited_set() -> libc::sigset_t {
    // SAFETY: sigemptyset initialises the set before it is read; sigaddset takes valid signal numbers.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for (number, _) in AWAITED {
            libc::sigaddset(&mut set, number);
        }
        set
    }
}

/// From now on the awaited signals wait for [`wait`]. A child inherits the mask: it calls [`release`] first.
pub fn block() {
    let set = awaited_set();
    // SAFETY: `set` is initialised; the old mask is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) };
}

/// From now on a SIGIO waits, which [`super::hand_over::call_by_signal`] asks for; one that has come is forgotten.
pub fn forget_calls() {
    // SAFETY: as in `awaited_set` and `wait`; zero is a valid timespec.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGIO);
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        // Of several that have come the kernel keeps one.
        libc::sigtimedwait(&set, std::ptr::null_mut(), &std::mem::zeroed());
    }
}

/// Undoes [`block`].
pub fn release() {
    let set = awaited_set();
    // SAFETY: as in `block`.
    unsafe { libc::sigprocmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut()) };
}

/// What this process does with a signal is not for whoever started it to say (docs/spec/failures.md, case 03): with SIGCHLD ignored no child
/// could be waited for, with SIGTERM ignored a check-in could not be stopped. That of SIGHUP, SIGINT and SIGQUIT stays: who says nohup means it.
pub fn reset_own() {
    for number in [libc::SIGCHLD, libc::SIGTERM] {
        // SAFETY: a valid number; the default needs no handler.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
}

/// The same for all of them, between fork and exec: for what runs in a session of its own. Async-signal-safe.
pub(super) fn reset_all() {
    for number in 1..32 {
        // SAFETY: as above; SIGKILL and SIGSTOP are refused, and stay what they are.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
}

/// Waits for an awaited signal, `limit` at the most; `None` when the time is over. [`block`] comes first.
#[must_use]
pub fn wait(limit: Duration) -> Option<Signal> {
    let set = awaited_set();
    // A limit beyond what time_t holds (32-bit targets) is cut: the caller's loop looks at its deadline again.
    let seconds = libc::time_t::try_from(limit.as_secs().min(i32::MAX as u64)).unwrap_or(libc::time_t::MAX);
    // SAFETY: timespec is plain data, for which zero is valid (its padding differs between targets).
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    time.tv_sec = seconds;
    // Below 10^9, which fits every target's type.
    time.tv_nsec = limit.subsec_nanos() as _;
    // SAFETY: both pointers are valid for the call; the siginfo is not asked for.
    let number = unsafe { libc::sigtimedwait(&set, std::ptr::null_mut(), &time) };
    AWAITED.iter().find(|(n, _)| *n == number).map(|(_, signal)| *signal)
}

/// Asks a process to end (SIGTERM).
///
/// # Errors
/// What the system said (`ESRCH`: there is no such process).
pub fn terminate(pid: i32) -> io::Result<()> {
    send(pid, libc::SIGTERM)
}

/// Asks a process for what it does at SIGHUP.
///
/// # Errors
/// What the system said (`ESRCH`: there is no such process).
pub fn hurry(pid: i32) -> io::Result<()> {
    send(pid, libc::SIGHUP)
}

/// Asks hosting's core to go on as the file that its settings name.
///
/// # Errors
/// What the system said (`ESRCH`: there is no such process).
pub fn renew(pid: i32) -> io::Result<()> {
    send(pid, libc::SIGUSR1)
}

/// A descriptor that is ready to be read when an awaited signal has come, for a loop that waits for other things too. [`block`]
/// comes first.
///
/// # Errors
/// What the system said.
pub fn descriptor() -> io::Result<File> {
    let set = awaited_set();
    // SAFETY: `set` is initialised; the new descriptor is ours alone.
    unsafe {
        match libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(File::from_raw_fd(fd)),
        }
    }
}

/// The next signal that has come to a [`descriptor`]; `None`: no more.
pub fn read(mut descriptor: &File) -> Option<Signal> {
    // A signalfd_siginfo, which begins with the signal's number.
    let mut info = [0; 128];
    let [a, b, c, d, ..] = match descriptor.read(&mut info) {
        Ok(128) => info,
        _ => return None,
    };
    let number = i32::try_from(u32::from_ne_bytes([a, b, c, d])).ok()?;
    AWAITED.iter().find(|(n, _)| *n == number).map(|(_, signal)| *signal)
}

/// Sends a signal to a process, or to a process group where `pid` is negative.
///
/// # Errors
/// What the system said (`ESRCH`: there is no such process).
pub fn send(pid: i32, number: libc::c_int) -> io::Result<()> {
    // SAFETY: kill has no memory effects.
    match unsafe { libc::kill(pid, number) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_at_most_its_limit_and_names_the_signal() {
        // The mask is a thread's own here: other tests are not touched.
        block();
        assert_eq!(wait(Duration::from_millis(5)), None);
        // SAFETY: signals this very thread.
        unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGHUP) };
        assert_eq!(wait(Duration::from_secs(5)), Some(Signal::Hurry));
        let descriptor = descriptor().unwrap();
        assert_eq!(read(&descriptor), None);
        // SAFETY: signals this very thread.
        unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGUSR1) };
        assert_eq!(read(&descriptor), Some(Signal::Hurry));
        assert_eq!(read(&descriptor), None);
        release();
    }
}
