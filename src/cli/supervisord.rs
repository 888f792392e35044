//! `supervisord`: the daemon of our own. Its flags are supervisord's; what follows them is in `hosting::start`.

use std::ffi::{OsStr, OsString};

use super::output;
use crate::hosting::flags::parse;
use crate::hosting::protocol::FRONT_END;
use crate::hosting::{front, start};

/// The version whose behaviour this has.
const VERSION: &str = "4.3.0";

/// Its first line and the form of its flags are supervisord's: scripts and its own tests look for them.
const HELP: &str = "\
supervisord -- run a set of applications as daemons.

Usage: supervisord [options]

Options:
-c/--configuration FILENAME -- configuration file; without it the usual places are searched
-n/--nodaemon -- stay in the foreground, and show the log
-s/--silent -- show no log
-h/--help -- print this text
-v/--version -- print the version of the supervisord that this is like
-u/--user USER -- become this user
-m/--umask UMASK -- the daemon's umask, in octal (022)
-d/--directory DIRECTORY -- the daemon's working folder
-l/--logfile FILENAME -- use FILENAME as its log
-y/--logfile_maxbytes BYTES -- when that is rotated
-z/--logfile_backups NUM -- how many are kept
-e/--loglevel LEVEL -- critical, error, warn, info, debug, trace or blather
-j/--pidfile FILENAME -- where its process number is written
-i/--identifier STR -- its name in events
-q/--childlogdir DIRECTORY -- where the logs of programs are that name none
-k/--nocleanup -- leave the logs there that an earlier daemon left
-a/--minfds NUM -- so many descriptors must be possible
-t/--strip_ansi -- drop colours from the output of programs
--minprocs NUM -- so many processes must be possible
";

/// Runs it; the exit status.
#[must_use]
pub fn run(name: &OsStr, arguments: &[OsString]) -> u8 {
    // Not for people: the core starts this for each connection.
    if arguments.first().is_some_and(|first| first == FRONT_END) {
        return front::run(arguments.get(1..).unwrap_or_default());
    }
    let texts: Vec<String> = arguments.iter().map(|text| text.to_string_lossy().into_owned()).collect();
    let flags = match parse(&texts) {
        Ok(flags) if flags.has("help") => return output::print("supervisord", HELP.as_bytes()),
        Ok(flags) if flags.has("version") => return output::print("supervisord", [VERSION, "\n"].concat().as_bytes()),
        Ok(flags) => flags,
        Err(why) => return refuse(name, &why),
    };
    match start::start(name, arguments, &flags) {
        Ok(never) => match never {},
        Err(why) => refuse(name, &why),
    }
}

fn refuse(name: &OsStr, why: &str) -> u8 {
    eprintln!("Error: {why}\nFor help, use {} -h", name.to_string_lossy());
    2
}
