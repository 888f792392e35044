//! How the end of a body is told to the peer, rightly or, where a fault asks for it, wrongly.

/// The framing of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`, off by so many bytes.
    Length {
        /// Added to the true length.
        off: i64,
    },
    /// `Transfer-Encoding: chunked`.
    Chunked {
        /// Bytes in a chunk.
        size: usize,
        /// With `Content-Length` beside it.
        and_length: bool,
        /// Closed after this many chunks, without the last one.
        cut_after: Option<u64>,
    },
    /// Neither: the body ends where the connection does.
    Close,
}

impl Framing {
    /// The headers that say so, for a body of `length` bytes.
    pub fn headers(self, length: u64) -> Vec<(&'static str, String)> {
        match self {
            Framing::Length { off } => {
                vec![("Content-Length", length.saturating_add_signed(off).to_string())]
            }
            Framing::Chunked { and_length, .. } => {
                let mut headers = vec![("Transfer-Encoding", "chunked".to_string())];
                if and_length {
                    headers.push(("Content-Length", length.to_string()));
                }
                headers
            }
            Framing::Close => Vec::new(),
        }
    }

    /// Bytes to read from the body at a time.
    pub fn block(self) -> usize {
        match self {
            Framing::Chunked { size, .. } => size.clamp(1, 64 * 1024),
            _ => 64 * 1024,
        }
    }
}
