//! The options of a `[program:x]` section, as supervisord's `processes_from_section` reads them: in two steps, since a value
//! that is read before the processes are numbered cannot name their number.

use std::path::Path;

use super::fault::{ConfFault, Why};
use super::gateway::{HostView, LogFolder, Variable};
use super::values;
use crate::format::ini::Section;
use crate::format::own_options::{Bounds, AFTER, AFTER_TIMEOUT, PROBE, PROBE_INTERVAL, PROBE_RETRIES, PROBE_TIMEOUT};
use crate::format::pairs::pairs;
use crate::format::percent::{expand, PercentValue};

/// So many processes one app may have; supervisord itself has no bound.
pub(super) const MAX_PROCESSES: i64 = 100;

#[derive(Clone, Copy)]
enum OptionKind {
    Text,
    Integer,
    Boolean,
    Autorestart,
    Signal,
    ExitCodes,
    Size,
    Octal,
    User,
    /// Of an option of our own.
    Within(Bounds),
    /// A command, of an option of our own.
    Command,
    /// Programs, none of which is the app itself.
    Programs,
}

/// Read once for the program.
const OF_PROGRAM: [(&str, OptionKind); 23] = [
    ("autostart", OptionKind::Boolean),
    ("autorestart", OptionKind::Autorestart),
    ("startsecs", OptionKind::Integer),
    ("startretries", OptionKind::Integer),
    ("stopsignal", OptionKind::Signal),
    ("stopwaitsecs", OptionKind::Integer),
    ("stopasgroup", OptionKind::Boolean),
    ("killasgroup", OptionKind::Boolean),
    ("exitcodes", OptionKind::ExitCodes),
    ("redirect_stderr", OptionKind::Boolean),
    ("stdout_capture_maxbytes", OptionKind::Size),
    ("stdout_events_enabled", OptionKind::Boolean),
    ("stderr_capture_maxbytes", OptionKind::Size),
    ("stderr_events_enabled", OptionKind::Boolean),
    ("serverurl", OptionKind::Text),
    ("user", OptionKind::User),
    ("umask", OptionKind::Octal),
    ("numprocs_start", OptionKind::Integer),
    (AFTER, OptionKind::Programs),
    (AFTER_TIMEOUT.key, OptionKind::Within(AFTER_TIMEOUT)),
    (PROBE_TIMEOUT.key, OptionKind::Within(PROBE_TIMEOUT)),
    (PROBE_INTERVAL.key, OptionKind::Within(PROBE_INTERVAL)),
    (PROBE_RETRIES.key, OptionKind::Within(PROBE_RETRIES)),
];

/// Read for each process.
const OF_PROCESS: [(&str, OptionKind); 9] = [
    ("directory", OptionKind::Text),
    ("command", OptionKind::Text),
    (PROBE, OptionKind::Command),
    ("stdout_logfile_backups", OptionKind::Integer),
    ("stderr_logfile_backups", OptionKind::Integer),
    ("stdout_logfile_maxbytes", OptionKind::Size),
    ("stderr_logfile_maxbytes", OptionKind::Size),
    ("stdout_syslog", OptionKind::Boolean),
    ("stderr_syslog", OptionKind::Boolean),
];

const LOG_FILES: [&str; 2] = ["stdout_logfile", "stderr_logfile"];

/// What a value may name.
enum OptionNames<'a> {
    /// Only the environment: where the group is made.
    Group,
    Program,
    Process {
        number: i64,
        count: i64,
        environment: &'a [(String, String)],
    },
}

/// Adds what supervisord would refuse in this section to `faults`.
pub(super) fn check(section: &Section, program: &str, gateway: &dyn HostView, faults: &mut Vec<ConfFault>) {
    let mut check = Check { section, program, gateway, faults };
    check.value("priority", OptionKind::Integer, &OptionNames::Group);
    for (key, kind) in OF_PROGRAM {
        check.value(key, kind, &OptionNames::Program);
    }
    check.probe();
    check.groups_of_signals();
    let count = check.count();
    let start = check.integer("numprocs_start", 0);
    let before = check.faults.len();
    for number in 0..count {
        check.process(start.saturating_add(number), count);
        if check.faults.len() > before {
            break; // the other processes would repeat it
        }
    }
}

fn told(variable: Variable) -> Option<PercentValue> {
    match variable {
        Variable::Is(value) => Some(PercentValue::Text(value)),
        Variable::Unknown => Some(PercentValue::Elsewhere),
        Variable::Missing => None,
    }
}

struct Check<'a> {
    section: &'a Section,
    program: &'a str,
    gateway: &'a dyn HostView,
    faults: &'a mut Vec<ConfFault>,
}

impl Check<'_> {
    fn process(&mut self, number: i64, count: i64) {
        let names = OptionNames::Process { number, count, environment: &[] };
        let environment = match self.expanded("environment", &names) {
            Some(text) => self.note("environment", pairs(&text).map_err(Why::from)).unwrap_or_default(),
            None => Vec::new(),
        };
        let names = OptionNames::Process { number, count, environment: &environment };
        let _ = self.expanded("process_name", &names);
        for (key, kind) in OF_PROCESS {
            self.value(key, kind, &names);
        }
        for key in LOG_FILES {
            // supervisord expands these twice.
            let Some(once) = self.expanded(key, &names) else { continue };
            let twice = expand(&once, &|name| self.lookup(name, &names)).map_err(Why::from);
            if let Some(Some(path)) = self.note(key, twice) {
                let verdict = values::log_folder(&path).and_then(|folder| self.folder(folder));
                self.note(key, verdict);
            }
        }
    }

    /// How many processes, and whether their name tells them apart.
    fn count(&mut self) -> i64 {
        let count = self.integer("numprocs", 1);
        let name = self.section.get("process_name").unwrap_or("%(program_name)s");
        self.note("process_name", values::process_name(name));
        if count > 1 && !name.contains("%(process_num)") {
            self.note::<()>("process_name", Err(Why::NoProcessNumber));
        }
        if !(1..=MAX_PROCESSES).contains(&count) {
            self.note::<()>("numprocs", Err(Why::Range(1, MAX_PROCESSES)));
        }
        count.clamp(1, MAX_PROCESSES)
    }

    /// An interval without anything to ask.
    fn probe(&mut self) {
        let asks = self.section.get(PROBE).is_some();
        if !asks && self.section.get(PROBE_INTERVAL.key).is_some_and(|value| value.trim() != "0") {
            self.note::<()>(PROBE, Err(Why::Empty));
        }
    }

    fn groups_of_signals(&mut self) {
        let stop = self.expanded_boolean("stopasgroup").unwrap_or(false);
        let kill = self.expanded_boolean("killasgroup").unwrap_or(stop);
        if stop && !kill {
            self.note::<()>("killasgroup", Err(Why::KillAsGroup));
        }
    }

    /// Its value where it can be told here and is good; faults are noted elsewhere.
    fn expanded_boolean(&self, key: &str) -> Option<bool> {
        let text = self.section.get(key)?;
        let text = expand(text, &|name| self.lookup(name, &OptionNames::Program)).ok()??;
        values::boolean(&text).ok()
    }

    fn integer(&mut self, key: &'static str, default: i64) -> i64 {
        match self.expanded(key, &OptionNames::Program) {
            Some(text) => self.note(key, values::integer(&text)).unwrap_or(default),
            None => default,
        }
    }

    /// Checks one option, where it is set and its value can be told here.
    fn value(&mut self, key: &'static str, kind: OptionKind, names: &OptionNames<'_>) {
        let Some(text) = self.expanded(key, names) else { return };
        let verdict = match kind {
            OptionKind::Text => Ok(()),
            OptionKind::Integer => values::integer(&text).map(|_| ()),
            OptionKind::Boolean => values::boolean(&text).map(|_| ()),
            OptionKind::Autorestart => values::autorestart(&text),
            OptionKind::Signal => values::signal(&text),
            OptionKind::ExitCodes => values::exit_codes(&text),
            OptionKind::Size => values::size(&text),
            OptionKind::Octal => values::octal(&text).map(|_| ()),
            OptionKind::User if self.gateway.has_user(&text) => Ok(()),
            OptionKind::User => Err(Why::NoUser(text)),
            OptionKind::Within(bounds) => values::within(&text, bounds),
            OptionKind::Command => values::command(&text),
            OptionKind::Programs => values::programs(&text, self.program),
        };
        self.note(key, verdict);
    }

    fn folder(&self, folder: Option<&str>) -> Result<(), Why> {
        let Some(folder) = folder else { return Ok(()) };
        match self.gateway.folder(Path::new(folder)) {
            LogFolder::Stays => Ok(()),
            LogFolder::Missing => Err(Why::NoFolder(folder.to_string())),
            LogFolder::GoesAtReboot => Err(Why::FolderGoes(folder.to_string())),
        }
    }

    fn expanded(&mut self, key: &'static str, names: &OptionNames<'_>) -> Option<String> {
        let text = self.section.get(key)?;
        let result = expand(text, &|name| self.lookup(name, names)).map_err(Why::from);
        self.note(key, result).flatten()
    }

    fn lookup(&self, name: &str, names: &OptionNames<'_>) -> Option<PercentValue> {
        if let Some(variable) = name.strip_prefix("ENV_") {
            if let OptionNames::Process { environment, .. } = names {
                if let Some((_, value)) = environment.iter().rev().find(|(key, _)| key == variable) {
                    return Some(PercentValue::Text(value.clone()));
                }
            }
            return told(self.gateway.variable(variable));
        }
        match (name, names) {
            ("here", _) => Some(PercentValue::Elsewhere),
            ("program_name" | "group_name", OptionNames::Program | OptionNames::Process { .. }) => {
                Some(PercentValue::Text(self.program.to_string()))
            }
            ("host_node_name", OptionNames::Program | OptionNames::Process { .. }) => told(self.gateway.host()),
            ("process_num", OptionNames::Process { number, .. }) => Some(PercentValue::Number(*number)),
            ("numprocs", OptionNames::Process { count, .. }) => Some(PercentValue::Number(*count)),
            _ => None,
        }
    }

    /// Keeps a fault, once.
    fn note<T>(&mut self, key: &'static str, result: Result<T, Why>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(why) => {
                let fault = ConfFault::Option(key, why);
                if !self.faults.contains(&fault) {
                    self.faults.push(fault);
                }
                None
            }
        }
    }
}
