//! The last lines of an app's own log, for whoever asks why it did not stay up: "Exited too quickly" alone helps nobody.
//!
//! Invariant: only what came after the mark is shown, never another version's words; only a plain file is read, not where a
//! link leads.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// So much of it is told, in bytes.
const MAX_SHOWN: u64 = 2048;

/// A log and how long it was.
pub struct Mark {
    path: PathBuf,
    length: u64,
}

impl Mark {
    /// The log as it is now.
    pub fn of(path: &Path) -> Mark {
        Mark { path: path.to_path_buf(), length: length_of(path) }
    }

    /// The end of what was written since, under a heading; empty where there is nothing.
    pub fn since(&self) -> String {
        let now = length_of(&self.path);
        // Shorter than before: supervisord has begun a new file.
        let from = if now < self.length { 0 } else { self.length };
        let from = from.max(now.saturating_sub(MAX_SHOWN));
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(from))?;
            file.take(MAX_SHOWN).read_to_end(&mut bytes)
        });
        let text = String::from_utf8_lossy(&bytes);
        if now == 0 || read.is_err() || text.trim().is_empty() {
            return String::new();
        }
        let mut shown = format!("[gwe] the end of {}:\n", self.path.display());
        shown.extend(text.trim_end().chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c }));
        shown.push('\n');
        shown
    }
}

/// 0 for whatever is no plain file.
fn length_of(path: &Path) -> u64 {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map_or(0, |meta| meta.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_what_is_new_and_only_its_end() {
        let folder = std::env::temp_dir().join(format!("gwe-app-log-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let log = folder.join("a.log");
        assert_eq!(Mark::of(&log).since(), "", "no log");
        fs::write(&log, "old\n").unwrap();
        let mark = Mark::of(&log);
        assert_eq!(mark.since(), "");
        fs::write(&log, "old\nnew \u{1b}[0m\n").unwrap();
        assert_eq!(mark.since(), format!("[gwe] the end of {}:\nnew  [0m\n", log.display()));
        fs::write(&log, "x\n").unwrap();
        assert!(mark.since().ends_with(":\nx\n"), "rotated");
        fs::write(&log, ["old\n", &"y".repeat(5000)].concat()).unwrap();
        let shown = mark.since();
        assert_eq!(shown.matches('y').count() as u64, MAX_SHOWN);
        // What a link leads to is not told, whoever put it there.
        let link = folder.join("b.log");
        let mark = Mark::of(&link);
        symlink(&log, &link).unwrap();
        assert_eq!(mark.since(), "");
        fs::remove_dir_all(folder).unwrap();
    }
}
