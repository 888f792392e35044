//! The inflated bytes of a delta: numbers, texts and runs, each bounded by who reads it.

use std::io::{self, BufRead, Read};

use super::DeltaError;
use crate::app::gzip;

/// Reads a delta's parts in order.
pub(super) struct DeltaWire<'a>(gzip::GzipReader<'a>);

impl<'a> DeltaWire<'a> {
    pub(super) fn new(source: &'a mut dyn Read) -> DeltaWire<'a> {
        DeltaWire(gzip::GzipReader::new(source))
    }

    /// What is at hand of the next bytes, at least one; what is used of it is to be [taken](DeltaWire::take).
    pub(super) fn some(&mut self) -> io::Result<&[u8]> {
        match self.0.fill_buf()? {
            [] => Err(DeltaError::CutShort.into()),
            some => Ok(some),
        }
    }

    /// So many of the bytes at hand were used.
    pub(super) fn take(&mut self, count: usize) {
        self.0.consume(count);
    }

    pub(super) fn exact(&mut self, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            let some = self.some()?;
            let count = some.len().min(into.len());
            into[..count].copy_from_slice(&some[..count]);
            self.take(count);
            into = &mut into[count..];
        }
        Ok(())
    }

    pub(super) fn byte(&mut self) -> io::Result<u8> {
        let byte = self.some()?[0];
        self.take(1);
        Ok(byte)
    }

    /// Seven bits a byte, the lowest first, in as few bytes as possible.
    pub(super) fn number(&mut self) -> io::Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                return Err(DeltaError::BadNumber.into());
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DeltaError::BadNumber.into())
    }

    /// A number of at most `limit`.
    pub(super) fn bounded(&mut self, limit: u64, what: &'static str) -> io::Result<u64> {
        match self.number()? {
            value if value <= limit => Ok(value),
            _ => Err(DeltaError::BadHead(what).into()),
        }
    }

    /// A text of at most `limit` bytes behind its length.
    pub(super) fn bytes(&mut self, limit: usize, what: &'static str) -> io::Result<Vec<u8>> {
        let length = self.bounded(limit as u64, what)?;
        // At most `limit`, so it fits.
        let mut bytes = vec![0; length as usize];
        self.exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads on to the end, which must be here, and with it the checksum.
    pub(super) fn end(&mut self) -> io::Result<()> {
        match self.0.fill_buf()? {
            [] => Ok(()),
            _ => Err(DeltaError::BytesAfterEnd.into()),
        }
    }
}

/// Writes a number as [`DeltaWire::number`] reads it.
pub(super) fn put_number(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
