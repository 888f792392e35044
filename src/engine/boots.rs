//! Why the machine booted, kept over boots (docs/spec/failures.md, F6).
//!
//! Invariants: the engine writes once a boot, at its start, and once when it is told to stop; who restarts it in one boot pays for one more,
//! which takes the note of the stop back. No check-in writes. Whatever becomes of the file, counting begins anew and nothing else does.

use std::path::PathBuf;

use miniserde::json;

use crate::config::Paths;
use crate::install::{security, state_file};
use crate::report::boot::{self, Boots, Evidence};
use crate::sys::{epoch, file, host};

/// The file's name in the state folder.
const FILE_NAME: &str = "boots.json";
/// Its bound in bytes.
const MAX_FILE: u64 = 1024;
const MODE: u32 = 0o644;
/// What the driver of the watchdog says about the last boot.
const WATCHDOG: &str = "/sys/class/watchdog/watchdog0/bootstatus";

/// The engine starts.
pub fn began(paths: &Paths) {
    keep(paths, false);
}

/// The engine was told to stop: perhaps the machine is shut down, which the next start sees.
pub fn ended(paths: &Paths) {
    keep(paths, true);
}

/// What is known now, without writing it; `None` where the kernel does not say which boot this is.
#[must_use]
pub fn now(paths: &Paths) -> Option<Boots> {
    counted(paths, load(paths))
}

fn keep(paths: &Paths, ended: bool) {
    let known = load(paths);
    let Some(now) = counted(paths, known.clone()) else { return };
    let now = Boots { ended, since: now.since.or_else(time), ..now };
    let is_kept = known.is_some_and(|known| Boots { since: now.since, ..known } == now);
    if is_kept {
        return;
    }
    if let Err(e) = file::replace(&path(paths), json::to_string(&now).as_bytes(), MODE) {
        crate::warning!("{e}; why the machine boots next may be told wrongly");
    }
}

fn counted(paths: &Paths, known: Option<Boots>) -> Option<Boots> {
    let boot = host::boot_id()?;
    let bootstatus = file::read(&paths.below_root(WATCHDOG), MAX_FILE).ok().flatten().unwrap_or_default();
    let evidence = Evidence {
        reset: known.is_none() && security::was_reset(paths, &boot),
        watchdog: boot::is_watchdogs(&String::from_utf8_lossy(&bootstatus)),
    };
    Some(boot::counted(known, &boot, evidence, time()))
}

fn time() -> Option<u64> {
    epoch::now()
}

fn path(paths: &Paths) -> PathBuf {
    paths.state().join(FILE_NAME)
}

fn load(paths: &Paths) -> Option<Boots> {
    state_file::load(&path(paths), MAX_FILE, state_file::parse, "the boots are counted anew")
}
