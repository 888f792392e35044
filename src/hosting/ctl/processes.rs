//! status and pid: what is.

use super::client::Trouble;
use super::results::{number, text};
use super::{CtlResult, CtlSession, GENERIC, NOT_RUNNING};
use crate::format::xmlrpc::{Param, Value};
use crate::hosting::front::{namespec, split_namespec};

/// A name's column is at least so wide, and so much wider than the longest name.
const NARROWEST: usize = 30;
const GAP: usize = 3;
/// `status`'s own exit statuses: something does not run; nobody knows.
const STOPPED: u8 = 3;
const UNKNOWN: u8 = 4;
/// States in which nothing runs: STOPPED, EXITED, FATAL, UNKNOWN.
const STOPPED_STATES: [i64; 4] = [0, 100, 200, 1000];

pub(super) fn status(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !session.is_up()? {
        session.status = UNKNOWN;
        return Ok(());
    }
    let all = session.call("getAllProcessInfo", &[])?;
    let all = all.as_array().unwrap_or_default();
    let names: Vec<&str> = argument.split_whitespace().collect();
    let mut shown: Vec<&Value> = Vec::new();
    if names.is_empty() || names.contains(&"all") {
        shown.extend(all);
    } else {
        for name in names {
            let (group, process) = split_namespec(name);
            let is_meant =
                |one: &&Value| text(one, "group") == group && process.map_or(true, |name| text(one, "name") == name);
            let before = shown.len();
            shown.extend(all.iter().filter(is_meant));
            if shown.len() == before {
                let line = match process {
                    None => [group, ": ERROR (no such group)"].concat(),
                    Some(_) => [name, ": ERROR (no such process)"].concat(),
                };
                session.fail(UNKNOWN, &line)?;
            }
        }
    }
    show(session, &shown)?;
    if shown.iter().any(|one| STOPPED_STATES.contains(&number(one, "state"))) {
        session.status = STOPPED;
    }
    Ok(())
}

fn show(session: &mut CtlSession<'_>, processes: &[&Value]) -> CtlResult {
    let names: Vec<String> = processes.iter().map(|one| namespec(text(one, "group"), text(one, "name"))).collect();
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(NARROWEST) + GAP;
    for (name, one) in names.iter().zip(processes) {
        session.say(&format!("{name:widest$}{:10}{}", text(one, "statename"), text(one, "description")))?;
    }
    Ok(())
}

pub(super) fn pid(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !session.is_up()? {
        return Ok(());
    }
    let names: Vec<&str> = argument.split_whitespace().collect();
    if names.is_empty() {
        let pid = session.call("getPID", &[])?.as_int().unwrap_or_default();
        session.say(&pid.to_string())?;
    } else if names.contains(&"all") {
        let all = session.call("getAllProcessInfo", &[])?;
        for one in all.as_array().unwrap_or_default() {
            session.say(&number(one, "pid").to_string())?;
        }
    } else {
        for name in names {
            match session.call("getProcessInfo", &[Param::Text(name)]) {
                Ok(info) => {
                    let pid = number(&info, "pid");
                    session.say(&pid.to_string())?;
                    if pid == 0 {
                        session.status = NOT_RUNNING;
                    }
                }
                Err(Trouble::Fault { code: 10, .. }) => session.fail(GENERIC, &["No such process ", name].concat())?,
                Err(trouble) => return Err(trouble),
            }
        }
    }
    Ok(())
}
