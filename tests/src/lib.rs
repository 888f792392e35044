//! What the tests share: `murano`, a local Device API server, and the harness that drives the built binaries.

pub mod harness;
pub mod murano;
