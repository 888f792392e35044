//! Runs this program apart from the rest of the machine: with mounts and process ids of its own, so that when it ends,
//! however it ends, all that it has mounted and started is gone with it: file systems, loop devices, supervisord and what it
//! hosts.

use super::sys;
use super::trouble::Outcome;
use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Set for the program that runs apart.
const MARK: &str = "POWER_LOSS_APART";

/// Whether this is the program that runs apart already.
pub fn is_so() -> bool {
    env::var_os(MARK).is_some() && std::process::id() == 1
}

/// Runs this program again, apart, and waits for it; its exit status. Needs a process without threads.
pub fn run_again() -> Outcome<ExitCode> {
    let again = || {
        sys::own_mounts()?;
        sys::own_process_ids()?;
        let mut command = Command::new(env::current_exe()?);
        command.args(env::args_os().skip(1)).env(MARK, "1");
        sys::die_with_parent(&mut command);
        command.status()
    };
    let status = again().map_err(|error| format!("cannot run apart from the machine: {error}"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(super::TROUBLE)))
}

/// What the program that runs apart does first: `/proc` shows it its own processes.
pub fn settle_in() -> Outcome<()> {
    sys::mount(Path::new("proc"), Path::new("/proc"), "proc", "")
        .map_err(|error| format!("cannot mount /proc: {error}"))
}
