//! The steps of an install on a real gateway: one per state of the table.

use std::path::{Path, PathBuf};

use super::drive::{Outcome, Steps};
use super::fetch::{self, part_of, Area, Fetched};
use super::gateway::Gateway;
use super::journal::{Content, Job};
use super::registry::Registry;
use super::security::{self, What};
use super::state::{InstallEvent, InstallState};
use super::{agent, hosting, key_set, ordered, remove, self_update, status, trust};
use crate::app::TarballName;
use crate::orders::Progress;
use crate::sys::clock;
use crate::sys::file::{self, FileError};

/// The longest reason in a verdict, in bytes: the first of many faults are enough.
const MAX_REASON: usize = 1000;

impl Steps for Gateway<'_> {
    fn step(&mut self, job: &mut Job) -> Outcome {
        let begun = clock::since_boot();
        self.tell_progress(job);
        let outcome = self.work(job);
        let spent = clock::since_boot().saturating_sub(begun).as_millis();
        job.spent_ms = job.spent_ms.saturating_add(u64::try_from(spent).unwrap_or(u64::MAX));
        self.conclude(job, &outcome);
        outcome
    }

    fn cut_off(&mut self, job: &mut Job) -> Outcome {
        let name = job.name.tarball();
        let outcome = match (&name, job.state) {
            _ if job.removes.is_some() => self.removal_cut_off(job),
            // A new agent's trial has an account of its own.
            (Ok(name), _) if matches!(name.app(), agent::APP | key_set::APP) => return self.step(job),
            (Ok(name), InstallState::Settling) => hosting::not_settled(self, job, name),
            (Ok(name), InstallState::RollingBack) => hosting::give_up(self, job, name),
            (_, state) => self.refuse(job, &state.cut_off()),
        };
        self.conclude(job, &outcome);
        outcome
    }

    fn save(&mut self, job: &Job) -> Result<(), FileError> {
        if let Some(place) = self.journal.jobs.get_mut(self.index) {
            *place = job.clone();
        }
        match self.save_journal() {
            // Its own tarball may be what fills the disk: a verdict that cannot be kept would have it all done again.
            Err(e) if e.is_full() && job.state.is_terminal() => {
                self.sweep();
                self.save_journal()?;
            }
            saved => saved?,
        }
        if job.state.is_terminal() {
            self.sweep();
        }
        Ok(())
    }
}

impl Gateway<'_> {
    fn work(&mut self, job: &mut Job) -> Outcome {
        if job.removes.is_some() {
            return self.remove_app(job);
        }
        let name = match job.name.tarball() {
            Ok(name) => name,
            Err(e) => return self.refuse(job, &e.to_string()),
        };
        match job.state {
            InstallState::Requested => self.admit(job, &name),
            InstallState::Downloading => self.fetch(job, &name),
            state if name.app() == key_set::APP && !state.needs_network() => self.take_key_set(job, &name),
            // Who ordered it wants it here, and not yet installed.
            InstallState::Verified if self.journal.is_held(job) => {
                self.read_ahead(job, &name).unwrap_or(Outcome::Later)
            }
            InstallState::Verified => self.begin(job, &name),
            InstallState::Staged => self.begin_script(job),
            InstallState::Installing => self.run_script(job, &name),
            InstallState::Settling if name.app() == agent::APP => self_update::settle(self, job, &name),
            InstallState::Settling => hosting::settle(self, job, &name),
            InstallState::RollingBack if name.app() == agent::APP => self_update::roll_back(self, job, &name),
            InstallState::RollingBack => hosting::roll_back(self, job, &name),
            InstallState::Done | InstallState::Failed | InstallState::RolledBack => {
                Outcome::Event(InstallEvent::Refused)
            }
        }
    }

    /// Tells who ordered the job, once for each order, that its download or its install begins.
    fn tell_progress(&mut self, job: &Job) {
        let (Some(backend), Some(order)) = (self.cloud, &job.order) else { return };
        let progress = match job.state {
            InstallState::Requested | InstallState::Downloading => Progress::Downloading,
            InstallState::Verified if !self.journal.is_held(job) && self.reason_to_wait(job).is_none() => {
                Progress::Proceeding
            }
            _ => return,
        };
        if self.journal.tell(order, progress as u32) {
            backend.progress(order, progress);
        }
    }

    fn admit(&mut self, job: &mut Job, name: &TarballName) -> Outcome {
        crate::info!("installing {} v{}", name.app(), name.version());
        job.spent_ms = 0;
        if let Some(reason) = self.reserved_by(name.app()).filter(|_| name.app() != key_set::APP) {
            return self.refuse(job, &reason);
        }
        if job.file.is_none() {
            job.delta = self.delta_for(job, name);
            // Whatever lies there belongs to another request.
            let whole = self.tarball(job);
            self.remove(&part_of(&whole));
            self.remove(&whole);
        }
        Outcome::Event(InstallEvent::Admitted)
    }

    /// Brings the tarball here, whole and believed.
    fn fetch(&mut self, job: &mut Job, name: &TarballName) -> Outcome {
        if job.force == Some(true) {
            self.forgive(name);
        }
        let whole = self.tarball(job);
        if job.file.is_none() && !whole.is_file() {
            return self.download(job, name, &whole);
        }
        if let Err(reason) = self.take_in(job, &whole) {
            job.passing = Some(true);
            return self.refuse(job, &reason);
        }
        match trust::check(self, job, name, &whole) {
            Ok(()) => self.downloaded(job),
            Err(distrust) => self.distrusted(job, distrust, false),
        }
    }

    /// Copies a file of somebody's into a folder of root's before it is looked at: what was checked must be what is unpacked, also
    /// after a restart (docs/spec/failures.md, A7). What the image brought stays where it is, since nobody can change that.
    fn take_in(&self, job: &Job, whole: &Path) -> Result<(), String> {
        let Some(file) = job.file.as_ref().filter(|_| !job.factory) else { return Ok(()) };
        file::copy(Path::new(file), whole, fetch::MAX_TARBALL).map_err(|e| e.to_string())
    }

    fn download(&mut self, job: &mut Job, name: &TarballName, whole: &Path) -> Outcome {
        let Some(backend) = self.cloud else { return Outcome::Later };
        if let Some(reason) = self.reason_to_meter(job) {
            return self.hold_download(job, reason);
        }
        if job.is_paced() {
            job.waiting_mut().reason = None;
        }
        let area = Area { backend, deadline: self.deadline, turn: self.turn(), meter: self.meter(job) };
        let part = part_of(whole);
        let filled = match area.content(job) {
            Ok(content) => {
                if let Some(refused) = self.registry.refusal_of_content(&job.name, content) {
                    let reason = trust::refused_before(refused);
                    return self.refuse(job, &reason);
                }
                let begun = self.begin_part(job, &part, content);
                if let Some(reason) = self.never_fits(job) {
                    return self.give_up(job, &reason);
                }
                if let Some(reason) = self.reason_to_meter(job) {
                    return self.hold_download(job, reason);
                }
                match begun {
                    Ok(()) => area.fill(job, &part, content),
                    Err(reason) => Fetched::Refused(reason),
                }
            }
            Err(ended) => ended,
        };
        match filled {
            Fetched::Whole => {}
            Fetched::Later(reason) => return later(job, &reason),
            Fetched::Waits(reason) => return self.hold_download(job, reason),
            Fetched::Refused(reason) => return self.give_up(job, &reason),
        }
        if let Err(distrust) = trust::check(self, job, name, &part) {
            let may_be_torn = may_be_torn(job);
            return self.distrusted(job, distrust, may_be_torn);
        }
        match file::rename(&part, whole) {
            Ok(()) => self.downloaded(job),
            Err(e) => self.refuse(job, &e.to_string()),
        }
    }

    fn downloaded(&mut self, job: &mut Job) -> Outcome {
        self.tell_received(job);
        job.note_boot();
        Outcome::Event(InstallEvent::Downloaded)
    }

    pub(super) fn distrusted(&mut self, job: &mut Job, distrust: trust::Distrust, may_be_torn: bool) -> Outcome {
        match distrust {
            trust::Distrust::Later(reason) => self.missed(job, &reason),
            trust::Distrust::Damaged(reason) if may_be_torn => self.fetch_anew(job, &reason),
            trust::Distrust::Damaged(reason) | trust::Distrust::Refused(reason) => self.give_up(job, &reason),
            trust::Distrust::Known(reason) => self.refuse(job, &reason),
            trust::Distrust::Untrusted(_, reason, true) if may_be_torn => self.fetch_anew(job, &reason),
            trust::Distrust::Untrusted(what, reason, _) => {
                self.note_distrust(job, what, &reason);
                self.give_up(job, &reason)
            }
        }
    }

    pub(super) fn note_distrust(&self, job: &Job, what: What, reason: &str) {
        security::note(self.config.paths(), what, &[job.content_id(), ": ", reason].concat());
    }

    /// Notes which content a part on disk belongs to, before there is any of it: only so can a download be gone on with after a
    /// restart (rauc#1517). `Err`: why it is not fetched at all.
    fn begin_part(&mut self, job: &mut Job, part: &Path, content: Content) -> Result<(), String> {
        if job.content == Some(content) {
            return Ok(());
        }
        file::remove(part).map_err(|e| e.to_string())?;
        // What was received before still counts: a content that changes all the time must not be fetched for ever.
        job.content = Some(content);
        job.resumed = false;
        self.save(job).map_err(|e| e.to_string())
    }

    /// The server did not do its part; that, too, is final some time.
    pub(super) fn missed(&mut self, job: &mut Job, reason: &str) -> Outcome {
        match fetch::miss(job, reason) {
            Fetched::Refused(reason) => self.give_up(job, &reason),
            Fetched::Whole | Fetched::Later(_) | Fetched::Waits(_) => later(job, reason),
        }
    }

    /// A part that was torn by a power cut makes the whole wrong: once, all of it is fetched anew.
    pub(super) fn fetch_anew(&mut self, job: &mut Job, reason: &str) -> Outcome {
        crate::warning!("{}: {reason}; fetching all of it anew", job.name);
        job.restarted = true;
        job.resumed = false;
        self.forget_content(job);
        Outcome::Event(InstallEvent::Torn)
    }

    /// Removes what was downloaded for the job, and what was unpacked of it. The slot is free again: until the job needs one anew,
    /// an install by hand may come first.
    pub(super) fn forget_content(&self, job: &mut Job) {
        let whole = self.tarball(job);
        self.remove(&part_of(&whole));
        self.remove(&whole);
        // What comes in its place is not what waited.
        if let Some(waiting) = job.waiting.as_mut() {
            waiting.sha256 = None;
        }
        if !job.slot.is_empty() {
            if let Err(e) = file::remove_tree(&self.slot(job.name.app(), &job.slot)) {
                crate::warning!("{e}");
            }
            job.slot.clear();
        }
    }

    pub(super) fn begin_script(&mut self, job: &mut Job) -> Outcome {
        job.attempts += 1;
        Outcome::Event(InstallEvent::ScriptBegins)
    }

    /// A permanent end: the reason, and nothing left on disk.
    pub(super) fn refuse(&mut self, job: &mut Job, reason: &str) -> Outcome {
        job.reason = status::cut_end(reason, MAX_REASON);
        job.code = Some(ordered::code_of(job.state, reason));
        // Not left to the sweep, which comes after the verdict is kept: what was unpacked may fill the disk, and then nothing
        // can be kept. A crash in between unpacks it anew. A slot is noted only while it is this job's own.
        if matches!(job.state, InstallState::Verified | InstallState::Staged | InstallState::Installing)
            && !job.slot.is_empty()
        {
            if let Err(e) = file::remove_tree(&self.slot(job.name.app(), &job.slot)) {
                crate::warning!("{e}");
            }
        }
        Outcome::Event(InstallEvent::Refused)
    }

    /// Writes the verdict where the outcome ends the job.
    fn conclude(&mut self, job: &mut Job, outcome: &Outcome) {
        let Outcome::Event(event) = outcome else { return };
        let Some(verdict) = self.verdict(job, *event) else { return };
        match event {
            InstallEvent::Settled => crate::info!("{verdict}"),
            _ => crate::error!("{verdict}"),
        }
        job.verdict = verdict;
        if job.factory && !self.registry.factory.contains(&job.name) {
            self.registry.factory.push(job.name.clone());
            if let Err(e) = self.save_registry() {
                crate::error!("{e}; {} is installed again at the next check-in", job.name);
            }
        }
    }

    /// The line that ends a job's part of `fetch_status`; `None` where it goes on.
    fn verdict(&self, job: &Job, event: InstallEvent) -> Option<String> {
        if let Some(version) = &job.removes {
            return remove::verdict(job, version, event);
        }
        let (app, version) = match job.name.tarball() {
            Ok(name) => (name.app().to_string(), format!(" v{}", name.version())),
            Err(_) => (job.name.to_string(), String::new()),
        };
        match event {
            InstallEvent::Settled => {
                Some(format!("[gwe] installed {app}{version} in {}", status::seconds(job.spent_ms)))
            }
            InstallEvent::Refused | InstallEvent::Removed => {
                Some(format!("[gwe] failed {app}{version}: {}", job.reason))
            }
            InstallEvent::Restored => {
                let back = match self.version_in_charge(&app) {
                    Some(version) => format!("v{version}"),
                    None => "the image's".to_string(),
                };
                Some(format!("[gwe] rolled back {app}{version} to {back}: {}", job.reason))
            }
            _ => None,
        }
    }

    /// The version of an app that runs now. The registry knows the agent's only as it was installed, and it may have been dropped.
    fn version_in_charge(&self, app: &str) -> Option<String> {
        if app == agent::APP {
            return agent::Agents::load(self.config.paths()).current.map(|version| version.version);
        }
        self.registry.app(app).map(|old| old.version.clone())
    }

    fn remove(&self, path: &Path) {
        if let Err(e) = file::remove(path) {
            crate::warning!("{e}");
        }
    }

    /// The job's tarball: the image's own file, or its place among the downloads. No content can have the name of a file that was
    /// taken in.
    pub(super) fn tarball(&self, job: &Job) -> PathBuf {
        let downloads = self.config.paths().downloads();
        match &job.file {
            Some(file) if job.factory => PathBuf::from(file),
            Some(_) => downloads.join([&job.name, ".disk"].concat()),
            None => downloads.join(job.content_id()),
        }
    }

    /// Remembers the job's content as bad.
    pub(super) fn remember_bad(
        &mut self,
        job: &Job,
        why: &str,
        remember: fn(&mut Registry, &str, String, Option<Content>, &str),
    ) {
        match self.content_sha256(job) {
            Ok(sha256) => remember(&mut self.registry, &job.name, sha256, job.content, why),
            Err(e) => crate::warning!("{e}; this content is not remembered as bad"),
        }
    }
}

fn later(job: &Job, reason: &str) -> Outcome {
    crate::warning!("{}: {reason}; going on at the next check-in", job.name);
    Outcome::Later
}

pub(super) fn may_be_torn(job: &Job) -> bool {
    job.file.is_none() && job.resumed && !job.restarted
}
