//! Starting, stopping and signalling, and waiting for what comes of it.

use std::time::Duration;

use super::fault::{
    MethodFault, ABNORMAL_TERMINATION, ALREADY_STARTED, BAD_SIGNAL, FAILED, INCORRECT_PARAMETERS, NOT_RUNNING,
    SPAWN_ERROR, SUCCESS,
};
use super::now::{gone, Found, Now};
use super::{command, Gone, ResidentCore};
use crate::format::xmlrpc::Value;
use crate::hosting::config::values;
use crate::hosting::protocol::{CoreRequest, Reply, MAX_STDIN};
use crate::hosting::state::ProcessRecord;
use crate::hosting::table::{State, Wanted};

/// Who waits looks so often whether his client is still there.
const LOOK: Duration = Duration::from_secs(1);
/// A process that does not read its input is tried again after this, and so often.
const STDIN_PAUSE: Duration = Duration::from_millis(50);
const STDIN_TRIES: u32 = 200;

/// What is done to processes.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Deed {
    Start,
    Stop,
    Signal(u32),
    /// A text that names none: the processes that a signal would go to refuse it, one by one.
    NoSignal(String),
    ClearLogs,
}

/// A process that something was done to.
struct Affected {
    id: u32,
    /// As the caller named it.
    called: String,
    group: String,
    name: String,
    deed: Deed,
    before: ProcessRecord,
}

pub(super) fn now(core: &mut dyn ResidentCore) -> Result<Now, MethodFault> {
    core.state().ok().and_then(Now::of).ok_or_else(gone)
}

/// A request that is done, or the fault that the core had; `name` is what it is about.
pub(super) fn ask(
    core: &mut dyn ResidentCore,
    request: &CoreRequest<'_>,
    with: Option<&[u8]>,
    name: &str,
) -> Result<Reply, MethodFault> {
    match core.ask(request, with) {
        Ok(Reply::Refused { why, errno }) => Err(MethodFault::refused(why, errno, name)),
        Ok(reply) => Ok(reply),
        Err(Gone) => Err(gone()),
    }
}

fn is_up(record: &ProcessRecord) -> bool {
    matches!(State::of(record.state), State::Starting | State::Running | State::Backoff)
}

/// One process, as it is called. Whether it has to be waited for.
fn begin(core: &mut dyn ResidentCore, found: &Found<'_>, called: &str, deed: &Deed) -> Result<bool, MethodFault> {
    let id = found.record.id;
    match deed {
        Deed::Start => {
            command::check(&found.program)?;
            if is_up(&found.record) {
                return Err(MethodFault::about(ALREADY_STARTED, called));
            }
            ask(core, &CoreRequest::Start { id }, None, called)?;
            let after = now(core)?.by_id(id).unwrap_or_default();
            let failed_at_once = after.failures != found.record.failures && after.runs == found.record.runs;
            if failed_at_once {
                return Err(MethodFault::about(SPAWN_ERROR, called));
            }
            Ok(true)
        }
        Deed::Stop if found.is_waiting() => {
            // The core has nothing to stop, and no longer starts it.
            let _ = core.ask(&CoreRequest::Stop { id }, None).map_err(|Gone| gone())?;
            Ok(false)
        }
        Deed::Stop => {
            if !is_up(&found.record) {
                return Err(MethodFault::about(NOT_RUNNING, called));
            }
            ask(core, &CoreRequest::Stop { id }, None, called)?;
            Ok(true)
        }
        Deed::Signal(signal) => {
            if !State::of(found.record.state).has_process() {
                return Err(MethodFault::about(NOT_RUNNING, called));
            }
            ask(core, &CoreRequest::Signal { id, signal: *signal }, None, called)?;
            Ok(false)
        }
        Deed::NoSignal(text) => Err(MethodFault::about(BAD_SIGNAL, text)),
        Deed::ClearLogs => match core.ask(&CoreRequest::ClearLogs { id }, None) {
            Ok(Reply::Refused { .. }) | Err(Gone) => Err(MethodFault::about(FAILED, called)),
            Ok(_) => Ok(false),
        },
    }
}

/// Whether what was begun has come to its end.
fn ended(job: &Affected, now: &Now) -> Option<Result<(), MethodFault>> {
    let Some(record) = now.by_id(job.id) else { return Some(Ok(())) };
    let state = State::of(record.state);
    if job.deed == Deed::Stop {
        return (state != State::Stopping).then_some(Ok(()));
    }
    if record.runs != job.before.runs {
        return Some(Ok(()));
    }
    if record.failures != job.before.failures {
        return Some(Err(MethodFault::about(SPAWN_ERROR, &job.called)));
    }
    let is_to_come = record.starts == job.before.starts && record.wanted == Wanted::Up as u32;
    match state {
        State::Starting => None,
        _ if is_to_come => None,
        _ => Some(Err(MethodFault::about(ABNORMAL_TERMINATION, &job.called))),
    }
}

/// Waits until all jobs have ended; each is handed out when it has.
fn wait(
    core: &mut dyn ResidentCore,
    mut jobs: Vec<Affected>,
    done: &mut dyn FnMut(&Affected, Result<(), MethodFault>),
) -> Result<(), MethodFault> {
    while !jobs.is_empty() {
        let now = now(core)?;
        let mut left = Vec::new();
        for job in jobs {
            match ended(&job, &now) {
                Some(result) => done(&job, result),
                None => left.push(job),
            }
        }
        jobs = left;
        if !jobs.is_empty() {
            core.wait(LOOK).map_err(|Gone| gone())?;
        }
    }
    Ok(())
}

fn watch(core: &mut dyn ResidentCore, wait: bool) -> Result<(), MethodFault> {
    if wait {
        ask(core, &CoreRequest::Watch, None, "watch")?;
    }
    Ok(())
}

fn job(found: &Found<'_>, called: String, deed: Deed) -> Affected {
    let (group, name) = (found.group.clone(), found.name.clone());
    Affected { id: found.record.id, called, group, name, deed, before: found.record }
}

/// The process of this name; of a group, its processes.
pub(super) fn named(core: &mut dyn ResidentCore, name: &str, deed: Deed, waits: bool) -> Result<Value, MethodFault> {
    let now = now(core)?;
    let (found, is_group) = now.find(name)?;
    if is_group {
        return all(core, found, deed, waits);
    }
    let Some(found) = found.first() else { return Err(gone()) };
    watch(core, waits)?;
    if begin(core, found, name, &deed)? && waits {
        let mut result = Ok(());
        wait(core, vec![job(found, name.to_string(), deed)], &mut |_, ended| result = ended)?;
        result?;
    }
    Ok(Value::Bool(true))
}

/// The processes of the group of this name.
pub(super) fn of_group(core: &mut dyn ResidentCore, name: &str, deed: Deed, waits: bool) -> Result<Value, MethodFault> {
    let now = now(core)?;
    let (found, _) = now.find(&[name, ":*"].concat()).map_err(|fault| fault.without(":*"))?;
    all(core, found, deed, waits)
}

/// All processes; of a stop the last started first.
pub(super) fn everything(core: &mut dyn ResidentCore, deed: Deed, waits: bool) -> Result<Value, MethodFault> {
    let now = now(core)?;
    all(core, now.processes(), deed, waits)
}

/// All of these that it concerns. What comes of each is in the answer, in the order in which it came.
fn all(core: &mut dyn ResidentCore, found: Vec<Found<'_>>, deed: Deed, waits: bool) -> Result<Value, MethodFault> {
    let mut results = Vec::new();
    let mut jobs = Vec::new();
    watch(core, waits)?;
    for one in found {
        let concerns = match &deed {
            Deed::Start => !is_up(&one.record),
            Deed::Stop => is_up(&one.record) || one.is_waiting(),
            Deed::Signal(_) | Deed::NoSignal(_) => State::of(one.record.state).has_process(),
            Deed::ClearLogs => true,
        };
        if !concerns {
            continue;
        }
        // Without a time that it has to stay up it runs at once, and its answer is in its place.
        let is_at_once = deed == Deed::Start && one.program.startsecs == 0;
        let job = job(&one, one.namespec(), deed.clone());
        match begin(core, &one, &job.called, &deed) {
            Ok(true) if waits && is_at_once => {
                wait(core, vec![job], &mut |job, result| results.push(outcome(&job.group, &job.name, result)))?;
            }
            Ok(true) if waits => jobs.push(job),
            result => results.push(outcome(&job.group, &job.name, result.map(|_| ()))),
        }
    }
    wait(core, jobs, &mut |job, result| results.push(outcome(&job.group, &job.name, result)))?;
    Ok(Value::Array(results))
}

fn outcome(group: &str, name: &str, result: Result<(), MethodFault>) -> Value {
    let (status, description) = match result {
        Ok(()) => (SUCCESS, "OK".to_string()),
        Err(fault) => (fault.code, fault.text.clone()),
    };
    Value::Struct(vec![
        ("name".to_string(), Value::Text(name.to_string())),
        ("group".to_string(), Value::Text(group.to_string())),
        ("status".to_string(), Value::Int(i64::from(status))),
        ("description".to_string(), Value::Text(description)),
    ])
}

/// The deed of a signal's name or number.
pub(super) fn signal(text: &str) -> Deed {
    let number = values::signal(text).ok().and_then(|number| u32::try_from(number).ok());
    number.map_or_else(|| Deed::NoSignal(text.to_string()), Deed::Signal)
}

/// Text for a process's input: all of it, as far as the process reads it.
pub(super) fn send_stdin(core: &mut dyn ResidentCore, name: &str, chars: &Value) -> Result<Value, MethodFault> {
    let Value::Text(chars) = chars else {
        let said = chars.as_int().map(|number| number.to_string()).unwrap_or_default();
        return Err(MethodFault::about(INCORRECT_PARAMETERS, &said));
    };
    let now = now(core)?;
    let found = now.find_one(name)?;
    if found.record.pid <= 0 || State::of(found.record.state) == State::Stopping {
        return Err(MethodFault::about(NOT_RUNNING, name));
    }
    let mut rest = chars.as_bytes();
    let mut tries = 0;
    while !rest.is_empty() {
        let bytes = rest.get(..MAX_STDIN).unwrap_or(rest);
        let taken = match ask(core, &CoreRequest::Stdin { id: found.record.id, bytes }, None, name)? {
            Reply::Written { bytes } => bytes as usize,
            _ => rest.len(),
        };
        rest = rest.get(taken..).unwrap_or_default();
        tries = if taken == 0 { tries + 1 } else { 0 };
        if tries > STDIN_TRIES {
            return Err(MethodFault::about(FAILED, &[name, " does not read its input"].concat()));
        }
        if taken < bytes.len() {
            core.wait(STDIN_PAUSE).map_err(|Gone| gone())?;
        }
    }
    Ok(Value::Bool(true))
}
