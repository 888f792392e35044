//! A download into a [`Sink`], from where the last one ended (rauc#1517; docs/spec/failures.md, row 4).

use std::io;

use super::answer::Answer;
use super::error::TransportError;
use super::received::HttpHead;
use super::reply::{self, Range};
use super::route::Route;
use super::transport::{HttpRequest, Method, Receiver, Transport};
use super::watchdog::TimeLimits;

/// So much of the body of a refusal is read, to be told; in bytes.
const MAX_REFUSAL: u64 = 64 * 1024;

/// Takes a download in.
pub trait Sink {
    /// Called for each connection, before anything is asked for: over which link it would go.
    ///
    /// # Errors
    /// Ends the download.
    fn connected(&mut self, _route: Route) -> io::Result<()> {
        Ok(())
    }

    /// Called once, before any byte: from which offset of the content the bytes come (0 where the server does not resume),
    /// and the content's size where the server tells.
    ///
    /// # Errors
    /// Ends the download.
    fn start(&mut self, offset: u64, total: Option<u64>) -> io::Result<()>;

    /// The next bytes.
    ///
    /// # Errors
    /// Ends the download.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Downloads what is at `path`, from byte `from` on; an answer that is no content is what the server says instead.
///
/// # Errors
/// No whole answer came. What the sink has got is good, and the download can go on behind it.
pub(crate) fn download(
    transport: &Transport,
    path: &str,
    headers: &[(&str, &str)],
    from: u64,
    sink: &mut dyn Sink,
) -> Result<Result<(), Answer>, Box<TransportError>> {
    let answer = attempt(transport, path, headers, from, sink)?;
    match answer.head.status {
        200 | 206 => Ok(Ok(())),
        // Nothing lies behind `from`: all is there already, or what is there belongs to other content.
        416 if from > 0 => {
            let total = answer.head.header("content-range").and_then(reply::unsatisfied_total);
            if total == Some(from) {
                sink.start(from, total).map_err(TransportError::Sink)?;
                return Ok(Ok(()));
            }
            match attempt(transport, path, headers, 0, sink)? {
                answer if matches!(answer.head.status, 200 | 206) => Ok(Ok(())),
                answer => Ok(Err(answer)),
            }
        }
        _ => Ok(Err(answer)),
    }
}

fn attempt(
    transport: &Transport,
    path: &str,
    headers: &[(&str, &str)],
    from: u64,
    sink: &mut dyn Sink,
) -> Result<Answer, Box<TransportError>> {
    let range = format!("bytes={from}-");
    let mut headers = headers.to_vec();
    if from > 0 {
        headers.push(("Range", range.as_str()));
    }
    // No total: a large download on a slow link takes hours. The relay ends one that brings nothing.
    let settings = transport.settings();
    let limits = TimeLimits { stall: settings.stall_limit, total: None, rate: settings.max_rate };
    let mut download =
        Download { host: transport.host(), from, sink, refusal: None, expected: None, got: 0, rest: None };
    let head = transport
        .exchange(&HttpRequest { path, method: Method::Get, headers: &headers, body: None, limits }, &mut download)?;
    download.check()?;
    Ok(Answer { head, body: download.refusal.unwrap_or_default() })
}

struct Download<'a> {
    host: String,
    from: u64,
    sink: &'a mut dyn Sink,
    /// The body of an answer that is no content.
    refusal: Option<Vec<u8>>,
    /// The bytes that the answer must bring, where it says so.
    expected: Option<u64>,
    got: u64,
    /// Where the content goes on behind the answer's range.
    rest: Option<u64>,
}

impl Download<'_> {
    /// What of the content an answer brings: first byte, how many, the content's size.
    fn promised(
        &mut self,
        head: &HttpHead,
        length: Option<u64>,
    ) -> Result<(u64, Option<u64>, Option<u64>), &'static str> {
        // A ranged answer may come as 200 with a Content-Range (docs/spec/device-api.md).
        let Some(text) = head.header("content-range") else {
            return if head.status == 206 {
                Err("it is a part and does not say which")
            } else {
                Ok((0, length, length))
            };
        };
        let range = Range::parse(text).ok_or("its Content-Range cannot be read")?;
        if range.first > self.from {
            return Err("it begins behind the byte that was asked for");
        }
        if length.is_some_and(|length| length != range.length()) {
            return Err("its length is not that of its range");
        }
        self.rest = range.total.filter(|total| range.last + 1 < *total).map(|_| range.last + 1);
        Ok((range.first, Some(range.length()), range.total))
    }

    /// The end of an answer that the transport takes for whole.
    fn check(&self) -> Result<(), Box<TransportError>> {
        let truncated = |what| Err(TransportError::Truncated(self.host.clone(), what).into());
        match (self.expected, self.rest) {
            (Some(expected), _) if self.got < expected => truncated(format!("{} of {expected} bytes came", self.got)),
            (_, Some(rest)) => truncated(format!("it goes on at byte {rest}")),
            _ => Ok(()),
        }
    }
}

impl Receiver for Download<'_> {
    fn connected(&mut self, route: Route) -> io::Result<()> {
        self.sink.connected(route)
    }

    fn head(&mut self, head: &HttpHead, length: Option<u64>) -> Result<u64, Box<TransportError>> {
        if !matches!(head.status, 200 | 206) {
            self.refusal = Some(Vec::new());
            return Ok(MAX_REFUSAL);
        }
        let promised = self.promised(head, length);
        let (first, expected, total) =
            promised.map_err(|how| TransportError::Malformed(self.host.clone(), how.to_string()))?;
        self.sink.start(first, total).map_err(TransportError::Sink)?;
        self.expected = expected;
        Ok(expected.unwrap_or(u64::MAX))
    }

    fn body(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.got += bytes.len() as u64;
        match &mut self.refusal {
            Some(refusal) => {
                refusal.extend_from_slice(bytes);
                Ok(())
            }
            None => self.sink.write(bytes),
        }
    }
}
