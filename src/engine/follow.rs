//! Going on as the agent version that arrived over the air: what the image's `gwe`, `gmq` and `gdc` do first (docs/decisions.md, "The engine is a timer").
//!
//! Invariants: nobody follows twice in a row; only a version that has completed a check-in is followed; what stays resident and
//! dies right at its start is followed [`MAX_STARTS`] times, and then no more until boot: the image's own goes on.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{Paths, VERSION};
use crate::install::agent::{self, own_executable, Agents, Version};
use crate::supervisor::{ProcessState, Supervisor};
use crate::sys::clock;
use crate::sys::doze;
use crate::sys::file;
use crate::sys::program::Program;

/// Set for a program that is to be what it is.
pub const FOLLOWED: &str = "GWE_FOLLOWED";
/// The queue, which supervisord may host.
const QUEUE: &str = "gmq";
/// Starts without an orderly end within [`WINDOW`], after which a version is not followed any more.
const MAX_STARTS: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);
/// The account's bound in bytes.
const MAX_FILE: u64 = 4096;
/// In the place of the times: no more until boot.
const NEVER: &str = "never";

/// Replaces this process by the proven version of the agent under the same name, where there is one. Comes back where this
/// program is it, or has to do.
pub fn follow(called_as: &str, arguments: &[OsString]) {
    if std::env::var_os(FOLLOWED).is_some() {
        // Not for what is started from here: it follows by itself.
        std::env::remove_var(FOLLOWED);
        return;
    }
    let paths = Paths::of(None);
    let own = own_executable();
    let agents = Agents::load(&paths);
    if agents.current.is_none() || agent::has_arrived(&paths, &own) {
        return;
    }
    let is_resident = is_resident(called_as, arguments);
    let agents = match agents.under_image(VERSION) {
        None => agents,
        Some(changed) => {
            if is_resident {
                note_image(&agents, &changed, &paths);
            }
            changed
        }
    };
    let Some(version) = agents.resident() else { return };
    let program = agent::executable(&paths, version);
    if agent::is_same(&own, &program)
        || !agent::is_program(&program)
        || (is_resident && !may_start(&paths, called_as, version))
    {
        return;
    }
    let error = become_it(&program, OsStr::new(called_as), arguments);
    crate::error!("cannot run {}: {error}; going on as {}", program.display(), own.display());
}

/// Replaces this process; returns why that failed.
pub fn become_it(program: &Path, called_as: &OsStr, arguments: &[OsString]) -> std::io::Error {
    let mut next = Program::new(program);
    next.called(called_as).args(arguments).env(FOLLOWED, "1");
    next.exec()
}

/// What a program that stays resident becomes after a nap, and what in its place where that is gone: this one, but a version that
/// arrived over the air goes through the image's, which follows the newest.
#[must_use]
pub fn after_nap(paths: &Paths, called_as: &str) -> [PathBuf; 2] {
    let (own, image) = (own_executable(), paths.below_root(Path::new("/usr/bin").join(called_as)));
    if agent::has_arrived(paths, &own) {
        [image, own]
    } else {
        [own, image]
    }
}

/// Notes that a program has ended in order: its starts do not count against it.
pub fn ended_in_order(called_as: &str, arguments: &[OsString]) {
    let paths = Paths::of(None);
    if is_resident(called_as, arguments) && agent::has_arrived(&paths, &own_executable()) {
        // Volatile, and worth nothing where it cannot be removed.
        let _ = std::fs::remove_file(account(&paths, called_as));
    }
}

/// Counts a start of what stays resident; `false`: this version has died at its start too often.
#[must_use]
pub fn may_start(paths: &Paths, called_as: &str, version: &Version) -> bool {
    let path = account(paths, called_as);
    let before = file::read(&path, MAX_FILE).ok().flatten().unwrap_or_default();
    let before = String::from_utf8_lossy(&before).into_owned();
    let (allowed, after) = count(&before, &version.sha256, clock::since_boot().as_secs());
    if after != before {
        if let Err(e) = file::write(&path, after.as_bytes()) {
            crate::warning!("{e}; the starts of {called_as} are not counted");
        }
    }
    if !allowed && after != before {
        crate::error!("{called_as} v{} died {MAX_STARTS} times at its start: the image's own goes on", version.version);
    }
    allowed
}

/// Has supervisord start the queue again where it does not run the version that it should: a running process follows nobody.
pub fn bring_queue_along(paths: &Paths, supervisor: &Supervisor<'_>) {
    if !agent::is_known(paths) {
        return;
    }
    let agents = Agents::load(paths);
    let wanted = agents.resident().map(|version| (agent::executable(paths, version), version));
    let processes = supervisor.processes().unwrap_or_default();
    let Some(queue) = processes.iter().find(|p| p.group == QUEUE && p.state == ProcessState::Running) else { return };
    let Ok(runs) = std::fs::read_link(format!("/proc/{}/exe", queue.pid)) else { return };
    if doze::is_asleep(&runs) {
        // It follows by itself when it is woken.
        return;
    }
    let is_right = match &wanted {
        Some((program, version)) => agent::is_same(&runs, program) || is_given_up(paths, QUEUE, version),
        None => !agent::has_arrived(paths, &runs),
    };
    if is_right {
        return;
    }
    crate::info!("{QUEUE} runs {}: starting it again", runs.display());
    if let Err(e) = supervisor.take_up(QUEUE) {
        crate::warning!("{e}; {QUEUE} goes on as it is");
    }
}

/// What is started without arguments by supervisord, to stay.
fn is_resident(called_as: &str, arguments: &[OsString]) -> bool {
    arguments.is_empty() && matches!(called_as, "gwe" | QUEUE)
}

fn note_image(before: &Agents, after: &Agents, paths: &Paths) {
    if let Some(version) = before.resident().filter(|_| after.current.is_none()) {
        crate::warning!("the image has brought agent v{VERSION}: it counts instead of v{}", version.version);
    }
    if let Err(e) = after.save(paths) {
        crate::warning!("{e}");
    }
}

fn is_given_up(paths: &Paths, called_as: &str, version: &Version) -> bool {
    let text = file::read(&account(paths, called_as), MAX_FILE).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&text) == [version.sha256.as_str(), " ", NEVER].concat()
}

fn account(paths: &Paths, called_as: &str) -> PathBuf {
    paths.run().join(["starts.", called_as].concat())
}

/// The account after another start: the version's hash, then the seconds since boot of each start that still counts.
fn count(before: &str, version: &str, now: u64) -> (bool, String) {
    let mut words = before.split_ascii_whitespace();
    let times: Vec<&str> = if words.next() == Some(version) { words.collect() } else { Vec::new() };
    if times == [NEVER] {
        return (false, before.to_string());
    }
    let counts = |time: &&str| time.parse().is_ok_and(|time: u64| now.saturating_sub(time) < WINDOW.as_secs());
    let mut times: Vec<&str> = times.into_iter().filter(counts).collect();
    let time = now.to_string();
    let allowed = times.len() < MAX_STARTS;
    if allowed {
        times.push(&time);
    } else {
        times = vec![NEVER];
    }
    (allowed, [version, " ", &times.join(" ")].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_starts_within_a_minute_are_enough_until_boot() {
        let mut account = String::new();
        let mut start = |version: &str, now: u64| {
            let (allowed, after) = count(&account, version, now);
            account = after;
            allowed
        };
        assert!(start("h1", 10) && start("h1", 20) && start("h1", 69), "the third");
        assert!(start("h1", 71), "the first does not count any more");
        assert!(!start("h1", 72) && !start("h1", 10_000), "no more until boot");
        assert!(start("h2", 10_001), "another version is another matter");
        assert!(start("h1", 10_002));
    }

    #[test]
    fn an_account_of_anything_is_an_empty_one() {
        for text in ["", "\0\0\0\0", "h1", "h1 x y z", "h1 99 never", "h1 -1 -1 -1"] {
            assert!(count(text, "h1", 1000).0, "{text:?}");
        }
        assert!(!count("h1 never", "h1", 0).0);
    }

    #[test]
    fn what_stays_is_started_without_arguments() {
        assert!(is_resident("gwe", &[]) && is_resident("gmq", &[]));
        assert!(!is_resident("gdc", &[]) && !is_resident("gwe", &["--once".into()]));
    }
}
