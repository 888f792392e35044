//! The journal: what was asked for and how far it has come, durable before each step.
//!
//! Invariants: one file, replaced whole; a request stands here before its alias is cleared, and no job is worked on before
//! that; a terminal job stays until its report is acknowledged.

use std::path::{Path, PathBuf};

use miniserde::{json, Deserialize, Serialize};

use super::request::{self, Entry};
use super::state::{after_crash, State};
use crate::sys::file::{self, FileError};

/// The journal's bound in bytes: the jobs' kept outputs and a wide margin.
const MAX_FILE: u64 = 4 * 1024 * 1024;
/// How many jobs may wait at once; a request beyond that is refused with its reason.
pub const MAX_JOBS: usize = 64;
/// How many remarks are kept for the next report.
const MAX_REMARKS: usize = 16;

/// One app to install.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The tarball's name, as asked for.
    pub name: String,
    /// A file of the gateway to install from, instead of the content area.
    pub file: Option<String>,
    /// Whether the image itself brought it: then the image's integrity vouches for it.
    pub factory: bool,
    /// The SHA-256 that the request demands, in hex.
    pub sha256: Option<String>,
    /// The size that the request demands, in bytes.
    pub size: Option<u64>,
    /// How far it has come.
    pub state: State,
    /// How often `install.sh` was begun.
    pub attempts: u32,
    /// How often the download was tried in a row without getting anywhere.
    pub misses: u32,
    /// Whether the tarball came in more than one part, so that a part may be torn.
    pub resumed: bool,
    /// Whether it was fetched anew for that.
    pub restarted: bool,
    /// Bytes received for it so far, every try included.
    pub received: u64,
    /// The content's size and upload time, as the platform gave them when the download began: a part on disk belongs to this.
    pub content: Option<Content>,
    /// The slot that it is unpacked in; empty before.
    pub slot: String,
    /// The time stamp of its signature, unix seconds.
    pub signed_at: Option<u64>,
    /// Milliseconds of work spent on it.
    pub spent_ms: u64,
    /// What `install.sh` printed, bounded.
    pub output: String,
    /// Why it did not become what was asked for, as the end of a sentence.
    pub reason: String,
    /// The line that ends its part of `fetch_status`, once it is terminal.
    pub verdict: String,
    /// Further lines before the verdict.
    pub remarks: Vec<String>,
}

/// What a content id stood for at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Bytes.
    pub size: u64,
    /// Upload time, unix seconds.
    pub time: u64,
}

/// All that is pending.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// The text of the newest request, until its alias is known to be cleared.
    pub uncleared: Option<String>,
    /// In the order asked for.
    pub jobs: Vec<Job>,
    /// What the report has to say beside the jobs.
    pub remarks: Vec<String>,
}

impl Job {
    /// A fresh job for the content area's `entry`.
    #[must_use]
    pub fn new(entry: Entry) -> Job {
        Job {
            name: entry.name,
            file: None,
            factory: false,
            sha256: entry.sha256.map(|hash| hash.to_ascii_lowercase()),
            size: entry.size,
            state: State::Requested,
            attempts: 0,
            misses: 0,
            resumed: false,
            restarted: false,
            received: 0,
            content: None,
            slot: String::new(),
            signed_at: None,
            spent_ms: 0,
            output: String::new(),
            reason: String::new(),
            verdict: String::new(),
            remarks: Vec::new(),
        }
    }

    /// A fresh job for a tarball on this gateway's disk.
    #[must_use]
    pub fn from_file(path: &Path, factory: bool) -> Job {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut job = Job::new(Entry { name, sha256: None, size: None });
        job.file = Some(path.to_string_lossy().into_owned());
        job.factory = factory;
        job
    }
}

impl Journal {
    /// Nothing is pending.
    #[must_use]
    pub fn empty() -> Journal {
        Journal { uncleared: None, jobs: Vec::new(), remarks: Vec::new() }
    }

    /// Reads the journal and takes every job to where a crash leaves it. Missing, empty, zeroed or torn: nothing is pending,
    /// and the log says so.
    #[must_use]
    pub fn load(path: &Path) -> Journal {
        let mut journal = match file::read(path, MAX_FILE) {
            Ok(None) => Journal::empty(),
            Ok(Some(bytes)) => parse(&bytes).unwrap_or_else(|| {
                crate::error!("{} is damaged; what was pending in it is lost", path.display());
                Journal::empty()
            }),
            Err(e) => {
                crate::error!("{e}; going on with nothing pending");
                Journal::empty()
            }
        };
        for job in &mut journal.jobs {
            job.state = after_crash(job.state);
        }
        journal
    }

    /// Writes the journal durably; an empty one is no file.
    ///
    /// # Errors
    /// The disk did not take it; the old journal is then still there.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        if self.is_empty() {
            return file::remove(path);
        }
        file::replace(path, json::to_string(self).as_bytes(), 0o600)
    }

    /// Whether nothing is pending and nothing is to be told.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.remarks.is_empty() && self.uncleared.is_none()
    }

    /// Takes up the text of `engine_fetch`; `true` where the journal has changed. The text of a request whose clearing is not
    /// known to have arrived is the same request.
    pub fn take_request(&mut self, text: &str) -> bool {
        if text.is_empty() {
            return self.uncleared.take().is_some();
        }
        if self.uncleared.as_deref() == Some(text) {
            return false;
        }
        match request::parse(text) {
            Ok(None) => return self.uncleared.take().is_some(),
            Ok(Some(entries)) => {
                self.add(entries.into_iter().map(Job::new).collect());
            }
            Err(e) => {
                crate::error!("{e}");
                self.remark(&format!("[gwe] failed: {e}"));
            }
        }
        self.uncleared = Some(text.chars().take(request::MAX_REQUEST).collect());
        true
    }

    /// Takes up a request's jobs. A waiting job for the same app gives way to the newer one; one that is beyond the
    /// download is finished first. Returns `false`, with a remark, where too much is waiting already.
    pub fn add(&mut self, jobs: Vec<Job>) -> bool {
        for job in &jobs {
            let app = app_of(&job.name);
            self.jobs.retain(|old| !(old.state.needs_network() && app_of(&old.name) == app));
        }
        if self.jobs.len() + jobs.len() > MAX_JOBS {
            self.remark(
                "[gwe] failed: too many installs are pending; wait for their report and send the request again",
            );
            return false;
        }
        self.jobs.extend(jobs);
        true
    }

    /// Adds a line to the next report.
    pub fn remark(&mut self, line: &str) {
        if self.remarks.len() < MAX_REMARKS {
            self.remarks.push(line.to_string());
        }
    }

    /// Whether there is something to report and nothing left to do first.
    #[must_use]
    pub fn is_reportable(&self) -> bool {
        let told = !self.jobs.is_empty() || !self.remarks.is_empty();
        told && self.jobs.iter().all(|job| job.state.is_terminal())
    }

    /// Drops what an acknowledged report has told.
    pub fn reported(&mut self) {
        self.jobs.retain(|job| !job.state.is_terminal());
        self.remarks.clear();
    }

    /// The first job that can be worked on.
    #[must_use]
    pub fn next_job(&self, network: bool) -> Option<usize> {
        let ready =
            |job: &Job| !job.state.is_terminal() && (network || job.file.is_some() || !job.state.needs_network());
        self.jobs.iter().position(ready)
    }
}

/// Where the journal is.
#[must_use]
pub fn path(state: &Path) -> PathBuf {
    state.join("install/journal.json")
}

/// Reads a journal's bytes; `None` for anything else.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Journal> {
    json::from_str(std::str::from_utf8(bytes).ok()?).ok()
}

fn app_of(name: &str) -> &str {
    name.split_once(".v").map_or(name, |(app, _)| app)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn job(name: &str, state: State) -> Job {
        Job { state, ..Job::new(Entry { name: name.into(), sha256: None, size: None }) }
    }

    #[test]
    fn survives_a_round_trip_and_comes_back_as_after_a_crash() {
        let dir = std::env::temp_dir().join(format!("gwe-journal-{}", std::process::id()));
        let file = path(&dir);
        let mut journal = Journal { jobs: vec![job("a.v1.tar.gz", State::Installing)], ..Journal::empty() };
        journal.jobs[0].output = "line\n\u{1}\"".into();
        journal.save(&file).unwrap();
        let back = Journal::load(&file);
        assert_eq!(back.jobs[0].state, State::Verified);
        assert_eq!(back.jobs[0].output, journal.jobs[0].output);
        for damage in [&b""[..], &[0; 100], b"{\"jobs\"", b"\xff"] {
            fs::write(&file, damage).unwrap();
            assert!(Journal::load(&file).is_empty());
        }
        Journal::empty().save(&file).unwrap();
        assert!(!file.exists(), "an idle gateway has no journal");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_newer_request_for_an_app_replaces_one_that_still_waits() {
        let mut journal = Journal::empty();
        let old = [
            job("a.v1.tar.gz", State::Downloading),
            job("b.v1.tar.gz", State::Settling),
            job("c.v1.tar.gz", State::Failed),
        ];
        journal.jobs.extend(old);
        assert!(journal.add(vec![job("a.v2.tar.gz", State::Requested), job("b.v2.tar.gz", State::Requested)]));
        let names: Vec<_> = journal.jobs.iter().map(|j| j.name.as_str()).collect();
        assert_eq!(names, ["b.v1.tar.gz", "c.v1.tar.gz", "a.v2.tar.gz", "b.v2.tar.gz"]);
        assert_eq!((journal.next_job(false), journal.next_job(true)), (Some(0), Some(0)));
    }

    #[test]
    fn a_report_waits_for_every_job_and_is_dropped_only_then() {
        let mut journal = Journal::empty();
        assert!(!journal.is_reportable());
        journal.jobs = vec![job("a.v1.tar.gz", State::Done), job("b.v1.tar.gz", State::Downloading)];
        assert!(!journal.is_reportable());
        journal.jobs[1].state = State::Failed;
        assert!(journal.is_reportable());
        journal.reported();
        assert!(journal.is_empty());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut journal = Journal::empty();
        for n in 0..MAX_JOBS {
            assert!(journal.add(vec![job(&format!("a{n}.v1.tar.gz"), State::Requested)]));
        }
        assert!(!journal.add(vec![job("z.v1.tar.gz", State::Requested)]));
        assert_eq!(journal.jobs.len(), MAX_JOBS);
        assert!(journal.remarks[0].contains("too many"));
    }

    const REQUEST: &str = r#"{"install":[{"name":"a.v1.tar.gz"}]}"#;

    #[test]
    fn the_same_request_read_twice_is_one_install() {
        // hawkbit#381: the reply to the clearing was lost, and the alias is read again.
        let mut journal = Journal::empty();
        assert!(journal.take_request(REQUEST));
        assert!(!journal.take_request(REQUEST));
        assert_eq!(journal.jobs.len(), 1);
        assert!(journal.take_request(""), "the alias is seen empty: the request is known to be taken");
        assert!(journal.uncleared.is_none());
        assert!(journal.take_request(REQUEST), "from now on the same text is a new request");
    }

    #[test]
    fn what_is_no_request_is_told_once() {
        let mut journal = Journal::empty();
        assert!(journal.take_request("{"));
        assert!(!journal.take_request("{"));
        assert_eq!(journal.remarks.len(), 1);
        assert!(journal.is_reportable());
        assert!(!Journal::empty().take_request(" null "));
    }
}
