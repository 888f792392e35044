//! What keeps the experiment itself from going on, as a sentence. What a crash state shows is no such trouble.

use std::io;
use std::path::Path;

/// A value, or why the experiment cannot go on.
pub type Outcome<T> = Result<T, String>;

/// Names what was done, and to what.
pub trait Doing<T> {
    /// `cannot <action> <path>: <what the system said>`.
    fn doing(self, action: &str, path: &Path) -> Outcome<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, action: &str, path: &Path) -> Outcome<T> {
        self.map_err(|error| format!("cannot {action} {}: {error}", path.display()))
    }
}
