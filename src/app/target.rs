//! Where a pass puts what it has judged good: into a folder, or nowhere.
//!
//! Invariant: nothing is ever opened that exists, and nothing removed but what this pass wrote; the last component of a path is never followed. That its folders
//! are real folders is the pass's business: it has made them all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{symlink, DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::sys::file::{self, Context, FileError};
use crate::sys::time64;

/// Takes what is good of a tarball. Paths are relative and clean; modes are those to set.
pub(super) trait Target {
    fn folder(&mut self, path: &Path, mode: u32) -> Result<(), FileError>;
    fn folder_mode(&mut self, path: &Path, mode: u32) -> Result<(), FileError>;
    fn open_file(&mut self, path: &Path, mode: u32) -> Result<(), FileError>;
    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError>;
    fn close_file(&mut self, modified: u64) -> Result<(), FileError>;
    fn symbolic_link(&mut self, path: &Path, to: &Path) -> Result<(), FileError>;
    fn hard_link(&mut self, path: &Path, existing: &Path) -> Result<(), FileError>;
    /// A file or link that this pass wrote.
    fn remove(&mut self, path: &Path) -> Result<(), FileError>;
}

/// Writes nothing.
pub(super) struct Nowhere;

impl Target for Nowhere {
    fn folder(&mut self, _: &Path, _: u32) -> Result<(), FileError> {
        Ok(())
    }
    fn folder_mode(&mut self, _: &Path, _: u32) -> Result<(), FileError> {
        Ok(())
    }
    fn open_file(&mut self, _: &Path, _: u32) -> Result<(), FileError> {
        Ok(())
    }
    fn write(&mut self, _: &[u8]) -> Result<(), FileError> {
        Ok(())
    }
    fn close_file(&mut self, _: u64) -> Result<(), FileError> {
        Ok(())
    }
    fn symbolic_link(&mut self, _: &Path, _: &Path) -> Result<(), FileError> {
        Ok(())
    }
    fn hard_link(&mut self, _: &Path, _: &Path) -> Result<(), FileError> {
        Ok(())
    }
    fn remove(&mut self, _: &Path) -> Result<(), FileError> {
        Ok(())
    }
}

/// Writes into a folder that exists and is empty.
pub(super) struct Folder {
    root: PathBuf,
    file: Option<(File, PathBuf)>,
}

impl Folder {
    /// # Errors
    /// The folder cannot be read, or holds something.
    pub(super) fn new(root: &Path) -> Result<Folder, FileError> {
        if fs::read_dir(root).context("read", root)?.next().is_some() {
            let reason = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "it is not empty");
            return Err(FileError::new("unpack into", root, reason));
        }
        Ok(Folder { root: root.to_path_buf(), file: None })
    }

    /// Makes all that was written durable: one call for the file system is cheaper than one for each of thousands of files.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn sync(&self) -> Result<(), FileError> {
        file::sync_filesystem(&self.root)
    }
}

impl Target for Folder {
    fn folder(&mut self, path: &Path, mode: u32) -> Result<(), FileError> {
        let path = self.root.join(path);
        fs::DirBuilder::new().mode(mode).create(&path).context("create", &path)?;
        set_mode(&path, mode)
    }

    fn folder_mode(&mut self, path: &Path, mode: u32) -> Result<(), FileError> {
        set_mode(&self.root.join(path), mode)
    }

    fn open_file(&mut self, path: &Path, mode: u32) -> Result<(), FileError> {
        let path = self.root.join(path);
        // Not before it is complete does it get its mode.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).context("create", &path)?;
        file.set_permissions(Permissions::from_mode(mode)).context("set the mode of", &path)?;
        self.file = Some((file, path));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        match &mut self.file {
            Some((file, path)) => file.write_all(bytes).context("write", path),
            None => Ok(()),
        }
    }

    fn close_file(&mut self, modified: u64) -> Result<(), FileError> {
        if let Some((file, _)) = self.file.take() {
            // Python trusts its compiled files only where the source has the time that it was compiled at. A time that this
            // file system cannot hold is no loss.
            let _ = time64::set_modified(&file, modified);
        }
        Ok(())
    }

    fn symbolic_link(&mut self, path: &Path, to: &Path) -> Result<(), FileError> {
        let path = self.root.join(path);
        symlink(to, &path).context("create", &path)
    }

    fn hard_link(&mut self, path: &Path, existing: &Path) -> Result<(), FileError> {
        let path = self.root.join(path);
        fs::hard_link(self.root.join(existing), &path).context("create", &path)
    }

    fn remove(&mut self, path: &Path) -> Result<(), FileError> {
        let path = self.root.join(path);
        fs::remove_file(&path).context("replace", &path)
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<(), FileError> {
    fs::set_permissions(path, Permissions::from_mode(mode)).context("set the mode of", path)
}
