//! Connecting to a unix socket within a bound.
//!
//! `UnixStream::connect` waits for ever where the listener is alive but never accepts (a stopped or stuck server whose
//! backlog has filled up). Here the wait ends.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Connects to the stream socket at `path`. `timeout`, which must not be zero, bounds the wait and, later, each write.
///
/// # Errors
/// What the system said; `TimedOut` after `timeout`; `InvalidInput` for a path over 107 bytes or with a zero byte in it.
pub fn connect(path: &Path, timeout: Duration) -> io::Result<UnixStream> {
    let (address, len) = address(path)?;
    // SAFETY: no pointers are passed; the descriptor, where there is one, is nobody else's.
    let stream = unsafe {
        match libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) {
            -1 => return Err(io::Error::last_os_error()),
            fd => UnixStream::from(OwnedFd::from_raw_fd(fd)),
        }
    };
    // The kernel bounds a unix socket's connect by its send timeout.
    stream.set_write_timeout(Some(timeout))?;
    loop {
        let address = std::ptr::addr_of!(address).cast();
        // SAFETY: `address` is a valid sockaddr_un of at least `len` bytes for the whole call, which only reads it.
        if unsafe { libc::connect(stream.as_raw_fd(), address, len) } == 0 {
            return Ok(stream);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::EAGAIN) => return Err(io::Error::from(io::ErrorKind::TimedOut)),
            _ => return Err(error),
        }
    }
}

fn address(path: &Path) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    let bytes = path.as_os_str().as_bytes();
    // SAFETY: a sockaddr_un is integers only, so all zeros is a valid one.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    // The last byte stays zero.
    if bytes.is_empty() || bytes.contains(&0) || bytes.len() >= address.sun_path.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a path that a socket can have (1 to 107 bytes)"));
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    Ok((address, std::mem::size_of::<libc::sockaddr_un>() as libc::socklen_t))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::time::Instant;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("gwe-socket-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn it_connects_and_carries_bytes() {
        let path = scratch("ok");
        let listener = UnixListener::bind(&path).unwrap();
        let mut stream = connect(&path, Duration::from_secs(5)).unwrap();
        let mut peer = listener.accept().unwrap().0;
        stream.write_all(b"ping").unwrap();
        let mut got = [0; 4];
        peer.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"ping");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_missing_or_dead_socket_is_told_at_once() {
        let path = scratch("dead");
        let second = Duration::from_secs(1);
        assert_eq!(connect(&path, second).unwrap_err().kind(), io::ErrorKind::NotFound);
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(connect(&path, second).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        for path in [String::new(), "a\0b".to_string(), "x".repeat(108)] {
            let error = connect(Path::new(&path), Duration::from_secs(1)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn a_listener_that_never_accepts_is_not_waited_for_for_ever() {
        let path = scratch("full");
        let listener = UnixListener::bind(&path).unwrap();
        // SAFETY: no pointers are passed. A second listen sets the backlog anew.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 1) }, 0);
        let mut waiting = Vec::new();
        let begun = Instant::now();
        let error = loop {
            match connect(&path, Duration::from_millis(50)) {
                Ok(stream) => waiting.push(stream),
                Err(e) => break e,
            }
            assert!(waiting.len() < 10_000, "the backlog has no end");
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::fs::remove_file(&path).unwrap();
    }
}
