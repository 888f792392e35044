//! Flags by table: one definition makes the parser, the help text, the man page and the shell completion (the last two are
//! made by `tests/it/manuals.rs`, so that they cost the gateway nothing).

use std::ffi::{OsStr, OsString};

use pico_args::Arguments;

use super::hint;
use super::output::quoted;

/// One flag.
pub struct Flag {
    /// `-h`, or empty.
    pub short: &'static str,
    /// `--help`; more than one where the original had two spellings.
    pub long: &'static [&'static str],
    /// The value's name in the help text; empty for a flag without one.
    pub value: &'static str,
    /// A sentence without its full stop.
    pub help: &'static str,
}

/// A flag without a value.
#[must_use]
pub const fn switch(short: &'static str, long: &'static [&'static str], help: &'static str) -> Flag {
    Flag { short, long, value: "", help }
}

/// A flag with a value.
#[must_use]
pub const fn option(
    short: &'static str,
    long: &'static [&'static str],
    value: &'static str,
    help: &'static str,
) -> Flag {
    Flag { short, long, value, help }
}

impl Flag {
    /// All its spellings, the short one first.
    pub fn spellings(&self) -> impl Iterator<Item = &'static str> + '_ {
        std::iter::once(self.short).chain(self.long.iter().copied()).filter(|spelling| !spelling.is_empty())
    }
}

/// The command line, taken apart flag by flag.
pub struct FlagParser {
    flags: Arguments,
    plain: Vec<OsString>,
}

impl FlagParser {
    /// Arguments without the program's name. `--flag=value` is the same as `--flag value`; behind `--` nothing is a flag.
    #[must_use]
    pub fn new(mut arguments: Vec<OsString>) -> FlagParser {
        let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
        let mut plain = arguments.split_off(end);
        plain.drain(..plain.len().min(1));
        let mut apart = Vec::with_capacity(arguments.len());
        for argument in arguments {
            match argument.to_str().filter(|text| text.starts_with("--")).and_then(|text| text.split_once('=')) {
                Some((flag, value)) => apart.extend([OsString::from(flag), OsString::from(value)]),
                None => apart.push(argument),
            }
        }
        FlagParser { flags: Arguments::from_vec(apart), plain }
    }

    /// Whether a flag without a value is there.
    pub fn has(&mut self, flag: &Flag) -> bool {
        let mut found = false;
        for spelling in flag.spellings() {
            while self.flags.contains(spelling) {
                found = true;
            }
        }
        found
    }

    /// The value of a flag, as text.
    ///
    /// # Errors
    /// As for [`FlagParser::os_value`], and where it is no UTF-8.
    pub fn value(&mut self, flag: &Flag) -> Result<Option<String>, String> {
        let wrong = |_| format!("{} wants {} in UTF-8", spelled(flag), flag.value);
        self.os_value(flag)?.map(OsString::into_string).transpose().map_err(wrong)
    }

    /// The value of a flag, whatever its bytes.
    ///
    /// # Errors
    /// A sentence: the flag is there without its value, or twice.
    pub fn os_value(&mut self, flag: &Flag) -> Result<Option<OsString>, String> {
        let mut found = None;
        for spelling in flag.spellings() {
            loop {
                let value = self.flags.opt_value_from_os_str(spelling, |value: &OsStr| {
                    Ok::<OsString, std::convert::Infallible>(value.to_os_string())
                });
                match value {
                    Ok(None) => break,
                    Ok(Some(value)) if looks_like_a_flag(&value) => {
                        return Err(format!("{spelling} wants {} before {}", flag.value, quoted(&value)));
                    }
                    Ok(Some(_)) if found.is_some() => return Err(format!("{} is given twice", spelled(flag))),
                    Ok(value) => found = value,
                    Err(_) => return Err(format!("{spelling} wants {}", flag.value)),
                }
            }
        }
        Ok(found)
    }

    /// What is left: whatever stands before `--`, and what stands behind it, which is never a flag.
    #[must_use]
    pub fn rest(self) -> (Vec<OsString>, Vec<OsString>) {
        (self.flags.finish(), self.plain)
    }

    /// What is left: the operands.
    ///
    /// # Errors
    /// A sentence that names the first flag that is none of `known`, and the one that was meant.
    pub fn operands<'a>(self, known: impl IntoIterator<Item = &'a Flag>) -> Result<Vec<OsString>, String> {
        let (mut rest, plain) = self.rest();
        match rest.iter().find(|argument| looks_like_a_flag(argument)) {
            Some(unknown) => Err(self::unknown(&quoted(unknown), known)),
            None => {
                rest.extend(plain);
                Ok(rest)
            }
        }
    }
}

/// A negative number and `-` for stdin are none.
fn looks_like_a_flag(argument: &OsStr) -> bool {
    let bytes = argument.as_encoded_bytes();
    bytes.first() == Some(&b'-') && bytes.get(1).is_some_and(|second| !second.is_ascii_digit())
}

/// A flag as a message names it.
fn spelled(flag: &Flag) -> &'static str {
    flag.long.first().copied().unwrap_or(flag.short)
}

/// The sentence about a flag that nobody knows.
#[must_use]
pub fn unknown<'a>(argument: &str, known: impl IntoIterator<Item = &'a Flag>) -> String {
    match hint::nearest(argument, known.into_iter().flat_map(Flag::spellings)) {
        Some(meant) => format!("unknown flag {argument}; did you mean {meant}?"),
        None => format!("unknown flag {argument}"),
    }
}

/// A help text's widest line, in characters: that of the narrowest terminal still met.
const WIDTH: usize = 80;
/// Where a line's explanation begins.
const COLUMN: usize = 30;

/// What `--help` prints; the man page's lists are made of the same.
pub struct Page {
    /// `gwe`
    pub name: &'static str,
    /// What the program is, without its name.
    pub about: &'static str,
    /// What can stand behind the name, and what that does.
    pub usage: Vec<(String, &'static str)>,
    /// Flags under their headings.
    pub flags: Vec<(&'static str, Vec<&'static Flag>)>,
    /// The meaning of each exit status.
    pub exit: &'static str,
}

impl Page {
    /// The help text.
    #[must_use]
    pub fn help(&self) -> String {
        let mut out = String::new();
        let mut at = 0;
        fill(&mut out, &mut at, 0, &[self.name, " - ", self.about].concat());
        out.push_str("\n\nUsage:\n");
        for (words, text) in &self.usage {
            row(&mut out, [self.name, " ", words].concat().trim_end(), text);
        }
        for (title, flags) in &self.flags {
            out.push('\n');
            out.push_str(title);
            out.push_str(":\n");
            help(&mut out, flags);
        }
        out.push_str("\nExit status: ");
        out.push_str(self.exit);
        out.push_str(".\n");
        out
    }
}

/// The flags' part of a help text.
fn help(out: &mut String, flags: &[&Flag]) {
    for flag in flags {
        let mut left = flag.short.to_string();
        for long in flag.long {
            left.push_str(if left.is_empty() { "    " } else { ", " });
            left.push_str(long);
        }
        if !flag.value.is_empty() {
            left.push(' ');
            left.push_str(flag.value);
        }
        row(out, &left, flag.help);
    }
}

/// One row of a help text: what is typed, and what it does.
fn row(out: &mut String, left: &str, text: &str) {
    out.push_str("  ");
    out.push_str(left);
    let mut at = left.chars().count() + 2;
    if at + 2 > COLUMN {
        out.push('\n');
        at = 0;
    }
    fill(out, &mut at, COLUMN, text);
    out.push('\n');
}

/// Words in lines of at most 80 characters that begin at `column`; `at` is where the line stands.
fn fill(out: &mut String, at: &mut usize, column: usize, text: &str) {
    for (index, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && *at + 1 + length > WIDTH {
            out.push('\n');
            *at = 0;
        } else if index > 0 {
            out.push(' ');
            *at += 1;
        }
        while *at < column {
            out.push(' ');
            *at += 1;
        }
        out.push_str(word);
        *at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser(text: &[&str]) -> FlagParser {
        FlagParser::new(text.iter().map(OsString::from).collect())
    }

    const NAME: Flag = option("-n", &["--app-name"], "NAME", "the name");
    const LOUD: Flag = switch("-l", &["--loud"], "say more");

    #[test]
    fn flags_come_in_any_order_and_values_may_be_empty() {
        let mut p = parser(&["file", "--app-name", "", "-l", "--loud", "--", "--app-name"]);
        assert_eq!(p.value(&NAME), Ok(Some(String::new())));
        assert!(p.has(&LOUD));
        assert_eq!(p.operands([&NAME]).unwrap(), [OsString::from("file"), OsString::from("--app-name")]);
        for (given, value) in
            [("--app-name=x", "x"), ("--app-name=", ""), ("--app-name=a=b", "a=b"), ("--app-name=''", "''")]
        {
            assert_eq!(parser(&[given]).value(&NAME), Ok(Some(value.into())), "{given}");
        }
        assert_eq!(parser(&["-n", "-5"]).value(&NAME), Ok(Some("-5".into())));
        assert_eq!(parser(&["-n", "-"]).value(&NAME), Ok(Some("-".into())));
    }

    #[test]
    fn wrong_usage_is_a_sentence() {
        assert_eq!(parser(&["-n"]).value(&NAME), Err("-n wants NAME".into()));
        assert_eq!(parser(&["-n", "--loud"]).value(&NAME), Err("-n wants NAME before --loud".into()));
        assert_eq!(parser(&["-n", "a", "--app-name=b"]).value(&NAME), Err("--app-name is given twice".into()));
        assert_eq!(parser(&["a", "--what"]).operands([&NAME]), Err("unknown flag --what".into()));
        let meant = "unknown flag --appname; did you mean --app-name?".to_string();
        assert_eq!(parser(&["--appname", "x"]).operands([&NAME, &LOUD]), Err(meant));
    }

    #[test]
    fn a_value_that_is_no_text_is_a_path_or_a_sentence() {
        use std::os::unix::ffi::OsStringExt;
        let bytes = OsString::from_vec(vec![b'x', 0xff]);
        let arguments = vec![OsString::from("-n"), bytes.clone()];
        assert_eq!(FlagParser::new(arguments.clone()).os_value(&NAME), Ok(Some(bytes)));
        assert_eq!(FlagParser::new(arguments).value(&NAME), Err("--app-name wants NAME in UTF-8".into()));
    }

    #[test]
    fn help_is_laid_out_for_eighty_columns() {
        let long =
            option("-x", &["--a-very-long-flag-indeed"], "SOMETHING", "what it does, at length: words words words");
        let mut text = String::new();
        help(&mut text, &[&NAME, &LOUD, &long]);
        let expected = "  -n, --app-name NAME         the name\n  -l, --loud                  say more\n  -x, --a-very-long-flag-indeed SOMETHING\n                              what it does, at length: words words words\n";
        assert_eq!(text, expected);
        let mut out = String::new();
        row(&mut out, "left", &"word ".repeat(40));
        assert!(out.lines().all(|line| line.len() <= WIDTH) && out.lines().count() == 4, "{out}");
    }
}
