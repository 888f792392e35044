//! `supervisorctl`: asks a supervisord, ours or the real one. Everything is in `hosting::ctl`.

use std::ffi::{OsStr, OsString};
use std::io;

use crate::hosting::ctl;
use crate::sys::standard;

/// Its first line and the form of its flags are supervisorctl's: scripts and its own tests look for them.
const HELP: &str = "\
supervisorctl -- control applications run by supervisord from the cmd line.

Usage: supervisorctl [options] [action [arguments]]

Options:
-c/--configuration FILENAME -- configuration file; without it the usual places are searched
-h/--help -- print this text
-i/--interactive -- start an interactive shell, which is also what comes without an action
-s/--serverurl URL -- whom to ask: unix:///path or http://host:port
-u/--username USERNAME -- as whom
-p/--password PASSWORD -- and with which password
-r/--history-file -- accepted, and not used

The action help lists the actions; help ACTION explains one.
";

/// Runs it; the exit status.
#[must_use]
pub fn run(name: &OsStr, arguments: &[OsString]) -> u8 {
    let texts: Vec<String> = arguments.iter().map(|text| text.to_string_lossy().into_owned()).collect();
    let done = ctl::run(&name.to_string_lossy(), &texts, HELP, &mut *standard::stdout(), &mut io::stderr().lock());
    // Who stops reading has seen enough.
    done.unwrap_or(1)
}
