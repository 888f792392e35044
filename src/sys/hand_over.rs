//! Descriptors that a process keeps while it is another program ([`super::doze`]), and takes back afterwards.
//!
//! Invariant: what is taken back is what it is taken for, since its number comes through the environment.

use std::fs::File;
use std::io;
use std::mem;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Keeps a descriptor open through an exec, or has it closed by one again.
///
/// # Errors
/// What the system said.
pub fn keep(descriptor: &impl AsFd, is_kept: bool) -> io::Result<RawFd> {
    let fd = descriptor.as_fd().as_raw_fd();
    control(fd, libc::F_SETFD, if is_kept { 0 } else { libc::FD_CLOEXEC })?;
    Ok(fd)
}

/// Has the kernel send this process a SIGIO for each connection that comes, or no more. It is to be blocked: see
/// [`super::signal::forget_calls`].
///
/// # Errors
/// What the system said.
pub fn call_by_signal(listener: &TcpListener, is_wanted: bool) -> io::Result<()> {
    let fd = listener.as_raw_fd();
    let flags = control(fd, libc::F_GETFL, 0)?;
    if is_wanted {
        control(fd, libc::F_SETOWN, libc::c_int::try_from(std::process::id()).unwrap_or(libc::c_int::MAX))?;
    }
    control(fd, libc::F_SETFL, if is_wanted { flags | libc::O_ASYNC } else { flags & !libc::O_ASYNC }).map(drop)
}

/// Takes a listener back; `None` where the descriptor is no socket that listens on the loopback.
#[must_use]
pub fn take_listener(fd: RawFd) -> Option<TcpListener> {
    let mut listens: libc::c_int = 0;
    let mut length = mem::size_of::<libc::c_int>() as libc::socklen_t;
    let value = std::ptr::addr_of_mut!(listens).cast();
    // SAFETY: the pointers are those of `listens` and `length`; a number that is no descriptor is an error.
    if unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN, value, &mut length) } != 0 || listens != 1 {
        return None;
    }
    // SAFETY: it is open, and nothing else in this process has it: it comes from before this program.
    let listener = unsafe { TcpListener::from_raw_fd(fd) };
    let is_ours = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let is_usable = keep(&listener, false).is_ok() && call_by_signal(&listener, false).is_ok();
    (is_ours && is_usable).then_some(listener)
}

/// Takes a file back; `None` where the descriptor is not the file that is at that path.
#[must_use]
pub fn take_file(fd: RawFd, path: &Path) -> Option<File> {
    control(fd, libc::F_GETFD, 0).ok().filter(|_| fd > libc::STDERR_FILENO)?;
    // SAFETY: as above.
    let file = unsafe { File::from_raw_fd(fd) };
    let (own, named) = (file.metadata().ok()?, path.metadata().ok()?);
    let is_it = (own.dev(), own.ino()) == (named.dev(), named.ino());
    (is_it && keep(&file, false).is_ok()).then_some(file)
}

fn control(fd: RawFd, command: libc::c_int, value: libc::c_int) -> io::Result<libc::c_int> {
    // SAFETY: these commands take and give numbers; one that is no descriptor is an error.
    match unsafe { libc::fcntl(fd, command, value) } {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpStream, UdpSocket};
    use std::os::fd::IntoRawFd;

    #[test]
    fn only_a_listener_on_the_loopback_is_taken_for_one() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let flags = |listener: &TcpListener| {
            let fd = listener.as_raw_fd();
            (control(fd, libc::F_GETFD, 0).unwrap(), control(fd, libc::F_GETFL, 0).unwrap() & libc::O_ASYNC)
        };
        keep(&listener, true).unwrap();
        assert_eq!(flags(&listener), (0, 0));
        let taken = take_listener(listener.into_raw_fd()).unwrap();
        assert_eq!(taken.local_addr().unwrap(), address);
        assert_eq!(flags(&taken), (libc::FD_CLOEXEC, 0));

        let stream = TcpStream::connect(address).unwrap();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
        for fd in [-1, 0, 100_000, stream.as_raw_fd(), datagrams.as_raw_fd(), everywhere.into_raw_fd()] {
            assert!(take_listener(fd).is_none(), "{fd}");
        }
    }

    #[test]
    fn only_the_file_itself_is_taken_for_it() {
        let folder = std::env::temp_dir();
        let path = |name: &str| folder.join(format!("gwe-hand-over-{}-{name}", std::process::id()));
        let (own, other) = (path("own"), path("other"));
        for (fd, is_it) in [
            (File::create(&own).unwrap().into_raw_fd(), true),
            (File::create(&other).unwrap().into_raw_fd(), false),
            (-1, false),
            (0, false),
            (100_000, false),
        ] {
            assert_eq!(take_file(fd, &own).is_some(), is_it, "{fd}");
        }
        let _ = (std::fs::remove_file(own), std::fs::remove_file(other));
    }
}
