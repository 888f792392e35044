//! A small HTTP client for the commands and the tests: plain HTTP, one request per connection.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the server may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// What is sent as a body.
#[derive(Debug)]
pub enum Sent<'a> {
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// A file, streamed.
    File(&'a Path),
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Talks to the server at a URL.
#[derive(Debug, Clone)]
pub struct Client {
    authority: String,
    token: Option<String>,
}

impl Client {
    /// For a URL such as `http://127.0.0.1:8080`.
    pub fn new(url: &str) -> io::Result<Client> {
        let rest = url.strip_prefix("http://").ok_or_else(|| {
            let why = format!("'{url}' is no http:// URL; give the server's with --url or MURANO_URL");
            io::Error::new(io::ErrorKind::InvalidInput, why)
        })?;
        Ok(Client { authority: rest.trim_end_matches('/').to_string(), token: None })
    }

    /// With the token that the server asks for.
    pub fn with_token(mut self, token: Option<String>) -> Client {
        self.token = token.filter(|token| !token.is_empty());
        self
    }

    /// One request. The body is cut short by nothing: an answer that ends too early is an error.
    pub fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Sent) -> io::Result<Reply> {
        self.exchange(method, target, headers, body).map_err(|error| {
            let why = format!("no answer from http://{}: {error}", self.authority);
            io::Error::new(error.kind(), why)
        })
    }

    /// A GET.
    pub fn get(&self, target: &str) -> io::Result<Reply> {
        self.send("GET", target, &[], Sent::Bytes(b""))
    }

    fn exchange(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Sent) -> io::Result<Reply> {
        let mut stream = self.connect()?;
        let length = match &body {
            Sent::Bytes(bytes) => bytes.len() as u64,
            Sent::File(path) => path.metadata()?.len(),
        };
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.authority);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(token) = &self.token {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        head.push_str(&format!("Connection: close\r\nContent-Length: {length}\r\n\r\n"));
        stream.write_all(head.as_bytes())?;
        match body {
            Sent::Bytes(bytes) => stream.write_all(bytes)?,
            Sent::File(path) => {
                io::copy(&mut File::open(path)?.take(length), &mut stream)?;
            }
        }
        read_reply(&mut BufReader::new(stream))
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(SILENCE))?;
                    stream.set_write_timeout(Some(SILENCE))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Reads one answer, strictly: the body must be as long as its head says.
pub fn read_reply(from: &mut dyn BufRead) -> io::Result<Reply> {
    let line = read_line(from)?;
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| invalid(format!("'{line}' is no status line")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("a header has no colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
    let mut reply = Reply { status, headers, body: Vec::new() };
    reply.body = read_body(&reply, from)?;
    Ok(reply)
}

fn read_body(reply: &Reply, from: &mut dyn BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if reply.status == 204 || reply.status == 304 {
        return Ok(body);
    }
    if reply.header("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        loop {
            let size = read_line(from)?;
            let size = u64::from_str_radix(&size, 16).map_err(|_| invalid("a bad chunk size"))?;
            read_exactly(from, size, &mut body)?;
            read_line(from)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match reply.header("content-length") {
        Some(length) => {
            let length = length.parse().map_err(|_| invalid("a bad Content-Length"))?;
            read_exactly(from, length, &mut body)?;
        }
        None => {
            from.read_to_end(&mut body)?;
        }
    }
    Ok(body)
}

fn read_exactly(from: &mut dyn BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let count = from.take(length).read_to_end(body)? as u64;
    if count < length {
        let why = format!("the body ended after {count} of {length} bytes");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
    }
    Ok(())
}

fn read_line(from: &mut dyn BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer ended in its head"));
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_string())
}

fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}
