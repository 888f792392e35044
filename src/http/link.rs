//! The connection to the server, as it is or with TLS in it, and what it costs.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use super::tls::Session;

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

/// What is read and written is the server's HTTP, whatever lies under it. A TLS session is begun by whichever comes first,
/// a read or a flush, and its failure is an error of the kind `InvalidData`, with what the library says; a connection that
/// ends without TLS's own end is one of the kind `UnexpectedEof`.
pub(crate) enum Link {
    Plain(Wire),
    Tls(Box<Session>),
}

impl Link {
    pub(crate) fn wire(&self) -> &Wire {
        match self {
            Link::Plain(wire) => wire,
            Link::Tls(session) => session.wire(),
        }
    }

    /// Whether the server is known to be the right one: before that, nothing is written.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Link::Plain(_) => true,
            Link::Tls(session) => session.is_ready(),
        }
    }

    /// Whether TLS itself has something to send.
    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Link::Plain(_) => false,
            Link::Tls(session) => session.wants_write(),
        }
    }

    /// Whether a read brings more without anything coming over the wire.
    pub(crate) fn has_more(&self) -> bool {
        match self {
            Link::Plain(_) => false,
            Link::Tls(session) => session.has_more(),
        }
    }
}

impl Read for Link {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Link::Plain(wire) => wire.read(into),
            Link::Tls(session) => session.read(into),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Link::Plain(wire) => wire.write(bytes),
            Link::Tls(session) => session.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Link::Plain(_) => Ok(()),
            Link::Tls(session) => session.flush(),
        }
    }
}
