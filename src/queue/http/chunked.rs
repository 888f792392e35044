//! A body in chunks, decoded as it comes, each byte looked at once.

use super::head::{fault, HeadFault, MAX_BODY, TOO_LARGE};
use crate::format::http::chunk_size;

/// A size line or a trailer, in bytes, at the most.
const MAX_LINE: usize = 1024;
/// Trailers, at the most.
const MAX_TRAILERS: usize = 32;
/// Chunks of a body, at the most: a byte each is more than any client sends, and less than what the lines around them may cost.
const MAX_CHUNKS: usize = MAX_BODY;

/// A body being put together.
#[derive(Debug, Default)]
pub struct Chunked {
    body: Vec<u8>,
    line: Vec<u8>,
    state: ChunkState,
    chunks: usize,
    trailers: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ChunkState {
    #[default]
    Size,
    /// So many bytes of the chunk are to come.
    Data(usize),
    /// The line end behind a chunk.
    DataEnd,
    Trailer,
    Done,
}

impl Chunked {
    /// Takes bytes, and returns how many of them belong to the body.
    ///
    /// # Errors
    /// They are no chunks, or too many.
    pub fn push(&mut self, bytes: &[u8]) -> Result<usize, HeadFault> {
        let mut rest = bytes;
        while self.state != ChunkState::Done {
            if let ChunkState::Data(left) = self.state {
                let now = left.min(rest.len());
                let (data, behind) = rest.split_at(now);
                self.body.extend_from_slice(data);
                rest = behind;
                self.state = if now == left { ChunkState::DataEnd } else { ChunkState::Data(left - now) };
                if now < left {
                    break;
                }
                continue;
            }
            let Some((byte, behind)) = rest.split_first() else { break };
            rest = behind;
            if *byte != b'\n' {
                self.line.push(*byte);
                if self.line.len() > MAX_LINE {
                    return Err(WRONG);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            self.state = self.after_line(line.strip_suffix(b"\r").unwrap_or(&line))?;
        }
        Ok(bytes.len() - rest.len())
    }

    /// The whole body, once it is there.
    pub fn finished(&mut self) -> Option<Vec<u8>> {
        (self.state == ChunkState::Done).then(|| std::mem::take(&mut self.body))
    }

    fn after_line(&mut self, line: &[u8]) -> Result<ChunkState, HeadFault> {
        match self.state {
            ChunkState::Size => {
                self.chunks += 1;
                let size = usize::try_from(chunk_size(line).ok_or(WRONG)?).unwrap_or(usize::MAX);
                if self.body.len().saturating_add(size) > MAX_BODY || self.chunks > MAX_CHUNKS {
                    return Err(TOO_LARGE);
                }
                Ok(if size == 0 { ChunkState::Trailer } else { ChunkState::Data(size) })
            }
            ChunkState::DataEnd if line.is_empty() => Ok(ChunkState::Size),
            ChunkState::Trailer if line.is_empty() => Ok(ChunkState::Done),
            ChunkState::Trailer if self.trailers < MAX_TRAILERS => {
                self.trailers += 1;
                Ok(ChunkState::Trailer)
            }
            _ => Err(WRONG),
        }
    }
}

const WRONG: HeadFault = fault(400, "the body is not in chunks, though the head says so");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_together_however_they_are_cut() {
        let wire = b"3\r\nabc\r\n1;ext=1\r\n\n\r\nA\n0123456789\n0\r\nTrailer: x\r\n\r\nPOST";
        for step in 1..wire.len() {
            let mut chunked = Chunked::default();
            let mut used = 0;
            for part in wire.chunks(step) {
                used += chunked.push(part).unwrap();
                if let Some(body) = chunked.finished() {
                    assert_eq!(body, b"abc\n0123456789");
                    break;
                }
            }
            assert_eq!(used, wire.len() - 4, "step {step}");
        }
    }

    #[test]
    fn what_is_no_chunks_or_too_many_is_refused() {
        for (wire, status) in [
            (&b"xyz\r\n"[..], 400),
            (b"\r\n", 400),
            (b"-1\r\n", 400),
            (b"3\r\nabcd\r\n", 400),
            (b"30001\r\n", 413),
            (b"ffffffffffffffffffffff\r\n", 413),
            (&[b'1'; 2000], 400),
        ] {
            assert_eq!(Chunked::default().push(wire).unwrap_err().status, status, "{wire:?}");
        }
        let mut chunked = Chunked::default();
        assert!((0..200_000).any(|_| chunked.push(b"1\r\nx\r\n").is_err()));
        let mut chunked = Chunked::default();
        chunked.push(b"0\r\n").unwrap();
        assert!((0..100).any(|_| chunked.push(b"a: b\r\n").is_err()));
    }
}
