//! Settling and rolling back an app under supervisord: its fragment, its taking up, and what was there before.

use std::path::Path;
use std::time::Duration;

use super::app_log;
use super::drive::Outcome;
use super::fetch::{self, Fetched};
use super::fragment::{self, Fragment};
use super::gateway::Gateway;
use super::journal::Job;
use super::own_options;
use super::probe::Probe;
use super::registry::{App, Registry};
use super::script;
use super::script::installer_in;
use super::state::InstallEvent;
use crate::app::TarballName;
use crate::supervisor::settle::{self, Terms};
use crate::supervisor::{Changes, Process, Settled, SupervisorError};
use crate::sys::file;

/// supervisord may come up so much later than the agent.
const SUPERVISOR_PATIENCE: Duration = Duration::from_secs(30);
/// Beyond the settling time, an app may use so long for its own retries of starting.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// And its own `startsecs`, up to so long.
const LONGEST_START: u64 = 600;

/// The settling time, or the time that its probe may take, so often: for so long a probe is tried again.
const PROBINGS: u32 = 3;

/// How supervisord spells no.
const NO: &[&str] = &["false", "no", "off", "0"];
/// Times that supervisord may go away while an app settles before that is taken for the app's doing.
const MAX_LOSSES: u32 = 3;

/// Has supervisord take the new version up, waits until it stays, and records it.
pub fn settle(gateway: &mut Gateway<'_>, job: &mut Job, name: &TarballName) -> Outcome {
    if is_recorded(gateway, job, name) {
        // It had settled when the power was cut.
        return Outcome::Event(InstallEvent::Settled);
    }
    let folder = gateway.slot(name.app(), &job.slot);
    let log = app_log::Mark::of(&fragment::log_of(gateway, name.app()));
    let mut words = String::new();
    let hosted = match prove(gateway, name.app(), &folder, &mut words) {
        Ok(hosted) => hosted,
        Err(unhosted) => {
            if matches!(unhosted, Unhosted::Bad(_)) {
                job.append_output(&log.since());
                job.append_output(&words);
            }
            return not_hosted(job, unhosted);
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
    Outcome::Event(InstallEvent::Settled)
}

/// Whether this very install is what the registry knows.
fn is_recorded(gateway: &Gateway<'_>, job: &Job, name: &TarballName) -> bool {
    let recorded = gateway.registry.app(name.app());
    recorded.is_some_and(|app| app.version == name.version() && app.slot == job.slot)
}

/// Not knowing is not success (docs/spec/failures.md, A10): where supervisord is not there to tell, the app settles later. For ever
/// is no answer, either.
fn not_hosted(job: &mut Job, unhosted: Unhosted) -> Outcome {
    let reason = match unhosted {
        Unhosted::Down => match fetch::miss(job, "supervisord is not there to start it") {
            Fetched::Refused(reason) => {
                job.passing = Some(true);
                reason
            }
            Fetched::Whole | Fetched::Later(_) | Fetched::Waits(_) => return Outcome::Later,
        },
        Unhosted::Lost(reason) => {
            let losses = job.losses.unwrap_or(0).saturating_add(1);
            job.losses = Some(losses);
            if losses < MAX_LOSSES {
                crate::warning!("{}: {reason}; it settles at the next check-in", job.name);
                return Outcome::Later;
            }
            format!("supervisord went away {losses} times while it settled: {reason}")
        }
        Unhosted::Passing(reason) => {
            job.passing = Some(true);
            reason
        }
        Unhosted::Bad(reason) => reason,
    };
    job.reason = reason;
    Outcome::Event(InstallEvent::NotSettled)
}

/// The machine went down with it as often as it may; what had settled by then is installed.
pub fn not_settled(gateway: &Gateway<'_>, job: &mut Job, name: &TarballName) -> Outcome {
    if is_recorded(gateway, job, name) {
        return Outcome::Event(InstallEvent::Settled);
    }
    job.reason = job.state.cut_off();
    Outcome::Event(InstallEvent::NotSettled)
}

/// Brings back what was there before: the version in the other slot, or nothing.
pub fn roll_back(gateway: &mut Gateway<'_>, job: &mut Job, name: &TarballName) -> Outcome {
    // What only says how things stood at the moment is not held against the content (docs/spec/failures.md, case 01).
    if job.passing != Some(true) {
        gateway.remember_bad(job, &job.reason, Registry::refuse);
    }
    let Some(old) = gateway.registry.app(name.app()).cloned() else {
        unhost(gateway, name.app());
        return concluded(gateway, InstallEvent::Removed);
    };
    let folder = gateway.slot(name.app(), &old.slot);
    restore(gateway, job, name, &old, &folder);
    gateway.registry.record(App { note: Some(rolled_back(job, name)), ..old });
    concluded(gateway, InstallEvent::Restored)
}

/// What the registry notes of a roll-back.
fn rolled_back(job: &Job, name: &TarballName) -> String {
    format!("rolled back from v{}: {}", name.version(), job.reason)
}

/// Whether the version before is back, and recorded as such. The same may have been noted of an earlier roll-back: so its fragment
/// counts too.
fn is_restored(gateway: &Gateway<'_>, job: &Job, name: &TarballName) -> bool {
    gateway.registry.app(name.app()).is_some_and(|old| {
        old.note.as_deref() == Some(&rolled_back(job, name))
            && fragment::starts_from(gateway, name.app(), &gateway.slot(name.app(), &old.slot)) == old.hosted
    })
}

/// Putting the version before back took the machine down, too: neither runs, and the cloud is told. One that was back by then stays.
pub fn give_up(gateway: &mut Gateway<'_>, job: &mut Job, name: &TarballName) -> Outcome {
    if is_restored(gateway, job, name) {
        return Outcome::Event(InstallEvent::Restored);
    }
    job.reason = format!("{}; then {}", job.reason, job.state.cut_off());
    unhost(gateway, name.app());
    if let Some(old) = gateway.registry.app(name.app()).cloned() {
        let note = Some(format!("not running: v{} failed: {}", name.version(), job.reason));
        gateway.registry.record(App { note, ..old });
    }
    concluded(gateway, InstallEvent::Removed)
}

fn concluded(gateway: &Gateway<'_>, event: InstallEvent) -> Outcome {
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
        Ok(()) | Err(Unhosted::Down) => {}
        Err(Unhosted::Bad(reason) | Unhosted::Passing(reason) | Unhosted::Lost(reason)) => {
            job.remark(format!("[gwe] restoring {} v{}: {reason}", name.app(), old.version));
        }
    }
}

/// Why an app is not up.
enum Unhosted {
    /// supervisord is not there.
    Down,
    /// It was there and went away; what it said, as the end of a sentence.
    Lost(String),
    /// The app's own fault, as the end of a sentence.
    Bad(String),
    /// How things stand on this gateway at the moment: a folder that is missing, another app's broken fragment.
    Passing(String),
}

impl Unhosted {
    fn passing(error: impl std::fmt::Display) -> Unhosted {
        Unhosted::Passing(error.to_string())
    }
}

/// Has a version show that it stays up, by a fragment that no boot starts, and then puts its fragment in place for good;
/// `Ok(false)` for an app without `supervisor.conf`.
fn prove(gateway: &Gateway<'_>, app: &str, folder: &Path, words: &mut String) -> Result<bool, Unhosted> {
    file::create_folder(&gateway.config.logs()).map_err(Unhosted::passing)?;
    if Fragment::of(gateway, app, folder, None).map_err(Unhosted::Passing)?.is_none() {
        unhost(gateway, app);
        return Ok(false);
    }
    await_supervisor(gateway, app)?;
    // Only a supervisord that runs can tell what it will find for `%(ENV_x)s`; one that does not find it would not start any more.
    let environment = gateway.supervisor.environment();
    let Some(fragment) = Fragment::of(gateway, app, folder, environment).map_err(Unhosted::Passing)? else {
        return Ok(false);
    };
    fragment.prepare_hold(gateway, app);
    fragment.hold().map_err(Unhosted::passing)?;
    own_options::say_what_is_not_there(gateway, app, &fragment);
    let mut probe = Probe::of(app, &fragment);
    let settled = take_up(gateway, app, &fragment, &|| fragment.have_read(gateway.supervisor), probe.as_mut());
    *words = probe.map(|probe| probe.last_words()).unwrap_or_default();
    let settled = settled?;
    let is = |key: &str, values: &[&str]| fragment.option(key).is_some_and(|value| values.contains(&value.as_str()));
    match settled {
        Settled::Stopped if !is("autostart", NO) => {
            return Err(Unhosted::Passing(format!("{app} was stopped while it settled")));
        }
        Settled::Finished if !is("autorestart", NO) => {
            return Err(Unhosted::Bad(format!(
                "{app} ended while it settled, or went into the background: keep it in the foreground, or say \
                 autorestart = false where it is to run once"
            )));
        }
        Settled::Running | Settled::Stopped | Settled::Finished => {}
    }
    fragment.put().map_err(Unhosted::passing)?;
    Ok(true)
}

/// Puts a proven version's fragment in place, and has it taken up. Where supervisord is not there, it counts when it starts.
fn host(gateway: &Gateway<'_>, app: &str, folder: &Path) -> Result<(), Unhosted> {
    file::create_folder(&gateway.config.logs()).map_err(Unhosted::passing)?;
    let Some(fragment) = Fragment::of(gateway, app, folder, None).map_err(Unhosted::Passing)? else {
        unhost(gateway, app);
        return Ok(());
    };
    fragment.prepare_hold(gateway, app);
    fragment.put().map_err(Unhosted::passing)?;
    await_supervisor(gateway, app)?;
    // What it goes back to is not asked: there is nothing behind it.
    take_up(gateway, app, &fragment, &|| gateway.supervisor.reload(), None).map(drop)
}

fn await_supervisor(gateway: &Gateway<'_>, app: &str) -> Result<(), Unhosted> {
    match gateway.supervisor.wait_until_up(SUPERVISOR_PATIENCE) {
        Ok(true) => Ok(()),
        // supervisord is there and cannot be used (a password, no rpcinterface): that is not the app's fault, either.
        outcome => {
            if let Err(e) = outcome {
                crate::error!("{e}");
            }
            crate::warning!("supervisord is down; {app} starts when it does");
            Err(Unhosted::Down)
        }
    }
}

fn take_up(
    gateway: &Gateway<'_>,
    app: &str,
    fragment: &Fragment,
    reload: &dyn Fn() -> Result<Changes, SupervisorError>,
    probe: Option<&mut Probe>,
) -> Result<Settled, Unhosted> {
    let supervisor = gateway.supervisor;
    let settle = gateway.config.settling_time();
    let probing = PROBINGS * probe.as_ref().map_or(settle, |probe| probe.limit().max(settle));
    let starting = fragment.value("startsecs").and_then(|seconds| seconds.parse().ok()).unwrap_or(0).min(LONGEST_START);
    let patience = settle + START_PATIENCE + Duration::from_secs(starting);
    let terms = Terms { settle, patience, order: fragment.order(), probing };
    let taken = supervisor.take_up_by(app, reload);
    let mut ask = probe.map(|probe| move |processes: &[Process]| probe.ask(processes));
    let ask = ask.as_mut().map(|ask| ask as settle::ReadinessProbe<'_>);
    match taken.and_then(|()| supervisor.await_settled(app, &terms, ask)) {
        Ok(settled) => Ok(settled),
        Err(e @ SupervisorError::Failing { .. }) => Err(Unhosted::Bad(e.to_string())),
        Err(e @ SupervisorError::Unreadable(_)) => {
            // Out with it at once: one broken file blocks every app (docs/spec/supervisord.md, trap 1).
            if let Err(e) = fragment.remove() {
                crate::error!("{e}");
            }
            if let Err(e) = supervisor.reload() {
                crate::warning!("{e}");
            }
            Err(Unhosted::passing(e))
        }
        Err(e @ (SupervisorError::Down { .. } | SupervisorError::Broken { .. } | SupervisorError::Answer { .. })) => {
            Err(Unhosted::Lost(e.to_string()))
        }
        Err(e) if e.is_down() => Err(Unhosted::Lost(e.to_string())),
        Err(e) => Err(Unhosted::passing(e)),
    }
}

/// Takes the app down for good: first its fragment, so that no boot starts it. `Err`: it may run, or come back.
pub fn take_away(gateway: &Gateway<'_>, app: &str) -> Result<(), String> {
    let was_hosted = gateway.registry.app(app).is_some_and(|app| app.hosted);
    fragment::remove(gateway, app).map_err(|e| e.to_string())?;
    if was_hosted {
        // One that just comes up has perhaps read the fragment.
        let _ = gateway.supervisor.wait_until_up(SUPERVISOR_PATIENCE);
    }
    taken_down(gateway, app).map_err(|e| e.to_string())
}

/// Takes the app's fragment away, and the app down.
fn unhost(gateway: &Gateway<'_>, app: &str) {
    if let Err(e) = fragment::remove(gateway, app) {
        crate::error!("{e}; {app} would be started again");
    }
    // Also where there was no fragment any more: a crash may have come between its removal and this.
    if let Err(e) = taken_down(gateway, app) {
        crate::warning!("{e}");
    }
}

/// Takes it down. A supervisord that is not there has nothing to take down.
fn taken_down(gateway: &Gateway<'_>, app: &str) -> Result<(), SupervisorError> {
    match gateway.supervisor.take_down(app) {
        Err(e) if e.is_down() => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::request::Entry;

    #[test]
    fn not_knowing_is_no_success_and_not_for_ever() {
        // docs/spec/failures.md, A10 and case 01: what is told after so many times, and whether it is held against the content.
        let gone = "supervisord went away 3 times while it settled: no answer";
        let down = "gave up after 20 check-ins: supervisord is not there to start it";
        type Why = fn() -> Unhosted;
        for (unhosted, times, reason, passing) in [
            ((|| Unhosted::Lost("no answer".to_string())) as Why, 3, gone, None),
            (|| Unhosted::Down, 20, down, Some(true)),
            (|| Unhosted::Passing("no folder".to_string()), 1, "no folder", Some(true)),
            (|| Unhosted::Bad("it ended".to_string()), 1, "it ended", None),
        ] {
            let mut job = Job::new(Entry::named("a.v1.tar.gz".into()));
            for _ in 1..times {
                assert_eq!(not_hosted(&mut job, unhosted()), Outcome::Later, "{reason}");
            }
            assert_eq!(not_hosted(&mut job, unhosted()), Outcome::Event(InstallEvent::NotSettled));
            assert_eq!((job.reason.as_str(), job.passing), (reason, passing));
        }
    }
}
