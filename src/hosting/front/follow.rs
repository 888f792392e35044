//! A log as it grows: its last bytes, then what is added, through every rotation, until the client leaves.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// A client first gets so many bytes of what is there.
const FIRST: u64 = 1024;
/// So much is read at a time.
const CHUNK: u64 = 16 << 10;
/// How often a log is looked at that somebody follows.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
const TRUNCATED: &[u8] = b"==> File truncated <==\n";

/// A log that is followed.
pub(super) struct FollowedLog {
    path: String,
    file: File,
    inode: u64,
    at: u64,
}

impl FollowedLog {
    pub(super) fn new(path: &str) -> io::Result<FollowedLog> {
        // A pipe or a terminal would be waited for.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let file = File::open(path)?;
        let facts = file.metadata()?;
        Ok(FollowedLog { path: path.to_string(), file, inode: facts.ino(), at: facts.len().saturating_sub(FIRST) })
    }

    /// What was added since the last time, at most [`CHUNK`] bytes; empty: nothing.
    pub(super) fn more(&mut self) -> io::Result<Vec<u8>> {
        let size = self.file.metadata()?.len();
        if size < self.at {
            self.at = 0;
            return Ok(TRUNCATED.to_vec());
        }
        if size > self.at {
            let mut bytes = Vec::new();
            self.file.seek(SeekFrom::Start(self.at))?;
            (&mut self.file).take((size - self.at).min(CHUNK)).read_to_end(&mut bytes)?;
            self.at += bytes.len() as u64;
            return Ok(bytes);
        }
        // The old file first to its end: nothing of a rotation is lost.
        match fs::metadata(&self.path) {
            Ok(facts) if facts.ino() != self.inode && facts.is_file() => {
                (self.file, self.inode, self.at) = (File::open(&self.path)?, facts.ino(), 0);
                self.more_of_new()
            }
            _ => Ok(Vec::new()),
        }
    }

    fn more_of_new(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.file).take(CHUNK).read_to_end(&mut bytes)?;
        self.at = bytes.len() as u64;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn through_growth_rotation_and_truncation() {
        let folder = std::env::temp_dir().join(format!("gwe-follow-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("log");
        fs::write(&path, "x".repeat(2000)).unwrap();
        let mut follower = FollowedLog::new(path.to_str().unwrap()).unwrap();
        assert_eq!(follower.more().unwrap().len(), 1024);
        assert_eq!(follower.more().unwrap(), b"");
        let append = |text: &str| {
            use std::io::Write;
            fs::OpenOptions::new().append(true).create(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
        };
        append("one");
        fs::rename(&path, folder.join("log.1")).unwrap();
        append("two");
        assert_eq!(follower.more().unwrap(), b"one");
        assert_eq!(follower.more().unwrap(), b"two");
        fs::write(&path, "").unwrap();
        assert_eq!(follower.more().unwrap(), TRUNCATED);
        append("three");
        assert_eq!(follower.more().unwrap(), b"three");
        fs::remove_file(&path).unwrap();
        assert_eq!(follower.more().unwrap(), b"");
        fs::remove_dir_all(&folder).unwrap();
    }
}
