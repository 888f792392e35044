//! Text in, values out: pure functions that never panic on any bytes.
//!
//! Invariant: no I/O, no clock; knows no other room.

pub mod base64;
pub mod form;
pub mod hex;
pub mod http;
pub mod ini;
pub mod json;
pub mod json_fault;
pub mod old_hash;
pub mod own_options;
pub mod pairs;
pub mod percent;
pub mod python;
pub mod scrub;
pub mod sha1;
pub mod shell_words;
pub mod sort;
pub mod utc;
pub mod xml;
pub mod xmlrpc;
