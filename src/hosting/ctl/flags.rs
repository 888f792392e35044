//! supervisorctl's command line, read as getopt reads it: what follows the first word is the action's.

use crate::format::python::repr;

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CtlFlags {
    pub(super) configuration: Option<String>,
    pub(super) serverurl: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) history: Option<String>,
    pub(super) interactive: bool,
    pub(super) help: bool,
    pub(super) action: Vec<String>,
}

/// Letter, long name, whether it takes a value.
const FLAGS: [(char, &str, bool); 8] = [
    ('c', "configuration", true),
    ('h', "help", false),
    ('?', "", false),
    ('i', "interactive", false),
    ('s', "serverurl", true),
    ('u', "username", true),
    ('p', "password", true),
    ('r', "history_file", true),
];

/// Reads the arguments behind the program's name.
///
/// # Errors
/// As getopt says it.
pub(super) fn parse(arguments: &[String]) -> Result<CtlFlags, String> {
    let mut flags = CtlFlags::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            break;
        }
        if let Some(long) = argument.strip_prefix("--") {
            let (name, own) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value.to_string())));
            let known = FLAGS.iter().filter(|(_, long, _)| !long.is_empty());
            let found: Vec<_> = known.filter(|(_, long, _)| *long == name || long.starts_with(name)).collect();
            let (letter, long, takes) = match found[..] {
                [] => return Err(format!("option --{name} not recognized")),
                [only] => only,
                _ => found
                    .iter()
                    .copied()
                    .find(|(_, long, _)| *long == name)
                    .ok_or_else(|| format!("option --{name} not a unique prefix"))?,
            };
            let value = match (takes, own) {
                (true, Some(own)) => own,
                (true, None) => rest.next().cloned().ok_or_else(|| format!("option --{long} requires argument"))?,
                (false, Some(_)) => return Err(format!("option --{long} must not have an argument")),
                (false, None) => String::new(),
            };
            flags.put(*letter, &["--", long].concat(), value)?;
        } else if argument.len() > 1 && argument.starts_with('-') {
            let mut letters = argument[1..].chars();
            while let Some(letter) = letters.next() {
                let found = FLAGS.iter().find(|(known, _, _)| *known == letter);
                let (_, _, takes) = found.ok_or_else(|| format!("option -{letter} not recognized"))?;
                let own = letters.as_str().to_string();
                let value = match (takes, own.is_empty()) {
                    (false, _) => String::new(),
                    (true, false) => std::mem::replace(&mut letters, "".chars()).as_str().to_string(),
                    (true, true) => {
                        rest.next().cloned().ok_or_else(|| format!("option -{letter} requires argument"))?
                    }
                };
                flags.put(letter, &format!("-{letter}"), value)?;
            }
        } else {
            flags.action.push(argument.clone());
            break;
        }
    }
    flags.action.extend(rest.cloned());
    Ok(flags)
}

impl CtlFlags {
    fn put(&mut self, letter: char, spelled: &str, value: String) -> Result<(), String> {
        let place = match letter {
            'c' => &mut self.configuration,
            's' => {
                if !is_url(&value) {
                    let shown = repr(&value);
                    return Err(format!("invalid value for {spelled} {shown}: value {shown} is not a URL"));
                }
                &mut self.serverurl
            }
            'u' => &mut self.username,
            'p' => &mut self.password,
            'r' => &mut self.history,
            'i' => {
                self.interactive = true;
                return Ok(());
            }
            _ => {
                self.help = true;
                return Ok(());
            }
        };
        match place.replace(value) {
            Some(_) => Err(format!("conflicting command line option {}", repr(spelled))),
            None => Ok(()),
        }
    }
}

/// A scheme, and something behind it.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme && !rest.is_empty() && rest != "//"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Result<CtlFlags, String> {
        parse(&text.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn flags_end_where_the_action_begins() {
        let flags = given("-c/x -u me --pass=p --server unix:///s tail -f a").unwrap();
        assert_eq!(flags.action, ["tail", "-f", "a"]);
        assert_eq!((flags.configuration.as_deref(), flags.password.as_deref()), (Some("/x"), Some("p")));
        assert_eq!(flags.serverurl.as_deref(), Some("unix:///s"));
        assert!(given("-ih").unwrap().help && given("-i -- -x").unwrap().action == ["-x"]);
        for (text, want) in [
            ("-x", "option -x not recognized"),
            ("--nope", "option --nope not recognized"),
            ("-c", "option -c requires argument"),
            ("--help=1", "option --help must not have an argument"),
            ("-s nope", "invalid value for -s 'nope': value 'nope' is not a URL"),
            ("-u a -u b", "conflicting command line option '-u'"),
            ("--h", "option --h not a unique prefix"),
        ] {
            assert_eq!(given(text), Err(want.to_string()), "{text}");
        }
    }
}
