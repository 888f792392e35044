//! HTTP as far as supervisord speaks it: the bounds of a request, and the head of an answer.

use crate::format::http::request::{HeadRules, RequestHead};

/// A request's head may have so many bytes.
pub(super) const MAX_HEAD: usize = 16 << 10;
/// And its body.
pub(super) const MAX_BODY: usize = 1 << 20;

/// supervisord's clients write whole lines.
pub(super) const RULES: HeadRules = HeadRules { longest: MAX_HEAD, is_lenient: false };

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Request Entity Too Large",
        431 => "Request Header Fields Too Large",
        _ => "Internal Server Error",
    }
}

/// A whole answer. `closes`: nothing follows it.
pub(crate) fn answer(head: &RequestHead, status: u16, kind: &str, more: &str, body: &[u8], closes: bool) -> Vec<u8> {
    let mut out = start(head, status, kind, more);
    out.push_str(&format!("Content-Length: {}\r\n", body.len()));
    if closes {
        out.push_str("Connection: close\r\n");
    } else if head.minor == 0 {
        out.push_str("Connection: Keep-Alive\r\n");
    }
    out.push_str("\r\n");
    let mut bytes = out.into_bytes();
    if head.method != "HEAD" {
        bytes.extend(body);
    }
    bytes
}

/// The first lines of an answer. Its end is the caller's.
pub(crate) fn start(head: &RequestHead, status: u16, kind: &str, more: &str) -> String {
    format!("HTTP/1.{} {status} {}\r\nContent-Type: {kind}\r\n{more}", head.minor, reason(status))
}

/// An answer that says what is wrong.
pub(crate) fn error(head: &RequestHead, status: u16, more: &str, closes: bool) -> Vec<u8> {
    let reason = reason(status);
    let body = format!(
        "<head>\n<title>Error response</title>\n</head>\n<body>\n<h1>Error response</h1>\n<p>Error code {status}.\n<p>Message: {reason}.\n</body>\n"
    );
    answer(head, status, "text/html", more, body.as_bytes(), closes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::http::request;

    #[test]
    fn answers_have_a_length_and_say_whether_they_are_the_last() {
        let head = request::read(b"GET / HTTP/1.0\r\n\r\n", RULES).unwrap().unwrap().0;
        let text = String::from_utf8(error(&head, 404, "", true)).unwrap();
        assert!(text.starts_with("HTTP/1.0 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: "), "{text}");
        assert!(text.contains("Connection: close\r\n\r\n<head>"));
    }
}
