//! Updates by delta: which one is asked for, what it is applied to, and when the tarball is taken instead.
//!
//! Invariants: a delta is tried once for a job; whatever is wrong with it or with its base, the tarball is what follows, and the
//! report says why; the base is only read.

use std::path::{Path, PathBuf};

use super::agent::{self, Agents};
use super::drive::Outcome;
use super::gateway::Gateway;
use super::journal::{Job, MAX_BASES};
use super::state::InstallEvent;
use super::{digest, status};
use crate::app::delta::{self, DeltaError, DeltaName, Root};
use crate::app::{self, Reason, TarballName, UnpackError};
use crate::config::VERSION;
use crate::format::hex;
use crate::orders::Beside;
use crate::sys::file::FileError;

/// The longest reason in a remark, in bytes.
const MAX_REASON: usize = 400;

/// Where the version lies that a delta is applied to.
enum BaseVersion {
    /// An installed version's folder.
    Slot(PathBuf),
    /// The agent of the image.
    Image(PathBuf),
}

impl BaseVersion {
    fn root(&self) -> Root<'_> {
        match self {
            BaseVersion::Slot(folder) => Root::Folder(folder),
            BaseVersion::Image(file) => Root::File(file),
        }
    }
}

impl Job {
    /// Takes up the deltas that lie beside its tarball: those that make just this one, known by their names.
    pub(super) fn offer(&mut self, mut beside: Vec<Beside>) {
        let base = |delta: &Beside| {
            let name = DeltaName::parse(&delta.name).ok()?;
            (self.name == *name.tarball().to_string()).then(|| name.base().to_string())
        };
        beside.retain(|delta| base(delta).is_some());
        beside.truncate(MAX_BASES);
        if !beside.is_empty() {
            self.delta_from = Some(beside.iter().filter_map(base).collect());
            self.was_offered_delta = Some(true);
            self.beside = Some(beside);
        }
    }

    /// The delta at hand, as a numbered order describes it.
    pub(super) fn delta_beside(&self) -> Option<&Beside> {
        self.beside.iter().flatten().find(|delta| Some(&delta.name) == self.delta.as_ref())
    }
}

impl Gateway<'_> {
    /// The delta that is asked for instead of the job's tarball; `None`: the tarball itself.
    pub(super) fn delta_for(&self, job: &Job, name: &TarballName) -> Option<String> {
        let offered = job.delta_from.as_ref().filter(|_| job.file.is_none())?;
        let (version, _) = self.base(name.app())?;
        let delta = DeltaName::new(name.app(), name.version(), &version).ok()?;
        (offered.contains(&version) && version != name.version()).then(|| delta.to_string())
    }

    /// The version of an app that a delta can be applied to, and where it lies. The agent's is the one in charge, whose folder no
    /// install touches.
    fn base(&self, app: &str) -> Option<(String, BaseVersion)> {
        if app != agent::APP {
            let installed = self.registry.app(app)?;
            return Some((installed.version.clone(), BaseVersion::Slot(self.slot(app, &installed.slot))));
        }
        let agents = Agents::load(self.config.paths());
        if let Some(version) = agents.resident().or(agents.current.as_ref()) {
            return Some((version.version.clone(), BaseVersion::Slot(self.slot(app, &version.slot))));
        }
        let own = std::env::current_exe().ok()?;
        (!agent::has_arrived(self.config.paths(), &own)).then(|| (VERSION.to_string(), BaseVersion::Image(own)))
    }

    /// Unpacks the job's tarball, or what its delta makes; or only reads it through, to the same rules, where it goes nowhere.
    pub(super) fn read_content(&self, job: &Job, name: &TarballName, into: Option<&Path>) -> Result<(), UnpackError> {
        let (content, limits) = (self.tarball(job), app::UnpackLimits::default());
        let Some(delta) = &job.delta else {
            return match into {
                Some(folder) => app::unpack(&content, name, folder, limits, false).map(|_| ()),
                None => app::check_as(&content, name, limits).map(|_| ()),
            };
        };
        let bad = |reason| UnpackError::Bad(vec![app::Fault::whole(reason)]);
        let delta = DeltaName::parse(delta).map_err(|e| bad(Reason::DeltaName(e)))?;
        match self.base(name.app()).filter(|(version, _)| version == delta.base()) {
            Some((_, base)) => app::read_delta(&content, &delta, base.root(), into, limits).map(|_| ()),
            // Another version was installed since, by hand say.
            None => Err(bad(Reason::Delta(DeltaError::BaseMissing))),
        }
    }

    /// A permanent end of what was tried: of the delta, and the tarball is taken instead; or else of the job.
    pub(super) fn give_up(&mut self, job: &mut Job, reason: &str) -> Outcome {
        let Some(delta) = job.delta.clone() else { return self.refuse(job, reason) };
        let reason = status::cut_end(reason, MAX_REASON);
        crate::warning!("{delta}: {reason}; taking {} instead", job.name);
        self.forget_content(job);
        job.remark(format!("[gwe] {delta} was not used: {reason}; took {} instead", job.name));
        job.delta = None;
        job.delta_from = None;
        // What was received stays counted: it was received for this install.
        job.content = None;
        job.misses = 0;
        job.resumed = false;
        job.restarted = false;
        Outcome::Event(InstallEvent::TarballInstead)
    }

    /// Says what came over the network, where a delta was offered: that is what it is for.
    pub(super) fn tell_received(&self, job: &mut Job) {
        if job.file.is_some() {
            return;
        }
        crate::info!("{}: {} bytes received", job.content_id(), job.received);
        if job.was_offered_delta == Some(true) {
            job.remark(format!("[gwe] received {} bytes for {}", job.received, job.content_id()));
        }
    }

    /// The SHA-256 by which a version's content is known: its tarball's, also where that was made by a delta.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn content_sha256(&self, job: &Job) -> Result<String, FileError> {
        let path = self.tarball(job);
        match &job.delta {
            None => digest::of_file(&path),
            Some(_) => {
                let head = delta::head_of(&path).map_err(|e| FileError::new("read", &path, e))?;
                Ok(hex::encode(&head.tarball))
            }
        }
    }
}

/// Whether to get the delta anew may help: it is the delta that is wrong, and not what it is applied to, or this machine.
pub(super) fn may_be_mended(error: &UnpackError) -> bool {
    use DeltaError::{BaseChanged, BaseMissing, BaseUnreadable};
    let of_base = |reason: &Reason| matches!(reason, Reason::Delta(BaseChanged | BaseMissing | BaseUnreadable(_)));
    matches!(error, UnpackError::Bad(faults) if !faults.iter().any(|fault| of_base(&fault.reason)))
}
