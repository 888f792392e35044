//! A lock between processes, which the kernel gives back when its holder dies.
//!
//! Invariant: whoever can open what the lock lies on can take it, and keep all others waiting. So nobody else can open it: a file
//! is its owner's alone, and a folder may be passed by others, but not opened (docs/spec/failures.md, A9).

use std::fs::{File, OpenOptions, Permissions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use super::file::{in_folder, Context, FileError};
use super::hand_over;

/// Held until dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Takes back the lock at `path` that this process has kept; `None` where the descriptor is not that lock.
#[must_use]
pub fn take_back(descriptor: RawFd, path: &Path) -> Option<Lock> {
    hold(hand_over::take_file(descriptor, path)?, Duration::ZERO)
}

const STEP: Duration = Duration::from_millis(10);
/// A file that is a lock.
const FILE_MODE: u32 = 0o600;
/// What others may do with a folder that is a lock: go through.
const FOLDER_MODE: u32 = 0o711;

/// Takes the lock at `path`, waiting `patience` at the most; `Ok(None)` where another process still holds it.
///
/// # Errors
/// The lock file could not be made.
pub fn take(path: &Path, patience: Duration) -> Result<Option<Lock>, FileError> {
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(false).mode(FILE_MODE);
    let folder = path.parent().unwrap_or(path);
    let file = in_folder(folder, || open.open(path)).context("open", path)?;
    keep_others_out(&file, FILE_MODE);
    Ok(hold(file, patience))
}

/// The same with a folder as the lock, which takes no file and no write.
///
/// # Errors
/// The folder is not there, and cannot be made.
pub fn take_folder(path: &Path, patience: Duration) -> Result<Option<Lock>, FileError> {
    let folder = in_folder(path, || File::open(path)).context("open", path)?;
    keep_others_out(&folder, FOLDER_MODE);
    Ok(hold(folder, patience))
}

/// Whether another holder has a file for itself. Nothing is taken: who only asks must keep nobody waiting. What is no plain file is held by
/// nobody.
#[must_use]
pub fn is_held(path: &Path) -> bool {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else { return false };
    if !file.metadata().is_ok_and(|facts| facts.is_file()) {
        return false;
    }
    // SAFETY: the descriptor is open for both calls. The lock is shared, and gone with the file.
    let taken = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_SH | libc::LOCK_NB) };
    taken != 0 && std::io::Error::last_os_error().kind() == std::io::ErrorKind::WouldBlock
}

/// Keeps others from opening a folder that is a lock, before anybody takes it.
pub fn close_folder(path: &Path) {
    if let Ok(folder) = in_folder(path, || File::open(path)) {
        keep_others_out(&folder, FOLDER_MODE);
    }
}

/// Takes from others what they may do beyond `mode`. Where that cannot be changed it is as it was made.
fn keep_others_out(file: &File, mode: u32) {
    let Ok(facts) = file.metadata() else { return };
    if facts.mode() & 0o777 & !mode & 0o077 != 0 {
        let kept = facts.mode() & (0o700 | mode);
        if let Err(e) = file.set_permissions(Permissions::from_mode(kept & 0o7777)) {
            crate::debug!("a lock that others can take stays so: {e}");
        }
    }
}

fn hold(file: File, patience: Duration) -> Option<Lock> {
    let begun = Instant::now();
    loop {
        // SAFETY: the descriptor is open for the whole call.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            return Some(Lock { file });
        }
        if begun.elapsed() >= patience {
            return None;
        }
        std::thread::sleep(STEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_waits_in_vain_and_a_dropped_lock_is_free() {
        let path = std::env::temp_dir().join(format!("gwe-lock-{}", std::process::id()));
        let first = take(&path, Duration::ZERO).unwrap();
        assert!(first.is_some());
        assert!(take(&path, Duration::ZERO).unwrap().is_none());
        drop(first);
        assert!(take(&path, Duration::ZERO).unwrap().is_some());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn who_only_asks_sees_a_holder_and_keeps_nobody_waiting() {
        let path = std::env::temp_dir().join(format!("gwe-lock-asked-{}", std::process::id()));
        assert!(!is_held(&path), "there is no such file");
        let held = take(&path, Duration::ZERO).unwrap().unwrap();
        assert!(is_held(&path));
        drop(held);
        assert!(!is_held(&path));
        assert!(take(&path, Duration::ZERO).unwrap().is_some());
        std::fs::remove_file(&path).unwrap();
        assert!(!is_held(&std::env::temp_dir()), "a folder");
    }

    #[test]
    fn what_a_lock_lies_on_is_not_opened_by_others() {
        let path = std::env::temp_dir().join(format!("gwe-lock-others-{}", std::process::id()));
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        std::fs::write(path.join("lock"), "").unwrap();
        std::fs::set_permissions(path.join("lock"), Permissions::from_mode(0o666)).unwrap();
        take_folder(&path, Duration::ZERO).unwrap().unwrap();
        take(&path.join("lock"), Duration::ZERO).unwrap().unwrap();
        take(&path.join("new"), Duration::ZERO).unwrap().unwrap();
        assert_eq!((mode(&path), mode(&path.join("lock")), mode(&path.join("new"))), (0o711, 0o600, 0o600));
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_folder_is_a_lock_and_stays_empty() {
        let path = std::env::temp_dir().join(format!("gwe-lock-folder-{}", std::process::id()));
        let first = take_folder(&path, Duration::ZERO).unwrap();
        assert!(first.is_some() && take_folder(&path, Duration::ZERO).unwrap().is_none());
        drop(first);
        assert!(take_folder(&path, Duration::ZERO).unwrap().is_some());
        std::fs::remove_dir(path).unwrap();
    }
}
