//! Where output goes: data to stdout, sentences about what went wrong to stderr.

use std::ffi::OsStr;
use std::io::{self, Write};

use crate::sys::file::FileError;
use crate::sys::{log, standard};

/// So many characters of an argument are quoted.
const MAX_QUOTED: usize = 100;

/// Prints data to stdout; returns the exit status. A reader that went away (`| head -1`) has what it wanted; a disk that is
/// full has not.
#[must_use]
pub fn print(program: &str, data: &[u8]) -> u8 {
    match standard::stdout().write_all(data) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            complain(program, &format!("cannot write to stdout: {e}"));
            1
        }
        _ => 0,
    }
}

/// Prints a sentence to stderr, behind the program's name; one line, whatever it quotes.
pub fn complain(program: &str, sentence: &str) {
    let mut line = log::one_line(&format!("{program}: {sentence}"));
    line.push('\n');
    // Nobody to tell when stderr itself is gone.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// An argument as a message quotes it: its beginning.
#[must_use]
pub fn quoted(argument: &OsStr) -> String {
    argument.to_string_lossy().chars().take(MAX_QUOTED).collect()
}

/// A file's error as a sentence, with what can be done about it.
#[must_use]
pub fn told(error: &FileError) -> String {
    match error.advice() {
        Some(advice) => format!("{error}; {advice}"),
        None => error.to_string(),
    }
}
