//! A delta's name: `<APP>.v<NEW>.from.v<OLD>.delta`. It is no tarball's, so that an agent which knows no deltas refuses it.

use std::fmt;
use std::path::Path;

use crate::app::name::{NameError, TarballName};

const SUFFIX: &str = ".delta";
const FROM: &str = ".from.v";

/// A name that has been checked. `Display` gives it back in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeltaName {
    new: TarballName,
    old: TarballName,
}

/// Why a text is no delta's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeltaNameError {
    /// It does not have the form.
    Form,
    /// A version has `.from.v` in it, and could be read in two ways.
    Ambiguous,
    /// The app's name or a version breaks a rule of tarballs' names.
    Part(NameError),
}

impl fmt::Display for DeltaNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeltaNameError::Form => f.write_str("a delta is named <APP>.v<NEW>.from.v<OLD>.delta"),
            DeltaNameError::Ambiguous => f.write_str("a version with `.from.v` in it can have no delta"),
            DeltaNameError::Part(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for DeltaNameError {}

impl DeltaName {
    /// Puts a name together.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn new(app: &str, new: &str, old: &str) -> Result<DeltaName, DeltaNameError> {
        if [new, old].iter().any(|version| version.contains(FROM)) {
            return Err(DeltaNameError::Ambiguous);
        }
        let part = |version| TarballName::new(app, version).map_err(DeltaNameError::Part);
        Ok(DeltaName { new: part(new)?, old: part(old)? })
    }

    /// Reads a file name.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(name: &str) -> Result<DeltaName, DeltaNameError> {
        let stem = name.strip_suffix(SUFFIX).ok_or(DeltaNameError::Form)?;
        let (app, versions) = stem.split_once(".v").ok_or(DeltaNameError::Form)?;
        let (new, old) = versions.split_once(FROM).ok_or(DeltaNameError::Form)?;
        DeltaName::new(app, new, old)
    }

    /// Reads the last component of a path.
    ///
    /// # Errors
    /// As [`DeltaName::parse`].
    pub fn of_path(path: &Path) -> Result<DeltaName, DeltaNameError> {
        DeltaName::parse(path.file_name().and_then(|name| name.to_str()).unwrap_or_default())
    }

    /// The app's name.
    #[must_use]
    pub fn app(&self) -> &str {
        self.new.app()
    }

    /// The version that it makes, without its `v`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.new.version()
    }

    /// The version that it needs, without its `v`.
    #[must_use]
    pub fn base(&self) -> &str {
        self.old.version()
    }

    /// The name of the tarball that it stands for.
    #[must_use]
    pub fn tarball(&self) -> &TarballName {
        &self.new
    }
}

impl fmt::Display for DeltaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{FROM}{}{SUFFIX}", self.new.folder(), self.old.version())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_and_print_back_and_are_no_tarballs() {
        let name = DeltaName::parse("my_app.v1.2.from.v1.1-rc.delta").unwrap();
        assert_eq!((name.app(), name.version(), name.base()), ("my_app", "1.2", "1.1-rc"));
        assert_eq!(name.to_string(), "my_app.v1.2.from.v1.1-rc.delta");
        assert_eq!(name.tarball().to_string(), "my_app.v1.2.tar.gz");
        assert!(TarballName::parse(&name.to_string()).is_err());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        use DeltaNameError::{Ambiguous, Form, Part};
        for (name, error) in [
            ("", Form),
            ("a.v2.tar.gz", Form),
            ("a.v2.delta", Form),
            ("a.from.v1.delta", Form),
            ("a.v3.from.v2.from.v1.delta", Ambiguous),
            ("a.v.from.v1.delta", Part(NameError::EmptyVersion)),
            ("a.v2.from.v.delta", Part(NameError::EmptyVersion)),
            ("a.v2.from.v../x.delta", Part(NameError::VersionCharacter('/'))),
            ("../a.v2.from.v1.delta", Part(NameError::DotInApp)),
        ] {
            assert_eq!(DeltaName::parse(name), Err(error), "{name}");
        }
    }
}
