//! Durable files: what must survive power loss is written here (or in the queue's store) and nowhere else.
//!
//! Invariants: a reader sees the old content or the new, never a mixture; when [`replace`] returns `Ok`, the new content
//! survives power loss, its folder entry included; what is read is bounded.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What failed, on which path. Behind a pointer, since a hundred functions hand it up, and each would move all of it.
#[derive(Debug)]
pub struct FileError(Box<FileFailure>);

/// See [`FileError`].
#[derive(Debug)]
pub struct FileFailure {
    /// What was tried, as a verb: "write", "read", "create".
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl FileError {
    /// The error of `action` on `path`.
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> FileError {
        FileError(Box::new(FileFailure { action, path: path.to_path_buf(), source }))
    }

    /// What the system said, alone.
    #[must_use]
    pub fn into_source(self) -> io::Error {
        self.0.source
    }

    /// Whether the disk, its inodes or a quota is used up: the one failure that goes away by itself.
    #[must_use]
    pub fn is_full(&self) -> bool {
        is_full(&self.source)
    }

    /// What a person can do about it, as the end of a sentence.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self.source.raw_os_error() {
            Some(libc::EROFS) => Some("it must lie on a writable file system"),
            Some(libc::EACCES | libc::EPERM) => Some("run this as root, or with --root DIR in a folder of your own"),
            _ if self.is_full() => Some("free some space there"),
            _ => None,
        }
    }
}

impl Deref for FileError {
    type Target = FileFailure;

    fn deref(&self) -> &FileFailure {
        &self.0
    }
}

/// Whether an error says that the disk, its inodes or a quota is used up.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.path.display(), self.source)
    }
}

impl std::error::Error for FileError {}

/// Turns an `io::Result` into one that names the action and the path.
pub trait Context<T> {
    /// See [`FileError::new`].
    ///
    /// # Errors
    /// The same, named.
    fn context(self, action: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError::new(action, path, source))
    }
}

/// Nearly every file that is read fits, and takes one read and one that finds the end: an empty buffer would grow in small steps.
pub(super) const FIRST_READ: usize = 4096;

/// Reads a whole file of at most `limit` bytes; `Ok(None)` where there is none.
///
/// # Errors
/// What the system said, or `InvalidData` for a file larger than `limit`.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(FileError::new("open", path, e)),
    };
    let mut bytes = Vec::with_capacity(FIRST_READ);
    file.take(limit + 1).read_to_end(&mut bytes).context("read", path)?;
    if bytes.len() as u64 > limit {
        return Err(FileError::new("read", path, io::Error::new(io::ErrorKind::InvalidData, "larger than its limit")));
    }
    Ok(Some(bytes))
}

/// Writes a volatile file, which a crash may tear. Its folder is made where it is missing.
///
/// # Errors
/// What the system said.
pub fn write(path: &Path, content: &[u8]) -> Result<(), FileError> {
    in_folder(parent(path), || fs::write(path, content)).context("write", path)
}

/// Does what needs a folder; where that is missing it is made, and the same is tried again.
pub(super) fn in_folder<T>(folder: &Path, mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    match act() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            create_folder(folder).map_err(FileError::into_source)?;
            act()
        }
        result => result,
    }
}

/// Replaces a file's content durably: temporary beside it, fsync, rename, fsync of the folder. The folder is created where
/// it is missing. The temporary has one fixed name, so that a crash leaves at most one, which the next call overwrites.
///
/// # Errors
/// The step that failed. The old content is then still whole, and the temporary is gone.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    let folder = parent(path);
    create_folder(folder)?;
    let temporary = temporary_of(path);
    let result =
        write_synced(&temporary, content, mode).and_then(|()| fs::rename(&temporary, path).context("replace", path));
    if result.is_err() {
        // The first error is the one to tell; a full disk must not keep the temporary.
        let _ = fs::remove_file(&temporary);
        return result;
    }
    sync_folder(folder)
}

/// Copies a plain file of at most `limit` bytes durably, as one that root alone may read: opened once, so that what is copied is one
/// file, whatever becomes of its name.
///
/// # Errors
/// What the system said, or `InvalidData` for what is no plain file or larger than `limit`.
pub fn copy(from: &Path, to: &Path, limit: u64) -> Result<(), FileError> {
    let refused = |what| FileError::new("read", from, io::Error::new(io::ErrorKind::InvalidData, what));
    // Without O_NONBLOCK, a pipe would be waited for.
    let source = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(from).context("open", from)?;
    if !source.metadata().context("read", from)?.is_file() {
        return Err(refused("no plain file"));
    }
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(true).mode(0o600);
    let mut target = in_folder(parent(to), || open.open(to)).context("create", to)?;
    let copied = pour(&mut source.take(limit + 1), &mut target).context("write", to)?;
    if copied > limit {
        return Err(refused("larger than its limit"));
    }
    target.sync_all().context("sync", to)?;
    sync_folder(parent(to))
}

/// The bytes that were copied. `io::copy` tries four ways of the kernel before this one, in 4 kB of flash.
fn pour(source: &mut dyn Read, target: &mut File) -> io::Result<u64> {
    let mut buffer = vec![0; 64 << 10];
    let mut copied = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(count) => {
                target.write_all(&buffer[..count])?;
                copied += count as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Moves a synced file to its final name durably.
///
/// # Errors
/// What the system said.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).context("rename", from)?;
    sync_folder(parent(to))
}

/// Removes a file durably; a missing one is a success.
///
/// # Errors
/// What the system said.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(parent(path)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(FileError::new("remove", path, e)),
    }
}

/// Removes a folder and all in it; a missing one is a success. Not durable by itself: a left-over is removed again.
///
/// # Errors
/// What the system said.
pub fn remove_tree(path: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(FileError::new("remove", path, e)),
        _ => Ok(()),
    }
}

/// Whether a folder takes another file now: one of a few kilobytes is written and removed again, without waiting for the disk.
///
/// # Errors
/// The disk is full, read-only, or not there.
pub fn probe(folder: &Path) -> Result<(), FileError> {
    create_folder(folder)?;
    let path = folder.join(".probe");
    let written = fs::write(&path, [0; 4096]).context("write", &path);
    let _ = fs::remove_file(&path);
    written
}

/// Creates a folder and its parents, mode 0755, each new entry made durable.
///
/// # Errors
/// The folder that could not be made.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    if path.is_dir() {
        return Ok(());
    }
    let mut missing = vec![path];
    while let Some(up) = missing.last().and_then(|p| p.parent()) {
        if up.as_os_str().is_empty() || up.is_dir() {
            break;
        }
        missing.push(up);
    }
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(FileError::new("create", folder, e)),
            _ => sync_folder(parent(folder))?,
        }
    }
    Ok(())
}

/// Makes a folder's entries (creations, renames, removals in it) durable.
///
/// # Errors
/// What the system said.
pub fn sync_folder(path: &Path) -> Result<(), FileError> {
    File::open(path).and_then(|folder| folder.sync_all()).context("sync", path)
}

/// Makes everything durable that was written to the file system that `path` lies on: for many files at once, one call instead
/// of thousands. Write errors are told from Linux 5.8 on.
///
/// # Errors
/// What the system said.
pub fn sync_filesystem(path: &Path) -> Result<(), FileError> {
    let file = File::open(path).context("open", path)?;
    // SAFETY: syncfs takes a file descriptor, which `file` keeps open, and touches no memory of this process.
    match unsafe { libc::syncfs(file.as_raw_fd()) } {
        0 => Ok(()),
        _ => Err(FileError::new("sync", path, io::Error::last_os_error())),
    }
}

/// Whether a path lies on a file system that is kept in memory, and is empty after a reboot. `false` where it cannot be told.
#[must_use]
pub fn is_volatile(path: &Path) -> bool {
    /// linux/magic.h
    const TMPFS: u32 = 0x0102_1994;
    const RAMFS: u32 = 0x8584_58f6;
    let Ok(file) = File::open(path) else { return false };
    // SAFETY: a statfs is numbers, so all zeros is a valid one.
    let mut facts: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `facts` is a valid statfs, which the call fills in; `file` keeps the descriptor open.
    let result = unsafe { libc::fstatfs(file.as_raw_fd(), &mut facts) };
    // The field's type differs between machines; the numbers are 32 bits wide.
    result == 0 && matches!(facts.f_type as u32, TMPFS | RAMFS)
}

fn write_synced(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path).context("create", path)?;
    // The mode of `open` counts only for a new file, and the umask lessens it.
    file.set_permissions(fs::Permissions::from_mode(mode)).context("set the mode of", path)?;
    file.write_all(content).context("write", path)?;
    file.sync_all().context("sync", path)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".new");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("gwe-file-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn replace_creates_folders_sets_the_mode_and_leaves_no_temporary() {
        let dir = scratch("replace");
        let path = dir.join("a/b/state");
        replace(&path, b"one", 0o600).unwrap();
        replace(&path, b"two", 0o640).unwrap();
        assert_eq!(read(&path, 10).unwrap().unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(dir.join("a/b")).unwrap().count(), 1);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_stale_temporary_does_not_break_the_next_replace() {
        // streborn#239: a stale `.new` broke every retry.
        let dir = scratch("stale");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("state.new"), "torn").unwrap();
        replace(&dir.join("state"), b"whole", 0o644).unwrap();
        assert_eq!(read(&dir.join("state"), 10).unwrap().unwrap(), b"whole");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn reads_are_bounded_and_a_missing_file_is_none() {
        let dir = scratch("bounded");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("f"), "12345").unwrap();
        assert!(read(&dir.join("none"), 10).unwrap().is_none());
        assert!(read(&dir.join("f"), 5).unwrap().is_some());
        assert_eq!(read(&dir.join("f"), 4).unwrap_err().action, "read");
        assert!(remove(&dir.join("none")).is_ok());
        fs::remove_dir_all(dir).unwrap();
    }
}
