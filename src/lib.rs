//! Gateway Engine for embedded images: an agent that installs and updates applications over the air, hosts them under
//! supervisord, reports the gateway's health and queues data through outages.
//!
//! The rooms, from the top; a room uses only those below it. `ARCHITECTURE.md` is the map.

pub mod cli;

pub mod engine;

pub mod report;

pub mod install;

pub mod queue;

pub mod app;

pub mod hosting;

pub mod device;

#[cfg(feature = "ddi")]
pub mod ddi;

pub mod orders;

pub mod http;

pub mod supervisor;

pub mod config;

pub mod format;

#[allow(unsafe_code)]
pub mod sys;
