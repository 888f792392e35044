//! One call to a supervisord, ours or the real one: over a unix socket or TCP, one request a connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use crate::format::base64;
use crate::format::http;
use crate::format::python::repr;
use crate::format::xmlrpc::{method_call, method_response, MethodResponse, Param, Value, MAX_BYTES};
use crate::sys::unix_socket;

/// A connection stands within this time.
const CONNECT: Duration = Duration::from_secs(30);
/// An answer's head, and a chunk's first line, may be so long.
pub(super) const MAX_HEAD: usize = 16 << 10;

/// Who is asked, and as whom.
#[derive(Clone, Debug, Default)]
pub(super) struct CtlServer {
    pub(super) url: String,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
}

/// Why a call has no result.
#[derive(Debug)]
pub(super) enum Trouble {
    Fault {
        code: i64,
        text: String,
    },
    Http(u16),
    Broken(io::Error),
    /// A class of Python and its text.
    Other(&'static str, String),
}

impl Trouble {
    pub(super) fn code(&self) -> Option<i64> {
        match self {
            Trouble::Fault { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// As the real one shows what nobody foresaw, but for the place in its source.
    pub(super) fn shown(&self) -> String {
        let (class, text) = match self {
            Trouble::Fault { code, text } => ("xmlrpc.client.Fault", format!("<Fault {code}: {}>", repr(text))),
            Trouble::Http(status) => {
                let reason = match status {
                    400 => "Bad Request",
                    401 => "Unauthorized",
                    404 => "Not Found",
                    _ => "Internal Server Error",
                };
                ("xmlrpc.client.ProtocolError", format!("<ProtocolError for 127.0.0.1/RPC2: {status} {reason}>"))
            }
            Trouble::Broken(e) => {
                let class = match e.kind() {
                    io::ErrorKind::NotFound => "FileNotFoundError",
                    io::ErrorKind::ConnectionRefused => "ConnectionRefusedError",
                    io::ErrorKind::ConnectionReset => "ConnectionResetError",
                    io::ErrorKind::PermissionDenied => "PermissionError",
                    io::ErrorKind::BrokenPipe => "BrokenPipeError",
                    _ => "OSError",
                };
                let text = e.to_string();
                let text = text.split(" (os error").next().unwrap_or_default();
                (class, e.raw_os_error().map_or(text.to_string(), |number| format!("[Errno {number}] {text}")))
            }
            Trouble::Other(class, text) => (*class, text.clone()),
        };
        format!("error: <class '{class}'>, {text}")
    }
}

impl From<io::Error> for Trouble {
    fn from(e: io::Error) -> Trouble {
        Trouble::Broken(e)
    }
}

impl CtlServer {
    /// A connection. What it is made of matters to nobody behind this.
    pub(super) fn connect(&self) -> Result<TcpStream, Trouble> {
        if let Some(path) = self.url.strip_prefix("unix://") {
            let stream = unix_socket::connect(Path::new(path), CONNECT)?;
            stream.set_write_timeout(None)?;
            return Ok(TcpStream::from(OwnedFd::from(stream)));
        }
        let Some(rest) = self.url.strip_prefix("http://") else {
            return Err(Trouble::Other("ValueError", format!("Unknown protocol for serverurl {}", self.url)));
        };
        let place = rest.split('/').next().unwrap_or_default();
        let place = place.rsplit('@').next().unwrap_or_default();
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().unwrap_or(80)),
            None => (place, 80),
        };
        let host = host.trim_matches(['[', ']']);
        Ok(TcpStream::connect((host, port))?)
    }

    /// The lines of a request's head behind its first; the empty one is the caller's.
    pub(super) fn headers(&self) -> String {
        let mut head = String::from("Host: localhost\r\nUser-Agent: supervisorctl\r\n");
        if let (Some(username), Some(password)) = (&self.username, &self.password) {
            let cookie = base64::encode([username, ":", password].concat().as_bytes());
            head.push_str(&["Authorization: Basic ", &cookie, "\r\n"].concat());
        }
        head
    }

    pub(super) fn call(&self, method: &str, params: &[Param<'_>]) -> Result<Value, Trouble> {
        let body = method_call(method, params);
        let length = body.len();
        let head = format!(
            "POST /RPC2 HTTP/1.0\r\n{}Content-Type: text/xml\r\nContent-Length: {length}\r\n\r\n",
            self.headers()
        );
        let mut stream = self.connect()?;
        // Who refuses early has answered: what it says is read all the same.
        let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
        let mut bytes = Vec::new();
        let limit = (MAX_HEAD + MAX_BYTES) as u64;
        match stream.take(limit + 1).read_to_end(&mut bytes) {
            Err(e) if bytes.is_empty() => return Err(e.into()),
            _ => {}
        }
        let (status, body) =
            split(&bytes).ok_or_else(|| Trouble::Other("http.client.BadStatusLine", "no HTTP answer".to_string()))?;
        if status != 200 {
            return Err(Trouble::Http(status));
        }
        match method_response(body) {
            Ok(MethodResponse::Value(value)) => Ok(value),
            Ok(MethodResponse::Fault { code, text }) => Err(Trouble::Fault { code, text }),
            Err(e) => Err(Trouble::Other("xml.parsers.expat.ExpatError", e.to_string())),
        }
    }
}

/// The status and the body of an answer.
pub(super) fn split(answer: &[u8]) -> Option<(u16, &[u8])> {
    let (head, body) = http::split(answer, MAX_HEAD)?;
    Some((http::status(&head)?, body))
}
