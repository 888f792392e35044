//! Settling and rolling back the agent itself: the new version must complete a check-in (docs/decisions.md, "The engine is a timer").

use super::agent::{self, Agents, Version};
use super::drive::Outcome;
use super::gateway::Gateway;
use super::journal::Job;
use super::registry::{App, Registry};
use super::state::InstallEvent;
use crate::app::TarballName;
use crate::sys::file::FileError;

/// The slot that a new version goes to: not that of the version in charge. What was to fall back on from there gives way, and
/// is forgotten before it is touched. `Ok(None)`: both are in use, since the newest version is still on trial (docs/spec/failures.md, A4).
pub fn free_slot(gateway: &Gateway<'_>) -> Result<Option<&'static str>, FileError> {
    let paths = gateway.config.paths();
    let agents = Agents::load(paths);
    let Some(in_charge) = agents.resident().or(agents.current.as_ref()) else {
        return Ok(Some(gateway.free_slot(agent::APP)));
    };
    let free = if in_charge.slot == "a" { "b" } else { "a" };
    if agents.trial && agents.current.as_ref().is_some_and(|version| version.slot == free) {
        return Ok(None);
    }
    agents.without(free).map_or(Ok(()), |agents| agents.save(paths))?;
    Ok(Some(free))
}

/// Puts the new version on trial; once it runs and has checked in, records it.
pub fn settle(gateway: &mut Gateway<'_>, job: &mut Job, name: &TarballName) -> Outcome {
    let paths = gateway.config.paths();
    let executable = gateway.slot(agent::APP, &job.slot).join("gwe");
    if !executable.is_file() {
        job.reason = "it has no program named gwe".to_string();
        return Outcome::Event(InstallEvent::NotSettled);
    }
    let agents = Agents::load(paths);
    let is_current = agents.current.as_ref().is_some_and(|v| v.version == name.version() && v.slot == job.slot);
    if is_current && gateway.checked_in && agent::is_own(&executable) {
        gateway.registry.record(App {
            name: agent::APP.to_string(),
            version: name.version().to_string(),
            slot: job.slot.clone(),
            hosted: false,
            signed_at: job.signed_at,
            note: None,
        });
        return match gateway.save_registry() {
            Ok(()) => Outcome::Event(InstallEvent::Settled),
            Err(e) => {
                crate::error!("{e}; trying again at the next check-in");
                Outcome::Later
            }
        };
    }
    // It has completed a check-in and is not what runs: a script in its place, say, that starts another agent. That never
    // changes (docs/spec/failures.md, A5).
    if is_current && gateway.checked_in && !agents.trial {
        job.reason = "its gwe is not the program that runs its check-ins: pack the program itself".to_string();
        return Outcome::Event(InstallEvent::NotSettled);
    }
    if !is_current {
        let sha256 = match gateway.content_sha256(job) {
            Ok(sha256) => sha256,
            Err(e) => {
                job.reason = e.to_string();
                return Outcome::Event(InstallEvent::NotSettled);
            }
        };
        // Dropped on this trial, or after an earlier one: another content of that version is another matter.
        if let Some(dropped) = agents.dropped.as_ref().filter(|dropped| dropped.version.sha256 == sha256) {
            job.reason = dropped.why.clone();
            return Outcome::Event(InstallEvent::NotSettled);
        }
        let version = Version { version: name.version().to_string(), slot: job.slot.clone(), sha256 };
        crate::info!("agent v{} is on trial from the next check-in on", name.version());
        if let Err(e) = agents.with_trial(version).save(paths) {
            job.reason = e.to_string();
            return Outcome::Event(InstallEvent::NotSettled);
        }
    }
    Outcome::Later
}

/// The version before is in charge already, or the image's own: the bad one is only to be remembered as such.
pub fn roll_back(gateway: &mut Gateway<'_>, job: &mut Job, name: &TarballName) -> Outcome {
    gateway.remember_bad(job, &job.reason, Registry::refuse);
    let paths = gateway.config.paths();
    let agents = Agents::load(paths);
    let is_current = agents.current.as_ref().is_some_and(|v| v.version == name.version() && v.slot == job.slot);
    let note = Some(agent::note(name.version(), &job.reason));
    let restored = if is_current {
        Agents { current: agents.previous, image: agents.image, note, ..Agents::factory() }
    } else {
        Agents { dropped: None, note, ..agents }
    };
    match restored.save(paths).and_then(|()| gateway.save_registry()) {
        Ok(()) => Outcome::Event(InstallEvent::Restored),
        Err(e) => {
            crate::error!("{e}; trying again at the next check-in");
            Outcome::Later
        }
    }
}
