//! The install transaction: journal, apply, roll back; and the registry of installed versions.
//!
//! The same code serves `engine_fetch`, the image's factory apps and `gwe --install-apps`.

pub mod agent;
mod delta;
mod digest;
pub mod drive;
pub mod fetch;
mod hosting;
pub mod journal;
pub mod local;
pub mod registry;
pub mod request;
pub mod script;
mod self_update;
pub mod state;
mod state_file;
pub mod status;
pub mod steps;
mod sweep;
mod trust;

use std::time::Duration;

use crate::config::Paths;
use crate::sys::clock;
use crate::sys::file::FileError;
use crate::sys::lock::{self, Lock};
use drive::drive;
use steps::Gateway;

/// Keeps installs by the engine and by `gwe --install-apps` from each other. `Ok(None)`: another process still installs. The
/// lock is the folder of what they change: a gateway whose /run cannot be written goes on.
///
/// # Errors
/// The folder could not be made.
pub fn lock(paths: &Paths, patience: Duration) -> Result<Option<Lock>, FileError> {
    lock::take_folder(&paths.state(), patience)
}

impl Gateway<'_> {
    /// Works on the pending jobs in order, until one has to wait: a later one may build on it.
    ///
    /// # Errors
    /// The journal could not be written; nothing is lost that was there before.
    pub fn work_off(&mut self) -> Result<(), FileError> {
        self.sweep();
        while let Some(index) = self.journal.next_job(self.cloud.is_some()) {
            let Some(mut job) = self.journal.jobs.get(index).cloned() else { return Ok(()) };
            if self.on_trial && journal::app_of(&job.name) != agent::APP {
                return Ok(());
            }
            self.index = index;
            drive(&mut job, self)?;
            if !job.state.is_terminal() || clock::since_boot() >= self.deadline {
                return Ok(());
            }
        }
        Ok(())
    }
}
