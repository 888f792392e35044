//! Whether an HTTP answer came whole, judged from its bytes as the connection brings them.
//!
//! minreq takes the end of the connection for the end of whatever it was reading: a line, the headers, a chunk, the body
//! (docs/spec/device-api.md, "What minreq 3.0.0 does"). This follower is shown the same bytes and believes none of that. It
//! keeps nothing but the head. The one thing that it changes: a byte above 127 outside of the body becomes a `?`, since minreq refuses a
//! whole answer for a header in Latin-1; and it says how much of what came is no part of the answer: 100, 102 and 103, which
//! minreq would take for it (RFC 9110, 15.2; docs/spec/failures.md, case 11).

use crate::format::http::chunks::ChunkDecoder;
use crate::format::http::{self, BodyFraming, FramingFault};

/// The longest head that is followed, with all that came before the answer's own.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// What chunks may announce in all: everything that can be counted.
const MAX_CHUNKED: u64 = u64::MAX - 1;

/// Whether something else follows this head. (101 is an answer: the protocol is another from there on.)
pub(crate) fn is_interim(status: u16) -> bool {
    matches!(status, 100 | 102..=199)
}

/// Follows one answer.
#[derive(Debug)]
pub(crate) struct Follower {
    at: At,
    /// Bytes of the heads that came before the answer's own.
    early: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum At {
    /// In the head: what came of it.
    Head(Vec<u8>),
    /// In a body of known length: bytes still to come.
    Length(u64),
    /// In a chunked body.
    Chunked(ChunkDecoder),
    /// In a body that ends with the connection.
    UntilClose,
    /// Behind the end of a whole answer.
    Done,
    /// Behind the end of an answer that has no body whatever it says: some send one with a 204.
    DoneWithoutBody,
    /// More came than the answer announced.
    Excess,
    /// These bytes are no HTTP/1 answer.
    Garbage,
    /// The head is longer than [`MAX_HEAD`].
    LongHead,
}

/// What the follower says at the end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The whole answer came.
    Whole,
    /// The head came, and a body that ends only with the connection: how much of it there was is for others to judge.
    Unframed,
    /// It was cut short in its head.
    CutHead,
    /// It was cut short in its body.
    Cut,
    /// More came than it announced: one of the two is wrong.
    Excess,
    /// It was no HTTP/1 answer.
    Garbage,
    /// Its head is longer than [`MAX_HEAD`].
    LongHead,
}

impl Follower {
    pub(crate) fn new() -> Follower {
        Follower { at: At::Head(Vec::new()), early: 0 }
    }

    /// Shows it the next bytes from the server.
    pub(crate) fn feed(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            bytes = match &mut self.at {
                At::Head(head) => {
                    let rest = take_head(head, bytes);
                    if let Some(next) = after_head(head, self.early) {
                        if matches!(next, At::Head(_)) {
                            self.early += head.len();
                        }
                        self.at = next;
                    }
                    rest
                }
                At::Length(left) => {
                    let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= taken as u64;
                    if *left == 0 {
                        self.at = At::Done;
                    }
                    &mut bytes[taken..]
                }
                At::Chunked(decoder) => {
                    let Ok(part) = decoder.next(bytes) else {
                        self.at = At::Garbage;
                        return;
                    };
                    if decoder.is_done() {
                        self.at = At::Done;
                    }
                    let (taken, rest) = bytes.split_at_mut(part.len);
                    if !part.is_data {
                        taken.iter_mut().for_each(plain);
                    }
                    rest
                }
                // An empty line behind the body is an old habit.
                At::Done if bytes.iter().any(|b| !matches!(b, b'\r' | b'\n')) => {
                    self.at = At::Excess;
                    return;
                }
                At::UntilClose | At::Done | At::DoneWithoutBody | At::Excess | At::Garbage | At::LongHead => return,
            };
        }
    }

    /// How many bytes came before the answer's own head.
    pub(crate) fn early(&self) -> usize {
        self.early
    }

    /// Whether the head is still to come, or a part of it.
    pub(crate) fn is_in_head(&self) -> bool {
        matches!(self.at, At::Head(_))
    }

    /// What came, the connection being at its end.
    pub(crate) fn verdict(&self) -> Verdict {
        match self.at {
            At::Done | At::DoneWithoutBody => Verdict::Whole,
            At::Excess => Verdict::Excess,
            At::UntilClose => Verdict::Unframed,
            At::Garbage => Verdict::Garbage,
            At::LongHead => Verdict::LongHead,
            At::Head(_) => Verdict::CutHead,
            At::Length(_) | At::Chunked(_) => Verdict::Cut,
        }
    }
}

/// Takes bytes up to and with the end of the current line into the head; returns the rest.
fn take_head<'a>(head: &mut Vec<u8>, bytes: &'a mut [u8]) -> &'a mut [u8] {
    let end = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |i| i + 1);
    let (line, rest) = bytes.split_at_mut(end);
    line.iter_mut().for_each(plain);
    head.extend_from_slice(line);
    rest
}

/// What minreq reads as text must be some.
fn plain(byte: &mut u8) {
    if !byte.is_ascii() {
        *byte = b'?';
    }
}

/// What follows the head; `None` while it is not complete.
fn after_head(head: &[u8], early: usize) -> Option<At> {
    const START: &[u8] = b"HTTP/1.";
    let shown = head.len().min(START.len());
    if head[..shown] != START[..shown] {
        return Some(At::Garbage);
    }
    if early + head.len() > MAX_HEAD {
        return Some(At::LongHead);
    }
    if !(head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n")) {
        return None;
    }
    let Ok(text) = std::str::from_utf8(head) else { return Some(At::Garbage) };
    let Some(status) = http::status(text) else { return Some(At::Garbage) };
    if is_interim(status) {
        return Some(At::Head(Vec::new()));
    }
    Some(match http::framing(http::fields(text)) {
        _ if matches!(status, 204 | 304) => At::DoneWithoutBody,
        Ok(BodyFraming::Chunked) => At::Chunked(ChunkDecoder::new(MAX_CHUNKED, MAX_HEAD)),
        Ok(BodyFraming::Length(0)) => At::Done,
        Ok(BodyFraming::Length(u64::MAX)) | Err(FramingFault::NoNumber) => At::Garbage,
        Ok(BodyFraming::Length(length)) => At::Length(length),
        // What contradicts itself is refused by who reads the head (`received.rs`), with its reason.
        Ok(BodyFraming::Unsaid) | Err(FramingFault::TwoLengths | FramingFault::UnknownCoding) => At::UntilClose,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[&str] = &[
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-LENGTH : 5 \r\nDate: x\r\n\r\n12345",
        "HTTP/1.0 200 OK\nContent-Length: 2\n\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5;x=y\r\n0\r\n\r\n\r\n1\r\nb\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nServer: \u{b0}\r\nContent-Length: 2\r\n\r\n\u{b0}",
    ];

    fn verdict(bytes: &[u8], step: usize) -> Verdict {
        let mut follower = Follower::new();
        bytes.to_vec().chunks_mut(step).for_each(|part| follower.feed(part));
        follower.verdict()
    }

    #[test]
    fn every_cut_of_a_whole_answer_is_seen_at_every_offset() {
        // psf/requests#4956: a truncated body came back as success.
        for text in WHOLE {
            for step in [1, 2, 7, 10_000] {
                assert_eq!(verdict(text.as_bytes(), step), Verdict::Whole, "{text:?} by {step}");
                for cut in 0..text.len() {
                    let got = verdict(&text.as_bytes()[..cut], step);
                    let head = text.find("\r\n\r\n").map_or_else(|| text.find("\n\n").unwrap() + 2, |end| end + 4);
                    let want = if cut < head { Verdict::CutHead } else { Verdict::Cut };
                    assert_eq!(got, want, "{text:?} cut at {cut}, by {step}");
                }
            }
        }
    }

    #[test]
    fn a_body_without_framing_is_left_to_others() {
        assert_eq!(verdict(b"HTTP/1.1 200 OK\r\n\r\nabc", 4), Verdict::Unframed);
        assert_eq!(verdict(b"HTTP/1.1 200 OK\r\n\r", 4), Verdict::CutHead);
    }

    #[test]
    fn what_comes_before_the_answer_is_passed_over_and_no_head_has_bytes_that_are_no_text() {
        let early = b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 \xb0\r\nLink: \xff\r\n\r\n";
        let answer = b"HTTP/1.1 200 OK\r\nX: 21 \xb0C\r\nTransfer-Encoding: chunked\r\n\r\n1;\xb0\r\n\xb0\r\n0\r\nY: \xb0\r\n\r\n";
        let clean =
            b"HTTP/1.1 200 OK\r\nX: 21 ?C\r\nTransfer-Encoding: chunked\r\n\r\n1;?\r\n\xb0\r\n0\r\nY: ?\r\n\r\n";
        for step in [1, 3, 10_000] {
            let mut follower = Follower::new();
            let mut bytes = [&early[..], answer].concat();
            assert!(follower.is_in_head());
            bytes.chunks_mut(step).for_each(|part| follower.feed(part));
            assert_eq!((follower.verdict(), follower.is_in_head()), (Verdict::Whole, false));
            assert_eq!(follower.early(), early.len());
            assert_eq!(bytes[early.len()..], clean[..]);
        }
        assert_eq!(verdict(early, 7), Verdict::CutHead);
    }

    #[test]
    fn what_is_no_http_answer_is_garbage() {
        for text in [
            "SSH-2.0-OpenSSH 200 OK\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 abc OK\r\n\r\n",
            "HTTP/1.1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
        ] {
            assert_eq!(verdict(text.as_bytes(), 3), Verdict::Garbage, "{text:?}");
        }
        let flood = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"a: b\r\n".repeat(MAX_HEAD)].concat();
        assert_eq!(verdict(&flood, 4096), Verdict::LongHead);
        assert_eq!(verdict(&b"HTTP/1.1 103 E\r\n\r\n".repeat(MAX_HEAD), 4096), Verdict::LongHead);
        let trailers =
            ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", &"a: b\r\n".repeat(MAX_HEAD)].concat();
        assert_eq!(verdict(trailers.as_bytes(), 4096), Verdict::Garbage);
        let endless = ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &"1".repeat(5000)].concat();
        assert_eq!(verdict(endless.as_bytes(), 4096), Verdict::Garbage);
    }

    #[test]
    fn bytes_behind_the_end_contradict_the_length() {
        for (text, behind, want) in [
            (WHOLE[3], "6", Verdict::Excess),
            (WHOLE[2], "junk", Verdict::Excess),
            (WHOLE[5], "HTTP/1.1 200 OK", Verdict::Excess),
            (WHOLE[3], "\r\n", Verdict::Whole),
            (WHOLE[0], "no content", Verdict::Whole),
        ] {
            assert_eq!(verdict([text, behind].concat().as_bytes(), 3), want, "{text:?} and {behind:?}");
        }
    }
}
