//! Taking an app away, and taking back what was ordered.
//!
//! A removal goes by the arrows of an install, so that an older agent can read the journal: verified (may it go?) → staged → installing
//! (stopped, then `uninstall.sh`) → settling (its record, then its folders) → done.
//!
//! Invariants: each step done again comes to the same. The fragment goes first, so that no boot starts what is half gone; the record goes
//! before the folders, so that what is recorded is there.

use super::agent;
use super::drive::Outcome;
use super::gateway::Gateway;
use super::hosting;
use super::journal::{Job, Journal};
use super::key_set;
use super::request::Entry;
use super::script;
use super::state::{InstallEvent, InstallState, MAX_ATTEMPTS};
use super::status;
use super::waiting;
use crate::app::name::check_app;
use crate::app::TarballName;
use crate::sys::file;

/// Files of the image that are looked at.
const MAX_FACTORY_APPS: usize = 64;

impl Job {
    /// A fresh job that takes an app away. There is nothing to fetch for it.
    #[must_use]
    pub fn removal(app: String) -> Job {
        Job { removes: Some(String::new()), state: InstallState::Verified, ..Job::new(Entry::named(app)) }
    }

    /// The same for one who asks for it on this gateway: such jobs are told apart by a file, and here it is the app itself.
    pub(super) fn local_removal(app: &str) -> Job {
        Job { file: Some(["apps/", app].concat()), ..Job::removal(app.to_string()) }
    }

    /// How far it has come, as `--status` shows it.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        match (&self.removes, self.state) {
            (Some(_), InstallState::Verified | InstallState::Staged) => "to be removed",
            (Some(_), InstallState::Installing | InstallState::Settling) => "removing",
            (_, state) => state.name(),
        }
    }
}

impl Journal {
    /// Takes back what was ordered by these names and is not yet begun: each ends with a line of its own in the report.
    pub fn cancel(&mut self, names: &[String]) {
        for name in names {
            let is_it = |job: &&mut Job| job.name == **name && job.order.is_none() && !job.factory;
            let mut its: Vec<&mut Job> = self.jobs.iter_mut().filter(is_it).collect();
            let told = match its.iter().position(|job| job.is_unbegun()) {
                Some(index) => {
                    let job = &mut its[index];
                    job.verdict = ["[gwe] cancelled ", &waiting::spoken(&job.name)].concat();
                    job.state = InstallState::Failed;
                    crate::info!("{}", job.verdict);
                    continue;
                }
                None if its.iter().any(|job| !job.state.is_terminal()) => "it is being worked on",
                None if !its.is_empty() => "it has come to its end",
                None => "nothing of that name waits here",
            };
            self.remark(&format!("[gwe] failed to cancel {name}: {told}"));
        }
    }
}

impl Gateway<'_> {
    /// The work of a removal's state.
    pub(super) fn remove_app(&mut self, job: &mut Job) -> Outcome {
        match job.state {
            InstallState::Verified if self.journal.is_held(job) => Outcome::Later,
            InstallState::Verified if self.reason_to_wait(job).is_some() => {
                self.must_wait(job);
                Outcome::Later
            }
            InstallState::Verified => self.admit_removal(job),
            InstallState::Staged => self.begin_script(job),
            InstallState::Installing => self.take_away(job),
            InstallState::Settling => self.clear_away(job),
            InstallState::Requested
            | InstallState::Downloading
            | InstallState::RollingBack
            | InstallState::Done
            | InstallState::Failed
            | InstallState::RolledBack => Outcome::Event(InstallEvent::Refused),
        }
    }

    /// Looks whether the app may go.
    fn admit_removal(&mut self, job: &mut Job) -> Outcome {
        if let Err(e) = check_app(&job.name) {
            return self.refuse(job, &e.to_string());
        }
        let reserved = if *job.name == *agent::APP {
            Some("it is the agent itself".to_string())
        } else if *job.name == *key_set::APP {
            Some("keys are taken back by a newer set of keys".to_string())
        } else {
            self.reserved_by(&job.name)
        };
        if let Some(reason) = reserved.or_else(|| self.is_of_image(&job.name)) {
            return self.refuse(job, &reason);
        }
        let installed = self.registry.app(&job.name);
        if let Some(app) = installed {
            job.removes = Some(app.version.clone());
        } else if !self.config.paths().apps().join(&*job.name).exists() {
            job.reason = "it was not installed".to_string();
        }
        self.journal.supersede(self.index, &job.name);
        crate::info!("removing {}", job.name);
        Outcome::Event(InstallEvent::Unpacked)
    }

    /// Why an app is not to be taken away: the image brings it, and would again after a factory reset.
    fn is_of_image(&self, app: &str) -> Option<String> {
        let entries = std::fs::read_dir(self.config.paths().apps_to_install()).ok()?;
        let mut names =
            entries.flatten().take(MAX_FACTORY_APPS).filter_map(|entry| TarballName::of_path(&entry.path()).ok());
        let its = names.find(|name| name.app() == app)?;
        Some(format!("the image brought it ({its}), and would bring it again"))
    }

    /// Stops the app for good, then has it undo what its installer did.
    fn take_away(&mut self, job: &mut Job) -> Outcome {
        if let Err(reason) = hosting::take_away(self, &job.name) {
            return self.missed(job, &reason);
        }
        let Some(app) = self.registry.app(&job.name) else { return Outcome::Event(InstallEvent::ScriptSucceeded) };
        let Ok(name) = TarballName::new(&app.name, &app.version) else {
            return Outcome::Event(InstallEvent::ScriptSucceeded);
        };
        if job.attempts > MAX_ATTEMPTS {
            // What cuts the power must not keep the app here for ever.
            job.reason = format!("uninstall.sh was cut off {MAX_ATTEMPTS} times");
            return Outcome::Event(InstallEvent::ScriptSucceeded);
        }
        let folder = self.slot(&app.name, &app.slot);
        let (root, limit) = (self.config.paths().root(), self.config.install_timeout());
        if let Some(ran) = script::uninstall(&folder, &name, root, limit) {
            job.output = status::cut_middle(ran.output, status::room(self.journal.jobs.len()));
            // An app that cannot even be removed would be worse than one that leaves something behind.
            job.reason = ran.result.err().unwrap_or_default();
        }
        Outcome::Event(InstallEvent::ScriptSucceeded)
    }

    fn clear_away(&mut self, job: &mut Job) -> Outcome {
        if let Err(e) = self.forget_app(&job.name) {
            crate::error!("{e}; trying again at the next check-in");
            return Outcome::Later;
        }
        let apps = self.config.paths().apps();
        let folder = apps.join(&*job.name);
        let cleared =
            file::remove_tree(&folder).and_then(|()| if apps.is_dir() { file::sync_folder(&apps) } else { Ok(()) });
        if let Err(e) = cleared {
            job.reason = e.to_string();
        }
        Outcome::Event(InstallEvent::Settled)
    }

    /// Takes the app's record away, durably.
    fn forget_app(&mut self, app: &str) -> Result<(), file::FileError> {
        let before = self.registry.clone();
        self.registry.remove(app);
        if self.registry == before {
            return Ok(());
        }
        self.save_registry().map_err(|e| {
            self.registry = before;
            e
        })
    }

    /// The machine went down with it as often as it may: it is taken as far as it got, and who ordered it is told.
    pub(super) fn removal_cut_off(&mut self, job: &mut Job) -> Outcome {
        if job.state != InstallState::Settling {
            return self.remove_app(job);
        }
        let tries = job.state.most_tries().unwrap_or_default();
        if self.forget_app(&job.name).is_err() {
            return Outcome::Later;
        }
        job.reason = format!("the gateway went down {tries} times while its folders were removed");
        Outcome::Event(InstallEvent::Settled)
    }
}

/// The line that ends a removal's part of `fetch_status`; `None` where it goes on.
pub(super) fn verdict(job: &Job, version: &str, event: InstallEvent) -> Option<String> {
    let version = if version.is_empty() { String::new() } else { [" v", version].concat() };
    let (app, reason) = (&job.name, &job.reason);
    match event {
        InstallEvent::Settled if reason.is_empty() => {
            Some(format!("[gwe] removed {app}{version} in {}", status::seconds(job.spent_ms)))
        }
        InstallEvent::Settled => Some(format!("[gwe] removed {app}{version}: {reason}")),
        InstallEvent::Refused => Some(format!("[gwe] failed to remove {app}: {reason}")),
        _ => None,
    }
}
