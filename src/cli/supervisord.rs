//! `supervisord`: the daemon of our own. Its flags are supervisord's; what follows them is in `hosting::start`.

use std::ffi::{OsStr, OsString};

use crate::hosting::flags::parse;
use crate::hosting::protocol::FRONT_END;
use crate::hosting::{front, start};

/// The version whose behaviour this has.
const VERSION: &str = "4.3.0";

const HELP: &str = "\
supervisord: hosts programs, with supervisord's configuration, states and calls

Usage: supervisord [options]

  -c, --configuration FILE   the configuration; without it the usual places are searched
  -n, --nodaemon             stay in the foreground, and show the log
  -s, --silent               show no log
  -u, --user USER            become this user
  -m, --umask UMASK          the daemon's umask, in octal (022)
  -d, --directory FOLDER     the daemon's working folder
  -l, --logfile FILE         its log
  -y, --logfile_maxbytes N   when that is rotated
  -z, --logfile_backups N    how many are kept
  -e, --loglevel LEVEL       critical, error, warn, info, debug, trace or blather
  -j, --pidfile FILE         where its process number is written
  -i, --identifier NAME      its name in events
  -q, --childlogdir FOLDER   where the logs of programs are that name none
  -k, --nocleanup            leave the logs there that an earlier daemon left
  -a, --minfds N             so many descriptors must be possible
      --minprocs N           and so many processes
  -t, --strip_ansi           drop colours from the output of programs
  -v, --version              the supervisord that this is like
  -h, --help                 this text
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
        Ok(flags) if flags.has("help") => return say(HELP),
        Ok(flags) if flags.has("version") => return say(&format!("{VERSION}\n")),
        Ok(flags) => flags,
        Err(why) => return refuse(name, &why),
    };
    match start::start(name, arguments, &flags) {
        Ok(never) => match never {},
        Err(why) => refuse(name, &why),
    }
}

fn say(text: &str) -> u8 {
    print!("{text}");
    0
}

fn refuse(name: &OsStr, why: &str) -> u8 {
    eprintln!("Error: {why}\nFor help, use {} -h", name.to_string_lossy());
    2
}
