//! One check-in, start to end (docs/spec/gateway-engine.md, "The loop").
//!
//! Invariant: one request where nothing is to be done; whatever is asked for is durable before its alias is cleared, and a
//! report is dropped only when the cloud has acknowledged it.

use std::time::Duration;

use super::error::CheckInError;
use super::last::{self, Last};
use super::source::{self, Charge};
use super::{falls, follow, former, last_known_time, limit, renew, NOT_CONFIGURED};
use crate::config::{Config, Identity, Paths};
use crate::install;
use crate::install::agent::Agents;
use crate::install::gateway::Gateway;
use crate::install::journal::Job;
use crate::install::security;
use crate::orders::Backend;
use crate::supervisor::Supervisor;
use crate::sys::clock;
use crate::sys::log::Level;

/// How long a check-in waits for an install from the command line to end.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);

/// Checks in once; returns the exit status: 0 done, 1 failed, 255 not configured.
#[must_use]
pub fn run(mut config: Config) -> u8 {
    let paths = config.paths().clone();
    config.problems().iter().for_each(|problem| crate::error!("{problem}"));
    let identity = match source::identity(&config) {
        Ok(identity) => identity,
        Err(missing) => {
            crate::log_at!(Level::Critical, "{missing}");
            return NOT_CONFIGURED;
        }
    };
    let result = check_in(&mut config, &identity);
    let (ok, message) = match &result {
        Ok(()) => (true, "completed".to_string()),
        Err(e) => (false, e.to_string()),
    };
    if ok {
        crate::debug!("check-in completed");
        keep_time(&config, &paths);
    } else {
        crate::error!("check-in failed: {message}");
    }
    last::record(&paths, &Last { time: clock::unix_seconds(), ok, message });
    u8::from(!ok)
}

fn keep_time(config: &Config, paths: &Paths) {
    if !config.keep_clock() {
        return;
    }
    let path = paths.state().join(last_known_time::FILE_NAME);
    if let Err(e) = last_known_time::keep(&path, last_known_time::Occasion::CheckIn) {
        crate::warning!("{e}");
    }
}

fn check_in(config: &mut Config, identity: &Identity) -> Result<(), CheckInError> {
    if let Some(problem) = config.obstacle() {
        return Err(CheckInError::Setting(problem));
    }
    if let Err(e) = identity.pin(config) {
        crate::warning!("{e}; the serial number is read from the interface again at the next check-in");
    }
    let begun = clock::since_boot();
    let _lock = install::lock(config.paths(), LOCK_PATIENCE)?.ok_or(CheckInError::Busy)?;
    // Settings that arrive in this check-in count from the next one on.
    let in_force = config.clone();
    let supervisor = Supervisor::new(in_force.supervisor_socket());
    let mut gateway = Gateway::load(&in_force, &supervisor);
    security::catch_up(in_force.paths());
    let agents = Agents::load(in_force.paths());
    gateway.deadline = begun + limit(&agents, &in_force) / 2;
    gateway.on_trial = agents.is_on_trial(in_force.paths());
    // What is on disk already needs no network: it is finished also in an outage. A disk that does not take it must not keep
    // the gateway from the cloud.
    if let Err(e) = gateway.take_factory_apps().and_then(|()| gateway.work_off()) {
        crate::warning!("{e}; going on at the next check-in");
        gateway.reload();
    }
    // The log has what came from this gateway's own disk, and the attributes tell what is installed.
    let forgotten = if source::has_numbers(&in_force) { gateway.forget_local() } else { Ok(()) };
    if let Err(e) = forgotten {
        crate::warning!("{e}");
    }
    let charge = Charge::of(&in_force, &gateway.journal);
    if charge.has_orphans(&mut gateway.journal) {
        gateway.save_journal()?;
    }
    let result = source::with(charge, config, identity, |backend| exchange(backend, charge, gateway));
    match &result {
        _ if charge.takes_orders() => {}
        Err(CheckInError::Backend(_)) => {
            former::failed(charge, config, identity, &mut Gateway::load(&in_force, &supervisor))?;
        }
        _ => former::answered(in_force.paths()),
    }
    result
}

/// With the network: the state of the gateway up, orders down, and what they ask for.
fn exchange<'g>(backend: &'g dyn Backend, charge: Charge, mut gateway: Gateway<'g>) -> Result<(), CheckInError> {
    backend.check_in(&mut charge.desk(&mut gateway))?;
    falls::look(&mut gateway);
    gateway.checked_in = true;
    gateway.cloud = Some(backend);
    gateway.work_off()?;
    backend.tell_ends(&mut charge.desk(&mut gateway))?;
    follow::bring_queue_along(gateway.config.paths(), gateway.supervisor);
    if gateway.on_trial {
        return Ok(());
    }
    renew::bring_core_along(gateway.config.paths(), gateway.supervisor);
    let is_late = |job: &&Job| job.state.needs_network() && !job.is_waiting() && !job.is_paced();
    match gateway.journal.jobs.iter().find(is_late) {
        Some(job) => Err(CheckInError::Unfinished(job.name.to_string())),
        None => Ok(()),
    }
}
