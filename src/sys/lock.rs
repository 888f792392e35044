//! A lock between processes, which the kernel gives back when its holder dies.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
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

/// Takes the lock at `path`, waiting `patience` at the most; `Ok(None)` where another process still holds it.
///
/// # Errors
/// The lock file could not be made.
pub fn take(path: &Path, patience: Duration) -> Result<Option<Lock>, FileError> {
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(false);
    let folder = path.parent().unwrap_or(path);
    Ok(hold(in_folder(folder, || open.open(path)).context("open", path)?, patience))
}

/// The same with a folder as the lock, which takes no file and no write.
///
/// # Errors
/// The folder is not there, and cannot be made.
pub fn take_folder(path: &Path, patience: Duration) -> Result<Option<Lock>, FileError> {
    Ok(hold(in_folder(path, || File::open(path)).context("open", path)?, patience))
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
    fn a_folder_is_a_lock_and_stays_empty() {
        let path = std::env::temp_dir().join(format!("gwe-lock-folder-{}", std::process::id()));
        let first = take_folder(&path, Duration::ZERO).unwrap();
        assert!(first.is_some() && take_folder(&path, Duration::ZERO).unwrap().is_none());
        drop(first);
        assert!(take_folder(&path, Duration::ZERO).unwrap().is_some());
        std::fs::remove_dir(path).unwrap();
    }
}
