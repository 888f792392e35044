//! Where output goes: data to stdout, sentences about what went wrong to stderr.

use std::io::{self, Write};

use crate::sys::file::FileError;

/// Prints data to stdout; returns the exit status. A reader that went away (`| head -1`) has what it wanted; a disk that is
/// full has not.
#[must_use]
pub fn print(program: &str, data: &[u8]) -> u8 {
    let mut out = io::stdout();
    match out.write_all(data).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            complain(program, &format!("cannot write to stdout: {e}"));
            1
        }
        _ => 0,
    }
}

/// Prints a sentence to stderr, behind the program's name.
pub fn complain(program: &str, sentence: &str) {
    // Nobody to tell when stderr itself is gone.
    let _ = io::stderr().write_all(format!("{program}: {sentence}\n").as_bytes());
}

/// A file's error as a sentence, with what can be done about it.
#[must_use]
pub fn told(error: &FileError) -> String {
    match error.advice() {
        Some(advice) => format!("{error}; {advice}"),
        None => error.to_string(),
    }
}
