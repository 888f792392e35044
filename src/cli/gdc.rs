//! The command line of `gdc`.

use std::ffi::OsString;

/// Runs `gdc` with the given arguments (without the program's name) and returns its exit status.
#[must_use]
pub fn run(_arguments: Vec<OsString>) -> u8 {
    2
}
