//! `engine_fetch`: the cloud's request, as text (docs/spec/gateway-engine.md, "The loop", step 4).

use std::fmt;

use miniserde::json::{self, Object, Value};

use super::logs::{self, LogsFault, Wish};
use super::number;
use crate::config::apply::Apply;
use crate::format::hex;
use crate::format::json_fault::{self, JsonPlace};

/// The longest request that is read, in bytes.
pub const MAX_REQUEST: usize = 64 * 1024;
/// How many apps one request may name.
pub const MAX_ENTRIES: usize = 32;
/// The longest name in an entry, in bytes, that is quoted or stored.
const MAX_NAME: usize = 200;
/// The lists that a request may have.
const INSTALL: &str = "install";
const REMOVE: &str = "remove";
const CANCEL: &str = "cancel";
/// One entry of `install`. Unknown keys are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The tarball's name in the content area. Not yet checked.
    pub name: String,
    /// Ours: the tarball's SHA-256 in hex.
    pub sha256: Option<String>,
    /// Ours: the tarball's size in bytes.
    pub size: Option<u64>,
    /// Ours: the versions from which there is a delta to this one, without their `v`.
    pub delta_from: Option<Vec<String>>,
    /// Ours: whether what failed here before is tried again.
    pub force: bool,
    /// Ours: when it is installed; `None`: as the gateway is set.
    pub apply: Option<Apply>,
}

impl Entry {
    /// Of this name, and nothing more is said of it.
    #[must_use]
    pub fn named(name: String) -> Entry {
        Entry { name, sha256: None, size: None, delta_from: None, force: false, apply: None }
    }
}

/// A request as far as it can be understood: a bad entry does not refuse its neighbours (docs/spec/failures.md, case 13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is to be installed.
    pub entries: Vec<Entry>,
    /// Ours: the apps that are to be taken away. Names not yet checked.
    pub remove: Vec<String>,
    /// Ours: what was ordered and is not wanted any more, by the names of those orders.
    pub cancel: Vec<String>,
    /// What is wrong with the other entries.
    pub refused: Vec<RefusedEntry>,
    /// The logs that are asked for: ours.
    pub logs: Result<Vec<Wish>, LogsFault>,
}

/// An entry that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedEntry {
    /// Which list it stands in.
    pub list: &'static str,
    /// Its place there, from 1.
    pub number: usize,
    /// Its name, where that is known.
    pub name: Option<String>,
    /// What is wrong.
    pub why: EntryFault,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryFault {
    /// No JSON object.
    NoObject,
    /// No name of an app, or of an order.
    NoText,
    /// `name` is missing or no text.
    NoName,
    /// A name longer than any tarball's.
    NameTooLong,
    /// `sha256` is not 64 hexadecimal digits.
    BadHash,
    /// `size` is no whole number.
    BadSize,
    /// `force` is neither true nor false.
    BadForce,
    /// `apply` is no word that says when.
    BadApply,
}

impl fmt::Display for RefusedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} of engine_fetch's {}", self.number, self.list)?;
        if let Some(name) = &self.name {
            write!(f, " ({name})")?;
        }
        f.write_str(match self.why {
            EntryFault::NoObject => r#" is not of the form {"name": "<APP>.v<VERSION>.tar.gz"}"#,
            EntryFault::NoText => " is no text",
            EntryFault::NoName => r#" has no "name" that is a text"#,
            EntryFault::NameTooLong => " has a name of more than 200 bytes",
            EntryFault::BadHash => " has a sha256 that is not 64 hexadecimal digits",
            EntryFault::BadSize => " has a size that is no whole number of bytes",
            EntryFault::BadForce => " has a force that is neither true nor false",
            EntryFault::BadApply => " has an apply that is none of now, window, reboot and consent",
        })
    }
}

/// Why a text is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Longer than [`MAX_REQUEST`].
    TooLong,
    /// No JSON, from this place on.
    NoJson(Option<JsonPlace>),
    /// JSON, but no object with `install`, `remove` or `cancel`, lists, or `logs`.
    NoRequest,
    /// More than [`MAX_ENTRIES`].
    TooMany,
    /// The list is empty.
    Empty,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RequestError::TooLong => "engine_fetch is longer than 64 KiB",
            RequestError::NoJson(Some(place)) => return write!(f, "engine_fetch is not JSON: see {place}"),
            RequestError::NoJson(None) => "engine_fetch is not JSON",
            RequestError::NoRequest => {
                r#"engine_fetch is not of the form {"install": [{"name": "<APP>.v<VERSION>.tar.gz"}]}, nor {"remove": ["<APP>"]}, nor {"cancel": ["<APP>.v<VERSION>.tar.gz"]}"#
            }
            RequestError::TooMany => "engine_fetch names more than 32 apps",
            RequestError::Empty => "engine_fetch names no app",
        })
    }
}

/// As much of a text as is kept, to know it again: all of it, unless it is longer than a request may be.
#[must_use]
pub fn beginning(text: &str) -> &str {
    let end = (0..=MAX_REQUEST.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    &text[..end]
}

/// Reads a request; `Ok(None)` where there is nothing to do (`null`, `""`, white space).
///
/// # Errors
/// The text asks for something that cannot be understood: the alias is cleared, and `fetch_status` says this.
pub fn parse(text: &str) -> Result<Option<Request>, RequestError> {
    // A byte order mark: Windows' editors save one.
    let text = text.trim().trim_start_matches('\u{feff}').trim();
    if matches!(text, "" | "null" | "\"\"") {
        return Ok(None);
    }
    if text.len() > MAX_REQUEST {
        return Err(RequestError::TooLong);
    }
    let value: Value = json::from_str(text).map_err(|_| RequestError::NoJson(json_fault::first_fault(text)))?;
    let Value::Object(object) = value else { return Err(RequestError::NoRequest) };
    let wanted = object.get("logs").filter(|value| !matches!(value, Value::Null));
    let lists = [list(&object, INSTALL)?, list(&object, REMOVE)?, list(&object, CANCEL)?];
    if wanted.is_none() && lists.iter().all(Option::is_none) {
        return Err(RequestError::NoRequest);
    }
    let [install, remove, cancel] = lists.map(Option::unwrap_or_default);
    match install.len() + remove.len() + cancel.len() {
        0 if wanted.is_none() => return Err(RequestError::Empty),
        n if n > MAX_ENTRIES => return Err(RequestError::TooMany),
        _ => {}
    }
    let logs = wanted.map_or(Ok(Vec::new()), logs::wishes);
    let mut request =
        Request { entries: Vec::new(), remove: Vec::new(), cancel: Vec::new(), refused: Vec::new(), logs };
    for (index, value) in install.iter().enumerate() {
        match entry(value) {
            Ok(entry) => request.entries.push(entry),
            Err(why) => request.refuse(INSTALL, index, name_of(value), why),
        }
    }
    request.remove = request.names(REMOVE, remove);
    request.cancel = request.names(CANCEL, cancel);
    Ok(Some(request))
}

/// A list of the request; `None`: it has none of that name.
fn list<'a>(object: &'a Object, name: &str) -> Result<Option<&'a [Value]>, RequestError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list.as_slice())),
        Some(_) => Err(RequestError::NoRequest),
    }
}

/// The name that an entry is.
fn name(value: &Value) -> Result<String, EntryFault> {
    match value {
        Value::String(name) if name.len() <= MAX_NAME => Ok(name.clone()),
        Value::String(_) => Err(EntryFault::NameTooLong),
        _ => Err(EntryFault::NoText),
    }
}

impl Request {
    /// The names of a list, without those that are none.
    fn names(&mut self, list: &'static str, values: &[Value]) -> Vec<String> {
        let mut names = Vec::new();
        for (index, value) in values.iter().enumerate() {
            match name(value) {
                Ok(name) => names.push(name),
                Err(why) => self.refuse(list, index, None, why),
            }
        }
        names
    }

    fn refuse(&mut self, list: &'static str, index: usize, name: Option<String>, why: EntryFault) {
        self.refused.push(RefusedEntry { list, number: index + 1, name, why });
    }
}

fn entry(value: &Value) -> Result<Entry, EntryFault> {
    let Value::Object(object) = value else { return Err(EntryFault::NoObject) };
    let name = text(object, "name", EntryFault::NoName)?.ok_or(EntryFault::NoName)?;
    if name.len() > MAX_NAME {
        return Err(EntryFault::NameTooLong);
    }
    let sha256 = text(object, "sha256", EntryFault::BadHash)?;
    if sha256.as_ref().is_some_and(|hash| !hex::is_hash(hash, 64)) {
        return Err(EntryFault::BadHash);
    }
    let force = match object.get("force") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(force)) => *force,
        Some(_) => return Err(EntryFault::BadForce),
    };
    let size = whole(object, "size", EntryFault::BadSize)?;
    let apply = text(object, "apply", EntryFault::BadApply)?;
    let apply = apply.map(|word| Apply::parse(&word).ok_or(EntryFault::BadApply)).transpose()?;
    Ok(Entry { name, sha256, size, delta_from: bases(object), force, apply })
}

/// The versions from which a delta is offered. What is no text in it, or no list, is no reason to refuse the tarball.
fn bases(object: &Object) -> Option<Vec<String>> {
    match object.get("delta_from") {
        None | Some(Value::Null) => None,
        Some(Value::String(version)) => Some(vec![version.clone()]),
        Some(Value::Array(versions)) => Some(
            versions
                .iter()
                .filter_map(|version| match version {
                    Value::String(version) => Some(version.clone()),
                    _ => None,
                })
                .collect(),
        ),
        Some(_) => Some(Vec::new()),
    }
}

/// A text; `null` counts as missing.
fn text(object: &Object, key: &str, fault: EntryFault) -> Result<Option<String>, EntryFault> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(fault),
    }
}

/// A whole number, however it is spelled: JSON knows only one kind of number.
fn whole(object: &Object, key: &str, fault: EntryFault) -> Result<Option<u64>, EntryFault> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => number::whole(value).map(Some).ok_or(fault),
    }
}

fn name_of(value: &Value) -> Option<String> {
    match value {
        Value::Object(object) => text(object, "name", EntryFault::NoName).ok().flatten(),
        _ => None,
    }
    .filter(|name| name.len() <= MAX_NAME)
}

#[cfg(test)]
mod tests;
