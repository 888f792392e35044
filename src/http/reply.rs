//! What answers of any server say in their heads and bodies: text in, values out.

use crate::format::utc;

/// Whether an answer is a page for people. The platform answers none with a success; a network's login page answers everything
/// with one, and what was sent would be taken for delivered.
pub(crate) fn is_page(content_type: Option<&str>, body: &[u8]) -> bool {
    let is_html = content_type.is_some_and(|is| is.trim_start().to_ascii_lowercase().starts_with("text/html"));
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    first == Some(&b'<') || (is_html && first.is_some())
}

/// `Content-Range: bytes a-b/total`; the total may be `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub first: u64,
    pub last: u64,
    pub total: Option<u64>,
}

impl Range {
    pub(crate) fn parse(text: &str) -> Option<Range> {
        let (unit, rest) = text.trim().split_once(' ')?;
        let (range, total) = rest.trim().split_once('/')?;
        let (first, last) = range.trim().split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let total = match total.trim() {
            "*" => None,
            digits => Some(number(digits)?),
        };
        let is_sound = unit.eq_ignore_ascii_case("bytes") && first <= last && total.map_or(true, |total| last < total);
        is_sound.then_some(Range { first, last, total })
    }

    pub(crate) fn length(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

/// The total of `Content-Range: bytes */total`, which comes with a 416.
pub(crate) fn unsatisfied_total(text: &str) -> Option<u64> {
    number(text.trim().strip_prefix("bytes */")?)
}

/// Digits alone: `parse` would take a sign.
pub(crate) fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// What a `Retry-After` asks to wait, in seconds: a number of them, or a date, which is taken by the answer's own `Date` and not by this
/// gateway's clock.
pub(crate) fn seconds_to_wait(retry_after: &str, date: Option<&str>) -> Option<u64> {
    number(retry_after).or_else(|| utc::from_http(retry_after)?.checked_sub(utc::from_http(date?)?))
}

/// The first line or so of a body, for people: bounded, without control characters.
pub(crate) fn excerpt(body: &[u8]) -> String {
    const MAX: usize = 200;
    let text = String::from_utf8_lossy(body.get(..body.len().min(MAX)).unwrap_or(&[]));
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_its_type_or_by_how_it_begins() {
        for (content_type, body, want) in [
            (None, "", false),
            (None, "a=<b>", false),
            (None, "1795216871", false),
            (None, " \r\n<html>", true),
            (Some("text/html"), "", false),
            (Some("text/html"), "\n", false),
            (Some(" Text/HTML; charset=utf-8"), "Please log in", true),
            (Some("text/csv"), "app.v1.tar.gz\n", false),
            (Some("text/plain"), "<?xml", true),
        ] {
            assert_eq!(is_page(content_type, body.as_bytes()), want, "{content_type:?} {body:?}");
        }
    }

    #[test]
    fn a_time_to_wait_is_a_number_or_a_date_by_the_server_s_own_clock() {
        let (date, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:51:37 GMT");
        for (retry_after, date, want) in [
            ("7", None, Some(7)),
            (later, Some(date), Some(120)),
            (date, Some(date), Some(0)),
            (date, Some(later), None),
            (later, None, None),
            (later, Some("now"), None),
            ("soon", Some(date), None),
        ] {
            assert_eq!(seconds_to_wait(retry_after, date), want, "{retry_after} {date:?}");
        }
    }

    #[test]
    fn ranges_are_sound_or_refused() {
        for (text, want) in [
            ("bytes 0-0/1", Some((0, 0, Some(1)))),
            ("Bytes 5-9/*", Some((5, 9, None))),
            (" bytes  5 - 9 / 10 ", Some((5, 9, Some(10)))),
            ("bytes 9-5/10", None),
            ("bytes 0-10/10", None),
            ("bytes +1-2/10", None),
            ("bytes 1-2", None),
            ("items 1-2/3", None),
            ("bytes -/3", None),
            ("bytes 1-99999999999999999999/3", None),
        ] {
            assert_eq!(Range::parse(text), want.map(|(first, last, total)| Range { first, last, total }), "{text:?}");
        }
        assert_eq!(Range { first: 0, last: u64::MAX, total: None }.length(), u64::MAX);
        assert_eq!(unsatisfied_total("bytes */12"), Some(12));
        assert_eq!(unsatisfied_total("bytes 1-2/12"), None);
    }

    #[test]
    fn excerpts_survive_any_body() {
        assert_eq!(excerpt(b" no\r\nway \x1b[1m "), "no  way  [1m");
        assert_eq!(excerpt(&[0xff; 500]).chars().count(), 200);
    }
}
