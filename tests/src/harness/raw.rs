//! A client that believes nothing: it sends bytes, and keeps what comes back with how it ended.

use crate::murano::client::read_reply;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The peer closed in order.
    Eof,
    /// The peer reset the connection.
    Reset,
    /// The peer neither sent nor closed for as long as one was patient.
    Silence,
}

/// What came back.
#[derive(Debug)]
pub struct RawReply {
    /// Every byte.
    pub bytes: Vec<u8>,
    /// How it ended.
    pub end: End,
    /// From connecting to the end.
    pub took: Duration,
}

impl RawReply {
    /// Of the status line; 0 where there is none.
    pub fn status(&self) -> u16 {
        let line = self.head().lines().next().unwrap_or_default().to_string();
        line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or(0)
    }

    /// Status line and headers.
    pub fn head(&self) -> String {
        String::from_utf8_lossy(&self.bytes[..self.body_start()]).into_owned()
    }

    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.head();
        let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let (_, value) = fields.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value.trim().to_string())
    }

    /// What comes after the head, as it came.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_start()..]
    }

    /// The body as its framing says; an error where it does not hold together.
    pub fn decoded(&self) -> io::Result<Vec<u8>> {
        read_reply(&mut &self.bytes[..]).map(|reply| reply.body)
    }

    fn body_start(&self) -> usize {
        let end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n");
        end.map_or(self.bytes.len(), |at| at + 4)
    }
}

/// Sends `request` to an `http://` URL and reads until the end, or until nothing has come for `patience`.
#[track_caller]
pub fn raw(url: &str, request: impl AsRef<[u8]>, patience: Duration) -> RawReply {
    let address = url.strip_prefix("http://").expect("an http:// URL");
    let start = Instant::now();
    let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("cannot connect to {url}: {error}"));
    stream.set_read_timeout(Some(patience)).expect("a timeout can be set");
    let (bytes, end) = converse(&stream, request.as_ref());
    RawReply { bytes, end, took: start.elapsed() }
}

fn converse(mut stream: &TcpStream, request: &[u8]) -> (Vec<u8>, End) {
    let mut bytes = Vec::new();
    // A server that refuses may reset the connection before it has read.
    let _ = stream.write_all(request);
    let mut block = [0; 64 * 1024];
    loop {
        match stream.read(&mut block) {
            Ok(0) => return (bytes, End::Eof),
            Ok(count) => bytes.extend_from_slice(&block[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (bytes, End::Silence),
            Err(_) => return (bytes, End::Reset),
        }
    }
}
