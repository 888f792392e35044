//! A folder that is gone when the test is over.

use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder of its own for a test. `KEEP_SCRATCH=1` leaves it behind, to look into.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    /// Removes the folder when dropped.
    _guard: Option<TempDir>,
}

impl Scratch {
    /// A new, empty folder.
    #[allow(clippy::new_without_default, reason = "it does I/O")]
    pub fn new() -> Scratch {
        let guard = TempDir::with_prefix("gwe-test-").expect("a temporary folder can be made");
        if std::env::var_os("KEEP_SCRATCH").is_some() {
            let folder = guard.keep();
            eprintln!("scratch folder kept: {}", folder.display());
            return Scratch { folder, _guard: None };
        }
        Scratch { folder: guard.path().to_path_buf(), _guard: Some(guard) }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.folder
    }

    /// A path in it; a leading `/` counts from the folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.join(relative.trim_start_matches('/'))
    }

    /// Writes a file, and makes its folders.
    #[track_caller]
    pub fn write(&self, relative: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        let parent = path.parent().expect("a file in the scratch folder has a parent");
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, bytes))
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// Reads a file as text.
    #[track_caller]
    pub fn read(&self, relative: &str) -> String {
        let path = self.path(relative);
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether there is such a file or folder.
    pub fn has(&self, relative: &str) -> bool {
        self.path(relative).symlink_metadata().is_ok()
    }

    /// Every file, link and folder below a path, relative to the scratch folder and sorted; folders end in `/`.
    pub fn tree(&self, relative: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.path(relative)];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries.flatten() {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let path = entry.path();
                let shown = path.strip_prefix(&self.folder).unwrap_or(&path);
                found.push(format!("{}{}", shown.display(), if is_folder { "/" } else { "" }));
                if is_folder {
                    folders.push(path);
                }
            }
        }
        found.sort();
        found
    }
}
