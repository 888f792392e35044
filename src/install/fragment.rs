//! An app's fragment in supervisord's folder: what is there while a version settles is not what a boot would start.
//!
//! Invariant: until a version has settled, the durable fragment has `autostart = false`, so that a boot starts it only by way of
//! the journal, which counts the try first (docs/spec/failures.md, A1). supervisord itself has read the version's own fragment, so
//! that nothing differs for it, and `supervisorctl update` restarts nothing, once that is in place for good.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::gateway::Gateway;
use super::hold;
use crate::app::{self, FragmentDefaults, ThisGateway};
use crate::format::ini::Ini;
use crate::format::own_options::{AFTER, AFTER_TIMEOUT};
use crate::supervisor::{Changes, Environment, Supervisor, SupervisorError};
use crate::sys::file::{self, FileError};

/// The largest `supervisor.conf`, in bytes; the tarball's checks have seen it.
const MAX_CONF: u64 = 64 * 1024;
/// The largest fragment that is looked into, in bytes: a `supervisor.conf` with what is added to it.
const MAX_FRAGMENT: u64 = 2 * MAX_CONF;

/// The fragment of one app.
pub struct Fragment {
    place: PathBuf,
    text: String,
}

impl Fragment {
    /// What the version in `folder` wants; `Ok(None)` for an app without `supervisor.conf`. Without the `environment` of supervisord,
    /// what that has to bring is not looked at.
    ///
    /// # Errors
    /// Why this gateway cannot have it, as the end of a sentence.
    pub fn of(
        gateway: &Gateway<'_>,
        app: &str,
        folder: &Path,
        environment: Option<Environment>,
    ) -> Result<Option<Fragment>, String> {
        let Some(bytes) = file::read(&folder.join("supervisor.conf"), MAX_CONF).map_err(|e| e.to_string())? else {
            return Ok(None);
        };
        let log_file = log_of(gateway, app);
        let defaults = FragmentDefaults { log_file: &log_file, directory: folder };
        let host = ThisGateway::new(&gateway.config.logs(), &gateway.config.fragments(), environment);
        let text = app::fragment(app, &String::from_utf8_lossy(&bytes), &defaults, &host).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            format!("supervisor.conf: {}", faults.join("; "))
        })?;
        Ok(Some(Fragment { place: place(gateway, app), text: hold::told(gateway.config.paths(), app, &text) }))
    }

    /// The one in place; empty where there is none.
    pub(super) fn placed(gateway: &Gateway<'_>, app: &str) -> Fragment {
        let place = place(gateway, app);
        Fragment { text: text_of(&place), place }
    }

    /// The value of an option, as supervisord will read it.
    pub fn value(&self, key: &str) -> Option<String> {
        let ini = Ini::parse(&self.text).ok()?;
        ini.sections.first()?.get(key).map(|value| value.trim().to_string())
    }

    /// The same where case means nothing.
    pub fn option(&self, key: &str) -> Option<String> {
        self.value(key).map(|value| value.to_ascii_lowercase())
    }

    /// How long its start may wait for other programs.
    pub fn order(&self) -> Duration {
        let waits = self.option(AFTER).is_some_and(|names| !names.is_empty());
        if waits {
            Duration::from_secs(AFTER_TIMEOUT.of(self.value(AFTER_TIMEOUT.key)).unsigned_abs())
        } else {
            Duration::ZERO
        }
    }

    /// Has the file ready that the app may hold an update off by.
    pub fn prepare_hold(&self, gateway: &Gateway<'_>, app: &str) {
        let ini = Ini::parse(&self.text).ok();
        let user = ini.as_ref().and_then(|ini| ini.sections.first()?.get("user"));
        if let Err(e) = hold::prepare(gateway.config.paths(), app, user) {
            crate::warning!("{e}; {app} cannot hold an update off");
        }
    }

    /// Puts it in place for good.
    pub fn put(&self) -> Result<(), FileError> {
        self.clear_asides();
        file::replace(&self.place, self.text.as_bytes(), 0o644)
    }

    /// Puts it in place as one that no boot starts, and itself beside it.
    pub fn hold(&self) -> Result<(), FileError> {
        let held = self.held();
        file::replace(&self.place, held.as_bytes(), 0o644)?;
        file::replace(&self.aside(), held.as_bytes(), 0o644)?;
        file::replace(&self.ready(), self.text.as_bytes(), 0o644)
    }

    /// Has supervisord read the fragment itself while the disk goes on to have the held one: two renames of files that are on
    /// stable storage, and no flush between them.
    pub fn have_read(&self, supervisor: &Supervisor<'_>) -> Result<Changes, SupervisorError> {
        if std::fs::rename(self.ready(), &self.place).is_err() {
            return supervisor.reload();
        }
        let read = supervisor.reload();
        let back = std::fs::rename(self.aside(), &self.place);
        if back.is_err() {
            if let Err(e) = file::replace(&self.place, self.held().as_bytes(), 0o644) {
                crate::error!("{e}; a boot would start a version that has not settled");
            }
        }
        if let Err(e) = self.place.parent().map_or(Ok(()), file::sync_folder) {
            crate::warning!("{e}");
        }
        read
    }

    /// Takes it away.
    pub fn remove(&self) -> Result<(), FileError> {
        self.clear_asides();
        file::remove(&self.place)
    }

    /// The same, but for its start.
    fn held(&self) -> String {
        let Ok(mut ini) = Ini::parse(&self.text) else { return String::new() };
        for section in &mut ini.sections {
            section.set("autostart", "false");
        }
        ini.to_string()
    }

    fn ready(&self) -> PathBuf {
        self.place.with_extension("ready")
    }

    fn aside(&self) -> PathBuf {
        self.place.with_extension("held")
    }

    fn clear_asides(&self) {
        for path in [self.ready(), self.aside()] {
            // Nothing reads them: supervisord takes only *.conf. A power cut may have left the temporary of either.
            let mut temporary = path.clone().into_os_string();
            temporary.push(".new");
            let _ = std::fs::remove_file(temporary);
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Takes an app's fragment away, whatever version it is of.
pub fn remove(gateway: &Gateway<'_>, app: &str) -> Result<(), FileError> {
    hold::clear(gateway.config.paths(), app);
    Fragment { place: place(gateway, app), text: String::new() }.remove()
}

/// Whether the fragment that is in place starts what is in this folder.
pub fn starts_from(gateway: &Gateway<'_>, app: &str, folder: &Path) -> bool {
    text_of(&place(gateway, app)).contains(&*folder.to_string_lossy())
}

/// What a fragment says, whoever put it there; nothing where it cannot be read.
pub(super) fn text_of(path: &Path) -> String {
    let bytes = file::read(path, MAX_FRAGMENT).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Where an app's output goes, unless its `supervisor.conf` says otherwise.
pub fn log_of(gateway: &Gateway<'_>, app: &str) -> PathBuf {
    gateway.config.logs().join(format!("{app}.log"))
}

/// Where the app's fragment stands, if there is one.
pub(super) fn place(gateway: &Gateway<'_>, app: &str) -> PathBuf {
    gateway.config.fragments().join(format!("{app}.conf"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/spec/failures.md, A1.
    #[test]
    fn what_is_held_is_the_same_but_for_its_start() {
        for (text, held) in [
            ("[program:a]\ncommand = x\n", "[program:a]\ncommand = x\nautostart = false\n"),
            (
                "[program:a]\nautostart = true\ncommand = x\nautorestart = true\n",
                "[program:a]\nautostart = false\ncommand = x\nautorestart = true\n",
            ),
            (
                "[program:a]\nautostart=1\nenvironment = A=1,\n\tautostart=2\n",
                "[program:a]\nautostart = false\nenvironment = A=1,\n\tautostart=2\n",
            ),
        ] {
            let fragment = Fragment { place: PathBuf::from("/none/a.conf"), text: text.to_string() };
            assert_eq!(fragment.held(), held);
        }
        let fragment =
            Fragment { place: PathBuf::new(), text: "[program:a]\ncommand = b = c\nautostart = no\n".into() };
        assert_eq!(
            (fragment.option("autostart"), fragment.option("command")),
            (Some("no".into()), Some("b = c".into()))
        );
        assert_eq!(fragment.option("autorestart"), None);
        assert_eq!(fragment.order(), Duration::ZERO);
        for (text, seconds) in
            [("after = b", 60), ("after = b\nafter_timeout = 7", 7), ("after =\nafter_timeout = 7", 0)]
        {
            let fragment = Fragment { place: PathBuf::new(), text: format!("[program:a]\n{text}\n") };
            assert_eq!(fragment.order(), Duration::from_secs(seconds), "{text}");
        }
    }

    #[test]
    fn what_a_cut_left_beside_it_goes_with_the_next_that_is_put() {
        let folder = std::env::temp_dir().join(format!("gwe-fragment-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for left in ["a.held", "a.ready", "a.held.new", "a.ready.new", "b.held"] {
            std::fs::write(folder.join(left), "").unwrap();
        }
        let fragment = Fragment { place: folder.join("a.conf"), text: "[program:a]\n".into() };
        fragment.put().unwrap();
        let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a.conf", "b.held"]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
