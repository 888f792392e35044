//! One connection: requests in their order, each answered before the next is looked at.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::follow::{FollowedLog, PAUSE};
use super::http::{self, MAX_BODY, RULES};
use super::logs::{self, Channel};
use super::{page, rpc, ResidentCore};
use crate::format::http::request::{self, RequestFault, RequestHead};
use crate::format::http::BodyFraming;
use crate::format::xmlrpc::server::{read_call, write_answer, write_fault};
use crate::format::{base64, sha1};
use crate::hosting::protocol::CoreRequest;
use crate::sys::clock;

/// A request has to arrive within this time, once it has begun.
const ARRIVAL: Duration = Duration::from_secs(30);
/// A connection on which nothing is asked is closed after this.
const IDLE: Duration = Duration::from_secs(60);
/// A client that does not take its answer is given up.
const PATIENCE: Duration = Duration::from_secs(30);
const CHUNK: usize = 8192;

/// Who may ask. An empty name: everybody.
#[derive(Default)]
pub(super) struct FrontLogin {
    pub(super) username: Vec<u8>,
    pub(super) password: Vec<u8>,
}

/// How a request ends.
enum After {
    Next,
    Close,
}

struct Connection<'a> {
    stream: &'a TcpStream,
    buffer: Vec<u8>,
}

impl Connection<'_> {
    /// Reads more. `false`: the other side has closed.
    fn fill(&mut self, deadline: Duration) -> io::Result<bool> {
        let left = deadline.saturating_sub(clock::since_boot());
        if left.is_zero() {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut chunk = [0; CHUNK];
        loop {
            match self.stream.read(&mut chunk) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                count => {
                    let count = count?;
                    self.buffer.extend(&chunk[..count]);
                    return Ok(count > 0);
                }
            }
        }
    }

    /// The head of the next request. `Ok(None)`: there is none any more. `Err(Some)`: the status of what is wrong.
    fn head(&mut self) -> Result<Option<RequestHead>, Option<u16>> {
        let mut deadline = clock::since_boot() + IDLE;
        loop {
            while self.buffer.starts_with(b"\r\n") {
                self.buffer.drain(..2);
            }
            match request::read(&self.buffer, RULES) {
                // supervisord knows no chunks.
                Ok(Some((head, _))) if head.framing == BodyFraming::Chunked => return Err(Some(400)),
                Ok(Some((head, length))) => {
                    self.buffer.drain(..length);
                    return Ok(Some(head));
                }
                Ok(None) => {}
                Err(RequestFault::TooLong) => return Err(Some(431)),
                Err(_) => return Err(Some(400)),
            }
            let was_empty = self.buffer.is_empty();
            if !self.fill(deadline).map_err(|_| None)? {
                return Ok(None);
            }
            if was_empty {
                deadline = clock::since_boot() + ARRIVAL;
            }
        }
    }

    fn body(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let deadline = clock::since_boot() + ARRIVAL;
        while self.buffer.len() < length {
            if !self.fill(deadline)? {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }
}

/// Whether the other side has closed; what it has sent stays.
pub(super) fn has_gone(stream: &TcpStream) -> bool {
    finds_the_end(stream, &mut || stream.peek(&mut [0]))
}

/// The same of a client who has no more to say: what it sends is thrown away.
fn has_gone_for_good(mut stream: &TcpStream) -> bool {
    finds_the_end(stream, &mut || stream.read(&mut [0; 512]))
}

/// Whether a look at what is there, which waits for nothing, finds that no more will come.
fn finds_the_end(stream: &TcpStream, look: &mut dyn FnMut() -> io::Result<usize>) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let gone = match look() {
        Ok(count) => count == 0,
        Err(e) => e.kind() != io::ErrorKind::WouldBlock && e.kind() != io::ErrorKind::Interrupted,
    };
    stream.set_nonblocking(false).is_err() || gone
}

/// Serves until the client or its time is gone.
pub(super) fn serve(core: &mut dyn ResidentCore, stream: &TcpStream, login: &FrontLogin) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut connection = Connection { stream, buffer: Vec::new() };
    loop {
        match connection.head() {
            Ok(None) | Err(None) => return Ok(()),
            Err(Some(status)) => return connection.send(&http::error(&RequestHead::default(), status, "", true)),
            Ok(Some(head)) => {
                if let After::Close = one(core, &mut connection, &head, login)? {
                    return Ok(());
                }
            }
        }
    }
}

/// The same as a server without a name and password does it.
///
/// # Errors
/// The client does not take its answer.
pub fn serve_anybody(core: &mut dyn ResidentCore, stream: &TcpStream) -> io::Result<()> {
    serve(core, stream, &FrontLogin::default())
}

fn one(
    core: &mut dyn ResidentCore,
    connection: &mut Connection<'_>,
    head: &RequestHead,
    login: &FrontLogin,
) -> io::Result<After> {
    match allowed(head, login) {
        Ok(true) => {}
        Ok(false) => {
            connection.send(&http::error(head, 401, "WWW-Authenticate: Basic realm=\"default\"\r\n", true))?;
            return Ok(After::Close);
        }
        Err(()) => {
            connection.send(&http::error(head, 400, "", true))?;
            return Ok(After::Close);
        }
    }
    let path = head.path();
    if path.starts_with("/RPC2") {
        return call(core, connection, head);
    }
    // What follows has no use for a body; one that comes would be read as a request.
    let is_bare = matches!(head.framing, BodyFraming::Unsaid | BodyFraming::Length(0));
    let get = matches!(head.method.as_str(), "GET" | "HEAD") && is_bare;
    if path.starts_with("/logtail") || path.starts_with("/mainlogtail") {
        return match tail_file(core, &path) {
            _ if !get => refuse(connection, head, 400, true),
            Some(file) => follow(connection, head, &file),
            None => refuse(connection, head, 404, !head.keeps_open),
        };
    }
    match path.as_str() {
        "/" | "/index.html" if get => match page::page(core) {
            Ok(page) => {
                let closes = !head.keeps_open;
                connection.send(&http::answer(head, 200, "text/html; charset=utf-8", "", page.as_bytes(), closes))?;
                Ok(if closes { After::Close } else { After::Next })
            }
            Err(_) => refuse(connection, head, 500, true),
        },
        _ => refuse(connection, head, 404, !(head.keeps_open && is_bare)),
    }
}

fn refuse(connection: &mut Connection<'_>, head: &RequestHead, status: u16, closes: bool) -> io::Result<After> {
    connection.send(&http::error(head, status, "", closes))?;
    Ok(if closes { After::Close } else { After::Next })
}

fn call(core: &mut dyn ResidentCore, connection: &mut Connection<'_>, head: &RequestHead) -> io::Result<After> {
    if head.method != "POST" {
        return refuse(connection, head, 400, true);
    }
    let BodyFraming::Length(length) = head.framing else { return refuse(connection, head, 411, true) };
    let Some(length) = usize::try_from(length).ok().filter(|length| *length <= MAX_BODY) else {
        return refuse(connection, head, 413, true);
    };
    let body = connection.body(length)?;
    let closes = !head.keeps_open;
    let Ok((method, params)) = read_call(&body) else {
        let line = "an XML-RPC request could not be understood";
        let _ = core.ask(&CoreRequest::Log { level: 40, text: line.as_bytes() }, None);
        return refuse(connection, head, 400, closes);
    };
    let answer = match rpc::call(core, &method, &params) {
        Ok(value) => write_answer(&value),
        Err(fault) => write_fault(fault.code, &fault.text),
    };
    connection.send(&http::answer(head, 200, "text/xml", "", answer.as_bytes(), closes))?;
    Ok(if closes { After::Close } else { After::Next })
}

/// Whether the request comes from who may ask. An error: its authorization is no such thing.
fn allowed(head: &RequestHead, login: &FrontLogin) -> Result<bool, ()> {
    if login.username.is_empty() {
        return Ok(true);
    }
    let Some((scheme, cookie)) = head.header("authorization").and_then(|text| text.split_once(' ')) else {
        return Ok(false);
    };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(false);
    }
    let decoded = base64::decode(cookie.trim()).ok_or(())?;
    let colon = decoded.iter().position(|byte| *byte == b':').unwrap_or(decoded.len());
    let (username, password) = (&decoded[..colon], decoded.get(colon + 1..).unwrap_or_default());
    let is_password = match login.password.strip_prefix(b"{SHA}") {
        Some(digest) => is_same(digest, sha1::hex(password).as_bytes()),
        None => is_same(&login.password, password),
    };
    Ok(is_same(&login.username, username) & is_password)
}

/// In the same time, wherever the first difference is.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut differs = a.len() ^ b.len();
    for (index, byte) in b.iter().enumerate() {
        differs |= usize::from(byte ^ a.get(index).copied().unwrap_or(!byte));
    }
    differs == 0
}

/// The file that `/logtail/NAME/CHANNEL` or `/mainlogtail` means, if it is there.
fn tail_file(core: &mut dyn ResidentCore, path: &str) -> Option<String> {
    let (file, exists) = match path.strip_prefix("/logtail/") {
        Some(rest) => {
            let (name, channel) = rest.split_once('/').unwrap_or((rest, "stdout"));
            let channel = match channel {
                "stdout" => Channel::Stdout,
                "stderr" => Channel::Stderr,
                _ => return None,
            };
            logs::file(core, name, channel).ok()?
        }
        None if path.starts_with("/mainlogtail") => logs::main_file(core).ok()?,
        None => return None,
    };
    exists.then_some(file)
}

/// Sends what a log has and gets, in chunks where the client knows them.
fn follow(connection: &mut Connection<'_>, head: &RequestHead, path: &str) -> io::Result<After> {
    let Ok(mut follower) = FollowedLog::new(path) else { return refuse(connection, head, 404, true) };
    let is_chunked = head.minor > 0;
    let more = if is_chunked { "Transfer-Encoding: chunked\r\n" } else { "Connection: close\r\n" };
    let more = ["X-Accel-Buffering: no\r\n", more, "\r\n"].concat();
    connection.send(http::start(head, 200, "text/plain;charset=utf-8", &more).as_bytes())?;
    // What else this client sends is for nobody, and would hide its end.
    while !has_gone_for_good(connection.stream) {
        let bytes = follower.more()?;
        if bytes.is_empty() {
            clock::sleep(PAUSE);
        } else if is_chunked {
            let head = format!("{:x}\r\n", bytes.len());
            connection.send(&[head.as_bytes(), &bytes, b"\r\n"].concat())?;
        } else {
            connection.send(&bytes)?;
        }
    }
    Ok(After::Close)
}
