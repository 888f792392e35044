//! An app's probe while it settles: a command of the app that says whether it works (rauc-hawkbit-updater#161, hawkbit#3185, aktualizr#1422). The agent runs it
//! itself, so that it counts whichever supervisord hosts; what asks an app later on is our own supervisord's (docs/hosting.md).
//!
//! It runs as the app's user, in its folder and with the environment of its process, in a session of its own, for so long and no longer; nothing that it
//! starts survives it, nor an agent that is killed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::fragment::Fragment;
use crate::format::own_options::{PROBE, PROBE_TIMEOUT};
use crate::format::percent::{expand, PercentValue};
use crate::format::shell_words;
use crate::hosting::config::user;
use crate::supervisor::environment::of_process;
use crate::supervisor::Process;
use crate::sys::host;
use crate::sys::process::{self, Credentials, Ended};
use crate::sys::program::Program;

/// So much of what it said last is told, in bytes.
const MAX_WORDS: usize = 2048;

/// The probe of one version.
pub struct Probe {
    app: String,
    command: String,
    directory: String,
    user: Option<String>,
    limit: Duration,
    words: String,
}

type Variables = Vec<(Vec<u8>, Vec<u8>)>;

impl Probe {
    /// The one that a fragment names; most name none.
    pub fn of(app: &str, fragment: &Fragment) -> Option<Probe> {
        let command = fragment.value(PROBE).filter(|command| !command.trim().is_empty())?;
        Some(Probe {
            app: app.to_string(),
            command,
            directory: fragment.value("directory").unwrap_or_default(),
            user: fragment.value("user"),
            limit: Duration::from_secs(PROBE_TIMEOUT.of(fragment.value(PROBE_TIMEOUT.key)).unsigned_abs()),
            words: String::new(),
        })
    }

    /// What one try may take.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Asks once.
    ///
    /// # Errors
    /// Why that is no yes, as the end of a sentence.
    pub fn ask(&mut self, processes: &[Process]) -> Result<(), String> {
        self.words.clear();
        let own = processes.iter().find(|process| process.group == self.app && process.pid != 0);
        let environment = own.map(|process| environment_of(process.pid)).unwrap_or_default();
        let expanded = |text: &str| self.expanded(text, &environment);
        let words = shell_words::split(&expanded(&self.command)?)?;
        let (first, rest) = words.split_first().ok_or("it names no command")?;
        let mut program = Program::new(first);
        program.args(rest).folder(expanded(&self.directory)?);
        if !environment.is_empty() {
            let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_os_string();
            program.environment(environment.iter().map(|(name, value)| (text(name), text(value))).collect());
        }
        let identity = match &self.user {
            Some(name) => {
                let user = user(&expanded(name)?)?;
                Some(Credentials { uid: user.uid, gid: user.gid, groups: user.groups })
            }
            None => None,
        };
        // Of what is kept the second half is the end.
        let run = process::run_as(program, identity, self.limit, 2 * MAX_WORDS);
        let run = run.map_err(|e| format!("it could not be started: {e}"))?;
        self.words = end_of(&run.output);
        match run.ended {
            Ended::Exit(0) => Ok(()),
            Ended::Exit(status) => Err(format!("it exited with {status}")),
            Ended::Signal(number) => Err(format!("it was ended by signal {number}")),
            Ended::TimedOut => Err(format!("it took longer than {} s and was ended", self.limit.as_secs())),
        }
    }

    /// What it said last, under a heading; empty where it said nothing.
    pub fn last_words(&self) -> String {
        match self.words.trim() {
            "" => String::new(),
            words => ["[gwe] the probe's last words:\n", words, "\n"].concat(),
        }
    }

    /// As supervisord expands a value for the first process of the app.
    fn expanded(&self, text: &str, environment: &Variables) -> Result<String, String> {
        let named = |name: &str| -> Option<PercentValue> {
            if let Some(name) = name.strip_prefix("ENV_") {
                let found = environment.iter().find(|(known, _)| known == name.as_bytes());
                return found.map(|(_, value)| PercentValue::Text(String::from_utf8_lossy(value).into_owned()));
            }
            match name {
                "program_name" | "group_name" => Some(PercentValue::Text(self.app.clone())),
                "host_node_name" => Some(PercentValue::Text(host::hostname())),
                "process_num" => Some(PercentValue::Number(0)),
                "numprocs" => Some(PercentValue::Number(1)),
                _ => None,
            }
        };
        expand(text, &named).map(Option::unwrap_or_default).map_err(|e| format!("`{text}` cannot be expanded: {e}"))
    }
}

/// What a process was started with; nothing where that cannot be read. A variable without a name could not be handed on.
fn environment_of(pid: u32) -> Variables {
    let mut variables = of_process(&Path::new("/proc").join(pid.to_string())).unwrap_or_default();
    variables.retain(|(name, _)| !name.is_empty());
    variables
}

/// The last of an output, as text.
fn end_of(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let from = text.len().saturating_sub(MAX_WORDS);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let end = text.get(from..).unwrap_or_default();
    end.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c }).collect()
}
