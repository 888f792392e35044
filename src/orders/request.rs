//! `engine_fetch`: the cloud's request, as text (docs/spec/gateway-engine.md, "The loop", step 4).

use std::fmt;

use miniserde::json::{self, Object, Value};

use super::logs::{self, LogsFault, Wish};
use super::number;
use crate::format::hex;
use crate::format::json_fault::{self, Place};

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
}

impl Entry {
    /// Of this name, and nothing more is said of it.
    #[must_use]
    pub fn named(name: String) -> Entry {
        Entry { name, sha256: None, size: None, delta_from: None, force: false }
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
    pub refused: Vec<Refused>,
    /// The logs that are asked for: ours.
    pub logs: Result<Vec<Wish>, LogsFault>,
}

/// An entry that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
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
}

impl fmt::Display for Refused {
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
        })
    }
}

/// Why a text is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Longer than [`MAX_REQUEST`].
    TooLong,
    /// No JSON, from this place on.
    NoJson(Option<Place>),
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
        self.refused.push(Refused { list, number: index + 1, name, why });
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
    Ok(Entry { name, sha256, size, delta_from: bases(object), force })
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
mod tests {
    use super::*;

    #[test]
    fn requests_with_and_without_our_keys() {
        let hash = "0".repeat(64);
        let text = format!(
            r#" {{"install": [{{"name": "a.v1.tar.gz"}}, {{"name":"b.v2.tar.gz","sha256":"{hash}","size":7,"x":[{{}}]}}], "y": 1}} "#
        );
        let request = parse(&text).unwrap().unwrap();
        assert_eq!(
            request.entries[0],
            Entry { name: "a.v1.tar.gz".into(), sha256: None, size: None, delta_from: None, force: false }
        );
        assert_eq!(
            request.entries[1],
            Entry { name: "b.v2.tar.gz".into(), sha256: Some(hash), size: Some(7), delta_from: None, force: false }
        );
        assert!(request.refused.is_empty());
    }

    #[test]
    fn an_offer_of_deltas_is_taken_as_far_as_it_can_be_understood() {
        for (offer, want) in [
            ("null", None),
            (r#"["1.0", "1.1"]"#, Some(vec!["1.0", "1.1"])),
            (r#""1.0""#, Some(vec!["1.0"])),
            (r#"["1.0", 2, {}, null]"#, Some(vec!["1.0"])),
            ("[]", Some(vec![])),
            ("7", Some(vec![])),
            (r#"{"1.0": true}"#, Some(vec![])),
        ] {
            let text = format!(r#"{{"install": [{{"name": "a.v1.tar.gz", "delta_from": {offer}}}]}}"#);
            let request = parse(&text).unwrap().unwrap();
            let want = want.map(|versions: Vec<&str>| versions.into_iter().map(String::from).collect());
            assert_eq!((request.refused.len(), &request.entries[0].delta_from), (0, &want), "{offer}");
        }
    }

    #[test]
    fn an_entry_says_whether_it_is_forced() {
        for (force, want) in [("true", true), ("false", false), ("null", false)] {
            let text = format!(r#"{{"install": [{{"name": "a.v1.tar.gz", "force": {force}}}]}}"#);
            assert_eq!(parse(&text).unwrap().unwrap().entries[0].force, want, "{force}");
        }
    }

    /// docs/spec/failures.md, F5.
    #[test]
    fn what_is_to_be_removed_or_cancelled_stands_beside_what_is_installed_or_alone() {
        for (text, entries, remove, cancel) in [
            (r#"{"remove": ["a", "b"]}"#, 0, vec!["a", "b"], vec![]),
            (r#"{"cancel": ["a.v1.tar.gz"], "install": null}"#, 0, vec![], vec!["a.v1.tar.gz"]),
            (r#"{"install": [{"name": "a"}], "remove": ["b"], "cancel": []}"#, 1, vec!["b"], vec![]),
        ] {
            let request = parse(text).unwrap().unwrap();
            assert_eq!((request.entries.len(), request.refused.len()), (entries, 0), "{text}");
            assert_eq!(
                (request.remove, request.cancel),
                (remove.iter().map(|s| s.to_string()).collect(), cancel.iter().map(|s| s.to_string()).collect()),
                "{text}"
            );
        }
        let long = "a".repeat(MAX_NAME + 1);
        for (bad, told) in [
            ("7".to_string(), "entry 2 of engine_fetch's remove is no text"),
            (r#"{"name": "a"}"#.to_string(), "entry 2 of engine_fetch's remove is no text"),
            (format!("\"{long}\""), "entry 2 of engine_fetch's remove has a name of more than 200 bytes"),
        ] {
            let request = parse(&format!(r#"{{"remove": ["a", {bad}, "c"]}}"#)).unwrap().unwrap();
            assert_eq!((request.remove, request.refused[0].to_string()), (vec!["a".into(), "c".into()], told.into()));
        }
        let many = format!(r#"{{"remove":[{}], "cancel": ["b"]}}"#, vec![r#""a""#; MAX_ENTRIES].join(","));
        assert_eq!(parse(&many), Err(RequestError::TooMany));
    }

    #[test]
    fn nothing_to_do() {
        for text in ["", " \n", "null", "\"\"", " null ", "\u{feff}", "\u{feff}null"] {
            assert_eq!(parse(text), Ok(None), "{text:?}");
        }
    }

    /// docs/spec/failures.md, case 13 (hive#398, kukuri#646): what every JSON reader takes is taken.
    #[test]
    fn a_byte_order_mark_and_a_whole_number_with_a_point_are_taken() {
        for size in ["150", "150.0", "1.5e2", "1500e-1"] {
            let text = format!("\u{feff}{{\"install\": [{{\"name\": \"a.v1.tar.gz\", \"size\": {size}}}]}}");
            assert_eq!(parse(&text).unwrap().unwrap().entries[0].size, Some(150), "{size}");
        }
    }

    /// docs/spec/failures.md, case 13: one bad entry of two is told with its place, and the other is installed.
    #[test]
    fn one_bad_entry_does_not_refuse_its_neighbours() {
        let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(201));
        for (bad, name, why) in [
            (r#"{"name": "b", "size": -1}"#, Some("b"), EntryFault::BadSize),
            (r#"{"name": "b", "size": 1.5}"#, Some("b"), EntryFault::BadSize),
            (r#"{"name": "b", "size": "7"}"#, Some("b"), EntryFault::BadSize),
            (r#"{"name": "b", "size": 1e300}"#, Some("b"), EntryFault::BadSize),
            (r#"{"name": "b", "sha256": "12"}"#, Some("b"), EntryFault::BadHash),
            (r#"{"name": "b", "force": "yes"}"#, Some("b"), EntryFault::BadForce),
            (r#"{"name": "b", "force": 1}"#, Some("b"), EntryFault::BadForce),
            (r#"{"name": "b", "sha256": 12}"#, Some("b"), EntryFault::BadHash),
            (r#"{"nam": "b"}"#, None, EntryFault::NoName),
            (r#"{"name": 1}"#, None, EntryFault::NoName),
            (r#""b.v1.tar.gz""#, None, EntryFault::NoObject),
            (long.as_str(), None, EntryFault::NameTooLong),
        ] {
            let request =
                parse(&format!(r#"{{"install": [{{"name": "a"}}, {bad}, {{"name": "c"}}]}}"#)).unwrap().unwrap();
            let names: Vec<&str> = request.entries.iter().map(|entry| entry.name.as_str()).collect();
            assert_eq!(names, ["a", "c"], "{bad}");
            assert_eq!(
                request.refused,
                [Refused { list: INSTALL, number: 2, name: name.map(str::to_string), why }],
                "{bad}"
            );
            assert!(request.refused[0].to_string().starts_with("entry 2 of engine_fetch's install"));
        }
    }

    #[test]
    fn what_is_no_request_says_why_and_where() {
        let many = format!(r#"{{"install":[{}]}}"#, vec![r#"{"name":"a"}"#; 33].join(","));
        let deep = "[".repeat(60_000);
        let long = "x".repeat(MAX_REQUEST + 1);
        for (text, want) in [
            ("{", "engine_fetch is not JSON: see line 1, column 2"),
            ("{\n  \"install\": [{\"name\": \"a\"},]\n}", "engine_fetch is not JSON: see line 2, column 29"),
            ("[]", "of the form"),
            ("{}", "of the form"),
            (r#"{"install": {"name": "a"}}"#, "of the form"),
            (r#"{"remove": "a"}"#, "of the form"),
            (r#"{"remove": [], "cancel": []}"#, "names no app"),
            (r#"{"install": []}"#, "names no app"),
            (many.as_str(), "more than 32 apps"),
            (deep.as_str(), "is not JSON"),
            (long.as_str(), "longer than 64 KiB"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(want), "{}: {error}", &text[..text.len().min(60)]);
        }
    }
}
