//! The head of a request. Bare line feeds, header names in any case, empty lines before the request: all as clients send them.

use crate::format::http::chunks::ChunkFault;
use crate::format::http::head_len;

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

/// How the body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes.
    Length(usize),
    /// In chunks.
    Chunked,
}

/// The head, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// `POST`.
    pub method: String,
    /// As in the request line, still encoded, without a scheme and a host.
    pub target: String,
    /// How the body comes.
    pub framing: Framing,
    /// Whether the connection stays open behind the answer.
    pub keep_alive: bool,
    /// HTTP/1.0.
    pub is_old: bool,
    /// `Expect: 100-continue`: the client waits before it sends the body.
    pub expects_continue: bool,
    /// `X-Exosite-VMS`.
    pub vms: Option<String>,
    /// `X-Exosite-CIK`.
    pub cik: Option<String>,
    /// `Content-Type`, without its parameters, in lower case.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
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
    let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let Some(length) = head_len(bytes.get(blank..).unwrap_or_default()) else {
        if bytes.len() > MAX_HEAD {
            return Err(fault(431, "the request's head is larger than 8192 bytes"));
        }
        return Ok(None);
    };
    if length > MAX_HEAD {
        return Err(fault(431, "the request's head is larger than 8192 bytes"));
    }
    let text = String::from_utf8_lossy(bytes.get(blank..blank + length).unwrap_or_default());
    let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
    let mut head = request_line(lines.next().unwrap_or_default())?;
    let mut fields = HeadFields::default();
    for line in lines {
        // A line without a colon, or one that goes on from the last, belongs to no header that matters here.
        if let Some((name, value)) = line.split_once(':') {
            fields.take(&mut head, name.trim(), value.trim())?;
        }
    }
    head.framing = match (fields.is_chunked, fields.length) {
        // Both at once: chunked wins (RFC 9112, 6.3).
        (true, _) => Framing::Chunked,
        (false, length) => Framing::Length(length.unwrap_or(0)),
    };
    Ok(Some((head, blank + length)))
}

fn request_line(line: &str) -> Result<RequestHead, HeadFault> {
    const WRONG: HeadFault = fault(400, "the request does not begin with METHOD PATH HTTP/1.1");
    let mut words = line.split_ascii_whitespace();
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(WRONG);
    };
    let is_old = match version {
        "HTTP/1.0" => true,
        _ if version.starts_with("HTTP/1.") => false,
        _ if version.starts_with("HTTP/") => return Err(fault(505, "this is an HTTP/1.1 server")),
        _ => return Err(WRONG),
    };
    Ok(RequestHead {
        method: method.to_string(),
        target: without_host(target).to_string(),
        framing: Framing::Length(0),
        keep_alive: !is_old,
        is_old,
        expects_continue: false,
        vms: None,
        cik: None,
        content_type: None,
        content_encoding: None,
    })
}

/// A client that takes gmq for its proxy sends the whole URL.
fn without_host(target: &str) -> &str {
    match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        _ => target,
    }
}

#[derive(Default)]
struct HeadFields {
    length: Option<usize>,
    is_chunked: bool,
}

impl HeadFields {
    fn take(&mut self, head: &mut RequestHead, name: &str, value: &str) -> Result<(), HeadFault> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("content-length") {
            let is_number = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            // A number that no machine can hold is a large body, not a wrong header.
            let length = if is_number { Some(value.parse().unwrap_or(usize::MAX)) } else { None };
            let length = length.ok_or(fault(400, "Content-Length is not a number"))?;
            if self.length.is_some_and(|other| other != length) {
                return Err(fault(400, "there are two different Content-Lengths"));
            }
            if length > MAX_BODY {
                return Err(TOO_LARGE);
            }
            self.length = Some(length);
        } else if is("transfer-encoding") {
            match value.to_ascii_lowercase().as_str() {
                "chunked" => self.is_chunked = true,
                "identity" | "" => {}
                _ => return Err(fault(501, "no Transfer-Encoding but chunked is known here")),
            }
        } else if is("connection") {
            for option in value.split(',').map(str::trim) {
                if option.eq_ignore_ascii_case("close") {
                    head.keep_alive = false;
                } else if option.eq_ignore_ascii_case("keep-alive") {
                    head.keep_alive = true;
                }
            }
        } else if is("expect") {
            head.expects_continue = value.eq_ignore_ascii_case("100-continue");
        } else if is("x-exosite-vms") {
            head.vms = Some(value.to_string());
        } else if is("x-exosite-cik") {
            head.cik = Some(value.to_string());
        } else if is("content-type") {
            let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            head.content_type = Some(kind).filter(|kind| !kind.is_empty());
        } else if is("content-encoding") {
            head.content_encoding = Some(value.to_ascii_lowercase());
        }
        Ok(())
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

    fn head(text: &str) -> RequestHead {
        parse(text.as_bytes()).unwrap().unwrap().0
    }

    #[test]
    fn heads_as_clients_send_them() {
        let curl = "POST /onep:v1/stack/alias HTTP/1.1\r\nHost: localhost:8090\r\nX-Exosite-CIK: abc \r\n\
                    Content-Length: 32\r\nExpect: 100-continue\r\n\r\nbody";
        let (parsed, length) = parse(curl.as_bytes()).unwrap().unwrap();
        assert_eq!(length, curl.len() - 4);
        let expected = RequestHead {
            method: "POST".into(),
            target: "/onep:v1/stack/alias".into(),
            framing: Framing::Length(32),
            keep_alive: true,
            is_old: false,
            expects_continue: true,
            vms: None,
            cik: Some("abc".into()),
            content_type: None,
            content_encoding: None,
        };
        assert_eq!(parsed, expected);

        let sloppy =
            head("\r\n\nPOST http://localhost:8090/a?b HTTP/1.0\nx-EXOSITE-vms:a b c\nno colon\n continued\n\n");
        assert_eq!((sloppy.target.as_str(), sloppy.vms.as_deref()), ("/a?b", Some("a b c")));
        assert!(sloppy.is_old && !sloppy.keep_alive);
        assert_eq!(head("GET http://h HTTP/1.1\n\n").target, "/");
        assert_eq!(head("GET /a/http://h/ HTTP/1.1\n\n").target, "/a/http://h/");
        assert!(head("GET / HTTP/1.0\nConnection: foo, Keep-Alive\n\n").keep_alive);
        assert!(!head("GET / HTTP/1.1\nConnection: close\n\n").keep_alive);
        let both = head("POST / HTTP/1.1\nContent-Length: 5\nTransfer-Encoding: Chunked\nContent-Length: 5\n\n");
        assert_eq!(both.framing, Framing::Chunked);
    }

    #[test]
    fn a_head_that_is_not_all_there_is_waited_for_up_to_its_bound() {
        let whole = b"POST / HTTP/1.1\r\nA: b\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), Ok(None), "{end}");
        }
        let endless = [&b"GET / HTTP/1.1\r\n"[..], &vec![b'a'; MAX_HEAD]].concat();
        assert_eq!(parse(&endless).unwrap_err().status, 431);
        assert_eq!(parse(&vec![b'\n'; MAX_HEAD + 1]).unwrap_err().status, 431);
        let long = [endless, b": 1\r\n\r\n".to_vec()].concat();
        assert_eq!(parse(&long).unwrap_err().status, 431);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (text, status) in [
            ("\u{16}\u{3}\u{1}\n\n", 400),
            ("GET /\n\n", 400),
            ("GET / HTTP/1.1 x\n\n", 400),
            ("GET / FTP/1.1\n\n", 400),
            ("GET / HTTP/2.0\n\n", 505),
            ("POST / HTTP/1.1\nContent-Length: -1\n\n", 400),
            ("POST / HTTP/1.1\nContent-Length: \n\n", 400),
            ("POST / HTTP/1.1\nContent-Length: 1, 1\n\n", 400),
            ("POST / HTTP/1.1\nContent-Length: 1\nContent-Length: 2\n\n", 400),
            ("POST / HTTP/1.1\nContent-Length: 196609\n\n", 413),
            ("POST / HTTP/1.1\nContent-Length: 99999999999999999999999\n\n", 413),
            ("POST / HTTP/1.1\nTransfer-Encoding: gzip, chunked\n\n", 501),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().status, status, "{text:?}");
        }
    }
}
