//! Values as supervisord's `datatypes.py` reads them. Pure functions; each refuses what supervisord refuses.
//!
//! Stricter on purpose: numbers that no field can hold, digits of other scripts, and what Python's `signal` module happens to
//! name like a signal (`SIG_DFL`).

use super::fault::Why;
use crate::format::own_options::{names, Bounds, MAX_AFTER};
use crate::format::python::int;
use crate::format::shell_words;
use crate::sys::signal_names::SIGNALS;

pub(super) fn integer(text: &str) -> Result<i64, Why> {
    int(text, 10).ok_or_else(|| Why::NoInteger(text.to_string()))
}

pub(super) fn octal(text: &str) -> Result<i64, Why> {
    int(text, 8).ok_or_else(|| Why::NoOctal(text.to_string()))
}

pub(super) fn boolean(text: &str) -> Result<bool, Why> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(Why::NoBoolean(text.to_string())),
    }
}

pub(super) fn autorestart(text: &str) -> Result<(), Why> {
    if text.eq_ignore_ascii_case("unexpected") || boolean(text).is_ok() {
        return Ok(());
    }
    Err(Why::NoAutorestart(text.to_string()))
}

pub(super) fn size(text: &str) -> Result<(), Why> {
    let lower = text.to_ascii_lowercase();
    let (number, factor) = match lower.get(lower.len().saturating_sub(2)..) {
        Some("kb") => (&lower[..lower.len() - 2], 1 << 10),
        Some("mb") => (&lower[..lower.len() - 2], 1 << 20),
        Some("gb") => (&lower[..lower.len() - 2], 1 << 30),
        _ => (&lower[..], 1_i64),
    };
    int(number, 10).and_then(|n| n.checked_mul(factor)).map(|_| ()).ok_or_else(|| Why::NoSize(text.to_string()))
}

pub(super) fn signal(text: &str) -> Result<(), Why> {
    let known = match int(text, 10) {
        Some(number) => SIGNALS.iter().any(|(_, n)| i64::from(*n) == number),
        None => {
            let name = text.trim().to_ascii_uppercase();
            let name = name.strip_prefix("SIG").unwrap_or(&name);
            SIGNALS.iter().any(|(n, _)| *n == name) || matches!(name, "RTMIN" | "RTMAX")
        }
    };
    if known {
        Ok(())
    } else {
        Err(Why::NoSignal(text.to_string()))
    }
}

pub(super) fn exit_codes(text: &str) -> Result<(), Why> {
    let good = |code: &str| int(code, 10).is_some_and(|n| (0..=255).contains(&n));
    if text.is_empty() || text.split(',').all(good) {
        return Ok(());
    }
    Err(Why::NoExitCodes(text.to_string()))
}

/// A process's name before it is expanded.
pub(super) fn process_name(text: &str) -> Result<(), Why> {
    match text.trim().chars().find(|c| matches!(c, ' ' | ':' | '/')) {
        Some(c) => Err(Why::NameCharacter(c)),
        None if text.trim().is_empty() => Err(Why::Empty),
        None => Ok(()),
    }
}

pub(super) fn within(text: &str, bounds: Bounds) -> Result<(), Why> {
    match integer(text)? {
        number if bounds.hold(number) => Ok(()),
        _ => Err(Why::Range(bounds.least, bounds.most)),
    }
}

/// A command that can be split into words.
pub(super) fn command(text: &str) -> Result<(), Why> {
    match shell_words::split(text) {
        Ok(words) if words.is_empty() => Err(Why::Empty),
        Ok(_) => Ok(()),
        Err(_) => Err(Why::Quote),
    }
}

/// Those that the start of `own` waits for.
pub(super) fn programs(text: &str, own: &str) -> Result<(), Why> {
    let names = names(text);
    if names.len() > MAX_AFTER {
        return Err(Why::TooMany(MAX_AFTER));
    }
    if names.contains(&own) {
        return Err(Why::Itself);
    }
    names.into_iter().try_for_each(process_name)
}

/// The folder that a log file needs, where it needs one.
pub(super) fn log_folder(text: &str) -> Result<Option<&str>, Why> {
    if matches!(text.to_ascii_lowercase().as_str(), "none" | "off" | "auto" | "syslog") {
        return Ok(None);
    }
    let Some(at) = text.rfind('/') else { return Ok(None) };
    if !text.starts_with('/') {
        return Err(Why::RelativeFolder);
    }
    let folder = text[..at].trim_end_matches('/');
    Ok(Some(if folder.is_empty() { "/" } else { folder }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_kinds() {
        for (text, good) in [
            ("0", true),
            ("200KB", true),
            ("1gb", true),
            ("1 MB", true),
            ("-1", true),
            ("1M", false),
            ("KB", false),
            ("", false),
            ("1.5MB", false),
            ("ä", false),
        ] {
            assert_eq!(size(text).is_ok(), good, "size {text:?}");
        }
        for (text, good) in [
            ("TERM", true),
            ("sigusr1", true),
            (" Hup ", true),
            ("9", true),
            ("0", false),
            ("99", false),
            ("_DFL", false),
            ("", false),
            ("NOPE", false),
            ("RTMAX", true),
        ] {
            assert_eq!(signal(text).is_ok(), good, "signal {text:?}");
        }
        for (text, good) in [
            ("0", true),
            ("0,2", true),
            ("0, 2 ,255", true),
            ("", true),
            ("256", false),
            ("-1", false),
            ("0,", false),
            ("a", false),
        ] {
            assert_eq!(exit_codes(text).is_ok(), good, "exit codes {text:?}");
        }
        for (text, good) in
            [("unexpected", true), ("UNEXPECTED", true), ("true", true), ("Off", true), ("always", false), ("", false)]
        {
            assert_eq!(autorestart(text).is_ok(), good, "autorestart {text:?}");
        }
        for (text, folder) in [
            ("/var/log/a.log", Ok(Some("/var/log"))),
            ("/a.log", Ok(Some("/"))),
            ("a.log", Ok(None)),
            ("NONE", Ok(None)),
            ("Auto", Ok(None)),
            ("/d//", Ok(Some("/d"))),
            ("d/a.log", Err(Why::RelativeFolder)),
            ("~/a", Err(Why::RelativeFolder)),
        ] {
            assert_eq!(log_folder(text), folder, "log {text:?}");
        }
    }
}
