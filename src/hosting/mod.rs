//! supervisord of our own: the resident core, a program of its own without any library, and what the front end on demand shares with it.
//!
//! `core/` is compiled alone by `build.rs`; the files beside it that it includes use nothing but `core` and name each other by `super`.
//! The front end reads and asks; only the core changes anything.

// The fields of what is shared say by their names what they are, and are supervisord's own where it has them.

pub mod auto_logs;

pub mod cgroup;

pub mod config;

pub mod ctl;

/// The checked configuration in bytes.
#[allow(missing_docs)]
pub mod definition;

pub mod encode;

pub mod events;

/// The command line.
pub mod flags;

pub mod front;

pub mod image;

/// Questions to a program that is up.
#[allow(missing_docs)]
pub mod probe;

/// Requests to the core.
#[allow(missing_docs)]
pub mod protocol;

pub mod renewal;

/// Why a program could not be started.
#[allow(missing_docs)]
pub mod spawn_error;

/// From the command line to the core.
pub mod start;

/// The memory that the core shares.
#[allow(missing_docs)]
pub mod state;

/// States and events.
#[allow(missing_docs)]
pub mod table;

/// How fields stand in bytes.
#[allow(missing_docs)]
pub mod wire;

#[cfg(test)]
mod tests;
