//! Which files a tarball is made of: the includes, folders taken whole, without the excludes.
//!
//! Invariant: a symbolic link is kept as a link and never followed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::glob;
use super::BuildError;
use crate::app::limits::MAX_DEPTH;
use crate::app::name::TarballName;
use crate::app::tarball::UnpackLimits;
use crate::sys::file::{Context, FileError};

/// So many names are looked at while globs are matched.
const MAX_LOOKED_AT: usize = 500_000;

/// The paths below `folder`, sorted, folders before what is in them.
///
/// # Errors
/// An include that matches nothing (all such at once), too many files, a folder that cannot be read.
pub(super) fn collect(
    folder: &Path,
    includes: &[String],
    excludes: &[String],
    tarball: &TarballName,
) -> Result<BTreeSet<PathBuf>, BuildError> {
    let mut collector = FileCollector {
        folder,
        excludes: excludes.iter().map(|e| Exclude::new(e)).collect(),
        tarball,
        paths: BTreeSet::new(),
        looked_at: 0,
    };
    let mut missing = Vec::new();
    for include in includes {
        let found = collector.expand(include)?;
        if found.is_empty() {
            missing.push(include.clone());
        }
        for path in found {
            collector.take(path)?;
        }
    }
    if missing.is_empty() {
        Ok(collector.paths)
    } else {
        Err(BuildError::Missing(missing))
    }
}

struct FileCollector<'a> {
    folder: &'a Path,
    excludes: Vec<Exclude>,
    tarball: &'a TarballName,
    paths: BTreeSet<PathBuf>,
    looked_at: usize,
}

/// A pattern of what is left out: with a `/` inside, it is about whole paths; without, about a name at any depth.
struct Exclude {
    parts: Vec<Vec<char>>,
    anywhere: bool,
}

impl Exclude {
    fn new(text: &str) -> Exclude {
        Exclude { parts: glob::parts(text), anywhere: !text.trim_end_matches('/').contains('/') }
    }

    fn matches(&self, names: &[Vec<char>]) -> bool {
        match (self.anywhere, self.parts.as_slice(), names.last()) {
            (true, [pattern], Some(name)) => glob::name_matches(pattern, name),
            _ => !self.parts.is_empty() && glob::path_matches(&self.parts, names),
        }
    }
}

impl FileCollector<'_> {
    /// What an include stands for: the path itself, or all that matches its glob.
    fn expand(&mut self, include: &str) -> Result<Vec<PathBuf>, BuildError> {
        let parts: Vec<&str> = include.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let mut found = Vec::new();
        // A path that exists so far, and the first part of the pattern that is still to be matched.
        let mut open = vec![(PathBuf::new(), 0)];
        while let Some((path, at)) = open.pop() {
            match parts.get(at) {
                None => found.push(path),
                Some(&"**") => {
                    let last = at + 1 == parts.len();
                    for name in self.names(&path)? {
                        let below = path.join(&name);
                        if hidden(&name) {
                            continue;
                        }
                        if last {
                            found.push(below.clone());
                        }
                        if self.is_folder(&below) {
                            open.push((below, at));
                        }
                    }
                    if !last {
                        open.push((path, at + 1));
                    }
                }
                Some(part) if glob::is_glob(part) => {
                    let pattern: Vec<char> = part.chars().collect();
                    for name in self.names(&path)? {
                        let text: Vec<char> = name.to_string_lossy().chars().collect();
                        // As in a shell: `*` does not mean hidden files.
                        if (!hidden(&name) || part.starts_with('.')) && glob::name_matches(&pattern, &text) {
                            open.push((path.join(&name), at + 1));
                        }
                    }
                }
                Some(part) => {
                    let below = path.join(part);
                    if fs::symlink_metadata(self.folder.join(&below)).is_ok() {
                        open.push((below, at + 1));
                    }
                }
            }
        }
        Ok(found)
    }

    /// Adds a path, and all below it where it is a folder.
    fn take(&mut self, path: PathBuf) -> Result<(), BuildError> {
        if self.is_excluded_with_parents(&path) {
            return Ok(());
        }
        let mut open = vec![path];
        while let Some(path) = open.pop() {
            if self.is_folder(&path) {
                if path.components().count() > MAX_DEPTH {
                    return Err(BuildError::TooDeep(path));
                }
                for name in self.names(&path)? {
                    let below = path.join(name);
                    if !self.is_excluded(&below) {
                        open.push(below);
                    }
                }
            }
            if !path.as_os_str().is_empty() && self.paths.insert(path) {
                let most = UnpackLimits::default().entries;
                if self.paths.len() > most as usize {
                    return Err(BuildError::TooMany(most));
                }
            }
        }
        Ok(())
    }

    fn is_excluded_with_parents(&self, path: &Path) -> bool {
        path.ancestors().any(|path| !path.as_os_str().is_empty() && self.is_excluded(path))
    }

    fn is_excluded(&self, path: &Path) -> bool {
        let names = glob::parts(&path.to_string_lossy());
        self.excludes.iter().any(|exclude| exclude.matches(&names)) || self.is_own_tarball(path)
    }

    /// What earlier builds left in the same folder would make every build differ from the one before.
    fn is_own_tarball(&self, path: &Path) -> bool {
        let name = path.to_str().unwrap_or_default();
        let name = name.strip_prefix('.').and_then(|name| name.strip_suffix(".new")).unwrap_or(name);
        let name = name.strip_suffix(".minisig").unwrap_or(name);
        TarballName::parse(name).is_ok_and(|name| name.app() == self.tarball.app())
    }

    fn is_folder(&self, path: &Path) -> bool {
        fs::symlink_metadata(self.folder.join(path)).is_ok_and(|facts| facts.is_dir())
    }

    /// The names in a folder; none where it is no folder.
    fn names(&mut self, path: &Path) -> Result<Vec<std::ffi::OsString>, BuildError> {
        let folder = self.folder.join(path);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).context("read", &folder)? {
            names.push(entry.map_err(|e| FileError::new("read", &folder, e))?.file_name());
            self.looked_at += 1;
            if self.looked_at > MAX_LOOKED_AT {
                return Err(BuildError::TooMany(UnpackLimits::default().entries));
            }
        }
        Ok(names)
    }
}

fn hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}
