//! An app's `supervisor.conf` becomes the fragment that supervisord includes (docs/spec/supervisord.md, "The fragment of a hosted
//! app").
//!
//! One fragment that supervisord refuses makes it refuse every reload, and not start at all after a reboot. So everything that
//! supervisord 4.2.5 and 4.3.0 check is checked here first, and what is written is not the app's text but what was read of
//! it, written anew: what is in force is what was checked. Where this is stricter than supervisord, it is said at the place.
//!
//! Only `[supervisord]` may stand in the file. Another section would be hosted under a name that nobody tracks, updates or
//! takes down, and `[DEFAULT]`, `[include]` or `[supervisorctl]` would reach beyond the app.

mod fault;
mod gateway;
mod options;
#[cfg(test)]
mod tests;
mod values;

use std::path::Path;

pub use fault::ConfFault;
pub use gateway::{AnyGateway, HostView, ThisGateway};

use crate::format::ini::{Ini, Section};
use crate::format::own_options::PROBE;
use crate::format::{percent, shell_words};

/// The section that makes a `supervisor.conf` one.
const SECTION: &str = "supervisord";
/// What supervisord writes for "the folder of this file"; in an app's file that is the app's folder.
const HERE: &str = "%(here)s";

/// What a fragment gets where the app's file does not say.
#[derive(Clone, Copy, Debug)]
pub struct FragmentDefaults<'a> {
    /// Where the app's output goes: `/var/log/<app>.log`.
    pub log_file: &'a Path,
    /// The folder that the app is installed in: where it starts, what `%(here)s` and a leading `./` of its command mean.
    pub directory: &'a Path,
}

/// The fragment's text.
///
/// # Errors
/// Everything that supervisord would refuse on this gateway, at least one fault.
pub fn fragment(
    app: &str,
    conf: &str,
    defaults: &FragmentDefaults<'_>,
    gateway: &dyn HostView,
) -> Result<String, Vec<ConfFault>> {
    let mut section = read(conf)?;
    complete(&mut section, app, defaults);
    let mut faults = Vec::new();
    options::check(&section, app, gateway, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let fragment = Ini { sections: vec![section] };
    let text = fragment.to_string();
    if Ini::parse(&text).as_ref() != Ok(&fragment) {
        return Err(vec![ConfFault::Unfaithful]);
    }
    Ok(text)
}

/// What is wrong with an app's file wherever it will run: what a developer can be told.
#[must_use]
pub fn check(app: &str, conf: &str) -> Vec<ConfFault> {
    let defaults = FragmentDefaults { log_file: Path::new("/var/log/app.log"), directory: Path::new("/app") };
    fragment(app, conf, &defaults, &AnyGateway).err().unwrap_or_default()
}

/// The file that an app's probe runs, where that is one of its own: its path below the app's folder. `None` too where that cannot be told
/// here.
#[must_use]
pub fn own_probe(conf: &str) -> Option<String> {
    let mut section = read(conf).ok()?;
    let folder = Path::new("/app");
    complete(&mut section, "app", &FragmentDefaults { log_file: folder, directory: folder });
    let word = shell_words::split(section.get(PROBE)?).ok()?.into_iter().next()?;
    let own = word.strip_prefix("/app/").filter(|own| !own.contains('%'))?;
    let parts: Vec<&str> = own.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    (!parts.is_empty() && !parts.contains(&"..")).then(|| parts.join("/"))
}

/// What is wrong by now with a fragment that was good once: a folder or user that has gone makes supervisord refuse every
/// reload, and this names the app to blame. Sections other than programs are not looked at.
#[must_use]
pub fn check_fragment(fragment: &str, gateway: &dyn HostView) -> Vec<ConfFault> {
    let ini = match Ini::parse(fragment) {
        Ok(ini) => ini,
        Err(e) => return vec![ConfFault::Text(e)],
    };
    let mut faults = Vec::new();
    for section in &ini.sections {
        if let Some(program) = section.name.strip_prefix("program:") {
            options::check(section, program, gateway, &mut faults);
        }
    }
    faults
}

/// The one section of an app's file.
fn read(conf: &str) -> Result<Section, Vec<ConfFault>> {
    if conf.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(vec![ConfFault::Control]);
    }
    let ini = Ini::parse(conf).map_err(|e| vec![ConfFault::Text(e)])?;
    let mut faults = Vec::new();
    let mut found = None;
    for section in ini.sections {
        if section.name == SECTION {
            found = Some(section);
        } else {
            faults.push(ConfFault::OtherSection(section.name));
        }
    }
    if found.is_none() {
        faults.insert(0, ConfFault::NoSection);
    }
    found.filter(|_| faults.is_empty()).ok_or(faults)
}

/// Renames the section and fills in what it does not set.
fn complete(section: &mut Section, app: &str, defaults: &FragmentDefaults<'_>) {
    let directory = percent::escape(&defaults.directory.to_string_lossy());
    // supervisord expands the names of log files twice.
    let log_file = percent::escape(&percent::escape(&defaults.log_file.to_string_lossy()));
    section.name = String::from("program:") + app;
    for (_, value) in &mut section.options {
        if value.contains(HERE) {
            *value = value.replace(HERE, &directory);
        }
    }
    for (key, value) in [
        ("command", "command"),
        ("directory", &directory),
        ("stdout_logfile", &log_file),
        ("redirect_stderr", "true"),
        ("stdout_logfile_maxbytes", "200KB"),
        ("stdout_logfile_backups", "1"),
    ] {
        if section.get(key).is_none() {
            section.set(key, value);
        }
    }
    for key in ["command", PROBE] {
        if let Some(command) = command_in_folder(section, key) {
            section.set(key, &command);
        }
    }
}

/// `./run.sh` means the app's own file. supervisord would look for it in its own folder, whatever `directory` says.
fn command_in_folder(section: &Section, key: &str) -> Option<String> {
    let rest = section.get(key)?.strip_prefix("./")?;
    let folder = section.get("directory")?.trim_end_matches('/');
    let plain = folder.chars().all(|c| c.is_ascii_alphanumeric() || "_-./+%()".contains(c));
    let quoted = if plain { folder.to_string() } else { format!("'{}'", folder.replace('\'', "'\"'\"'")) };
    Some(quoted + "/" + rest)
}
