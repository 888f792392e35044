//! What `gdc` prints: for people and scripts, or as JSON.

use miniserde::{json, Serialize};

use crate::cli::output;
use crate::device::DeviceError;
use crate::format::json::Json;

/// Why nothing was done, and the exit status.
pub enum Failure {
    /// Wrong usage.
    Usage(String),
    /// The gateway is not configured for this.
    NotConfigured(String),
    /// The call failed.
    Device(DeviceError),
    /// Something on this machine failed.
    Here(String),
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Failure {
        Failure::Device(error)
    }
}

impl Failure {
    /// The exit status.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::NotConfigured(_) => 255,
            Failure::Device(_) | Failure::Here(_) => 1,
        }
    }

    /// As a sentence.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Failure::Usage(text) => format!("{text}; see gdc --help"),
            Failure::NotConfigured(text) | Failure::Here(text) => text.clone(),
            Failure::Device(error) => error.to_string(),
        }
    }
}

/// What a command prints: for people and scripts, and as JSON.
pub struct Shown {
    /// As text.
    pub plain: String,
    /// As JSON, one line.
    pub json: String,
    /// The exit status.
    pub status: u8,
}

/// Values as lines of `alias=value`; one that was asked for `alone` as itself.
#[must_use]
pub fn of_values(values: &[(String, String)], alone: bool) -> Shown {
    let plain = match values {
        [(_, value)] if alone => format!("{value}\n"),
        _ => values.iter().flat_map(|(alias, value)| [alias, "=", value, "\n"]).collect(),
    };
    let mut pairs = Json::new();
    pairs.pairs(values);
    done(plain, pairs.finish())
}

/// Something that went well.
#[must_use]
pub fn done(plain: String, json: String) -> Shown {
    Shown { plain, json: json + "\n", status: 0 }
}

impl Failure {
    /// As JSON: what went wrong, the platform's status, whether trying again is no use.
    #[must_use]
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Error {
            error: String,
            status: Option<u16>,
            permanent: bool,
        }
        let (status, permanent) = match self {
            Failure::Device(error @ DeviceError::Status { status, .. }) => (Some(*status), error.is_permanent()),
            Failure::Device(error @ DeviceError::Conflict(_)) => (Some(409), error.is_permanent()),
            Failure::Device(error) => (None, error.is_permanent()),
            _ => (None, true),
        };
        json::to_string(&Error { error: self.text(), status, permanent }) + "\n"
    }
}

/// Prints data to stdout; returns the exit status.
#[must_use]
pub fn print(text: &str) -> u8 {
    output::print("gdc", text.as_bytes())
}

/// Prints a sentence to stderr.
pub fn complain(sentence: &str) {
    output::complain("gdc", sentence);
}
