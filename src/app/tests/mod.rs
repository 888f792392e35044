//! Tests of the room as a whole: archives built by hand, byte by byte where need be.

mod archive;
mod good;
mod hostile;
mod hostile_rows;

use std::path::{Path, PathBuf};

/// A folder of its own for a test, removed when dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("gwe-app-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A folder in it, made.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// A file in it, written.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Every path below `root` with its kind, mode and content, sorted: what two trees are compared by.
pub(crate) fn listing(root: &Path) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt;
    let mut lines = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.strip_prefix(root).unwrap().display();
            let kind = std::fs::symlink_metadata(&path).unwrap();
            let mode = kind.permissions().mode() & 0o7777;
            if kind.is_symlink() {
                lines.push(format!("{shown} -> {}", std::fs::read_link(&path).unwrap().display()));
            } else if kind.is_dir() {
                lines.push(format!("{shown}/ {mode:o}"));
                folders.push(path);
            } else {
                lines.push(format!("{shown} {mode:o} {:?}", String::from_utf8_lossy(&std::fs::read(&path).unwrap())));
            }
        }
    }
    lines.sort();
    lines
}
