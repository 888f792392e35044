//! The front end of one connection: HTTP and XML-RPC, asked of the core in its own form, and gone.
//!
//! Nothing here can end the parent of all apps, and nothing here is kept. A request, its time and its answer have bounds; what a client sends is
//! only text. The table of methods is fixed: no name leads anywhere else.

mod act;
mod command;
mod connection;
mod fault;
mod follow;
mod http;
mod link;
mod logs;
mod look;
mod methods;
mod now;
mod page;
mod reload;
mod rpc;
#[cfg(test)]
mod tests;

pub use connection::serve_anybody;
pub use link::run;
pub(crate) use now::{namespec, split_namespec};

use crate::hosting::config;
use crate::hosting::definition::Settings;
use crate::hosting::protocol::{CoreRequest, Reply};
use std::time::Duration;

/// The other side is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// The core, as the front end sees it: a test plays it.
pub trait ResidentCore {
    /// A whole copy of the shared memory.
    fn state(&mut self) -> Result<Vec<u8>, Gone>;
    /// The configuration that was last read.
    fn configuration(&mut self) -> Result<Vec<u8>, Gone>;
    /// One request and its answer; with it goes a configuration, where there is one.
    fn ask(&mut self, request: &CoreRequest<'_>, with: Option<&[u8]>) -> Result<Reply, Gone>;
    /// Waits for a change after `CoreRequest::Watch`, so long at the most. An error: the client or the core has gone.
    fn wait(&mut self, limit: Duration) -> Result<(), Gone>;
    /// The configuration as its files have it now, with the flags of the start.
    fn read_again(&mut self, settings: &Settings<'_>) -> Result<config::Configuration, String>;
    /// Seconds of 1970, and milliseconds of the monotonic clock.
    fn clocks(&mut self) -> (i64, u64);
}
