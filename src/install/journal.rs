//! The journal: what was asked for and how far it has come, durable before each step.
//!
//! Invariants: one file, replaced whole; a request stands here before its alias is cleared, and no job is worked on before
//! that; a terminal job stays until its report is acknowledged.

use std::path::{Path, PathBuf};

use miniserde::{json, Deserialize, Serialize};

use super::asked::AskedName;
use super::kept::{Numbered, Waiting};
use super::request::{self, Entry};
use super::state::{after_crash, InstallState};
use super::state_file;
use crate::app::name::check_version;
use crate::orders::logs::Wish;
pub use crate::orders::Content;
use crate::orders::{Beside, ContentLink};
use crate::sys::file::{self, FileError};

/// The journal's bound in bytes: the jobs' kept outputs, six-fold where they are all control characters, and a wide margin.
const MAX_FILE: u64 = 8 * 1024 * 1024;
/// How many jobs may wait at once; a request beyond that is refused with its reason.
pub const MAX_JOBS: usize = 64;
/// From how many versions a request may offer a delta; further ones are not looked at.
pub(super) const MAX_BASES: usize = 32;
/// Check-ins at which the clearing of a request's alias may fail before its work begins all the same.
const MAX_CLEARINGS: u32 = 20;
/// How many remarks are kept for each job, and in the next report beside one for each entry of a request.
const MAX_REMARKS: usize = 16;

/// One app to install.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The tarball's name, as asked for; a removal's is the app's.
    pub name: AskedName,
    /// A file of the gateway to install from, instead of the content area.
    pub file: Option<String>,
    /// Whether the app is to be taken away: its version, empty as long as none is known ([`remove`](super::remove)). An older agent has
    /// only the name, which is no tarball's, and refuses it.
    pub removes: Option<String>,
    /// Whether the image itself brought it: then the image's integrity vouches for it.
    pub factory: bool,
    /// The SHA-256 that the request demands, in hex.
    pub sha256: Option<String>,
    /// The size that the request demands, in bytes.
    pub size: Option<u64>,
    /// The versions from which the request offers a delta, good ones only and not more than [`MAX_BASES`]; `None` once a delta was
    /// of no use. An older agent's journal lacks this and the next two.
    pub delta_from: Option<Vec<String>>,
    /// Whether the request offered any: then the report tells the bytes received.
    pub was_offered_delta: Option<bool>,
    /// The delta that is fetched instead of the tarball.
    pub delta: Option<String>,
    /// How far it has come.
    pub state: InstallState,
    /// How often `install.sh` was begun.
    pub attempts: u32,
    /// How often the state's work was begun without coming to an end: a reboot in it leaves it as it is, and the next try counts
    /// before it begins (docs/spec/failures.md, A1). `None`: it ended in order.
    pub tries: Option<u32>,
    /// How often supervisord went away while the app settled.
    pub losses: Option<u32>,
    /// Whether it was ordered to be tried although it failed before: see [`forget`](super::forget).
    pub force: Option<bool>,
    /// Whether what it failed for says something about the moment alone, and nothing about its content.
    pub passing: Option<bool>,
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
    /// The number of the key that made it: that may be revoked before the job's turn comes. An older agent's journal lacks it.
    pub signed_by: Option<String>,
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
    /// The numbered order that it is a part of; `None`: ordered by text, or from disk.
    pub order: Option<String>,
    /// Where a numbered order says that its content is.
    pub link: Option<ContentLink>,
    /// Where a numbered order says that the deltas of `delta_from` are.
    pub beside: Option<Vec<Beside>>,
    /// Why it failed, as a number for machines: see [`ordered`](super::ordered).
    pub code: Option<u32>,
    /// How it waits for its moment, once it is here: see [`waiting`](super::waiting).
    pub waiting: Option<Waiting>,
}

/// All that is pending.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// The text of the newest request, until its alias is known to be cleared.
    pub uncleared: Option<String>,
    /// How often the platform did not clear its alias; [`MAX_CLEARINGS`]: it is not waited for any more.
    pub clearings: Option<u32>,
    /// In the order asked for.
    pub jobs: Vec<Job>,
    /// What the report has to say beside the jobs.
    pub remarks: Vec<String>,
    /// The numbered orders whose end is not yet known to who ordered. Optional: a journal of a version before has none.
    pub orders: Option<Vec<Numbered>>,
    /// The logs that the newest text asked for, as they were when it was taken: what is sent again is the same. Optional likewise.
    pub logs: Option<String>,
}

/// What reads the logs that are asked for.
pub type Tails<'a> = &'a dyn Fn(&[Wish]) -> String;

/// What can be a base.
fn bases(offered: Vec<String>) -> Vec<String> {
    let good = offered.into_iter().filter(|version| check_version(version).is_ok());
    good.take(MAX_BASES).collect()
}

impl Job {
    /// A fresh job for the content area's `entry`.
    #[must_use]
    pub fn new(entry: Entry) -> Job {
        Job {
            name: AskedName::new(entry.name),
            file: None,
            removes: None,
            factory: false,
            sha256: entry.sha256.map(|hash| hash.to_ascii_lowercase()),
            size: entry.size,
            was_offered_delta: entry.delta_from.as_ref().map(|_| true),
            delta_from: entry.delta_from.map(bases),
            delta: None,
            state: InstallState::Requested,
            attempts: 0,
            tries: None,
            losses: None,
            force: entry.force.then_some(true),
            passing: None,
            misses: 0,
            resumed: false,
            restarted: false,
            received: 0,
            content: None,
            slot: String::new(),
            signed_at: None,
            signed_by: None,
            spent_ms: 0,
            output: String::new(),
            reason: String::new(),
            verdict: String::new(),
            remarks: Vec::new(),
            order: None,
            link: None,
            beside: None,
            code: None,
            waiting: entry.apply.map(|apply| Waiting::until(Some(apply.word().to_string()))),
        }
    }

    /// A fresh job for a tarball on this gateway's disk.
    #[must_use]
    pub fn from_file(path: &Path, factory: bool) -> Job {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut job = Job::new(Entry::named(name));
        job.file = Some(path.to_string_lossy().into_owned());
        job.factory = factory;
        job
    }

    /// What is asked for in the content area: the delta, or the tarball.
    #[must_use]
    pub fn content_id(&self) -> &str {
        self.delta.as_deref().unwrap_or(&self.name)
    }

    /// Adds a line before the verdict, once.
    pub fn remark(&mut self, line: String) {
        if self.remarks.len() < MAX_REMARKS && !self.remarks.contains(&line) {
            self.remarks.push(line);
        }
    }

    /// Adds to what `install.sh` printed, within the bound.
    pub fn append_output(&mut self, text: &str) {
        if text.is_empty() || self.output.ends_with(text) {
            return;
        }
        if !self.output.is_empty() && !self.output.ends_with('\n') {
            self.output.push('\n');
        }
        self.output.push_str(text);
    }

    /// Whether nothing of what it does to the gateway was begun. What lies in its slot by then is swept with it.
    pub(super) fn is_unbegun(&self) -> bool {
        self.state.needs_network() || (self.state == InstallState::Verified && self.attempts == 0)
    }

    /// Whether it asks for the same bytes, as far as it says.
    fn asks_for_the_same(&self, other: &Job) -> bool {
        (&self.name, &self.sha256, self.size, &self.file, self.was_offered_delta, self.removes.is_some())
            == (&other.name, &other.sha256, other.size, &other.file, other.was_offered_delta, other.removes.is_some())
    }
}

impl Journal {
    /// Nothing is pending.
    #[must_use]
    pub fn empty() -> Journal {
        Journal { uncleared: None, clearings: None, jobs: Vec::new(), remarks: Vec::new(), orders: None, logs: None }
    }

    /// Reads the journal and takes every job to where a crash leaves it.
    #[must_use]
    pub fn load(path: &Path) -> Journal {
        let mut journal = Journal::read(path);
        for job in &mut journal.jobs {
            job.state = after_crash(job.state);
        }
        journal
    }

    /// Reads the journal as it stands, as one who only looks. Missing, empty, zeroed or torn: nothing is pending, and the log
    /// says so.
    #[must_use]
    pub fn read(path: &Path) -> Journal {
        state_file::load(path, MAX_FILE, parse, "going on with nothing pending").unwrap_or_else(Journal::empty)
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
        !self.is_reportable() && self.jobs.is_empty() && self.uncleared.is_none() && self.orders.is_none()
    }

    /// Takes up the text of `engine_fetch`; `true` where the journal has changed. The text of a request whose clearing is not
    /// known to have arrived is the same request: the logs that it asks for are read once.
    pub fn take_request(&mut self, text: &str, tails: Tails<'_>) -> bool {
        if text.is_empty() {
            return self.cleared();
        }
        let known = request::beginning(text);
        if self.uncleared.as_deref() == Some(known) {
            return false;
        }
        match request::parse(text) {
            Ok(None) => return self.cleared(),
            Ok(Some(request)) => {
                self.cancel(&request.cancel);
                let removals = request.remove.into_iter().map(Job::removal);
                self.add(removals.chain(request.entries.into_iter().map(Job::new)).collect());
                match request.logs {
                    Ok(wishes) if wishes.is_empty() => {}
                    Ok(wishes) => self.logs = Some(tails(&wishes)),
                    Err(fault) => self.refuse(&fault),
                }
                for refused in &request.refused {
                    self.refuse(refused);
                }
            }
            Err(e) => self.refuse(&e),
        }
        self.uncleared = Some(known.to_string());
        self.clearings = None;
        true
    }

    /// What cannot be understood is told who asked.
    fn refuse(&mut self, why: &dyn std::fmt::Display) {
        crate::error!("{why}");
        self.remark(&format!("[gwe] failed: {why}"));
    }

    /// The request's alias is known to be cleared; `true` where that is new.
    pub fn cleared(&mut self) -> bool {
        self.clearings = None;
        self.uncleared.take().is_some()
    }

    /// The platform did not clear the request's alias; `true`: its work begins all the same. What the platform refuses for good it
    /// would refuse for ever, and nothing may wait for that (docs/spec/failures.md, A14): since the request is kept, it is done once
    /// whether its alias is cleared or not. Who asked is told, once.
    pub fn not_cleared(&mut self, why: &str, for_good: bool) -> bool {
        let before = self.clearings.unwrap_or(0);
        let now = if for_good { MAX_CLEARINGS } else { before.saturating_add(1).min(MAX_CLEARINGS) };
        self.clearings = Some(now);
        if now == MAX_CLEARINGS && before < MAX_CLEARINGS {
            self.remark(&format!(
                "[gwe] engine_fetch cannot be cleared ({why}): it is done all the same; as long as it stands there, the same text is no \
                 new request"
            ));
        }
        now == MAX_CLEARINGS
    }

    /// Takes up a request's jobs. A waiting job for the same app gives way to the newer one, unless that asks for the same:
    /// then its download goes on. One that is beyond the download is finished first. Returns `false`, with a remark, where
    /// too much is waiting already.
    pub fn add(&mut self, mut jobs: Vec<Job>) -> bool {
        for job in &mut jobs {
            let app = job.name.app().to_string();
            let held: Vec<bool> = self.jobs.iter().map(|old| self.rests(old)).collect();
            let waits = |old: &Job, held: bool| (old.state.needs_network() || held) && old.name.app() == app;
            let mut olds = self.jobs.iter().zip(&held).filter(|(old, held)| waits(old, **held));
            if let Some((same, _)) = olds.find(|(old, _)| old.asks_for_the_same(job)) {
                let (order, link, beside, force) = (job.order.take(), job.link.take(), job.beside.take(), job.force);
                let apply = job.ordered_apply();
                job.clone_from(same);
                job.order_again(apply);
                (job.order, job.link, job.beside, job.force) = (order, link, beside, force.or(same.force));
            }
            let mut held = held.into_iter();
            self.jobs.retain(|old| !waits(old, held.next().unwrap_or(false)));
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

    /// Adds a line to the next report, once.
    pub fn remark(&mut self, line: &str) {
        if self.remarks.len() < MAX_REMARKS + request::MAX_ENTRIES && self.remarks.iter().all(|old| old != line) {
            self.remarks.push(line.to_string());
        }
    }

    /// Whether there is something to report. What has come to an end does not wait for what has not.
    #[must_use]
    pub fn is_reportable(&self) -> bool {
        !self.remarks.is_empty() || self.logs.is_some() || self.jobs.iter().any(is_told)
    }

    /// What such a report tells: the jobs of no numbered order that have ended.
    #[must_use]
    pub fn for_report(&self) -> Journal {
        let jobs = self.jobs.iter().filter(|job| is_told(job)).cloned().collect();
        Journal { jobs, remarks: self.remarks.clone(), logs: self.logs.clone(), ..Journal::empty() }
    }

    /// Drops what an acknowledged report has told.
    pub fn reported(&mut self) {
        self.jobs.retain(|job| !is_told(job));
        self.remarks.clear();
        self.logs = None;
    }

    /// Makes a report that the platform refuses smaller, so that it does not stand in the way of every check-in for ever: first
    /// the logs go, then its outputs, then all of it.
    pub fn shorten_report(&mut self) {
        if self.logs.take().is_some() {
            return self.remark("[gwe] the logs are left out: the platform did not take them");
        }
        let mut shown: Vec<&mut Job> =
            self.jobs.iter_mut().filter(|job| is_told(job) && !job.output.is_empty()).collect();
        for job in &mut shown {
            job.output.clear();
            job.remark("[gwe] its output is left out: the platform did not take it".to_string());
        }
        if shown.is_empty() {
            let told = self.jobs.iter().filter(|job| is_told(job)).count();
            crate::error!("dropping a report of {told} installs that the platform does not take");
            self.reported();
        }
    }

    /// The first job that can be worked on, none of these apps' and none behind another of the same app. A set of keys comes before
    /// everything; as long as it is awaited, nothing that was ordered is begun under the old one.
    #[must_use]
    pub fn next_job(&self, network: bool, waiting: &[String]) -> Option<usize> {
        let can = |job: &Job| network || job.file.is_some() || !job.state.needs_network();
        let may_begin = self.may_begin();
        let ready = |job: &Job| !job.state.is_terminal() && can(job) && !self.rests(job) && may_begin(job);
        self.sets_first().find(|index| {
            let job = &self.jobs[*index];
            let app = job.name.app();
            // What cannot be worked on here at all, as a download without a network, keeps nobody back: who installs by hand does it
            // now. Nor does what is kept for an order to come, unless it was cut off in a slot, which the other would be given.
            let rests = |old: &Job| !can(old) || (self.rests(old) && old.slot.is_empty());
            let is_first = |old: &Job| old.state.is_terminal() || old.name.app() != app || rests(old);
            ready(job) && waiting.iter().all(|other| other != app) && self.jobs[..*index].iter().all(is_first)
        })
    }
}

/// Whether a report tells a job: it has ended, and no numbered order tells its end.
fn is_told(job: &Job) -> bool {
    job.order.is_none() && job.state.is_terminal()
}

/// Whether an app's own programs were at work when the journal was written last: its installer, or the app as it settles.
#[must_use]
pub fn is_at_work(state: &Path) -> bool {
    let is_its = |job: &Job| match job.state {
        InstallState::Installing => true,
        InstallState::Settling | InstallState::RollingBack => job.name.app() != super::agent::APP,
        _ => false,
    };
    Journal::read(&path(state)).jobs.iter().any(is_its)
}

/// Where the journal is.
#[must_use]
pub fn path(state: &Path) -> PathBuf {
    state.join("install/journal.json")
}

/// Reads a journal's bytes; `None` for anything else.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Journal> {
    state_file::parse(bytes)
}

#[cfg(test)]
mod tests;
