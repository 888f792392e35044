//! `gwe --support-bundle`: one text of all that whoever helps will ask for, to stdout. It changes nothing and needs nothing: no
//! supervisord, no room on the disk, no state that can be read.
//!
//! Invariants: at most [`MAX_BUNDLE`] bytes; what comes from files and servers is cleaned as the ends of logs are, and stands behind a
//! mark, so that none of it passes for a heading.

use std::fmt::Display;
use std::path::Path;

use super::{operator, status};
use crate::config::{Config, Which, VERSION};
use crate::engine::facts;
use crate::format::utc;
use crate::install::gateway::Gateway;
use crate::install::status::cut_middle;
use crate::install::{journal, registry};
use crate::report::logs::{self, Logs};
use crate::supervisor::Supervisor;
use crate::sys::file;
use crate::sys::{clock, host, kernel_log};

/// The longest bundle, in bytes.
pub const MAX_BUNDLE: usize = 256 * 1024;
/// The longest part that is no log, in bytes, marks included: there are eleven.
const MAX_PART: usize = 10 * 1024;
/// What each log of the image's own programs may have, in bytes.
const MAX_OWN_LOG: usize = 16 * 1024;
/// What the logs of all apps may have together, in bytes, and each at the most.
const MAX_APP_LOGS: usize = 80 * 1024;
const MAX_APP_LOG: usize = 16 * 1024;
/// Lines of a log.
const MAX_LINES: usize = 1000;
/// The largest state file that is read, in bytes; of a larger one it is told that it is.
const MAX_STATE: u64 = 8 * 1024 * 1024;

/// Prints it.
#[must_use]
pub fn print(config: &Config) -> u8 {
    operator::print(&gather(config))
}

fn gather(config: &Config) -> String {
    let supervisor = Supervisor::new(config.supervisor_socket());
    let gateway = Gateway::load(config, &supervisor);
    let logs = Logs::of(config, &supervisor);
    let mut bundle = Bundle { text: String::new(), logs: &logs };
    let uptime = utc::duration(clock::since_boot().as_secs());
    bundle.text = format!(
        "Support bundle of Gateway Engine v{VERSION}, {}, {uptime} after boot\n",
        utc::date(clock::unix_seconds())
    );
    bundle.part("status", &status::for_people(config));
    bundle.part("versions", &versions(&gateway, &supervisor));
    bundle.part("Gateway.cfg in force", &config.text(Which::Gateway));
    bundle.part("Engine.config in force", &config.text(Which::Engine));
    bundle.part("what is wrong with the settings", &operator::problems(config).join("\n"));
    bundle.part("device_info", &facts::device_info(config.paths()));
    bundle.part("engine_report", &facts::engine_report(&gateway));
    bundle.part("usage_report", &facts::usage_report(config));
    let state = config.paths().state();
    bundle.file("journal", &journal::path(&state));
    bundle.file("installed versions", &registry::path(&state));
    bundle.all_logs(&gateway);
    match kernel_log::newest(MAX_PART) {
        // What comes first may be the end of a line.
        Ok(bytes) => bundle.raw("kernel", &bytes),
        Err(e) => bundle.missing("kernel", &e),
    }
    cut_middle(bundle.text, MAX_BUNDLE)
}

/// The agent's and its machine's.
fn versions(gateway: &Gateway<'_>, supervisor: &Supervisor<'_>) -> String {
    let mut out = String::new();
    let mut line = |key: &str, value: &str| out.extend([key, " = ", value, "\n"]);
    for (key, value) in facts::attributes(gateway, &[]) {
        line(&key, &value);
    }
    match supervisor.version() {
        Ok(version) => line("supervisord", &version),
        Err(e) => line("supervisord", &e.to_string()),
    }
    if let Ok(uname) = host::uname() {
        line("kernel build", &uname.version);
    }
    for (name, refused) in gateway.registry.rolled_back() {
        let why = refused.why.as_deref().unwrap_or_default();
        line(&["refused ", name.app(), " v", name.version()].concat(), why);
    }
    out
}

struct Bundle<'a> {
    text: String,
    logs: &'a Logs,
}

impl Bundle<'_> {
    fn heading(&mut self, name: &str) {
        self.text.extend(["\n==== ", name, " ====\n"]);
    }

    fn missing(&mut self, name: &str, why: &dyn Display) {
        self.heading(name);
        let why = self.logs.clean(why.to_string().as_bytes());
        self.text.extend(["(not to be had: ", &why, ")\n"]);
    }

    /// Text of ours, which may quote others.
    fn part(&mut self, name: &str, text: &str) {
        self.raw(name, text.as_bytes());
    }

    /// Bytes of anybody's.
    fn raw(&mut self, name: &str, bytes: &[u8]) {
        self.heading(name);
        let text = self.logs.clean(bytes);
        let marked: String = text.lines().flat_map(|line| [logs::MARK, line, "\n"]).collect();
        for line in cut_middle(marked, MAX_PART).lines() {
            // What was cut has lost its mark.
            self.text.extend([if line.starts_with(logs::MARK) { "" } else { logs::MARK }, line, "\n"]);
        }
    }

    fn file(&mut self, name: &str, path: &Path) {
        match file::read(path, MAX_STATE) {
            Ok(Some(bytes)) => self.raw(name, &bytes),
            Ok(None) => self.part(name, "(there is none)"),
            Err(e) => self.missing(name, &e.source),
        }
    }

    fn all_logs(&mut self, gateway: &Gateway<'_>) {
        let logs = self.logs;
        for program in logs::OWN {
            self.log(program, MAX_OWN_LOG);
        }
        let refused: Vec<_> = gateway.registry.rolled_back().map(|(name, _)| name.app().to_string()).collect();
        let installed = gateway.registry.apps.iter().map(|app| &*app.name);
        let apps = logs.apps(installed.chain(refused.iter().map(|name| &**name)));
        let share = (MAX_APP_LOGS / apps.len().max(1)).min(MAX_APP_LOG);
        for app in apps {
            self.log(app, share);
        }
    }

    /// The end of a program's logs, which share what there is for it.
    fn log(&mut self, program: &str, max: usize) {
        let files = self.logs.files(program);
        let share = max / files.len().max(1);
        for file in files {
            // A path is bounded by the system, and may hold anything.
            let name = self.logs.clean(format!("{program}: {}", file.display()).as_bytes()).replace('\n', " ");
            match self.logs.tail(&file, MAX_LINES, share) {
                Ok(text) => {
                    self.heading(&name);
                    self.text.push_str(&text);
                }
                Err(e) => self.missing(&name, &e),
            }
        }
    }
}
