//! Faults: what goes wrong on purpose, to which call, and how often.
//!
//! `tests/README.md` has the table of the text form, `SCOPE:KIND[=ARGS][*COUNT][@PERCENT%[/SEED]]`.

mod book;
mod parse;
mod plan;
#[cfg(test)]
mod tests;

pub use book::{Applied, FaultBook};
pub use parse::KINDS;
pub use plan::Plan;

use super::endpoint::Endpoint;
use super::http::send::Offset;
use super::http::socket::Ending;
use std::time::Duration;

/// One kind of fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing goes wrong: for a request that is to succeed before the next fault's turn.
    Pass,
    /// The connection is closed before the request is read.
    Refuse(Ending),
    /// The answer breaks off.
    Drop(Offset, Ending),
    /// `Content-Length` is the whole body's, but only so many bytes of it come; an orderly close.
    Truncate(u64),
    /// Silence in the middle of the answer.
    Stall(Offset, Duration),
    /// The answer comes a few bytes at a time.
    Drip(usize, Duration),
    /// Nothing is done, and this status is the answer, perhaps with `Retry-After` in seconds.
    Status(u16, Option<u32>),
    /// The work is done, the answer never sent.
    LostReply(Ending),
    /// `Content-Length` is off by so many bytes; the whole body comes, and the connection stays open.
    Length(i64),
    /// Chunked, in chunks of so many bytes.
    Chunked(usize),
    /// Chunked, and `Content-Length` too.
    ChunkedAndLength(usize),
    /// Chunked, closed after so many chunks of so many bytes.
    ChunkedCut(u64, usize),
    /// A ranged answer comes as 200, with its `Content-Range`.
    RangeAs200,
    /// `Range` is ignored: 200 and the whole body.
    RangeIgnored,
    /// The range begins so many bytes off from what was asked, and `Content-Range` says so.
    RangeShifted(i64),
    /// No `Content-Length`: a 204 without one, or a body that ends with the connection.
    NoLength,
    /// 100, 102 and 103 before the answer.
    Interim,
    /// So many more headers of so many bytes.
    Headers(usize, usize),
    /// 302 to this place.
    Redirect(String),
    /// So many bytes that are no HTTP.
    Garbage(usize),
    /// The answer comes later.
    Delay(Duration),
    /// One byte has all its bits flipped.
    Corrupt(Offset),
}

/// A fault, for which calls, how often, and with what chance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Empty: any call.
    pub scope: Vec<Endpoint>,
    /// What goes wrong.
    pub fault: Fault,
    /// How many times; `None`: for ever.
    pub count: Option<u32>,
    /// Percent, and the seed of the draw; `None`: always.
    pub chance: Option<(u8, u64)>,
}

impl Spec {
    /// Reads the text form; the error says what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Spec, String> {
        parse::spec(text)
    }

    fn covers(&self, endpoint: Endpoint) -> bool {
        self.scope.is_empty() || self.scope.contains(&endpoint)
    }
}
