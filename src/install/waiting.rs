//! What is here and waits for its moment: the window of the day, the next boot, or somebody's word (docs/spec/failures.md, F1).
//!
//! Invariants: what waits has changed nothing but the journal and its own download; its archive was read through before, and what was checked
//! when it came is checked again before it is used; each wait is told once for each thing that is waited for.

use std::time::Duration;

use super::asked::AskedName;
use super::drive::Outcome;
use super::gateway::Gateway;
use super::journal::{self, Job, Journal};
pub use super::kept::For;
use super::kept::{HeldTime, Waiting};
use super::state::InstallState;
use super::trust::{self, Distrust};
use super::{digest, hold, ordered};
use crate::app::TarballName;
use crate::config::apply::Apply;
use crate::config::Config;
use crate::sys::{clock, host, known_time, zones};

/// The window's check-ins are spread over a part of it, of this length at most.
const LONGEST_SPREAD: Duration = Duration::from_secs(600);
/// And this part of it.
const SHARE: u32 = 4;
/// How soon it is looked again where the moment is here and the clock is not known, or the app holds it off.
const AGAIN: Duration = Duration::from_secs(600);
impl Waiting {
    /// As an order asks for it.
    pub(super) fn until(apply: Option<String>) -> Waiting {
        Waiting {
            apply,
            reason: None,
            boot: None,
            by_hand: None,
            told: None,
            sha256: None,
            signature: None,
            held: None,
        }
    }
}

impl Job {
    /// Whether it waits: it is here, or its download may not begin.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        match self.waits_for() {
            None | Some(For::Rate) => false,
            Some(For::Link | For::Month) => self.state == InstallState::Downloading,
            Some(For::Window | For::Reboot | For::Consent | For::Hold) => self.state == InstallState::Verified,
        }
    }

    /// What it waits for.
    #[must_use]
    pub fn waits_for(&self) -> Option<For> {
        let reason = self.waiting.as_ref()?.reason.as_deref()?;
        For::ALL.into_iter().find(|known| known.word() == reason)
    }

    pub(super) fn waiting_mut(&mut self) -> &mut Waiting {
        self.waiting.get_or_insert_with(|| Waiting::until(None))
    }

    /// The word of its order on when it is installed.
    pub(super) fn ordered_apply(&self) -> Option<String> {
        self.waiting.as_ref().and_then(|waiting| waiting.apply.clone())
    }

    /// What the newer order of the same says counts, from now on.
    pub(super) fn order_again(&mut self, apply: Option<String>) {
        if self.ordered_apply() != apply {
            let kept = self.waiting.take().unwrap_or_else(|| Waiting::until(None));
            self.waiting = Some(Waiting { apply, reason: None, told: None, boot: host::boot_id(), ..kept });
        }
    }

    /// Notes in which boot it came.
    pub(super) fn note_boot(&mut self) {
        if !self.factory && self.file.is_none() && self.order.is_none() {
            self.waiting_mut().boot = host::boot_id();
        }
    }

    fn is_of_text(&self) -> bool {
        self.order.is_none() && self.file.is_none() && self.removes.is_none()
    }
}

impl Journal {
    /// Whether a job keeps nobody back and is kept back by nobody: it is here, was read through, and its moment has not come.
    pub(super) fn rests(&self, job: &Job) -> bool {
        // One that was cut off in that is read again.
        (self.is_held(job) && job.tries.is_none()) || job.is_waiting()
    }

    /// Somebody at the gateway says that what waits, or will, be installed now; which jobs that are.
    pub(super) fn by_hand(&mut self, is_meant: impl Fn(&AskedName) -> bool) -> Vec<usize> {
        let mut meant = Vec::new();
        for (index, job) in self.jobs.iter_mut().enumerate() {
            let may_wait = job.is_waiting() || (job.state.needs_network() && job.is_of_text());
            if may_wait && is_meant(&job.name) {
                if job.is_metered() {
                    job.waiting_mut().reason = None;
                }
                job.waiting_mut().by_hand = Some(true);
                meant.push(index);
            }
        }
        meant
    }

    /// What waits for an app that another job now begins to change, or takes away, will not be what was asked for last.
    pub(super) fn supersede(&mut self, index: usize, name: &AskedName) {
        for job in self.jobs.iter_mut().take(index).filter(|job| job.is_waiting() && job.name.app() == name.app()) {
            let what = if name.ends_with(".tar.gz") { " was begun" } else { " was taken away" };
            job.reason = ["while it waited, ", name, what].concat();
            job.code = Some(ordered::ORDER);
            job.verdict = ["[gwe] failed ", &spoken(&job.name), ": ", &job.reason].concat();
            job.state = InstallState::Failed;
            crate::info!("{}", job.verdict);
        }
    }
}

/// A tarball's name as the report has it: the app and its version.
pub(super) fn spoken(name: &AskedName) -> String {
    let (app, text): (&str, &str) = (name.app(), name);
    let version = text.strip_prefix(app).unwrap_or_default();
    [app, &version.strip_suffix(".tar.gz").unwrap_or(version).replacen('.', " ", 1)].concat()
}

impl Gateway<'_> {
    /// Looks which of those that wait have their moment now. That is not written: it is looked again after a crash.
    pub(super) fn wake_waiting(&mut self) {
        let mut changes = false;
        for index in 0..self.journal.jobs.len() {
            let Some(job) = self.journal.jobs.get(index).filter(|job| job.is_waiting()) else { continue };
            if job.is_metered() {
                // What way a download would take shows once the server was spoken to.
                changes |= self.cloud.is_some() && self.wake_download(index);
                continue;
            }
            let (before, mut job) = (job.waits_for(), job.clone());
            if apply_of(&job, self.config) == Apply::Reboot && matches!(before, Some(For::Window | For::Consent)) {
                // The setting asks for the next boot of what has come in an earlier one, for something else.
                job.waiting_mut().boot = host::boot_id();
            }
            if before == Some(For::Hold) || self.reason_to_wait(&job) != before {
                self.must_wait(&mut job);
                changes |= self.journal.jobs[index] != job && job.is_waiting();
                self.journal.jobs[index] = job;
            }
        }
        if let Some(Err(e)) = changes.then(|| self.save_journal()) {
            crate::warning!("{e}");
        }
    }

    /// Whether a job that is here has to wait; notes and tells for what.
    pub(super) fn must_wait(&mut self, job: &mut Job) -> bool {
        let reason = self.reason_to_wait(job);
        match reason {
            Some(reason) => self.wait(job, reason),
            None => wait_no_more(job),
        }
        reason.is_some()
    }

    /// A job that is here waits: notes and tells for what.
    fn wait(&mut self, job: &mut Job, reason: For) {
        if is_first(job) && job.removes.is_none() {
            // Without it, it is taken for damaged later.
            let sha256 = digest::of_file(&self.tarball(job)).unwrap_or_default();
            job.waiting_mut().sha256 = Some(sha256);
        }
        if reason == For::Hold {
            job.waiting_mut().held.get_or_insert_with(HeldTime::open).keep(self.config.max_hold());
        }
        self.tell_wait(job, reason);
    }

    /// Notes what a job waits for, and tells it once.
    pub(super) fn tell_wait(&mut self, job: &mut Job, reason: For) {
        let line = told(job, reason, self.config);
        let waiting = job.waiting_mut();
        waiting.reason = Some(reason.word().to_string());
        let (bit, before) = (1 << reason as u32, waiting.told.unwrap_or(0));
        waiting.told = Some(before | bit);
        if before & bit == 0 {
            crate::info!("{line}");
            if let (Some(backend), Some(order), true) = (self.cloud, &job.order, job.is_metered()) {
                backend.remark(order, &line);
            }
            match (&job.order, &job.file) {
                (None, None) => self.journal.remark(&line),
                // Who ordered by a number is told at the end; who stands here, at once.
                _ => job.remark(line),
            }
        }
    }

    /// What a job that is here has to wait for.
    pub(super) fn reason_to_wait(&self, job: &Job) -> Option<For> {
        let waiting = job.waiting.as_ref();
        // What was begun goes on.
        if job.attempts > 0 || job.factory || waiting.is_some_and(|waiting| waiting.by_hand == Some(true)) {
            return None;
        }
        self.moment_to_wait_for(job).or_else(|| self.is_held_off(job).then_some(For::Hold))
    }

    /// Whether its app holds it off, and may do so still.
    fn is_held_off(&self, job: &Job) -> bool {
        let (held, longest) = (job.waiting.as_ref().and_then(|waiting| waiting.held.as_ref()), self.config.max_hold());
        hold::is_held(self.config.paths(), job.name.app()) && held.map_or(0, |held| held.seconds(longest)) < longest
    }

    fn moment_to_wait_for(&self, job: &Job) -> Option<For> {
        let waiting = job.waiting.as_ref();
        match apply_of(job, self.config) {
            _ if !job.is_of_text() => None,
            Apply::Now => None,
            Apply::Window => (!is_open(self.config)).then_some(For::Window),
            Apply::Reboot => {
                let came = waiting.and_then(|waiting| waiting.boot.clone());
                (came == host::boot_id()).then_some(For::Reboot)
            }
            Apply::Consent => Some(For::Consent),
        }
    }

    /// Unpacks a job's content, once its moment is here; what has to wait is read through first.
    pub(super) fn begin(&mut self, job: &mut Job, name: &TarballName) -> Outcome {
        if let Some(reason) = self.reason_to_wait(job) {
            if let Some(ended) = is_first(job).then(|| self.read_ahead(job, name)).flatten() {
                return ended;
            }
            self.wait(job, reason);
            return Outcome::Later;
        }
        wait_no_more(job);
        self.journal.supersede(self.index, &job.name);
        self.check_again(job, name).unwrap_or_else(|| self.unpack(job, name))
    }

    /// What has waited is checked once more: bytes, hash, and the signature by the keys that count today; so is whatever nobody has asked
    /// for a signature, where one is needed by now. `None`: it is as it was.
    fn check_again(&mut self, job: &mut Job, name: &TarballName) -> Option<Outcome> {
        let kept = job.waiting.as_ref().and_then(|waiting| waiting.sha256.clone());
        let lacks_signature = trust::lacks_signature(self, job);
        if kept.is_none() && !lacks_signature {
            return None;
        }
        if lacks_signature && self.cloud.is_none() && job.file.is_none() {
            // It lies beside the tarball at the server, and an outage is no word on it.
            return Some(Outcome::Later);
        }
        let whole = self.tarball(job);
        let checked = match digest::of_file(&whole) {
            Ok(is) if kept.map_or(true, |kept| is == kept) => trust::check(self, job, name, &whole),
            Ok(_) => Err(Distrust::Damaged("its bytes have changed while it waited".to_string())),
            Err(e) => Err(Distrust::Damaged(e.to_string())),
        };
        match checked {
            Ok(()) => None,
            Err(Distrust::Damaged(reason)) if !job.restarted => Some(self.fetch_anew(job, &reason)),
            Err(distrust) => Some(self.distrusted(job, distrust, false)),
        }
    }
}

/// Whether what is here has not waited so far.
fn is_first(job: &Job) -> bool {
    job.waiting.as_ref().map_or(true, |waiting| waiting.sha256.is_none())
}

fn wait_no_more(job: &mut Job) {
    let is_over = job.is_waiting();
    let Some(waiting) = job.waiting.as_mut().filter(|_| is_over) else { return };
    if waiting.reason.take().as_deref() == Some(For::Reboot.word()) {
        // Should it have to be fetched again, that boot was this one.
        waiting.apply = Some(Apply::Now.word().to_string());
    }
}

/// When a job is installed.
pub(super) fn apply_of(job: &Job, config: &Config) -> Apply {
    let ordered = job.waiting.as_ref().and_then(|waiting| waiting.apply.as_deref());
    ordered.and_then(Apply::parse).unwrap_or_else(|| config.apply())
}

/// The line that tells that a job waits.
fn told(job: &Job, reason: For, config: &Config) -> String {
    let does = if job.removes.is_some() { "removes" } else { "installs" };
    let at_once = format!("; gwe --install-now {} {does} it at once", job.name.app());
    if job.removes.is_some() {
        return format!("[gwe] waiting to remove {}, for {}{at_once}", job.name, object(reason, config));
    }
    if job.state.needs_network() {
        let app = job.name.app();
        let object = object(reason, config);
        return format!(
            "[gwe] waiting {}: its download waits for {object}; gwe --install-now {app} lets it begin",
            spoken(&job.name)
        );
    }
    format!("[gwe] waiting {}: it is here, and waits for {}{at_once}", spoken(&job.name), object(reason, config))
}

/// What is waited for, as the end of a sentence.
#[must_use]
pub fn object(reason: For, config: &Config) -> String {
    match reason {
        For::Window => {
            let (_, zone) = zones::time_of_day(clock::unix_seconds());
            let (_, text) = config.window();
            let unknown = if is_clock_known(config) { "" } else { ", once the clock is known" };
            format!("the window {text} {zone}{unknown}")
        }
        For::Reboot => "the next boot".to_string(),
        For::Consent => "consent".to_string(),
        For::Hold => "the app, which holds it off".to_string(),
        For::Link => format!("a link that is none of {} (no_downloads_on)", config.no_downloads_on().1),
        For::Month => format!(
            "the next month: it needs more than is left of this one (monthly_bytes = {})",
            config.monthly_bytes_text()
        ),
        For::Rate => "the next check-in".to_string(),
    }
}

/// Whether the time of the day can be relied on.
fn is_clock_known(config: &Config) -> bool {
    known_time::known(&config.paths().below_root(known_time::HARDWARE_CLOCK)).is_some()
}

fn is_open(config: &Config) -> bool {
    let (time, _) = zones::time_of_day(clock::unix_seconds());
    config.window().0.is_some_and(|window| window.has(time)) && is_clock_known(config)
}

/// How long the engine may pause at the most, so that it is there when a moment comes; `None`: nothing waits for one.
#[must_use]
pub fn next_look(config: &Config, random: u64) -> Option<Duration> {
    let path = journal::path(&config.paths().state());
    if !path.exists() {
        return None;
    }
    let journal = Journal::read(&path);
    let waits = |reason| journal.jobs.iter().any(|job| job.is_waiting() && job.waits_for() == Some(reason));
    if waits(For::Hold) {
        return Some(AGAIN);
    }
    waits(For::Window).then_some(())?;
    let (window, (time, _)) = (config.window().0?, zones::time_of_day(clock::unix_seconds()));
    if window.has(time) {
        return Some(AGAIN);
    }
    let length = Duration::from_secs(u64::from(window.length()));
    let spread = (length / SHARE).min(LONGEST_SPREAD).mul_f64((random >> 32) as f64 / (1_u64 << 32) as f64);
    Some(Duration::from_secs(u64::from(window.begins_in(time))) + spread)
}

/// Whether something is pending that a start of the engine has to see to at once: what waits for another moment is not.
#[must_use]
pub fn is_due_at_start(config: &Config) -> bool {
    let path = journal::path(&config.paths().state());
    if !path.exists() {
        return false;
    }
    let journal = Journal::read(&path);
    let rests = |job: &Job| {
        let waits = matches!(job.waits_for(), Some(For::Window | For::Consent | For::Link | For::Month));
        (job.is_waiting() && waits) || journal.is_laid_by(job)
    };
    journal.jobs.is_empty() || !journal.jobs.iter().all(rests)
}

/// Whether a download goes on with the next check-in, which should come soon.
#[must_use]
pub fn is_paced(config: &Config) -> bool {
    let path = journal::path(&config.paths().state());
    config.max_rate().is_some() && path.exists() && Journal::read(&path).jobs.iter().any(Job::is_paced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::request::Entry;

    #[test]
    fn what_a_newer_order_says_counts_and_is_told_anew() {
        let mut job = Job::new(Entry { apply: Some(Apply::Window), ..Entry::named("a.v1.tar.gz".into()) });
        job.state = InstallState::Verified;
        assert!(!job.is_waiting());
        job.waiting_mut().reason = Some("window".into());
        job.waiting_mut().told = Some(1);
        job.waiting_mut().sha256 = Some("h".into());
        assert_eq!((job.is_waiting(), job.waits_for()), (true, Some(For::Window)));
        job.order_again(Some("window".into()));
        assert!(job.is_waiting());
        job.order_again(None);
        let waiting = job.waiting.clone().unwrap();
        assert_eq!((waiting.told, waiting.sha256.as_deref(), job.is_waiting()), (None, Some("h"), false));
    }

    #[test]
    fn what_a_later_agent_waits_for_is_no_wait_of_this_one() {
        let mut job = Job::new(Entry::named("a.v1.tar.gz".into()));
        job.state = InstallState::Verified;
        job.waiting_mut().reason = Some("full moon".into());
        assert!(!job.is_waiting());
    }

    #[test]
    fn names_as_they_are_told() {
        for (name, want) in [("a.v1.2.tar.gz", "a v1.2"), ("a", "a"), ("a.tar.gz", "a.tar.gz"), ("a.v1", "a v1")] {
            assert_eq!(spoken(&AskedName::new(name)), want, "{name}");
        }
    }
}
