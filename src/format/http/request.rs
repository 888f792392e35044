//! The head of a request: the one reader for all that serve. Where two readers of the same bytes could disagree about where a request ends,
//! one of them in front of the other, it is refused, or is the last of its connection (RFC 9112, 6.1, 6.3 and 11.2).

use super::{fields, framing, head_len, BodyFraming, FramingFault};
use crate::format::form;

/// What may differ between servers.
#[derive(Clone, Copy, Debug)]
pub struct HeadRules {
    /// The largest head, in bytes, empty lines before it included.
    pub longest: usize,
    /// Clients are written by hand: lines may end with a line feed alone, and a line that is no header is passed over.
    pub is_lenient: bool,
}

/// Why a head is none. Nothing behind it on its connection can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFault {
    /// It is larger than it may be.
    TooLong,
    /// It does not begin with a method, a target and a version.
    RequestLine,
    /// It speaks another HTTP than 1.
    Version,
    /// A line is no header, or could be two.
    Line,
    /// It does not say where the body ends.
    Framing(FramingFault),
}

/// A head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHead {
    /// `POST`.
    pub method: String,
    /// As in the request line, still encoded, without a scheme and a host.
    pub target: String,
    /// Of HTTP/1: 0 or 1, and 1 for what may follow.
    pub minor: u8,
    /// How the body comes.
    pub framing: BodyFraming,
    /// Whether the connection stays open behind the answer.
    pub keeps_open: bool,
    /// The lines behind the first.
    lines: String,
}

impl RequestHead {
    /// The last value of a header, its name matched in any case, without white space around it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        fields(&self.lines).filter(|(known, _)| known.eq_ignore_ascii_case(name)).last().map(|(_, value)| value)
    }

    /// The path, decoded, without the query.
    #[must_use]
    pub fn path(&self) -> String {
        form::decode_path(self.target.split(['?', '#']).next().unwrap_or_default())
    }
}

/// Reads a head from the front of `bytes`, empty lines before it passed over: the head, and the length of all that. `Ok(None)`: it is not all
/// there yet.
///
/// # Errors
/// It is none.
pub fn read(bytes: &[u8], rules: HeadRules) -> Result<Option<(RequestHead, usize)>, RequestFault> {
    let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let behind = bytes.get(blank..).unwrap_or_default();
    let len = match head_len(behind) {
        Some(len) if blank + len <= rules.longest => len,
        None if bytes.len() <= rules.longest => return Ok(None),
        _ => return Err(RequestFault::TooLong),
    };
    let text = String::from_utf8_lossy(behind.get(..len).unwrap_or_default());
    let (first, lines) = text.split_once('\n').ok_or(RequestFault::RequestLine)?;
    let mut head = request_line(line_of(first, rules)?)?;
    check_lines(lines, rules)?;
    head.framing = framing(fields(lines)).map_err(RequestFault::Framing)?;
    // With a length beside the chunks, or where chunks were not known, somebody else may see another end: nothing behind it is believed.
    let has_length = fields(lines).any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let is_doubtful = head.framing == BodyFraming::Chunked && (has_length || head.minor == 0);
    head.keeps_open = !is_doubtful && wants_open(lines, head.minor);
    head.lines = lines.to_string();
    Ok(Some((head, blank + len)))
}

/// A line without its end, which is all that may be control characters in it.
fn line_of(line: &str, rules: HeadRules) -> Result<&str, RequestFault> {
    let content = line.strip_suffix('\r');
    if content.is_none() && !rules.is_lenient {
        return Err(RequestFault::Line);
    }
    let content = content.unwrap_or(line);
    if content.contains(['\r', '\0']) {
        return Err(RequestFault::Line);
    }
    Ok(content)
}

/// Whether each line is one header, or, where that is allowed, nothing.
fn check_lines(lines: &str, rules: HeadRules) -> Result<(), RequestFault> {
    let mut is_framing = false;
    for line in lines.split_terminator('\n') {
        let line = line_of(line, rules)?;
        let goes_on = line.starts_with([' ', '\t']);
        let name = line.split_once(':').map(|(name, _)| name);
        // White space in a name, before the colon above all, is a part of it to some and nothing to others.
        let is_sound = |name: &str| !name.is_empty() && !name.contains(|c: char| c == ' ' || c.is_ascii_control());
        let is_header = name.is_some_and(is_sound);
        // What goes on from a header that counts would change it; what has a colon would be one for somebody else.
        let is_harmless = rules.is_lenient && name.is_none() && !(goes_on && is_framing);
        if !(is_header || is_harmless || line.is_empty()) {
            return Err(RequestFault::Line);
        }
        is_framing = name.is_some_and(|name| {
            ["content-length", "transfer-encoding"].iter().any(|known| name.eq_ignore_ascii_case(known))
        });
    }
    Ok(())
}

fn request_line(line: &str) -> Result<RequestHead, RequestFault> {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let four = (words.next(), words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some(version), None) = four else { return Err(RequestFault::RequestLine) };
    if line.contains(|c: char| c.is_ascii_control()) {
        return Err(RequestFault::RequestLine);
    }
    let minor = match version.strip_prefix("HTTP/").ok_or(RequestFault::RequestLine)?.as_bytes() {
        [b'1', b'.', minor @ b'0'..=b'9'] => (minor - b'0').min(1),
        _ => return Err(RequestFault::Version),
    };
    let (method, target) = (method.to_string(), without_host(target).to_string());
    Ok(RequestHead { method, target, minor, ..RequestHead::default() })
}

/// A client that takes the server for its proxy sends the whole URL.
fn without_host(target: &str) -> &str {
    match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        _ => target,
    }
}

/// What the client asks for, and else what its version usually does; one that says both wants it closed.
fn wants_open(lines: &str, minor: u8) -> bool {
    let asks = |option: &str| {
        let mut connection = fields(lines).filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
        connection.any(|(_, value)| value.split(',').any(|one| one.trim().eq_ignore_ascii_case(option)))
    };
    !asks("close") && (minor > 0 || asks("keep-alive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENIENT: HeadRules = HeadRules { longest: 8 * 1024, is_lenient: true };
    const STRICT: HeadRules = HeadRules { longest: 8 * 1024, is_lenient: false };

    fn head(text: &str) -> RequestHead {
        read(text.as_bytes(), LENIENT).unwrap().unwrap().0
    }

    fn fault(text: &str, rules: HeadRules) -> Option<RequestFault> {
        read(text.as_bytes(), rules).err()
    }

    #[test]
    fn heads_as_clients_send_them() {
        let curl =
            "POST /a%20b+c?d HTTP/1.1\r\nHost: localhost:8090\r\nX-Exosite-CIK: abc \r\ncontent-LENGTH:32\r\n\r\nbody";
        for rules in [LENIENT, STRICT] {
            let (head, length) = read(curl.as_bytes(), rules).unwrap().unwrap();
            assert_eq!((length, head.framing), (curl.len() - 4, BodyFraming::Length(32)));
            assert_eq!((head.method.as_str(), head.target.as_str(), head.minor), ("POST", "/a%20b+c?d", 1));
            assert_eq!(
                (head.path().as_str(), head.header("x-exosite-cik"), head.header("x")),
                ("/a b+c", Some("abc"), None)
            );
        }
        let sloppy =
            head("\r\n\nPOST  http://localhost:8090/a?b HTTP/1.0\nx-EXOSITE-vms:a b c\nno colon\n continued\nX-Exosite-VMS: \u{e9}\n\n");
        assert_eq!((sloppy.target.as_str(), sloppy.header("X-Exosite-VMS")), ("/a?b", Some("\u{e9}")));
        assert_eq!((sloppy.minor, sloppy.framing, sloppy.keeps_open), (0, BodyFraming::Unsaid, false));
        for (line, target) in [("GET http://h HTTP/1.1\n\n", "/"), ("GET /a/http://h/ HTTP/1.9\n\n", "/a/http://h/")] {
            assert_eq!((head(line).target.as_str(), head(line).minor), (target, 1));
        }
        let latin = read(b"GET / HTTP/1.1\r\nX: \xb0\r\n\r\n", STRICT).unwrap().unwrap().0;
        assert_eq!(latin.header("x"), Some("\u{fffd}"));
    }

    #[test]
    fn a_connection_stays_open_as_its_client_says_and_never_behind_a_doubtful_body() {
        for (text, want) in [
            ("GET / HTTP/1.1\n\n", true),
            ("GET / HTTP/1.0\n\n", false),
            ("GET / HTTP/1.0\nConnection: foo, Keep-Alive\n\n", true),
            ("GET / HTTP/1.1\nConnection: Close\n\n", false),
            ("GET / HTTP/1.1\nConnection: close\nConnection: keep-alive\n\n", false),
            ("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n", true),
            // RFC 9112, 6.3 and 6.1: read by its chunks, and then nothing more.
            ("POST / HTTP/1.1\nContent-Length: 5\nTransfer-Encoding: Chunked\nContent-Length: 5\n\n", false),
            ("POST / HTTP/1.0\nTransfer-Encoding: chunked\nConnection: keep-alive\n\n", false),
        ] {
            assert_eq!(head(text).keeps_open, want, "{text:?}");
            assert_eq!(
                head(text).framing == BodyFraming::Chunked,
                text.contains("chunked") || text.contains("Chunked")
            );
        }
    }

    #[test]
    fn a_head_that_is_not_all_there_is_waited_for_up_to_its_bound() {
        let whole = b"\r\nPOST / HTTP/1.1\r\nA: b\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end], STRICT), Ok(None), "{end}");
        }
        let exact = HeadRules { longest: whole.len(), ..STRICT };
        assert!(read(whole, exact).unwrap().is_some());
        let less = HeadRules { longest: whole.len() - 1, ..STRICT };
        for bytes in [&whole[..], &b"\n".repeat(whole.len()), &b"GET".repeat(whole.len())] {
            assert_eq!(read(bytes, less), Err(RequestFault::TooLong));
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        use FramingFault::{NoNumber, TwoLengths, UnknownCoding};
        use RequestFault::{Framing, Line, RequestLine, Version};
        for (lines, lenient, strict) in [
            ("GET / HTTP/1.1\r\n", None, None),
            ("GET / HTTP/1.1\n", None, Some(Line)),
            ("GET / HTTP/1.1\r\nA: b\n", None, Some(Line)),
            ("GET / HTTP/1.1\r\nno colon\r\n", None, Some(Line)),
            ("GET / HTTP/1.1\r\nA: b\r\n goes on\r\n", None, Some(Line)),
            ("GET /\r\n", Some(RequestLine), Some(RequestLine)),
            ("GET / HTTP/1.1 x\r\n", Some(RequestLine), Some(RequestLine)),
            ("GET\t/ HTTP/1.1\r\n", Some(RequestLine), Some(RequestLine)),
            ("\x0c / HTTP/1.1\r\n", Some(RequestLine), Some(RequestLine)),
            ("GET / FTP/1.1\r\n", Some(RequestLine), Some(RequestLine)),
            ("GET / HTTP/2.0\r\n", Some(Version), Some(Version)),
            ("GET / HTTP/1.\r\n", Some(Version), Some(Version)),
            ("GET / HTTP/1.10\r\n", Some(Version), Some(Version)),
            // A carriage return that ends a line for somebody else; a name that is another one for somebody else.
            ("GET / HTTP/1.1\rA: b\r\n", Some(Line), Some(Line)),
            ("GET / HTTP/1.1\r\nA: b\rContent-Length: 5\r\n", Some(Line), Some(Line)),
            ("GET / HTTP/1.1\r\nA: b\r\r\n", Some(Line), Some(Line)),
            ("GET / HTTP/1.1\r\nA: b\0\r\n", Some(Line), Some(Line)),
            ("GET / HTTP/1.1\r\nContent-Length : 5\r\n", Some(Line), Some(Line)),
            ("GET / HTTP/1.1\r\nA: b\r\n Content-Length: 5\r\n", Some(Line), Some(Line)),
            ("GET / HTTP/1.1\r\n\x0cContent-Length: 5\r\n", Some(Line), Some(Line)),
            ("GET / HTTP/1.1\r\n: 5\r\n", Some(Line), Some(Line)),
            ("GET / HTTP/1.1\r\nContent-Length: 5\r\n 6\r\n", Some(Line), Some(Line)),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: identity\r\n , chunked\r\n", Some(Line), Some(Line)),
            ("GET / HTTP/1.1\r\nTransfer-Encoding:\r\n", Some(Framing(UnknownCoding)), Some(Framing(UnknownCoding))),
            ("GET / HTTP/1.1\r\nContent-Length: +5\r\n", Some(Framing(NoNumber)), Some(Framing(NoNumber))),
            (
                "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
                Some(Framing(TwoLengths)),
                Some(Framing(TwoLengths)),
            ),
        ] {
            let text = [lines, "\r\n"].concat();
            assert_eq!((fault(&text, LENIENT), fault(&text, STRICT)), (lenient, strict), "{text:?}");
        }
    }
}
