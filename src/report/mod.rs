//! The reports `device_info`, `engine_report` and `usage_report`: facts in, JSON out (docs/spec/gateway-engine.md, "Reports"); and the ends of
//! logs.
//!
//! Invariants: a report is valid JSON of at most [`MAX_REPORT`] bytes whatever the facts; what does not fit is left out whole,
//! and the report says how much. No program is started for one.

pub mod boot;
pub mod device_info;
pub mod engine_report;
pub mod logs;
pub mod usage_report;

mod df;
mod flash;

/// The longest report, in bytes. A healthy gateway's three together have some 2 KiB; on a cellular link each byte is paid for.
pub const MAX_REPORT: usize = 16 * 1024;
