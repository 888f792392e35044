//! The ends of logs, for who cannot come to the gateway: of the agent, its queue, supervisord and each app.
//!
//! Invariants: a plain file is read, and never where a link of somebody else's leads; what is told is bounded, speaks to no terminal and
//! holds no secret of the agent's. The image's folder of logs may itself be a link: that one is the image's.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::format::scrub;
use crate::supervisor::{Process, Supervisor};
use crate::sys::beneath;

/// What stands before each line of a log, so that none can pass for a line of ours.
pub const MARK: &str = "| ";
/// No secret is longer, in bytes, and what is no text at its edge. Of a log that is longer than what is told, so much more is read: a
/// secret that is cut is known by nothing any more, and lies in what is then left out.
const MARGIN: usize = crate::config::options::MAX_VALUE + 64;
/// The programs of the image that have logs, beside the apps.
pub const OWN: [&str; 3] = ["gwe", "gmq", "supervisord"];
/// How many apps' logs are looked for.
const MAX_APPS: usize = 64;

/// Where the logs of this gateway are.
pub struct Logs {
    folder: PathBuf,
    /// Groups and files, as supervisord has them.
    known: Vec<(String, PathBuf)>,
    secrets: Vec<String>,
}

impl Logs {
    /// As supervisord says; where it does not answer, as the settings have it.
    #[must_use]
    pub fn of(config: &Config, supervisor: &Supervisor<'_>) -> Logs {
        let processes = supervisor.processes().unwrap_or_default();
        Logs::from(config.logs(), &processes, config.secrets())
    }

    fn from(folder: PathBuf, processes: &[Process], secrets: Vec<String>) -> Logs {
        let has_file = |process: &&Process| process.logfile.starts_with('/');
        let known = processes.iter().filter(has_file);
        let known = known.map(|process| (process.group.clone(), PathBuf::from(&process.logfile))).collect();
        Logs { folder, known, secrets }
    }

    /// The logs of a program: one, unless its group has several processes.
    #[must_use]
    pub fn files(&self, program: &str) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for (_, file) in self.known.iter().filter(|(group, _)| group == program) {
            if !files.contains(file) {
                files.push(file.clone());
            }
        }
        if files.is_empty() {
            files.push(self.folder.join([program, ".log"].concat()));
        }
        files
    }

    /// The apps that supervisord knows and these, each once, in this order.
    #[must_use]
    pub fn apps<'a>(&'a self, more: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let mut apps = Vec::new();
        for name in self.known.iter().map(|(group, _)| group.as_str()).chain(more) {
            if !OWN.contains(&name) && !apps.contains(&name) && apps.len() < MAX_APPS {
                apps.push(name);
            }
        }
        apps
    }

    /// The last lines of a file, at most so many and so many bytes, each behind [`MARK`]; of one that was begun anew lately, those of the
    /// file before it too.
    ///
    /// # Errors
    /// What the system said; a link, a pipe or a file that has a second name is one, too.
    pub fn tail(&self, file: &Path, lines: usize, max: usize) -> io::Result<String> {
        let mut end = self.end_of(file, max)?;
        if !end.is_cut && end.bytes.iter().filter(|b| **b == b'\n').count() < lines {
            let mut before = file.as_os_str().to_os_string();
            before.push(".1");
            // Most logs have none.
            if let Ok(mut older) = self.end_of(Path::new(&before), max.saturating_sub(end.bytes.len())) {
                older.bytes.append(&mut end.bytes);
                end = older;
            }
        }
        let text = self.clean(&end.bytes);
        Ok(last(if end.is_cut { behind_margin(&text) } else { &text }, lines, max))
    }

    /// Text of the agent's own that is passed on, as logs are.
    #[must_use]
    pub fn clean(&self, text: &[u8]) -> String {
        scrub::hide(&scrub::printable(text), &self.secrets)
    }

    /// The end of a file, and the margin before it where there is more.
    fn end_of(&self, file: &Path, max: usize) -> io::Result<TailEnd> {
        let mut file = self.open(file)?;
        let max = (max + MARGIN) as u64;
        let from = file.metadata()?.len().saturating_sub(max);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(max).read_to_end(&mut bytes)?;
        Ok(TailEnd { bytes, is_cut: from > 0 })
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        let file = match path.strip_prefix(&self.folder) {
            Ok(inside) => beneath::open(&self.folder, inside)?,
            Err(_) => beneath::open(Path::new("/"), path.strip_prefix("/").unwrap_or(path))?,
        };
        // A second name may be anybody's for anything.
        match file.metadata()?.nlink() {
            0 | 1 => Ok(file),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it has a second name")),
        }
    }
}

/// The end of a file.
struct TailEnd {
    bytes: Vec<u8>,
    is_cut: bool,
}

/// What comes behind the margin, from a line's beginning where there is one.
fn behind_margin(text: &str) -> &str {
    let from = (MARGIN.min(text.len())..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let text = &text[from..];
    text.split_once('\n').map_or(text, |(_, lines)| lines)
}

/// The last lines of a text, each behind [`MARK`], at most so many and so many bytes. Of a line that alone is longer, its end.
fn last(text: &str, lines: usize, max: usize) -> String {
    let mut told: Vec<&str> = Vec::new();
    let mut room = max;
    for line in text.lines().rev().take(lines) {
        let length = MARK.len() + line.len() + 1;
        if length > room {
            if told.is_empty() {
                let from = line.len().saturating_sub(room.saturating_sub(MARK.len() + 1));
                let from = (from..=line.len()).find(|at| line.is_char_boundary(*at)).unwrap_or(line.len());
                told.push(&line[from..]);
            }
            break;
        }
        room -= length;
        told.push(line);
    }
    told.iter().rev().flat_map(|line| [MARK, line, "\n"]).collect()
}

#[cfg(test)]
mod tests;
