//! Settling and rolling back an app under supervisord: its fragment, its taking up, and what was there before.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::drive::Outcome;
use super::journal::Job;
use super::registry::{App, Registry};
use super::script;
use super::state::Event;
use super::steps::{installer_in, Gateway};
use crate::app::{self, FragmentDefaults, TarballName, ThisGateway};
use crate::supervisor::SupervisorError;
use crate::sys::file;

/// The largest `supervisor.conf`, in bytes; the tarball's checks have seen it.
const MAX_CONF: u64 = 64 * 1024;
/// supervisord may come up so much later than the agent.
const SUPERVISOR_PATIENCE: Duration = Duration::from_secs(30);
/// Beyond the settling time, an app may use so long for its own retries of starting.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// Has supervisord take the new version up, waits until it stays, and records it.
pub fn settle(gateway: &mut Gateway<'_>, job: &mut Job, name: &TarballName) -> Outcome {
    let folder = gateway.slot(name.app(), &job.slot);
    let hosted = match host(gateway, name.app(), &folder) {
        Ok(hosted) => hosted,
        Err(Unhosted::Down) => {
            job.remark(format!("[gwe] {} starts with supervisord, which is down", name.app()));
            true
        }
        Err(Unhosted::Bad(reason)) => {
            job.reason = reason;
            return Outcome::Event(Event::NotSettled);
        }
    };
    let signed_at = job.signed_at;
    gateway.registry.record(App {
        name: name.app().to_string(),
        version: name.version().to_string(),
        slot: job.slot.clone(),
        hosted,
        signed_at,
        note: None,
    });
    if let Err(e) = gateway.save_registry() {
        crate::error!("{e}; trying again at the next check-in");
        return Outcome::Later;
    }
    Outcome::Event(Event::Settled)
}

/// Brings back what was there before: the version in the other slot, or nothing.
pub fn roll_back(gateway: &mut Gateway<'_>, job: &mut Job, name: &TarballName) -> Outcome {
    gateway.remember_bad(job, &job.reason, Registry::refuse);
    let Some(old) = gateway.registry.app(name.app()).cloned() else {
        unhost(gateway, name.app());
        return concluded(gateway, Event::Removed);
    };
    let folder = gateway.slot(name.app(), &old.slot);
    restore(gateway, job, name, &old, &folder);
    gateway.registry.record(App { note: Some(format!("rolled back from v{}: {}", name.version(), job.reason)), ..old });
    concluded(gateway, Event::Restored)
}

fn concluded(gateway: &Gateway<'_>, event: Event) -> Outcome {
    match gateway.save_registry() {
        Ok(()) => Outcome::Event(event),
        Err(e) => {
            crate::error!("{e}; trying again at the next check-in");
            Outcome::Later
        }
    }
}

/// Runs the old version's installer again, since the new one's has replaced whatever it installs, and takes it up. A one-off
/// app has done its work: it is not run a second time.
fn restore(gateway: &Gateway<'_>, job: &mut Job, name: &TarballName, old: &App, folder: &Path) {
    if !old.hosted {
        unhost(gateway, name.app());
        return;
    }
    if let Ok(old_name) = TarballName::new(name.app(), &old.version) {
        let root = gateway.config.paths().root();
        let ran = script::run(folder, installer_in(folder), &old_name, root, gateway.config.install_timeout());
        if let Err(reason) = ran.result {
            job.remark(format!("[gwe] restoring {} v{}: {reason}", name.app(), old.version));
        }
    }
    match host(gateway, name.app(), folder) {
        Ok(_) | Err(Unhosted::Down) => {}
        Err(Unhosted::Bad(reason)) => {
            job.remark(format!("[gwe] restoring {} v{}: {reason}", name.app(), old.version));
        }
    }
}

/// Why an app is not up.
enum Unhosted {
    /// supervisord is not there; the fragment is, and counts when it starts.
    Down,
    /// The app's own fault, as the end of a sentence.
    Bad(String),
}

/// Puts the fragment of the app in `folder` in place and has it taken up; `Ok(false)` for an app without `supervisor.conf`.
fn host(gateway: &Gateway<'_>, app: &str, folder: &Path) -> Result<bool, Unhosted> {
    let bad = |e: &dyn std::fmt::Display| Unhosted::Bad(e.to_string());
    file::create_folder(&gateway.config.logs()).map_err(|e| bad(&e))?;
    let Some(text) = fragment(gateway, app, folder)? else {
        unhost(gateway, app);
        return Ok(false);
    };
    let place = place(gateway, app);
    file::replace(&place, text.as_bytes(), 0o644).map_err(|e| bad(&e))?;
    let supervisor = gateway.supervisor;
    match supervisor.wait_until_up(SUPERVISOR_PATIENCE) {
        Ok(true) => {}
        // supervisord is there and cannot be used (a password, no rpcinterface): that is not the app's fault, either.
        outcome => {
            if let Err(e) = outcome {
                crate::error!("{e}");
            }
            crate::warning!("supervisord is down; {app} starts when it does");
            return Err(Unhosted::Down);
        }
    }
    let settle = gateway.config.settling_time();
    match supervisor.take_up(app).and_then(|()| supervisor.await_running(app, settle, settle + START_PATIENCE)) {
        Ok(_) => Ok(true),
        Err(e) if e.is_down() => Err(Unhosted::Down),
        Err(e @ SupervisorError::Unreadable(_)) => {
            // Out with it at once: one broken file blocks every app (supervisord.md, trap 1).
            if let Err(e) = file::remove(&place) {
                crate::error!("{e}");
            }
            if let Err(e) = supervisor.reload() {
                crate::warning!("{e}");
            }
            Err(bad(&e))
        }
        Err(e) => Err(bad(&e)),
    }
}

/// Takes the app's fragment away, and the app down. A supervisord that is not there has nothing to take down.
fn unhost(gateway: &Gateway<'_>, app: &str) {
    if let Err(e) = file::remove(&place(gateway, app)) {
        crate::error!("{e}; {app} would be started again");
    }
    // Also where there was no fragment any more: a crash may have come between its removal and this.
    match gateway.supervisor.take_down(app) {
        Err(e) if !e.is_down() => crate::warning!("{e}"),
        _ => {}
    }
}

fn fragment(gateway: &Gateway<'_>, app: &str, folder: &Path) -> Result<Option<String>, Unhosted> {
    let conf = folder.join("supervisor.conf");
    let bytes = match file::read(&conf, MAX_CONF) {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(e) => return Err(Unhosted::Bad(e.to_string())),
    };
    let log_file = gateway.config.logs().join(format!("{app}.log"));
    let defaults = FragmentDefaults { log_file: &log_file, directory: folder };
    let host = ThisGateway::new(&gateway.config.logs(), &gateway.config.fragments());
    let text = app::fragment(app, &String::from_utf8_lossy(&bytes), &defaults, &host);
    text.map(Some).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Unhosted::Bad(format!("supervisor.conf: {}", faults.join("; ")))
    })
}

fn place(gateway: &Gateway<'_>, app: &str) -> PathBuf {
    gateway.config.fragments().join(format!("{app}.conf"))
}
