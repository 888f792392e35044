//! The install transaction as a table: which state follows on which event, and what a crash in a state comes back as.
//!
//! ```text
//! requested → downloading ⇄ verified → staged → installing → settling → done
//!                  │            │                    │           │
//!                  └────────────┴──→ failed ←────────┘           └→ rolling back → rolled back | failed
//! ```
//! `done`, `failed` and `rolled back` are terminal: they are kept until the cloud has acknowledged their report.

use miniserde::{Deserialize, Serialize};

/// How often `install.sh` is begun for one job: a power cut in it is no fault of its own, a script that cuts the power is.
pub const MAX_ATTEMPTS: u32 = 3;

/// Where an install stands. Written to the journal before the state's work begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstallState {
    /// Taken from `engine_fetch`; nothing done yet.
    Requested,
    /// The tarball is on its way; a part of it may be there.
    Downloading,
    /// The tarball is whole, checked against size, hash and signature, and on stable storage.
    Verified,
    /// Unpacked into the free slot and checked; `install.sh` is next.
    Staged,
    /// `install.sh` runs.
    Installing,
    /// `install.sh` succeeded; supervisord takes the app up, and it must stay RUNNING.
    Settling,
    /// It did not settle; what was there before comes back.
    RollingBack,
    /// Installed, and recorded as such.
    Done,
    /// Discarded; what was there before is untouched.
    Failed,
    /// Replaced by what was there before.
    RolledBack,
}

/// What can happen to an install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallEvent {
    /// The request was admitted.
    Admitted,
    /// The tarball is whole and believed.
    Downloaded,
    /// The tarball passed its checks and stands in its slot.
    Unpacked,
    /// `install.sh` is about to run.
    ScriptBegins,
    /// `install.sh` exited with 0, and its effects are on stable storage.
    ScriptSucceeded,
    /// The app runs and stayed, or it is one that need not run.
    Settled,
    /// The app did not come up, or did not stay.
    NotSettled,
    /// The previous version is back.
    Restored,
    /// There was no previous version: the app is gone.
    Removed,
    /// What came in parts is not whole: a part was torn, and all of it is fetched anew, once.
    Torn,
    /// The delta is of no use: the tarball is fetched instead, once.
    TarballInstead,
    /// Something permanent: refused, bad, or out of tries.
    Refused,
}

use InstallEvent as E;
use InstallState as S;

/// The table. `None`: the event has no meaning in the state, which a correct driver never asks.
#[must_use]
pub fn next(state: InstallState, event: InstallEvent) -> Option<InstallState> {
    match (state, event) {
        (S::Requested, E::Admitted) => Some(S::Downloading),
        (S::Downloading, E::Downloaded) => Some(S::Verified),
        (S::Downloading | S::Verified, E::Torn | E::TarballInstead) => Some(S::Downloading),
        (S::Verified, E::Unpacked) => Some(S::Staged),
        (S::Staged, E::ScriptBegins) => Some(S::Installing),
        (S::Installing, E::ScriptSucceeded) => Some(S::Settling),
        (S::Settling, E::Settled) => Some(S::Done),
        (S::Settling, E::NotSettled) => Some(S::RollingBack),
        (S::RollingBack, E::Restored) => Some(S::RolledBack),
        (S::RollingBack, E::Removed) => Some(S::Failed),
        (S::Requested | S::Downloading | S::Verified | S::Staged | S::Installing, E::Refused) => Some(S::Failed),
        (
            S::Requested
            | S::Downloading
            | S::Verified
            | S::Staged
            | S::Installing
            | S::Settling
            | S::RollingBack
            | S::Done
            | S::Failed
            | S::RolledBack,
            _,
        ) => None,
    }
}

/// What a crash in `state` comes back as. The unpacked files are synced only once `install.sh` has succeeded, so a crash
/// before that unpacks anew from the tarball, which is on stable storage.
#[must_use]
pub fn after_crash(state: InstallState) -> InstallState {
    match state {
        S::Staged | S::Installing => S::Verified,
        S::Requested
        | S::Downloading
        | S::Verified
        | S::Settling
        | S::RollingBack
        | S::Done
        | S::Failed
        | S::RolledBack => state,
    }
}

impl InstallState {
    /// Whether nothing more happens but the report.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, S::Done | S::Failed | S::RolledBack)
    }

    /// How often the state's work may be cut off by a reboot (or by the check-in's end) before it is given up, and what that work is: what
    /// takes the machine down must not have it again and again. `None`: nothing is done in it, or it has an account of its own
    /// (`install.sh` in [`MAX_ATTEMPTS`], a new agent in [`super::agent::Agents`]).
    fn tries(self) -> Option<(u32, &'static str)> {
        match self {
            // What cuts the power of a gateway while it loads is hardly the download; but for ever is too long.
            S::Downloading => Some((100, "it was downloaded")),
            S::Verified => Some((3, "it was checked or unpacked")),
            S::Settling => Some((2, "it settled")),
            S::RollingBack => Some((2, "the version before was put back")),
            S::Requested | S::Staged | S::Installing | S::Done | S::Failed | S::RolledBack => None,
        }
    }

    /// How often its work may be cut off before it is given up.
    #[must_use]
    pub fn most_tries(self) -> Option<u32> {
        self.tries().map(|(most, _)| most)
    }

    /// Why it is not entered again, once it was cut off that often.
    #[must_use]
    pub fn cut_off(self) -> String {
        let (most, what) = self.tries().unwrap_or((0, "nothing was done"));
        format!("the gateway went down {most} times while {what}")
    }

    /// Whether the next step needs the network.
    #[must_use]
    pub fn needs_network(self) -> bool {
        matches!(self, S::Requested | S::Downloading)
    }

    /// As `--status` shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            S::Requested => "requested",
            S::Downloading => "downloading",
            S::Verified => "verified",
            S::Staged => "staged",
            S::Installing => "installing",
            S::Settling => "settling",
            S::RollingBack => "rolling back",
            S::Done => "done",
            S::Failed => "failed",
            S::RolledBack => "rolled back",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The last of each: one that is left out here does not compile.
    const STATES: [InstallState; S::RolledBack as usize + 1] = [
        S::Requested,
        S::Downloading,
        S::Verified,
        S::Staged,
        S::Installing,
        S::Settling,
        S::RollingBack,
        S::Done,
        S::Failed,
        S::RolledBack,
    ];
    const EVENTS: [InstallEvent; E::Refused as usize + 1] = [
        E::Admitted,
        E::Downloaded,
        E::Unpacked,
        E::ScriptBegins,
        E::ScriptSucceeded,
        E::Settled,
        E::NotSettled,
        E::Restored,
        E::Removed,
        E::Torn,
        E::TarballInstead,
        E::Refused,
    ];

    #[test]
    fn the_good_path_ends_done() {
        let path = [E::Admitted, E::Downloaded, E::Unpacked, E::ScriptBegins, E::ScriptSucceeded, E::Settled];
        let end = path.iter().try_fold(S::Requested, |state, event| next(state, *event));
        assert_eq!(end, Some(S::Done));
    }

    #[test]
    fn terminal_states_are_final_and_every_other_has_a_way_on() {
        for state in STATES {
            let ways = EVENTS.iter().filter(|event| next(state, **event).is_some()).count();
            assert_eq!(ways == 0, state.is_terminal(), "{}", state.name());
        }
    }

    #[test]
    fn nothing_is_done_without_having_settled_and_nothing_untouched_is_rolled_back() {
        // rauc#1554: a failure recorded as success.
        for state in STATES {
            for event in EVENTS {
                match next(state, event) {
                    Some(S::Done) => assert_eq!((state, event), (S::Settling, E::Settled)),
                    Some(S::RolledBack) => assert_eq!((state, event), (S::RollingBack, E::Restored)),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn a_crash_never_skips_ahead() {
        let order = |state: InstallState| STATES.iter().position(|s| *s == state);
        for state in STATES {
            assert!(order(after_crash(state)) <= order(state), "{}", state.name());
            assert_eq!(after_crash(after_crash(state)), after_crash(state));
        }
    }
}
