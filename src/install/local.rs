//! Installs from this gateway's disk: `gwe --install-apps`, and the apps that the image brings.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::gateway::Gateway;
use super::journal::{Job, Journal};
use super::registry::{self, Registry};
use super::state::InstallState;
use super::{lock, status};
use crate::config::Config;
use crate::format::sort::sort;
use crate::supervisor::Supervisor;
use crate::sys::file::FileError;

/// A person waits so long for an install of the engine's to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// In an app's place: every app.
pub const ALL: &str = "all";
/// So many factory apps are looked at.
const MAX_FACTORY_APPS: usize = 64;

/// What an install from disk came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// As `fetch_status` would say it.
    pub text: String,
    /// Whether each app is installed.
    pub all_done: bool,
}

/// Why nothing was installed.
#[derive(Debug)]
pub enum LocalError {
    /// The engine, or another person, is installing.
    Busy,
    /// An operand is no file.
    NoFile(PathBuf),
    /// The state could not be read or written.
    File(FileError),
}

impl fmt::Display for LocalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocalError::Busy => f.write_str("another install is still running; try again when it has ended"),
            LocalError::NoFile(path) => write!(f, "there is no file {}", path.display()),
            LocalError::File(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for LocalError {}

/// Installs tarballs by the code that serves the cloud's requests. The cloud is not told: who ran the command sees it.
///
/// # Errors
/// Nothing was begun, or the journal could not be written.
pub fn install(config: &Config, files: &[PathBuf]) -> Result<Report, LocalError> {
    let files = files.iter().map(|file| absolute(file)).collect::<Result<Vec<_>, _>>()?;
    work_here(config, files.iter().map(|file| Job::from_file(file, false)).collect())
}

/// Takes an app away, in the same way.
///
/// # Errors
/// Nothing was begun, or the journal could not be written.
pub fn remove(config: &Config, app: &str) -> Result<Report, LocalError> {
    work_here(config, vec![Job::local_removal(app)])
}

/// Installs what waits for its moment, of an app or of all. The cloud, which ordered it, is told at the next check-in.
///
/// # Errors
/// Nothing was begun, or the journal could not be written.
pub fn install_now(config: &Config, app: &str) -> Result<Report, LocalError> {
    let _lock = lock(config.paths(), PATIENCE).map_err(LocalError::File)?.ok_or(LocalError::Busy)?;
    let supervisor = Supervisor::new(config.supervisor_socket());
    let mut gateway = Gateway::load(config, &supervisor);
    let meant = gateway.journal.by_hand(|name| app == ALL || name.app() == app);
    if meant.is_empty() {
        return Ok(Report { text: "nothing waits\n".to_string(), all_done: true });
    }
    gateway.save_journal().map_err(LocalError::File)?;
    gateway.work_off().map_err(LocalError::File)?;
    // They stay in the journal: it is not who asked here that they are told to.
    let jobs = meant.into_iter().filter_map(|index| gateway.journal.jobs.get(index).cloned());
    Ok(report(&mut Journal { jobs: jobs.collect(), ..Journal::empty() }))
}

fn work_here(config: &Config, jobs: Vec<Job>) -> Result<Report, LocalError> {
    let files: Vec<String> = jobs.iter().filter_map(|job| job.file.clone()).collect();
    let _lock = lock(config.paths(), PATIENCE).map_err(LocalError::File)?.ok_or(LocalError::Busy)?;
    let supervisor = Supervisor::new(config.supervisor_socket());
    let mut gateway = Gateway::load(config, &supervisor);
    // What the cloud asked for earlier stays pending for the engine; these jobs are told apart by their file.
    gateway.journal.jobs.extend(jobs);
    gateway.save_journal().map_err(LocalError::File)?;
    gateway.work_off().map_err(LocalError::File)?;
    let (mine, others) = gateway.journal.jobs.drain(..).partition(|job| is_one_of(job, &files));
    gateway.journal.jobs = others;
    let mut report = Journal { jobs: mine, ..Journal::empty() };
    let unfinished = report.jobs.iter().filter(|job| !job.state.is_terminal()).cloned();
    gateway.journal.jobs.extend(unfinished);
    gateway.save_journal().map_err(LocalError::File)?;
    Ok(self::report(&mut report))
}

/// What is told of these jobs to who asked for them here.
fn report(journal: &mut Journal) -> Report {
    for job in journal.jobs.iter_mut().filter(|job| !job.state.is_terminal()) {
        job.verdict = format!("[gwe] {} is {}; the engine goes on with it", job.name, job.state.name());
    }
    let all_done = journal.jobs.iter().all(|job| job.state == InstallState::Done);
    Report { text: status::text(journal), all_done }
}

impl Gateway<'_> {
    /// Adds the image's apps that were never concluded on this gateway to what is pending.
    ///
    /// # Errors
    /// The journal could not be written.
    pub fn take_factory_apps(&mut self) -> Result<(), FileError> {
        let mut jobs = factory_jobs(self.config, &self.registry, &self.journal);
        if self.has_lost_its_registry() {
            // What is there may be newer than what the image brings: it must not be put over it.
            let apps = self.config.paths().apps();
            let (there, new): (Vec<_>, _) = jobs.into_iter().partition(|job: &Job| apps.join(job.name.app()).exists());
            jobs = new;
            if !there.is_empty() {
                self.registry.factory.extend(there.into_iter().map(|job: Job| job.name));
                self.save_registry()?;
            }
        }
        if jobs.is_empty() {
            return Ok(());
        }
        self.journal.jobs.extend(jobs);
        self.save_journal()
    }

    /// Drops what came from this gateway's own disk and has come to its end: for where nobody waits to be told of it.
    ///
    /// # Errors
    /// The journal could not be written.
    pub fn forget_local(&mut self) -> Result<(), FileError> {
        let is_told = |job: &Job| job.file.is_some() && job.state.is_terminal();
        if !self.journal.jobs.iter().any(is_told) {
            return Ok(());
        }
        self.journal.jobs.retain(|job| !is_told(job));
        self.save_journal()
    }

    /// Whether there is a registry file, and nothing could be read of it: one that is written has something in it.
    fn has_lost_its_registry(&self) -> bool {
        self.registry == Registry::empty() && registry::path(&self.config.paths().state()).exists()
    }
}

/// The image's apps that were never concluded on this gateway, in the order of their names. They are installed once: a factory
/// reset forgets that, so it brings the same state back.
#[must_use]
fn factory_jobs(config: &Config, registry: &Registry, journal: &Journal) -> Vec<Job> {
    let Ok(entries) = std::fs::read_dir(config.paths().apps_to_install()) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_tarball(path)).collect();
    sort(&mut files);
    files.truncate(MAX_FACTORY_APPS);
    let jobs = files.iter().map(|file| Job::from_file(file, true));
    let is_new = |job: &Job| {
        !registry.factory.contains(&job.name)
            && !journal.jobs.iter().any(|pending| pending.factory && pending.name == job.name)
    };
    jobs.filter(is_new).collect()
}

fn is_tarball(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.ends_with(".tar.gz"))
}

fn absolute(file: &Path) -> Result<PathBuf, LocalError> {
    match file.canonicalize() {
        Ok(path) if path.is_file() => Ok(path),
        _ => Err(LocalError::NoFile(file.to_path_buf())),
    }
}

fn is_one_of(job: &Job, files: &[String]) -> bool {
    !job.factory && job.file.as_ref().is_some_and(|file| files.contains(file))
}
