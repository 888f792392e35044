//! `murano`: a local server of the whole Exosite Device API, for tests, demo and development.
//!
//! It is not hardened, and listens on nothing but loopback unless it is told to, with TLS and a token.

pub mod api;
pub mod cli;
pub mod client;
pub mod content;
pub mod endpoint;
pub mod fault;
pub mod http;
pub mod journal;
pub mod page;
pub mod store;

mod connection;
mod platform;
mod server;
pub(crate) mod tls;

pub use platform::{Options, Platform};
pub use server::Server;
