//! HTTP/1.1 for apps on this machine: requests in, answers out, as sloppy clients speak it (docs/spec/gmq.md, docs/spec/device-api.md).
//!
//! Invariants: no bytes make it panic; whatever is read has a bound; nothing here knows what a request means but [`route`].

pub mod answer;
pub mod connection;
mod form_body;
pub mod head;
pub mod route;
