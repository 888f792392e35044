//! What there is of an answer: its head, how much came, or why it is none.

use super::error::TransportError;
use crate::format::http::{self, BodyFraming, FramingFault};

/// The head of an answer.
pub(crate) struct HttpHead {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

impl HttpHead {
    /// The first value of a header, matched in any case, without white space around it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The length that the head gives the body; `None` where it gives none or where it is chunked, which counts for more.
    pub(crate) fn length(&self) -> Result<Option<u64>, String> {
        let fields = self.headers.iter().map(|(name, value)| (name.trim(), value.trim()));
        match http::framing(fields) {
            Ok(BodyFraming::Length(length)) => Ok(Some(length)),
            Ok(BodyFraming::Unsaid | BodyFraming::Chunked) => Ok(None),
            Err(FramingFault::NoNumber) => Err("its Content-Length is no number".to_string()),
            Err(FramingFault::TwoLengths) => Err("it has two lengths".to_string()),
            Err(FramingFault::UnknownCoding) => Err("its Transfer-Encoding is unknown".to_string()),
        }
    }
}

/// Why minreq's part ended without a whole answer.
pub(crate) enum TransportFault {
    /// It is clear.
    Known(Box<TransportError>),
    /// minreq says so. The text and not the error: that may hold the connection, which must be closed for the relay to end.
    Minreq(String),
    /// The body ended early: bytes that came, bytes announced.
    Short(u64, u64),
    /// There was no status.
    Nothing,
}

impl From<TransportError> for TransportFault {
    fn from(error: TransportError) -> TransportFault {
        TransportFault::Known(error.into())
    }
}

impl From<Box<TransportError>> for TransportFault {
    fn from(error: Box<TransportError>) -> TransportFault {
        TransportFault::Known(error)
    }
}

/// What is known of an answer that minreq takes for whole.
pub(crate) struct Received {
    pub head: HttpHead,
    pub bytes: u64,
}
