//! What files of state have in common: how they are read when a power cut may have left anything in them.
//!
//! Invariants: no state of a file keeps the agent from going on; what is lost with it is said in the log.

use std::path::Path;

use miniserde::{json, Deserialize};

use crate::sys::file;

/// Reads a state file of at most `limit` bytes. `None` where it is missing, and where it cannot be read, is empty, zeroed or torn:
/// then the log says so, and `without` says what that means, as the end of a sentence.
#[must_use]
pub fn load<T>(path: &Path, limit: u64, parse: fn(&[u8]) -> Option<T>, without: &str) -> Option<T> {
    match file::read(path, limit) {
        Ok(bytes) => {
            let bytes = bytes?;
            let state = parse(&bytes);
            if state.is_none() {
                crate::error!("{} is damaged; {without}", path.display());
            }
            state
        }
        Err(e) => {
            crate::error!("{e}; {without}");
            None
        }
    }
}

/// Reads a state whose loss costs nothing: `None` where it is missing or is anything else, without a word.
pub fn peek<T: Deserialize>(path: &Path, limit: u64) -> Option<T> {
    parse(&file::read(path, limit).ok()??)
}

/// Reads a state's bytes; `None` for anything else.
#[must_use]
pub fn parse<T: Deserialize>(bytes: &[u8]) -> Option<T> {
    json::from_str(std::str::from_utf8(bytes).ok()?).ok()
}
