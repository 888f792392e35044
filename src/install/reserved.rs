//! Names that the image's own fragments have taken: an app of such a name would come in their place (docs/spec/failures.md, A13).
//! Which those are only the gateway knows; what every image keeps for itself is refused wherever a name is read
//! ([`crate::app::name`]).

use std::path::{Path, PathBuf};

use super::agent;
use super::fragment::{place, text_of};
use super::gateway::Gateway;
use crate::format::ini::Ini;

/// What supervisord reads on images of ours and of others: its configuration, and the folders that it includes.
const CONFIGURATIONS: [&str; 3] =
    ["/etc/gwe/supervisord.conf", "/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"];
const FOLDERS: [&str; 3] = ["/etc/gwe/supervisor.d", "/etc/supervisor/conf.d", "/etc/supervisor.d"];
/// So many files are looked at in a folder.
const MAX_FILES: usize = 256;
/// What a section may make of a name.
const KINDS: [&str; 4] = ["program", "group", "fcgi-program", "eventlistener"];

impl Gateway<'_> {
    /// Why this name is not to be had: a file of the image's own has a program of it.
    pub(super) fn reserved_by(&self, app: &str) -> Option<String> {
        if app == agent::APP {
            return None;
        }
        let paths = self.config.paths();
        let folders = FOLDERS.iter().map(|folder| paths.below_root(folder)).chain([self.config.fragments()]);
        let files = CONFIGURATIONS
            .iter()
            .map(|file| paths.below_root(file))
            .chain(folders.flat_map(|folder| conf_files(&folder)));
        let own = place(self, app);
        let mut others = files.filter(|path| *path != own || !self.is_ours(app, path));
        let file = others.find(|path| has_program(path, app))?;
        Some(format!("the app name is that of a program in the image's own {}: choose another", file.display()))
    }

    /// Whether the app's fragment is one that was put there for it, and not the image's.
    fn is_ours(&self, app: &str, path: &Path) -> bool {
        // Nobody else writes there. Elsewhere, it is known, or it names one of the app's own folders.
        path.starts_with(self.config.paths().state())
            || self.registry.app(app).is_some()
            || text_of(path).contains(&*self.config.paths().apps().join(app).to_string_lossy())
    }
}

fn conf_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "conf")).take(MAX_FILES).collect()
}

fn has_program(path: &Path, app: &str) -> bool {
    let Ok(ini) = Ini::parse(&text_of(path)) else { return false };
    let is_its = |name: &str| {
        let (kind, name) = name.split_once(':').unwrap_or_default();
        KINDS.contains(&kind) && name.trim() == app
    };
    ini.sections.iter().any(|section| is_its(&section.name))
}
