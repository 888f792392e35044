//! A call of supervisord's API, whichever method.

use super::PATIENCE;
use gwe::format::xmlrpc::{method_call, method_response, MethodResponse, Param};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// One call; what is no answer is said in words.
pub fn call(socket: &Path, method: &str, params: &[Param<'_>], limit: Duration) -> Result<MethodResponse, String> {
    let body = method_call(method, params);
    let say = |why: std::io::Error| format!("no answer: {why}");
    let mut stream = UnixStream::connect(socket).map_err(say)?;
    stream.set_read_timeout(Some(limit)).map_err(say)?;
    let head = "POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: ";
    stream.write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes()).map_err(say)?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).map_err(say)?;
    let at = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or("no head")?;
    let status = String::from_utf8_lossy(&reply[..at]).split(' ').nth(1).unwrap_or_default().to_string();
    if status != "200" {
        return Err(format!("HTTP {status}"));
    }
    method_response(&reply[at + 4..]).map_err(|why| format!("no answer: {why:?}"))
}

/// Has one program started, without waiting until it is up.
///
/// # Panics
/// Where supervisord refuses.
#[track_caller]
pub fn start_process(socket: &Path, namespec: &str) {
    let asked = [Param::Text(namespec), Param::Bool(false)];
    let answer = call(socket, "supervisor.startProcess", &asked, PATIENCE);
    assert!(matches!(answer, Ok(MethodResponse::Value(_))), "{namespec} is not started: {answer:?}");
}
