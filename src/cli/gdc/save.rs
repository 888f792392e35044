//! Where `gdc content download` puts its bytes.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::device::Sink;
use crate::sys::file::{self, Context, FileError};
use crate::sys::standard;

/// A file that gets its name only when it is whole: until then it is `NAME.part`.
pub struct ToFile {
    path: PathBuf,
    part: PathBuf,
    file: File,
    /// So many bytes are there.
    pub size: u64,
}

impl ToFile {
    /// Opens `NAME.part`, to go on behind what is there, or to begin anew.
    ///
    /// # Errors
    /// What the system said.
    pub fn open(path: &Path, is_continued: bool) -> Result<ToFile, FileError> {
        let mut name = path.as_os_str().to_os_string();
        name.push(".part");
        let part = PathBuf::from(name);
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(!is_continued).open(&part).context("open", &part)?;
        let size = file.metadata().context("read", &part)?.len();
        Ok(ToFile { path: path.to_path_buf(), part, file, size })
    }

    /// Gives the file its name, durably.
    ///
    /// # Errors
    /// What the system said; the bytes are then in `NAME.part`.
    pub fn finish(self) -> Result<u64, FileError> {
        self.file.sync_all().context("sync", &self.part)?;
        std::fs::rename(&self.part, &self.path).context("rename", &self.part)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        file::sync_folder(folder.unwrap_or(Path::new(".")))?;
        Ok(self.size)
    }
}

impl Sink for ToFile {
    fn start(&mut self, offset: u64, _total: Option<u64>) -> io::Result<()> {
        self.file.set_len(offset)?;
        self.size = self.file.seek(SeekFrom::Start(offset))?;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.size += bytes.len() as u64;
        self.file.write_all(bytes)
    }
}

/// Standard output.
pub struct ToStdout;

impl Sink for ToStdout {
    fn start(&mut self, _offset: u64, _total: Option<u64>) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        standard::stdout().write_all(bytes)
    }
}
