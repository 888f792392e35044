//! Flags by table: one definition makes the parser and the help text.

use std::ffi::OsString;

use pico_args::Arguments;

/// One flag.
pub struct Flag {
    /// `-h`, or empty.
    pub short: &'static str,
    /// `--help`; more than one where the original had two spellings.
    pub long: &'static [&'static str],
    /// The value's name in the help text; empty for a flag without one.
    pub value: &'static str,
    /// One line.
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

/// The command line, taken apart flag by flag.
pub struct Parser(Arguments);

impl Parser {
    /// Arguments without the program's name.
    #[must_use]
    pub fn new(arguments: Vec<OsString>) -> Parser {
        Parser(Arguments::from_vec(arguments))
    }

    /// Whether a flag without a value is there.
    pub fn has(&mut self, flag: &Flag) -> bool {
        spellings(flag).any(|spelling| self.0.contains(spelling))
    }

    /// The value of a flag.
    ///
    /// # Errors
    /// A sentence: the flag is there without its value, or the value is no UTF-8.
    pub fn value(&mut self, flag: &Flag) -> Result<Option<String>, String> {
        for spelling in spellings(flag) {
            let value =
                self.0.opt_value_from_fn(spelling, |value| Ok::<_, std::convert::Infallible>(value.to_string()));
            match value {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(_) => return Err(format!("{spelling} wants {}", flag.value)),
            }
        }
        Ok(None)
    }

    /// What is left, whatever it looks like: for operands that may begin with a dash.
    #[must_use]
    pub fn rest(self) -> Vec<OsString> {
        self.0.finish()
    }

    /// What is left: the operands.
    ///
    /// # Errors
    /// A sentence that names the first flag nobody asked for.
    pub fn operands(self) -> Result<Vec<OsString>, String> {
        let rest = self.0.finish();
        match rest.iter().find(|argument| argument.to_str().is_some_and(|text| text.starts_with('-') && text.len() > 1))
        {
            Some(unknown) => Err(format!("unknown flag {}", unknown.to_string_lossy())),
            None => Ok(rest),
        }
    }
}

fn spellings(flag: &Flag) -> impl Iterator<Item = &'static str> + '_ {
    std::iter::once(flag.short).chain(flag.long.iter().copied()).filter(|spelling| !spelling.is_empty())
}

/// The flags' part of a help text.
#[must_use]
pub fn help<'a>(flags: impl IntoIterator<Item = &'a Flag>) -> String {
    const COLUMN: usize = 40;
    let mut out = String::new();
    for flag in flags {
        let mut left = if flag.short.is_empty() { "     ".to_string() } else { format!(" {}, ", flag.short) };
        left.push_str(&flag.long.join(", "));
        if !flag.value.is_empty() {
            left.push(' ');
            left.push_str(flag.value);
        }
        out.push_str(&left);
        if left.len() >= COLUMN {
            out.push('\n');
            left.clear();
        }
        out.extend(std::iter::repeat(' ').take(COLUMN - left.len()));
        out.push_str(flag.help);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser(text: &[&str]) -> Parser {
        Parser::new(text.iter().map(OsString::from).collect())
    }

    const NAME: Flag = option("-n", &["--app-name"], "NAME", "the name");
    const LOUD: Flag = switch("-l", &["--loud"], "say more");

    #[test]
    fn flags_come_in_any_order_and_values_may_be_empty() {
        let mut p = parser(&["file", "--app-name", "", "-l"]);
        assert_eq!(p.value(&NAME), Ok(Some(String::new())));
        assert!(p.has(&LOUD));
        assert_eq!(p.operands().unwrap(), [OsString::from("file")]);
        assert_eq!(parser(&["--app-name=x"]).value(&NAME), Ok(Some("x".into())));
    }

    #[test]
    fn wrong_usage_is_a_sentence() {
        assert_eq!(parser(&["-n"]).value(&NAME), Err("-n wants NAME".into()));
        assert_eq!(parser(&["a", "--what"]).operands(), Err("unknown flag --what".into()));
        assert!(help([&NAME, &LOUD]).contains(" -n, --app-name NAME "));
    }
}
