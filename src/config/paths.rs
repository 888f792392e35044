//! Every path the program touches, under one root, so that it runs without being root in a folder (`--root DIR`, `GWE_ROOT`).
//!
//! Factory defaults are read-only files of the image under `/etc/gwe`; what is set or learned at run time lives under
//! `/var/lib/gwe`, so a read-only root works, and removing that but for [`Paths::security`] is a factory reset (docs/spec/gateway-engine.md).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment variable that moves the root.
pub const ROOT_VARIABLE: &str = "GWE_ROOT";

/// The paths under one root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// Paths below `root`; `/` on a gateway.
    pub fn new(root: impl Into<PathBuf>) -> Paths {
        Paths { root: root.into() }
    }

    /// The paths of a command line: below the root that it gives, else below [`ROOT_VARIABLE`]'s, else on the gateway itself.
    /// An empty one counts as none. A relative one counts from the current folder, now and for every program that is told.
    #[must_use]
    pub fn of(root: Option<OsString>) -> Paths {
        let given = |root: &OsString| !root.is_empty();
        let root = root.filter(given).or_else(|| std::env::var_os(ROOT_VARIABLE).filter(given));
        let root = root.map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let folder = if root.is_absolute() { PathBuf::new() } else { std::env::current_dir().unwrap_or_default() };
        Paths::new(folder.join(root))
    }

    /// The root itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// An absolute path of the gateway, moved below the root: `/var/log/a.log` becomes `ROOT/var/log/a.log`.
    pub fn below_root(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Factory defaults and trusted keys; read-only.
    #[must_use]
    pub fn factory(&self) -> PathBuf {
        self.below_root("/etc/gwe")
    }

    /// What was set or learned at run time; survives power loss, gone after a factory reset.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.below_root("/var/lib/gwe")
    }

    /// Volatile state: a tmpfs, empty after boot.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.below_root("/run/gwe")
    }

    /// minisign public keys (`*.pub`); with at least one, only signed tarballs are installed (docs/decisions.md, "Signed if told so").
    #[must_use]
    pub fn trusted_keys(&self) -> PathBuf {
        self.factory().join("trusted")
    }

    /// minisign public keys (`*.pub`) that sign sets of keys, and nothing else (docs/security.md, "Keys that age").
    #[must_use]
    pub fn root_keys(&self) -> PathBuf {
        self.factory().join("trusted-root")
    }

    /// The set of keys that the image itself brings.
    #[must_use]
    pub fn key_set(&self) -> PathBuf {
        self.factory().join("keys.json")
    }

    /// What outlives a factory reset: the set of keys that came over the air, and the security events.
    #[must_use]
    pub fn security(&self) -> PathBuf {
        self.state().join("security")
    }

    /// Tarballs that the image brings, installed once at first boot.
    #[must_use]
    pub fn apps_to_install(&self) -> PathBuf {
        self.below_root("/usr/share/gwe/apps_to_install")
    }

    /// Unpacked apps: `apps/<name>/<version>/`.
    #[must_use]
    pub fn apps(&self) -> PathBuf {
        self.state().join("apps")
    }

    /// Downloaded tarballs, partial ones and those kept to roll back to.
    #[must_use]
    pub fn downloads(&self) -> PathBuf {
        self.state().join("downloads")
    }

    /// The account of every request made by gwe, gmq and gdc; volatile and bounded.
    #[must_use]
    pub fn usage_log(&self) -> PathBuf {
        self.run().join("usage")
    }

    /// The account of the month's bytes, where they are limited.
    #[must_use]
    pub fn month_account(&self) -> PathBuf {
        self.state().join("month.json")
    }

    /// gmq's store.
    #[must_use]
    pub fn queue(&self) -> PathBuf {
        self.state().join("queue")
    }

    /// Agent versions that arrived over the air.
    #[must_use]
    pub fn agent(&self) -> PathBuf {
        self.state().join("agent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_below_the_root() {
        let paths = Paths::new("/scratch");
        assert_eq!(paths.state(), Path::new("/scratch/var/lib/gwe"));
        assert_eq!(paths.below_root("/var/run/supervisor.sock"), Path::new("/scratch/var/run/supervisor.sock"));
        assert_eq!(Paths::new("/").run(), Path::new("/run/gwe"));
    }
}
