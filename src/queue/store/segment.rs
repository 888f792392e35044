//! A segment: a file of zeros of one fixed size, prepared ahead of time and overwritten in place.
//!
//! The zeros are really written: a write into space that was only allocated, or that lengthens a file, makes the file system
//! commit its journal at each fdatasync, which costs a second flush and three more blocks (measured on ext4, docs/spec/gmq.md).
//!
//! Each segment begins and ends with the same 32 bytes, which hold the store's salt: damage to one copy costs nothing, and a
//! store that lost both in one segment still has it in the others.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::scan::Damage;
use crate::format::hex;
use crate::format::sort::sort;
use crate::sys::file::{self, Context, FileError};

/// A segment's size in bytes.
pub const SIZE: usize = 256 * 1024;
/// Where the records begin.
pub const START: usize = 32;
/// Where they end at the latest.
pub const END: usize = SIZE - START;
/// Segments in one store, at the most.
pub const MAX_SEGMENTS: usize = 65_536;

const MAGIC: &[u8; 8] = b"GMQSEG1\n";

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Its number; the numbers rise.
    pub number: u32,
    /// The first of the segments whose waiting records were moved together into this one; its own number where none were.
    pub since: u32,
    /// The store's, the same in each segment.
    pub salt: u64,
}

impl SegmentHeader {
    fn encode(self) -> [u8; START] {
        let mut bytes = [0; START];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&self.number.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.since.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.salt.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..24]);
        bytes[24..28].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` where it is damaged.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<SegmentHeader> {
        let mut fields = super::fields::Fields(bytes.get(..START)?);
        if fields.take(8)? != MAGIC {
            return None;
        }
        let header = SegmentHeader { number: fields.u32()?, since: fields.u32()?, salt: fields.u64()? };
        (fields.u32()? == crc32fast::hash(bytes.get(..24)?)).then_some(header)
    }
}

/// The path of a segment.
#[must_use]
pub fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(hex::encode(&number.to_be_bytes()) + ".seg")
}

/// The numbers of the segments in a folder, rising.
///
/// # Errors
/// The folder could not be read.
pub fn list(folder: &Path) -> Result<Vec<u32>, FileError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).context("read", folder)? {
        let name = entry.context("read", folder)?.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Some(number) = name.strip_suffix(".seg").filter(|hex| hex.len() == 8) {
            numbers.extend(u32::from_str_radix(number, 16).ok());
        }
        if numbers.len() >= MAX_SEGMENTS {
            break;
        }
    }
    sort(&mut numbers);
    Ok(numbers)
}

/// Removes what a preparation that was cut short has left. For the one process that prepares segments, at its start.
pub fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.ends_with(".seg.new")) {
            // Where this fails it is tried again at the next start, and the name is overwritten anyway.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes a segment that holds `records`, the rest zeros, all of it durable, in place of one with that number if there is one.
///
/// # Errors
/// The step that failed; nothing is left of it then.
pub fn write(folder: &Path, header: SegmentHeader, records: &[u8]) -> Result<(), FileError> {
    let final_path = path(folder, header.number);
    let mut temporary = final_path.clone().into_os_string();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let result = write_synced(&temporary, header, records)
        .and_then(|()| fs::rename(&temporary, &final_path).context("rename", &temporary));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
        return result;
    }
    file::sync_folder(folder)
}

fn write_synced(path: &Path, header: SegmentHeader, records: &[u8]) -> Result<(), FileError> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).context("create", path)?;
    fill(&mut file, header, records).context("write", path)?;
    file.sync_all().context("sync", path)
}

fn fill(file: &mut File, header: SegmentHeader, records: &[u8]) -> io::Result<()> {
    let zeros = [0; 4096];
    let records = &records[..records.len().min(END - START)];
    file.write_all(&header.encode())?;
    file.write_all(records)?;
    let mut left = END - START - records.len();
    while left > 0 {
        let now = &zeros[..left.min(zeros.len())];
        file.write_all(now)?;
        left -= now.len();
    }
    file.write_all(&header.encode())
}

/// Opens a segment to be written.
///
/// # Errors
/// What the system said.
pub fn open(folder: &Path, number: u32) -> Result<File, FileError> {
    let path = path(folder, number);
    OpenOptions::new().read(true).write(true).open(&path).context("open", &path)
}

/// A segment as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundSegment {
    /// What it says of itself, where one copy of that is whole.
    pub header: Option<SegmentHeader>,
    /// Whether the file was cut short, or not all of it could be read.
    pub is_short: bool,
}

/// Reads a segment's records, up to the offset `end` of the segment. What cannot be read, or is missing from a file cut short,
/// is zeros: the rest of the store must not be lost for it. Offsets in the result count from [`START`].
///
/// # Errors
/// The file could not be opened: it is gone.
pub fn read(folder: &Path, number: u32, end: usize, into: &mut Vec<u8>) -> Result<FoundSegment, FileError> {
    let path = path(folder, number);
    let file = File::open(&path).context("open", &path)?;
    let end = end.clamp(START, END);
    let mut found = FoundSegment { header: read_header(&file, number), is_short: false };
    found.is_short = file.metadata().map_or(true, |data| data.len() < end as u64);
    into.clear();
    into.resize(end - START, 0);
    if read_at(&file, into, START as u64).is_ok() {
        return Ok(found);
    }
    // Flash that goes bad does so in places: page by page, what can be read is.
    for (i, page) in into.chunks_mut(4096).enumerate() {
        let at = START + i * 4096;
        if let Err(e) = read_at(&file, page, at as u64) {
            crate::warning!("cannot read {} at byte {at}: {e}", path.display());
            page.fill(0);
            found.is_short = true;
        }
    }
    Ok(found)
}

/// Reads what a segment says of itself; `None` where both copies are damaged.
#[must_use]
pub fn header(folder: &Path, number: u32) -> Option<SegmentHeader> {
    read_header(&File::open(path(folder, number)).ok()?, number)
}

/// Says where a segment is damaged.
pub fn warn_of(folder: &Path, number: u32, damage: Damage) {
    let (from, to) = (START + damage.from, START + damage.to);
    crate::warning!("{} is damaged from byte {from} to {to}; skipped", path(folder, number).display());
}

fn read_header(file: &File, number: u32) -> Option<SegmentHeader> {
    [0, END].into_iter().find_map(|at| {
        let mut bytes = [0; START];
        read_at(file, &mut bytes, at as u64).ok()?;
        SegmentHeader::decode(&bytes).filter(|header| header.number == number)
    })
}

/// Fills the buffer as far as the file reaches.
fn read_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.read_at(buffer, at) {
            Ok(0) => break,
            Ok(n) => {
                buffer = std::mem::take(&mut buffer).get_mut(n..).unwrap_or_default();
                at += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("gwe-segment-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_segment_is_zeros_between_two_headers() {
        let dir = scratch("zeros");
        let header = SegmentHeader { number: 0x1f, since: 0x1f, salt: 5 };
        write(&dir, header, b"records").unwrap();
        fs::write(dir.join("00000020.seg.new"), "left over").unwrap();
        fs::write(dir.join("lock"), "").unwrap();
        assert_eq!(list(&dir).unwrap(), [0x1f]);
        assert!(dir.join("00000020.seg.new").exists(), "another process may be writing it");
        remove_leftovers(&dir);
        assert!(!dir.join("00000020.seg.new").exists());
        assert_eq!(fs::metadata(path(&dir, 0x1f)).unwrap().len(), SIZE as u64);
        let mut records = Vec::new();
        assert_eq!(
            read(&dir, 0x1f, SIZE, &mut records).unwrap(),
            FoundSegment { header: Some(header), is_short: false }
        );
        assert_eq!(records.len(), END - START);
        assert!(records.starts_with(b"records\0\0") && records[7..].iter().all(|b| *b == 0));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn one_damaged_header_costs_nothing_and_a_cut_file_reads_as_zeros() {
        let dir = scratch("damage");
        let header = SegmentHeader { number: 2, since: 1, salt: 9 };
        write(&dir, header, b"xyz").unwrap();
        open(&dir, 2).unwrap().write_all_at(b"junk", 4).unwrap();
        assert_eq!(super::header(&dir, 2), Some(header));
        open(&dir, 2).unwrap().set_len(34).unwrap();
        let mut records = Vec::new();
        assert_eq!(read(&dir, 2, START + 100, &mut records).unwrap(), FoundSegment { header: None, is_short: true });
        assert_eq!((records.len(), &records[..3]), (100, &b"xy\0"[..]));
        assert!(read(&dir, 9, SIZE, &mut records).is_err());
        fs::remove_dir_all(dir).unwrap();
    }
}
