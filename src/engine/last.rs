//! The last check-in, for `gwe --status`: volatile, so that a quiet check-in writes nothing to flash.

use std::path::PathBuf;

use miniserde::{json, Deserialize, Serialize};

use crate::config::Paths;
use crate::install::state_file;
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

fn path(paths: &Paths) -> PathBuf {
    paths.run().join("last_check_in.json")
}

/// Writes the record. It is a courtesy: where /run cannot be written, only the log knows.
pub fn record(paths: &Paths, last: &Last) {
    if let Err(e) = file::write(&path(paths), json::to_string(last).as_bytes()) {
        crate::debug!("{e}");
    }
}

/// Reads the record; `None` where there was no check-in since boot.
#[must_use]
pub fn load(paths: &Paths) -> Option<Last> {
    state_file::peek(&path(paths), MAX_FILE)
}
