//! The head of a request: read, bounded and taken apart.

use std::io::{self, BufRead, Read};

/// A request's head may be this long; a read of many aliases is a long request line.
const MAX_HEAD: u64 = 64 * 1024;

/// Why no request could be read.
#[derive(Debug)]
pub enum BadHead {
    /// The peer closed, or was silent for too long, between requests or in the middle of one.
    Gone,
    /// What came is no request; the text says why.
    Malformed(&'static str),
}

impl From<io::Error> for BadHead {
    fn from(_: io::Error) -> Self {
        BadHead::Gone
    }
}

/// A request line and its headers.
#[derive(Debug, Default)]
pub struct Request {
    /// As sent, such as `GET`.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// Names in lower case, values trimmed; in the order sent.
    pub headers: Vec<(String, String)>,
    /// `HTTP/1.0`: the connection closes unless asked otherwise.
    pub http_1_0: bool,
    /// Bytes of the head on the wire.
    pub head_bytes: u64,
}

impl Request {
    /// Reads the next request's head.
    pub fn read(from: &mut dyn BufRead) -> Result<Request, BadHead> {
        let mut from = from.take(MAX_HEAD);
        let mut request = Request::default();
        let mut line = read_line(&mut from)?;
        if line.is_empty() {
            // RFC 9112, 2.2: an empty line before the request line is to be ignored.
            line = read_line(&mut from)?;
        }
        let words: Vec<&str> = line.split(' ').collect();
        let [method, target, version] = words[..] else {
            return Err(BadHead::Malformed("the request line is not METHOD TARGET VERSION"));
        };
        request.method = method.to_string();
        request.target = target.to_string();
        request.http_1_0 = match version {
            "HTTP/1.1" => false,
            "HTTP/1.0" => true,
            _ => return Err(BadHead::Malformed("the version is neither HTTP/1.1 nor HTTP/1.0")),
        };
        loop {
            let line = read_line(&mut from)?;
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(':') else {
                return Err(BadHead::Malformed("a header line has no colon"));
            };
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
        }
        request.head_bytes = MAX_HEAD - from.limit();
        Ok(request)
    }

    /// The first header of this name (given in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The target up to the `?`, as sent.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or("")
    }

    /// The target after the `?`, as sent; empty where there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Whether the peer expects the connection to stay open after the answer.
    pub fn keep_alive(&self) -> bool {
        match self.header("connection").map(str::to_ascii_lowercase).as_deref() {
            Some(tokens) if tokens.contains("close") => false,
            Some(tokens) if tokens.contains("keep-alive") => true,
            _ => !self.http_1_0,
        }
    }
}

/// One line without its CRLF or LF.
fn read_line(from: &mut io::Take<&mut dyn BufRead>) -> Result<String, BadHead> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(if from.limit() == 0 {
            BadHead::Malformed("the head is longer than 64 KiB")
        } else {
            BadHead::Gone
        });
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, BadHead> {
        Request::read(&mut text.as_bytes())
    }

    #[test]
    fn a_head_is_taken_apart() {
        let text = "POST /a/b?c&d=e HTTP/1.1\r\nX-ExoSite-CIK:  abc \r\nCONNECTION: Close\r\n\r\nbody";
        let request = read(text).unwrap();
        assert_eq!((request.method.as_str(), request.path()), ("POST", "/a/b"));
        assert_eq!(request.query(), "c&d=e");
        assert_eq!(request.header("x-exosite-cik"), Some("abc"));
        assert!(!request.keep_alive());
        assert_eq!(request.head_bytes as usize, text.len() - 4);
    }

    #[test]
    fn keep_alive_follows_the_version_and_the_header() {
        for (text, kept) in [
            ("GET / HTTP/1.1\n\n", true),
            ("GET / HTTP/1.0\n\n", false),
            ("GET / HTTP/1.0\nConnection: Keep-Alive\n\n", true),
            ("GET / HTTP/1.1\nConnection: close\n\n", false),
        ] {
            assert_eq!(read(text).unwrap().keep_alive(), kept, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_request_is_told_from_a_peer_that_left() {
        assert!(matches!(read(""), Err(BadHead::Gone)));
        assert!(matches!(read("GET / HTTP/1.1\r\nHost:"), Err(BadHead::Gone)));
        assert!(matches!(read("nonsense\r\n\r\n"), Err(BadHead::Malformed(_))));
        assert!(matches!(read("GET / HTTP/2\r\n\r\n"), Err(BadHead::Malformed(_))));
        assert!(matches!(read("GET / HTTP/1.1\r\nno colon\r\n\r\n"), Err(BadHead::Malformed(_))));
        let flood = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(70_000));
        assert!(matches!(read(&flood), Err(BadHead::Malformed(_))));
    }
}
