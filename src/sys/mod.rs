//! All that needs libc: durable files, processes, clocks, host facts, interfaces, the log.
//!
//! Invariant: the only room with `unsafe`. It knows no other room.

pub mod clock;
pub mod file;
pub mod log;
pub mod net;
