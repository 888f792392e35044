//! What installs work with: settings, a source of orders, a supervisord, and the books that are kept.

use std::cell::RefCell;
use std::time::Duration;

use super::journal::{self, Journal};
use super::registry::{self, Registry};
use crate::config::Config;
use crate::orders::Backend;
use crate::supervisor::{Process, Supervisor};
use crate::sys::file::FileError;

/// What installs work with.
pub struct Gateway<'a> {
    /// Settings and paths.
    pub config: &'a Config,
    /// Who gives the orders; `None` while there is no network to use.
    pub cloud: Option<&'a dyn Backend>,
    /// Whether this very program has completed its exchange with the server: what a new agent must show.
    pub checked_in: bool,
    /// Where hosted apps are taken up.
    pub supervisor: &'a Supervisor<'a>,
    /// What is installed.
    pub registry: Registry,
    /// What is pending.
    pub journal: Journal,
    /// The job that is being driven.
    pub index: usize,
    /// Whether this program still has to show what it can: then other installs wait until it has.
    pub on_trial: bool,
    /// When this process should leave further work to the next one, as time since boot.
    pub deadline: Duration,
    /// The processes that the last report told of.
    pub seen: RefCell<Vec<Process>>,
}

impl<'a> Gateway<'a> {
    /// What is installed and pending, offline as yet.
    #[must_use]
    pub fn load(config: &'a Config, supervisor: &'a Supervisor<'a>) -> Gateway<'a> {
        let state = config.paths().state();
        Gateway {
            config,
            cloud: None,
            checked_in: false,
            supervisor,
            registry: Registry::load(&registry::path(&state)),
            journal: Journal::load(&journal::path(&state)),
            index: 0,
            on_trial: false,
            deadline: Duration::MAX,
            seen: RefCell::default(),
        }
    }
}

impl Gateway<'_> {
    /// Goes back to what the disk holds, where it did not take what was done since.
    pub fn reload(&mut self) {
        let state = self.config.paths().state();
        self.registry = Registry::load(&registry::path(&state));
        self.journal = Journal::load(&journal::path(&state));
    }

    /// Makes the registry durable.
    pub(super) fn save_registry(&self) -> Result<(), FileError> {
        self.registry.save(&registry::path(&self.config.paths().state()))
    }

    /// Makes the journal durable.
    ///
    /// # Errors
    /// The disk did not take it.
    pub fn save_journal(&self) -> Result<(), FileError> {
        self.journal.save(&journal::path(&self.config.paths().state()))
    }
}
