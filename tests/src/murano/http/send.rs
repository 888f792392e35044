//! Sends an answer by a script: where to pause, to slow down, to damage a byte, to break off.

use super::date;
use super::framing::Framing;
use super::response::{reason, Payload, Response};
use super::socket::Ending;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A place in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offset {
    /// Bytes from the first byte of the status line.
    Whole(u64),
    /// Bytes from the first byte of the body (chunk framing counts).
    Body(u64),
    /// Percent of the body.
    Percent(u8),
}

impl Offset {
    fn resolve(self, head: u64, body: u64) -> u64 {
        match self {
            Offset::Whole(bytes) => bytes,
            Offset::Body(bytes) => head + bytes,
            Offset::Percent(percent) => head + body * u64::from(percent) / 100,
        }
    }
}

/// How an answer travels. The default is: as it should.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// How the body's end is told.
    pub framing: Framing,
    /// Break off there.
    pub cut: Option<(Offset, Ending)>,
    /// Be silent there for so long, then go on.
    pub stall: Option<(Offset, Duration)>,
    /// So many bytes, then a pause, again and again.
    pub drip: Option<(usize, Duration)>,
    /// Flip the bits of the byte there.
    pub corrupt: Option<Offset>,
    /// Say 100, 102 and 103 first.
    pub interim: bool,
    /// Send so many bytes of garbage instead of everything.
    pub garbage: Option<usize>,
}

impl Default for Script {
    fn default() -> Self {
        Script {
            framing: Framing::Length { off: 0 },
            cut: None,
            stall: None,
            drip: None,
            corrupt: None,
            interim: false,
            garbage: None,
        }
    }
}

/// What may stand before an answer (RFC 9110, 15.2).
const INTERIM: &[u8] =
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

/// What is to become of the connection afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The next request may come.
    KeepOpen,
    /// It is to be closed, in order.
    Close,
    /// It is to be broken off so.
    Cut(Ending),
}

/// What sending needs besides the answer.
pub struct Context<'a> {
    /// Where the bytes go.
    pub out: &'a mut dyn Write,
    /// Every byte is added here before it is sent, so that whoever has received it finds it counted.
    pub count: &'a AtomicU64,
    /// Pauses end early when this is set.
    pub stop: &'a AtomicBool,
    /// Whether the peer wants the connection kept.
    pub keep_alive: bool,
}

/// Sends `response` as `script` says. An error means that the peer is gone.
pub fn send(mut response: Response, script: &Script, context: Context) -> io::Result<After> {
    let framing = match script.framing {
        Framing::Chunked { .. } if !response.may_have_body() => Framing::Length { off: 0 },
        framing => framing,
    };
    let closes = framing == Framing::Close && response.may_have_body();
    let keep_alive = context.keep_alive && !closes;
    let (head, length) = match script.garbage {
        Some(bytes) => (garbage(bytes), 0),
        None if script.interim => ([INTERIM, &head(&response, framing, keep_alive)[..]].concat(), response.length()),
        None => (head(&response, framing, keep_alive), response.length()),
    };
    let head_length = head.len() as u64;
    let place = |offset: Offset| offset.resolve(head_length, length);
    let mut sink = Sink {
        cut: script.cut.map(|(offset, ending)| (place(offset), ending)),
        stall: script.stall.map(|(offset, pause)| (place(offset), pause)),
        corrupt: script.corrupt.map(place),
        drip: script.drip,
        sent: 0,
        context,
    };
    let result = if script.garbage.is_some() {
        sink.write(&head).and(Err(Stop::Cut(Ending::Fin)))
    } else {
        send_all(head, &mut response, framing, &mut sink)
    };
    match result {
        Ok(()) if keep_alive => Ok(After::KeepOpen),
        Ok(()) => Ok(After::Close),
        Err(Stop::Cut(ending)) => Ok(After::Cut(ending)),
        Err(Stop::Gone(error)) => Err(error),
    }
}

/// Status line and headers.
fn head(response: &Response, framing: Framing, keep_alive: bool) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    let mut line = |name: &str, value: &str| {
        for part in [name, ": ", value, "\r\n"] {
            head.push_str(part);
        }
    };
    line("Date", &date::format(date::now()));
    line("Server", "murano");
    line("Connection", if keep_alive { "keep-alive" } else { "close" });
    for (name, value) in &response.headers {
        line(name, value);
    }
    for (name, value) in framing.headers(response.length()) {
        line(name, &value);
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// Bytes that are no answer, the same every time.
fn garbage(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3] | 0x80).collect()
}

/// Head and body; in one piece where the body is at hand, as servers do: it is one packet, one TLS record.
fn send_all(mut head: Vec<u8>, response: &mut Response, framing: Framing, sink: &mut Sink) -> Result<(), Stop> {
    match (&response.body, framing) {
        _ if !response.may_have_body() => sink.write(&head),
        (Payload::Bytes(bytes), Framing::Length { .. } | Framing::Close) => {
            head.extend_from_slice(bytes);
            sink.write(&head)
        }
        _ => {
            sink.write(&head)?;
            send_body(&mut response.body, framing, sink)
        }
    }
}

fn send_body(body: &mut Payload, framing: Framing, sink: &mut Sink) -> Result<(), Stop> {
    let mut chunks = 0;
    let mut each = |block: &[u8], sink: &mut Sink| -> Result<(), Stop> {
        let Framing::Chunked { cut_after, .. } = framing else {
            return sink.write(block);
        };
        if cut_after.is_some_and(|limit| chunks >= limit) {
            return Err(Stop::Cut(Ending::Fin));
        }
        chunks += 1;
        let mut chunk = format!("{:x}\r\n", block.len()).into_bytes();
        chunk.extend_from_slice(block);
        chunk.extend_from_slice(b"\r\n");
        sink.write(&chunk)
    };
    match body {
        Payload::Bytes(bytes) => {
            for block in bytes.chunks(framing.block()) {
                each(block, sink)?;
            }
        }
        Payload::File { file, start, length } => {
            let mut block = vec![0; framing.block()];
            let mut left = *length;
            file.seek(SeekFrom::Start(*start))?;
            while left > 0 {
                let count = read_block(file, &mut block, left)?;
                each(&block[..count], sink)?;
                left -= count as u64;
            }
        }
    }
    match framing {
        Framing::Chunked { cut_after: Some(_), .. } => Err(Stop::Cut(Ending::Fin)),
        Framing::Chunked { .. } => sink.write(b"0\r\n\r\n"),
        _ => Ok(()),
    }
}

/// Fills the block, or as much of it as is left.
fn read_block(file: &mut File, block: &mut [u8], left: u64) -> io::Result<usize> {
    let want = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
    file.read_exact(&mut block[..want])?;
    Ok(want)
}

/// Why sending ended before the end.
enum Stop {
    Cut(Ending),
    Gone(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Gone(error)
    }
}

/// Writes bytes and acts the script out at its places.
struct Sink<'a> {
    context: Context<'a>,
    sent: u64,
    cut: Option<(u64, Ending)>,
    stall: Option<(u64, Duration)>,
    corrupt: Option<u64>,
    drip: Option<(usize, Duration)>,
}

impl Sink<'_> {
    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Stop> {
        loop {
            if let Some((_, ending)) = self.cut.filter(|(at, _)| *at <= self.sent) {
                return Err(Stop::Cut(ending));
            }
            if let Some((_, pause)) = self.stall.take_if(|(at, _)| *at <= self.sent) {
                sleep(pause, self.context.stop);
            }
            if bytes.is_empty() {
                return Ok(());
            }
            let (now, later) = bytes.split_at(self.next_piece(bytes.len()));
            self.put(now)?;
            bytes = later;
            if let Some((_, pause)) = self.drip {
                sleep(pause, self.context.stop);
            }
        }
    }

    /// How many of the next `length` bytes can go at once.
    fn next_piece(&self, length: usize) -> usize {
        let places = [self.cut.map(|(at, _)| at), self.stall.map(|(at, _)| at)];
        let to_place = places.into_iter().flatten().map(|at| (at - self.sent) as usize);
        let drip = self.drip.map(|(size, _)| size.max(1));
        to_place.chain(drip).fold(length, usize::min)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.context.count.fetch_add(bytes.len() as u64, Relaxed);
        let range = self.sent..self.sent + bytes.len() as u64;
        match self.corrupt.filter(|at| range.contains(at)) {
            None => self.context.out.write_all(bytes)?,
            Some(at) => {
                let mut damaged = bytes.to_vec();
                damaged[(at - range.start) as usize] ^= 0xff;
                self.context.out.write_all(&damaged)?;
            }
        }
        self.sent = range.end;
        self.context.out.flush()
    }
}

/// Sleeps, but not past the server's end.
pub fn sleep(pause: Duration, stop: &AtomicBool) {
    let until = Instant::now() + pause;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || stop.load(Relaxed) {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(20)));
    }
}
