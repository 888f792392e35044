//! The set of keys in force: the image's own, or one that came later (docs/security.md, "Keys that age").
//!
//! Invariants: a set is durable before it counts; its version never goes back below the image's nor below that of the one kept, which
//! outlives a factory reset; what cannot be read, or has the signature of a root that the image trusts no more, opens nothing.

use std::path::{Path, PathBuf};

use miniserde::{json, Deserialize, Serialize};

use super::drive::Outcome;
use super::gateway::Gateway;
use super::journal::{Job, Journal};
use super::security::{self, What};
use super::state::{InstallEvent, InstallState};
use super::state_file;
use crate::app::key_set::{KeySetFault, MAX_TEXT};
use crate::app::signature::KeyId;
use crate::app::{KeySet, TarballName, TrustedKeys};
use crate::config::{Config, Paths};
use crate::sys::epoch::{self, BUILD_EPOCH};
use crate::sys::file;

pub use crate::app::name::KEY_SET as APP;

/// The largest file that a set is kept in, in bytes: its text, each character escaped.
const MAX_FILE: u64 = 6 * MAX_TEXT + 1024;

/// Why a set that was kept does not count.
const DISOWNED: &str =
    "is signed by a root key that this image does not trust: no key counts until a set of keys comes anew";

/// A set that came over the air, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptSet {
    /// When the root signed it: that time is over.
    signed_at: u64,
    /// The text of the set.
    text: String,
    /// The number of the root key that signed it. An older agent's file lacks it.
    root: Option<String>,
}

/// The set in force.
#[derive(Debug)]
pub struct InForce {
    /// What it says.
    pub set: KeySet,
    /// The latest time that is known to be over.
    pub now: u64,
    text: String,
    /// Who signed it, where that is known.
    root: Option<KeyId>,
}

/// The keys that may sign a set of keys.
#[must_use]
pub fn roots(paths: &Paths) -> TrustedKeys {
    TrustedKeys::load(&paths.root_keys())
}

fn path(paths: &Paths) -> PathBuf {
    paths.security().join("key_set.json")
}

/// The set in force, if there is any.
///
/// # Errors
/// There is one, and it cannot be read: its file, and why.
pub fn in_force(paths: &Paths) -> Result<Option<InForce>, (PathBuf, String)> {
    let (image, kept) = (of_image(paths), kept(paths));
    match (image, kept) {
        (_, Err(why)) => Err((path(paths), why)),
        (Ok(Some(image)), Ok(Some(kept))) if kept.set.version < image.set.version => Ok(Some(image)),
        // Its root may have been stolen, and its version be any: it counts no more, and what it forbade is not allowed again for that.
        (_, Ok(Some(kept))) if is_disowned(paths, &kept) => Err((path(paths), DISOWNED.to_string())),
        // What was signed by the root counts where the image's is bad.
        (_, Ok(Some(kept))) => Ok(Some(kept)),
        (Err(why), Ok(None)) => Err((paths.key_set(), why)),
        (Ok(image), Ok(None)) => Ok(image),
    }
}

/// Whether a root has signed it that this image does not trust, but another.
fn is_disowned(paths: &Paths, kept: &InForce) -> bool {
    let roots = roots(paths);
    !roots.is_open() && kept.root.is_some_and(|root| !roots.knows(root))
}

/// The set that the image itself brings.
fn of_image(paths: &Paths) -> Result<Option<InForce>, String> {
    let Some(bytes) = file::read(&paths.key_set(), MAX_TEXT).map_err(|e| e.to_string())? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let set = KeySet::parse(&text).map_err(|fault| fault.to_string())?;
    Ok(Some(InForce { set, now: now(BUILD_EPOCH), text, root: None }))
}

fn kept(paths: &Paths) -> Result<Option<InForce>, String> {
    let Some(bytes) = file::read(&path(paths), MAX_FILE).map_err(|e| e.to_string())? else { return Ok(None) };
    let damaged = || "is damaged: no key counts until a set of keys comes anew".to_string();
    let kept: KeptSet = state_file::parse(&bytes).ok_or_else(damaged)?;
    let set = KeySet::parse(&kept.text).map_err(|fault| fault.to_string())?;
    let root = kept.root.as_deref().and_then(KeyId::parse);
    Ok(Some(InForce { set, now: now(kept.signed_at), text: kept.text, root }))
}

/// A clock that stands in 1970, or jumped far ahead, is not believed: what is surely over by now is.
fn now(signed_at: u64) -> u64 {
    epoch::now().unwrap_or(BUILD_EPOCH).max(BUILD_EPOCH).max(signed_at)
}

/// The keys whose signatures count here.
#[must_use]
pub fn keys(config: &Config) -> TrustedKeys {
    let paths = config.paths();
    let mut keys = TrustedKeys::load(&paths.trusted_keys());
    let roots = roots(paths);
    if config.requires_signatures() || !roots.is_open() {
        keys = keys.closed().without(&roots);
    }
    match in_force(paths) {
        Ok(None) => keys,
        Ok(Some(in_force)) => keys.under(&in_force.set, in_force.now),
        Err((file, why)) => keys.none(&file.display().to_string(), why),
    }
}

/// Why a set does not take the place of the one in force.
fn objection(paths: &Paths, set: &KeySet, text: &str) -> Option<String> {
    let roots = roots(paths);
    if let Some(key) = set.keys.iter().find(|key| roots.knows(key.id)) {
        return Some(format!("its key {} is a root key, which signs no package", key.id));
    }
    // Where the one that was kept cannot be read, the image's is still there to go by.
    let old = in_force(paths).unwrap_or_else(|_| of_image(paths).ok().flatten())?;
    if old.set.version > set.version {
        return Some(format!("it goes back: v{} of the set of keys is in force", old.set.version));
    }
    let is_another = old.set.version == set.version && old.text != text;
    is_another.then(|| format!("another v{} of the set of keys is in force", old.set.version))
}

fn is_set(job: &Job) -> bool {
    job.name.app() == APP
}

impl Journal {
    /// The jobs in the order in which they are looked at: a set of keys comes before everything.
    pub(super) fn sets_first(&self) -> impl Iterator<Item = usize> + '_ {
        let those = |sets: bool| (0..self.jobs.len()).filter(move |index| is_set(&self.jobs[*index]) == sets);
        those(true).chain(those(false))
    }

    /// Which jobs may be begun: as long as a set is awaited, nothing that was ordered is begun under the old one.
    pub(super) fn may_begin(&self) -> impl Fn(&Job) -> bool {
        let is_ordered = |job: &Job| job.file.is_none() && !job.state.is_terminal() && !self.rests(job);
        let awaits_set = self.jobs.iter().any(|job| is_set(job) && is_ordered(job));
        move |job| !awaits_set || is_set(job) || job.file.is_some() || !job.is_unbegun()
    }
}

impl Gateway<'_> {
    /// What is in the job's package; `Err`: why it is not taken.
    pub(super) fn key_set_of(&self, path: &Path, name: &TarballName) -> Result<(KeySet, String), String> {
        let (set, text) = KeySet::read_package(path, name).map_err(|fault: KeySetFault| fault.to_string())?;
        objection(self.config.paths(), &set, &text).map_or(Ok((set, text)), Err)
    }

    /// The work of a state, of a package that is believed already.
    pub(super) fn take_key_set(&mut self, job: &mut Job, name: &TarballName) -> Outcome {
        match job.state {
            InstallState::Verified if self.journal.is_held(job) => Outcome::Later,
            InstallState::Verified => Outcome::Event(InstallEvent::Unpacked),
            InstallState::Staged => self.begin_script(job),
            InstallState::Installing => self.put_in_force(job, name),
            InstallState::Settling => Outcome::Event(InstallEvent::Settled),
            InstallState::Requested
            | InstallState::Downloading
            | InstallState::RollingBack
            | InstallState::Done
            | InstallState::Failed
            | InstallState::RolledBack => Outcome::Event(InstallEvent::Refused),
        }
    }

    fn put_in_force(&mut self, job: &mut Job, name: &TarballName) -> Outcome {
        let paths = self.config.paths();
        let (set, text) = match self.key_set_of(&self.tarball(job), name) {
            Ok(read) => read,
            Err(reason) => {
                security::note(paths, What::KeySetRefused, &reason);
                return self.refuse(job, &reason);
            }
        };
        // The same as the one in force is kept all the same: that may be the image's, and another image may come.
        let kept = KeptSet { signed_at: job.signed_at.unwrap_or(0), text, root: job.signed_by.clone() };
        if let Err(e) = file::replace(&path(paths), json::to_string(&kept).as_bytes(), 0o644) {
            return self.refuse(job, &e.to_string());
        }
        // A crash before this has it done again, and counted once.
        security::note_once(paths, What::KeySetChanged, &format!("v{} is in force", set.version));
        Outcome::Event(InstallEvent::ScriptSucceeded)
    }
}
