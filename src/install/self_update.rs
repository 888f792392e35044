//! Settling and rolling back the agent itself: the new version must complete a check-in (design decision 1).

use super::agent::{self, Agents, Version};
use super::digest;
use super::drive::Outcome;
use super::journal::Job;
use super::registry::App;
use super::state::Event;
use super::steps::Gateway;
use crate::app::TarballName;

/// Puts the new version on trial; once it runs and has checked in, records it.
pub fn settle(gateway: &mut Gateway<'_>, job: &mut Job, name: &TarballName) -> Outcome {
    let paths = gateway.config.paths();
    let executable = gateway.slot(agent::APP, &job.slot).join("gwe");
    if !executable.is_file() {
        job.reason = "it has no program named gwe".to_string();
        return Outcome::Event(Event::NotSettled);
    }
    let agents = Agents::load(paths);
    if let Some(dropped) = agents.dropped.as_ref().filter(|d| d.version.version == name.version()) {
        job.reason = dropped.why.clone();
        return Outcome::Event(Event::NotSettled);
    }
    let is_current = agents.current.as_ref().is_some_and(|v| v.version == name.version() && v.slot == job.slot);
    if is_current && gateway.checked_in && std::env::current_exe().is_ok_and(|own| same_file(&own, &executable)) {
        gateway.registry.record(App {
            name: agent::APP.to_string(),
            version: name.version().to_string(),
            slot: job.slot.clone(),
            hosted: false,
            signed_at: job.signed_at,
            note: None,
        });
        return match gateway.save_registry() {
            Ok(()) => Outcome::Event(Event::Settled),
            Err(e) => {
                crate::error!("{e}; trying again at the next check-in");
                Outcome::Later
            }
        };
    }
    if !is_current {
        let sha256 = match digest::of_file(&gateway.tarball(job)) {
            Ok(sha256) => sha256,
            Err(e) => {
                job.reason = e.to_string();
                return Outcome::Event(Event::NotSettled);
            }
        };
        let version = Version { version: name.version().to_string(), slot: job.slot.clone(), sha256 };
        crate::info!("agent v{} is on trial from the next check-in on", name.version());
        if let Err(e) = agents.with_trial(version).save(paths) {
            job.reason = e.to_string();
            return Outcome::Event(Event::NotSettled);
        }
    }
    Outcome::Later
}

/// The version before is in charge already, or the image's own: the bad one is only to be remembered as such.
pub fn roll_back(gateway: &mut Gateway<'_>, job: &mut Job, name: &TarballName) -> Outcome {
    gateway.remember_bad(job);
    let paths = gateway.config.paths();
    let agents = Agents::load(paths);
    let on_trial = agents.trial && agents.current.as_ref().is_some_and(|v| v.version == name.version());
    let restored = if on_trial {
        Agents { current: agents.previous, ..Agents::factory() }
    } else {
        Agents { dropped: None, ..agents }
    };
    match restored.save(paths).and_then(|()| gateway.save_registry()) {
        Ok(()) => Outcome::Event(Event::Restored),
        Err(e) => {
            crate::error!("{e}; trying again at the next check-in");
            Outcome::Later
        }
    }
}

fn same_file(a: &std::path::Path, b: &std::path::Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
