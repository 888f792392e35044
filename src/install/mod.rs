//! The install transaction: journal, apply, roll back; and the registry of installed versions.
//!
//! The same code serves `engine_fetch`, the image's factory apps and `gwe --install-apps`.

pub mod agent;
pub mod drive;
pub mod journal;
pub mod registry;
pub mod request;
pub mod state;
pub mod status;
