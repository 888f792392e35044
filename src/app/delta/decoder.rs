//! The decoder: a reader that yields the new version's tar stream.
//!
//! Invariants: memory is constant but for what the base keeps of its entries; every instruction makes at least one byte, and
//! none reaches beyond the base or the result; the end is told only once the whole result has the SHA-256 that the head names.

use std::io::{self, Read};

use super::base::{Base, Choice, Root};
use super::head::DeltaHead;
use super::wire::DeltaWire;
use super::DeltaError;
use crate::sys::sha256::Hash;

/// The kinds of instruction: the low two bits of its number; the others are its length.
pub(super) const LITERAL: u8 = 0;
pub(super) const COPY: u8 = 1;
pub(super) const DIFFER: u8 = 2;

/// What copies are from.
enum DecoderSource {
    Base(Base),
    /// Of so many bytes, all zero: for checking a delta without what it needs.
    Nothing(u64),
}

impl DecoderSource {
    fn size(&self) -> u64 {
        match self {
            DecoderSource::Base(base) => base.size(),
            DecoderSource::Nothing(size) => *size,
        }
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        match self {
            DecoderSource::Base(base) => base.read_at(offset, into),
            DecoderSource::Nothing(_) => {
                into.fill(0);
                Ok(into.len())
            }
        }
    }
}

/// Yields the tar stream that a delta makes of its base.
pub struct Decoder<'a> {
    wire: DeltaWire<'a>,
    head: DeltaHead,
    source: DecoderSource,
    hash: Hash,
    /// Bytes given so far.
    given: u64,
    /// The instruction at hand, and what is left of it.
    kind: u8,
    left: u64,
    /// Where in the base the next copy begins, unless it says otherwise.
    at: u64,
    ended: bool,
}

impl<'a> Decoder<'a> {
    /// Reads the head of a delta, and looks for its base.
    ///
    /// # Errors
    /// A [`DeltaError`], a gzip fault, or what the system said of the delta's own file.
    pub fn new(delta: &'a mut dyn Read, root: Root<'_>) -> io::Result<Decoder<'a>> {
        let mut wire = DeltaWire::new(delta);
        let head = DeltaHead::read(&mut wire)?;
        let base = Base::open(root, head.models.clone(), Choice::Marked(&head.marks))?;
        if base.count() != head.marks.len() || base.size() != head.base_size {
            return Err(DeltaError::BaseChanged.into());
        }
        Ok(Decoder::with(wire, head, DecoderSource::Base(base)))
    }

    /// The same without a base: what it yields is of the right size, and otherwise nothing.
    ///
    /// # Errors
    /// As [`Decoder::new`].
    pub fn without_base(delta: &'a mut dyn Read) -> io::Result<Decoder<'a>> {
        let mut wire = DeltaWire::new(delta);
        let head = DeltaHead::read(&mut wire)?;
        let size = head.base_size;
        Ok(Decoder::with(wire, head, DecoderSource::Nothing(size)))
    }

    fn with(wire: DeltaWire<'a>, head: DeltaHead, source: DecoderSource) -> Decoder<'a> {
        let (hash, given, kind, left, at) = (Hash::new(), 0, LITERAL, 0, 0);
        Decoder { wire, head, source, hash, given, kind, left, at, ended: false }
    }

    /// What the delta says of itself.
    #[must_use]
    pub fn head(&self) -> &DeltaHead {
        &self.head
    }

    /// Reads the next instruction.
    fn next(&mut self) -> io::Result<()> {
        let word = self.wire.number()?;
        let (kind, length) = ((word & 3) as u8, word >> 2);
        if kind > DIFFER {
            return Err(DeltaError::UnknownInstruction.into());
        }
        if length == 0 {
            return Err(DeltaError::EmptyInstruction.into());
        }
        if length > self.head.size - self.given {
            return Err(DeltaError::PastResult.into());
        }
        if kind != LITERAL {
            let step = self.wire.number()?;
            let step = (step >> 1) as i64 ^ -((step & 1) as i64);
            let begin = self.at.checked_add_signed(step).ok_or(DeltaError::OutOfBase)?;
            let end = begin.checked_add(length).ok_or(DeltaError::OutOfBase)?;
            if end > self.source.size() {
                return Err(DeltaError::OutOfBase.into());
            }
            self.at = begin;
        }
        self.kind = kind;
        self.left = length;
        Ok(())
    }

    /// Checks the whole: nothing follows, and the result is what the head says.
    fn end(&mut self) -> io::Result<()> {
        self.wire.end()?;
        if let DecoderSource::Base(base) = &mut self.source {
            if self.hash.clone().finish() != self.head.sha256 {
                // Only now is it worth the time to ask whose fault it is.
                let is_same = base.sha256()? == self.head.base_sha256;
                return Err(if is_same { DeltaError::WrongResult } else { DeltaError::BaseChanged }.into());
            }
        }
        self.ended = true;
        Ok(())
    }

    /// Makes some bytes of the instruction at hand, at least one.
    fn some(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let into = &mut into[..most];
        let count = match self.kind {
            COPY => self.source.read_at(self.at, into)?,
            LITERAL => {
                let bytes = self.wire.some()?;
                let count = bytes.len().min(most);
                into[..count].copy_from_slice(&bytes[..count]);
                self.wire.take(count);
                count
            }
            _ => {
                let differences = self.wire.some()?;
                let most = differences.len().min(most);
                let count = self.source.read_at(self.at, &mut into[..most])?;
                add(&mut into[..count], &differences[..count]);
                self.wire.take(count);
                count
            }
        };
        if self.kind != LITERAL {
            self.at += count as u64;
        }
        self.left -= count as u64;
        self.given += count as u64;
        Ok(count)
    }
}

/// Adds byte to byte, as many as there are of both; eight at a time, since a build for size makes no wider ones of single bytes.
fn add(into: &mut [u8], differences: &[u8]) {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (mut bytes, mut more) = (into.chunks_exact_mut(8), differences.chunks_exact(8));
    for (eight, difference) in bytes.by_ref().zip(more.by_ref()) {
        let pair = [&*eight, difference].map(|of| of.try_into().map_or(0, u64::from_ne_bytes));
        // No sum of seven bits reaches into the next byte; the eighth is added without its carry.
        let sum = (pair[0] & !HIGH) + (pair[1] & !HIGH);
        eight.copy_from_slice(&(sum ^ ((pair[0] ^ pair[1]) & HIGH)).to_ne_bytes());
    }
    for (byte, difference) in bytes.into_remainder().iter_mut().zip(more.remainder()) {
        *byte = byte.wrapping_add(*difference);
    }
}

impl Read for Decoder<'_> {
    /// Instructions are short, some 250 bytes in a program: as many as fit are gone through at once, so that what follows is done for
    /// large pieces.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let mut filled = 0;
        while filled < into.len() && self.given < self.head.size {
            if self.left == 0 {
                self.next()?;
            }
            filled += self.some(&mut into[filled..])?;
        }
        if filled == 0 && !into.is_empty() {
            return self.end().map(|()| 0);
        }
        if matches!(self.source, DecoderSource::Base(_)) {
            self.hash.update(&into[..filled]);
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::add;

    #[test]
    fn bytes_are_added_each_by_itself_whatever_they_are() {
        let all: Vec<u8> = (0..=255).collect();
        for byte in 0..=255u8 {
            for length in [256, 255, 9, 8, 7, 1, 0] {
                let mut sums = vec![byte; length];
                add(&mut sums, &all[256 - length..]);
                let wanted: Vec<u8> = all[256 - length..].iter().map(|other| byte.wrapping_add(*other)).collect();
                assert_eq!(sums, wanted, "{byte} {length}");
            }
        }
    }
}
