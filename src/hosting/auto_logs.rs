//! The log files whose names supervisord chooses (`AUTO`): made when their group comes, removed when the next supervisord starts.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use super::definition::{Channel, Group};

/// Of a folder, so many files are looked at.
const MAX_FILES: usize = 65_536;

fn path(channel: Channel<'_>) -> Option<String> {
    let path = channel.is_auto.then(|| String::from_utf8_lossy(channel.logfile).into_owned());
    path.filter(|path| !path.is_empty())
}

/// Makes the files of a group that are not there yet. Nobody's link is followed, and nobody else may read them.
///
/// # Errors
/// The first that could not be made.
pub fn create(group: &Group<'_>) -> io::Result<()> {
    for program in group.all_programs() {
        for path in [program.read_stdout(), program.read_stderr()].into_iter().filter_map(path) {
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => drop(made?),
            }
        }
    }
    Ok(())
}

/// Removes what an earlier supervisord of this name left in its folder; what could not be removed comes back, as lines for the log.
#[must_use]
pub fn clean(folder: &str, identifier: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return vec!["Could not clear childlog dir".to_string()] };
    let mut lines = Vec::new();
    for entry in entries.flatten().take(MAX_FILES) {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| is_auto(name, identifier)) && fs::remove_file(entry.path()).is_err() {
            lines.push(format!("Failed to clean up '{}'", entry.path().display()));
        }
    }
    lines
}

/// `NAME---IDENTIFIER-RANDOM.log`, and `.1` and so on behind it.
fn is_auto(name: &str, identifier: &str) -> bool {
    let middle = ["---", identifier, "-"].concat();
    let Some((before, random)) = name.split_once(&middle) else { return false };
    let Some((random, _)) = random.split_once(".log") else { return false };
    !before.is_empty() && !random.is_empty() && !random.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_this_name_are_removed() {
        for (name, want) in [
            ("x-stdout---supervisor-abcdefgh.log", true),
            ("x-stderr---supervisor-abcdefgh.log.10", true),
            ("x-stdout---other-abcdefgh.log", false),
            ("---supervisor-abc.log", false),
            ("x---supervisor-.log", false),
            ("x---supervisor-a b.log", false),
            ("x.log", false),
        ] {
            assert_eq!(is_auto(name, "supervisor"), want, "{name}");
        }
        assert_eq!(clean("/no/such/folder", "x").len(), 1);
    }
}
