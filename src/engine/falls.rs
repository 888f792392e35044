//! Apps that fall after they had settled: who ordered them is told, once, by the check-in that finds it (hawkbit#3185, aktualizr#1422). How each one is
//! stands in every `engine_report`; that it fell is a line of `fetch_status`, or, where orders end and take no more words, an attribute until it is
//! up for good again.
//!
//! Invariant: what is known of each app lies in /run and is written where it changes, so that a quiet check-in writes nothing to flash. After a reboot
//! one that is down is told anew.

use std::path::PathBuf;

use miniserde::{json, Deserialize, Serialize};

use crate::config::Paths;
use crate::install::gateway::Gateway;
use crate::install::state_file;
use crate::supervisor::{Process, ProcessState};
use crate::sys::file;

/// The record's bound in bytes.
const MAX_FILE: u64 = 256 * 1024;
/// So many processes are known; one of a gateway's apps has a hundred at the most.
const MAX_KNOWN: usize = 2000;
/// Another process than before at so many check-ins in a row is no accident.
const RESTARTS: u32 = 3;

/// A process as it was found last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    name: String,
    /// What was installed, and what is noted of it: another install is no fall.
    version: String,
    pid: u32,
    /// Check-ins in a row that found another one, or none.
    restarts: u32,
    /// How it fell, once that was told; it is up for good before another fall is.
    fallen: Option<String>,
}

/// Looks at what this check-in's report has found, and has what is new told.
pub fn look(gateway: &mut Gateway<'_>) {
    let processes = gateway.seen.take();
    if processes.is_empty() {
        return;
    }
    let (before, known, lines) = found(gateway, &processes);
    for line in &lines {
        gateway.journal.remark(&["[gwe] ", line].concat());
    }
    if !lines.is_empty() {
        if let Err(e) = gateway.save_journal() {
            // It is found again at the next check-in.
            return crate::error!("{e}");
        }
    }
    keep(gateway, &before, &known);
}

/// What has fallen and is not up for good again, by its name, and how. To be asked once in a check-in.
pub fn fallen(gateway: &Gateway<'_>) -> Vec<(String, String)> {
    if !gateway.registry.apps.iter().any(|app| app.hosted) {
        return Vec::new();
    }
    let of = |known: &[Known]| known.iter().filter_map(|one| Some((one.name.clone(), one.fallen.clone()?))).collect();
    match gateway.supervisor.processes() {
        Ok(processes) => {
            let (before, known, _) = found(gateway, &processes);
            keep(gateway, &before, &known);
            of(&known)
        }
        // Not knowing is no recovery.
        Err(e) => {
            crate::debug!("{e}");
            of(&last_known(gateway))
        }
    }
}

fn found(gateway: &Gateway<'_>, processes: &[Process]) -> (Vec<Known>, Vec<Known>, Vec<String>) {
    let before = last_known(gateway);
    let installed = |app: &str| {
        let app = gateway.registry.app(app).filter(|app| app.hosted)?;
        Some([&app.version, " ", app.note.as_deref().unwrap_or_default()].concat())
    };
    let (known, lines) = step(&before, processes, &installed);
    lines.iter().for_each(|line| crate::warning!("{line}"));
    (before, known, lines)
}

fn keep(gateway: &Gateway<'_>, before: &[Known], known: &[Known]) {
    if known != before {
        if let Err(e) = file::write(&path(gateway.config.paths()), json::to_string(known).as_bytes()) {
            crate::debug!("{e}");
        }
    }
}

fn last_known(gateway: &Gateway<'_>) -> Vec<Known> {
    state_file::peek(&path(gateway.config.paths()), MAX_FILE).unwrap_or_default()
}

fn path(paths: &Paths) -> PathBuf {
    paths.run().join("falls.json")
}

/// What is known now, and what is to be told.
fn step(
    before: &[Known],
    processes: &[Process],
    installed: &dyn Fn(&str) -> Option<String>,
) -> (Vec<Known>, Vec<String>) {
    let (mut known, mut lines) = (Vec::new(), Vec::new());
    for process in processes.iter().take(MAX_KNOWN) {
        let Some(version) = installed(&process.group) else { continue };
        let name = process.namespec();
        let last = before.iter().find(|known| known.name == name && known.version == version);
        let mut one = last.cloned().unwrap_or(Known { name, version, pid: process.pid, restarts: 0, fallen: None });
        if let Some(how) = fall(&mut one, process) {
            let version = one.version.split(' ').next().unwrap_or_default();
            lines.push(format!("{} v{version} has fallen since it was installed: {how}", one.name));
            one.fallen = Some(["v", version, ": ", &how].concat());
        }
        known.push(one);
    }
    (known, lines)
}

fn fall(one: &mut Known, process: &Process) -> Option<String> {
    let is_same = std::mem::replace(&mut one.pid, process.pid) == process.pid;
    let said = if process.spawnerr.is_empty() { "supervisord gives no reason" } else { &process.spawnerr };
    let down = match process.state {
        ProcessState::Fatal => Some(["FATAL: ", said].concat()),
        ProcessState::Exited if !process.spawnerr.is_empty() => Some(["EXITED: ", said].concat()),
        ProcessState::Running if is_same => {
            (one.restarts, one.fallen) = (0, None);
            None
        }
        ProcessState::Running | ProcessState::Starting | ProcessState::Backoff => {
            one.restarts = one.restarts.saturating_add(1);
            (one.restarts >= RESTARTS).then(|| format!("started again at each of {RESTARTS} check-ins in a row"))
        }
        ProcessState::Stopped | ProcessState::Stopping | ProcessState::Exited | ProcessState::Unknown => {
            one.restarts = 0;
            None
        }
    };
    down.filter(|_| one.fallen.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(state: ProcessState, pid: u32) -> Process {
        let spawnerr =
            if matches!(state, ProcessState::Fatal | ProcessState::Exited) { "Exited too quickly" } else { "" };
        Process {
            name: "app".into(),
            group: "app".into(),
            state,
            start: 0,
            stop: 0,
            now: 0,
            pid,
            exitstatus: 0,
            spawnerr: spawnerr.into(),
            logfile: String::new(),
            probe_restarts: None,
        }
    }

    /// A life, check-in by check-in, and the check-ins that tell of it.
    #[test]
    fn a_fall_is_told_once_until_it_is_up_for_good_again() {
        use ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped};
        for (what, life, told) in [
            ("stays up", vec![(Running, 5); 6], vec![]),
            ("is given up", vec![(Running, 5), (Fatal, 0), (Fatal, 0), (Fatal, 0)], vec![1]),
            ("is down from the beginning", vec![(Fatal, 0), (Fatal, 0)], vec![0]),
            ("ended badly", vec![(Running, 5), (Exited, 0), (Exited, 0)], vec![1]),
            (
                "falls, is up again, falls again",
                vec![(Running, 5), (Fatal, 0), (Running, 6), (Running, 6), (Fatal, 0)],
                vec![1, 4],
            ),
            ("comes and goes", vec![(Running, 5), (Running, 6), (Running, 7), (Running, 8), (Running, 9)], vec![3]),
            ("comes and goes by retries", vec![(Running, 5), (Backoff, 0), (Starting, 7), (Backoff, 0)], vec![3]),
            (
                "was restarted now and then",
                vec![(Running, 5), (Running, 6), (Running, 6), (Running, 7), (Running, 8)],
                vec![],
            ),
            ("was stopped by hand", vec![(Running, 5), (Stopped, 0), (Stopped, 0), (Running, 6)], vec![]),
        ] {
            let mut known = Vec::new();
            let mut told_at = Vec::new();
            for (check_in, (state, pid)) in life.into_iter().enumerate() {
                let (now, lines) = step(&known, &[process(state, pid)], &|_| Some("1".into()));
                assert!(
                    lines.len() <= 1 && lines.iter().all(|line| line.starts_with("app v1 has fallen")),
                    "{lines:?}"
                );
                told_at.extend(lines.iter().map(|_| check_in));
                // Through its file, as in life.
                known = json::from_str(&json::to_string(&now)).unwrap();
            }
            assert_eq!(told_at, told, "{what}");
        }
        // A version that was tried and rolled back leaves a note, and another process of the one before.
        let mut known = Vec::new();
        for check_in in 0..6 {
            let note = format!("1 rolled back from v{check_in}");
            let (now, lines) = step(&known, &[process(Running, 5 + check_in)], &|_| Some(note.clone()));
            assert!(lines.is_empty(), "{lines:?}");
            known = now;
        }
        let of_the_image = step(&[], &[process(Fatal, 0)], &|_| None);
        assert_eq!(of_the_image, (vec![], vec![]), "only what was installed");
    }
}
