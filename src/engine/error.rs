//! Why a check-in did not complete.

use std::fmt;

use crate::config::problem::Problem;
use crate::config::ConfigError;
use crate::orders::Failed;
use crate::sys::file::FileError;

/// Why a check-in did not complete.
#[derive(Debug)]
pub enum CheckInError {
    /// Who gives the orders did not do its part, or its settings cannot work.
    Backend(Failed),
    /// A setting that must be put right first.
    Setting(Problem),
    /// State could not be made durable.
    File(FileError),
    /// A setting could not be made durable.
    Config(ConfigError),
    /// An install from the command line is still running.
    Busy,
    /// A download has to go on later.
    Unfinished(String),
}

impl fmt::Display for CheckInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckInError::Backend(e) => write!(f, "{e}"),
            CheckInError::Setting(e) => write!(f, "{e}; it has to be put right before anything is sent"),
            CheckInError::File(e) => write!(f, "{e}"),
            CheckInError::Config(e) => write!(f, "{e}"),
            CheckInError::Busy => f.write_str("an install from the command line is still running"),
            CheckInError::Unfinished(name) => write!(f, "{name} is still to be downloaded"),
        }
    }
}

impl std::error::Error for CheckInError {}

impl From<Failed> for CheckInError {
    fn from(e: Failed) -> Self {
        CheckInError::Backend(e)
    }
}

impl From<FileError> for CheckInError {
    fn from(e: FileError) -> Self {
        CheckInError::File(e)
    }
}

impl From<ConfigError> for CheckInError {
    fn from(e: ConfigError) -> Self {
        CheckInError::Config(e)
    }
}
