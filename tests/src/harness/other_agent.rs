//! Other versions of the built agent.

use super::command::run;
use super::gateway::agent_binary;
use super::scratch::Scratch;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

/// The version of the built agent.
const BUILT: &str = env!("CARGO_PKG_VERSION");
const LIMIT: Duration = Duration::from_secs(30);

/// The built agent with another version of the same length in it: another version in every respect that counts.
#[track_caller]
pub fn agent_of(version: &str) -> Vec<u8> {
    assert_eq!(version.len(), BUILT.len());
    let mut bytes = fs::read(agent_binary()).expect("the agent can be read");
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(BUILT.len()).position(|part| part == BUILT.as_bytes()) {
        at += found;
        bytes[at..at + version.len()].copy_from_slice(version.as_bytes());
        at += version.len();
    }
    let scratch = Scratch::new();
    let program = scratch.write("gwe", &bytes);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
    assert_eq!(run(Command::new(&program).arg("--version"), LIMIT).ok().stdout, format!("{version}\n"));
    bytes
}
