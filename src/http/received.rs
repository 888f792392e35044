//! What there is of an answer: its head, how much came, or why it is none.

use super::error::TransportError;

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
        if self.is_chunked()? {
            return Ok(None);
        }
        let mut length = None;
        for (_, value) in self.headers.iter().filter(|(key, _)| key.trim().eq_ignore_ascii_case("content-length")) {
            let this = value.trim().parse::<u64>().map_err(|_| "its Content-Length is no number")?;
            if length.replace(this).is_some_and(|other| other != this) {
                return Err("it has two lengths".to_string());
            }
        }
        Ok(length)
    }

    pub(crate) fn is_chunked(&self) -> Result<bool, String> {
        match self.header("transfer-encoding") {
            None => Ok(false),
            Some(coding) if coding.eq_ignore_ascii_case("chunked") => Ok(true),
            Some(_) => Err("its Transfer-Encoding is unknown".to_string()),
        }
    }
}

/// Why minreq's part ended without a whole answer.
pub(crate) enum TransportFault {
    /// It is clear.
    Known(TransportError),
    /// minreq says so. The text and not the error: that may hold the connection, which must be closed for the relay to end.
    Minreq(String),
    /// The body ended early: bytes that came, bytes announced.
    Short(u64, u64),
    /// There was no status.
    Nothing,
}

impl From<TransportError> for TransportFault {
    fn from(error: TransportError) -> TransportFault {
        TransportFault::Known(error)
    }
}

/// What is known of an answer that minreq takes for whole.
pub(crate) struct Received {
    pub head: HttpHead,
    pub bytes: u64,
}
