//! What the checks share: a look at the disk, where a finding is an early end.

use crate::workload::Finding;
use std::fs;
use std::path::Path;

/// A value, or what is found instead.
pub type Step<T> = Result<T, Finding>;

/// Reads a file that must be there.
pub fn read(path: &Path) -> Step<Vec<u8>> {
    fs::read(path).map_err(|error| Finding::Lost(format!("{}: {error}", path.display())))
}

/// A folder that is empty or not there.
pub fn nothing_left(folder: &Path) -> Step<()> {
    match fs::read_dir(folder).into_iter().flatten().flatten().next() {
        Some(entry) => Err(Finding::Third(format!("left over: {}", entry.path().display()))),
        None => Ok(()),
    }
}
