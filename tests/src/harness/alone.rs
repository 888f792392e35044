//! A test in a process of its own: the others are threads of one, so memory, threads and open files of "this process" are everybody's.

use super::command::run;
use std::env;
use std::process::Command;
use std::time::Duration;

/// Names the test that a process was started for.
const ALONE: &str = "GWE_ALONE";

/// Runs what measures its own process in one that runs nothing else. `path` is the test's, as `concat!(module_path!(), "::name")` gives it.
#[track_caller]
pub fn alone(path: &str, limit: Duration, body: impl FnOnce()) {
    let (_, name) = path.split_once("::").expect("a test's path begins with its crate");
    if env::var(ALONE).is_ok_and(|test| test == name) {
        return body();
    }
    let itself = env::current_exe().expect("a test knows its own path");
    let ran = run(Command::new(itself).args(["--exact", name, "--nocapture"]).env(ALONE, name), limit).ok();
    assert!(ran.stdout.contains("1 passed"), "no test of that name ran\n{}", ran.report());
}
