//! What can go wrong between the gateway and the platform: each error says what happened, to what, and what to do next.

use std::fmt;
use std::time::Duration;

use crate::http::TransportError;

/// Why a call of the Device API did not succeed. In a box wherever it is handed up: each function would move all of it.
#[derive(Debug)]
#[non_exhaustive]
pub enum DeviceError {
    /// No whole answer came.
    Transport(Box<TransportError>),
    /// The platform said no.
    Status {
        /// What was asked: "activate", "write".
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer's body, as one line.
        text: String,
        /// What the platform asks to wait before the next try.
        retry_after: Option<Duration>,
    },
    /// Some of the recorded points lie less than a second from another: alias and unix seconds of each.
    Conflict(Vec<(String, i64)>),
    /// The platform's answer is not what the call should bring: the call, how.
    Reply(&'static str, String),
}

impl DeviceError {
    /// Whether the platform does not know this CIK (any more): activate again.
    #[must_use]
    pub fn unauthorized(&self) -> bool {
        matches!(self, DeviceError::Status { status: 401, .. })
    }

    /// Whether the same request would fail again: the platform has refused it, or it cannot be sent at all. Not so a 401,
    /// which a new activation mends, and 408, 425 and 429, which time does.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            DeviceError::Transport(error) => error.is_permanent(),
            DeviceError::Status { status, .. } => {
                (400..500).contains(status) && !matches!(status, 401 | 408 | 425 | 429)
            }
            DeviceError::Conflict(_) => true,
            DeviceError::Reply(..) => false,
        }
    }

    /// The platform's status, where that is the error.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            DeviceError::Status { status, .. } => Some(*status),
            DeviceError::Conflict(_) => Some(409),
            DeviceError::Transport(_) | DeviceError::Reply(..) => None,
        }
    }

    /// What the platform asks to wait before the next try; at most a day.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            DeviceError::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<Box<TransportError>> for Box<DeviceError> {
    fn from(error: Box<TransportError>) -> Box<DeviceError> {
        Box::new(DeviceError::Transport(error))
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceError::Transport(error) => write!(f, "{error}"),
            DeviceError::Status { call, status, text, .. } => {
                write!(f, "{call}: the platform answered {status}{}", meaning(call, *status))?;
                if text.is_empty() {
                    Ok(())
                } else {
                    write!(f, ": {text}")
                }
            }
            DeviceError::Conflict(points) => {
                f.write_str("record: points less than a second apart:")?;
                points.iter().try_for_each(|(alias, ts)| write!(f, " {alias}={ts}"))
            }
            DeviceError::Reply(call, how) => write!(f, "{call}: the platform's answer makes no sense: {how}"),
        }
    }
}

impl std::error::Error for DeviceError {}

/// What a status means for a call (docs/spec/device-api.md, "Calls").
fn meaning(call: &str, status: u16) -> &'static str {
    match (call, status) {
        ("activate", 404) => " (this serial number is not on the system)",
        ("activate", 409) => " (this serial number is not enabled, or already activated)",
        (_, 401) => " (it does not know this CIK)",
        ("content list", 403) => " (wrong vendor or model)",
        ("download" | "content info", 403 | 404 | 400) => " (there is no such content for this product)",
        _ => "",
    }
}
