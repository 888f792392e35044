//! The body of a request, as a reader that ends where the body ends.

use super::request::Request;
use super::socket::Stream;
use std::io::{self, BufRead, BufReader, Read, Write};

/// The buffered side of a connection.
pub type Conn = BufReader<Box<dyn Stream>>;

/// What is left of the body.
enum Left {
    /// This many bytes.
    Bytes(u64),
    /// This many bytes of the current chunk; then the next chunk.
    Chunk(u64),
    /// Nothing.
    Nothing,
    /// Unknown: the framing is broken, and so is the connection.
    Broken,
}

/// A request's body. Reading past a body that the peer broke off is an error, never an early end.
pub struct Body<'a> {
    conn: &'a mut Conn,
    left: Left,
    /// The peer waits for `100 Continue` before it sends the body.
    waits: bool,
    /// Bytes of the body on the wire so far, chunk framing included.
    pub wire_bytes: u64,
}

impl<'a> Body<'a> {
    /// The body that belongs to `request`; `Err` names what is wrong with its framing.
    pub fn new(conn: &'a mut Conn, request: &Request) -> Result<Body<'a>, &'static str> {
        let chunked =
            request.header("transfer-encoding").is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked"));
        let left = match (chunked, request.header("content-length")) {
            (true, _) => Left::Chunk(0),
            (false, None) => Left::Nothing,
            (false, Some(length)) => Left::Bytes(length.parse().map_err(|_| "Content-Length is not a number")?),
        };
        let waits = request.header("expect").is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue"));
        Ok(Body { conn, left, waits, wire_bytes: 0 })
    }

    /// Whether so many bytes are too few for what is announced to come.
    pub fn is_longer_than(&self, limit: u64) -> bool {
        matches!(self.left, Left::Bytes(left) if left > limit)
    }

    /// Whether the body has been read to its end.
    pub fn is_done(&self) -> bool {
        matches!(self.left, Left::Nothing | Left::Bytes(0))
    }

    /// Reads and forgets the rest, at most `limit` bytes of it, so that the next request can be read. False where more
    /// is left, or where the peer still waits to be told to send it.
    pub fn discard(&mut self, limit: u64) -> bool {
        if self.waits || self.is_longer_than(limit) || matches!(self.left, Left::Broken) {
            return self.is_done();
        }
        let _ = io::copy(&mut self.by_ref().take(limit), &mut io::sink());
        self.is_done()
    }

    /// Reads the size line of the next chunk; after the last chunk also the trailers.
    fn next_chunk(&mut self) -> io::Result<()> {
        let line = self.line()?;
        let digits = line.split(';').next().unwrap_or("").trim();
        let size = u64::from_str_radix(digits, 16)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the chunk size is no number"))?;
        self.left = Left::Chunk(size);
        if size == 0 {
            while !self.line()?.is_empty() {}
            self.left = Left::Nothing;
        }
        Ok(())
    }

    /// A line of the chunk framing, bounded.
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        (&mut *self.conn).take(4096).read_until(b'\n', &mut line)?;
        self.wire_bytes += line.len() as u64;
        if line.last() != Some(&b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_string())
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.read_on(buffer);
        if result.is_err() {
            self.left = Left::Broken;
        }
        result
    }
}

impl Body<'_> {
    fn read_on(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.waits) {
            self.conn.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            self.conn.get_mut().flush()?;
        }
        if let Left::Chunk(0) = self.left {
            self.next_chunk()?;
        }
        let (left, chunked) = match self.left {
            Left::Bytes(left) => (left, false),
            Left::Chunk(left) => (left, true),
            Left::Nothing => return Ok(0),
            Left::Broken => return Err(io::ErrorKind::InvalidData.into()),
        };
        if left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.conn.read(&mut buffer[..want])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.wire_bytes += count as u64;
        let left = left - count as u64;
        self.left = if chunked { Left::Chunk(left) } else { Left::Bytes(left) };
        if chunked && left == 0 {
            self.line()?;
        }
        Ok(count)
    }
}
