//! A connected socket that counts what goes over it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

/// A connected non-blocking stream that counts.
pub(crate) struct Wire {
    stream: TcpStream,
    /// Bytes from the server, TLS included.
    pub rx: u64,
    /// Bytes to the server.
    pub tx: u64,
    /// The server's side has ended.
    pub is_ended: bool,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Wire {
        Wire { stream, rx: 0, tx: 0, is_ended: false }
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(into)?;
        self.rx += n as u64;
        self.is_ended |= n == 0 && !into.is_empty();
        Ok(n)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.stream.write(bytes)?;
        self.tx += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
