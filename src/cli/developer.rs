//! What an app developer asks of `gwe` at a laptop.

use std::path::Path;

use super::operator::{complain, print};
use crate::app::{self, Fault};

/// Checks a tarball: `[PASS]`, or each fault.
#[must_use]
pub fn check_tarball(file: &Path) -> u8 {
    verdict(&app::check(file))
}

fn verdict(faults: &[Fault]) -> u8 {
    if faults.is_empty() {
        return print("[PASS]\n");
    }
    for fault in faults {
        let _ = print(&format!("[FAIL] {fault}\n"));
    }
    complain(&format!("gwe: {} fault(s)", faults.len()));
    1
}

/// Building is being wired in.
#[must_use]
pub fn not_yet(file: &Path) -> u8 {
    complain(&format!("gwe: cannot build {} with this version", file.display()));
    1
}
