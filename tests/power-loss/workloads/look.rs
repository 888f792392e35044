//! What the workloads share: a look at the disk, where a finding is an early end, and what an update of version 1 to 2 leads to.

use crate::workload::Finding;
use gwe::install::journal;
use std::fs;
use std::path::Path;

/// A value, or what is found instead.
pub type Step<T> = Result<T, Finding>;

/// Reads a file that must be there.
pub fn read(path: &Path) -> Step<Vec<u8>> {
    fs::read(path).map_err(|error| Finding::Lost(format!("{}: {error}", path.display())))
}

/// The journal holds the install of this tarball.
pub fn is_pending(root: &Path, tarball: &str) -> Step<()> {
    let path = journal::path(&root.join("var/lib/gwe"));
    let journal = journal::parse(&read(&path)?).ok_or(Finding::Third("the journal is damaged".to_string()))?;
    match journal.jobs.iter().any(|job| *job.name == *tarball) {
        true => Ok(()),
        false => Err(Finding::Lost("the request was taken, and is not in the journal".to_string())),
    }
}

/// What `fetch_status` has to say of version 2 where this version is there in the end.
pub fn report(app: &str, ends_with: usize) -> String {
    match ends_with {
        2 => format!("[gwe] installed {app} v2 in "),
        _ => format!("[gwe] rolled back {app} v2 to v1: "),
    }
}

/// A folder that is empty or not there.
pub fn nothing_left(folder: &Path) -> Step<()> {
    match fs::read_dir(folder).into_iter().flatten().flatten().next() {
        Some(entry) => Err(Finding::Third(format!("left over: {}", entry.path().display()))),
        None => Ok(()),
    }
}
