//! What can go wrong between the agent and supervisord, in sentences that may leave the gateway.
//!
//! Invariant: the text of fault 92 (CANT_REREAD) is never kept: it quotes the configuration and lists the names of
//! environment variables (docs/spec/supervisord.md, trap 6). What is kept of it are a file, a section and one of our own sentences.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::format::xmlrpc::RpcError;

/// supervisord's fault numbers (docs/spec/supervisord.md), as far as anything depends on them.
pub mod code {
    /// The method is not there: supervisord.conf lacks its `[rpcinterface:supervisor]`.
    pub const UNKNOWN_METHOD: i64 = 1;
    /// supervisord is shutting down or restarting.
    pub const SHUTDOWN_STATE: i64 = 6;
    /// No such process or group.
    pub const BAD_NAME: i64 = 10;
    /// A signal could not be sent, and the like.
    pub const FAILED: i64 = 30;
    /// Stopped already, or still stopping.
    pub const NOT_RUNNING: i64 = 70;
    /// A success, for one who wants it added.
    pub const ALREADY_ADDED: i64 = 90;
    /// A group cannot be removed before all of it has stopped.
    pub const STILL_RUNNING: i64 = 91;
    /// The configuration cannot be read.
    pub const CANT_REREAD: i64 = 92;
}

/// So much of a fault's text is kept, in bytes.
const MAX_TEXT: usize = 200;
/// A longer file or section name is not repeated, in bytes.
const MAX_NAME: usize = 256;

/// Why something asked of supervisord did not come about.
#[derive(Debug)]
pub enum SupervisorError {
    /// Nobody answers at the socket, or whoever does is going away.
    Down {
        /// supervisord's socket.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The call was sent, and no whole answer came back in time. It may have been obeyed.
    Broken {
        /// What was called.
        method: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// An HTTP status other than 200.
    Http {
        /// What was called.
        method: &'static str,
        /// 401 where the socket asks for a password; 500 where supervisord stumbled over a call.
        status: u16,
    },
    /// The answer cannot be understood.
    Answer {
        /// What was called.
        method: &'static str,
        /// Why not.
        source: RpcError,
    },
    /// supervisord said no. Never [`code::CANT_REREAD`].
    Fault {
        /// What was called.
        method: &'static str,
        /// See [`code`].
        code: i64,
        /// supervisord's text, one bounded line.
        text: String,
    },
    /// A file of supervisord's configuration is broken, so that it reads none of them (trap 1): take the new fragment back out.
    Unreadable(Unreadable),
    /// supervisord reads its configuration, and the app is not in it.
    NotIncluded {
        /// Its name.
        app: String,
    },
    /// The app has not ended, not even by SIGKILL.
    StillRunning {
        /// Its name.
        app: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The app does not stay up.
    Failing {
        /// The process, `group:name` where a group has several.
        process: String,
        /// What it does instead, as the end of a sentence.
        why: String,
    },
}

/// What fault 92 says, without what it must not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreadable {
    /// The file that is broken, where supervisord names one.
    pub file: Option<PathBuf>,
    /// Its section, `program:my_app`, where supervisord names one.
    pub section: Option<String>,
    /// The programs that would wait for each other, `a after b after a`.
    circle: Option<String>,
    reason: &'static str,
}

impl SupervisorError {
    /// The error for a fault. The text of fault 92 is dropped here.
    #[must_use]
    pub fn fault(method: &'static str, code: i64, text: &str) -> SupervisorError {
        if code == code::CANT_REREAD {
            return SupervisorError::Unreadable(Unreadable::from_fault(text));
        }
        SupervisorError::Fault { method, code, text: one_line(text) }
    }

    /// Whether supervisord itself is away (down, not up yet, going down): the one failure that waiting may heal.
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(self, SupervisorError::Down { .. } | SupervisorError::Fault { code: code::SHUTDOWN_STATE, .. })
    }

    /// Whether supervisord cannot read its configuration, so that a new fragment must come back out.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self, SupervisorError::Unreadable(_))
    }
}

impl fmt::Display for SupervisorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SupervisorError::Down { socket, source } => write!(
                f,
                "supervisord does not answer at {}: {source}; start it, or set [supervisor] socket to the file of its [unix_http_server]",
                socket.display()
            ),
            SupervisorError::Broken { method, source } => write!(f, "supervisord did not answer {method}: {source}"),
            SupervisorError::Http { method, status: 401 } => write!(
                f,
                "supervisord wants a password for {method}: remove username and password from its [unix_http_server]; the mode of the socket protects it"
            ),
            SupervisorError::Http { method, status } => write!(f, "supervisord answered {method} with HTTP status {status}"),
            SupervisorError::Answer { method, source } => write!(f, "supervisord's answer to {method} cannot be read: {source}"),
            SupervisorError::Fault { method, code: code::UNKNOWN_METHOD, .. } => {
                write!(f, "supervisord does not know {method}: its configuration needs a section [rpcinterface:supervisor]")
            }
            SupervisorError::Fault { method, code, text } => write!(f, "supervisord refused {method}: {text} (fault {code})"),
            SupervisorError::Unreadable(unreadable) => unreadable.fmt(f),
            SupervisorError::NotIncluded { app } => write!(
                f,
                "supervisord's configuration has no {app}: its [include] files must cover the folder in [supervisor] fragments"
            ),
            SupervisorError::StillRunning { app, waited } => {
                write!(f, "{app} still runs {} s after it was told to stop, also after SIGKILL", waited.as_secs())
            }
            SupervisorError::Failing { process, why } => write!(f, "{process} {why}"),
        }
    }
}

impl std::error::Error for SupervisorError {}

/// What supervisord 4 says, and what we say for it; the first that fits counts.
const REASONS: [(&str, &str); 16] = [
    ("cannot be expanded", "uses a %(name)s that supervisord does not know"),
    ("is badly formatted", "has a % that is no %(name)s; a plain one is written %%"),
    ("does not specify a command", "has no command"),
    ("does not exist", "names a log file in a folder that does not exist"),
    ("no section headers", "has text before its first [section]"),
    ("parsing errors", "has a line that is neither a [section] nor key = value"),
    ("codec can't decode", "is not UTF-8 text"),
    ("key/value pairs", "has an environment that is not KEY=\"value\",KEY2=\"value2\""),
    ("process_num", "has numprocs over 1 and no %(process_num)s in its process_name"),
    ("Invalid user", "names a user that does not exist"),
    ("not a valid boolean", "has an option that is neither true nor false"),
    ("invalid literal for int", "has an option that is no number"),
    ("valid signal", "names a signal that does not exist"),
    ("exit codes", "has exitcodes that are no numbers from 0 to 255"),
    ("autorestart", "has an autorestart that is none of true, false and unexpected"),
    ("killasgroup", "has stopasgroup without killasgroup"),
];
/// How our own supervisord begins where programs wait for each other.
const CIRCLE: &str = "programs start after each other in a circle: ";
const OTHER_REASON: &str = "has an option that supervisord refuses";

impl Unreadable {
    /// Keeps of a fault 92 what may be told.
    fn from_fault(text: &str) -> Unreadable {
        // A parse error begins with the file, and then quotes a line. Elsewhere the place stands at the end, and what comes
        // before it quotes values: both quotes may look like a place themselves.
        let text = text.trim_start_matches("CANT_REREAD: ");
        let is_parse_error =
            text.starts_with("File contains no section") || text.starts_with("Source contains parsing");
        let place = if is_parse_error { None } else { text.rsplit_once(" in section '") };
        let (said, section, file) = match place {
            Some((said, place)) => (said, place.split('\'').next(), quoted_after(place, "(file: '")),
            None => (text, None, quoted_after(text, "file: '").or_else(|| quoted_after(text, "errors: '"))),
        };
        let reason = REASONS.iter().find(|(theirs, _)| said.contains(theirs)).map_or(OTHER_REASON, |(_, ours)| ours);
        let circle = text.strip_prefix(CIRCLE).and_then(|circle| circle.split(" in section '").next());
        Unreadable {
            circle: circle.filter(|names| is_plain(names, " :._-")).map(str::to_string),
            file: file.filter(|name| is_plain(name, "/._-+@~ ")).map(PathBuf::from),
            section: section.filter(|name| is_plain(name, ":._-")).map(str::to_string),
            reason,
        }
    }

    /// supervisord stumbled (HTTP 500) instead of saying what is wrong.
    pub(super) fn unnamed() -> Unreadable {
        Unreadable { reason: OTHER_REASON, ..Unreadable::default() }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(circle) = &self.circle {
            // Nothing is left of it to be read once the fragment is taken back out.
            return write!(f, "by `after`, {CIRCLE}{circle}");
        }
        f.write_str("supervisord cannot read its configuration: ")?;
        match (&self.section, &self.file) {
            (Some(section), Some(file)) => write!(f, "[{section}] in {}", file.display())?,
            (Some(section), None) => write!(f, "[{section}]")?,
            (None, Some(file)) => write!(f, "{}", file.display())?,
            (None, None) => f.write_str("one of its files")?,
        }
        write!(f, " {}; `supervisorctl reread` on the gateway says more", self.reason)
    }
}

fn quoted_after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark)?.1.split('\'').next()
}

/// Whether a name is short and made of letters, digits and `others` only.
fn is_plain(name: &str, others: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// The first [`MAX_TEXT`] bytes of a text as one line.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.trim().chars() {
        if line.len() + c.len_utf8() > MAX_TEXT {
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

#[cfg(test)]
mod tests;
