//! What other tars write and the `tar` crate does not read, put into words that it does, before it sees them.
//!
//! - A PAX record has a length in front, and its value may hold line feeds (an xattr does); the crate splits at line feeds
//!   (docs/spec/failures.md, case 07; mise#10978, libarchive#2510).
//! - GNU tar leaves the size of a label (`tar -V`) empty, which the crate takes for no number (case 17).
//! - Solaris calls its extended header `X`.
//!
//! Invariants: no byte of a file is changed, only header blocks and the records of an extended header; nothing changes its
//! length; a path that holds a line feed holds another control character afterwards, and is refused for that.

use std::io::{self, Read};

use tar::Header;

use super::meter::{Metered, MAX_METADATA};

/// Bytes of a header, and what everything in a tar is rounded up to.
const BLOCK: usize = 512;
/// Where the fields lie in a header.
const SIZE: std::ops::Range<usize> = 124..136;
const SUM: std::ops::Range<usize> = 148..156;
const KIND: usize = 156;
/// Stands for a line feed inside of a value: a control character, as that is.
const SUBSTITUTE: u8 = 0x1a;

/// The parser's view of the inflated bytes, with its headers mended.
pub(super) struct Headers<'source, 'meter> {
    bytes: Metered<'source, 'meter>,
    /// How far it is into the current block.
    offset: usize,
    /// What has been mended and not yet been handed on.
    held: Vec<u8>,
    start: usize,
    /// Bytes of a long name still to come.
    skip: u64,
}

impl<'source, 'meter> Headers<'source, 'meter> {
    pub(super) fn new(bytes: Metered<'source, 'meter>) -> Headers<'source, 'meter> {
        Headers { bytes, offset: 0, held: Vec::new(), start: 0, skip: 0 }
    }

    /// Bytes that stay as they are.
    fn pass(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(into)?;
        self.offset = (self.offset + count) % BLOCK;
        Ok(count)
    }

    /// Reads so many bytes more into what is held; fewer where the archive ends.
    fn hold(&mut self, count: usize) -> io::Result<()> {
        let mut from = self.held.len();
        self.held.resize(from + count, 0);
        while from < self.held.len() {
            match self.bytes.read(&mut self.held[from..]) {
                Ok(0) => break,
                Ok(read) => from += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.held.truncate(from);
        self.offset = self.held.len() % BLOCK;
        Ok(())
    }

    /// Reads the next header, and with an extended one its records.
    fn next_header(&mut self) -> io::Result<()> {
        self.held.clear();
        self.start = 0;
        self.hold(BLOCK)?;
        let Ok(block) = <&mut [u8; BLOCK]>::try_from(&mut self.held[..]) else { return Ok(()) };
        mend_block(block);
        let header = Header::from_byte_slice(&self.held);
        let is_known = header.as_ustar().is_some() || header.as_gnu().is_some();
        let kind = header.entry_type();
        let (records, name) = (kind.is_pax_local_extensions(), kind.is_gnu_longname() || kind.is_gnu_longlink());
        let Ok(size) = header.entry_size() else { return Ok(()) };
        if !is_known || !(records || name) {
            return Ok(());
        }
        let padded = size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64);
        if name || padded > MAX_METADATA {
            self.skip = padded;
            return Ok(());
        }
        self.hold(padded as usize)?;
        let end = (BLOCK + size as usize).min(self.held.len());
        mend_records(&mut self.held[BLOCK..end]);
        Ok(())
    }
}

impl Read for Headers<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Within a file all is its own; what is read between two files begins, after padding, with a header.
        if self.start == self.held.len() && self.bytes.is_between_files() && !into.is_empty() {
            if self.skip > 0 {
                let most = usize::try_from(self.skip).unwrap_or(usize::MAX).min(into.len());
                let count = self.pass(&mut into[..most])?;
                self.skip -= count as u64;
                return Ok(count);
            }
            if self.offset == 0 {
                self.next_header()?;
            } else {
                let most = (BLOCK - self.offset).min(into.len());
                return self.pass(&mut into[..most]);
            }
        }
        let waiting = &self.held[self.start..];
        if waiting.is_empty() {
            return self.pass(into);
        }
        let count = waiting.len().min(into.len());
        into[..count].copy_from_slice(&waiting[..count]);
        self.start += count;
        Ok(count)
    }
}

/// A label gets the size that it has, and a Solaris header the name that all others give it.
fn mend_block(block: &mut [u8; BLOCK]) {
    let sum = sum_of(block);
    if Header::from_byte_slice(block).cksum().ok() != Some(sum) {
        return;
    }
    match block[KIND] {
        b'V' if block[SIZE].iter().all(|b| matches!(b, 0 | b' ')) => block[SIZE].copy_from_slice(b"00000000000\0"),
        b'X' => block[KIND] = b'x',
        _ => return,
    }
    let sum = sum_of(block);
    block[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn sum_of(block: &[u8; BLOCK]) -> u32 {
    let own = SUM.len() as u32 * u32::from(b' ');
    block.iter().enumerate().filter(|(at, _)| !SUM.contains(at)).map(|(_, byte)| u32::from(*byte)).sum::<u32>() + own
}

/// Takes the line feeds out of the values of `LENGTH KEY=VALUE\n` records. From one that is not sound on, all stays as it
/// is: the parser refuses it.
fn mend_records(mut rest: &mut [u8]) {
    while let Some(length) = record_length(rest) {
        let (record, behind) = rest.split_at_mut(length);
        let Some((_, content)) = record.split_last_mut() else { return };
        let Some(equals) = content.iter().position(|b| *b == b'=') else { return };
        for byte in content[equals..].iter_mut().filter(|b| **b == b'\n') {
            *byte = SUBSTITUTE;
        }
        rest = behind;
    }
}

/// The length of the first record, where it is one.
fn record_length(rest: &[u8]) -> Option<usize> {
    let space = rest.iter().take(8).position(|b| *b == b' ')?;
    let length: usize = std::str::from_utf8(&rest[..space]).ok()?.parse().ok()?;
    (length > space && rest.get(length - 1) == Some(&b'\n')).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_by_their_length() {
        for (records, want) in [
            (&b"12 a=b\nc\nd\n\n6 b=c\n"[..], &b"12 a=b\x1ac\x1ad\x1a\n6 b=c\n"[..]),
            (b"9 a=\n\n\n\n\n", b"9 a=\x1a\x1a\x1a\x1a\n"),
            // A line feed in a key, a length that ends elsewhere, no length: the parser's affair.
            (b"8 a\nb=c\n", b"8 a\nb=c\n"),
            (b"7 a=b\nc\n", b"7 a=b\nc\n"),
            (b"99 a=b\nc\n", b"99 a=b\nc\n"),
            (b"0 a=b\nc\n", b"0 a=b\nc\n"),
            (b" a=b\n", b" a=b\n"),
            (b"", b""),
        ] {
            let mut mended = records.to_vec();
            mend_records(&mut mended);
            assert_eq!(mended, want, "{:?}", String::from_utf8_lossy(records));
        }
    }
}
