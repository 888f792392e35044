//! What `std::net` lacks for a connection with deadlines: a connect that does not block.

use std::io;
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

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

/// Keeps the system from taking in much more for a connection than its reader has asked for: so many bytes, and the system's own least.
pub fn limit_ahead(stream: &TcpStream, bytes: usize) {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    let size = mem::size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointer and the length are those of `bytes`. A system that refuses takes in more ahead, which hurts nobody.
    unsafe {
        let value = std::ptr::addr_of!(bytes).cast();
        libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, value, size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poll::Watch;
    use std::io::Read;
    use std::net::TcpListener;
    use std::time::Duration;

    /// Waits for the socket to have connected or failed.
    fn settle(stream: &TcpStream) -> Option<io::Error> {
        let mut watch = Watch::default();
        let place = watch.add(stream, false, true);
        watch.wait(Some(Duration::from_secs(10))).unwrap();
        assert!(watch.ready(place).write);
        stream.take_error().unwrap()
    }

    #[test]
    fn connects_without_blocking_over_both_families() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let mut stream = start_connect(&listener.local_addr().unwrap()).unwrap();
            assert!(settle(&stream).is_none());
            assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
            assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn a_refused_connect_is_told_by_the_socket() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let Ok(stream) = start_connect(&address) else { return };
        assert_eq!(settle(&stream).unwrap().kind(), io::ErrorKind::ConnectionRefused);
    }
}
