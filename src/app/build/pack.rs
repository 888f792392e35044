//! Writes a tarball whose bytes depend on nothing but the files' names, contents and x bits: sorted, one time for all, owner 0,
//! no user names, modes 0644 and 0755.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::BuildError;
use crate::app::gzip;
use crate::sys::file::{Context, FileError};

/// Writes the paths below `folder` to `to`.
///
/// # Errors
/// What cannot be read, written, or stored in a tarball.
pub(super) fn pack(folder: &Path, paths: &BTreeSet<PathBuf>, time: u64, to: &Path) -> Result<(), BuildError> {
    let mut file = File::create(to).context("create", to)?;
    let written = |e| BuildError::File(FileError::new("write", to, e));
    let mut zip = gzip::Writer::new(&mut file).map_err(written)?;
    {
        let mut builder = Builder::new(&mut zip as &mut dyn Write);
        for path in paths {
            entry(&mut builder, folder, path, time).map_err(|e| match e {
                PackFailure::Read(e) => BuildError::File(e),
                PackFailure::Write(e) => written(e),
                PackFailure::Kind => BuildError::Kind(path.clone()),
                PackFailure::Changed => BuildError::Changed(path.clone()),
            })?;
        }
        builder.finish().map_err(written)?;
    }
    zip.finish().map_err(written)?;
    file.sync_all().context("sync", to)?;
    Ok(())
}

enum PackFailure {
    Read(FileError),
    Write(io::Error),
    /// A device, pipe or socket.
    Kind,
    /// The file grew or shrank while it was read.
    Changed,
}

impl From<FileError> for PackFailure {
    fn from(e: FileError) -> PackFailure {
        PackFailure::Read(e)
    }
}

fn entry(builder: &mut Builder<&mut dyn Write>, folder: &Path, path: &Path, time: u64) -> Result<(), PackFailure> {
    let place = folder.join(path);
    let facts = fs::symlink_metadata(&place).context("read", &place)?;
    let mut header = Header::new_gnu();
    header.set_mtime(time);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    if facts.is_symlink() {
        let target = fs::read_link(&place).context("read", &place)?;
        header.set_entry_type(EntryType::Symlink);
        header.set_mode(0o777);
        return builder.append_link(&mut header, path, target).map_err(PackFailure::Write);
    }
    if facts.is_dir() {
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
        return builder.append_data(&mut header, path, io::empty()).map_err(PackFailure::Write);
    }
    if !facts.is_file() {
        return Err(PackFailure::Kind);
    }
    header.set_entry_type(EntryType::Regular);
    header.set_mode(mode(&facts));
    header.set_size(facts.len());
    let mut content = Exactly { file: File::open(&place).context("open", &place)?, left: facts.len(), changed: false };
    let result = builder.append_data(&mut header, path, &mut content);
    if content.changed {
        return Err(PackFailure::Changed);
    }
    result.map_err(PackFailure::Write)
}

fn mode(facts: &Metadata) -> u32 {
    if facts.permissions().mode() & 0o111 == 0 {
        0o644
    } else {
        0o755
    }
}

/// A file that must hold as many bytes as its header says.
struct Exactly {
    file: File,
    left: u64,
    changed: bool,
}

impl Read for Exactly {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        match self.left.checked_sub(count as u64) {
            Some(left) if count > 0 || left == 0 || into.is_empty() => self.left = left,
            _ => {
                self.changed = true;
                return Err(io::Error::other("the file changed"));
            }
        }
        Ok(count)
    }
}
