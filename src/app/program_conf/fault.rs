//! What is wrong with a `supervisor.conf`.

use std::fmt;

use crate::format::ini::IniError;
use crate::format::pairs::PairsError;
use crate::format::percent::PercentError;

/// The longest piece of the file that a fault quotes, in characters.
const MAX_SHOWN: usize = 80;

/// One fault. `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfFault {
    /// It is no INI file.
    Text(IniError),
    /// A control character.
    Control,
    /// It has no `[supervisord]` section.
    NoSection,
    /// It has another section.
    OtherSection(String),
    /// supervisord would refuse the value of this option, and with it every fragment.
    Option(&'static str, Why),
    /// The fragment would not be read as it was written. Cannot happen, and is checked.
    Unfaithful,
}

/// Why supervisord would refuse a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each says what it means in `Display`, right below
pub enum Why {
    LonePercent,
    BadFormat,
    UnknownName(String),
    NoInteger(String),
    NoBoolean(String),
    NoSize(String),
    NoSignal(String),
    NoExitCodes(String),
    NoAutorestart(String),
    NoOctal(String),
    Range(i64, i64),
    Environment,
    Quote,
    NameCharacter(char),
    NoProcessNumber,
    KillAsGroup,
    NoUser(String),
    NoFolder(String),
    FolderGoes(String),
    RelativeFolder,
    Empty,
    TooMany(usize),
    Itself,
}

impl fmt::Display for ConfFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfFault::Text(e) => e.fmt(f),
            ConfFault::Control => f.write_str("a control character; the file must be plain text"),
            ConfFault::NoSection => f.write_str("no [supervisord] section: without it the file is not recognised"),
            ConfFault::OtherSection(name) => {
                write!(f, "a section [{}]: only [supervisord] may stand here, which becomes the app's own", shown(name))
            }
            ConfFault::Option(key, why) => write!(f, "{key}: {why}"),
            ConfFault::Unfaithful => f.write_str("cannot be written down again as supervisord would read it"),
        }
    }
}

impl From<PercentError> for Why {
    fn from(error: PercentError) -> Why {
        match error {
            PercentError::Unknown(name) => Why::UnknownName(name),
            PercentError::Lone | PercentError::Incomplete => Why::LonePercent,
            _ => Why::BadFormat,
        }
    }
}

impl From<PairsError> for Why {
    fn from(error: PairsError) -> Why {
        match error {
            PairsError::Unexpected => Why::Environment,
            PairsError::Quote => Why::Quote,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::LonePercent => f.write_str("a lone %: write %% for a percent sign"),
            Why::BadFormat => f.write_str("a badly formatted %(name)s"),
            Why::UnknownName(name) => write!(f, "%({})s names nothing that supervisord knows here", shown(name)),
            Why::NoInteger(value) => write!(f, "`{}` is no whole number", shown(value)),
            Why::NoBoolean(value) => write!(f, "`{}` is neither true nor false", shown(value)),
            Why::NoSize(value) => write!(f, "`{}` is no size, as 200KB, 1MB, 0", shown(value)),
            Why::NoSignal(value) => write!(f, "`{}` is no signal, as TERM, INT, USR1", shown(value)),
            Why::NoExitCodes(value) => write!(f, "`{}` is no list of exit codes, as 0,2", shown(value)),
            Why::NoAutorestart(value) => write!(f, "`{}` is none of true, false, unexpected", shown(value)),
            Why::NoOctal(value) => write!(f, "`{}` is no octal number, as 022", shown(value)),
            Why::Range(least, most) => write!(f, "not between {least} and {most}"),
            Why::Environment => {
                f.write_str("not of the form KEY=\"value\",KEY2=\"value\" (quote what is not a plain word)")
            }
            Why::Quote => f.write_str("a quote without its partner"),
            Why::NameCharacter(c) => write!(f, "`{c}` may not stand in a process name"),
            Why::NoProcessNumber => f.write_str("with numprocs over 1, %(process_num) must be in it"),
            Why::KillAsGroup => f.write_str("cannot be false where stopasgroup is true"),
            Why::NoUser(name) => write!(f, "there is no user `{}`", shown(name)),
            Why::NoFolder(path) => write!(f, "the folder {} does not exist; install.sh may make it", shown(path)),
            Why::FolderGoes(path) => {
                write!(f, "the folder {} is gone after a reboot, and then supervisord would not start", shown(path))
            }
            Why::RelativeFolder => f.write_str("give an absolute path"),
            Why::Empty => f.write_str("is empty"),
            Why::TooMany(most) => write!(f, "more than {most} names"),
            Why::Itself => f.write_str("names the app itself, which would wait for itself"),
        }
    }
}

/// A piece of the file in one line of bounded length.
fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(MAX_SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}
