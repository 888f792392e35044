//! The connection to the server, as it is or with TLS in it, and what it costs.

use std::io::{self, Read, Write};

use super::tls::Session;
use super::wire::Wire;

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
