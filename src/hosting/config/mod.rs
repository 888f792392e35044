//! supervisord's configuration: its files read, expanded and checked as supervisord 4.3.0 does, with its messages. What differs on purpose is in
//! `src/hosting/config/tests/differences.txt`, with the reasons, and in docs/hosting.md.
//!
//! Nothing here writes or starts anything. Every file, list and number has a bound. No message names a variable of the environment that the
//! configuration does not name itself.

mod control;
mod daemon;
mod glob;
mod groups;
mod names;
pub(crate) mod order;
mod program;
mod sources;
#[cfg(test)]
mod tests;
mod users;
pub(crate) mod values;

pub use control::{control, Control};
pub use daemon::{Daemon, Endpoint, Server};
pub use groups::{Group, GroupKind};
pub use program::{Output, ProcessConfig};
pub use users::{absolute, User};
pub use values::LogFile;

use crate::hosting::definition::MAX_PROCESSES;
use names::{NamedSection, Names};
use sources::Sources;

/// The user of this name or number.
///
/// # Errors
/// There is none; as supervisord says it.
pub fn user(text: &str) -> Result<User, String> {
    users::user(text)
}

/// Why a configuration is refused: what supervisord says, and the included file that is to blame, where it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadConfiguration {
    /// One or more lines.
    pub text: String,
    /// As the pattern found it.
    pub file: Option<String>,
}

impl BadConfiguration {
    fn of(text: String) -> BadConfiguration {
        BadConfiguration { text, file: None }
    }
}

/// A line for the log, with its level in supervisord's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// 50 critical, 30 warning, 20 information.
    pub level: u32,
    /// Without an end of line.
    pub text: String,
}

impl Note {
    fn info(text: String) -> Note {
        Note { level: 20, text }
    }

    fn warning(text: String) -> Note {
        Note { level: 30, text }
    }

    fn critical(text: String) -> Note {
        Note { level: 50, text }
    }
}

/// What the configuration is read in.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The variables of the environment.
    pub environment: Vec<(String, String)>,
    /// This machine's name.
    pub host: String,
    /// The folder that relative paths are meant from.
    pub folder: String,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn here() -> Surroundings {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let folder = std::env::current_dir().map_or_else(|_| "/".to_string(), |path| text(path.into_os_string()));
        Surroundings {
            environment: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
            host: crate::sys::host::hostname(),
            folder,
        }
    }
}

/// Whether an included file that is to blame is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// At boot: one bad fragment does not keep the others from running.
    LeaveOut,
    /// Whoever reads it anew is told, and nothing changes.
    Refuse,
}

/// A whole configuration, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The root file, from the root folder on.
    pub file: String,
    /// `[supervisord]`.
    pub daemon: Daemon,
    /// Its `environment`.
    pub environment: Vec<(String, String)>,
    /// In the order in which they are opened.
    pub servers: Vec<Server>,
    /// By priority and name.
    pub groups: Vec<Group>,
    /// Whether `[rpcinterface:supervisor]` is there.
    pub has_interface: bool,
    /// For the log, in order.
    pub notes: Vec<Note>,
}

/// So many files may be left out before a configuration is given up.
const MAX_LEFT_OUT: usize = 64;

/// Reads the file and all that it includes.
///
/// # Errors
/// The first thing that supervisord would not accept.
pub fn load(
    file: &str,
    strictness: Strictness,
    surroundings: &Surroundings,
) -> Result<Configuration, BadConfiguration> {
    let mut left_out: Vec<(String, String)> = Vec::new();
    loop {
        match load_without(file, &left_out, strictness, surroundings) {
            Err(BadConfiguration { text, file: Some(bad) })
                if strictness == Strictness::LeaveOut
                    && left_out.len() < MAX_LEFT_OUT
                    && !left_out.iter().any(|(known, _)| *known == bad) =>
            {
                left_out.push((bad, text));
            }
            result => return result,
        }
    }
}

/// What is known while a configuration is read.
struct Loader {
    /// As the caller named it.
    root: String,
    here: String,
    host: String,
    folder: String,
    sources: Sources,
    /// The environment's names, and what `[supervisord]` adds to them.
    variables: Names,
    environment: Vec<(String, String)>,
    notes: Vec<Note>,
    left_out: Vec<String>,
}

impl Loader {
    fn section<'a>(&'a self, name: &'a str) -> NamedSection<'a> {
        NamedSection { ini: &self.sources.ini, name, common: &self.variables }
    }

    /// An option that is read for the group, where only `here` and the environment have names.
    fn group_option(&self, section: &str, key: &str, default: &str) -> Result<String, String> {
        let mut here = Names::default();
        here.set_text("here", &self.here);
        self.section(section).get(key, default, &here)
    }

    fn priority(&self, section: &str, default: &str) -> Result<i64, String> {
        values::integer(&self.group_option(section, "priority", default)?)
    }

    /// A fault of a section, and of its file where that was included.
    fn fault(&self, section: &str, text: String) -> BadConfiguration {
        BadConfiguration { text, file: self.sources.file_of(section).map(str::to_string) }
    }
}

fn load_without(
    file: &str,
    left_out: &[(String, String)],
    strictness: Strictness,
    surroundings: &Surroundings,
) -> Result<Configuration, BadConfiguration> {
    let whole = absolute(file, &surroundings.folder);
    let here = match whole.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((folder, _)) => folder,
    };
    let mut variables = Names::default();
    variables.add_environment(&surroundings.environment);
    let mut include = Names::default();
    include.set_text("here", here);
    include.set_text("host_node_name", &surroundings.host);
    let without: Vec<String> = left_out.iter().map(|(file, _)| file.clone()).collect();
    let sources = sources::read(file, here, &variables, &include, &without)?;
    let mut loader = Loader {
        root: file.to_string(),
        here: here.to_string(),
        host: surroundings.host.clone(),
        folder: surroundings.folder.clone(),
        sources,
        variables,
        environment: Vec::new(),
        notes: Vec::new(),
        left_out: without,
    };
    loader.notes.extend(left_out.iter().map(|(file, why)| {
        Note::critical(format!(
            "Included file \"{file}\" is left out, its programs are not there: {}",
            why.replace('\n', " ")
        ))
    }));
    let mut notes = std::mem::take(&mut loader.sources.notes);
    loader.notes.append(&mut notes);
    checked(loader, &whole, strictness)
}

fn checked(mut loader: Loader, file: &str, strictness: Strictness) -> Result<Configuration, BadConfiguration> {
    if loader.sources.ini.section("supervisord").is_none() {
        return Err(BadConfiguration::of(".ini file does not include supervisord section".to_string()));
    }
    let daemon = daemon::daemon(&mut loader).map_err(BadConfiguration::of)?;
    let has_interface = daemon::has_interface(&mut loader).map_err(BadConfiguration::of)?;
    let mut groups = groups::groups(&mut loader)?;
    order::check(&mut loader, &mut groups, strictness)?;
    let servers = daemon::servers(&loader).map_err(BadConfiguration::of)?;
    if groups.iter().map(|group| group.processes.len()).sum::<usize>() > MAX_PROCESSES {
        return Err(BadConfiguration::of(format!("more than {MAX_PROCESSES} processes")));
    }
    if let Some(name) = &daemon.user {
        user(name).map_err(BadConfiguration::of)?;
    }
    let Loader { environment, notes, .. } = loader;
    Ok(Configuration { file: file.to_string(), daemon, environment, servers, groups, has_interface, notes })
}
