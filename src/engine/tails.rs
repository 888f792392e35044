//! The ends of logs that an order asks for, as one bounded text.
//!
//! Invariant: only logs of the gateway's own programs and of its apps are told, and what is told is cleaned as `report::logs` says.

use std::path::Path;

use crate::config::Config;
use crate::install::registry::Registry;
use crate::orders::logs::Wish;
use crate::report::logs::{Logs, OWN};
use crate::supervisor::Supervisor;

/// The longest answer, in bytes.
pub const MAX_ANSWER: usize = 32 * 1024;

/// Answers these wishes, from the logs as they are now.
#[must_use]
pub fn answer(config: &Config, supervisor: &Supervisor<'_>, registry: &Registry, wishes: &[Wish]) -> String {
    let logs = Logs::of(config, supervisor);
    let refused: Vec<String> = registry.rolled_back().map(|(name, _)| name.app().to_string()).collect();
    let installed = registry.apps.iter().map(|app| &*app.name);
    // Any other file of the folder is not the agent's to tell.
    let known = logs.apps(installed.chain(refused.iter().map(|app| &**app)));
    let mut out = String::new();
    for (index, wish) in wishes.iter().enumerate() {
        let share = MAX_ANSWER.saturating_sub(out.len()) / (wishes.len() - index);
        out.push_str(&match OWN.iter().chain(&known).any(|program| *program == wish.program) {
            true => of_program(&logs, wish, share),
            false => missing(&logs, &wish.program, "there is no such app here", share),
        });
    }
    out
}

/// All logs of a program, at most so many bytes.
fn of_program(logs: &Logs, wish: &Wish, max: usize) -> String {
    let files = logs.files(&wish.program);
    let mut out = String::new();
    for (index, file) in files.iter().enumerate() {
        let share = max.saturating_sub(out.len()) / (files.len() - index);
        out.push_str(&of_file(logs, wish, file, share));
    }
    out
}

fn of_file(logs: &Logs, wish: &Wish, file: &Path, max: usize) -> String {
    let name = one_line(logs, &[&wish.program, ": ", &file.display().to_string()].concat());
    let heading = ["== log of ", &name, " ==\n"].concat();
    let Some(room) = max.checked_sub(heading.len()) else { return String::new() };
    match logs.tail(file, wish.lines, room) {
        Ok(text) => [heading, text].concat(),
        Err(e) => missing(logs, &name, &e.to_string(), max),
    }
}

fn missing(logs: &Logs, program: &str, why: &str, max: usize) -> String {
    let line = ["[gwe] no log of ", &one_line(logs, program), ": ", &one_line(logs, why), "\n"].concat();
    if line.len() > max {
        String::new()
    } else {
        line
    }
}

fn one_line(logs: &Logs, text: &str) -> String {
    logs.clean(text.as_bytes()).replace(['\n', '\t'], " ")
}
