//! The command line of `gwe`.

use std::ffi::OsString;

/// Runs `gwe` with the given arguments (without the program's name) and returns its exit status.
#[must_use]
pub fn run(_arguments: Vec<OsString>) -> u8 {
    2
}
