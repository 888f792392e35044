//! Arguments in, text out; no logic. Data goes to stdout, the log to stderr.

pub mod delta;
pub mod developer;
pub mod flags;
pub mod gdc;
pub mod gmq;
pub mod gwe;
pub mod hint;
pub mod operator;
pub mod output;
pub mod status;
pub mod supervisorctl;
pub mod supervisord;
pub mod support_bundle;
