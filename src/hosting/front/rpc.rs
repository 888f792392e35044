//! A call becomes what it does: the fixed table of methods, and nothing else.

use super::act::{self, ask, now, Deed};
use super::fault::{MethodFault, INCORRECT_PARAMETERS, SHUTDOWN_STATE, SIGNATURE_UNSUPPORTED, UNKNOWN_METHOD};
use super::logs::{self, number, Channel};
use super::methods::{FrontMethod, METHODS};
use super::now::text;
use super::{look, reload, ResidentCore};
use crate::format::xmlrpc::server::fault;
use crate::format::xmlrpc::Value;
use crate::hosting::protocol::CoreRequest;

/// What this says it is, for clients that look.
pub(super) const VERSION: &str = "4.3.0";
const API_VERSION: &str = "3.0";
/// So many calls may stand in one.
const MAX_CALLS: usize = 1000;
/// An event of a client may have so many bytes.
const MAX_EVENT: usize = 12 << 10;

/// Calls a method by its name.
pub(super) fn call(core: &mut dyn ResidentCore, name: &str, params: &[Value]) -> Result<Value, MethodFault> {
    let has_rpc = now(core)?.settings().has_rpc;
    let known = METHODS.iter().find(|method| method.name == name && (has_rpc || method.name.starts_with("system.")));
    let method = known.ok_or_else(|| MethodFault::plain(UNKNOWN_METHOD))?;
    if !(method.wanted..=method.params.len()).contains(&params.len()) {
        return Err(MethodFault::plain(INCORRECT_PARAMETERS));
    }
    match name.strip_prefix("supervisor.") {
        None => system(core, name, params, has_rpc),
        Some(name) => {
            if name != "sendRemoteCommEvent" && now(core)?.mood() <= 0 {
                return Err(MethodFault::plain(SHUTDOWN_STATE));
            }
            supervisor(core, name, params)
        }
    }
}

fn string(params: &[Value], at: usize) -> Result<&str, MethodFault> {
    params.get(at).and_then(Value::as_text).ok_or_else(|| MethodFault::plain(INCORRECT_PARAMETERS))
}

/// A flag that may be left out; as in Python, all but nothing is a yes.
fn waits(params: &[Value], at: usize) -> bool {
    match params.get(at) {
        Some(Value::Bool(yes)) => *yes,
        Some(Value::Int(number)) => *number != 0,
        Some(Value::Text(text)) => !text.is_empty(),
        Some(Value::Nil) => false,
        _ => true,
    }
}

fn supervisor(core: &mut dyn ResidentCore, name: &str, params: &[Value]) -> Result<Value, MethodFault> {
    let string = |at| string(params, at);
    let piece = |at: usize| {
        Ok::<_, MethodFault>((
            number(params.get(at).unwrap_or(&Value::Nil))?,
            number(params.get(at + 1).unwrap_or(&Value::Nil))?,
        ))
    };
    let plain = |text: &str| Ok(Value::Text(text.to_string()));
    match name {
        "getAPIVersion" | "getVersion" => plain(API_VERSION),
        "getSupervisorVersion" => plain(VERSION),
        "getIdentification" => Ok(Value::Text(text(now(core)?.settings().identifier))),
        "getState" => Ok(look::state(&now(core)?)),
        "getPID" => Ok(Value::Int(i64::from(now(core)?.pid()))),
        "getProcessInfo" => look::process_info(core, string(0)?),
        "getAllProcessInfo" => look::all_process_info(core),
        "getAllConfigInfo" => look::all_config_info(core),
        "readLog" | "readMainLog" => {
            let (offset, length) = piece(0)?;
            logs::read(logs::main_file(core)?, offset, length)
        }
        "clearLog" => logs::clear_main(core),
        "readProcessLog" | "readProcessStdoutLog" | "readProcessStderrLog" => {
            let (offset, length) = piece(1)?;
            logs::read(logs::file(core, string(0)?, channel(name))?, offset, length)
        }
        "tailProcessLog" | "tailProcessStdoutLog" | "tailProcessStderrLog" => {
            let (offset, length) = piece(1)?;
            Ok(logs::tail(logs::file(core, string(0)?, channel(name))?, offset, length))
        }
        "clearProcessLog" | "clearProcessLogs" => {
            now(core)?.find_one(string(0)?)?;
            act::named(core, string(0)?, Deed::ClearLogs, false)
        }
        "clearAllProcessLogs" => act::everything(core, Deed::ClearLogs, false),
        "startProcess" => act::named(core, string(0)?, Deed::Start, waits(params, 1)),
        "startProcessGroup" => act::of_group(core, string(0)?, Deed::Start, waits(params, 1)),
        "startAllProcesses" => act::everything(core, Deed::Start, waits(params, 0)),
        "stopProcess" => act::named(core, string(0)?, Deed::Stop, waits(params, 1)),
        "stopProcessGroup" => act::of_group(core, string(0)?, Deed::Stop, waits(params, 1)),
        "stopAllProcesses" => act::everything(core, Deed::Stop, waits(params, 0)),
        "signalProcess" => {
            now(core)?.find(string(0)?)?;
            act::named(core, string(0)?, act::signal(&signal_text(params, 1)?), false)
        }
        "signalProcessGroup" => act::of_group(core, string(0)?, act::signal(&signal_text(params, 1)?), false),
        "signalAllProcesses" => act::everything(core, act::signal(&signal_text(params, 0)?), false),
        "sendProcessStdin" => act::send_stdin(core, string(0)?, params.get(1).unwrap_or(&Value::Nil)),
        "sendRemoteCommEvent" => remote_event(core, string(0)?, string(1)?),
        "reloadConfig" => reload::reload_config(core),
        "addProcessGroup" => reload::add_group(core, string(0)?),
        "removeProcessGroup" => reload::remove_group(core, string(0)?),
        "shutdown" => {
            ask(core, &CoreRequest::Shutdown, None, "shutdown")?;
            Ok(Value::Bool(true))
        }
        "restart" => reload::restart(core),
        _ => Err(MethodFault::plain(UNKNOWN_METHOD)),
    }
}

fn channel(method: &str) -> Channel {
    if method.contains("Stderr") {
        Channel::Stderr
    } else {
        Channel::Stdout
    }
}

/// A signal comes as a name or as a number.
fn signal_text(params: &[Value], at: usize) -> Result<String, MethodFault> {
    match params.get(at) {
        Some(Value::Text(text)) => Ok(text.clone()),
        Some(Value::Int(number)) => Ok(number.to_string()),
        _ => Err(MethodFault::plain(INCORRECT_PARAMETERS)),
    }
}

fn remote_event(core: &mut dyn ResidentCore, kind: &str, data: &str) -> Result<Value, MethodFault> {
    if kind.len() + data.len() > MAX_EVENT {
        return Err(MethodFault::about(INCORRECT_PARAMETERS, "the event is too long"));
    }
    ask(core, &CoreRequest::RemoteEvent { kind: kind.as_bytes(), data: data.as_bytes() }, None, "event")?;
    Ok(Value::Bool(true))
}

fn system(core: &mut dyn ResidentCore, name: &str, params: &[Value], has_rpc: bool) -> Result<Value, MethodFault> {
    let offered = || METHODS.iter().filter(|method| has_rpc || method.name.starts_with("system."));
    let text = |text: &str| Value::Text(text.to_string());
    let named = || -> Result<&FrontMethod, MethodFault> {
        let wanted = string(params, 0)?;
        offered().find(|method| method.name == wanted).ok_or_else(|| MethodFault::plain(SIGNATURE_UNSUPPORTED))
    };
    match name {
        "system.listMethods" => Ok(Value::Array(offered().map(|method| text(method.name)).collect())),
        "system.methodHelp" => Ok(text(&named()?.text())),
        "system.methodSignature" => Ok(Value::Array(named()?.signature().into_iter().map(text).collect())),
        _ => multicall(core, params),
    }
}

/// Each call in its turn; a fault takes the place of a result.
fn multicall(core: &mut dyn ResidentCore, params: &[Value]) -> Result<Value, MethodFault> {
    let calls = params.first().and_then(Value::as_array).ok_or_else(|| MethodFault::plain(INCORRECT_PARAMETERS))?;
    if calls.len() > MAX_CALLS {
        return Err(MethodFault::about(INCORRECT_PARAMETERS, "too many calls"));
    }
    let mut results = Vec::with_capacity(calls.len());
    for one in calls {
        let params = one.get("params").and_then(Value::as_array).unwrap_or_default();
        let result = match one.get("methodName").and_then(Value::as_text) {
            None => Err(MethodFault::about(INCORRECT_PARAMETERS, "No methodName")),
            Some("system.multicall") => {
                Err(MethodFault::about(INCORRECT_PARAMETERS, "Recursive system.multicall forbidden"))
            }
            Some(name) => call(core, name, params),
        };
        results.push(result.unwrap_or_else(|why| fault(why.code, &why.text)));
    }
    Ok(Value::Array(results))
}
