//! One connection of an app: bytes in, requests out, answers back in the order of the requests, all bounded in bytes and time.
//!
//! Nothing here waits: reads and writes take what there is.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::answer::{AppAnswer, Persistence, SentPart, CONTINUE};
use super::head::{self, HeadFault, MAX_BODY, MAX_HEAD};
use crate::format::http::chunks::ChunkDecoder;
use crate::format::http::request::RequestHead;
use crate::format::http::BodyFraming;
use crate::sys::peer;

/// Requests of one connection that wait for their answers, at the most.
const MAX_PIPELINE: usize = 64;
/// Read before it is looked at, in bytes, at the most.
const MAX_INPUT: usize = MAX_HEAD + MAX_BODY;
/// What one turn reads, in bytes, at the most: so that a client that sends without end leaves the others their turns.
const MAX_TURN: usize = 32 * 1024;
/// Answers not yet taken by the client, in bytes, beyond which its requests are not read.
const MAX_OUTPUT: usize = 64 * 1024;
/// From the first byte of a request to its last.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// A client that takes nothing of its answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// A connection that is kept open and not used.
const IDLE_LIMIT: Duration = Duration::from_secs(120);

/// A whole request, and the place of its answer.
#[derive(Debug)]
pub struct ClientRequest {
    /// The head.
    pub head: RequestHead,
    /// The body, decoded where it came in chunks.
    pub body: Vec<u8>,
    /// For [`AppConnection::answer`].
    pub place: u64,
}

/// A connection.
#[derive(Debug)]
pub struct AppConnection {
    stream: TcpStream,
    input: Vec<u8>,
    reading: Reading,
    output: Vec<u8>,
    /// Of the output, what the client has taken.
    taken: usize,
    answers: VecDeque<Option<Framed>>,
    /// The place of the first of the answers.
    first_place: u64,
    /// When the request being read began, or the connection became idle, or the client last took something.
    since: Duration,
    is_input_over: bool,
    is_broken: bool,
}

#[derive(Debug)]
enum Reading {
    Head,
    Body(Box<RequestHead>, usize),
    /// With what came of the body.
    Chunks(Box<RequestHead>, ChunkDecoder, Vec<u8>),
    /// Nothing behind the last request is read: it asked so, or cannot be told from its bytes.
    Over,
}

#[derive(Debug)]
enum Framed {
    Continue,
    Answer(AppAnswer, Persistence, SentPart),
    /// An answer that is yet to come.
    Promised(Persistence, SentPart),
}

impl AppConnection {
    /// Takes over an accepted connection. `now`: the time since boot.
    ///
    /// # Errors
    /// What the system said.
    pub fn new(stream: TcpStream, now: Duration) -> io::Result<AppConnection> {
        stream.set_nonblocking(true)?;
        // An answer is one write: nothing is gained by waiting for more.
        stream.set_nodelay(true)?;
        Ok(AppConnection {
            stream,
            input: Vec::new(),
            reading: Reading::Head,
            output: Vec::new(),
            taken: 0,
            answers: VecDeque::new(),
            first_place: 0,
            since: now,
            is_input_over: false,
            is_broken: false,
        })
    }

    /// The local user who is at the other end, where the kernel tells.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        peer::user(&self.stream)
    }

    /// Whether there is room and reason to read.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        !self.is_input_over
            && !self.is_broken
            && !matches!(self.reading, Reading::Over)
            && self.input.len() < MAX_INPUT
            && self.answers.len() < MAX_PIPELINE
            && self.output.len() < MAX_OUTPUT
    }

    /// Whether there is something to write.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        !self.is_broken && self.taken < self.output.len()
    }

    /// Whether nothing more will happen here.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let is_silent = self.is_input_over || matches!(self.reading, Reading::Over);
        self.is_broken || (is_silent && self.answers.is_empty() && !self.wants_write())
    }

    /// Whether the client is owed an answer, or has not taken it yet.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        !self.answers.is_empty() || self.wants_write()
    }

    /// Since when it has been as it is, for choosing whom to close.
    #[must_use]
    pub fn since(&self) -> Duration {
        self.since
    }

    /// When its time is over; `None`: it waits for gmq.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let limit = if self.wants_write() {
            ANSWER_LIMIT
        } else if !self.answers.is_empty() {
            return None;
        } else if self.is_in_request() {
            REQUEST_LIMIT
        } else {
            IDLE_LIMIT
        };
        Some(self.since.saturating_add(limit))
    }

    /// Its time is over: one that is in the middle of a request is told so.
    pub fn expire(&mut self) {
        if self.is_in_request() && !self.is_owed() {
            self.refuse(HeadFault { status: 408, sentence: "the request took longer than 30 seconds to come" });
            self.frame();
        } else {
            self.is_broken = true;
        }
    }

    /// Reads what there is.
    pub fn read(&mut self, now: Duration) {
        let mut buffer = [0; 8 * 1024];
        let mut turn = 0;
        while turn < MAX_TURN && self.wants_read() {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.is_input_over = true,
                Ok(n) => {
                    if !self.is_in_request() && !self.is_owed() {
                        self.since = now;
                    }
                    self.input.extend_from_slice(buffer.get(..n).unwrap_or_default());
                    turn += n;
                    if n < buffer.len() {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.is_broken = true,
            }
        }
    }

    /// The next request that is whole; what is wrong with one is answered here.
    pub fn next_request(&mut self) -> Option<ClientRequest> {
        while self.answers.len() < MAX_PIPELINE {
            match self.advance() {
                Ok(BodyProgress::Request(head, body)) => {
                    let place = self.first_place + self.answers.len() as u64;
                    let persistence = persistence(&head);
                    let extent = if head.method == "HEAD" { SentPart::Head } else { SentPart::Whole };
                    self.answers.push_back(Some(Framed::Promised(persistence, extent)));
                    if persistence == Persistence::Close {
                        self.reading = Reading::Over;
                    }
                    return Some(ClientRequest { head, body, place });
                }
                Ok(BodyProgress::Further) => {}
                Ok(BodyProgress::Nothing) => return None,
                Err(fault) => {
                    self.refuse(fault);
                    return None;
                }
            }
        }
        None
    }

    /// Gives the answer of a place. Answers leave in the order of the requests.
    pub fn answer(&mut self, place: u64, answer: AppAnswer) {
        let Some(index) = place.checked_sub(self.first_place).and_then(|n| usize::try_from(n).ok()) else { return };
        if let Some(slot) = self.answers.get_mut(index) {
            if let Some(Framed::Promised(persistence, extent)) = slot {
                *slot = Some(Framed::Answer(answer, *persistence, *extent));
            }
        }
    }

    /// Writes what the client takes.
    pub fn write(&mut self, now: Duration) {
        self.frame();
        while self.wants_write() {
            match self.stream.write(self.output.get(self.taken..).unwrap_or_default()) {
                Ok(n) => {
                    self.taken += n;
                    self.since = now;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.is_broken = true,
            }
        }
        if self.taken > 0 {
            // What is idle holds no memory.
            self.output = Vec::new();
            self.taken = 0;
        }
        if self.input.is_empty() {
            self.input = Vec::new();
        }
    }

    /// Ends the sending half and takes what still comes, a little: a client that is still sending would otherwise be reset
    /// before it has read why it was refused.
    pub fn close(mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        let mut buffer = [0; 8 * 1024];
        for _ in 0..32 {
            if !matches!(self.stream.read(&mut buffer), Ok(1..)) {
                break;
            }
        }
    }

    fn is_in_request(&self) -> bool {
        !self.input.is_empty() || matches!(self.reading, Reading::Body(..) | Reading::Chunks(..))
    }

    fn advance(&mut self) -> Result<BodyProgress, HeadFault> {
        match std::mem::replace(&mut self.reading, Reading::Head) {
            Reading::Over => {
                self.reading = Reading::Over;
                Ok(BodyProgress::Nothing)
            }
            Reading::Head => {
                let Some((head, length)) = head::parse(&self.input)? else { return Ok(BodyProgress::Nothing) };
                self.input.drain(..length);
                let has_body = !matches!(head.framing, BodyFraming::Unsaid | BodyFraming::Length(0));
                let waits = head.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
                if waits && has_body && self.input.is_empty() {
                    self.answers.push_back(Some(Framed::Continue));
                }
                let head = Box::new(head);
                self.reading = match head.framing {
                    BodyFraming::Unsaid => Reading::Body(head, 0),
                    BodyFraming::Length(length) => Reading::Body(head, usize::try_from(length).unwrap_or(MAX_BODY)),
                    BodyFraming::Chunked => {
                        Reading::Chunks(head, ChunkDecoder::new(MAX_BODY as u64, MAX_HEAD), Vec::new())
                    }
                };
                Ok(BodyProgress::Further)
            }
            Reading::Body(head, length) => {
                if self.input.len() < length {
                    self.reading = Reading::Body(head, length);
                    return Ok(BodyProgress::Nothing);
                }
                let body = self.input.drain(..length).collect();
                Ok(BodyProgress::Request(*head, body))
            }
            Reading::Chunks(head, mut decoder, mut body) => {
                let used = decoder.decode(&self.input, &mut body).map_err(head::no_chunks)?;
                self.input.drain(..used);
                if decoder.is_done() {
                    return Ok(BodyProgress::Request(*head, body));
                }
                self.reading = Reading::Chunks(head, decoder, body);
                Ok(BodyProgress::Nothing)
            }
        }
    }

    fn refuse(&mut self, fault: HeadFault) {
        let answer = AppAnswer::error(fault.status, fault.sentence);
        self.answers.push_back(Some(Framed::Answer(answer, Persistence::Close, SentPart::Whole)));
        self.reading = Reading::Over;
        self.input = Vec::new();
    }

    /// Turns the answers whose turn it is into bytes.
    fn frame(&mut self) {
        while let Some(Some(framed)) = self.answers.front_mut() {
            match framed {
                Framed::Promised(..) => return,
                Framed::Continue => self.output.extend_from_slice(CONTINUE),
                Framed::Answer(answer, persistence, extent) => answer.write(&mut self.output, *persistence, *extent),
            }
            self.answers.pop_front();
            self.first_place += 1;
        }
    }
}

impl AsFd for AppConnection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

enum BodyProgress {
    Request(RequestHead, Vec<u8>),
    Further,
    Nothing,
}

fn persistence(head: &RequestHead) -> Persistence {
    match (head.keeps_open, head.minor) {
        (false, _) => Persistence::Close,
        (true, 0) => Persistence::KeepAlive,
        (true, _) => Persistence::Usual,
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
