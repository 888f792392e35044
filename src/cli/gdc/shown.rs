//! What `gdc` prints: for people and scripts, or as JSON.

use miniserde::{json, Serialize};

use crate::cli::output;
use crate::device::DeviceError;
use crate::format::json::Json;

/// Why nothing was done, and the exit status.
pub enum GdcFailure {
    /// Wrong usage.
    Usage(String),
    /// The gateway is not configured for this.
    NotConfigured(String),
    /// The call failed.
    Device(Box<DeviceError>),
    /// Something on this machine failed.
    Here(String),
}

impl From<Box<DeviceError>> for GdcFailure {
    fn from(error: Box<DeviceError>) -> GdcFailure {
        GdcFailure::Device(error)
    }
}

impl GdcFailure {
    /// The exit status.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            GdcFailure::Usage(_) => 2,
            GdcFailure::NotConfigured(_) => 255,
            GdcFailure::Device(_) | GdcFailure::Here(_) => 1,
        }
    }

    /// As a sentence.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            GdcFailure::Usage(text) => format!("{text}; see gdc --help"),
            GdcFailure::NotConfigured(text) | GdcFailure::Here(text) => text.clone(),
            GdcFailure::Device(error) => error.to_string(),
        }
    }
}

/// What a command prints: for people and scripts, and as JSON.
pub struct GdcOutput {
    /// As text.
    pub plain: String,
    /// As JSON, one line.
    pub json: String,
    /// The exit status.
    pub status: u8,
}

/// Values as lines of `alias=value`; one that was asked for `alone` as itself.
#[must_use]
pub fn of_values(values: &[(String, String)], alone: bool) -> GdcOutput {
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
pub fn done(plain: String, json: String) -> GdcOutput {
    GdcOutput { plain, json: json + "\n", status: 0 }
}

impl GdcFailure {
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
            GdcFailure::Device(error) => (error.status(), error.is_permanent()),
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
