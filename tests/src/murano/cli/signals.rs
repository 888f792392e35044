//! Waiting for SIGTERM or SIGINT, without a handler.

use std::mem;
use std::ptr;
use std::time::{Duration, Instant};

/// SIGTERM and SIGINT, blocked in this thread and in those that it starts from now on.
pub struct Signals {
    set: libc::sigset_t,
}

impl Signals {
    /// Blocks them. To be called before any thread is started.
    pub fn block() -> Signals {
        // SAFETY: an all-zero sigset_t is valid to hand to sigemptyset, and all three calls only read or write `set`.
        unsafe {
            let mut set: libc::sigset_t = mem::zeroed();
            libc::sigemptyset(&mut set);
            libc::sigaddset(&mut set, libc::SIGTERM);
            libc::sigaddset(&mut set, libc::SIGINT);
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut());
            Signals { set }
        }
    }

    /// Waits for one of them, at most so long.
    pub fn wait(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = libc::timespec { tv_sec: left.as_secs() as libc::time_t, tv_nsec: left.subsec_nanos().into() };
            // SAFETY: the set and the time are valid for the call, and no siginfo is asked for.
            let signal = unsafe { libc::sigtimedwait(&self.set, ptr::null_mut(), &left) };
            if signal > 0 || Instant::now() >= until {
                return;
            }
        }
    }
}
