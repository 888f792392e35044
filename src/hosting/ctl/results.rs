//! What became of each process, as a line and as an exit status.

use super::client::Trouble;
use super::{GENERIC, NOT_RUNNING};
use crate::format::xmlrpc::Value;
use crate::hosting::front::namespec;

pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_text).unwrap_or_default()
}

pub(super) fn number(value: &Value, key: &str) -> i64 {
    value.get(key).and_then(Value::as_int).unwrap_or_default()
}

/// The names of what an action did when all was well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Started,
    Stopped,
    Signalled,
    Cleared,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Verb::Started => "started",
            Verb::Stopped => "stopped",
            Verb::Signalled => "signalled",
            Verb::Cleared => "cleared",
        }
    }

    /// What counts as done already.
    fn ignored(self) -> i64 {
        match self {
            Verb::Started => 60,
            Verb::Stopped => 70,
            Verb::Signalled | Verb::Cleared => 80,
        }
    }
}

/// The line about one process.
pub(super) fn line(verb: Verb, group: &str, name: &str, code: i64, description: &str) -> Result<String, Trouble> {
    let name = namespec(group, name);
    let why = match (verb, code) {
        (_, 80) => return Ok([&name, ": ", verb.word()].concat()),
        (_, 10) => "no such process",
        (Verb::Started, 20) => "no such file",
        (Verb::Started, 21) => "file is not executable",
        (Verb::Started, 60) => "already started",
        (Verb::Started, 50) => "spawn error",
        (Verb::Started, 40) => "abnormal termination",
        (Verb::Stopped | Verb::Signalled, 11) => "bad signal name",
        (Verb::Stopped | Verb::Signalled, 70) => "not running",
        (Verb::Stopped | Verb::Signalled, 30) => return Ok(description.to_string()),
        (Verb::Cleared, 30) => "failed",
        _ => return Err(Trouble::Other("ValueError", format!("Unknown result code {code} for {name}"))),
    };
    Ok([&name, ": ERROR (", why, ")"].concat())
}

/// The exit status that a fault makes, if it makes one.
pub(super) fn status(verb: Verb, code: i64) -> Option<u8> {
    match code {
        80 => None,
        code if code == verb.ignored() => None,
        50 | 40 | 70 => Some(NOT_RUNNING),
        _ => Some(GENERIC),
    }
}
