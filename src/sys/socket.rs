//! What `std::net` lacks for a connection with deadlines: a connect that does not block, and waiting on several sockets.

use std::io;
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// So many sockets are waited for at once; more are ignored.
pub const MAX_WAITS: usize = 16;

/// One socket, and what to wait for on it; afterwards, what has come. A socket with neither is left out, so that a
/// connection that has ended does not wake a caller who has no use for it.
#[derive(Debug)]
pub struct Wait<'a> {
    /// The socket.
    pub socket: BorrowedFd<'a>,
    /// Bytes, the end or an error can be read.
    pub read: bool,
    /// Bytes can be written, or an error be learnt by writing.
    pub write: bool,
}

/// Waits until one of the sockets is ready, a signal came, or `timeout` is over (`None`: for ever). Afterwards each `read`
/// and `write` that was asked for says whether it came.
///
/// # Errors
/// What `poll` said; a signal is no error.
pub fn wait(sockets: &mut [Wait<'_>], timeout: Option<Duration>) -> io::Result<()> {
    let mut list = [libc::pollfd { fd: -1, events: 0, revents: 0 }; MAX_WAITS];
    for (entry, socket) in list.iter_mut().zip(sockets.iter()) {
        if socket.read || socket.write {
            entry.fd = socket.socket.as_raw_fd();
            entry.events = if socket.read { libc::POLLIN } else { 0 } | if socket.write { libc::POLLOUT } else { 0 };
        }
    }
    // Rounded up, so that a deadline has passed when its wait is over.
    let milliseconds = timeout.map_or(-1, |t| i32::try_from(t.as_millis()).unwrap_or(i32::MAX - 1) + 1);
    let count = sockets.len().min(MAX_WAITS) as libc::nfds_t;
    // SAFETY: `list` holds at least `count` entries for the whole call.
    let ready = unsafe { libc::poll(list.as_mut_ptr(), count, milliseconds) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
        // Nothing of `revents` counts after a signal.
        list.iter_mut().for_each(|entry| entry.revents = 0);
    }
    let broken = libc::POLLERR | libc::POLLHUP | libc::POLLNVAL;
    for (index, socket) in sockets.iter_mut().enumerate() {
        let came = list.get(index).map_or(0, |entry| entry.revents);
        socket.read &= came & (libc::POLLIN | broken) != 0;
        socket.write &= came & (libc::POLLOUT | broken) != 0;
    }
    Ok(())
}

/// Begins to connect and does not wait: the socket is writable once it is connected or has failed, which
/// [`TcpStream::take_error`] tells. It stays non-blocking.
///
/// # Errors
/// The address cannot be reached at all: no such family, no route.
pub fn start_connect(address: &SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: no pointers; the descriptor that comes back is ours alone.
    let socket = unsafe {
        let fd = libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd)
    };
    let result = match address {
        SocketAddr::V4(v4) => {
            // SAFETY: a socket address is integers and padding, so all zeros is a valid one.
            let mut raw: libc::sockaddr_in = unsafe { mem::zeroed() };
            raw.sin_family = libc::AF_INET as libc::sa_family_t;
            raw.sin_port = v4.port().to_be();
            raw.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
            let length = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
            // SAFETY: the pointer and the length are those of `raw`.
            unsafe { libc::connect(socket.as_raw_fd(), std::ptr::addr_of!(raw).cast(), length) }
        }
        SocketAddr::V6(v6) => {
            // SAFETY: as above.
            let mut raw: libc::sockaddr_in6 = unsafe { mem::zeroed() };
            raw.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            raw.sin6_port = v6.port().to_be();
            raw.sin6_addr.s6_addr = v6.ip().octets();
            raw.sin6_flowinfo = v6.flowinfo();
            raw.sin6_scope_id = v6.scope_id();
            let length = mem::size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            // SAFETY: as above.
            unsafe { libc::connect(socket.as_raw_fd(), std::ptr::addr_of!(raw).cast(), length) }
        }
    };
    if result != 0 {
        let error = io::Error::last_os_error();
        // A signal does not stop a connect that has begun.
        if !matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) {
            return Err(error);
        }
    }
    Ok(TcpStream::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    fn connected(listener: &TcpListener) -> TcpStream {
        let stream = start_connect(&listener.local_addr().unwrap()).unwrap();
        let mut waits = [Wait { socket: stream.as_fd(), read: false, write: true }];
        wait(&mut waits, Some(Duration::from_secs(10))).unwrap();
        assert!(waits[0].write && !waits[0].read);
        assert!(stream.take_error().unwrap().is_none());
        stream
    }

    #[test]
    fn connects_without_blocking_over_both_families() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let mut stream = connected(&listener);
            let (mut accepted, _) = listener.accept().unwrap();
            accepted.write_all(b"x").unwrap();
            let mut waits = [Wait { socket: stream.as_fd(), read: true, write: false }];
            wait(&mut waits, None).unwrap();
            assert!(waits[0].read);
            let mut byte = [0];
            assert_eq!(stream.read(&mut byte).unwrap(), 1);
            assert_eq!(stream.read(&mut byte).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn a_refused_connect_is_told_by_the_socket() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let Ok(stream) = start_connect(&address) else { return };
        let mut waits = [Wait { socket: stream.as_fd(), read: false, write: true }];
        wait(&mut waits, Some(Duration::from_secs(10))).unwrap();
        assert!(waits[0].write);
        assert_eq!(stream.take_error().unwrap().unwrap().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_wait_ends_with_its_time_and_a_socket_without_interest_is_silent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = connected(&listener);
        drop(listener.accept().unwrap());
        let begun = std::time::Instant::now();
        let mut waits = [Wait { socket: stream.as_fd(), read: false, write: false }];
        wait(&mut waits, Some(Duration::from_millis(30))).unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(30));
        assert!(!waits[0].read && !waits[0].write);
    }
}
