//! A body in chunks, decoded as its bytes come, each looked at once: the one reader of chunks, for answers and requests (RFC 9112, 7.1).
//!
//! A line may end with a line feed alone, as some write it. A carriage return anywhere else is refused: where two readers of the same bytes
//! disagree about the end of a line, one takes for a request what the other takes for a body.

/// The longest line that names a chunk's length, extensions and line end included.
const MAX_LINE: usize = 1024;

/// What the bytes at the front of a body are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkPart {
    /// So many of them.
    pub len: usize,
    /// The body's own, and not what the chunks are made with.
    pub is_data: bool,
}

/// Why a body is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkFault {
    /// These are no chunks, or one of their lines is longer than its bound.
    Malformed,
    /// The chunks announce more than the body may have.
    TooLarge,
}

/// Follows one body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkDecoder {
    state: ChunkState,
    /// What came of the current line.
    line: Vec<u8>,
    /// What may still be announced, in bytes.
    room: u64,
    /// What the trailers may still have, in bytes.
    trailers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChunkState {
    Size,
    /// So many bytes of the chunk are to come.
    Data(u64),
    /// The line end behind a chunk.
    DataEnd,
    Trailer,
    Done,
}

impl ChunkDecoder {
    /// At the beginning of a body of at most `body` bytes, with at most `trailers` bytes of trailers.
    #[must_use]
    pub fn new(body: u64, trailers: usize) -> ChunkDecoder {
        ChunkDecoder { state: ChunkState::Size, line: Vec::new(), room: body, trailers }
    }

    /// Whether the body is whole.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == ChunkState::Done
    }

    /// Takes what belongs together at the front of `bytes`; nothing, once the body is whole.
    ///
    /// # Errors
    /// They are no chunks, or too many.
    pub fn next(&mut self, bytes: &[u8]) -> Result<ChunkPart, ChunkFault> {
        match &mut self.state {
            ChunkState::Done => Ok(ChunkPart { len: 0, is_data: false }),
            ChunkState::Data(left) => {
                let len = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= len as u64;
                if *left == 0 {
                    self.state = ChunkState::DataEnd;
                }
                Ok(ChunkPart { len, is_data: true })
            }
            ChunkState::Size | ChunkState::DataEnd | ChunkState::Trailer => self.next_of_line(bytes),
        }
    }

    /// Takes what there is, and puts what is the body's own behind `body`; returns how many of the bytes were the chunks'.
    ///
    /// # Errors
    /// As [`ChunkDecoder::next`]; what came before is in `body`.
    pub fn decode(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> Result<usize, ChunkFault> {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_done() {
            let part = self.next(rest)?;
            let (taken, behind) = rest.split_at(part.len);
            if part.is_data {
                body.extend_from_slice(taken);
            }
            rest = behind;
        }
        Ok(bytes.len() - rest.len())
    }

    fn next_of_line(&mut self, bytes: &[u8]) -> Result<ChunkPart, ChunkFault> {
        let len = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        let longest = if self.state == ChunkState::Trailer { self.trailers } else { MAX_LINE };
        let (taken, _) = bytes.split_at(len);
        if self.line.len() + len > longest {
            return Err(ChunkFault::Malformed);
        }
        self.line.extend_from_slice(taken);
        // Behind a chunk nothing but the end of a line is waited for.
        if self.state == ChunkState::DataEnd && !matches!(&self.line[..], b"" | b"\r" | b"\r\n" | b"\n") {
            return Err(ChunkFault::Malformed);
        }
        if let Some(line) = self.line.strip_suffix(b"\n") {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.contains(&b'\r') {
                return Err(ChunkFault::Malformed);
            }
            self.state = match self.state {
                ChunkState::Size => after_size(chunk_size(line).ok_or(ChunkFault::Malformed)?, &mut self.room)?,
                ChunkState::Trailer if line.is_empty() => ChunkState::Done,
                ChunkState::Trailer => {
                    self.trailers -= self.line.len();
                    ChunkState::Trailer
                }
                ChunkState::DataEnd | ChunkState::Data(_) | ChunkState::Done => ChunkState::Size,
            };
            self.line.clear();
        }
        Ok(ChunkPart { len, is_data: false })
    }
}

fn after_size(size: u64, room: &mut u64) -> Result<ChunkState, ChunkFault> {
    *room = room.checked_sub(size).ok_or(ChunkFault::TooLarge)?;
    Ok(if size == 0 { ChunkState::Trailer } else { ChunkState::Data(size) })
}

/// The length that a chunk's line names, whatever extensions follow; `u64::MAX` for one that cannot be counted. `None`: it names none.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(line.split(|byte| *byte == b';').next()?).ok()?.trim_matches([' ', '\t']);
    // `from_str_radix` would take a sign.
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_number.then(|| u64::from_str_radix(digits, 16).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So much may the bodies and the trailers of these tests have.
    const MOST: usize = 40;

    /// The body and the bytes that it took, by pieces of `step` bytes; an empty one where it is not whole.
    fn decoded(wire: &[u8], step: usize) -> Result<Option<(Vec<u8>, usize)>, ChunkFault> {
        let (mut decoder, mut body, mut used) = (ChunkDecoder::new(MOST as u64, MOST), Vec::new(), 0);
        for part in wire.chunks(step) {
            used += decoder.decode(part, &mut body)?;
        }
        Ok(decoder.is_done().then_some((body, used)))
    }

    #[test]
    fn a_body_is_the_same_however_its_bytes_are_cut() {
        for (wire, body, behind) in [
            (
                &b"3\r\nabc\r\n1;ext=1\r\n\n\r\nA\n0123456789\n0\r\nTrailer: x\r\n\r\nPOST"[..],
                &b"abc\n0123456789"[..],
                4,
            ),
            (b"0\n\n\r\n", b"", 2),
            (b" 2 ;a\xb0\r\n\r\n\r\n000\r\nB: \xb0\r\nC\r\n\r\n", b"\r\n", 0),
            (
                b"28\r\n0123456789012345678901234567890123456789\r\n0\r\n\r\n",
                b"0123456789012345678901234567890123456789",
                0,
            ),
        ] {
            for step in 1..=wire.len() {
                let whole = Some((body.to_vec(), wire.len() - behind));
                assert_eq!(decoded(wire, step), Ok(whole), "{wire:?} by {step}");
                for end in 0..wire.len() - behind {
                    assert_eq!(decoded(&wire[..end], step), Ok(None), "{wire:?} to {end} by {step}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_chunks_or_too_many_is_refused_as_soon_as_it_shows() {
        use ChunkFault::{Malformed, TooLarge};
        let long = |line: usize| [&b"1;"[..], &vec![b'x'; line - 4], b"\r\n"].concat();
        for (wire, fault) in [
            (&b"xyz\n"[..], Malformed),
            (b"\r\n", Malformed),
            (b";1\n", Malformed),
            (b"-1\n", Malformed),
            (b"+1\n", Malformed),
            (b"0x1\n", Malformed),
            (b"1 2\n", Malformed),
            (b"\xc3\xa9\n", Malformed),
            (b"3\r\nabcd", Malformed),
            (b"3\r\nabc\r\r", Malformed),
            // Where a carriage return alone ends a line for somebody else, the body would be another.
            (b"1\r1;\r\n", Malformed),
            (b"1;a\rb\r\n", Malformed),
            (b"1\r\r\n", Malformed),
            (b"0\r\n\r\r\n", Malformed),
            (b"0\r\na: b\rc: d\n", Malformed),
            (&long(MAX_LINE + 1), Malformed),
            (b"0\r\n1234567890123456789\n12345678901234567890\n", Malformed),
            (b"29\n", TooLarge),
            (b"1\na\n28\n", TooLarge),
            (b"ffffffffffffffff\n", TooLarge),
            (b"ffffffffffffffffffffff\n", TooLarge),
        ] {
            for step in 1..=wire.len() {
                assert_eq!(decoded(wire, step), Err(fault), "{wire:?} by {step}");
            }
            assert_eq!(decoded(&wire[..wire.len() - 1], 1), Ok(None), "{wire:?} is refused by its last byte");
        }
        assert_eq!(decoded(&long(MAX_LINE), 1), Ok(None));
        assert_eq!(decoded(b"0\r\n1234567890123456789\n123456789012345678\n\n", 9).unwrap().unwrap().1, 43);
    }
}
