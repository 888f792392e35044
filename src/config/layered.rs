//! One configuration file in two layers: the image's factory file, and beside it what was set at run time.
//!
//! Invariant: the factory file is only read. The state file holds only what was set, so that a new image's defaults count
//! wherever nobody set anything.

use std::path::{Path, PathBuf};

use crate::format::ini::Ini;
use crate::sys::file::{self, FileError};

/// A configuration file's size limit, in bytes: hundreds of times what is ever written.
pub const MAX_FILE: u64 = 64 * 1024;

/// A file and its override.
#[derive(Clone, Debug)]
pub struct Layered {
    factory: Ini,
    state: Ini,
    state_path: PathBuf,
    mode: u32,
}

impl Layered {
    /// Reads both layers. Never fails: a layer that cannot be read (missing, empty, zeroed, torn) counts as empty, and a
    /// damaged one is logged, since the agent must start on what is safe (spec: failures.md, row 8).
    #[must_use]
    pub fn load(factory: &Path, state: PathBuf, mode: u32) -> Layered {
        Layered { factory: read_or_empty(factory), state: read_or_empty(&state), state_path: state, mode }
    }

    /// The effective value, `''` and `""` already read as empty. `None` where no layer has the option.
    #[must_use]
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.state.get(section, key).or_else(|| self.factory.get(section, key)).map(unquote)
    }

    /// Sets options durably in the upper layer, given as section, key and value.
    ///
    /// # Errors
    /// The state file could not be written; the values in force are then the old ones.
    pub fn set(&mut self, values: &[(&str, &str, &str)]) -> Result<(), FileError> {
        let mut next = self.state.clone();
        for (section, key, value) in values {
            next.set(section, key, if value.is_empty() { "''" } else { value });
        }
        file::replace(&self.state_path, next.to_string().as_bytes(), self.mode)?;
        self.state = next;
        Ok(())
    }
}

/// Empty values are written `''` (spec: gateway-engine.md); `"''"` arrives from shells that quote twice.
#[must_use]
pub fn unquote(value: &str) -> &str {
    match value.trim() {
        "''" | "\"\"" | "\"''\"" | "'\"\"'" => "",
        other => other,
    }
}

fn read_or_empty(path: &Path) -> Ini {
    let bytes = match file::read(path, MAX_FILE) {
        Ok(None) => return Ini::default(),
        Ok(Some(bytes)) => bytes,
        Err(e) => {
            crate::warning!("{e}; going on as if it were empty");
            return Ini::default();
        }
    };
    let reason = match std::str::from_utf8(&bytes) {
        Err(_) => "it is not UTF-8 text".to_string(),
        Ok(text) if text.contains('\0') => "it has zero bytes, as after a power loss".to_string(),
        Ok(text) => match Ini::parse(text) {
            Ok(ini) => return ini,
            Err(e) => e.to_string(),
        },
    };
    crate::warning!("{} is damaged ({reason}); going on as if it were empty", path.display());
    Ini::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_upper_layer_wins_and_damage_counts_as_empty() {
        let dir = std::env::temp_dir().join(format!("gwe-layered-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (factory, state) = (dir.join("factory"), dir.join("state"));
        fs::write(&factory, "[a]\nx = 1\ny = 2\n").unwrap();
        for damage in [&b""[..], b"\0\0\0\0", b"[a", b"x = 9", b"\xff\xfe"] {
            fs::write(&state, damage).unwrap();
            let layered = Layered::load(&factory, state.clone(), 0o644);
            assert_eq!(layered.get("a", "x"), Some("1"), "{damage:?}");
        }
        let mut layered = Layered::load(&factory, state.clone(), 0o644);
        layered.set(&[("a", "x", "")]).unwrap();
        let again = Layered::load(&factory, state.clone(), 0o644);
        assert_eq!((again.get("a", "x"), again.get("a", "y"), again.get("a", "z")), (Some(""), Some("2"), None));
        assert_eq!(fs::read_to_string(&state).unwrap(), "[a]\nx = ''\n", "only what was set is stored");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn empty_values_in_every_quoting() {
        for empty in ["", "''", "\"\"", " '' ", "\"''\""] {
            assert_eq!(unquote(empty), "");
        }
        assert_eq!(unquote("it's"), "it's");
    }
}
