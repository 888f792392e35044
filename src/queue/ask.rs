//! Asking the server that runs on this machine: for the command line.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use super::settings::QueueSettings;
use crate::config::Paths;
use crate::format::http::{self, BodyFraming};
use crate::sys::file;

const LIMIT: Duration = Duration::from_secs(10);
const MAX_ANSWER: u64 = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub enum AskError {
    /// Nobody listens: address, what the system said.
    NotRunning(SocketAddr, io::Error),
    /// The answer did not come, or not whole.
    Broken(SocketAddr, String),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::NotRunning(address, e) => {
                write!(
                    f,
                    "gmq does not run: nothing answers at {address} ({e}); start it with `supervisorctl start gmq`"
                )
            }
            AskError::Broken(address, why) => write!(f, "gmq at {address} gave no whole answer: {why}"),
        }
    }
}

impl std::error::Error for AskError {}

/// Where the server says which port it has.
#[must_use]
pub fn port_file(paths: &Paths) -> PathBuf {
    paths.run().join("gmq.port")
}

/// Sends a request with an empty or a form body, and returns the status and the body of the answer.
///
/// # Errors
/// There is no whole answer.
pub fn ask(
    paths: &Paths,
    method: &str,
    target: &str,
    identity: Option<(&str, &str)>,
    body: &str,
) -> Result<(u16, String), AskError> {
    let said = file::read(&port_file(paths), 16).ok().flatten();
    let said = said.and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse().ok());
    let port: u16 = said.unwrap_or_else(|| QueueSettings::load(paths).port());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, LIMIT).map_err(|e| AskError::NotRunning(address, e))?;
    let mut request = [method, " ", target, " HTTP/1.0\r\nContent-Length: ", &body.len().to_string()].concat();
    if let Some((header, value)) = identity {
        request.push_str(&["\r\n", header, ": ", value].concat());
    }
    request.push_str("\r\n\r\n");
    request.push_str(body);
    let bytes = exchange(&stream, request.as_bytes()).map_err(|e| AskError::Broken(address, e.to_string()))?;
    parse(&bytes).ok_or_else(|| AskError::Broken(address, format!("{} bytes came", bytes.len())))
}

fn exchange(mut stream: &TcpStream, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The status and the body; `None` where the body is not as long as the head says.
fn parse(bytes: &[u8]) -> Option<(u16, String)> {
    let (head, body) = http::split(bytes, bytes.len())?;
    let is_whole = http::framing(http::fields(&head)) == Ok(BodyFraming::Length(body.len() as u64));
    let text = String::from_utf8(body.to_vec()).ok().filter(|_| is_whole)?;
    Some((http::status(&head)?, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_none() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(parse(whole), Some((200, "ok".into())));
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), None, "{end}");
        }
    }

    #[test]
    fn a_server_that_does_not_run_is_named_with_what_to_do() {
        let dir = std::env::temp_dir().join(format!("gwe-ask-{}", std::process::id()));
        let paths = Paths::new(&dir);
        file::replace(&port_file(&paths), b"1", 0o644).unwrap();
        let error = ask(&paths, "GET", "/status", None, "").unwrap_err().to_string();
        assert!(error.contains("does not run") && error.contains("127.0.0.1:1"), "{error}");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
