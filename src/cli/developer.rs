//! What an app developer asks of `gwe` at a laptop.

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::operator::{complain, print};
use super::output;
use crate::app::{self, Overrides};

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
    verdict(&app::check(file))
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
