//! The resident core of hosting, brought along with the agent: supervisord of our own goes on as the core that came with the version in charge
//! (docs/hosting.md, "A newer core over the air").
//!
//! Invariants: only the version in charge does this, and only by its own core, whose memory it knows: so a trial touches no core, and a roll-back
//! brings the one before back. Nothing is kept but an account of tries: what runs is asked, and a boot or a `kill -9` begins with the image's core.

use std::path::{Path, PathBuf};
use std::time::Duration;

use miniserde::{json, Deserialize, Serialize};

use crate::config::Paths;
use crate::hosting::renewal::{NotRenewable, Running};
use crate::hosting::start::find_core;
use crate::install::agent::{self, own_executable, Agents};
use crate::install::state_file;
use crate::supervisor::Supervisor;
use crate::sys::{clock, file};

/// Renewals without proof, after which a version's core is left alone (docs/spec/failures.md, A1): another version brings another.
const MAX_TRIES: u32 = 3;
/// How long a core lives that has not taken the machine down at once.
const PROOF: Duration = Duration::from_secs(3);
/// The account's bound in bytes.
const MAX_FILE: u64 = 4096;
/// The image's own core has no tarball whose hash could name it.
const OF_IMAGE: &str = "image";

/// How often a core was begun, and has not yet shown that it lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct RenewAccount {
    /// The hash of the version whose core it is.
    version: String,
    tries: u32,
}

/// What is to be done about a core.
#[derive(Debug, PartialEq, Eq)]
enum RenewStep {
    Nothing,
    /// It runs: what was counted is over.
    Proven,
    /// It is begun, and this is first made durable.
    Begin(RenewAccount),
    GivenUp,
}

/// Has our own supervisord go on as the core that came with this agent, where another runs.
pub fn bring_core_along(paths: &Paths, supervisor: &Supervisor<'_>) {
    if !agent::is_known(paths) {
        return;
    }
    let Some((version, core)) = own_core(paths) else { return };
    let Some(running) = running(supervisor) else { return };
    let account = load(paths);
    match next(&account, &version, running.is(&core)) {
        RenewStep::Nothing => {}
        RenewStep::Proven => forgive(paths, &version),
        RenewStep::GivenUp => crate::debug!("{} was tried {MAX_TRIES} times: the core that runs stays", core.display()),
        RenewStep::Begin(account) => begin(paths, supervisor, &running, &core, &account),
    }
}

/// The core that came with this program, and the version by which it is known; `None`: this is not the version in charge, or it brought none.
fn own_core(paths: &Paths) -> Option<(String, PathBuf)> {
    let own = own_executable();
    let agents = Agents::load(paths);
    let has_arrived = agent::has_arrived(paths, &own);
    let version = match agents.resident() {
        Some(version) if agent::is_same(&own, &agent::executable(paths, version)) => version.sha256.clone(),
        None if !has_arrived => OF_IMAGE.to_string(),
        _ => return None,
    };
    let core = find_core(&own).ok()?;
    // The image's core is not that of a version which brought none: whether it knows the memory is not known.
    let is_own = !has_arrived || core.parent() == own.parent();
    (is_own && agent::is_program(&core)).then_some((version, core))
}

fn running(supervisor: &Supervisor<'_>) -> Option<Running> {
    let pid = supervisor.pid().map_err(|e| crate::debug!("{e}; hosting's core is not looked at")).ok()?;
    match Running::of(pid) {
        Ok(running) => Some(running),
        Err(NotRenewable::Foreign) => None,
        Err(NotRenewable::OtherLayout) => {
            crate::debug!("the core that hosts keeps its memory in another way than this agent's: it goes on");
            None
        }
        Err(NotRenewable::NoLink) => {
            crate::debug!("the core that hosts was started in a way by which no other can take over: it goes on");
            None
        }
    }
}

fn next(account: &RenewAccount, version: &str, runs: bool) -> RenewStep {
    let tries = if account.version == version { account.tries } else { 0 };
    match (runs, tries) {
        (true, 0) => RenewStep::Nothing,
        (true, _) => RenewStep::Proven,
        (false, tries) if tries >= MAX_TRIES => RenewStep::GivenUp,
        (false, tries) => RenewStep::Begin(RenewAccount { version: version.to_string(), tries: tries + 1 }),
    }
}

/// Counted durably, then done. One that lives for a while, and has not died since boot, has not taken the machine down.
fn begin(paths: &Paths, supervisor: &Supervisor<'_>, running: &Running, core: &Path, account: &RenewAccount) {
    if let Err(e) = save(paths, account) {
        crate::warning!("{e}; the core that hosts goes on");
        return;
    }
    let has_died = is_marked(paths, &account.version);
    mark(paths, &account.version);
    crate::info!("supervisord goes on as {}", core.display());
    if let Err(e) = running.go_on_as(core) {
        crate::warning!("supervisord cannot go on as {}: {e}", core.display());
        return;
    }
    let deadline = clock::since_boot() + PROOF;
    // A signal ends a sleep, and is for whoever waits for it.
    while !clock::sleep_until(deadline) {}
    if !running.is(core) {
        crate::warning!("supervisord did not go on as {}; its log says why", core.display());
    } else if !has_died && supervisor.is_up().unwrap_or(false) {
        forgive(paths, &account.version);
    }
}

fn forgive(paths: &Paths, version: &str) {
    if let Err(e) = save(paths, &RenewAccount { version: version.to_string(), tries: 0 }) {
        crate::warning!("{e}");
    }
}

/// Nothing, or anything that a power cut left: nothing was tried.
fn load(paths: &Paths) -> RenewAccount {
    state_file::peek(&account(paths), MAX_FILE).unwrap_or_default()
}

fn save(paths: &Paths, of: &RenewAccount) -> Result<(), file::FileError> {
    file::replace(&account(paths), json::to_string(of).as_bytes(), 0o644)
}

fn account(paths: &Paths) -> PathBuf {
    paths.agent().join("core.json")
}

/// Volatile: that this version's core was begun since boot. If it has to be begun again, it died.
fn is_marked(paths: &Paths, version: &str) -> bool {
    file::read(&marker(paths), MAX_FILE).ok().flatten().is_some_and(|text| text == version.as_bytes())
}

fn mark(paths: &Paths, version: &str) {
    if let Err(e) = file::write(&marker(paths), version.as_bytes()) {
        crate::debug!("{e}");
    }
}

fn marker(paths: &Paths) -> PathBuf {
    paths.run().join("core")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(version: &str, tries: u32) -> RenewAccount {
        RenewAccount { version: version.to_string(), tries }
    }

    #[test]
    fn a_core_is_begun_three_times_without_proof() {
        let begun = |tries| RenewStep::Begin(account("v", tries));
        for (before, runs, wanted) in [
            (account("", 0), true, RenewStep::Nothing),
            (account("", 0), false, begun(1)),
            (account("v", 2), false, begun(3)),
            (account("v", 3), false, RenewStep::GivenUp),
            (account("v", u32::MAX), false, RenewStep::GivenUp),
            (account("v", 1), true, RenewStep::Proven),
            // Another version brings another core.
            (account("u", 3), false, begun(1)),
            (account("u", 3), true, RenewStep::Nothing),
        ] {
            assert_eq!(next(&before, "v", runs), wanted, "{before:?} {runs}");
        }
    }
}
