//! The inflating side.

use std::io::{self, BufRead, Read};

use miniz_oxide::inflate::core::{decompress, inflate_flags, DecompressorOxide};
use miniz_oxide::inflate::TINFLStatus;

use super::{GzipError, DEFLATE, MAGIC};

/// Compressed bytes held at a time.
const INPUT: usize = 32 * 1024;
/// The window that data is inflated into and read from: a power of two, at least deflate's 32 KiB. Twice that halves the
/// number of stops, and still lies in a small CPU's cache.
const WINDOW: usize = 64 * 1024;
/// The longest header: its extra field, name and comment together, in bytes. Real ones have a file name.
const MAX_HEADER: u32 = 128 * 1024;

/// A member's flags (RFC 1952, 2.3.1).
const FHCRC: u8 = 2;
const FEXTRA: u8 = 4;
const FNAME: u8 = 8;
const FCOMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// Inflates a gzip stream of one or more members. Memory is constant: about 110 KiB.
pub struct GzipReader<'a> {
    source: &'a mut dyn Read,
    input: Box<[u8]>,
    /// What of `input` is not yet used.
    next: usize,
    filled: usize,
    inflater: Box<DecompressorOxide>,
    window: Box<[u8]>,
    /// What of `window` is inflated and not yet read.
    start: usize,
    end: usize,
    crc: crc32fast::Hasher,
    /// Modulo 2^32, as the trailer holds it.
    length: u32,
    stage: InflateStage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum InflateStage {
    FirstHeader,
    Data,
    Trailer,
    NextHeader,
    End,
}

impl<'a> GzipReader<'a> {
    /// Reads compressed bytes from `source`, in pieces of 32 KiB: no need to buffer it.
    pub fn new(source: &'a mut dyn Read) -> GzipReader<'a> {
        GzipReader {
            source,
            input: vec![0; INPUT].into_boxed_slice(),
            next: 0,
            filled: 0,
            inflater: Box::default(),
            window: vec![0; WINDOW].into_boxed_slice(),
            start: 0,
            end: 0,
            crc: crc32fast::Hasher::new(),
            length: 0,
            stage: InflateStage::FirstHeader,
        }
    }

    /// Makes the window hold unread bytes; leaves it empty only at the end of the last member.
    fn refill(&mut self) -> io::Result<()> {
        while self.start == self.end {
            match self.stage {
                InflateStage::FirstHeader => {
                    let first = self.byte()?;
                    self.header(first)?;
                }
                InflateStage::Data => self.inflate()?,
                InflateStage::Trailer => self.trailer()?,
                InflateStage::NextHeader => self.next_member()?,
                InflateStage::End => break,
            }
        }
        Ok(())
    }

    /// One call of the inflater: from the input at hand into the window, as far as either lasts.
    fn inflate(&mut self) -> io::Result<()> {
        if self.next == self.filled && !self.fill_input()? {
            return Err(GzipError::Truncated.into());
        }
        // All of the window has been read here, so what the inflater overwrites is history older than deflate refers to.
        let at = if self.end == WINDOW { 0 } else { self.end };
        let flags = inflate_flags::TINFL_FLAG_HAS_MORE_INPUT | inflate_flags::TINFL_FLAG_IGNORE_ADLER32;
        let (status, taken, given) =
            decompress(&mut self.inflater, &self.input[self.next..self.filled], &mut self.window, at, flags);
        self.next += taken;
        self.start = at;
        self.end = at + given;
        let fresh = &self.window[self.start..self.end];
        self.crc.update(fresh);
        // At most WINDOW, so it fits.
        self.length = self.length.wrapping_add(given as u32);
        match status {
            TINFLStatus::Done => self.stage = InflateStage::Trailer,
            TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => {}
            _ => return Err(GzipError::Corrupt.into()),
        }
        Ok(())
    }

    /// Reads a member's header whose first byte has been read already.
    fn header(&mut self, first: u8) -> io::Result<()> {
        if first != MAGIC[0] || self.byte()? != MAGIC[1] {
            return Err(GzipError::NotGzip.into());
        }
        let mut header = Header { crc: crc32fast::Hasher::new(), left: MAX_HEADER };
        header.crc.update(&MAGIC);
        let method = header.byte(self)?;
        let flags = header.byte(self)?;
        if method != DEFLATE || flags & RESERVED != 0 {
            return Err(GzipError::BadHeader.into());
        }
        for _ in 0..6 {
            header.byte(self)?; // time, extra flags, operating system
        }
        if flags & FEXTRA != 0 {
            let low = header.byte(self)?;
            let high = header.byte(self)?;
            for _ in 0..u16::from_le_bytes([low, high]) {
                header.byte(self)?;
            }
        }
        for text in [FNAME, FCOMMENT] {
            if flags & text != 0 {
                while header.byte(self)? != 0 {}
            }
        }
        if flags & FHCRC != 0 {
            let [low, high, ..] = header.crc.finalize().to_le_bytes();
            if [self.byte()?, self.byte()?] != [low, high] {
                return Err(GzipError::BadHeader.into());
            }
        }
        self.inflater.init();
        self.crc.reset();
        self.length = 0;
        self.stage = InflateStage::Data;
        Ok(())
    }

    fn trailer(&mut self) -> io::Result<()> {
        let mut trailer = [0; 8];
        for byte in &mut trailer {
            *byte = self.byte()?;
        }
        let [a, b, c, d, e, f, g, h] = trailer;
        if u32::from_le_bytes([a, b, c, d]) != self.crc.clone().finalize() {
            return Err(GzipError::BadCrc.into());
        }
        if u32::from_le_bytes([e, f, g, h]) != self.length {
            return Err(GzipError::BadLength.into());
        }
        self.stage = InflateStage::NextHeader;
        Ok(())
    }

    /// Another member, the end of the file, or zeros up to it (what tapes and block devices add).
    fn next_member(&mut self) -> io::Result<()> {
        if self.next == self.filled && !self.fill_input()? {
            self.stage = InflateStage::End;
            return Ok(());
        }
        match self.byte()? {
            0 => loop {
                if self.input[self.next..self.filled].iter().any(|b| *b != 0) {
                    return Err(GzipError::TrailingBytes.into());
                }
                self.next = self.filled;
                if !self.fill_input()? {
                    self.stage = InflateStage::End;
                    return Ok(());
                }
            },
            first => self.header(first).map_err(|e| match GzipError::of(&e) {
                Some(GzipError::NotGzip) => GzipError::TrailingBytes.into(),
                _ => e,
            }),
        }
    }

    fn byte(&mut self) -> io::Result<u8> {
        if self.next == self.filled && !self.fill_input()? {
            return Err(GzipError::Truncated.into());
        }
        let byte = self.input[self.next];
        self.next += 1;
        Ok(byte)
    }

    /// `false` at the end of the source.
    fn fill_input(&mut self) -> io::Result<bool> {
        loop {
            match self.source.read(&mut self.input) {
                Ok(count) => {
                    self.next = 0;
                    self.filled = count.min(INPUT);
                    return Ok(count > 0);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl Read for GzipReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let some = self.fill_buf()?;
        let count = into.len().min(some.len());
        into[..count].copy_from_slice(&some[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for GzipReader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.refill()?;
        Ok(&self.window[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

/// What is counted and summed while a header is read.
struct Header {
    crc: crc32fast::Hasher,
    left: u32,
}

impl Header {
    fn byte(&mut self, reader: &mut GzipReader<'_>) -> io::Result<u8> {
        self.left = self.left.checked_sub(1).ok_or(GzipError::BadHeader)?;
        let byte = reader.byte()?;
        self.crc.update(&[byte]);
        Ok(byte)
    }
}
