//! What every reader of HTTP/1 has to know, on either side: where a head ends, the status that it begins with, its headers, how its body comes;
//! a request's head, and a body in chunks. What to make of the rest is the readers'.

pub mod chunks;
pub mod request;

use std::borrow::Cow;

/// The length of the head that these bytes begin with, its empty line included; `None`: it is not all there. Lines may end with a line feed
/// alone.
#[must_use]
pub fn head_len(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        if matches!(bytes.get(start..at), Some(b"" | b"\r")) {
            return Some(at + 1);
        }
        start = at + 1;
    }
    None
}

/// The status of an answer, by its head or the first line of that: three digits behind `HTTP/1.` and a space.
#[must_use]
pub fn status(head: &str) -> Option<u16> {
    let number = head.lines().next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.trim_end();
    (number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit())).then(|| number.parse().ok())?
}

/// An answer's head and body; `None`: it has no head of at most `longest` bytes.
#[must_use]
pub fn split(answer: &[u8], longest: usize) -> Option<(Cow<'_, str>, &[u8])> {
    let (head, body) = answer.split_at(head_len(answer.get(..longest.min(answer.len()))?)?);
    Some((String::from_utf8_lossy(head), body))
}

/// How a body comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyFraming {
    /// Its head says nothing of it.
    #[default]
    Unsaid,
    /// So many bytes; `u64::MAX` for what cannot be counted.
    Length(u64),
    /// In chunks, which count for more than a length (RFC 9112, 6.3).
    Chunked,
}

/// Why a head does not say how its body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramingFault {
    /// A length is no number.
    NoNumber,
    /// Two lengths differ.
    TwoLengths,
    /// What the body is coded by is not known.
    UnknownCoding,
}

/// The names and values of a head's lines, without white space around them. A line without a colon is passed over.
pub fn fields(lines: &str) -> impl Iterator<Item = (&str, &str)> {
    lines.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (bare(name), bare(value)))
}

fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace())
}

/// How the body of a head comes.
///
/// # Errors
/// It contradicts itself, or says what is not understood.
pub fn framing<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Result<BodyFraming, FramingFault> {
    let (mut is_chunked, mut length) = (false, None);
    for (name, value) in fields {
        if name.eq_ignore_ascii_case("transfer-encoding") {
            match value {
                _ if value.eq_ignore_ascii_case("chunked") && !is_chunked => is_chunked = true,
                _ if value.eq_ignore_ascii_case("identity") => {}
                _ => return Err(FramingFault::UnknownCoding),
            }
        } else if name.eq_ignore_ascii_case("content-length") {
            // `parse` would take a sign.
            let is_number = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            let this = is_number.then(|| value.parse().unwrap_or(u64::MAX)).ok_or(FramingFault::NoNumber)?;
            if length.replace(this).is_some_and(|other| other != this) {
                return Err(FramingFault::TwoLengths);
            }
        }
    }
    Ok(match length {
        _ if is_chunked => BodyFraming::Chunked,
        Some(length) => BodyFraming::Length(length),
        None => BodyFraming::Unsaid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_its_first_empty_line() {
        for (text, want) in [
            ("", None),
            ("a\r\nb\r\n", None),
            ("a\r\nb\r\n\r", None),
            ("a\r\nb\r\n\r\nbody\r\n\r\n", Some(8)),
            ("a\nb\n\nbody", Some(5)),
            ("a\n\r\n", Some(4)),
            ("\r\nx", Some(2)),
            ("a\r\n\rb\r\n\r\n", Some(9)),
        ] {
            assert_eq!(head_len(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn a_status_is_three_digits_and_nothing_else() {
        for (line, want) in [
            ("HTTP/1.1 200 OK", Some(200)),
            ("HTTP/1.0 404", Some(404)),
            ("HTTP/1.1 200\nX: 1\n\n", Some(200)),
            ("\nHTTP/1.1 200", None),
            ("HTTP/1.1 204\r", Some(204)),
            ("HTTP/1.1 +20 OK", None),
            ("HTTP/1.1 20 OK", None),
            ("HTTP/1.1 2000 OK", None),
            ("HTTP/1.1", None),
            ("HTTP/2 200 OK", None),
            ("SSH-2.0 200", None),
        ] {
            assert_eq!(status(line), want, "{line:?}");
        }
    }

    #[test]
    fn an_answer_without_a_whole_head_within_its_bound_is_none() {
        let answer = b"HTTP/1.0 200 OK\r\nA: \xb0\r\n\r\nbody";
        let head = answer.len() - 4;
        for longest in [head, head + 1, usize::MAX] {
            assert_eq!(split(answer, longest), Some(("HTTP/1.0 200 OK\r\nA: \u{fffd}\r\n\r\n".into(), &b"body"[..])));
        }
        assert_eq!(split(answer, head - 1), None);
        (0..head).for_each(|end| assert_eq!(split(&answer[..end], usize::MAX), None, "{end}"));
    }

    #[test]
    fn a_head_says_how_its_body_comes_or_contradicts_itself() {
        use BodyFraming::{Chunked, Length, Unsaid};
        use FramingFault::{NoNumber, TwoLengths, UnknownCoding};
        for (lines, want) in [
            ("", Ok(Unsaid)),
            ("A: 5\r\nno colon\r\n", Ok(Unsaid)),
            ("content-LENGTH : 5 \r\n", Ok(Length(5))),
            ("Content-Length: 5\nContent-Length: 05\n", Ok(Length(5))),
            ("Content-Length: 99999999999999999999", Ok(Length(u64::MAX))),
            ("Content-Length: 5\nTransfer-Encoding: Chunked", Ok(Chunked)),
            ("Transfer-Encoding: identity\nContent-Length: 0", Ok(Length(0))),
            ("Content-Length: -1", Err(NoNumber)),
            ("Content-Length: +1", Err(NoNumber)),
            ("Content-Length:", Err(NoNumber)),
            ("Content-Length: 1, 1", Err(NoNumber)),
            ("Content-Length: 1\nContent-Length: 2", Err(TwoLengths)),
            ("Transfer-Encoding: gzip, chunked", Err(UnknownCoding)),
            ("Transfer-Encoding: chunked\nTransfer-Encoding: chunked", Err(UnknownCoding)),
            ("Transfer-Encoding:", Err(UnknownCoding)),
        ] {
            assert_eq!(framing(fields(lines)), want, "{lines:?}");
        }
    }
}
