//! One configuration file in two layers: the image's factory file, and beside it what was set at run time.
//!
//! Invariant: the factory file is only read. The state file holds only what was set, so that a new image's defaults count
//! wherever nobody set anything.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::format::ini::Ini;
use crate::sys::file::{self, FileError};
use crate::sys::lock::{self, Lock};

/// A configuration file's size limit, in bytes: hundreds of times what is ever written.
pub const MAX_FILE: u64 = 64 * 1024;
/// How long one who writes settings waits for another who does: a flush of slow flash, with a wide margin.
const PATIENCE: Duration = Duration::from_secs(30);
/// Beside the files: taken by whoever changes one of them.
const LOCK: &str = ".settings.lock";

/// One layer.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub ini: Ini,
    /// Why it counts as empty, where it cannot be read.
    pub damage: Option<String>,
}

/// A file and its override.
#[derive(Clone, Debug)]
pub struct Layered {
    factory: Layer,
    state: Layer,
    mode: u32,
}

impl Layered {
    /// Reads both layers. Never fails: a layer that cannot be read (missing, empty, zeroed, torn) counts as empty, and a
    /// damaged one is logged, since the agent must start on what is safe (docs/spec/failures.md, row 8).
    #[must_use]
    pub fn load(factory: &Path, state: PathBuf, mode: u32) -> Layered {
        Layered { factory: Layer::load(factory), state: Layer::load(&state), mode }
    }

    /// Both layers, the one that counts first.
    #[must_use]
    pub fn layers(&self) -> [&Layer; 2] {
        [&self.state, &self.factory]
    }

    /// Sets options durably in the upper layer, given as section, key and value. Whoever holds an old copy changes these keys
    /// alone: the file is read again under a lock that every writer takes (docs/spec/failures.md, A2).
    ///
    /// # Errors
    /// The state file could not be written; the values in force are then the old ones.
    pub fn set(&mut self, values: &[(&str, &str, &str)]) -> Result<(), FileError> {
        let path = &self.state.path;
        let _lock = take_lock(path)?;
        let mut ini = match read(path)? {
            Ok(ini) => ini,
            Err(damage) => {
                crate::warning!("{} is damaged ({damage}); it is written anew", path.display());
                Ini::default()
            }
        };
        for (section, key, value) in values {
            ini.set(section, key, if value.is_empty() { "''" } else { value });
        }
        file::replace(path, ini.to_string().as_bytes(), self.mode)?;
        self.state.ini = ini;
        self.state.damage = None;
        Ok(())
    }
}

impl Layer {
    /// The value of an option.
    #[must_use]
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.ini.get(section, key).map(unquote)
    }

    fn load(path: &Path) -> Layer {
        let (ini, damage) = match read(path) {
            Ok(Ok(ini)) => (ini, None),
            Ok(Err(reason)) => {
                crate::warning!("{} is damaged ({reason}); going on as if it were empty", path.display());
                (Ini::default(), Some(reason))
            }
            Err(e) => {
                crate::warning!("{e}; going on as if it were empty");
                (Ini::default(), Some(e.source.to_string()))
            }
        };
        Layer { path: path.to_path_buf(), ini, damage }
    }
}

/// Quotes around a whole value are taken off, since empty values are written `''` (docs/spec/gateway-engine.md); `"''"` arrives from
/// shells that quote twice.
#[must_use]
pub fn unquote(value: &str) -> &str {
    let mut value = value.trim();
    for quote in ['"', '\'', '"'] {
        value = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)).unwrap_or(value);
    }
    value
}

fn take_lock(beside: &Path) -> Result<Lock, FileError> {
    let path = beside.with_file_name(LOCK);
    let busy = || FileError::new("lock", &path, io::Error::new(io::ErrorKind::TimedOut, "another program holds it"));
    // What cannot be locked cannot be written either: the file that was to be written is the one to name.
    lock::take(&path, PATIENCE).map_err(|e| FileError::new("write", beside, e.into_source()))?.ok_or_else(busy)
}

/// What a layer says, or why it cannot be understood. A missing one says nothing.
fn read(path: &Path) -> Result<Result<Ini, String>, FileError> {
    let bytes = match file::read(path, MAX_FILE) {
        Ok(None) => return Ok(Ok(Ini::default())),
        Ok(Some(bytes)) => bytes,
        Err(e) if e.source.kind() == io::ErrorKind::InvalidData => return Ok(Err(e.source.to_string())),
        Err(e) => return Err(e),
    };
    Ok(match std::str::from_utf8(&bytes) {
        Err(_) => Err("it is not UTF-8 text".to_string()),
        Ok(text) if text.contains('\0') => Err("it has zero bytes, as after a power loss".to_string()),
        Ok(text) => Ini::parse(text).map_err(|e| e.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn get(layered: &Layered, key: &str) -> Option<String> {
        layered.layers().iter().find_map(|layer| layer.get("a", key)).map(str::to_string)
    }

    #[test]
    fn the_upper_layer_wins_and_damage_counts_as_empty() {
        let dir = std::env::temp_dir().join(format!("gwe-layered-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (factory, state) = (dir.join("factory"), dir.join("state"));
        fs::write(&factory, "[a]\nx = 1\ny = 2\n").unwrap();
        for damage in [&b""[..], b"\0\0\0\0", b"[a", b"x = 9", b"\xff\xfe"] {
            fs::write(&state, damage).unwrap();
            let layered = Layered::load(&factory, state.clone(), 0o644);
            assert_eq!(get(&layered, "x"), Some("1".to_string()), "{damage:?}");
            assert_eq!(layered.layers()[0].damage.is_some(), !damage.is_empty(), "{damage:?}");
        }
        let mut layered = Layered::load(&factory, state.clone(), 0o644);
        layered.set(&[("a", "x", "")]).unwrap();
        let again = Layered::load(&factory, state.clone(), 0o644);
        assert_eq!((get(&again, "x"), get(&again, "y"), get(&again, "z")), (Some("".into()), Some("2".into()), None));
        assert_eq!(fs::read_to_string(&state).unwrap(), "[a]\nx = ''\n", "only what was set is stored");
        fs::remove_dir_all(dir).unwrap();
    }

    /// docs/spec/failures.md, A2: a copy that is older than the file erased what others had set meanwhile.
    #[test]
    fn an_old_copy_changes_only_its_own_keys() {
        let dir = std::env::temp_dir().join(format!("gwe-layered-old-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let load = || Layered::load(&dir.join("factory"), dir.join("state"), 0o600);
        let (mut one, mut other) = (load(), load());
        one.set(&[("a", "cik", "c"), ("a", "x", "1")]).unwrap();
        other.set(&[("a", "x", "2")]).unwrap();
        assert_eq!((get(&other, "cik"), get(&other, "x")), (Some("c".into()), Some("2".into())));
        assert_eq!((get(&load(), "cik"), get(&load(), "x")), (Some("c".into()), Some("2".into())));
        // While another writes nothing is written.
        let lock = take_lock(&dir.join("state")).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| one.set(&[("a", "x", "3")]));
            other.state = Layer::load(&dir.join("state"));
            assert_eq!(get(&other, "x"), Some("2".into()));
            drop(lock);
            writer.join().unwrap().unwrap();
        });
        assert_eq!(get(&load(), "x"), Some("3".into()));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn empty_values_in_every_quoting() {
        for empty in ["", "''", "\"\"", " '' ", "\"''\""] {
            assert_eq!(unquote(empty), "");
        }
        // A pair around the whole is taken off, and nothing else (docs/spec/failures.md, "Doubtful inputs": `uuid = 'X'`).
        for (value, want) in
            [("it's", "it's"), ("'X'", "X"), ("\"X\"", "X"), ("'", "'"), ("'a", "'a"), ("a'b'", "a'b'")]
        {
            assert_eq!(unquote(value), want);
        }
    }
}
