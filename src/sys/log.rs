//! The log: one line a message on stderr, which supervisord collects, rotates and bounds.
//!
//! Invariant: a secret never reaches this module whole; types that hold one (`config::Cik`) mask themselves in `Display`.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};

/// The levels of `gwe -d` (docs/spec/gateway-engine.md, "Command line"), least urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Every step.
    Debug,
    /// What an operator wants to see in a healthy log.
    Info,
    /// Something is off, and the agent goes on with what is safe.
    Warning,
    /// Something that was asked for failed.
    Error,
    /// The agent cannot do its work until somebody acts.
    Critical,
}

impl Level {
    /// Reads a level's name in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Level> {
        [Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical]
            .into_iter()
            .find(|level| level.name().eq_ignore_ascii_case(text.trim()))
    }

    /// The name as the command line and the configuration spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        }
    }
}

static THRESHOLD: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// A message's longest form, in bytes; the rest is cut, so that no input floods the log.
pub const MAX_MESSAGE: usize = 2000;

/// Messages below `level` are dropped from now on.
pub fn set_level(level: Level) {
    THRESHOLD.store(level as u8, Ordering::Relaxed);
}

/// Whether a message of this level would be written.
#[must_use]
pub fn enabled(level: Level) -> bool {
    level as u8 >= THRESHOLD.load(Ordering::Relaxed)
}

/// A message as one line of at most [`MAX_MESSAGE`] bytes, whatever it quotes: a hostile name cannot forge a second one, nor
/// speak to a terminal.
#[must_use]
pub fn one_line(message: &str) -> String {
    let end = (0..=MAX_MESSAGE.min(message.len())).rev().find(|i| message.is_char_boundary(*i)).unwrap_or(0);
    let cut = message.get(..end).unwrap_or_default();
    cut.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Writes one line in one `write`, so that lines of several processes do not mix. Use the macros instead. Whether the level is wanted is asked
/// here and not by each of two hundred callers.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    if !enabled(level) {
        return;
    }
    let mut line = one_line(&format!("{:<8} {message}", level.name()));
    line.push('\n');
    // Nobody to tell when stderr itself is gone.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Logs at [`Level::Debug`].
#[macro_export]
macro_rules! debug { ($($arg:tt)*) => { $crate::log_at!($crate::sys::log::Level::Debug, $($arg)*) }; }
/// Logs at [`Level::Info`].
#[macro_export]
macro_rules! info { ($($arg:tt)*) => { $crate::log_at!($crate::sys::log::Level::Info, $($arg)*) }; }
/// Logs at [`Level::Warning`].
#[macro_export]
macro_rules! warning { ($($arg:tt)*) => { $crate::log_at!($crate::sys::log::Level::Warning, $($arg)*) }; }
/// Logs at [`Level::Error`].
#[macro_export]
macro_rules! error { ($($arg:tt)*) => { $crate::log_at!($crate::sys::log::Level::Error, $($arg)*) }; }
/// Logs at the given level; the arguments are formatted only where the line will be written.
#[macro_export]
macro_rules! log_at { ($level:expr, $($arg:tt)*) => { $crate::sys::log::write($level, format_args!($($arg)*)) }; }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_of_bounded_length() {
        assert_eq!(one_line("a\nb\x1b[31m"), "a b [31m");
        assert_eq!(one_line(&"é".repeat(5000)).len(), MAX_MESSAGE);
        assert_eq!(one_line(&format!("x{}", "é".repeat(5000))).len(), MAX_MESSAGE - 1);
    }

    #[test]
    fn levels_read_in_any_case_and_order_by_urgency() {
        assert_eq!(Level::parse("debug"), Some(Level::Debug));
        assert_eq!(Level::parse(" CRITICAL "), Some(Level::Critical));
        assert_eq!(Level::parse("loud"), None);
        assert!(Level::Debug < Level::Info && Level::Error < Level::Critical);
    }
}
