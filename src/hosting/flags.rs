//! supervisord's command line, as its getopt reads it: short flags can stand together, long ones be cut short, and the file's values are
//! put under what stands here.

use super::config::{values, Daemon};
use crate::format::python::repr;

/// A flag: its letter, its long name, and whether it takes a value.
struct HostingFlag {
    letter: Option<char>,
    long: &'static str,
    takes: bool,
}

const fn switch(letter: char, long: &'static str) -> HostingFlag {
    HostingFlag { letter: Some(letter), long, takes: false }
}

const fn option(letter: char, long: &'static str) -> HostingFlag {
    HostingFlag { letter: Some(letter), long, takes: true }
}

const FLAGS: [HostingFlag; 21] = [
    option('c', "configuration"),
    switch('n', "nodaemon"),
    switch('s', "silent"),
    switch('h', "help"),
    switch('?', "help"),
    switch('v', "version"),
    option('u', "user"),
    option('m', "umask"),
    option('d', "directory"),
    option('l', "logfile"),
    option('y', "logfile_maxbytes"),
    option('z', "logfile_backups"),
    option('e', "loglevel"),
    option('j', "pidfile"),
    option('i', "identifier"),
    option('q', "childlogdir"),
    switch('k', "nocleanup"),
    option('a', "minfds"),
    switch('t', "strip_ansi"),
    HostingFlag { letter: None, long: "minprocs", takes: true },
    HostingFlag { letter: None, long: "profile_options", takes: true },
];

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Long names and values, in their order, and the letter where that was given.
    given: Vec<(&'static str, String, Option<char>)>,
}

/// Reads the arguments behind the program's name.
///
/// # Errors
/// As getopt says it.
pub fn parse(arguments: &[String]) -> Result<Flags, String> {
    let mut flags = Flags::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if let Some(long) = argument.strip_prefix("--").filter(|long| !long.is_empty()) {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let flag = long_flag(name)?;
            let value = match (flag.takes, value) {
                (false, Some(_)) => return Err(format!("option --{} must not have an argument", flag.long)),
                (false, None) => String::new(),
                (true, Some(value)) => value.to_string(),
                (true, None) => rest.next().ok_or_else(|| format!("option --{} requires argument", flag.long))?.clone(),
            };
            flags.given.push((flag.long, value, None));
        } else if argument.starts_with('-') && argument != "-" && argument != "--" {
            short_flags(&argument[1..], &mut rest, &mut flags)?;
        } else {
            let plain: Vec<String> =
                std::iter::once(argument).filter(|text| *text != "--").chain(rest).cloned().collect();
            if plain.is_empty() {
                break;
            }
            let shown: Vec<String> = plain.iter().map(|text| repr(text)).collect();
            return Err(format!("positional arguments are not supported: [{}]", shown.join(", ")));
        }
    }
    Ok(flags)
}

fn short_flags<'a>(
    letters: &str,
    rest: &mut impl Iterator<Item = &'a String>,
    flags: &mut Flags,
) -> Result<(), String> {
    let mut letters = letters.chars();
    while let Some(letter) = letters.next() {
        let flag = FLAGS.iter().find(|flag| flag.letter == Some(letter));
        let flag = flag.ok_or_else(|| format!("option -{letter} not recognized"))?;
        if !flag.takes {
            flags.given.push((flag.long, String::new(), Some(letter)));
            continue;
        }
        let own = letters.as_str();
        let value = if own.is_empty() { rest.next().cloned() } else { Some(own.to_string()) };
        let value = value.ok_or_else(|| format!("option -{letter} requires argument"))?;
        flags.given.push((flag.long, value, Some(letter)));
        return Ok(());
    }
    Ok(())
}

/// By its name or the beginning of only one.
fn long_flag(name: &str) -> Result<&'static HostingFlag, String> {
    // `-` and `_` have both been in use.
    let name = name.replace('-', "_");
    let mut found = FLAGS.iter().filter(|flag| flag.long.starts_with(&name) && flag.letter != Some('?'));
    match (FLAGS.iter().find(|flag| flag.long == name), found.next(), found.next()) {
        (Some(flag), _, _) | (None, Some(flag), None) => Ok(flag),
        (None, None, _) => Err(format!("option --{name} not recognized")),
        (None, Some(_), Some(_)) => Err(format!("option --{name} not a unique prefix")),
    }
}

impl Flags {
    /// Whether it is there.
    #[must_use]
    pub fn has(&self, long: &str) -> bool {
        self.given.iter().any(|(name, ..)| *name == long)
    }

    /// The last value of it.
    #[must_use]
    pub fn value(&self, long: &str) -> Option<&str> {
        self.given.iter().rev().find(|(name, ..)| *name == long).map(|(_, value, _)| value.as_str())
    }

    /// Over what the file says.
    ///
    /// # Errors
    /// A value is none.
    pub fn put_over(&self, daemon: &mut Daemon) -> Result<(), String> {
        for (name, value, letter) in &self.given {
            let flag = letter.map_or_else(|| format!("--{name}"), |letter| format!("-{letter}"));
            let wrong = |why: String| format!("invalid value for {flag} {}: {why}", repr(value));
            put_one(name, value, daemon).map_err(wrong)?;
        }
        Ok(())
    }
}

fn put_one(name: &str, value: &str, daemon: &mut Daemon) -> Result<(), String> {
    match name {
        "nodaemon" => daemon.nodaemon = true,
        "silent" => daemon.silent = true,
        "nocleanup" => daemon.nocleanup = true,
        "strip_ansi" => daemon.strip_ansi = true,
        "user" => daemon.user = Some(value.to_string()),
        "umask" => daemon.umask = values::octal(value)?,
        "directory" => daemon.directory = Some(values::directory(value)?),
        "logfile" => daemon.logfile = values::path(value)?,
        "logfile_maxbytes" => daemon.logfile_maxbytes = values::byte_size(value)?,
        "logfile_backups" => daemon.logfile_backups = values::integer(value)?,
        "loglevel" => daemon.loglevel = values::level(value)?,
        "pidfile" => daemon.pidfile = values::path(value)?,
        "identifier" => daemon.identifier = value.to_string(),
        "childlogdir" => daemon.childlogdir = values::directory(value)?,
        "minfds" => daemon.minfds = values::integer(value)?,
        "minprocs" => daemon.minprocs = values::integer(value)?,
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::parse;

    type Given = Vec<(&'static str, String)>;
    /// A command line, and the flags that stand in it.
    type Row = (&'static [&'static str], &'static [(&'static str, &'static str)]);

    fn given(arguments: &[&str]) -> Result<Given, String> {
        parse(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
            .map(|flags| flags.given.into_iter().map(|(name, value, _)| (name, value)).collect())
    }

    #[test]
    fn a_command_line_is_read_as_getopt_reads_it() {
        let good: [Row; 6] = [
            (&["-nc", "/x"], &[("nodaemon", ""), ("configuration", "/x")]),
            (&["-c/x", "-n"], &[("configuration", "/x"), ("nodaemon", "")]),
            (&["--conf=/x", "--logfile-maxbytes", "1KB"], &[("configuration", "/x"), ("logfile_maxbytes", "1KB")]),
            (&["-e", "debug", "-e", "info"], &[("loglevel", "debug"), ("loglevel", "info")]),
            (&["-?"], &[("help", "")]),
            (&["-n", "--"], &[("nodaemon", "")]),
        ];
        for (arguments, expected) in good {
            let expected: Vec<_> = expected.iter().map(|(name, value)| (*name, value.to_string())).collect();
            assert_eq!(given(arguments), Ok(expected), "{arguments:?}");
        }
        let bad: [(&[&str], &str); 6] = [
            (&["-x"], "option -x not recognized"),
            (&["--nope"], "option --nope not recognized"),
            (&["-c"], "option -c requires argument"),
            (&["--min", "5"], "option --min not a unique prefix"),
            (&["--nodaemon=1"], "option --nodaemon must not have an argument"),
            (&["start", "x"], "positional arguments are not supported: ['start', 'x']"),
        ];
        for (arguments, expected) in bad {
            assert_eq!(given(arguments), Err(expected.to_string()), "{arguments:?}");
        }
    }
}
