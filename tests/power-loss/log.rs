//! The log of every write and flush, as QEMU's `blklogwrites` filter and the kernel's dm-log-writes write it.
//!
//! A superblock sector, then for each request a sector that describes it and, for a write, its data. Numbers are
//! little-endian.

use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

const MAGIC: u64 = 0x006a_7366_7773_6872;
const VERSION: u64 = 1;
const FLUSH: u64 = 1;
const FUA: u64 = 1 << 1;
const DISCARD: u64 = 1 << 2;
const MARK: u64 = 1 << 3;
/// The unit in which the log counts, and in which a disk tears.
pub const SECTOR: u64 = 512;
/// A log is read into memory; one that is larger is a workload that went wild.
const MAX_LOG: u64 = 2 << 30;

/// One request to the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Everything before it that was complete is on the medium once it is complete.
    pub flush: bool,
    /// Its own data is on the medium once it is complete.
    pub fua: bool,
    /// What it changes.
    pub change: Change,
    /// Where the log ended when it was in it, in bytes: the moment at which it was made.
    pub end: u64,
}

/// What a request changes, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing: only a flush, or a mark.
    None,
    /// Bytes of the log go to this offset of the disk.
    Write { offset: u64, data: Range<usize> },
    /// So many bytes from this offset have no content any more; they read as zeros.
    Discard { offset: u64, length: u64 },
}

/// A log that cannot be read: where in it, in bytes, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct BadLog {
    at: usize,
    why: &'static str,
}

impl fmt::Display for BadLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad write log at byte {}: {}", self.at, self.why)
    }
}

/// A log in memory.
#[derive(Debug)]
pub struct Log {
    bytes: Vec<u8>,
    requests: Vec<Request>,
}

impl Log {
    /// Reads a log's file.
    pub fn read(path: &Path) -> io::Result<Log> {
        if fs::metadata(path)?.len() > MAX_LOG {
            return Err(io::Error::other("the write log is larger than 2 GiB"));
        }
        Log::parse(fs::read(path)?).map_err(|bad| io::Error::other(bad.to_string()))
    }

    /// Takes a log apart.
    pub fn parse(bytes: Vec<u8>) -> Result<Log, BadLog> {
        let bad = |at, why| Err(BadLog { at, why });
        if number(&bytes, 0) != Some(MAGIC) || number(&bytes, 8) != Some(VERSION) {
            return bad(0, "not a log of dm-log-writes, version 1");
        }
        if number(&bytes, 24).map(|word| word & 0xffff_ffff) != Some(SECTOR) {
            return bad(24, "its sectors are not of 512 bytes");
        }
        let mut requests = Vec::new();
        let mut at = SECTOR as usize;
        while at < bytes.len() {
            let (request, end) = request(&bytes, at)?;
            requests.push(request);
            at = end;
        }
        let counted = number(&bytes, 16).unwrap_or(0);
        if counted > requests.len() as u64 {
            return bad(16, "it ends before its last request");
        }
        Ok(Log { bytes, requests })
    }

    /// The requests, in the order in which the disk got them.
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// A write's data.
    pub fn data(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes[range.clone()]
    }

    /// How many requests the log held when it was so long.
    pub fn count_at(&self, length: u64) -> usize {
        self.requests.partition_point(|request| request.end <= length)
    }
}

/// The request that starts at `at`, and where the next one does.
fn request(bytes: &[u8], at: usize) -> Result<(Request, usize), BadLog> {
    let bad = |why| BadLog { at, why };
    let word = |index: usize| number(bytes, at + 8 * index).ok_or(bad("it ends within a request"));
    let (sector, count, flags) = (word(0)?, word(1)?, word(2)?);
    let scale = |sectors: u64| sectors.checked_mul(SECTOR).ok_or(bad("a request is beyond any disk"));
    let (offset, length) = (scale(sector)?, scale(count)?);
    let start = at + SECTOR as usize;
    let (change, end) = match flags {
        flags if flags & MARK != 0 => (Change::None, start),
        flags if flags & DISCARD != 0 => (Change::Discard { offset, length }, start),
        _ if length == 0 => (Change::None, start),
        _ => {
            let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
            let end = end.filter(|end| *end <= bytes.len()).ok_or(bad("it ends within a write's data"))?;
            (Change::Write { offset, data: start..end }, end)
        }
    };
    let request = Request { flush: flags & FLUSH != 0, fua: flags & FUA != 0, change, end: end as u64 };
    Ok((request, end))
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

/// Makes logs for tests.
#[cfg(test)]
pub mod made {
    use super::{Log, DISCARD, FLUSH, FUA, MAGIC, SECTOR, VERSION};

    pub fn write(sector: u64, data: &[u8]) -> Vec<u8> {
        entry(sector, data.len() as u64 / SECTOR, 0, data)
    }

    pub fn write_through(sector: u64, data: &[u8]) -> Vec<u8> {
        entry(sector, data.len() as u64 / SECTOR, FUA, data)
    }

    pub fn flush() -> Vec<u8> {
        entry(0, 0, FLUSH, &[])
    }

    pub fn discard(sector: u64, count: u64) -> Vec<u8> {
        entry(sector, count, DISCARD, &[])
    }

    pub fn bytes(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = entry(MAGIC, VERSION, entries.len() as u64, &[]);
        bytes[24..32].copy_from_slice(&SECTOR.to_le_bytes());
        entries.iter().for_each(|entry| bytes.extend(entry));
        bytes
    }

    pub fn log(entries: &[Vec<u8>]) -> Log {
        Log::parse(bytes(entries)).unwrap()
    }

    fn entry(a: u64, b: u64, c: u64, data: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = [a, b, c].iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize(SECTOR as usize, 0);
        bytes.extend(data);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::{made, Change, Log};

    #[test]
    fn requests_come_back_in_their_order() {
        let log = made::log(&[
            made::write(8, &[1; 1024]),
            made::flush(),
            made::discard(2, 3),
            made::write_through(1, &[2; 512]),
        ]);
        let requests = log.requests();
        let ends: Vec<u64> = requests.iter().map(|request| request.end).collect();
        assert_eq!(ends, [2048, 2560, 3072, 4096]);
        let Change::Write { offset, data } = &requests[0].change else { panic!("{:?}", requests[0]) };
        assert_eq!((*offset, log.data(data)), (4096, &[1; 1024][..]));
        assert!(requests[1].flush && requests[1].change == Change::None);
        assert_eq!(requests[2].change, Change::Discard { offset: 1024, length: 1536 });
        assert!(requests[3].fua && !requests[3].flush);
    }

    #[test]
    fn a_moment_is_a_length_of_the_log() {
        let log = made::log(&[made::write(8, &[1; 1024]), made::flush()]);
        for (length, count) in [(512, 0), (2047, 0), (2048, 1), (2559, 1), (2560, 2), (9999, 2)] {
            assert_eq!(log.count_at(length), count, "{length}");
        }
    }

    #[test]
    fn what_is_no_log_says_why() {
        let good = made::bytes(&[made::write(8, &[1; 1024]), made::flush()]);
        let torn = |length: usize| good[..length].to_vec();
        let mut huge = good.clone();
        huge[520..528].copy_from_slice(&u64::MAX.to_le_bytes());
        let mut wide = good.clone();
        wide[520..528].copy_from_slice(&(1_u64 << 40).to_le_bytes());
        let mut sectors = good.clone();
        sectors[25] = 0x10;
        let rows = [
            (Vec::new(), "not a log"),
            (vec![0; 4096], "not a log"),
            (sectors, "not of 512"),
            (torn(520), "within a request"),
            (torn(1500), "within a write's data"),
            (torn(2048), "before its last request"),
            (huge, "beyond any disk"),
            (wide, "within a write's data"),
        ];
        for (bytes, why) in rows {
            let bad = Log::parse(bytes).unwrap_err();
            assert!(bad.to_string().contains(why), "{bad} is not: {why}");
        }
    }
}
