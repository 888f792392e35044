//! What concerns the configuration and the daemon itself.

use std::io;

use super::client::Trouble;
use super::results::{number, text};
use super::{processes, shell, CtlResult, CtlSession, GENERIC};
use crate::format::sort::sort;
use crate::format::xmlrpc::{Param, Value};
use crate::hosting::front::namespec;

const SHUTDOWN_STATE: i64 = 6;

fn no_arguments(session: &mut CtlSession<'_>, action: &str, argument: &str) -> Result<bool, Trouble> {
    if argument.is_empty() {
        return Ok(true);
    }
    session.misused(GENERIC, &["Error: ", action, " accepts no arguments"].concat(), action)?;
    Ok(false)
}

pub(super) fn avail(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !no_arguments(session, "avail", argument)? {
        return Ok(());
    }
    let all = match session.call("getAllConfigInfo", &[]) {
        Err(trouble) if trouble.code() == Some(SHUTDOWN_STATE) => {
            session.fail(GENERIC, "ERROR: supervisor shutting down")?;
            return Ok(());
        }
        all => all?,
    };
    let is = |one: &Value, key: &str| one.get(key) == Some(&Value::Bool(true));
    for one in all.as_array().unwrap_or_default() {
        let name = namespec(text(one, "group"), text(one, "name"));
        let used = if is(one, "inuse") { "in use" } else { "avail" };
        let start = if is(one, "autostart") { "auto" } else { "manual" };
        let (group, process) = (number(one, "group_prio"), number(one, "process_prio"));
        session.say(&format!("{name:32} {used:9} {start:9} {group}:{process}"))?;
    }
    Ok(())
}

/// The three lists of a reload: what came, what changed, what went.
fn reloaded(answer: &Value) -> [Vec<String>; 3] {
    let lists = answer.as_array().and_then(|outer| outer.first()?.as_array()).unwrap_or_default();
    let names = |at: usize| {
        let list = lists.get(at).and_then(Value::as_array).unwrap_or_default();
        list.iter().filter_map(|name| name.as_text().map(str::to_string)).collect()
    };
    [names(0), names(1), names(2)]
}

pub(super) fn reread(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !no_arguments(session, "reread", argument)? {
        return Ok(());
    }
    let answer = match session.call("reloadConfig", &[]) {
        Err(Trouble::Fault { code: SHUTDOWN_STATE, .. }) => {
            return Ok(session.fail(GENERIC, "ERROR: supervisor shutting down")?)
        }
        Err(Trouble::Fault { code: 92, text }) => return Ok(session.fail(GENERIC, &["ERROR: ", &text].concat())?),
        answer => answer?,
    };
    let [added, changed, removed] = reloaded(&answer);
    let mut lines: Vec<(String, &str)> = Vec::new();
    for (names, what) in [(added, "available"), (changed, "changed"), (removed, "disappeared")] {
        lines.extend(names.into_iter().map(|name| (name, what)));
    }
    if lines.is_empty() {
        session.say("No config updates to processes")?;
    }
    sort(&mut lines);
    for (name, what) in lines {
        session.say(&[&name, ": ", what].concat())?;
    }
    Ok(())
}

pub(super) fn update(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    let answer = match session.call("reloadConfig", &[]) {
        Err(Trouble::Fault { code: SHUTDOWN_STATE, .. }) => {
            return Ok(session.fail(GENERIC, "ERROR: already shutting down")?)
        }
        answer => answer?,
    };
    let [added, changed, removed] = reloaded(&answer);
    let mut wanted: Vec<&str> = argument.split_whitespace().collect();
    if wanted.contains(&"all") {
        wanted.clear();
    }
    if !wanted.is_empty() {
        let all = session.call("getAllProcessInfo", &[])?;
        let is_known = |name: &str| {
            added.iter().any(|added| added == name)
                || all.as_array().unwrap_or_default().iter().any(|one| text(one, "group") == name)
        };
        for (index, name) in wanted.iter().enumerate() {
            if !wanted[..index].contains(name) && !is_known(name) {
                session.fail(GENERIC, &["ERROR: no such group: ", name].concat())?;
            }
        }
    }
    let is_meant = |name: &String| wanted.is_empty() || wanted.contains(&name.as_str());
    for name in removed.iter().filter(|name| is_meant(name)) {
        let results = session.call("stopProcessGroup", &[Param::Text(name)])?;
        session.say(&[name, ": stopped"].concat())?;
        if results.as_array().unwrap_or_default().iter().any(|one| number(one, "status") == 30) {
            session.fail(GENERIC, &[name, ": has problems; not removing"].concat())?;
            continue;
        }
        session.call("removeProcessGroup", &[Param::Text(name)])?;
        session.say(&[name, ": removed process group"].concat())?;
    }
    for name in changed.iter().filter(|name| is_meant(name)) {
        session.call("stopProcessGroup", &[Param::Text(name)])?;
        session.say(&[name, ": stopped"].concat())?;
        session.call("removeProcessGroup", &[Param::Text(name)])?;
        session.call("addProcessGroup", &[Param::Text(name)])?;
        session.say(&[name, ": updated process group"].concat())?;
    }
    for name in added.iter().filter(|name| is_meant(name)) {
        session.call("addProcessGroup", &[Param::Text(name)])?;
        session.say(&[name, ": added process group"].concat())?;
    }
    Ok(())
}

pub(super) fn add(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    for name in argument.split_whitespace() {
        match session.call("addProcessGroup", &[Param::Text(name)]) {
            Ok(_) => session.say(&[name, ": added process group"].concat())?,
            Err(Trouble::Fault { code: SHUTDOWN_STATE, .. }) => session.fail(GENERIC, "ERROR: shutting down")?,
            Err(Trouble::Fault { code: 90, .. }) => session.say("ERROR: process group already active")?,
            Err(Trouble::Fault { code: 10, .. }) => {
                session.fail(GENERIC, &["ERROR: no such process/group: ", name].concat())?
            }
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(())
}

pub(super) fn remove(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    for name in argument.split_whitespace() {
        match session.call("removeProcessGroup", &[Param::Text(name)]) {
            Ok(_) => session.say(&[name, ": removed process group"].concat())?,
            Err(Trouble::Fault { code: 91, .. }) => {
                session.fail(GENERIC, &["ERROR: process/group still running: ", name].concat())?
            }
            Err(Trouble::Fault { code: 10, .. }) => {
                session.fail(GENERIC, &["ERROR: no such process/group: ", name].concat())?
            }
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(())
}

/// Whether it is really meant; only a person is asked.
fn is_meant(session: &mut CtlSession<'_>, question: &str) -> io::Result<bool> {
    if !session.is_interactive {
        return Ok(true);
    }
    let answer = shell::ask(session, question)?;
    Ok(answer.is_some_and(|answer| answer.to_ascii_lowercase().starts_with('y')))
}

pub(super) fn shutdown(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !no_arguments(session, "shutdown", argument)?
        || !is_meant(session, "Really shut the remote supervisord process down y/N? ")?
    {
        return Ok(());
    }
    match session.call("shutdown", &[]) {
        Ok(_) => session.say("Shut down")?,
        Err(Trouble::Fault { code: SHUTDOWN_STATE, .. }) => session.say("ERROR: already shutting down")?,
        Err(Trouble::Broken(e)) if e.kind() == io::ErrorKind::ConnectionRefused => {
            let line = ["ERROR: ", &session.server.url, " refused connection (already shut down?)"].concat();
            session.fail(GENERIC, &line)?;
        }
        Err(Trouble::Broken(e)) if e.kind() == io::ErrorKind::NotFound => {
            let line = ["ERROR: ", &session.server.url, " no such file (already shut down?)"].concat();
            session.fail(GENERIC, &line)?;
        }
        Err(trouble) => return Err(trouble),
    }
    Ok(())
}

pub(super) fn reload(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !no_arguments(session, "reload", argument)?
        || !is_meant(session, "Really restart the remote supervisord process y/N? ")?
    {
        return Ok(());
    }
    match session.call("restart", &[]) {
        Ok(_) => session.say("Restarted supervisord")?,
        Err(Trouble::Fault { code: SHUTDOWN_STATE, .. }) => session.fail(GENERIC, "ERROR: already shutting down")?,
        Err(trouble) => return Err(trouble),
    }
    Ok(())
}

pub(super) fn open(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !argument.starts_with("unix:") && !argument.starts_with("http:") {
        session.fail(GENERIC, "ERROR: url must be http:// or unix://")?;
        return Ok(());
    }
    session.server.url = argument.to_string();
    let before = session.status;
    processes::status(session, "")?;
    session.status = before;
    Ok(())
}

pub(super) fn version(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if no_arguments(session, "version", argument)? && session.is_up()? {
        let version = session.call("getSupervisorVersion", &[])?;
        session.say(version.as_text().unwrap_or_default())?;
    }
    Ok(())
}
