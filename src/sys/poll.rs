//! Waiting for whichever of several descriptors is ready first.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// The descriptors of one wait. The caller keeps them open until [`Watch::wait`] has returned.
#[derive(Default)]
pub struct Watch {
    entries: Vec<libc::pollfd>,
}

/// What a descriptor is ready for. An error or a hang-up counts as both: the next read or write tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// A read would not block.
    pub read: bool,
    /// A write would not block.
    pub write: bool,
}

impl Watch {
    /// Begins anew, for the next wait.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Adds a descriptor, and returns its place. One that is wanted for nothing still reports errors and hang-ups.
    pub fn add(&mut self, descriptor: &impl AsFd, read: bool, write: bool) -> usize {
        let events = if read { libc::POLLIN } else { 0 } | if write { libc::POLLOUT } else { 0 };
        self.entries.push(libc::pollfd { fd: descriptor.as_fd().as_raw_fd(), events, revents: 0 });
        self.entries.len() - 1
    }

    /// Waits until one is ready, `limit` at the most; for ever without one.
    ///
    /// # Errors
    /// What the system said. A signal is no error: nothing is ready then.
    pub fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        // Rounded up, so that a deadline has passed when the wait for it is over.
        let milliseconds = limit.map_or(-1, |limit| {
            libc::c_int::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
        });
        for entry in &mut self.entries {
            entry.revents = 0;
        }
        let count = self.entries.len() as libc::nfds_t;
        // SAFETY: the pointer and the count are those of `entries`.
        if unsafe { libc::poll(self.entries.as_mut_ptr(), count, milliseconds) } >= 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            e if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            e => Err(e),
        }
    }

    /// What the descriptor at a place was ready for in the last wait.
    #[must_use]
    pub fn ready(&self, place: usize) -> Ready {
        const BROKEN: libc::c_short = libc::POLLERR | libc::POLLHUP | libc::POLLNVAL;
        let events = self.entries.get(place).map_or(0, |entry| entry.revents);
        Ready { read: events & (libc::POLLIN | BROKEN) != 0, write: events & (libc::POLLOUT | BROKEN) != 0 }
    }
}

/// Makes reads and writes of a descriptor return instead of wait.
///
/// # Errors
/// What the system said.
pub fn set_nonblocking(descriptor: &impl AsFd) -> io::Result<()> {
    let fd = descriptor.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open for the whole call; the flags are integers.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        if flags < 0 || libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn tells_what_is_ready_and_waits_no_longer_than_its_limit() {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let mut watch = Watch::default();
        let reading = watch.add(&a, true, false);
        let begun = std::time::Instant::now();
        watch.wait(Some(Duration::from_millis(20))).unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(20));
        assert_eq!(watch.ready(reading), Ready::default());

        b.write_all(b"x").unwrap();
        watch.wait(None).unwrap();
        assert_eq!(watch.ready(reading), Ready { read: true, write: false });
        assert_eq!(watch.ready(99), Ready::default());

        watch.clear();
        let both = watch.add(&a, true, true);
        drop(b);
        watch.wait(None).unwrap();
        assert_eq!(watch.ready(both), Ready { read: true, write: true });

        set_nonblocking(&a).unwrap();
        let mut buffer = [0; 2];
        assert_eq!(a.read(&mut buffer).unwrap(), 1);
        // Another test's child may hold a copy of `b` from its fork to its exec.
        let end = (0..500).find_map(|_| {
            a.read(&mut buffer).ok().or_else(|| {
                std::thread::sleep(Duration::from_millis(10));
                None
            })
        });
        assert_eq!(end, Some(0));
    }
}
