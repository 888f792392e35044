//! That whoever listens has seen an order: left for the check-in that follows, in the volatile folder, and taken by it.
//!
//! Invariant: without it a check-in does the same, in another order of requests and a second later.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Paths;
use crate::sys::file;

/// The mark's bound in bytes.
const MAX_FILE: u64 = 32;

fn path(paths: &Paths) -> PathBuf {
    paths.run().join("called")
}

/// Leaves it. `listens_since`, since boot, is when the check-in before had ended, and had written its last.
pub fn leave(paths: &Paths, listens_since: Duration) {
    if let Err(e) = file::write(&path(paths), listens_since.as_millis().to_string().as_bytes()) {
        crate::debug!("{e}");
    }
}

/// Takes it: since when was listened, where there is one.
pub(super) fn take(paths: &Paths) -> Option<Duration> {
    let path = path(paths);
    let left = file::read(&path, MAX_FILE).ok()??;
    if let Err(e) = file::remove(&path) {
        crate::debug!("{e}");
    }
    let milliseconds = std::str::from_utf8(&left).ok().and_then(|text| text.parse().ok());
    Some(Duration::from_millis(milliseconds.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_taken_once_whatever_stands_in_it() {
        let root = std::env::temp_dir().join(format!("gwe-call-{}", std::process::id()));
        let paths = Paths::new(&root);
        std::fs::create_dir_all(paths.run()).unwrap();
        assert_eq!(take(&paths), None);
        leave(&paths, Duration::from_millis(12_345));
        assert_eq!((take(&paths), take(&paths)), (Some(Duration::from_millis(12_345)), None));
        for torn in ["", "-1", "\0\0", "99999999999999999999999"] {
            std::fs::write(path(&paths), torn).unwrap();
            assert_eq!((take(&paths), take(&paths)), (Some(Duration::ZERO), None), "{torn:?}");
        }
        std::fs::remove_dir_all(root).unwrap();
    }
}
