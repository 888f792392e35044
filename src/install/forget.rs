//! What is held against a content is forgotten, so that it is tried again: an order with `"force": true` means one tarball, and
//! `gwe --forget` an app's, or all (docs/spec/failures.md, case 01).
//!
//! Invariant: only failures are forgotten. What a signature, a hash or a name forbids stays forbidden.

use super::agent::{self, Agents};
use super::asked::AskedName;
use super::gateway::Gateway;
use super::local::{self, LocalError, ALL};
use super::lock;
use super::registry::{self, Refused, Registry};
use crate::app::TarballName;
use crate::config::{Config, Paths};
use crate::sys::file::FileError;

impl Gateway<'_> {
    /// Forgets what is held against a tarball of that name. Where the disk does not take it, this try goes on all the same.
    pub(super) fn forgive(&mut self, name: &TarballName) {
        let tarball = name.to_string();
        let forgiven = self.registry.forgive(|refused| refused.tarball == *tarball);
        let saved = if forgiven.is_empty() { Ok(()) } else { self.save_registry() };
        let is_agent = name.app() == agent::APP;
        let is_it = |version: &str| is_agent && version == name.version();
        match saved.and_then(|()| forgive_agent(self.config.paths(), is_it)) {
            Ok(_) => crate::info!("{tarball} is tried although it may have failed before: it is ordered so"),
            Err(e) => crate::warning!("{e}; {tarball} may be refused again"),
        }
    }
}

/// Forgets all that is held against the contents of an app, or of [`ALL`]; a line for each.
///
/// # Errors
/// An install is running, or the disk did not take it.
pub fn forget(config: &Config, app: &str) -> Result<Vec<String>, LocalError> {
    let paths = config.paths();
    let _lock = lock(paths, local::PATIENCE).map_err(LocalError::File)?.ok_or(LocalError::Busy)?;
    let path = registry::path(&paths.state());
    let mut registry = Registry::load(&path);
    let is_meant = |name: &str| app == ALL || app == name;
    let forgiven = registry.forgive(|refused| is_meant(refused.tarball.app()));
    // What the image brought and could not be installed: it is there to be tried again.
    let apps = paths.apps();
    let known: Vec<String> = registry.apps.iter().map(|app| app.name.clone()).collect();
    let is_missing = |name: &str| known.iter().all(|known| known != name) && !apps.join(name).exists();
    let (again, factory): (Vec<AskedName>, _) =
        registry.factory.drain(..).partition(|tarball| is_meant(tarball.app()) && is_missing(tarball.app()));
    registry.factory = factory;
    if !forgiven.is_empty() || !again.is_empty() {
        registry.save(&path).map_err(LocalError::File)?;
    }
    let dropped = forgive_agent(paths, |_| is_meant(agent::APP)).map_err(LocalError::File)?;
    let lines = forgiven.iter().map(told).chain(dropped);
    Ok(lines.chain(again.into_iter().map(|tarball| [&tarball, ": the image's, not installed"].concat())).collect())
}

fn told(refused: &Refused) -> String {
    [&refused.tarball, ": ", refused.why.as_deref().unwrap_or("it was rolled back")].concat()
}

/// A version of the agent that was dropped without an order that waited for it is known beside the registry.
fn forgive_agent(paths: &Paths, is_meant: impl Fn(&str) -> bool) -> Result<Option<String>, FileError> {
    let agents = Agents::load(paths);
    let Some(dropped) = agents.dropped.clone().filter(|dropped| is_meant(&dropped.version.version)) else {
        return Ok(None);
    };
    Agents { dropped: None, ..agents }.save(paths)?;
    Ok(Some(format!("{}.v{}.tar.gz: {}", agent::APP, dropped.version.version, dropped.why)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::agent::{Dropped, Version};

    #[test]
    fn an_app_is_forgotten_and_no_other_and_the_agent_s_dropped_version_with_it() {
        let dir = std::env::temp_dir().join(format!("gwe-forget-{}", std::process::id()));
        let config = Config::load(Paths::new(&dir));
        let path = registry::path(&config.paths().state());
        let mut registry = Registry::empty();
        for tarball in ["a.v1.tar.gz", "a.v2.tar.gz", "ab.v1.tar.gz", "gwe.v1.tar.gz"] {
            registry.refuse(tarball, tarball.to_string(), None, "it died");
        }
        registry.save(&path).unwrap();
        let version = Version { version: "2".into(), slot: "a".into(), sha256: "h".into() };
        let dropped = Some(Dropped { version, why: "it crashed".into() });
        Agents { dropped, ..Agents::factory() }.save(config.paths()).unwrap();
        let rows: [(&str, &[&str]); 5] = [
            ("b", &[]),
            ("a", &["a.v1.tar.gz: it died", "a.v2.tar.gz: it died"]),
            ("gwe", &["gwe.v1.tar.gz: it died", "gwe.v2.tar.gz: it crashed"]),
            (ALL, &["ab.v1.tar.gz: it died"]),
            (ALL, &[]),
        ];
        for (app, lines) in rows {
            assert_eq!(forget(&config, app).unwrap(), lines, "{app}");
        }
        assert_eq!(Registry::load(&path), Registry::empty());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
