//! The install transaction: journal, apply, roll back; and the registry of installed versions.
//!
//! The same code serves `engine_fetch`, the image's factory apps and `gwe --install-apps`.

pub mod agent;
mod app_log;
pub mod asked;
pub mod cuts;
mod delta;
mod digest;
pub mod drive;
pub mod fetch;
pub mod forget;
mod fragment;
pub mod gateway;
mod hold;
mod hosting;
pub mod journal;
mod kept;
pub mod key_set;
pub mod local;
mod meter;
mod metered;
pub mod ordered;
pub mod own_options;
mod probe;
pub mod registry;
mod remove;
mod reserved;
pub mod script;
pub mod security;
mod self_update;
pub mod state;
pub mod state_file;
pub mod status;
pub mod steps;
mod sweep;
pub mod trust;
mod unpacking;
pub mod waiting;

use std::time::Duration;

use crate::config::Paths;
pub use crate::orders::request;
use crate::sys::clock;
use crate::sys::file::FileError;
use crate::sys::lock::{self, Lock};
use drive::drive;
use gateway::Gateway;

/// Keeps installs by the engine and by `gwe --install-apps` from each other. `Ok(None)`: another process still installs. The
/// lock is the folder of what they change: a gateway whose /run cannot be written goes on.
///
/// # Errors
/// The folder could not be made.
pub fn lock(paths: &Paths, patience: Duration) -> Result<Option<Lock>, FileError> {
    lock::take_folder(&paths.state(), patience)
}

impl Gateway<'_> {
    /// Works on the pending jobs in order. One that has to wait keeps back only those of the same app (docs/spec/failures.md, A5 and
    /// A14), and no other installs begin while this program is on trial.
    ///
    /// # Errors
    /// The journal could not be written; nothing is lost that was there before.
    pub fn work_off(&mut self) -> Result<(), FileError> {
        self.sweep();
        self.wake_waiting();
        let mut waiting: Vec<String> = Vec::new();
        while let Some(index) = self.journal.next_job(self.cloud.is_some(), &waiting) {
            let Some(mut job) = self.journal.jobs.get(index).cloned() else { return Ok(()) };
            let app = job.name.app().to_string();
            if self.on_trial && (app != agent::APP || job.state != state::InstallState::Settling) {
                waiting.push(app);
                continue;
            }
            self.index = index;
            drive(&mut job, self)?;
            if clock::since_boot() >= self.deadline {
                return Ok(());
            }
            if !job.state.is_terminal() && !job.is_waiting() {
                waiting.push(app);
            }
        }
        Ok(())
    }
}
