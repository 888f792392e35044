//! What a fault means at each stage of a request.

use super::Fault;
use crate::murano::http::framing::Framing;
use crate::murano::http::response::Response;
use crate::murano::http::send::{Offset, Script};
use crate::murano::http::socket::Ending;
use std::time::Duration;

/// What a fault means for one request, stage by stage. The default is a request that goes well.
#[derive(Debug, Default)]
pub struct Plan {
    /// Close without reading or answering.
    pub refuse: Option<Ending>,
    /// Wait so long before doing the work.
    pub delay: Duration,
    /// Do no work; this is the answer.
    pub instead: Option<Response>,
    /// Forget the request's `Range`.
    pub ignore_range: bool,
    /// Move the range's start by so many bytes.
    pub shift_range: i64,
    /// Do the work and close without an answer.
    pub lose_reply: Option<Ending>,
    /// A 206 becomes a 200.
    pub range_as_200: bool,
    /// This many more headers of this many bytes.
    pub headers: (usize, usize),
    /// How the answer travels.
    pub script: Script,
}

impl Plan {
    /// What `fault` means.
    pub fn of(fault: &Fault) -> Plan {
        let mut plan = Plan::default();
        let script = &mut plan.script;
        match fault {
            Fault::Pass => {}
            Fault::Refuse(ending) => plan.refuse = Some(*ending),
            Fault::Drop(at, ending) => script.cut = Some((*at, *ending)),
            Fault::Truncate(bytes) => script.cut = Some((Offset::Body(*bytes), Ending::Fin)),
            Fault::Stall(at, pause) => script.stall = Some((*at, *pause)),
            Fault::Drip(bytes, pause) => script.drip = Some((*bytes, *pause)),
            Fault::Status(code, after) => plan.instead = Some(status(*code, *after)),
            Fault::LostReply(ending) => plan.lose_reply = Some(*ending),
            Fault::Length(off) => script.framing = Framing::Length { off: *off },
            Fault::Chunked(size) => script.framing = chunked(*size, false, None),
            Fault::ChunkedAndLength(size) => script.framing = chunked(*size, true, None),
            Fault::ChunkedCut(after, size) => script.framing = chunked(*size, false, Some(*after)),
            Fault::RangeAs200 => plan.range_as_200 = true,
            Fault::RangeIgnored => plan.ignore_range = true,
            Fault::RangeShifted(off) => plan.shift_range = *off,
            Fault::NoLength => script.framing = Framing::Close,
            Fault::Headers(count, bytes) => plan.headers = (*count, *bytes),
            Fault::Redirect(to) => plan.instead = Some(Response::empty(302).with("Location", to)),
            Fault::Garbage(bytes) => script.garbage = Some(*bytes),
            Fault::Delay(pause) => plan.delay = *pause,
            Fault::Interim => script.interim = true,
            Fault::Corrupt(at) => script.corrupt = Some(*at),
        }
        plan
    }

    /// Changes the answer as planned.
    pub fn alter(&self, response: &mut Response) {
        if self.range_as_200 && response.status == 206 {
            response.status = 200;
        }
        let (count, bytes) = self.headers;
        for number in 0..count {
            response.headers.push((format!("X-Flood-{number}"), "x".repeat(bytes)));
        }
    }
}

fn status(code: u16, retry_after: Option<u32>) -> Response {
    let response = if code == 204 || code == 304 {
        Response::empty(code)
    } else {
        Response::text(code, format!("a fault was set: {code}\n"))
    };
    match retry_after {
        Some(seconds) => response.with("Retry-After", seconds.to_string()),
        None => response,
    }
}

fn chunked(size: usize, and_length: bool, cut_after: Option<u64>) -> Framing {
    Framing::Chunked { size, and_length, cut_after }
}
