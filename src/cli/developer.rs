//! What an app developer asks of `gwe` at a laptop.

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::operator::{complain, print};
use super::output;
use crate::app::{self, KeySet, Overrides, TarballName};

const NOT_HERE: &str =
    "the developer's tools are not in this gwe, which was built for a gateway; they are in the one that `make` or \
                        `cargo build` makes on a developer's machine";

/// Runs one of the developer's tools, where they were built in. Images leave the feature out, and what is never called is not linked.
#[must_use]
pub fn tool(run: impl FnOnce() -> u8) -> u8 {
    tool_if(cfg!(feature = "developer-tools"), run)
}

fn tool_if(is_here: bool, run: impl FnOnce() -> u8) -> u8 {
    if is_here {
        return run();
    }
    complain(NOT_HERE);
    2
}

/// Asks for file name, app name and version, and writes the buildfile into the current folder. What is asked goes to stdout.
#[must_use]
pub fn create_buildfile() -> u8 {
    match app::create_buildfile(Path::new("."), &mut io::stdin().lock(), &mut io::stdout()) {
        Ok(path) => {
            let path = path.strip_prefix(".").unwrap_or(&path);
            print(&format!("\nwrote {}; edit it, then: gwe --build-app {0}\n", path.display()))
        }
        Err(e) => {
            complain(&format!("no buildfile is written: {e}"));
            1
        }
    }
}

/// Checks a buildfile: `[PASS]`, or each fault.
#[must_use]
pub fn check_buildfile(file: &Path) -> u8 {
    verdict(&app::check_buildfile(file))
}

/// Checks a tarball, or a delta by its name: `[PASS]`, or each fault.
#[must_use]
pub fn check_tarball(file: &Path) -> u8 {
    if file.extension().is_some_and(|extension| extension == "delta") {
        return verdict(&app::delta::check(file));
    }
    verdict(&app::check(file)).max(of_set(file))
}

/// Says of a good set of keys that it is one: nobody takes it for an app.
fn of_set(file: &Path) -> u8 {
    let Ok(name) = TarballName::of_path(file) else { return 0 };
    if name.app() != app::name::KEY_SET {
        return 0;
    }
    match KeySet::read_package(file, &name) {
        Ok((set, _)) => {
            let revoked = set.keys.iter().filter(|key| key.term.revoked).count();
            print(&format!("a set of keys, v{}: {} keys, {revoked} of them revoked\n", set.version, set.keys.len()))
        }
        Err(_) => 0,
    }
}

/// Builds an app's tarball into the current folder, and prints its full path; or each fault, to stderr, since stdout is for the
/// path alone.
#[must_use]
pub fn build_app(buildfile: &Path, name: Option<&str>, version: Option<&str>) -> u8 {
    match app::build(buildfile, &Overrides { name, version }, Path::new(".")) {
        Ok(tarball) => output::print("gwe", &[tarball.as_os_str().as_bytes(), b"\n"].concat()),
        Err(e) => {
            for fault in e.to_string().lines() {
                complain(&format!("[FAIL] {fault}"));
            }
            complain(&format!("{} is not built", buildfile.display()));
            1
        }
    }
}

fn verdict(faults: &[impl fmt::Display]) -> u8 {
    if faults.is_empty() {
        return print("[PASS]\n");
    }
    let mut text = String::new();
    for fault in faults {
        text.push_str(&format!("[FAIL] {fault}\n"));
    }
    print(&text).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_was_left_out_is_a_wrong_usage() {
        let mut has_run = false;
        assert_eq!(tool_if(false, || 0), 2);
        let status = tool_if(true, || {
            has_run = true;
            1
        });
        assert!(has_run && status == 1);
    }
}
