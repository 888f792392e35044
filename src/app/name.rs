//! A tarball's name: `<APP>.v<VERSION>.tar.gz` (docs/spec/gateway-engine.md, "A Custom Gateway Application").
//!
//! The app's name becomes a file name, a folder, an INI section and a word in XML and JSON; the version becomes a folder. So
//! the letters allowed are the few that need no quoting in any of these, and nothing here can climb out of a folder.

use std::fmt;
use std::path::Path;

/// The longest APP and the longest VERSION, in bytes.
pub const MAX_PART: usize = 64;

const SUFFIX: &str = ".tar.gz";

/// What the image hosts and calls by these names: an app of that name would take its place (docs/spec/failures.md, A13). `gwe` is the
/// agent's own update.
const RESERVED: [&str; 4] = ["gmq", "gdc", "supervisord", "supervisorctl"];
/// How the names begin that the image keeps for itself.
const RESERVED_START: &str = "gwe-";
/// The one of them that arrives over the air: a set of keys ([`super::key_set`]), which no buildfile can make.
pub const KEY_SET: &str = "gwe-keys";

/// A name that has been checked. `Display` gives it back in full.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TarballName {
    app: String,
    version: String,
}

/// Why a text is no tarball's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It does not end in `.tar.gz`.
    Suffix,
    /// No `.v` between the app's name and its version.
    NoVersionMark,
    /// Nothing stands before the first `.v`.
    EmptyApp,
    /// A dot before the first `.v`.
    DotInApp,
    /// Nothing stands between `.v` and `.tar.gz`.
    EmptyVersion,
    /// A space, a tab or a line break.
    WhiteSpace,
    /// A character that the app's name may not hold.
    AppCharacter(char),
    /// A character that the version may not hold.
    VersionCharacter(char),
    /// The app's name begins with something other than a letter, a digit or `_`.
    AppStart(char),
    /// The version begins with something other than a letter or a digit.
    VersionStart(char),
    /// APP or VERSION is longer than [`MAX_PART`].
    TooLong,
    /// The image's own programs have that name, or may have it.
    Reserved,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Suffix => f.write_str("the name does not end in .tar.gz")?,
            NameError::NoVersionMark => f.write_str("the name has no .v before its version")?,
            NameError::EmptyApp => f.write_str("no app name stands before .v")?,
            NameError::DotInApp => f.write_str("the app name has a dot in it")?,
            NameError::EmptyVersion => f.write_str("no version stands after .v")?,
            NameError::WhiteSpace => f.write_str("the name has white space in it")?,
            NameError::AppCharacter(c) => {
                write!(f, "the app name has {} in it; letters, digits, _ - + are allowed", Shown(*c))?;
            }
            NameError::VersionCharacter(c) => {
                write!(f, "the version has {} in it; letters, digits, . _ - + are allowed", Shown(*c))?;
            }
            NameError::AppStart(c) => {
                write!(f, "the app name begins with {}; a letter, a digit or _ is needed there", Shown(*c))?;
            }
            NameError::VersionStart(c) => {
                write!(f, "the version begins with {}; a letter or a digit is needed there", Shown(*c))?;
            }
            NameError::Reserved => {
                return f.write_str("the app name is one of the image's own programs: choose another")
            }
            NameError::TooLong => write!(f, "the app name or the version is longer than {MAX_PART} characters")?,
        }
        f.write_str(" (a tarball is named <APP>.v<VERSION>.tar.gz, as my_app.v1.2.3.tar.gz)")
    }
}

impl std::error::Error for NameError {}

/// A character as a person can read it, whatever it is.
struct Shown(char);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_ascii_graphic() {
            write!(f, "`{}`", self.0)
        } else {
            write!(f, "the character U+{:04X}", u32::from(self.0))
        }
    }
}

impl TarballName {
    /// Reads a file name (no folders before it). The first `.v` ends APP.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(name: &str) -> Result<TarballName, NameError> {
        if name.chars().any(char::is_whitespace) {
            return Err(NameError::WhiteSpace);
        }
        let stem = name.strip_suffix(SUFFIX).ok_or(NameError::Suffix)?;
        let (app, version) = stem.split_once(".v").ok_or(NameError::NoVersionMark)?;
        if app == KEY_SET {
            check_version(version)?;
            return Ok(TarballName { app: app.to_string(), version: version.to_string() });
        }
        TarballName::new(app, version)
    }

    /// Reads the last component of a path.
    ///
    /// # Errors
    /// As [`TarballName::parse`]; a name that is no UTF-8 has an unknown character.
    pub fn of_path(path: &Path) -> Result<TarballName, NameError> {
        match path.file_name().map(|name| name.to_str()) {
            Some(Some(name)) => TarballName::parse(name),
            Some(None) => Err(NameError::AppCharacter(char::REPLACEMENT_CHARACTER)),
            None => Err(NameError::Suffix),
        }
    }

    /// Puts a name together, as a buildfile does.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn new(app: &str, version: &str) -> Result<TarballName, NameError> {
        check_app(app)?;
        check_version(version)?;
        if RESERVED.contains(&app) || app.starts_with(RESERVED_START) {
            return Err(NameError::Reserved);
        }
        Ok(TarballName { app: app.to_string(), version: version.to_string() })
    }

    /// The app's name.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The version, without its `v`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The leading folder that a tarball may have: `<APP>.v<VERSION>`.
    #[must_use]
    pub fn folder(&self) -> String {
        let mut folder = String::with_capacity(self.app.len() + self.version.len() + 2);
        folder.push_str(&self.app);
        folder.push_str(".v");
        folder.push_str(&self.version);
        folder
    }

    /// The content id of the tarball's signature: `<tarball>.minisig`.
    #[must_use]
    pub fn signature_id(&self) -> String {
        self.to_string() + ".minisig"
    }
}

impl fmt::Display for TarballName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.v{}{SUFFIX}", self.app, self.version)
    }
}

/// Whether `app` can be an app's name.
///
/// # Errors
/// The first rule that is broken.
pub fn check_app(app: &str) -> Result<(), NameError> {
    let first = app.chars().next().ok_or(NameError::EmptyApp)?;
    for c in app.chars() {
        match c {
            '.' => return Err(NameError::DotInApp),
            c if c.is_whitespace() => return Err(NameError::WhiteSpace),
            c if !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+')) => {
                return Err(NameError::AppCharacter(c));
            }
            _ => {}
        }
    }
    if matches!(first, '-' | '+') {
        return Err(NameError::AppStart(first));
    }
    if app.len() > MAX_PART {
        return Err(NameError::TooLong);
    }
    Ok(())
}

/// Whether `version` can be a version.
///
/// # Errors
/// The first rule that is broken.
pub fn check_version(version: &str) -> Result<(), NameError> {
    let first = version.chars().next().ok_or(NameError::EmptyVersion)?;
    for c in version.chars() {
        if c.is_whitespace() {
            return Err(NameError::WhiteSpace);
        }
        if !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+')) {
            return Err(NameError::VersionCharacter(c));
        }
    }
    // This is also what keeps `..` from being a version.
    if !first.is_ascii_alphanumeric() {
        return Err(NameError::VersionStart(first));
    }
    if version.len() > MAX_PART {
        return Err(NameError::TooLong);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_read_and_print_back() {
        let long = "a".repeat(MAX_PART);
        let longest = format!("{long}.v{long}.tar.gz");
        for (name, app, version) in [
            ("my_app.v1.tar.gz", "my_app", "1"),
            ("my_app.v1-4-13.tar.gz", "my_app", "1-4-13"),
            ("my_app.v1_8d09124.tar.gz", "my_app", "1_8d09124"),
            ("my-app.v1.2.3.tar.gz", "my-app", "1.2.3"),
            ("gwe.v0.1.0+git.tar.gz", "gwe", "0.1.0+git"),
            ("gwe-keys.v3.tar.gz", "gwe-keys", "3"),
            ("_x.v0.tar.gz", "_x", "0"),
            ("a.v1.v2.tar.gz", "a", "1.v2"),
            ("a.v1.tar.gz.tar.gz", "a", "1.tar.gz"),
            // The first `.v` ends APP, wherever it stands.
            ("my.very.v1.tar.gz", "my", "ery.v1"),
            (&longest, &long, &long),
        ] {
            let parsed = TarballName::parse(name).unwrap();
            assert_eq!((parsed.app(), parsed.version()), (app, version), "{name}");
            assert_eq!(parsed.to_string(), name);
            assert_eq!(parsed.signature_id(), format!("{name}.minisig"));
            assert_eq!(parsed.folder() + ".tar.gz", name);
        }
    }

    #[test]
    fn bad_names_say_which_rule_they_break() {
        let long = "a".repeat(MAX_PART + 1);
        for (name, error) in [
            ("", NameError::Suffix),
            ("my_app.v1.tgz", NameError::Suffix),
            ("my_app.v1.tar.gz ", NameError::WhiteSpace),
            ("my app.v1.tar.gz", NameError::WhiteSpace),
            ("my_app.v1\u{a0}.tar.gz", NameError::WhiteSpace),
            ("my_app.v1\n.tar.gz", NameError::WhiteSpace),
            ("my_app.tar.gz", NameError::NoVersionMark),
            ("my_app-1.0.tar.gz", NameError::NoVersionMark),
            (".v1.tar.gz", NameError::EmptyApp),
            ("a.b.v1.tar.gz", NameError::DotInApp),
            ("...v1.tar.gz", NameError::DotInApp),
            ("my_app.v.tar.gz", NameError::EmptyVersion),
            ("my_app.v.tar.gz.tar.gz", NameError::VersionStart('.')),
            // The version would be `..`.
            ("my_app.v...tar.gz", NameError::VersionStart('.')),
            ("my_app.v-1.tar.gz", NameError::VersionStart('-')),
            ("-rf.v1.tar.gz", NameError::AppStart('-')),
            ("../a.v1.tar.gz", NameError::DotInApp),
            ("/a.v1.tar.gz", NameError::AppCharacter('/')),
            ("a.v1/../x.tar.gz", NameError::VersionCharacter('/')),
            ("a]b.v1.tar.gz", NameError::AppCharacter(']')),
            ("a:b.v1.tar.gz", NameError::AppCharacter(':')),
            ("a%b.v1.tar.gz", NameError::AppCharacter('%')),
            ("a<b.v1.tar.gz", NameError::AppCharacter('<')),
            ("a\0.v1.tar.gz", NameError::AppCharacter('\0')),
            ("ä.v1.tar.gz", NameError::AppCharacter('ä')),
            ("a.v1;x.tar.gz", NameError::VersionCharacter(';')),
            (&format!("{long}.v1.tar.gz"), NameError::TooLong),
            (&format!("a.v{long}.tar.gz"), NameError::TooLong),
        ] {
            assert_eq!(TarballName::parse(name), Err(error), "{name:?}");
            assert!(!error.to_string().chars().any(char::is_control), "{error}");
        }
    }

    #[test]
    fn a_path_gives_its_last_component() {
        assert_eq!(TarballName::of_path(Path::new("/x y/a.v1.tar.gz")).unwrap().app(), "a");
        assert_eq!(TarballName::of_path(Path::new("/")), Err(NameError::Suffix));
    }
}
