//! The agent's own versions: which one runs the next check-in, and which one stays resident (docs/decisions.md, "The engine is a timer").
//!
//! The image's `/usr/bin/gwe` is never overwritten. A version that arrived over the air lives in a slot of the app `gwe`; it
//! is on trial until it has completed a check-in, and it is dropped for the one before when it crashes three times in a
//! row, or when it fails three check-ins in a row of which the version before completes the next.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use miniserde::{json, Deserialize, Serialize};

use super::state_file;
use crate::config::Paths;
use crate::sys::file::{self, FileError};

/// The app whose install is an update of the agent.
pub const APP: &str = "gwe";
/// Crashes in a row after which a version is dropped (docs/spec/failures.md, row 15).
pub const MAX_CRASHES: u32 = 3;
/// Failed check-ins of a version on trial after which the version before shows whether the network is to blame.
const MISSES_TO_COMPARE: u32 = 3;
/// What runs, whatever has become of its path; and what the kernel adds to that of a file that is gone.
const OWN: &str = "/proc/self/exe";
const GONE: &str = " (deleted)";
/// The state file's bound in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// One version of the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Without the `v`.
    pub version: String,
    /// Its slot under `apps/gwe`.
    pub slot: String,
    /// The tarball's SHA-256 in hex, by which it is refused once it was dropped.
    pub sha256: String,
}

/// What is known of the agent's versions. The factory's is not listed: it is always there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agents {
    /// The newest version that has not been dropped.
    pub current: Option<Version>,
    /// What comes back when `current` is dropped; `None`: the factory's.
    pub previous: Option<Version>,
    /// Whether `current` still has to complete its first check-in.
    pub trial: bool,
    /// Crashes of `current` in a row.
    pub crashes: u32,
    /// Check-ins in a row that `current` did not complete while on trial.
    pub misses: u32,
    /// How often in a row its check-in was begun on trial and came to no end: see [`cuts`](super::cuts). An older agent's file lacks
    /// this and the next.
    pub begun: Option<u32>,
    /// Whether the machine has stayed up through a check-in of the version before; `None`: not yet asked.
    pub compared: Option<bool>,
    /// The version that was dropped last, and why: the install's report says so.
    pub dropped: Option<Dropped>,
    /// What `engine_report` says of the agent, such as a roll-back.
    pub note: Option<String>,
    /// The version of the image's own agent when these arrived: another image brings another, and then counts alone.
    pub image: Option<String>,
}

/// A dropped version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Which.
    pub version: Version,
    /// Why, as a clause.
    pub why: String,
}

/// How a check-in's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckIn {
    /// The server was talked to, and everything due was done.
    Completed,
    /// It ended in order, but could not do its work: no network, not activated.
    Failed,
    /// It died, or hung until it was ended.
    Crashed,
}

impl Agents {
    /// Only the factory's version.
    #[must_use]
    pub fn factory() -> Agents {
        Agents {
            current: None,
            previous: None,
            trial: false,
            crashes: 0,
            misses: 0,
            begun: None,
            compared: None,
            dropped: None,
            note: None,
            image: None,
        }
    }

    /// Reads what is known. Missing, empty, zeroed or torn: the factory's version runs.
    #[must_use]
    pub fn load(paths: &Paths) -> Agents {
        let without = "going on with the image's own agent";
        state_file::load(&path(paths), MAX_FILE, state_file::parse, without).unwrap_or_else(Agents::factory)
    }

    /// Writes what is known durably.
    ///
    /// # Errors
    /// The disk did not take it.
    pub fn save(&self, paths: &Paths) -> Result<(), FileError> {
        file::replace(&path(paths), json::to_string(self).as_bytes(), 0o644)
    }

    /// Puts a freshly installed version on trial.
    #[must_use]
    pub fn with_trial(self, version: Version) -> Agents {
        // A version that replaces one still on trial is rolled back to what was proven.
        let previous = if self.trial { self.previous } else { self.current };
        Agents { current: Some(version), previous, trial: true, image: self.image, ..Agents::factory() }
    }

    /// The same without the version to fall back on that lives in `slot`; `None` where there is none.
    #[must_use]
    pub fn without(&self, slot: &str) -> Option<Agents> {
        let there = self.previous.as_ref().is_some_and(|version| version.slot == slot);
        there.then(|| Agents { previous: None, ..self.clone() })
    }

    /// What counts where the image's own agent is of this version; `None`: it stays as it is. A new image was flashed to be
    /// used: versions that arrived over the air for the image before give way to it.
    #[must_use]
    pub fn under_image(&self, version: &str) -> Option<Agents> {
        match &self.image {
            Some(image) if image == version => None,
            None if self.current.is_none() => None,
            None => Some(Agents { image: Some(version.to_string()), ..self.clone() }),
            Some(_) => Some(Agents { image: Some(version.to_string()), ..Agents::factory() }),
        }
    }

    /// The version that runs the next check-in; `None`: the factory's.
    #[must_use]
    pub fn for_check_in(&self) -> Option<&Version> {
        if self.is_comparing() {
            return self.previous.as_ref();
        }
        self.current.as_ref()
    }

    /// The version that stays resident, and that `gmq` and `gdc` follow; `None`: the factory's.
    #[must_use]
    pub fn resident(&self) -> Option<&Version> {
        if self.trial {
            self.previous.as_ref()
        } else {
            self.current.as_ref()
        }
    }

    /// What a check-in's end makes of it.
    #[must_use]
    pub fn after(&self, check_in: CheckIn) -> Agents {
        let mut after = self.clone();
        if self.current.is_none() {
            return after;
        }
        if self.is_comparing_cuts() {
            return Agents { compared: Some(true), ..after };
        }
        if self.is_comparing() {
            after.misses = 0;
            return match check_in {
                CheckIn::Completed => self.drop_current("its check-ins failed where the version before completes them"),
                CheckIn::Failed | CheckIn::Crashed => after,
            };
        }
        (after.begun, after.compared) = (None, None);
        match check_in {
            CheckIn::Completed => {
                after.trial = false;
                after.crashes = 0;
                after.misses = 0;
            }
            CheckIn::Failed => {
                after.crashes = 0;
                after.misses = if self.trial { self.misses + 1 } else { 0 };
            }
            CheckIn::Crashed => {
                after.crashes += 1;
                if after.crashes >= MAX_CRASHES {
                    return self.drop_current("it crashed or hung three times in a row");
                }
            }
        }
        after
    }

    /// Whether this program is the version that still has to complete its first check-in.
    #[must_use]
    pub fn is_on_trial(&self, paths: &Paths) -> bool {
        self.trial && self.current.as_ref().is_some_and(|version| is_own(&executable(paths, version)))
    }

    /// Whether the version before is to show what is to blame: the network or the power, or this version.
    pub(super) fn is_comparing(&self) -> bool {
        self.trial && (self.misses >= MISSES_TO_COMPARE || self.is_comparing_cuts())
    }

    pub(super) fn drop_current(&self, why: &str) -> Agents {
        let note = self.current.as_ref().map(|version| note(&version.version, why));
        let dropped = self.current.clone().map(|version| Dropped { version, why: why.to_string() });
        Agents { current: self.previous.clone(), dropped, note, image: self.image.clone(), ..Agents::factory() }
    }
}

/// What `engine_report` says where a version was dropped.
#[must_use]
pub fn note(version: &str, why: &str) -> String {
    ["rolled back from v", version, ": ", why].concat()
}

/// The executable of a version.
#[must_use]
pub fn executable(paths: &Paths, version: &Version) -> PathBuf {
    paths.apps().join(APP).join(&version.slot).join("gwe")
}

fn path(paths: &Paths) -> PathBuf {
    paths.agent().join("state.json")
}

/// Whether a file begins as a program does. One that a power cut has zeroed would be taken for a script, and run by the shell.
#[must_use]
pub fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && (magic == *b"\x7fELF" || magic.starts_with(b"#!"))
}

/// The program that this process runs, by a path that can be started. One that was replaced on disk is what stands there now, as
/// after a restart; one that was removed still runs, and can be started by way of /proc (docs/spec/failures.md, A3).
#[must_use]
pub fn own_executable() -> PathBuf {
    match std::env::current_exe() {
        Ok(path) if path.exists() => path,
        Ok(path) => match path.to_str().and_then(|path| path.strip_suffix(GONE)).map(PathBuf::from) {
            Some(replaced) if replaced.is_file() => replaced,
            _ => PathBuf::from(OWN),
        },
        Err(_) => PathBuf::from(OWN),
    }
}

/// Whether a file is the very program that this process runs: not only its path, which another may have taken meanwhile.
#[must_use]
pub fn is_own(path: &Path) -> bool {
    match (std::fs::metadata(OWN), std::fs::metadata(path)) {
        (Ok(own), Ok(other)) => (own.dev(), own.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Whether two paths are the same file, whatever links lead there: a program's own path has none in it.
#[must_use]
pub fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Whether a program is one that arrived over the air.
#[must_use]
pub fn has_arrived(paths: &Paths, program: &Path) -> bool {
    paths.apps().join(APP).canonicalize().is_ok_and(|folder| program.starts_with(folder))
}

/// Whether anything ever arrived over the air.
#[must_use]
pub fn is_known(paths: &Paths) -> bool {
    path(paths).exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use CheckIn::{Completed, Crashed, Failed};

    fn version(name: &str) -> Version {
        Version { version: name.into(), slot: "a".into(), sha256: "h".into() }
    }

    fn name(version: Option<&Version>) -> &str {
        version.map_or("factory", |v| v.version.as_str())
    }

    #[test]
    fn trials_by_table() {
        // What happened, then: who checks in next, who is resident, who was dropped.
        type Row<'a> = (&'a [CheckIn], &'a str, &'a str, Option<&'a str>);
        let rows: [Row<'_>; 9] = [
            (&[], "2", "1", None),
            (&[Completed], "2", "2", None),
            (&[Crashed, Crashed], "2", "1", None),
            // freenet-core#4591: three crashes, and the version before is back.
            (&[Crashed, Crashed, Crashed], "1", "1", Some("2")),
            (&[Crashed, Crashed, Failed, Crashed], "2", "1", None),
            (&[Failed, Failed, Failed], "1", "1", None),
            (&[Failed, Failed, Failed, Failed], "2", "1", None),
            (&[Failed, Failed, Failed, Completed], "1", "1", Some("2")),
            (&[Completed, Crashed, Crashed, Crashed], "1", "1", Some("2")),
        ];
        for (history, next, resident, dropped) in rows {
            let start = Agents { current: Some(version("1")), ..Agents::factory() }.with_trial(version("2"));
            let end = history.iter().fold(start, |agents, check_in| agents.after(*check_in));
            assert_eq!(name(end.for_check_in()), next, "{history:?}");
            assert_eq!(name(end.resident()), resident, "{history:?}");
            assert_eq!(end.dropped.as_ref().map(|d| d.version.version.as_str()), dropped, "{history:?}");
        }
    }

    #[test]
    fn the_factory_version_is_what_is_left() {
        let mut agents = Agents::factory().with_trial(version("2"));
        for _ in 0..3 {
            agents = agents.after(Crashed);
        }
        assert_eq!((name(agents.for_check_in()), name(agents.resident())), ("factory", "factory"));
        assert_eq!(agents.after(Crashed), agents, "the factory's version is never dropped");
    }

    #[test]
    fn a_version_that_replaces_one_on_trial_falls_back_to_what_was_proven() {
        let agents = Agents::factory().with_trial(version("2")).with_trial(version("3"));
        assert_eq!((name(agents.current.as_ref()), name(agents.resident())), ("3", "factory"));
    }

    #[test]
    fn a_version_to_fall_back_on_is_forgotten_before_its_folder_is_used() {
        let slot = |name: &str, slot: &str| Version { slot: slot.into(), ..version(name) };
        let agents = Agents { current: Some(slot("2", "b")), previous: Some(slot("1", "a")), ..Agents::factory() };
        assert_eq!(agents.without("a").map(|agents| agents.previous), Some(None));
        assert_eq!(agents.without("b"), None);
    }

    #[test]
    fn a_new_image_s_agent_counts_over_one_that_arrived_for_the_image_before() {
        let agents = Agents { current: Some(version("2")), ..Agents::factory() };
        let seen = agents.under_image("1").unwrap();
        assert_eq!((name(seen.resident()), seen.image.as_deref()), ("2", Some("1")));
        assert_eq!(seen.under_image("1"), None, "the same image");
        assert_eq!(name(seen.under_image("3").unwrap().resident()), "factory");
        assert_eq!(Agents::factory().under_image("1"), None, "nothing arrived: nothing to write");
        assert_eq!(seen.with_trial(version("4")).image.as_deref(), Some("1"));
    }

    #[test]
    fn a_quiet_check_in_changes_nothing() {
        let agents = Agents { current: Some(version("1")), ..Agents::factory() };
        assert_eq!(agents.after(Completed), agents);
        assert_eq!(agents.after(Failed), agents);
    }
}
