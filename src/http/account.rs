//! What the relay and its client tell each other: how copying goes on, what it cost and how it ended.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32};

use super::framing::Verdict;
use super::watchdog::Expired;

/// Why copying ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RelayEnd {
    /// minreq closed its side: the normal one.
    Client,
    /// The server closed, and minreq was told.
    Server,
    /// The server's connection broke.
    Broken(io::ErrorKind),
    /// A limit was passed.
    Expired(Expired),
    /// The answer is no HTTP.
    Garbage,
    /// The head is longer than [`MAX_HEAD`](super::framing::MAX_HEAD).
    LongHead,
    /// There is no TLS with the server: what the library says.
    Tls(String),
    /// The loopback failed, or strangers kept minreq out.
    Loopback(io::ErrorKind),
}

/// What a connection cost and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct RelayAccount {
    /// Bytes from the server, TLS included.
    pub rx: u64,
    /// Bytes to the server.
    pub tx: u64,
    pub end: RelayEnd,
    /// Whether the server's end of the connection was seen.
    pub server_closed: bool,
    /// How whole the answer was.
    pub verdict: Verdict,
}

/// What the client tells the relay. 32 bits: there are gateways without 64-bit atomics.
#[derive(Debug, Default)]
pub(crate) struct RelayProgress {
    /// The client has no use for the connection any more.
    pub is_over: AtomicBool,
    /// The client is not waiting for bytes: it deals with some.
    pub is_busy: AtomicBool,
    /// KiB of the body that it has dealt with.
    pub consumed: AtomicU32,
}
