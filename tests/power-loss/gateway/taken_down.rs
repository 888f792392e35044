//! Check-ins that an app may end together with all the rest, as one that takes the whole machine down does.

use super::{Agent, Boot, Hosting};
use crate::trouble::{Doing, Outcome};
use gwe_tests::harness::{Background, Scratch};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

/// How long a check-in may take.
const LIMIT: Duration = Duration::from_secs(120);
/// The file in `/run` where such an app finds the process of the check-in.
pub const NUMBER: &str = "agent.pid";

/// A check-in that has ended.
#[derive(Debug)]
pub struct CheckIn {
    /// Its exit status; `None`: it was taken down, and the gateway has booted since.
    pub code: Option<i32>,
    /// What it said.
    pub said: String,
}

/// Checks in once. Where that is taken down, so is all that supervisord hosts, and it comes back as a boot brings it.
pub fn check_in(agent: &Agent, boot: &Boot, hosting: &Hosting) -> Outcome<CheckIn> {
    let log = Scratch::new();
    let mut process = Background::start(&mut agent.command("gwe", &["--once"]), &log, "gwe");
    let number = boot.volatile(NUMBER);
    fs::write(&number, process.pid().to_string()).doing("write", &number)?;
    let status = process.wait(LIMIT).ok_or_else(|| format!("a check-in does not end\n{}", process.log()))?;
    fs::remove_file(&number).doing("remove", &number)?;
    if status.signal().is_some() {
        hosting.end_all()?;
        hosting.boot().map_err(|error| error.to_string())?;
    }
    Ok(CheckIn { code: status.code(), said: process.log() })
}
