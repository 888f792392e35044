//! What a server says before its answer: 100, 102 and 103 (RFC 9110, 15.2; docs/spec/failures.md, case 11).
//!
//! minreq takes the first head for the answer's, and what follows for a body that ends with the connection. So those bytes
//! are read here as what they are: further heads, and then the body of the last one, with the framing that it names. That
//! works inside of TLS too, where the relay cannot look. A byte that is no UTF-8 is no obstacle here.

use std::io::{self, Read};

use super::framing::{chunk_size, is_interim, MAX_CHUNK_LINE, MAX_HEAD};
use crate::format::http;

/// An answer's head: its status and its headers.
pub(crate) type Final = (u16, Vec<(String, String)>);

/// Reads heads until one is the answer's; what is left of `stream` is its body.
///
/// # Errors
/// `UnexpectedEof`: the server closed before; `InvalidData`: it is no HTTP; `InvalidInput`: all heads together are longer than
/// [`MAX_HEAD`].
pub(crate) fn answer(stream: &mut dyn Read) -> io::Result<Final> {
    let mut left = MAX_HEAD;
    loop {
        let status = http::status(&line(stream, &mut left)?).ok_or_else(|| malformed("it is no HTTP"))?;
        let mut headers = Vec::new();
        loop {
            let line = line(stream, &mut left)?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
            }
        }
        if !is_interim(status) {
            return Ok((status, headers));
        }
    }
}

/// A line without its end. Byte by byte: minreq has a buffer underneath.
fn line(stream: &mut dyn Read, left: &mut usize) -> io::Result<String> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    loop {
        stream.read_exact(&mut byte)?;
        *left = left.checked_sub(1).ok_or(io::ErrorKind::InvalidInput)?;
        if byte[0] == b'\n' {
            break;
        }
        bytes.push(byte[0]);
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn malformed(how: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, how)
}

/// A body as its head frames it.
pub(crate) enum Body<R> {
    /// So many bytes, or all to the end of the connection.
    Plain(io::Take<R>),
    Chunked {
        from: R,
        /// Of the current chunk.
        left: u64,
        ended: bool,
    },
}

impl<R: Read> Body<R> {
    pub(crate) fn new(from: R, is_chunked: bool, length: Option<u64>) -> Body<R> {
        match is_chunked {
            true => Body::Chunked { from, left: 0, ended: false },
            false => Body::Plain(from.take(length.unwrap_or(u64::MAX))),
        }
    }
}

impl<R: Read> Read for Body<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (from, left, ended) = match self {
            Body::Plain(from) => return from.read(into),
            Body::Chunked { ended: true, .. } => return Ok(0),
            Body::Chunked { from, left, ended } => (from, left, ended),
        };
        if *left == 0 {
            let mut room = MAX_CHUNK_LINE;
            *left = chunk_size(line(from, &mut room)?.as_bytes())
                .ok_or_else(|| malformed("a chunk's length is no number"))?;
        }
        if *left == 0 {
            let mut trailers = MAX_HEAD;
            while !line(from, &mut trailers)?.is_empty() {}
            *ended = true;
            return Ok(0);
        }
        let most = usize::try_from(*left).unwrap_or(usize::MAX).min(into.len());
        let count = from.read(&mut into[..most])?;
        if count == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *left -= count as u64;
        if *left == 0 && !line(from, &mut 2)?.is_empty() {
            return Err(malformed("a chunk is longer than it says"));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<(u16, String)> {
        let mut stream = bytes;
        let (status, headers) = answer(&mut stream)?;
        let header = |name| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let length = header("content-length").map(|text| text.parse().unwrap());
        let mut body = String::new();
        Body::new(stream, header("transfer-encoding").is_some(), length).read_to_string(&mut body)?;
        Ok((status, body))
    }

    #[test]
    fn the_answer_is_what_follows_the_last_interim_head() {
        for (text, want) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc"[..], (200, "ab")),
            (b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: <x>\r\n\r\nHTTP/1.1 204 N\r\nX: \xb0\r\n\r\n", (204, "")),
            (b"HTTP/1.0 200 OK\n\nto the end", (200, "to the end")),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\xb0\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\nrest",
                (200, "abc"),
            ),
            (b"HTTP/1.1 101 S\r\n\r\n", (101, "")),
        ] {
            let (status, body) = read(text).unwrap();
            assert_eq!((status, body.as_str()), want, "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_cut_or_a_flood_is_an_error() {
        let chunked = "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
        for cut in 0..chunked.len() {
            let error = read(&chunked.as_bytes()[..cut]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
        }
        for text in [
            &b"SSH-2.0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        ] {
            assert_eq!(
                read(text).unwrap_err().kind(),
                io::ErrorKind::InvalidData,
                "{:?}",
                String::from_utf8_lossy(text)
            );
        }
        for text in [
            &b"HTTP/1.1 103 E\r\n\r\n".repeat(MAX_HEAD)[..],
            &[b'x'; MAX_HEAD + 1],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        ] {
            assert_eq!(read(text).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }
}
