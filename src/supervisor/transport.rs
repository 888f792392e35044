//! One HTTP/1.0 request over supervisord's unix socket. The server closes after its answer, so nothing is left open.
//!
//! There is no password: the mode of the socket protects it (supervisord's default is 0700, its owner only).

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::format::http::{self, BodyFraming};
use crate::format::xmlrpc::MAX_BYTES;
use crate::sys::clock::since_boot;
use crate::sys::unix_socket;

use super::error::SupervisorError;

/// A call and its answer may take so long. supervisord is one thread, and a slow card may hold it up for seconds.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The head of an answer may be so long, in bytes.
const MAX_HEAD: usize = 4096;
/// So much is read at a time, in bytes.
const CHUNK: usize = 8192;

/// Posts a call and returns the body of its answer, all within `timeout`, which must not be zero.
///
/// # Errors
/// [`SupervisorError::Down`] where nobody takes the call; otherwise what was wrong with the answer.
pub(super) fn post(
    socket: &Path,
    method: &'static str,
    body: &str,
    timeout: Duration,
) -> Result<Vec<u8>, SupervisorError> {
    let deadline = since_boot() + timeout;
    let mut stream = unix_socket::connect(socket, timeout)
        .map_err(|source| SupervisorError::Down { socket: socket.to_path_buf(), source })?;
    let broken = |source| SupervisorError::Broken { method, source };
    let mut request = String::from("POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: ");
    request.push_str(&body.len().to_string());
    request.push_str("\r\n\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).map_err(broken)?;
    let answer = read_to_end(&mut stream, deadline).map_err(broken)?;
    let (status, body) = split(answer).map_err(broken)?;
    match status {
        200 => Ok(body),
        _ => Err(SupervisorError::Http { method, status }),
    }
}

/// All bytes up to the end of the stream, within the deadline and the limits.
fn read_to_end(stream: &mut UnixStream, deadline: Duration) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let left = deadline.saturating_sub(since_boot());
        if left.is_zero() {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        stream.set_read_timeout(Some(left))?;
        let len = bytes.len();
        bytes.resize(len + CHUNK, 0);
        let read = stream.read(&mut bytes[len..]);
        bytes.truncate(len + read.as_ref().copied().unwrap_or_default());
        match read {
            Ok(0) => return Ok(bytes),
            Ok(_) if bytes.len() > MAX_HEAD + MAX_BYTES => return Err(invalid("the answer is larger than its limit")),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(io::Error::from(io::ErrorKind::TimedOut)),
            Err(e) => return Err(e),
        }
    }
}

/// The status and the body of an answer.
fn split(mut answer: Vec<u8>) -> io::Result<(u16, Vec<u8>)> {
    let (head, body) = http::split(&answer, MAX_HEAD).ok_or_else(|| invalid("the answer is no whole HTTP answer"))?;
    let status = http::status(&head).ok_or_else(|| invalid("the answer is no HTTP answer"))?;
    let head_len = answer.len() - body.len();
    let declared = http::framing(http::fields(&head));
    answer.drain(..head_len);
    // More than declared is right: supervisord counts the characters of some answers, not their bytes.
    match declared {
        Ok(BodyFraming::Length(declared)) if (answer.len() as u64) < declared => {
            Err(io::Error::from(io::ErrorKind::UnexpectedEof))
        }
        _ => Ok((status, answer)),
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
