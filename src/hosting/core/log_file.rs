//! A log that grows: appended to, rotated before it would pass its bound, and never a reason to stop reading what goes into it.
//!
//! Only a regular file is rotated (Supervisor/supervisor 935, 1078). What the disk does not take is counted and dropped: a full pipe would
//! block the program (89). The new file is there before the old one is closed (402).

use super::spawn_error::Number;
use super::system::{
    close, facts_of, facts_of_open, high, open, rename, unlink, wait_to_write, write, SysResult, PathBuffer, EAGAIN,
    EINTR, EINVAL, O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_TRUNC, O_WRONLY,
};

/// `size` of what is no regular file, or not ours to rotate.
pub const NOT_REGULAR: u64 = u64::MAX;
/// How long a pipe or terminal may keep the core waiting before what it does not take is dropped.
const SLOW_READER_MS: u32 = 500;

pub struct LogTarget<'a> {
    pub path: &'a [u8],
    pub maxbytes: u64,
    pub backups: u32,
    pub fd: &'a mut i32,
    pub size: &'a mut u64,
    pub inode: &'a mut u64,
    pub dropped: &'a mut u32,
}

/// What became of some bytes.
pub enum WriteOutcome {
    Taken,
    /// Not all of them; the number is the system's.
    Lost(i32),
    /// All, and so many before them were not.
    TakenAgain(u32),
}

/// Whether this names an open file of somebody's, as /dev/stdout does: even where that is a regular file, it is not ours to cut.
fn is_passed_on(path: &[u8]) -> bool {
    (path.starts_with(b"/dev/") && !path.starts_with(b"/dev/shm/")) || path.starts_with(b"/proc/")
}

impl LogTarget<'_> {
    pub fn open(&mut self) -> SysResult<()> {
        self.open_with(0)
    }

    fn open_with(&mut self, flags: usize) -> SysResult<()> {
        let path = PathBuffer::of(&[self.path]).ok_or(EINVAL)?;
        let how = O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | flags;
        let fd = high(open(path.path(), how, 0o666)?)?;
        let facts = facts_of_open(fd)?;
        close(*self.fd);
        *self.fd = fd;
        *self.inode = facts.inode;
        *self.size = if facts.is_regular() && !is_passed_on(self.path) { facts.size } else { NOT_REGULAR };
        Ok(())
    }

    pub fn close(&mut self) {
        close(*self.fd);
        *self.fd = -1;
    }

    /// Anew by its name, where another file or none stands there now, or always.
    pub fn reopen(&mut self, always: bool) {
        let is_gone = || {
            let facts = PathBuffer::of(&[self.path]).and_then(|path| facts_of(path.path()).ok());
            facts.map(|facts| facts.inode) != Some(*self.inode)
        };
        if !self.path.is_empty() && (always || is_gone()) {
            // Where that fails, the old one goes on.
            let _ = self.open();
        }
    }

    /// An empty one in its place.
    pub fn clear(&mut self) -> SysResult<()> {
        if *self.size == NOT_REGULAR && *self.fd >= 0 {
            return Ok(());
        }
        let path = PathBuffer::of(&[self.path]).ok_or(EINVAL)?;
        let _ = unlink(path.path());
        self.open()
    }

    pub fn append(&mut self, bytes: &[u8]) -> WriteOutcome {
        if *self.fd < 0 && self.open().is_err() {
            return self.lose(bytes.len(), EINVAL);
        }
        if self.would_pass(bytes.len() as u64) {
            self.rotate();
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match write(*self.fd, rest) {
                Ok(0) => return self.lose(rest.len(), EAGAIN),
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or(&[]);
                    if *self.size != NOT_REGULAR {
                        *self.size += count as u64;
                    }
                }
                Err(EINTR) => {}
                // Once: while it takes nothing, all the other programs are not kept waiting for each piece.
                Err(EAGAIN) if *self.dropped == 0 && wait_to_write(*self.fd, SLOW_READER_MS) => {}
                Err(why) => return self.lose(rest.len(), why),
            }
        }
        match core::mem::take(self.dropped) {
            0 => WriteOutcome::Taken,
            dropped => WriteOutcome::TakenAgain(dropped),
        }
    }

    fn lose(&mut self, count: usize, why: i32) -> WriteOutcome {
        *self.dropped = self.dropped.saturating_add(count as u32);
        WriteOutcome::Lost(why)
    }

    /// Whether so many bytes more are too many. Another may have cut the file meanwhile, so it is looked at.
    fn would_pass(&mut self, count: u64) -> bool {
        if self.maxbytes == 0 || *self.size == NOT_REGULAR || *self.size + count <= self.maxbytes {
            return false;
        }
        if let Ok(facts) = facts_of_open(*self.fd) {
            *self.size = facts.size;
        }
        *self.size > 0 && *self.size + count > self.maxbytes
    }

    fn rotate(&mut self) {
        if self.backups == 0 {
            let _ = self.open_with(O_TRUNC);
            return;
        }
        // As many as there are: the oldest falls out.
        let mut there = 1;
        while there < self.backups && self.numbered(there).is_some_and(|path| facts_of(path.path()).is_ok()) {
            there += 1;
        }
        for number in (1..there).rev() {
            if let (Some(from), Some(to)) = (self.numbered(number), self.numbered(number + 1)) {
                let _ = rename(from.path(), to.path());
            }
        }
        if let (Some(from), Some(to)) = (PathBuffer::of(&[self.path]), self.numbered(1)) {
            let _ = rename(from.path(), to.path());
        }
        let _ = self.open_with(O_TRUNC);
    }

    fn numbered(&self, number: u32) -> Option<PathBuffer> {
        PathBuffer::of(&[self.path, b".", Number::of_u64(u64::from(number)).digits()])
    }
}
