//! The engine: a timer whose every check-in is a child process (design decision 1).
pub mod schedule;
