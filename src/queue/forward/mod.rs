//! Forwarding: what is sent to the platform, by whom, and what comes of it.
//!
//! Each errand runs in a process of its own, the same program: so TLS is in memory only while something is sent, and a request
//! that hangs holds nobody up. The server ([`courier`]) gives it its [`wire::Errand`] by stdin and reads [`wire::CourierReport`]s from its
//! stdout; the process ([`errand`]) reads the store itself, and writes nothing but what it sets aside.

pub mod courier;
pub mod deliver;
pub mod errand;
pub mod plan;
pub mod process;
pub mod upstream;
pub mod wire;
