//! The command line of `gmq`.

use std::ffi::OsString;

/// Runs `gmq` with the given arguments (without the program's name) and returns its exit status.
#[must_use]
pub fn run(_arguments: Vec<OsString>) -> u8 {
    2
}
