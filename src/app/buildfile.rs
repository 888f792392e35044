//! The buildfile: what a tarball is built from (docs/spec/gateway-engine.md, "A Custom Gateway Application"). JSON with `name`,
//! `version`, `includes`, `excludes`, `pre_build_cmds`, `post_build_cmds`.

use std::fmt;
use std::path::Path;

use miniserde::json::{self, Object, Value};

use super::name::{self, NameError, TarballName};
use crate::format::json_fault::{self, JsonPlace};
use crate::sys::file;

/// The largest buildfile, in bytes.
pub const MAX_BUILDFILE: u64 = 256 * 1024;
/// So many entries a list may have.
const MAX_LIST: usize = 1000;
/// The longest entry of a list, in bytes.
const MAX_ENTRY: usize = 4096;

const KEYS: [&str; 6] = ["name", "version", "includes", "excludes", "pre_build_cmds", "post_build_cmds"];

/// A buildfile that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buildfile {
    /// The tarball's name.
    pub tarball: TarballName,
    /// Paths and globs, relative to the buildfile's folder; at least one.
    pub includes: Vec<String>,
    /// Paths and globs of what is left out.
    pub excludes: Vec<String>,
    /// Shell commands to run before the tarball is made.
    pub pre_build_cmds: Vec<String>,
    /// Shell commands to run after.
    pub post_build_cmds: Vec<String>,
    /// Keys that mean nothing here: typing errors, perhaps.
    pub unknown: Vec<String>,
}

/// Name and version that count over the buildfile's (`--app-name`, `--app-version`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides<'a> {
    /// The app's name.
    pub name: Option<&'a str>,
    /// Its version.
    pub version: Option<&'a str>,
}

/// One fault. `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildfileFault {
    /// The key; empty where the file as a whole is meant.
    pub key: &'static str,
    /// What is wrong with it.
    pub reason: BuildfileReason,
}

/// What is wrong with a buildfile or a key of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each says what it means in `Display`, right below
pub enum BuildfileReason {
    Unreadable(String),
    NoText,
    NoJson(Option<JsonPlace>),
    NoObject,
    Missing,
    NoString,
    NoList,
    EmptyList,
    LongList,
    /// The entry's place in the list, from 1.
    Entry(usize, &'static str),
    Name(NameError),
}

impl fmt::Display for BuildfileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "`{}` ", self.key)?;
        }
        match &self.reason {
            BuildfileReason::Unreadable(why) => f.write_str(why),
            BuildfileReason::NoText => f.write_str("the buildfile is not UTF-8 text"),
            BuildfileReason::NoJson(Some(place)) => write!(f, "the buildfile is not JSON: see {place}"),
            BuildfileReason::NoJson(None) => f.write_str("the buildfile is not JSON"),
            BuildfileReason::NoObject => {
                f.write_str("the buildfile is no JSON object: { \"name\": …, \"version\": … }")
            }
            BuildfileReason::Missing => f.write_str("is missing"),
            BuildfileReason::NoString => f.write_str("must be a string"),
            BuildfileReason::NoList => f.write_str("must be a list of strings"),
            BuildfileReason::EmptyList => f.write_str("is empty: the tarball would hold nothing"),
            BuildfileReason::LongList => write!(f, "has more than {MAX_LIST} entries"),
            BuildfileReason::Entry(number, what) => write!(f, "entry {number} {what}"),
            BuildfileReason::Name(e) => write!(f, "is not accepted: {e}"),
        }
    }
}

impl Buildfile {
    /// Reads a buildfile's text.
    ///
    /// # Errors
    /// All its faults.
    pub fn parse(text: &str, overrides: &Overrides<'_>) -> Result<Buildfile, Vec<BuildfileFault>> {
        let mut faults = Faults(Vec::new());
        let object = match json::from_str::<Value>(text) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return Err(faults.and("", BuildfileReason::NoObject)),
            Err(_) => return Err(faults.and("", BuildfileReason::NoJson(json_fault::first_fault(text)))),
        };
        let name = faults.part("name", &object, overrides.name, name::check_app);
        let version = faults.part("version", &object, overrides.version, name::check_version);
        let includes = faults.list("includes", &object, path_fault);
        if includes.as_ref().is_some_and(Vec::is_empty) {
            faults.add("includes", BuildfileReason::EmptyList);
        }
        if includes.is_none() && object.get("includes").is_none() {
            faults.add("includes", BuildfileReason::Missing);
        }
        let excludes = faults.list("excludes", &object, path_fault).unwrap_or_default();
        let pre_build_cmds = faults.list("pre_build_cmds", &object, command_fault).unwrap_or_default();
        let post_build_cmds = faults.list("post_build_cmds", &object, command_fault).unwrap_or_default();
        let unknown = object.keys().filter(|key| !KEYS.contains(&key.as_str())).cloned().collect();
        if !faults.0.is_empty() {
            return Err(faults.0);
        }
        // Both parts have been checked; what is put together of them cannot fail.
        let tarball = TarballName::new(&name, &version).map_err(|e| faults.and("name", BuildfileReason::Name(e)))?;
        let includes = includes.unwrap_or_default();
        Ok(Buildfile { tarball, includes, excludes, pre_build_cmds, post_build_cmds, unknown })
    }

    /// Reads a buildfile from disk.
    ///
    /// # Errors
    /// All its faults.
    pub fn load(path: &Path, overrides: &Overrides<'_>) -> Result<Buildfile, Vec<BuildfileFault>> {
        let whole = |reason| vec![BuildfileFault { key: "", reason }];
        let bytes = match file::read(path, MAX_BUILDFILE) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let why = format!("there is no {}; gwe --create-buildfile makes one", path.display());
                return Err(whole(BuildfileReason::Unreadable(why)));
            }
            Err(e) => return Err(whole(BuildfileReason::Unreadable(e.to_string()))),
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| whole(BuildfileReason::NoText))?;
        Buildfile::parse(text.trim_start_matches('\u{feff}'), overrides)
    }
}

/// All faults of a buildfile on disk; nothing where it is good. Whether its includes exist is not looked at: `pre_build_cmds`
/// may make them.
#[must_use]
pub fn check_buildfile(path: &Path) -> Vec<BuildfileFault> {
    Buildfile::load(path, &Overrides::default()).err().unwrap_or_default()
}

struct Faults(Vec<BuildfileFault>);

impl Faults {
    fn add(&mut self, key: &'static str, reason: BuildfileReason) {
        self.0.push(BuildfileFault { key, reason });
    }

    fn and(mut self, key: &'static str, reason: BuildfileReason) -> Vec<BuildfileFault> {
        self.add(key, reason);
        self.0
    }

    /// Name or version: the override where there is one, else the buildfile's.
    fn part(
        &mut self,
        key: &'static str,
        object: &Object,
        instead: Option<&str>,
        check: fn(&str) -> Result<(), NameError>,
    ) -> String {
        let text = match (instead, object.get(key)) {
            (Some(instead), _) => instead,
            (None, Some(Value::String(text))) => text,
            (None, Some(_)) => {
                self.add(key, BuildfileReason::NoString);
                return String::new();
            }
            (None, None) => {
                self.add(key, BuildfileReason::Missing);
                return String::new();
            }
        };
        if let Err(e) = check(text) {
            self.add(key, BuildfileReason::Name(e));
        }
        text.to_string()
    }

    /// `None` where the key is missing or no list; `null` counts as missing.
    fn list(
        &mut self,
        key: &'static str,
        object: &Object,
        fault: fn(&str) -> Option<&'static str>,
    ) -> Option<Vec<String>> {
        let array = match object.get(key) {
            Some(Value::Array(array)) => array,
            None | Some(Value::Null) => return None,
            Some(_) => {
                self.add(key, BuildfileReason::NoList);
                return None;
            }
        };
        if array.len() > MAX_LIST {
            self.add(key, BuildfileReason::LongList);
            return None;
        }
        let mut list = Vec::with_capacity(array.len());
        for (index, value) in array.iter().enumerate() {
            let number = index + 1;
            match value {
                Value::String(text) if text.len() > MAX_ENTRY => {
                    self.add(key, BuildfileReason::Entry(number, "is too long"));
                }
                Value::String(text) => match fault(text) {
                    Some(what) => self.add(key, BuildfileReason::Entry(number, what)),
                    None => list.push(text.clone()),
                },
                _ => self.add(key, BuildfileReason::Entry(number, "must be a string")),
            }
        }
        // An entry that is bad is told; that the list would be empty without it is not.
        (list.len() == array.len()).then_some(list)
    }
}

/// Files land where they stand below the buildfile's folder, so there must be such a place.
fn path_fault(path: &str) -> Option<&'static str> {
    if path.trim().is_empty() {
        return Some("is empty");
    }
    if path.starts_with('/') {
        return Some("is an absolute path: give it relative to the buildfile's folder");
    }
    if path.split('/').any(|name| name == "..") {
        return Some("has .. in it: copy what lies outside the buildfile's folder in with pre_build_cmds");
    }
    path.chars().any(char::is_control).then_some("has a control character in it")
}

fn command_fault(command: &str) -> Option<&'static str> {
    if command.trim().is_empty() {
        return Some("is empty");
    }
    command.contains('\0').then_some("has a control character in it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Buildfile, Vec<String>> {
        let told = |faults: Vec<BuildfileFault>| faults.iter().map(ToString::to_string).collect();
        Buildfile::parse(text, &Overrides::default()).map_err(told)
    }

    #[test]
    fn a_buildfile_reads() {
        let full = parse(
            r#"{"name": "my_app", "version": "1.2.3", "includes": ["install.sh", "lib/*.py"], "excludes": ["*.pyc"],
                "pre_build_cmds": ["make"], "post_build_cmds": ["echo done"], "comment": 1}"#,
        )
        .unwrap();
        assert_eq!(full.tarball.to_string(), "my_app.v1.2.3.tar.gz");
        assert_eq!((full.includes.len(), full.excludes.len()), (2, 1));
        assert_eq!(
            (full.pre_build_cmds, full.post_build_cmds),
            (vec!["make".to_string()], vec!["echo done".to_string()])
        );
        assert_eq!(full.unknown, ["comment"]);
        let least = parse(r#"{"name": "a", "version": "1", "includes": ["."], "excludes": null}"#).unwrap();
        assert!(least.excludes.is_empty() && least.pre_build_cmds.is_empty());
    }

    #[test]
    fn name_and_version_can_be_overridden() {
        let text = r#"{"version": "1", "includes": ["."]}"#;
        let overrides = Overrides { name: Some("b"), version: Some("2") };
        assert_eq!(Buildfile::parse(text, &overrides).unwrap().tarball.to_string(), "b.v2.tar.gz");
        let bad = Overrides { name: Some("a b"), version: None };
        assert_eq!(Buildfile::parse(text, &bad).unwrap_err()[0].key, "name");
    }

    #[test]
    fn all_faults_are_told_at_once_by_key() {
        assert_eq!(
            parse(r#"{"name": "my.app", "version": 1.2, "includes": ["/etc/passwd", "../x", 5, ""], "excludes": "x", "pre_build_cmds": [" "]}"#)
                .unwrap_err(),
            [
                "`name` is not accepted: the app name has a dot in it (a tarball is named <APP>.v<VERSION>.tar.gz, as my_app.v1.2.3.tar.gz)",
                "`version` must be a string",
                "`includes` entry 1 is an absolute path: give it relative to the buildfile's folder",
                "`includes` entry 2 has .. in it: copy what lies outside the buildfile's folder in with pre_build_cmds",
                "`includes` entry 3 must be a string",
                "`includes` entry 4 is empty",
                "`excludes` must be a list of strings",
                "`pre_build_cmds` entry 1 is empty",
            ]
        );
        assert_eq!(parse("{}").unwrap_err(), ["`name` is missing", "`version` is missing", "`includes` is missing"]);
        assert_eq!(parse(r#"{"name":"a","version":"1","includes":[]}"#).unwrap_err().len(), 1);
        assert_eq!(parse("[]").unwrap_err().len(), 1);
        assert_eq!(
            parse("{\n  \"name\": \"a\",\n  \"version\": \"1\"\n  \"includes\": []\n}").unwrap_err(),
            ["the buildfile is not JSON: see line 4, column 3"]
        );
        let many = format!(r#"{{"name":"a","version":"1","includes":[{}"x"]}}"#, "\"x\",".repeat(MAX_LIST));
        assert_eq!(parse(&many).unwrap_err(), ["`includes` has more than 1000 entries"]);
    }

    #[test]
    fn a_buildfile_that_cannot_be_read_is_told() {
        let told = |path: &str| check_buildfile(Path::new(path))[0].to_string();
        assert_eq!(told("/no/such"), "there is no /no/such; gwe --create-buildfile makes one");
        assert!(told("/").starts_with("cannot read /"), "{}", told("/"));
    }
}
