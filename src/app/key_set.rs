//! A set of keys that age: which keys sign packages, from which day to which, and which do not any more (docs/security.md, "Keys that
//! age"; rauc#347, rauc#651). It comes as `gwe-keys.v<VERSION>.tar.gz` with one file in it.
//!
//! Invariants: a set is taken whole or not at all; a word that is not understood makes it none, since it may be the one that forbids.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use miniserde::json::{self, Number, Object, Value};
use minisign_verify::PublicKey;

use super::gzip;
use super::name::TarballName;
use super::signature::{key_id, KeyId, Term};
use crate::format::json_fault::{self, JsonPlace};
use crate::format::utc::{self, DAY};

/// The largest package, in bytes.
pub const MAX_PACKAGE: u64 = 128 * 1024;
/// What it may unpack to, in bytes.
const MAX_UNPACKED: u64 = 256 * 1024;
/// The longest text of a set, in bytes.
pub const MAX_TEXT: u64 = 64 * 1024;
/// So many keys.
pub const MAX_KEYS: usize = 32;
/// The longest name of a key, in characters.
const MAX_NAME: usize = 64;
/// The file in the package.
const FILE: &str = "keys.json";

/// A set, as it was understood.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// A set gives way to none of a lower version.
    pub version: u64,
    /// Whether the image's plain keys do not count beside it.
    pub only: bool,
    /// In the order of the file.
    pub keys: Vec<SetKey>,
}

/// What a set says of a key.
#[derive(Clone, Debug)]
pub struct SetKey {
    /// For people.
    pub name: String,
    /// Which key.
    pub id: KeyId,
    /// `None`: one that is revoked by its number alone.
    pub key: Option<PublicKey>,
    /// When it counts.
    pub term: Term,
}

/// Why a package or a text is no set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySetFault {
    /// Larger than [`MAX_PACKAGE`], or its text than [`MAX_TEXT`].
    TooLarge,
    /// What the archive's reader said.
    NoArchive(String),
    /// There is no `keys.json` in it.
    NoFile,
    /// No JSON, from this place on.
    NoJson(Option<JsonPlace>),
    /// The named part is missing or of the wrong kind: what it has to be.
    Bad(&'static str),
    /// A word that is not known.
    Unknown(String),
    /// The version is not that of the package's name.
    OtherVersion(u64),
    /// More than [`MAX_KEYS`].
    TooMany,
    /// The key of that number, from 1.
    Key(usize, KeyFault),
}

/// What is wrong with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// A word that is not known.
    Unknown(String),
    /// The named part is missing or of the wrong kind: what it has to be.
    Bad(&'static str),
    /// `id` is not that of `key`.
    OtherId(KeyId),
    /// A key of that number stands before it.
    Twice(KeyId),
    /// It ends before it begins.
    NoTime,
}

impl fmt::Display for KeySetFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is no set of keys: ")?;
        match self {
            KeySetFault::TooLarge => f.write_str("larger than 128 KiB, or its keys.json than 64 KiB"),
            KeySetFault::NoArchive(why) => write!(f, "no tar.gz: {why}"),
            KeySetFault::NoFile => f.write_str("there is no keys.json in it"),
            KeySetFault::NoJson(Some(place)) => write!(f, "keys.json is not JSON: see {place}"),
            KeySetFault::NoJson(None) => f.write_str("keys.json is not JSON"),
            KeySetFault::Bad(wanted) => write!(f, "keys.json needs {wanted}"),
            KeySetFault::Unknown(word) => write!(f, "keys.json has a \"{word}\", which this agent does not know"),
            KeySetFault::OtherVersion(version) => write!(f, "keys.json says version {version}, and its name another"),
            KeySetFault::TooMany => write!(f, "more than {MAX_KEYS} keys"),
            KeySetFault::Key(number, fault) => write!(f, "key {number} {fault}"),
        }
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFault::Unknown(word) => write!(f, "has a \"{word}\", which this agent does not know"),
            KeyFault::Bad(wanted) => write!(f, "needs {wanted}"),
            KeyFault::OtherId(id) => write!(f, "has an id that is not its key's ({id})"),
            KeyFault::Twice(id) => write!(f, "has the number {id}, as one before it"),
            KeyFault::NoTime => f.write_str("ends before it begins"),
        }
    }
}

impl KeySet {
    /// Reads a package: its text as well, which is what is kept.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read_package(path: &Path, name: &TarballName) -> Result<(KeySet, String), KeySetFault> {
        let text = text_of(path)?;
        let set = KeySet::parse(&text)?;
        if set.version.to_string() != name.version() {
            return Err(KeySetFault::OtherVersion(set.version));
        }
        Ok((set, text))
    }

    /// Reads the text of a set.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<KeySet, KeySetFault> {
        if text.len() as u64 > MAX_TEXT {
            return Err(KeySetFault::TooLarge);
        }
        let text = text.trim_start_matches('\u{feff}');
        let value: Value = json::from_str(text).map_err(|_| KeySetFault::NoJson(json_fault::first_fault(text)))?;
        let Value::Object(object) = value else { return Err(KeySetFault::Bad("a JSON object")) };
        if let Some(word) = unknown(&object, &["version", "only", "keys"]) {
            return Err(KeySetFault::Unknown(word));
        }
        let version = match object.get("version") {
            Some(Value::Number(Number::U64(version))) if (1..=1 << 53).contains(version) => *version,
            _ => return Err(KeySetFault::Bad("a version that is a whole number from 1 on")),
        };
        let only = flag(&object, "only").ok_or(KeySetFault::Bad("an only that is true or false"))?;
        let list = match object.get("keys") {
            Some(Value::Array(list)) if list.len() <= MAX_KEYS => list,
            Some(Value::Array(_)) => return Err(KeySetFault::TooMany),
            _ => return Err(KeySetFault::Bad("keys, a list")),
        };
        let mut keys: Vec<SetKey> = Vec::new();
        for (index, value) in list.iter().enumerate() {
            let fault = |fault| KeySetFault::Key(index + 1, fault);
            let key = SetKey::of(value).map_err(fault)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(fault(KeyFault::Twice(key.id)));
            }
            keys.push(key);
        }
        Ok(KeySet { version, only, keys })
    }
}

impl SetKey {
    fn of(value: &Value) -> Result<SetKey, KeyFault> {
        let Value::Object(object) = value else { return Err(KeyFault::Bad("to be a JSON object")) };
        if let Some(word) = unknown(object, &["name", "id", "key", "from", "until", "revoked"]) {
            return Err(KeyFault::Unknown(word));
        }
        let name = text(object, "name").ok_or(KeyFault::Bad("a name that is a text"))?.unwrap_or_default();
        if name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(KeyFault::Bad("a name of at most 64 characters in one line"));
        }
        let revoked = flag(object, "revoked").ok_or(KeyFault::Bad("a revoked that is true or false"))?;
        let day = |name, wanted| match text(object, name) {
            Some(None) => Ok(None),
            Some(Some(day)) => utc::from_day(day).map(Some).ok_or(KeyFault::Bad(wanted)),
            None => Err(KeyFault::Bad(wanted)),
        };
        let from = day("from", "a from that is a day, as 2026-01-31")?;
        // The last day is a whole one.
        let until = day("until", "an until that is a day, as 2027-12-31")?.map(|day| day + DAY);
        if until.is_some_and(|until| from.unwrap_or(0) >= until) {
            return Err(KeyFault::NoTime);
        }
        let number = "an id of 16 hexadecimal digits, as minisign prints it";
        let id = match text(object, "id").ok_or(KeyFault::Bad(number))? {
            Some(text) => Some(KeyId::parse(text).ok_or(KeyFault::Bad(number))?),
            None => None,
        };
        let wanted = "a key: the second line of minisign's *.pub (or, revoked, an id alone)";
        let key = match text(object, "key").ok_or(KeyFault::Bad(wanted))? {
            Some(line) => match (PublicKey::from_base64(line.trim()), key_id(line)) {
                (Ok(key), Some(own)) if id.map_or(true, |id| id == own) => Some((key, own)),
                (Ok(_), Some(own)) => return Err(KeyFault::OtherId(own)),
                _ => return Err(KeyFault::Bad(wanted)),
            },
            None => None,
        };
        let term = Term { from, until, revoked };
        let (key, id) = match (key, id) {
            (Some((key, own)), _) => (Some(key), own),
            (None, Some(id)) if revoked => (None, id),
            _ => return Err(KeyFault::Bad(wanted)),
        };
        Ok(SetKey { name: name.to_string(), id, key, term })
    }
}

/// A text; `Some(None)`: missing or `null`; `None`: something else.
fn text<'a>(object: &'a Object, key: &str) -> Option<Option<&'a str>> {
    match object.get(key) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text)),
        Some(_) => None,
    }
}

/// Missing or `null` is no; `None`: something else.
fn flag(object: &Object, key: &str) -> Option<bool> {
    match object.get(key) {
        None | Some(Value::Null) => Some(false),
        Some(Value::Bool(flag)) => Some(*flag),
        Some(_) => None,
    }
}

fn unknown(object: &Object, known: &[&str]) -> Option<String> {
    let word = object.keys().find(|word| !known.contains(&word.as_str()))?;
    Some(word.chars().take(MAX_NAME).map(|c| if c.is_control() { '?' } else { c }).collect())
}

/// The text of the `keys.json` in a package, wherever a packer put it: at the top, or in one folder.
fn text_of(path: &Path) -> Result<String, KeySetFault> {
    let no_archive = |e: std::io::Error| KeySetFault::NoArchive(e.to_string().chars().take(MAX_NAME * 2).collect());
    let mut source = File::open(path).map_err(no_archive)?;
    if source.metadata().map_err(no_archive)?.len() > MAX_PACKAGE {
        return Err(KeySetFault::TooLarge);
    }
    let mut archive = tar::Archive::new(gzip::GzipReader::new(&mut source).take(MAX_UNPACKED));
    for entry in archive.entries().map_err(no_archive)? {
        let mut entry = entry.map_err(no_archive)?;
        let path = entry.path_bytes().into_owned();
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if name != FILE.as_bytes() || !entry.header().entry_type().is_file() {
            continue;
        }
        if entry.size() > MAX_TEXT {
            return Err(KeySetFault::TooLarge);
        }
        let mut text = String::new();
        entry.read_to_string(&mut text).map_err(no_archive)?;
        return Ok(text);
    }
    Err(KeySetFault::NoFile)
}

#[cfg(test)]
mod tests;
