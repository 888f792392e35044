//! Points that the platform refused for good, kept with its reason until somebody looks (docs/spec/gmq.md): a text file of its own,
//! one line a point, appended to by the forwarder and rewritten by `gmq set-aside`.
//!
//! Invariant: whoever writes holds the lock. The file never grows beyond [`MAX_BYTES`]: then the oldest go, and are counted.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::identity::DeviceIdentity;
use crate::format::{form, hex};
use crate::sys::file::{self, Context, FileError};
use crate::sys::lock;

/// The file's size limit, in bytes.
pub const MAX_BYTES: u64 = 512 * 1024;
const FILE_NAME: &str = "set-aside";
const LOCK_NAME: &str = "set-aside.lock";
const MODE: u32 = 0o600;
const PATIENCE: Duration = Duration::from_secs(10);
const MAX_REASON: usize = 300;

/// A point that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAsidePoint {
    /// Eight hexadecimal digits by which `gmq set-aside` knows it.
    pub id: String,
    /// When it was set aside, in unix seconds.
    pub at: u64,
    /// Whose it is.
    pub identity: DeviceIdentity,
    /// The alias.
    pub alias: String,
    /// When it was measured, in unix seconds.
    pub time: u64,
    /// The value.
    pub value: String,
    /// What the platform said.
    pub reason: String,
}

impl SetAsidePoint {
    /// A new one. Its id follows from the point, so that the same one set aside twice is one.
    #[must_use]
    pub fn new(at: u64, identity: DeviceIdentity, alias: &str, time: u64, value: &str, reason: &str) -> SetAsidePoint {
        let words = point_words(&identity, alias, time, value);
        let (alias, value) = (alias.to_string(), value.to_string());
        let reason = reason.chars().take(MAX_REASON).collect();
        SetAsidePoint { id: checksum(&words), at, identity, alias, time, value, reason }
    }

    /// The line in the file: a checksum, and the words that it covers.
    fn line(&self) -> String {
        let mut words = point_words(&self.identity, &self.alias, self.time, &self.value);
        for word in [&self.reason, &self.at.to_string()] {
            words.push(' ');
            form::encode_into(&mut words, word);
        }
        [&checksum(&words), " ", &words, "\n"].concat()
    }

    fn parse(line: &str) -> Option<SetAsidePoint> {
        let (crc, rest) = line.split_once(' ')?;
        if crc != checksum(rest) {
            return None;
        }
        let mut words = rest.split(' ');
        let identity = DeviceIdentity::decode(&mut words)?;
        let mut word = || words.next().map(form::decode);
        let (alias, time, value, reason, at) = (word()?, word()?, word()?, word()?, word()?);
        let (time, at) = (time.parse().ok()?, at.parse().ok()?);
        Some(SetAsidePoint::new(at, identity, &alias, time, &value, &reason))
    }
}

fn point_words(identity: &DeviceIdentity, alias: &str, time: u64, value: &str) -> String {
    let mut words = identity.encode();
    for word in [alias, &time.to_string(), value] {
        words.push(' ');
        form::encode_into(&mut words, word);
    }
    words
}

/// What is set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetAside {
    /// Oldest first.
    pub entries: Vec<SetAsidePoint>,
    /// How many were given up since the file was last empty: for want of room, or damaged.
    pub lost: u64,
}

/// Keeps points, durably.
///
/// # Errors
/// They are not kept.
pub fn append(folder: &Path, entries: &[SetAsidePoint]) -> Result<(), FileError> {
    let _lock = take_lock(folder)?;
    let mut text: String = entries.iter().map(SetAsidePoint::line).collect();
    let path = path(folder);
    let size = std::fs::metadata(&path).map_or(0, |found| found.len());
    if size + text.len() as u64 > MAX_BYTES {
        let mut all = load(folder)?;
        all.entries.extend_from_slice(entries);
        return store(folder, all);
    }
    let mut file = OpenOptions::new();
    let mut file = file.read(true).append(true).create(true).mode(MODE).open(&path).context("open", &path)?;
    // A line that a power loss cut short must not swallow the next.
    let mut last = [b'\n'];
    if size > 0 && file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).is_ok() && last != [b'\n'] {
        text.insert(0, '\n');
    }
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).context("write", &path)?;
    if size == 0 {
        file::sync_folder(folder)?;
    }
    Ok(())
}

/// Reads all that is set aside.
///
/// # Errors
/// The file is there and cannot be read.
pub fn load(folder: &Path) -> Result<SetAside, FileError> {
    let bytes = file::read(&path(folder), 2 * MAX_BYTES)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut all = SetAside::default();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(lost) = line.strip_prefix("lost ").and_then(|n| n.parse::<u64>().ok()) {
            all.lost += lost;
        } else if let Some(entry) = SetAsidePoint::parse(line) {
            // Set aside again after a crash: it is one.
            all.entries.retain(|e| e.id != entry.id);
            all.entries.push(entry);
        } else {
            all.lost += 1;
        }
    }
    Ok(all)
}

/// Takes out the entries of these ids, durably.
///
/// # Errors
/// They are still there.
pub fn remove(folder: &Path, ids: &[String]) -> Result<(), FileError> {
    let _lock = take_lock(folder)?;
    let mut all = load(folder)?;
    all.entries.retain(|entry| !ids.contains(&entry.id));
    if all.entries.is_empty() {
        all.lost = 0;
    }
    store(folder, all)
}

/// Replaces the file, the newest half of the room kept where not all fit: so that not each further point rewrites it.
fn store(folder: &Path, mut all: SetAside) -> Result<(), FileError> {
    let mut lines: Vec<String> = Vec::new();
    let mut size = 0;
    for entry in all.entries.iter().rev() {
        let line = entry.line();
        size += line.len() as u64;
        if size > MAX_BYTES - 100 || (size > MAX_BYTES / 2 && !lines.is_empty()) {
            break;
        }
        lines.push(line);
    }
    let excess = (all.entries.len() - lines.len()) as u64;
    if excess > 0 {
        crate::warning!("too many points are set aside: gave up the {excess} oldest; see `gmq set-aside list`");
    }
    all.lost += excess;
    if all.lost > 0 {
        lines.push(["lost ", &all.lost.to_string(), "\n"].concat());
    }
    lines.reverse();
    file::replace(&path(folder), lines.concat().as_bytes(), MODE)
}

fn take_lock(folder: &Path) -> Result<lock::Lock, FileError> {
    let path = folder.join(LOCK_NAME);
    let busy = || FileError::new("lock", &path, std::io::Error::from(std::io::ErrorKind::WouldBlock));
    lock::take(&path, PATIENCE)?.ok_or_else(busy)
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

fn checksum(words: &str) -> String {
    hex::encode(&crc32fast::hash(words.as_bytes()).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::identity::Vms;
    use super::*;
    use std::fs;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("gwe-set-aside-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn entry(value: &str) -> SetAsidePoint {
        let identity = DeviceIdentity::Vms(Vms::new("p", "p", "1").unwrap());
        SetAsidePoint::new(5, identity, "a b", 1_700_000_000, value, "write: the platform answered 400: no\nsuch thing")
    }

    #[test]
    fn what_is_set_aside_comes_back_and_can_be_taken_out() {
        let dir = scratch("back");
        assert_eq!(load(&dir).unwrap(), SetAside::default());
        append(&dir, &[entry("1"), entry("2 &=%\n")]).unwrap();
        append(&dir, &[entry("3"), entry("1")]).unwrap();
        let all = load(&dir).unwrap();
        assert_eq!(all, SetAside { entries: vec![entry("2 &=%\n"), entry("3"), entry("1")], lost: 0 });
        remove(&dir, &[entry("3").id, "nonsense".into()]).unwrap();
        assert_eq!(load(&dir).unwrap().entries, [entry("2 &=%\n"), entry("1")]);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_torn_line_is_counted_and_swallows_nothing() {
        let dir = scratch("torn");
        append(&dir, &[entry("1"), entry("2")]).unwrap();
        let whole = fs::read(path(&dir)).unwrap();
        for cut in 1..whole.len() / 2 {
            fs::write(path(&dir), &whole[..whole.len() - cut]).unwrap();
            append(&dir, &[entry("3")]).unwrap();
            let all = load(&dir).unwrap();
            let values: Vec<&str> = all.entries.iter().map(|e| e.value.as_str()).collect();
            let expected = if cut == 1 { &["1", "2", "3"][..] } else { &["1", "3"] };
            assert_eq!(values, expected, "cut {cut}");
        }
        fs::write(path(&dir), [0; 100]).unwrap();
        assert_eq!(load(&dir).unwrap(), SetAside { entries: vec![], lost: 1 });
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_file_is_bounded_and_what_goes_is_counted() {
        let dir = scratch("bounded");
        let large = "v".repeat(20_000);
        for n in 0..100 {
            append(&dir, &[entry(&format!("{n} {large}"))]).unwrap();
            assert!(fs::metadata(path(&dir)).unwrap().len() <= MAX_BYTES);
        }
        let all = load(&dir).unwrap();
        assert_eq!(all.lost + all.entries.len() as u64, 100);
        assert!(all.entries.len() >= 10);
        assert!(all.entries.last().unwrap().value.starts_with("99 "));
        // One that alone is too large is given up, and counted.
        append(&dir, &[entry(&"%".repeat(200_000))]).unwrap();
        assert!(fs::metadata(path(&dir)).unwrap().len() <= MAX_BYTES);
        remove(&dir, &load(&dir).unwrap().entries.into_iter().map(|e| e.id).collect::<Vec<_>>()).unwrap();
        assert_eq!(load(&dir).unwrap(), SetAside::default());
        fs::remove_dir_all(dir).unwrap();
    }
}
