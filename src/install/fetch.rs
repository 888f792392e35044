//! Getting a tarball from the content area: resumed where it broke off, bounded in bytes and tries, believed only when
//! checked (docs/spec/failures.md, rows 1, 4, 5, 13).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::journal::{Content, Job};
use super::kept::For;
use super::key_set;
use super::meter::DownloadMeter;
use crate::app::key_set::{KeySetFault, MAX_PACKAGE};
use crate::http::{Route, Sink};
use crate::orders::{Backend, Failed, Kind, Piece};
use crate::sys::file::{self, Context, FileError};
use crate::sys::{clock, mounts, random};

/// The largest tarball, in bytes.
pub const MAX_TARBALL: u64 = 512 * 1024 * 1024;
/// What a download leaves free for everybody else, in bytes.
const SPARE_BYTES: u64 = 4 * 1024 * 1024;
/// And in inodes.
const SPARE_INODES: u64 = 64;
/// Tries in a row within one check-in that bring nothing new.
const TRIES: u32 = 4;
/// Check-ins in a row whose tries bring nothing new; then the job has failed.
const MAX_MISSES: u32 = 20;
/// Check-ins in a row at which the server refuses the content, where that is not final at once.
const MAX_REFUSALS: u32 = 3;
/// A try that brings less than this (and not the rest either) counts as bringing nothing.
const PROGRESS: u64 = 4 * 1024;
/// All bytes received for one tarball, as a multiple of its size, and a margin for small ones.
const BYTE_BUDGET: u64 = 3;
const BYTE_MARGIN: u64 = 1024 * 1024;
/// The first pause between two tries; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How a fetch ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The file is whole as far as its length tells, and on stable storage.
    Whole,
    /// The network or the server is not there: go on at the next check-in.
    Later(String),
    /// It has to wait for that.
    Waits(For),
    /// Permanent.
    Refused(String),
}

/// Where a tarball comes to lie while it is incomplete.
#[must_use]
pub fn part_of(whole: &Path) -> PathBuf {
    let mut name = whole.as_os_str().to_os_string();
    name.push(".part");
    PathBuf::from(name)
}

/// Who is asked for content.
pub struct Area<'a> {
    /// The source of orders.
    pub backend: &'a dyn Backend,
    /// When a download pauses for the next check-in, as time since boot.
    pub deadline: Duration,
    /// And when it does so only to let a check-in come between.
    pub turn: Duration,
    /// What a download looks after.
    pub meter: DownloadMeter,
}

impl Area<'_> {
    /// Asks what the job's content is now; `Err` where that ends the try.
    pub fn content(&self, job: &mut Job) -> Result<Content, Fetched> {
        let content = match self.backend.content(&piece(job)) {
            Ok(content) => content,
            Err(e) => return Err(after(job, &e)),
        };
        match unacceptable(job, content) {
            Some(reason) => Err(Fetched::Refused(reason)),
            None => Ok(content),
        }
    }

    /// The signature of that name beside a job's content; `Ok(None)` where there is none, and no bytes where it is larger than
    /// `limit`.
    ///
    /// # Errors
    /// The server was not reached, or refuses.
    pub fn signature(&self, job: &Job, name: &str, limit: usize) -> Result<Option<Vec<u8>>, Failed> {
        let mut sink = Small { bytes: Vec::new(), limit, too_large: false };
        match self.backend.signature(&piece(job), name, &mut sink) {
            Ok(is_there) => Ok(is_there.then_some(sink.bytes)),
            // It is there, and nothing that one could want: trying again would not make it smaller.
            Err(_) if sink.too_large => Ok(Some(Vec::new())),
            Err(e) => Err(e),
        }
    }

    /// Fetches `content` into `part`, which already has some of it or is not there.
    pub fn fill(&self, job: &mut Job, part: &Path, content: Content) -> Fetched {
        let mut barren = 0;
        loop {
            let gained = match open_part(part, content.size, self) {
                Ok((mut sink, have)) => {
                    // What was there before may be zeros from its beginning to its end: after a power cut, a length tells nothing.
                    job.resumed |= have > 0;
                    if have == content.size {
                        return finish(&sink);
                    }
                    if let Some(reason) = no_room(part, content.size - have) {
                        return discard(part, reason);
                    }
                    let tried = self.backend.download(&piece(job), have, &mut sink);
                    job.received += sink.received;
                    // A power cut costs what came since the last disconnect, not all of it.
                    let _ = sink.file.sync_data();
                    let gained = sink.at.saturating_sub(have);
                    match tried {
                        Ok(()) if sink.at == content.size => return finish(&sink),
                        Ok(()) => {}
                        Err(_) if sink.full => return discard(part, full(part, content.size - have)),
                        Err(_) if sink.meter.ended.is_some() => {
                            return Fetched::Waits(sink.meter.ended.unwrap_or(For::Link))
                        }
                        Err(_) if sink.is_late() => return paused(&sink),
                        Err(e) if e.kind == Kind::Permanent => return discard(part, e.to_string()),
                        // Not at once again: what refuses may do so because the order does not stand any more.
                        Err(e) if e.kind == Kind::Refused => return refused(job, &e),
                        Err(e) => crate::warning!("{}: {e}; {} of {} bytes are here", job.name, sink.at, content.size),
                    }
                    gained
                }
                Err(e) if e.is_full() => return discard(part, full(part, content.size)),
                Err(e) => return Fetched::Refused(e.to_string()),
            };
            if job.received > content.size.saturating_mul(BYTE_BUDGET).saturating_add(BYTE_MARGIN) {
                return discard(
                    part,
                    format!("gave up after receiving {} bytes for {} bytes", job.received, content.size),
                );
            }
            barren = if gained >= PROGRESS { 0 } else { barren + 1 };
            if gained >= PROGRESS {
                job.misses = 0;
            }
            if barren >= TRIES {
                return miss(job, "the download makes no progress");
            }
            let pause = FIRST_PAUSE.saturating_mul(1 << barren.min(5)).min(LONGEST_PAUSE);
            clock::sleep(pause.mul_f32(0.5 + (random::bits() >> 40) as f32 / (1 << 25) as f32));
        }
    }
}

/// What a job wants.
pub(super) fn piece(job: &Job) -> Piece<'_> {
    match job.delta {
        None => Piece { name: &job.name, size: job.size, sha256: job.sha256.as_deref(), link: job.link.as_ref() },
        // What the order says of the tarball says nothing of its delta.
        Some(_) => {
            let beside = job.delta_beside();
            Piece {
                name: job.content_id(),
                size: beside.map(|delta| delta.size),
                sha256: beside.and_then(|delta| delta.sha256.as_deref()),
                link: beside.map(|delta| &delta.link),
            }
        }
    }
}

/// What the answer to a question about the content makes of the job.
fn after(job: &mut Job, error: &Failed) -> Fetched {
    match error.kind {
        Kind::Permanent => Fetched::Refused(error.to_string()),
        Kind::Refused => refused(job, error),
        Kind::Passing => miss(job, &error.to_string()),
    }
}

/// The server refuses the content: final once it has done so at a few check-ins.
fn refused(job: &mut Job, error: &Failed) -> Fetched {
    job.misses += 1;
    if job.misses >= MAX_REFUSALS {
        return Fetched::Refused(error.to_string());
    }
    Fetched::Later(error.to_string())
}

fn paused(sink: &PartFile) -> Fetched {
    if clock::since_boot() < sink.deadline {
        return Fetched::Waits(For::Rate);
    }
    Fetched::Later(format!("the download takes long; {} of {} bytes are here", sink.at, sink.size))
}

/// Another check-in that brought nothing; too many of them are final.
pub fn miss(job: &mut Job, reason: &str) -> Fetched {
    job.misses += 1;
    // Who gave a numbered order can take it back; a network that is away for a day ends none.
    if job.misses >= MAX_MISSES && job.link.is_none() {
        return Fetched::Refused(format!("gave up after {MAX_MISSES} check-ins: {reason}"));
    }
    Fetched::Later(reason.to_string())
}

fn unacceptable(job: &Job, content: Content) -> Option<String> {
    if job.name.app() == key_set::APP && content.size > MAX_PACKAGE {
        return Some(KeySetFault::TooLarge.to_string());
    }
    if content.size > MAX_TARBALL {
        return Some(format!("it has {} bytes, more than the limit of {MAX_TARBALL}", content.size));
    }
    match job.size {
        // The request's is the tarball's.
        _ if job.delta.is_some() => None,
        Some(size) if size != content.size => {
            Some(format!("it has {} bytes, but the request says {size}", content.size))
        }
        _ => None,
    }
}

fn no_room(part: &Path, missing: u64) -> Option<String> {
    let disk = mounts::usage(part.parent()?).ok()?;
    if disk.inodes > 0 && disk.inodes_available < SPARE_INODES {
        return Some("the disk has no free inodes; remove files".to_string());
    }
    (free_bytes(part) < missing.saturating_add(SPARE_BYTES)).then(|| full(part, missing))
}

fn full(part: &Path, missing: u64) -> String {
    format!("the disk is full: {missing} more bytes are needed, {} are free", free_bytes(part))
}

fn free_bytes(part: &Path) -> u64 {
    let disk = part.parent().and_then(|folder| mounts::usage(folder).ok());
    disk.map_or(0, |disk| disk.available.saturating_mul(disk.block_size))
}

fn discard(part: &Path, reason: String) -> Fetched {
    if let Err(e) = file::remove(part) {
        crate::warning!("{e}");
    }
    Fetched::Refused(reason)
}

fn finish(sink: &PartFile) -> Fetched {
    match sink.file.sync_all() {
        Ok(()) => Fetched::Whole,
        Err(e) => Fetched::Refused(format!("cannot sync the download: {e}")),
    }
}

/// Opens the part for appending, and tells how much of it is there. One that is too long is no part of this content.
fn open_part(path: &Path, size: u64, area: &Area<'_>) -> Result<(PartFile, u64), FileError> {
    if let Some(folder) = path.parent() {
        file::create_folder(folder)?;
    }
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path).context("open", path)?;
    let mut at = file.seek(SeekFrom::End(0)).context("read", path)?;
    if at > size {
        file.set_len(0).context("cut", path)?;
        at = 0;
    }
    let Area { deadline, turn, ref meter, .. } = *area;
    Ok((PartFile { file, at, size, received: 0, full: false, deadline, turn, meter: meter.clone() }, at))
}

/// The file that a download fills.
struct PartFile {
    file: File,
    at: u64,
    size: u64,
    received: u64,
    full: bool,
    deadline: Duration,
    turn: Duration,
    meter: DownloadMeter,
}

impl PartFile {
    fn is_late(&self) -> bool {
        clock::since_boot() >= self.deadline.min(self.turn)
    }
}

impl Sink for PartFile {
    fn connected(&mut self, route: Route) -> io::Result<()> {
        self.meter.connected(route)
    }

    fn start(&mut self, offset: u64, total: Option<u64>) -> io::Result<()> {
        if total.is_some_and(|total| total != self.size) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the content changed during the download"));
        }
        if offset == self.at {
            return Ok(());
        }
        if offset != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the server sends another range than asked for"));
        }
        self.file.set_len(0)?;
        self.at = 0;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.received += bytes.len() as u64;
        if self.at + bytes.len() as u64 > self.size {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the server sends more than the content's size"));
        }
        if let Err(e) = self.file.write_all(bytes) {
            self.full = file::is_full(&e);
            // What was written of it may be torn: the file's length is what counts at the next try.
            self.at = fs::File::metadata(&self.file).map_or(self.at, |meta| meta.len());
            return Err(e);
        }
        self.at += bytes.len() as u64;
        if self.is_late() && self.at < self.size {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        if self.at < self.size {
            self.meter.look(bytes.len())?;
        }
        Ok(())
    }
}

struct Small {
    bytes: Vec<u8>,
    limit: usize,
    too_large: bool,
}

impl Small {
    fn check(&mut self, size: u64) -> io::Result<()> {
        self.too_large = size > self.limit as u64;
        if self.too_large {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "larger than such a content may be"));
        }
        Ok(())
    }
}

impl Sink for Small {
    fn start(&mut self, _offset: u64, total: Option<u64>) -> io::Result<()> {
        self.bytes.clear();
        self.check(total.unwrap_or(0))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check((self.bytes.len() + bytes.len()) as u64)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, content: &[u8], size: u64) -> (PathBuf, PartFile) {
        let path = std::env::temp_dir().join(format!("gwe-part-{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        let (part, _) = open(&path, size, Duration::MAX);
        (path, part)
    }

    fn open(path: &Path, size: u64, deadline: Duration) -> (PartFile, u64) {
        let area = Area { backend: &Nobody, deadline, turn: Duration::MAX, meter: DownloadMeter::default() };
        open_part(path, size, &area).unwrap()
    }

    struct Nobody;

    impl Backend for Nobody {
        fn check_in(&self, _: &mut dyn crate::orders::Ledger) -> Result<(), Failed> {
            Ok(())
        }
        fn progress(&self, _: &str, _: crate::orders::Progress) {}
        fn tell_ends(&self, _: &mut dyn crate::orders::Ledger) -> Result<(), Failed> {
            Ok(())
        }
        fn route(&self, _: &Piece<'_>) -> Option<Route> {
            None
        }
        fn content(&self, _: &Piece<'_>) -> Result<Content, Failed> {
            Err(Failed::passing("nobody"))
        }
        fn download(&self, _: &Piece<'_>, _: u64, _: &mut dyn Sink) -> Result<(), Failed> {
            Err(Failed::passing("nobody"))
        }
        fn signature(&self, _: &Piece<'_>, _: &str, _: &mut dyn Sink) -> Result<bool, Failed> {
            Ok(false)
        }
    }

    #[test]
    fn a_part_goes_on_where_it_broke_off_or_starts_over() {
        let (path, mut sink) = part("resume", b"abc", 6);
        sink.start(3, Some(6)).unwrap();
        sink.write(b"def").unwrap();
        assert_eq!((sink.at, fs::read(&path).unwrap()), (6, b"abcdef".to_vec()));

        let (path, mut sink) = part("restart", b"abc", 6);
        sink.start(0, Some(6)).unwrap();
        sink.write(b"ABCDEF").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"ABCDEF");

        let (path, sink) = part("long", b"abcdefg", 6);
        assert_eq!((sink.at, fs::metadata(&path).unwrap().len()), (0, 0));
    }

    #[test]
    fn a_download_pauses_at_its_deadline_and_keeps_what_it_has() {
        let path = std::env::temp_dir().join(format!("gwe-part-{}-late", std::process::id()));
        fs::write(&path, "").unwrap();
        let (mut sink, _) = open(&path, 6, Duration::ZERO);
        sink.start(0, Some(6)).unwrap();
        assert_eq!(sink.write(b"abc").unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!((sink.at, fs::read(&path).unwrap()), (3, b"abc".to_vec()));
        sink.write(b"def").unwrap();
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_does_not_fit_is_no_part_of_it() {
        let (_, mut sink) = part("range", b"abc", 6);
        assert!(sink.start(2, Some(6)).is_err());
        assert!(sink.start(3, Some(7)).is_err());
        sink.start(3, None).unwrap();
        assert!(sink.write(b"defg").is_err(), "more than its size is never written");
    }
}
