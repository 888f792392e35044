//! The registry: which version of each app is installed, where, and which content is not taken again.
//!
//! Invariants: a version is recorded only after its success (docs/spec/failures.md, row 10); an older agent reads what a newer
//! one wrote and the other way round, so a field that is added later is an `Option`.

use std::path::{Path, PathBuf};

use miniserde::{json, Deserialize, Serialize};

use super::asked::AskedName;
use super::journal::Content;
use super::state_file;
use crate::app::TarballName;
use crate::sys::file::{self, FileError};

/// The registry's bound in bytes.
const MAX_FILE: u64 = 1024 * 1024;
/// How the reason begins for which a remembered content is refused.
pub const FAILED_BEFORE: &str = "this very content failed before";
/// How many refused contents are remembered; the oldest goes first.
const MAX_REFUSED: usize = 64;
/// Of how many apps that were taken away the last signature is known; the oldest goes first.
const MAX_REMOVED: usize = 64;
/// So much of the reason is remembered, in characters.
const MAX_WHY: usize = 200;

/// One installed app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// The app's name.
    pub name: String,
    /// The installed version, without the `v`.
    pub version: String,
    /// Which of its two folders it lives in: `apps/<name>/<slot>`.
    pub slot: String,
    /// Whether it has a `supervisor.conf`.
    pub hosted: bool,
    /// The time stamp of its signature, unix seconds: an older one is refused.
    pub signed_at: Option<u64>,
    /// What `engine_report` says beside the version, such as a roll-back.
    pub note: Option<String>,
}

/// A content that is not installed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The tarball's name.
    pub tarball: AskedName,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Its size and upload time, by which it is known again without a download; `None`: it came from disk.
    pub content: Option<Content>,
    /// Why, as the end of a sentence.
    pub why: Option<String>,
    /// `None`: it was installed, and rolled back. Else it was bad as it came: seen once, its bytes may have been damaged on the
    /// way (`true`); the same bytes a second time settle it (`false`).
    pub suspect: Option<bool>,
}

impl Refused {
    fn is_certain(&self) -> bool {
        self.suspect != Some(true)
    }
}

/// What is installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// In the order of their first install.
    pub apps: Vec<App>,
    /// Contents that are not taken again.
    pub refused: Vec<Refused>,
    /// Factory tarballs whose install was concluded, well or badly.
    pub factory: Vec<AskedName>,
    /// Signed apps that were taken away: an older signature of theirs is no way back. An older agent does not know this.
    pub removed: Option<Vec<Removed>>,
}

/// A signed app that was taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// The app's name.
    pub name: String,
    /// The time stamp of its last signature, unix seconds.
    pub signed_at: u64,
}

impl Registry {
    /// Nothing is installed.
    #[must_use]
    pub fn empty() -> Registry {
        Registry { apps: Vec::new(), refused: Vec::new(), factory: Vec::new(), removed: None }
    }

    /// Reads the registry. Missing, empty, zeroed or torn: empty, and the log says so.
    #[must_use]
    pub fn load(path: &Path) -> Registry {
        let without = "versions are unknown until apps are installed again";
        state_file::load(path, MAX_FILE, parse, without).unwrap_or_else(Registry::empty)
    }

    /// Writes the registry durably.
    ///
    /// # Errors
    /// The disk did not take it; the old registry is then still there.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        file::replace(path, json::to_string(self).as_bytes(), 0o644)
    }

    /// The installed app of that name.
    #[must_use]
    pub fn app(&self, name: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.name == name)
    }

    /// Records an install; replaces the app's older record, and is the last of all.
    pub fn record(&mut self, app: App) {
        self.apps.retain(|old| old.name != app.name);
        self.apps.push(app);
    }

    /// Remembers that this content is not taken again.
    pub fn refuse(&mut self, tarball: &str, sha256: String, content: Option<Content>, why: &str) {
        self.remember(tarball, sha256, content, why, None);
    }

    /// Remembers that this content is bad as it came; the second time it is not taken again.
    pub fn suspect(&mut self, tarball: &str, sha256: String, content: Option<Content>, why: &str) {
        let seen = self.refused.iter().any(|r| r.tarball == *tarball && r.sha256 == sha256);
        self.remember(tarball, sha256, content, why, Some(!seen));
    }

    fn remember(&mut self, tarball: &str, sha256: String, content: Option<Content>, why: &str, suspect: Option<bool>) {
        self.refused.retain(|r| !(r.tarball == *tarball && r.sha256 == sha256));
        self.refused.push(Refused {
            tarball: AskedName::new(tarball),
            sha256,
            content,
            why: Some(why.chars().take(MAX_WHY).collect()),
            suspect,
        });
        let excess = self.refused.len().saturating_sub(MAX_REFUSED);
        self.refused.drain(..excess);
    }

    /// Forgets an app that is taken away, and what was held against its contents; not how old a signature of it may be.
    pub fn remove(&mut self, name: &str) {
        let signed_at = self.signed_at(name);
        self.apps.retain(|app| app.name != name);
        self.refused.retain(|refused| refused.tarball.app() != name);
        let Some(signed_at) = signed_at else { return };
        let removed = self.removed.get_or_insert_with(Vec::new);
        removed.retain(|removed| removed.name != name);
        removed.push(Removed { name: name.to_string(), signed_at });
        let excess = removed.len().saturating_sub(MAX_REMOVED);
        removed.drain(..excess);
    }

    /// When the app was signed, as it is installed or was when it was taken away.
    #[must_use]
    pub fn signed_at(&self, name: &str) -> Option<u64> {
        let removed = || self.removed.iter().flatten().find(|removed| removed.name == name);
        match self.app(name) {
            Some(app) => app.signed_at,
            None => removed().map(|removed| removed.signed_at),
        }
    }

    /// Forgets what is held against the contents that are meant, and gives it.
    pub fn forgive(&mut self, is_meant: impl Fn(&Refused) -> bool) -> Vec<Refused> {
        let (meant, others) = self.refused.drain(..).partition(is_meant);
        self.refused = others;
        meant
    }

    /// Why this content is not taken; `None`: nothing is known against it.
    #[must_use]
    pub fn refusal(&self, tarball: &str, sha256: &str) -> Option<&Refused> {
        self.refused.iter().find(|r| r.is_certain() && r.tarball == *tarball && r.sha256 == sha256)
    }

    /// The same for what the content area holds, without a download.
    #[must_use]
    pub fn refusal_of_content(&self, tarball: &str, content: Content) -> Option<&Refused> {
        self.refused.iter().find(|r| r.is_certain() && r.tarball == *tarball && r.content == Some(content))
    }

    /// Every content that was rolled back, the newest first.
    pub fn rolled_back(&self) -> impl Iterator<Item = (TarballName, &Refused)> {
        let rolled_back = self.refused.iter().rev().filter(|r| r.suspect.is_none());
        rolled_back.filter_map(|refused| Some((refused.tarball.tarball().ok()?, refused)))
    }

    /// Whether the image brought that tarball, and its install was concluded.
    #[must_use]
    pub fn is_factory(&self, tarball: &TarballName) -> bool {
        self.factory.iter().any(|name| name.tarball().as_ref() == Ok(tarball))
    }

    /// Whether some content of that name was refused, so that a new one's hash is worth computing.
    #[must_use]
    pub fn has_refused(&self, tarball: &str) -> bool {
        self.refused.iter().any(|r| r.is_certain() && r.tarball == *tarball)
    }

    /// The slot that a new version goes to: never the one in use.
    #[must_use]
    pub fn free_slot(&self, name: &str) -> &'static str {
        match self.app(name) {
            Some(app) if app.slot == "a" => "b",
            _ => "a",
        }
    }
}

/// Where the registry is.
#[must_use]
pub fn path(state: &Path) -> PathBuf {
    state.join("install/registry.json")
}

/// Reads a registry's bytes; `None` for anything else.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Registry> {
    state_file::parse(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(name: &str, version: &str, slot: &str) -> App {
        App { name: name.into(), version: version.into(), slot: slot.into(), hosted: true, signed_at: None, note: None }
    }

    #[test]
    fn a_new_version_never_goes_to_the_slot_in_use() {
        let mut registry = Registry::empty();
        assert_eq!(registry.free_slot("x"), "a");
        registry.record(app("x", "1", "a"));
        assert_eq!(registry.free_slot("x"), "b");
        registry.record(app("x", "2", "b"));
        assert_eq!((registry.free_slot("x"), registry.apps.len()), ("a", 1));
    }

    #[test]
    fn refused_contents_are_remembered_by_hash_and_bounded() {
        let mut registry = Registry::empty();
        registry.refuse("x.v1.tar.gz", "h1".into(), None, "died");
        registry.refuse("x.v1.tar.gz", "h1".into(), None, "died again");
        assert_eq!(registry.refused.len(), 1);
        assert_eq!(registry.refusal("x.v1.tar.gz", "h1").and_then(|r| r.why.as_deref()), Some("died again"));
        assert!(registry.refusal("x.v1.tar.gz", "h2").is_none());
        for n in 0..100 {
            registry.refuse("y.v1.tar.gz", n.to_string(), None, "died");
        }
        assert_eq!(registry.refused.len(), MAX_REFUSED);
    }

    #[test]
    fn bad_bytes_are_refused_once_they_came_twice() {
        // trmnl-firmware#307: the same bad content sent again and again is not downloaded again.
        let mut registry = Registry::empty();
        let content = Content { size: 7, time: 1 };
        registry.suspect("x.v1.tar.gz", "h1".into(), Some(content), "no tar");
        assert!(registry.refusal("x.v1.tar.gz", "h1").is_none() && !registry.has_refused("x.v1.tar.gz"));
        registry.suspect("x.v1.tar.gz", "h2".into(), Some(content), "no tar");
        assert!(registry.refusal_of_content("x.v1.tar.gz", content).is_none());
        registry.suspect("x.v1.tar.gz", "h1".into(), Some(content), "no tar");
        assert!(registry.refusal_of_content("x.v1.tar.gz", content).is_some());
        assert!(registry.refusal("x.v1.tar.gz", "h2").is_none(), "the other one was seen once");
    }

    #[test]
    fn damage_is_an_empty_registry() {
        for bytes in [&b""[..], &[0; 64], b"{\"apps\":[{\"name\":1}]}", b"\xff"] {
            assert!(parse(bytes).is_none());
        }
        let mut registry = Registry::empty();
        registry.record(app("x", "1", "a"));
        assert_eq!(parse(json::to_string(&registry).as_bytes()), Some(registry));
    }
}
