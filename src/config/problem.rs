//! What is wrong with a configuration file, for whoever wrote it: file, line, key, and what would be right (docs/spec/failures.md, case 08).

use std::fmt;
use std::path::PathBuf;

use super::ConfigError;

/// One thing that is wrong.
#[derive(Debug)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The line in it, where that is known.
    pub line: Option<usize>,
    /// The option; empty where the whole file is meant.
    pub key: &'static str,
    /// What is wrong.
    pub fault: ProblemKind,
}

/// What can be wrong.
#[derive(Debug)]
pub enum ProblemKind {
    /// A value that does not fit its option.
    Value(ConfigError),
    /// The file cannot be read: why.
    Damaged(String),
    /// Two options that do not go together: what would.
    Together(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        match &self.fault {
            ProblemKind::Value(e) => write!(f, ": {e}"),
            ProblemKind::Damaged(why) => write!(f, ": it is damaged ({why})"),
            ProblemKind::Together(what) => write!(f, ": {what}"),
        }
    }
}

impl std::error::Error for Problem {}
