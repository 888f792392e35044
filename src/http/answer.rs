//! A whole answer, kept in memory.

use std::io;
use std::time::Duration;

use super::error::TransportError;
use super::received::HttpHead;
use super::reply;
use super::transport::{HttpRequest, Receiver, Transport};

/// What is waited for after a `Retry-After`, at the most.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A whole answer of bounded size.
pub(crate) struct Answer {
    pub head: HttpHead,
    pub body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What the server asks to wait before the next try.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let date = self.head.header("date");
        let seconds = self.head.header("retry-after").and_then(|after| reply::seconds_to_wait(after, date));
        seconds.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
    }
}

/// One request, whatever the status of its answer.
///
/// # Errors
/// No whole answer came.
pub(crate) fn ask(transport: &Transport, request: &HttpRequest<'_>) -> Result<Answer, Box<TransportError>> {
    let max = transport.settings().max_body;
    let mut collector = Collector { max, host: transport.host(), body: Vec::new() };
    let head = transport.exchange(request, &mut collector)?;
    Ok(Answer { head, body: collector.body })
}

/// Keeps a body in memory.
struct Collector {
    max: u64,
    host: String,
    body: Vec<u8>,
}

impl Receiver for Collector {
    fn head(&mut self, head: &HttpHead, _length: Option<u64>) -> Result<u64, Box<TransportError>> {
        match head.header("content-encoding") {
            Some(coding) if !coding.eq_ignore_ascii_case("identity") => {
                let how = "its Content-Encoding was not asked for".to_string();
                Err(TransportError::Malformed(self.host.clone(), how).into())
            }
            _ => Ok(self.max),
        }
    }

    fn body(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.body.extend_from_slice(bytes);
        Ok(())
    }
}
