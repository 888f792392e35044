//! The last check-in, for `gwe --status`: volatile, so that a quiet check-in writes nothing to flash.

use miniserde::{json, Deserialize, Serialize};

use crate::config::Paths;
use crate::sys::file;

/// The record's bound in bytes.
const MAX_FILE: u64 = 8 * 1024;

/// How and when the last check-in ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// Unix seconds.
    pub time: u64,
    /// Whether everything due was done.
    pub ok: bool,
    /// What happened, as a sentence.
    pub message: String,
}

/// Writes the record. It is a courtesy: where /run cannot be written, only the log knows.
pub fn record(paths: &Paths, last: &Last) {
    let path = paths.run().join("last_check_in.json");
    if let Err(e) = file::write(&path, json::to_string(last).as_bytes()) {
        crate::debug!("{e}");
    }
}

/// Reads the record; `None` where there was no check-in since boot.
#[must_use]
pub fn load(paths: &Paths) -> Option<Last> {
    let bytes = file::read(&paths.run().join("last_check_in.json"), MAX_FILE).ok()??;
    json::from_str(std::str::from_utf8(&bytes).ok()?).ok()
}
