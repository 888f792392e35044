//! What every reader of HTTP/1 has to know, on either side: where a head ends, the status that it begins with, a body in chunks. What to make
//! of the rest is the readers'.

pub mod chunks;

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
}
