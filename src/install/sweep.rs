//! What installs leave on disk: of concluded ones what is in use, and nothing else.
//!
//! Invariant: asked for any number of times, at any moment between two steps, it takes away the same: so it comes after the
//! journal has a verdict, never before, and a crash in between costs nothing.

use std::path::{Path, PathBuf};

use super::agent::{self, Agents};
use super::fetch::part_of;
use super::fragment;
use super::gateway::Gateway;
use super::journal::Job;
use crate::sys::file;

/// The two folders of an app.
const SLOTS: [&str; 2] = ["a", "b"];
/// So many strange files are removed at once; the rest is left to the next check-in.
const MAX_STRAYS: usize = 1000;

impl Gateway<'_> {
    /// Removes downloads that no pending job waits for, and slots that nothing uses.
    pub(super) fn sweep(&self) {
        self.sweep_downloads();
        for app in &self.registry.apps {
            for slot in SLOTS {
                self.sweep_slot(&app.name, slot);
            }
        }
        for job in self.journal.jobs.iter().filter(|job| job.state.is_terminal() && !job.slot.is_empty()) {
            let Ok(name) = job.name.tarball() else { continue };
            // What else is there of an app that the registry does not know, a registry that was lost may have known.
            if self.registry.app(name.app()).is_none() {
                self.sweep_slot(name.app(), &job.slot);
                let _ = std::fs::remove_dir(self.config.paths().apps().join(name.app()));
            }
        }
    }

    /// The slot that a new version of the app goes to.
    pub(super) fn free_slot(&self, app: &str) -> &'static str {
        let unused = |slot: &&&str| !self.is_in_use(app, slot);
        // Where the registry was lost, a slot that is not there is surely not in use.
        let missing = SLOTS.iter().filter(unused).find(|slot| !self.slot(app, slot).exists());
        missing.or_else(|| SLOTS.iter().find(unused)).copied().unwrap_or_else(|| self.registry.free_slot(app))
    }

    /// A slot's folder.
    pub(super) fn slot(&self, app: &str, slot: &str) -> PathBuf {
        self.config.paths().apps().join(app).join(slot)
    }

    fn sweep_slot(&self, app: &str, slot: &str) {
        let folder = self.slot(app, slot);
        if !folder.exists() || self.is_in_use(app, slot) || self.is_awaited(app, slot) {
            return;
        }
        if let Err(e) = file::remove_tree(&folder) {
            crate::warning!("{e}");
        }
    }

    /// Whether an installed version lives there.
    fn is_in_use(&self, app: &str, slot: &str) -> bool {
        if self.registry.app(app).is_some_and(|app| app.slot == slot) {
            return true;
        }
        if app == agent::APP {
            // The version before is kept, to fall back on (freenet-core#4591).
            let agents = Agents::load(self.config.paths());
            return [agents.current, agents.previous].iter().flatten().any(|version| version.slot == slot);
        }
        // After a crash, with the registry or the journal lost, supervisord's fragment tells.
        let text = fragment::text_of(&fragment::place(self, app));
        text.contains(&*self.slot(app, slot).to_string_lossy())
    }

    /// Whether a pending install has it.
    fn is_awaited(&self, app: &str, slot: &str) -> bool {
        let is_its = |job: &Job| job.name.tarball().is_ok_and(|name| name.app() == app) && job.slot == slot;
        self.journal.jobs.iter().any(|job| !job.state.is_terminal() && is_its(job))
    }

    fn sweep_downloads(&self) {
        let folder = self.config.paths().downloads();
        let Ok(entries) = std::fs::read_dir(&folder) else { return };
        let pending = self.journal.jobs.iter().filter(|job| !job.factory && !job.state.is_terminal());
        let awaited: Vec<PathBuf> =
            pending.map(|job| self.tarball(job)).flat_map(|whole| [part_of(&whole), whole]).collect();
        for entry in entries.flatten().take(MAX_STRAYS) {
            let path = entry.path();
            if !awaited.contains(&path) {
                remove(&path);
            }
        }
    }
}

fn remove(path: &Path) {
    crate::debug!("removing {}, which nothing waits for", path.display());
    let removed = if path.is_dir() { file::remove_tree(path) } else { file::remove(path) };
    if let Err(e) = removed {
        crate::warning!("{e}");
    }
}
