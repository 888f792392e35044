//! All that needs libc: durable files, processes, clocks, host facts, interfaces, the log.
//!
//! Invariant: the only room with `unsafe`. It knows no other room.

pub mod accounts;
pub mod beneath;
pub mod block;
pub mod clock;
pub mod core_link;
pub mod doze;
pub mod epoch;
pub mod file;
pub mod hand_over;
pub mod host;
pub mod kernel_log;
pub mod known_time;
pub mod limits;
pub mod lock;
pub mod log;
pub mod memory;
pub mod mounts;
pub mod net;
pub mod peer;
pub mod poll;
pub mod process;
pub mod process_memory;
pub mod program;
pub mod random;
pub mod sha256;
pub mod signal;
pub mod signal_names;
pub mod socket;
pub mod standard;
pub mod time64;
pub mod unix_socket;
#[cfg(all(without_backtraces, panic = "abort", not(target_feature = "crt-static")))]
mod unwind;
pub mod zones;

#[cfg(test)]
pub(crate) mod tests;
