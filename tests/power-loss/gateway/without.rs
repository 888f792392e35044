//! The agent with one kind of sync taken away, to see that the experiment misses it.

use crate::trouble::{Doing, Outcome};
use gwe_tests::harness::run;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const SOURCE: &str = include_str!("without.c");
/// The kinds that can be taken away.
pub const KINDS: [&str; 4] = ["fsync-file", "fsync-folder", "fdatasync", "syncfs"];
const LIMIT: Duration = Duration::from_secs(60);

/// What is taken away, and the library that does it.
static WITHOUT: OnceLock<(String, PathBuf)> = OnceLock::new();

/// From now on the agent runs without that kind of sync. Needs a C compiler; its work is left in `folder`.
pub fn run_without(kind: &str, folder: &Path) -> Outcome<()> {
    let (source, library) = (folder.join("without.c"), folder.join("without.so"));
    fs::write(&source, SOURCE).doing("write", &source)?;
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl");
    let ran = run(&mut compiler, LIMIT);
    if ran.code != Some(0) {
        return Err(ran.report());
    }
    WITHOUT.set((kind.to_string(), library)).map_err(|_| "only one kind of sync can be taken away".to_string())
}

/// Has a command of the agent run so.
pub fn apply(command: &mut Command) {
    if let Some((kind, library)) = WITHOUT.get() {
        command.env("WITHOUT", kind).env("LD_PRELOAD", library);
    }
}
