//! The head of a request, with the bounds of the queue. Bare line feeds, header names in any case, empty lines before the request: all as clients
//! send them.

use crate::format::http::chunks::ChunkFault;
use crate::format::http::request::{self, HeadRules, RequestFault, RequestHead};
use crate::format::http::{BodyFraming, FramingFault};

/// The largest head, in bytes.
pub const MAX_HEAD: usize = 8 * 1024;
/// The largest body, in bytes: a value of 64 KiB, each byte percent-encoded.
pub const MAX_BODY: usize = 192 * 1024;

/// How a client begins that speaks TLS.
const TLS_HANDSHAKE: &[u8] = &[0x16, 0x03];

/// Why a request cannot be read: nothing behind it on the connection can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadFault {
    /// The HTTP status of the answer.
    pub status: u16,
    /// A sentence for the answer.
    pub sentence: &'static str,
}

const fn fault(status: u16, sentence: &'static str) -> HeadFault {
    HeadFault { status, sentence }
}

/// Reads a head from the front of `bytes`: the head and its length. `Ok(None)`: it is not all there yet.
///
/// # Errors
/// It is no head, or too large, or speaks of something that is not done here.
pub fn parse(bytes: &[u8]) -> Result<Option<(RequestHead, usize)>, HeadFault> {
    if bytes.starts_with(TLS_HANDSHAKE) {
        // Its client waits for a hello, and would wait until this looked like half a request for too long.
        return Err(fault(400, "this is plain HTTP, for this machine only: the URL begins with http://"));
    }
    let rules = HeadRules { longest: MAX_HEAD, is_lenient: true };
    let Some((head, length)) = request::read(bytes, rules).map_err(told)? else { return Ok(None) };
    match head.framing {
        BodyFraming::Length(length) if length > MAX_BODY as u64 => Err(TOO_LARGE),
        _ => Ok(Some((head, length))),
    }
}

/// What a client is told of its head.
fn told(why: RequestFault) -> HeadFault {
    match why {
        RequestFault::TooLong => fault(431, "the request's head is larger than 8192 bytes"),
        RequestFault::RequestLine => fault(400, "the request does not begin with METHOD PATH HTTP/1.1"),
        RequestFault::Version => fault(505, "this is an HTTP/1.1 server"),
        RequestFault::Line => fault(400, "a header is no NAME: VALUE on a line of its own"),
        RequestFault::Framing(FramingFault::NoNumber) => fault(400, "Content-Length is not a number"),
        RequestFault::Framing(FramingFault::TwoLengths) => fault(400, "there are two different Content-Lengths"),
        RequestFault::Framing(FramingFault::UnknownCoding) => {
            fault(501, "no Transfer-Encoding but chunked is known here")
        }
    }
}

const TOO_LARGE: HeadFault = fault(413, "the body is larger than 196608 bytes");

/// What a client is told of its chunks.
pub(super) fn no_chunks(why: ChunkFault) -> HeadFault {
    match why {
        ChunkFault::Malformed => fault(400, "the body is not in chunks, though the head says so"),
        ChunkFault::TooLarge => TOO_LARGE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_says_why() {
        for (text, status) in [
            ("\u{16}\u{3}\u{1}\n\n", 400),
            ("GET /\n\n", 400),
            ("GET / HTTP/1.1 x\n\n", 400),
            ("GET / FTP/1.1\n\n", 400),
            ("GET / HTTP/2.0\n\n", 505),
            ("POST / HTTP/1.1\nContent-Length : 1\n\n", 400),
            ("POST / HTTP/1.1\nContent-Length: -1\n\n", 400),
            ("POST / HTTP/1.1\nContent-Length: \n\n", 400),
            ("POST / HTTP/1.1\nContent-Length: 1, 1\n\n", 400),
            ("POST / HTTP/1.1\nContent-Length: 1\nContent-Length: 2\n\n", 400),
            ("POST / HTTP/1.1\nContent-Length: 196609\n\n", 413),
            ("POST / HTTP/1.1\nContent-Length: 99999999999999999999999\n\n", 413),
            ("POST / HTTP/1.1\nTransfer-Encoding: gzip, chunked\n\n", 501),
            (&["GET / HTTP/1.1\r\n", &"a".repeat(MAX_HEAD)].concat(), 431),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().status, status, "{text:?}");
        }
        let largest = parse(b"POST / HTTP/1.1\nContent-Length: 196608\n\n").unwrap().unwrap();
        assert_eq!((largest.0.framing, largest.1), (BodyFraming::Length(MAX_BODY as u64), 40));
    }
}
