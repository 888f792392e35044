//! What is in a job's content: unpacked into its slot, or only read through where it has to wait (docs/spec/failures.md, F1).
//!
//! Invariant: both are one reader and one set of rules, and what either finds is judged in one place.

use super::drive::Outcome;
use super::gateway::Gateway;
use super::journal::Job;
use super::registry::Registry;
use super::state::{InstallEvent, MAX_ATTEMPTS};
use super::steps::may_be_torn;
use super::{agent, delta, self_update, trust};
use crate::app::{TarballName, UnpackError};
use crate::sys::file;

impl Gateway<'_> {
    pub(super) fn unpack(&mut self, job: &mut Job, name: &TarballName) -> Outcome {
        if let Err((what, reason)) = trust::check_again(self, job) {
            self.note_distrust(job, what, &reason);
            return self.refuse(job, &reason);
        }
        if job.attempts >= MAX_ATTEMPTS {
            return self.refuse(job, &format!("install.sh was cut off {MAX_ATTEMPTS} times"));
        }
        if job.slot.is_empty() {
            let slot = if name.app() == agent::APP {
                self_update::free_slot(self)
            } else {
                Ok(Some(self.free_slot(name.app())))
            };
            match slot {
                Ok(Some(slot)) => job.slot = slot.to_string(),
                Ok(None) => return self.missed(job, "the agent's newest version is still on trial"),
                Err(e) => return self.refuse(job, &e.to_string()),
            }
        }
        let folder = self.slot(name.app(), &job.slot);
        let made = file::remove_tree(&folder).and_then(|()| file::create_folder(&folder));
        if let Err(e) = made {
            return self.refuse(job, &e.to_string());
        }
        match self.read_content(job, name, Some(&folder)) {
            Ok(()) => Outcome::Event(InstallEvent::Unpacked),
            Err(e) => self.unreadable(job, &e),
        }
    }

    /// Reads all of what has to wait before it does, and writes nothing: what is no good is told now, and not at its moment. `None`: it
    /// may wait.
    pub(super) fn read_ahead(&mut self, job: &mut Job, name: &TarballName) -> Option<Outcome> {
        match self.read_content(job, name, None) {
            Ok(()) => None,
            // No word about what is in it: it is looked at again when its moment comes.
            Err(UnpackError::Failed(e)) => {
                crate::warning!("{}: {e}", job.name);
                None
            }
            Err(e) => Some(self.unreadable(job, &e)),
        }
    }

    /// What becomes of a job whose content cannot be unpacked.
    fn unreadable(&mut self, job: &mut Job, error: &UnpackError) -> Outcome {
        let reason = error.to_string();
        match error {
            // What is wrong with a delta or its base is no word about the tarball.
            e if job.delta.is_some() && !(may_be_torn(job) && delta::may_be_mended(e)) => self.give_up(job, &reason),
            // A torn part shows here where no hash or signature told.
            UnpackError::Bad(_) if may_be_torn(job) => self.fetch_anew(job, "a part of it is torn"),
            UnpackError::Bad(_) if job.file.is_none() => {
                self.remember_bad(job, &reason, Registry::suspect);
                if let Err(e) = self.save_registry() {
                    crate::warning!("{e}; this content is not remembered as bad");
                }
                self.refuse(job, &reason)
            }
            UnpackError::Bad(_) | UnpackError::Failed(_) => self.refuse(job, &reason),
        }
    }
}
