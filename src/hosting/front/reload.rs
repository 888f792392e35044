//! The configuration read anew: what is new, what changed, what is gone; and groups that come and go.

use super::act::{ask, now};
use super::fault::{MethodFault, BAD_NAME, CANT_REREAD, FAILED};
use super::now::{gone, text, Now};
use super::{Gone, ResidentCore};
use crate::format::xmlrpc::Value;
use crate::hosting::definition::{Channel, Configuration, Group, Program, Settings};
use crate::hosting::encode::{encode, Start};
use crate::hosting::protocol::CoreRequest;
use crate::hosting::wire::Reader;
use crate::hosting::{auto_logs, cgroup};

/// The configuration as its files have it now, in bytes for the core. What runs keeps the files that were chosen for its logs.
fn read_again(core: &mut dyn ResidentCore, now: &Now) -> Result<Vec<u8>, MethodFault> {
    let settings = now.settings();
    let bad = |why: String| MethodFault::about(CANT_REREAD, &why);
    let configuration = core.read_again(&settings).map_err(bad)?;
    let last = core.configuration().map_err(|Gone| gone())?;
    let known = |group: &str, process: &str, channel: &str| {
        let active = now.groups().into_iter().map(|(_, group)| group);
        let read = Configuration::checked(&last).into_iter().flat_map(|last| last.all_groups().collect::<Vec<_>>());
        active.chain(read).find_map(|known| known_log(&known, group, process, channel))
    };
    let cgroups = cgroup::folder_for(&configuration, now.pid().unsigned_abs())
        .unwrap_or_default()
        .into_os_string()
        .into_encoded_bytes();
    let settings = Settings { cgroups: &cgroups, ..settings };
    let start = Start { folder: &text(settings.started_in), settings, known_log: &known };
    encode(&configuration, &start).map_err(bad)
}

fn known_log(known: &Group<'_>, group: &str, process: &str, channel: &str) -> Option<Vec<u8>> {
    if known.name != group.as_bytes() {
        return None;
    }
    let program = known.all_programs().find(|program| program.name == process.as_bytes())?;
    let output = if channel == "stdout" { program.read_stdout() } else { program.read_stderr() };
    (output.is_auto && !output.logfile.is_empty()).then(|| output.logfile.to_vec())
}

/// Whether two outputs are the same; a file that supervisord chooses is the same as any.
fn is_same_output(a: &Channel<'_>, b: &Channel<'_>) -> bool {
    let same_file = a.is_auto || b.is_auto || a.logfile == b.logfile;
    let (mut a, mut b) = (*a, *b);
    for one in [&mut a, &mut b] {
        (one.logfile, one.is_auto) = (b"", false);
    }
    same_file && a == b
}

fn is_same_program(a: &Program<'_>, b: &Program<'_>) -> bool {
    let outputs =
        is_same_output(&a.read_stdout(), &b.read_stdout()) && is_same_output(&a.read_stderr(), &b.read_stderr());
    let (mut a, mut b) = (*a, *b);
    for one in [&mut a, &mut b] {
        // The groups of a user are the user's, not the program's, and where cgroups are the system's. The order of starts is a matter of the next one.
        (one.stdout, one.stderr, one.groups, one.cgroup) = (b"", b"", b"", b"");
        (one.after, one.after_missing, one.after_timeout) = (b"", b"", 0);
    }
    outputs && a == b
}

fn is_same_group(a: &Group<'_>, b: &Group<'_>) -> bool {
    let (programs_a, programs_b): (Vec<_>, Vec<_>) = (a.all_programs().collect(), b.all_programs().collect());
    (a.priority, a.kind, a.events, a.buffer_size, a.socket) == (b.priority, b.kind, b.events, b.buffer_size, b.socket)
        && programs_a.len() == programs_b.len()
        && programs_a.iter().zip(&programs_b).all(|(a, b)| is_same_program(a, b))
}

/// Reads the files anew and keeps what was read; nothing is applied.
pub(super) fn reload_config(core: &mut dyn ResidentCore) -> Result<Value, MethodFault> {
    let now = now(core)?;
    let bytes = read_again(core, &now)?;
    ask(core, &CoreRequest::Configuration, Some(&bytes), "configuration")?;
    let configuration = Configuration::checked(&bytes).ok_or_else(gone)?;
    let (mut added, mut changed, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    let groups = now.groups();
    for group in configuration.all_groups() {
        match groups.iter().find(|(_, active)| active.name == group.name) {
            None => added.push(Value::Text(text(group.name))),
            Some((_, active)) if !is_same_group(active, &group) => changed.push(Value::Text(text(group.name))),
            Some(_) => {}
        }
    }
    for (_, active) in &groups {
        if configuration.raw_group(active.name).is_none() {
            removed.push(Value::Text(text(active.name)));
        }
    }
    Ok(Value::Array(vec![Value::Array(vec![Value::Array(added), Value::Array(changed), Value::Array(removed)])]))
}

pub(super) fn add_group(core: &mut dyn ResidentCore, name: &str) -> Result<Value, MethodFault> {
    let bytes = core.configuration().map_err(|Gone| gone())?;
    let raw = Configuration::checked(&bytes).and_then(|last| last.raw_group(name.as_bytes()));
    let group = raw.and_then(|raw| Group::decode(&mut Reader::new(raw)));
    let group = group.ok_or_else(|| MethodFault::about(BAD_NAME, name))?;
    auto_logs::create(&group).map_err(|e| MethodFault::about(FAILED, &e.to_string()))?;
    ask(core, &CoreRequest::AddGroup { name: name.as_bytes() }, None, name)?;
    Ok(Value::Bool(true))
}

pub(super) fn remove_group(core: &mut dyn ResidentCore, name: &str) -> Result<Value, MethodFault> {
    let now = now(core)?;
    let groups = now.groups();
    let found = groups.iter().find(|(_, group)| group.name == name.as_bytes());
    let id = found.map(|(group, _)| group.record.id).ok_or_else(|| MethodFault::about(BAD_NAME, name))?;
    ask(core, &CoreRequest::RemoveGroup { id }, None, name)?;
    Ok(Value::Bool(true))
}

/// Everything stops and starts anew with what the files say; they are read first, and a bad one changes nothing.
pub(super) fn restart(core: &mut dyn ResidentCore) -> Result<Value, MethodFault> {
    let now = now(core)?;
    let bytes = match read_again(core, &now) {
        Ok(bytes) => bytes,
        Err(fault) => {
            let line =
                ["nothing is restarted, the configuration cannot be read: ", &fault.text.replace('\n', " ")].concat();
            let _ = core.ask(&CoreRequest::Log { level: 50, text: line.as_bytes() }, None);
            return Err(fault);
        }
    };
    if let Some(read) = Configuration::checked(&bytes) {
        for group in read.all_groups() {
            auto_logs::create(&group).map_err(|e| MethodFault::about(FAILED, &e.to_string()))?;
        }
    }
    ask(core, &CoreRequest::Restart, Some(&bytes), "restart")?;
    Ok(Value::Bool(true))
}
