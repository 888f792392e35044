//! Values as supervisord 4.3.0 reads them, with its messages. Case is that of ASCII: all words that mean something are.

use std::path::Path;

use super::users;
use crate::format::own_options::Bounds;
use crate::format::python::{int, repr};
use crate::hosting::table::Restart;
use crate::sys::signal_names::SIGNALS;

type ValueRead<T> = Result<T, String>;

/// The real-time signals that have a name of their own.
const REAL_TIME: [(&str, i32); 2] = [("RTMIN", 34), ("RTMAX", 64)];

pub(crate) fn integer(text: &str) -> ValueRead<i64> {
    int(text, 10).ok_or_else(|| format!("invalid literal for int() with base 10: {}", repr(text)))
}

pub(super) fn boolean(text: &str) -> ValueRead<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(format!("not a valid boolean value: {}", repr(text))),
    }
}

pub(super) fn autorestart(text: &str) -> ValueRead<Restart> {
    let lower = text.to_ascii_lowercase();
    match boolean(&lower) {
        Ok(true) => Ok(Restart::Always),
        Ok(false) => Ok(Restart::Never),
        Err(_) if lower == "unexpected" => Ok(Restart::Unexpected),
        Err(_) => Err(format!("invalid 'autorestart' value {}", repr(&lower))),
    }
}

pub(crate) fn byte_size(text: &str) -> ValueRead<i64> {
    let lower = text.to_ascii_lowercase();
    for (suffix, factor) in [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1_i64 << 30)] {
        if let Some(number) = lower.strip_suffix(suffix) {
            return Ok(integer(number)?.saturating_mul(factor));
        }
    }
    integer(&lower)
}

/// The number of a signal by its name or number.
///
/// # Errors
/// What supervisord says of another text.
pub(crate) fn signal(text: &str) -> ValueRead<i32> {
    let known = || SIGNALS.iter().chain(&REAL_TIME);
    match int(text, 10) {
        Some(number) => {
            // Nought asks whether the process is there.
            let found = known().map(|(_, number)| *number).chain([0]).find(|known| i64::from(*known) == number);
            found.ok_or_else(|| format!("value {} is not a valid signal number", repr(text)))
        }
        None => {
            let upper = text.trim().to_ascii_uppercase();
            let name = upper.strip_prefix("SIG").unwrap_or(&upper);
            let found = known().find(|(known, _)| *known == name).map(|(_, number)| *number);
            found.ok_or_else(|| format!("value {} is not a valid signal name", repr(text)))
        }
    }
}

pub(super) fn exit_codes(text: &str) -> ValueRead<Vec<u8>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let codes: Option<Vec<u8>> = text.split(',').map(|code| u8::try_from(int(code, 10)?).ok()).collect();
    codes.ok_or_else(|| format!("not a valid list of exit codes: {}", repr(text)))
}

pub(crate) fn octal(text: &str) -> ValueRead<i64> {
    int(text, 8).ok_or_else(|| format!("{text} can not be converted to an octal type"))
}

pub(crate) fn level(text: &str) -> ValueRead<u32> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "critical" => 50,
        "error" => 40,
        "warn" => 30,
        "info" => 20,
        "debug" => 10,
        "trace" => 5,
        "blather" => 3,
        _ => return Err(format!("bad logging level name {}", repr(text))),
    })
}

/// A name of a process or group.
pub(super) fn name(text: &str) -> ValueRead<String> {
    let trimmed = text.trim();
    match [' ', ':', '/'].into_iter().find(|c| trimmed.contains(*c)) {
        Some(c) => {
            Err(format!("Invalid name: {} because of character: {}", repr(text), repr(c.encode_utf8(&mut [0; 4]))))
        }
        None => Ok(trimmed.to_string()),
    }
}

/// A path whose folder exists, where it names one.
pub(crate) fn path(text: &str) -> ValueRead<String> {
    let path = users::with_home(text);
    let folder = match path.rfind('/') {
        None => return Ok(path),
        Some(0) => "/",
        Some(at) => &path[..at],
    };
    if Path::new(folder).is_dir() {
        Ok(path)
    } else {
        Err(format!("The directory named as part of the path {text} does not exist"))
    }
}

pub(crate) fn directory(text: &str) -> ValueRead<String> {
    let path = users::with_home(text);
    if Path::new(&path).is_dir() {
        Ok(path)
    } else {
        Err(format!("{text} is not an existing directory"))
    }
}

/// Where the output of a program goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFile {
    /// Nowhere.
    None,
    /// To a file that supervisord names.
    Auto,
    /// To syslog: the old way to say so.
    Syslog,
    /// To this file.
    File(String),
}

pub(super) fn log_file(text: &str) -> ValueRead<LogFile> {
    match text.to_ascii_lowercase().as_str() {
        "none" | "off" => Ok(LogFile::None),
        "auto" => Ok(LogFile::Auto),
        "syslog" => Ok(LogFile::Syslog),
        _ => path(text).map(LogFile::File),
    }
}

/// A port and the host before it; none: every address, or as the caller thinks best.
pub(super) fn address(text: &str) -> ValueRead<(String, u16)> {
    match text.rsplit_once(':') {
        Some((_, "")) => Err("no port number specified in ''".to_string()),
        Some((host, number)) => {
            let host = host.to_ascii_lowercase();
            Ok((host, port(number)?))
        }
        None => match port(text) {
            Ok(number) => Ok((String::new(), number)),
            Err(_) => Err(format!("not a valid port number: {} ", repr(text))),
        },
    }
}

/// A number of an option of our own.
pub(super) fn within(bounds: Bounds, number: i64) -> ValueRead<i64> {
    let Bounds { key, least, most, .. } = bounds;
    match number {
        number if bounds.hold(number) => Ok(number),
        number if number < least => Err(format!("{key} {number} is below lower bound ({least})")),
        number => Err(format!("{key} {number} is above upper bound ({most})")),
    }
}

pub(super) fn port(text: &str) -> ValueRead<u16> {
    match integer(text)? {
        number if number < 1 => Err(format!("{number} is below lower bound (1)")),
        number => u16::try_from(number).map_err(|_| format!("{number} is above upper bound (65535)")),
    }
}
