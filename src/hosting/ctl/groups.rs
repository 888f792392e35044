//! start, stop, restart, signal and clear: of processes, of groups, of all.

use super::client::Trouble;
use super::results::{line, number, status, text, Verb};
use super::{CtlResult, CtlSession, GENERIC, INVALID_ARGUMENTS};
use crate::format::xmlrpc::{Param, Value};
use crate::hosting::front::split_namespec;

pub(super) fn start(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !session.is_up()? {
        return Ok(());
    }
    if argument.is_empty() {
        return session.misused(INVALID_ARGUMENTS, "Error: start requires a process name", "start");
    }
    each(session, argument, Verb::Started, None)
}

pub(super) fn stop(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !session.is_up()? {
        return Ok(());
    }
    if argument.is_empty() {
        return session.misused(GENERIC, "Error: stop requires a process name", "stop");
    }
    each(session, argument, Verb::Stopped, None)
}

pub(super) fn restart(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !session.is_up()? {
        return Ok(());
    }
    if argument.is_empty() {
        return session.misused(GENERIC, "Error: restart requires a process name", "restart");
    }
    stop(session, argument)?;
    start(session, argument)
}

pub(super) fn signal(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !session.is_up()? {
        return Ok(());
    }
    match argument.split_once(char::is_whitespace) {
        Some((signal, names)) => each(session, names, Verb::Signalled, Some(signal)),
        None => session.misused(GENERIC, "Error: signal requires a signal name and a process name", "signal"),
    }
}

pub(super) fn clear(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !session.is_up()? {
        return Ok(());
    }
    if argument.is_empty() {
        return session.misused(GENERIC, "Error: clear requires a process name", "clear");
    }
    each(session, argument, Verb::Cleared, None)
}

/// The methods for one, a group and all.
fn methods(verb: Verb) -> [&'static str; 3] {
    match verb {
        Verb::Started => ["startProcess", "startProcessGroup", "startAllProcesses"],
        Verb::Stopped => ["stopProcess", "stopProcessGroup", "stopAllProcesses"],
        Verb::Signalled => ["signalProcess", "signalProcessGroup", "signalAllProcesses"],
        Verb::Cleared => ["clearProcessLogs", "", "clearAllProcessLogs"],
    }
}

fn each(session: &mut CtlSession<'_>, names: &str, verb: Verb, signal: Option<&str>) -> CtlResult {
    let [one, group, all] = methods(verb);
    let signal: Vec<Param<'_>> = signal.map(Param::Text).into_iter().collect();
    let with = |name| [&[Param::Text(name)][..], &signal].concat();
    if names.split_whitespace().any(|name| name == "all") {
        let results = session.call(all, &signal)?;
        return show(session, verb, &results);
    }
    for name in names.split_whitespace() {
        match split_namespec(name) {
            (group_name, None) if verb != Verb::Cleared => match session.call(group, &with(group_name)) {
                Ok(results) => show(session, verb, &results)?,
                Err(Trouble::Fault { code: 10, .. }) => {
                    let status = if verb == Verb::Started { INVALID_ARGUMENTS } else { GENERIC };
                    session.fail(status, &[group_name, ": ERROR (no such group)"].concat())?;
                }
                Err(trouble) => return Err(trouble),
            },
            (group, process) => {
                let (code, text) = match session.call(one, &with(name)) {
                    Ok(_) => (80, String::new()),
                    Err(Trouble::Fault { code, text }) => (code, text),
                    Err(trouble) => return Err(trouble),
                };
                // The real one shows a whole group here as its own name and None.
                told(session, verb, group, process.unwrap_or("None"), code, &text)?;
            }
        }
    }
    Ok(())
}

fn told(session: &mut CtlSession<'_>, verb: Verb, group: &str, name: &str, code: i64, description: &str) -> CtlResult {
    let line = line(verb, group, name, code, description)?;
    session.say(&line)?;
    session.status = status(verb, code).unwrap_or(session.status);
    Ok(())
}

fn show(session: &mut CtlSession<'_>, verb: Verb, results: &Value) -> CtlResult {
    for one in results.as_array().unwrap_or_default() {
        told(session, verb, text(one, "group"), text(one, "name"), number(one, "status"), text(one, "description"))?;
    }
    Ok(())
}
