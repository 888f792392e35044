//! The socket under a connection: counted, shared with whoever stops the server, and ended the way a fault asks for.

use rustls::{ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to wait for the peer when a connection ends: to take what was sent, and to close its side.
const LINGER: Duration = Duration::from_secs(2);

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// An orderly close: the peer reads an end of file.
    Fin,
    /// A reset: the peer reads `ECONNRESET` after what was sent before it.
    Reset,
}

/// Bytes on the wire over all connections, TLS records included.
#[derive(Debug, Default)]
pub struct WireCounts {
    /// Bytes from clients.
    pub received: AtomicU64,
    /// Bytes to clients.
    pub sent: AtomicU64,
}

/// What a connection reads from and writes to: a socket, or TLS over one.
pub trait Stream: Read + Write + Send {
    /// Tells the peer that nothing more follows, where the protocol has a way to say it.
    fn say_goodbye(&mut self);
}

impl Stream for Wire {
    fn say_goodbye(&mut self) {}
}

impl Stream for StreamOwned<ServerConnection, Wire> {
    fn say_goodbye(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
    }
}

/// A socket whose bytes are counted.
#[derive(Debug)]
pub struct Wire {
    tcp: Arc<TcpStream>,
    counts: Arc<WireCounts>,
}

impl Wire {
    /// Wraps a socket. The connection is closed when the last holder of `tcp` lets go of it.
    pub fn new(tcp: Arc<TcpStream>, counts: Arc<WireCounts>) -> Wire {
        Wire { tcp, counts }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&*self.tcp).read(buffer)?;
        self.counts.received.fetch_add(count as u64, Relaxed);
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Counted before, so that whoever has received them finds them counted.
        self.counts.sent.fetch_add(bytes.len() as u64, Relaxed);
        let result = (&*self.tcp).write(bytes);
        let unsent = bytes.len() - result.as_ref().map_or(0, |count| *count);
        self.counts.sent.fetch_sub(unsent as u64, Relaxed);
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ends a connection. A reset takes effect when the last holder of the socket lets go of it.
pub fn end(tcp: &TcpStream, ending: Ending) {
    match ending {
        Ending::Fin => {
            let _ = tcp.shutdown(Shutdown::Write);
            drain(tcp);
        }
        Ending::Reset => {
            wait_until_taken(tcp);
            reset_on_close(tcp);
        }
    }
}

/// Reads until the peer closes: closing with unread bytes would turn the orderly close into a reset.
fn drain(tcp: &TcpStream) {
    let until = Instant::now() + LINGER;
    let _ = tcp.set_read_timeout(Some(Duration::from_millis(200)));
    let mut waste = [0; 4096];
    while Instant::now() < until {
        match (&*tcp).read(&mut waste) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// Waits until the peer's kernel has all that was sent: a reset throws away what has not left.
fn wait_until_taken(tcp: &TcpStream) {
    let until = Instant::now() + LINGER;
    while Instant::now() < until {
        let mut unsent: libc::c_int = 0;
        // SAFETY: TIOCOUTQ writes one int to the address given, which outlives the call.
        let result = unsafe { libc::ioctl(tcp.as_raw_fd(), libc::TIOCOUTQ, &mut unsent) };
        if result != 0 || unsent == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// SO_LINGER with zero seconds: close sends a reset. (std's own setter is not stable.)
fn reset_on_close(tcp: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the option's value is a `linger` of the length given, and outlives the call.
    unsafe {
        libc::setsockopt(
            tcp.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&linger as *const libc::linger).cast(),
            std::mem::size_of::<libc::linger>() as libc::socklen_t,
        );
    }
}
