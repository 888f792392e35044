//! Downloads that wait for a link that may be used for them, or for a month in which they fit (docs/spec/failures.md, F7).
//!
//! Invariants: what waits is looked at in each check-in, and costs no request and no write; each wait is told once. What somebody at the
//! gateway wants now, and a set of keys, which may be small and urgent, never wait.

use std::time::Duration;

use super::drive::Outcome;
use super::fetch::{part_of, piece};
use super::gateway::Gateway;
use super::journal::Job;
use super::kept::For;
use super::key_set;
use super::meter::{is_forbidden, DownloadMeter};
use crate::http::month::Budget;
use crate::sys::clock;

/// A download that is held to a rate pauses for the next check-in after one interval, but not sooner than this: each connection costs.
const SHORTEST_TURN: Duration = Duration::from_secs(60);

impl Job {
    /// Whether its download waits for a link or a month.
    pub(super) fn is_metered(&self) -> bool {
        self.is_waiting() && self.state.needs_network()
    }

    /// Whether its download goes on with the next check-in, which should come soon.
    #[must_use]
    pub fn is_paced(&self) -> bool {
        self.state.needs_network() && self.waits_for() == Some(For::Rate)
    }

    fn is_free(&self) -> bool {
        self.name.app() == key_set::APP || self.waiting.as_ref().is_some_and(|waiting| waiting.by_hand == Some(true))
    }
}

impl Gateway<'_> {
    /// What a download looks after while it goes.
    pub(super) fn meter(&self, job: &Job) -> DownloadMeter {
        if job.is_free() {
            return DownloadMeter::default();
        }
        DownloadMeter::new(self.config.no_downloads_on().0, Budget::of(self.config))
    }

    /// When a download that is held to a rate lets another check-in come first: reports and orders go on.
    pub(super) fn turn(&self) -> Duration {
        match self.config.max_rate() {
            Some(_) => clock::since_boot() + self.config.check_in_interval().max(SHORTEST_TURN),
            None => Duration::MAX,
        }
    }

    /// What a download has to wait for, as far as that is known before anything is asked for.
    pub(super) fn reason_to_meter(&self, job: &Job) -> Option<For> {
        let (not_on, _) = self.config.no_downloads_on();
        // What fits in no month waits for none: it is refused.
        if job.is_free() || self.never_fits(job).is_some() {
            return None;
        }
        if !not_on.is_empty() {
            let route = self.cloud?.route(&piece(job));
            if route.is_some_and(|route| is_forbidden(&not_on, route.local)) {
                return Some(For::Link);
            }
        }
        let left = Budget::of(self.config)?.left();
        (left == 0 || self.missing(job) > left).then_some(For::Month)
    }

    /// Why a download never begins: what is missing is more than any month has.
    pub(super) fn never_fits(&self, job: &Job) -> Option<String> {
        let (limit, missing) = (self.config.monthly_bytes().filter(|_| !job.is_free())?, self.missing(job));
        let set = self.config.monthly_bytes_text();
        (missing > limit).then(|| {
            format!("its download of {missing} bytes is more than any month has (monthly_bytes = {set}): set more, and order it again")
        })
    }

    /// Bytes of its content that are not here; 0 where nobody knows yet.
    fn missing(&self, job: &Job) -> u64 {
        let here = || std::fs::metadata(part_of(&self.tarball(job))).map_or(0, |part| part.len());
        job.content.map_or(0, |content| content.size.saturating_sub(here()))
    }

    /// A download waits: notes and tells for what.
    pub(super) fn hold_download(&mut self, job: &mut Job, reason: For) -> Outcome {
        match reason {
            For::Rate => job.waiting_mut().reason = Some(reason.word().to_string()),
            _ => self.tell_wait(job, reason),
        }
        Outcome::Later
    }

    /// Looks whether a download that waits may go on; `true` where there is something new to keep. That it may is not written: it is looked
    /// again after a crash.
    pub(super) fn wake_download(&mut self, index: usize) -> bool {
        let Some(mut job) = self.journal.jobs.get(index).cloned() else { return false };
        let before = job.waits_for();
        match self.reason_to_meter(&job) {
            reason if reason == before => return false,
            Some(reason) => self.tell_wait(&mut job, reason),
            None => job.waiting_mut().reason = None,
        }
        let is_new = job.is_waiting();
        self.journal.jobs[index] = job;
        is_new
    }
}
