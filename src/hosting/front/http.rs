//! HTTP as far as supervisord speaks it: the head of a request, and the head of an answer.

use crate::format::form;

/// A request's head may have so many bytes.
pub(super) const MAX_HEAD: usize = 16 << 10;
/// And its body.
pub(super) const MAX_BODY: usize = 1 << 20;

/// A request but for its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrontHead {
    pub(crate) method: String,
    /// With `%xx` resolved, without the query.
    pub(crate) path: String,
    /// `1.0` or `1.1`.
    pub(crate) version: String,
    pub(crate) length: Option<usize>,
    pub(crate) authorization: Option<String>,
    connection: Option<String>,
}

/// Reads a head, without the empty line behind it. `None`: it is none.
pub(crate) fn parse(bytes: &[u8]) -> Option<FrontHead> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n").skip_while(|line| line.is_empty());
    let mut words = lines.next()?.split(' ').filter(|word| !word.is_empty());
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let version = version.strip_prefix("HTTP/").filter(|version| matches!(*version, "1.0" | "1.1"))?;
    if words.next().is_some() {
        return None;
    }
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let mut head = FrontHead {
        method: method.to_string(),
        path: form::decode_path(path),
        version: version.to_string(),
        ..FrontHead::default()
    };
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            // Two that differ would be two requests for somebody else.
            "content-length" => {
                let length = value.parse().ok().filter(|_| value.bytes().all(|byte| byte.is_ascii_digit()))?;
                if head.length.replace(length).is_some_and(|first| first != length) {
                    return None;
                }
            }
            "transfer-encoding" => return None,
            "authorization" => head.authorization = Some(value.to_string()),
            "connection" => head.connection = Some(value.to_ascii_lowercase()),
            _ => {}
        }
    }
    Some(head)
}

impl FrontHead {
    /// Whether the connection goes on behind an answer whose length is known.
    pub(crate) fn keeps_open(&self) -> bool {
        match self.version.as_str() {
            "1.0" => self.connection.as_deref() == Some("keep-alive"),
            _ => self.connection.as_deref() != Some("close"),
        }
    }
}

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
pub(crate) fn answer(head: &FrontHead, status: u16, kind: &str, more: &str, body: &[u8], closes: bool) -> Vec<u8> {
    let mut out = start(head, status, kind, more);
    out.push_str(&format!("Content-Length: {}\r\n", body.len()));
    if closes {
        out.push_str("Connection: close\r\n");
    } else if head.version == "1.0" {
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
pub(crate) fn start(head: &FrontHead, status: u16, kind: &str, more: &str) -> String {
    let version = if head.version.is_empty() { "1.0" } else { &head.version };
    format!("HTTP/{version} {status} {}\r\nContent-Type: {kind}\r\n{more}", reason(status))
}

/// An answer that says what is wrong.
pub(crate) fn error(head: &FrontHead, status: u16, more: &str, closes: bool) -> Vec<u8> {
    let reason = reason(status);
    let body = format!(
        "<head>\n<title>Error response</title>\n</head>\n<body>\n<h1>Error response</h1>\n<p>Error code {status}.\n<p>Message: {reason}.\n</body>\n"
    );
    answer(head, status, "text/html", more, body.as_bytes(), closes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_good_and_bad() {
        let head = parse(b"POST /RPC2?x HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  12\r\nAuthorization: Basic x").unwrap();
        assert_eq!((head.path.as_str(), head.length, head.keeps_open()), ("/RPC2", Some(12), true));
        assert_eq!(head.authorization.as_deref(), Some("Basic x"));
        assert!(!parse(b"GET / HTTP/1.0").unwrap().keeps_open());
        assert!(parse(b"GET / HTTP/1.0\r\nConnection: Keep-Alive").unwrap().keeps_open());
        assert!(!parse(b"\r\n\r\nGET / HTTP/1.1\r\nConnection: close").unwrap().keeps_open());
        assert_eq!(parse(b"GET /logtail/a%3Ab%2 HTTP/1.0").unwrap().path, "/logtail/a:b%2");
        for bad in [
            &b""[..],
            b"GET /",
            b"GET / HTTP/2.0",
            b"GET / x HTTP/1.1",
            b"GET / HTTP/1.1\r\nno colon",
            b"POST / HTTP/1.1\r\nContent-Length: -1",
            b"POST / HTTP/1.1\r\nContent-Length: +1",
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn answers_have_a_length_and_say_whether_they_are_the_last() {
        let head = parse(b"GET / HTTP/1.0").unwrap();
        let text = String::from_utf8(error(&head, 404, "", true)).unwrap();
        assert!(text.starts_with("HTTP/1.0 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: "), "{text}");
        assert!(text.contains("Connection: close\r\n\r\n<head>"));
    }
}
