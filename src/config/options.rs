//! The options of both configuration files: one table makes the defaults, the printed configuration and the checks.

use super::apply::{Apply, Window};
use super::metered;
use crate::sys::log::Level;

/// One option: its place, its default, and the check that a new value must pass.
#[derive(Debug)]
pub struct Opt {
    /// The section's name without brackets.
    pub section: &'static str,
    /// The key, lower case.
    pub key: &'static str,
    /// What counts where no layer has it.
    pub default: &'static str,
    /// `Err` says what a value must be.
    pub check: fn(&str) -> Result<(), &'static str>,
}

/// The shortest interval between two check-ins, in seconds (docs/spec/gateway-engine.md, "The loop").
pub const MIN_INTERVAL: u64 = 1;
/// The longest one: a year. A larger number would put the gateway out of the fleet's reach for good.
pub const MAX_INTERVAL: u64 = 366 * 24 * 3600;
/// The longest value of any option, in bytes.
pub const MAX_VALUE: usize = 1000;

/// A row of a table.
pub const fn opt(
    section: &'static str,
    key: &'static str,
    default: &'static str,
    check: fn(&str) -> Result<(), &'static str>,
) -> Opt {
    Opt { section, key, default, check }
}

/// Gateway.cfg, in the order in which it is shown.
pub static GATEWAY: &[Opt] = &[
    opt("device", "cik", "", cik),
    opt("device", "model", "", product),
    opt("device", "vendor", "", product),
    opt("device", "uuid", "", word),
    opt("device", "iface", "", word),
    opt(DDI, "url", "", ddi_url),
    opt(DDI, "tenant", "DEFAULT", segment),
    opt(DDI, "id", "<uuid>", word),
    opt(DDI, "token", "", word),
    opt(DDI, "token_kind", "target", token_kind),
    opt(DDI, "interval", "", optional_interval),
    opt(DDI, "confirm", "no", confirm),
];

/// The section of hawkBit's settings, which is shown once one of them is set.
pub const DDI: &str = "ddi";

/// The section of links that cost by the byte, of which is shown what is set.
pub const NETWORK: &str = "network";

/// Engine.config, in the order in which it is shown.
pub static ENGINE: &[Opt] = &[
    opt("engine", "server", "", server),
    opt("engine", "cacert", "", text),
    opt("engine", "update_interval", "14400", interval),
    opt("engine", "activation_retry_interval", "60", interval),
    opt("engine", "log_level", "INFO", level),
    opt("engine", "user_agent", "", text),
    opt("engine", "keep_clock", "yes", yes_no),
    opt("engine", "push", "no", yes_no),
    opt("engine", "check_in_limit", "21600", interval),
    opt("engine", "backend", "device-api", backend),
    opt("supervisor", "socket", "/var/run/supervisor.sock", path),
    opt("supervisor", "fragments", "/var/lib/gwe/supervisor.d", path),
    opt("supervisor", "logs", "/var/log", path),
    opt("install", "timeout", "900", interval),
    opt("install", "settle", "10", interval),
    opt("install", "require_signatures", "no", yes_no),
    opt("install", "apply", "now", apply),
    opt("install", "window", "02:00-04:00", window),
    opt("install", "max_hold", "86400", interval),
    opt(NETWORK, "max_rate", "", metered::check_rate),
    opt(NETWORK, "monthly_bytes", "", metered::check_month),
    opt(NETWORK, "no_downloads_on", "", metered::check_links),
];

/// Parses an interval in seconds. `60.0` is 60: there are writers with one kind of number.
#[must_use]
pub fn parse_interval(value: &str) -> Option<u64> {
    let value = value.trim();
    let whole = value.split_once('.').filter(|(_, rest)| rest.bytes().all(|b| b == b'0') && !rest.is_empty());
    whole.map_or(value, |(whole, _)| whole).parse().ok().filter(|s| (MIN_INTERVAL..=MAX_INTERVAL).contains(s))
}

fn text(value: &str) -> Result<(), &'static str> {
    if value.len() > MAX_VALUE {
        Err("at most 1000 bytes")
    } else if value.chars().any(char::is_control) {
        Err("text without control characters")
    } else if value.trim() != value || value.contains(" ;") || value.contains(" #") || value.starts_with([';', '#']) {
        Err("text without white space at its ends, and without a comment")
    } else {
        Ok(())
    }
}

fn word(value: &str) -> Result<(), &'static str> {
    if value.contains(char::is_whitespace) {
        return Err("one word without white space");
    }
    text(value)
}

/// The product id is the beginning of the server's name.
fn product(value: &str) -> Result<(), &'static str> {
    if value.contains(['/', ':', '?', '#', '@', '\\']) {
        return Err("a product id such as a1b2c3d4e5f6, no URL");
    }
    word(value)
}

fn cik(value: &str) -> Result<(), &'static str> {
    if value.is_empty() || super::Cik::parse(value).is_some() {
        Ok(())
    } else {
        Err("40 letters and digits, or '' to clear it")
    }
}

fn interval(value: &str) -> Result<(), &'static str> {
    parse_interval(value).map(|_| ()).ok_or("a whole number of seconds from 1 to 31622400")
}

/// The check of a log level.
///
/// # Errors
/// What it must be.
pub fn level(value: &str) -> Result<(), &'static str> {
    Level::parse(value).map(|_| ()).ok_or("DEBUG, INFO, WARNING, ERROR or CRITICAL")
}

fn yes_no(value: &str) -> Result<(), &'static str> {
    if matches!(value, "yes" | "no") {
        Ok(())
    } else {
        Err("yes or no")
    }
}

fn apply(value: &str) -> Result<(), &'static str> {
    Apply::parse(value).map(drop).ok_or("now, window, reboot or consent")
}

fn window(value: &str) -> Result<(), &'static str> {
    Window::parse(value).map(drop).ok_or("a part of the day such as 02:00-04:00")
}

fn backend(value: &str) -> Result<(), &'static str> {
    match value {
        "device-api" => Ok(()),
        "ddi" if cfg!(feature = "ddi") => Ok(()),
        _ if cfg!(feature = "ddi") => Err("device-api or ddi"),
        _ => Err("device-api: this program was built without ddi"),
    }
}

fn ddi_url(value: &str) -> Result<(), &'static str> {
    server(value).map_err(|_| "a URL such as https://hawkbit.example.com, or '' to clear it")
}

fn segment(value: &str) -> Result<(), &'static str> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if !value.is_empty() && value.len() <= 64 && value.bytes().all(is_plain) {
        Ok(())
    } else {
        Err("letters, digits and . _ -, at most 64 of them")
    }
}

fn token_kind(value: &str) -> Result<(), &'static str> {
    if matches!(value, "target" | "gateway") {
        Ok(())
    } else {
        Err("target or gateway")
    }
}

fn optional_interval(value: &str) -> Result<(), &'static str> {
    if value.is_empty() {
        return Ok(());
    }
    interval(value)
}

fn confirm(value: &str) -> Result<(), &'static str> {
    if matches!(value, "no" | "auto") {
        Ok(())
    } else {
        Err("no or auto")
    }
}

fn path(value: &str) -> Result<(), &'static str> {
    if value.starts_with('/') {
        text(value)
    } else {
        Err("an absolute path")
    }
}

fn server(value: &str) -> Result<(), &'static str> {
    let host = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    match host {
        _ if value.is_empty() => Ok(()),
        Some(host) if !host.is_empty() && !host.starts_with('/') && !host.contains(['?', '#', '@']) => word(value),
        _ => Err("a URL such as https://PRODUCT_ID.m2.exosite.io, or '' for the default"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_pass_their_own_checks() {
        for option in GATEWAY.iter().chain(ENGINE) {
            assert_eq!((option.check)(option.default), Ok(()), "{} {}", option.section, option.key);
        }
    }

    #[test]
    fn values_that_would_break_something_are_refused() {
        let find = |key: &str| GATEWAY.iter().chain(ENGINE).find(|o| o.key == key).unwrap();
        for (key, bad) in [
            ("cik", "short"),
            ("model", "two words"),
            ("vendor", "https://p.m2.exosite.io"),
            ("model", "p.m2.exosite.io/"),
            ("uuid", "a\nb"),
            ("server", "ftp://x"),
            ("server", "https://"),
            ("server", "host.without.scheme"),
            ("update_interval", "0"),
            ("update_interval", "-1"),
            ("update_interval", "1.5"),
            ("update_interval", "99999999999"),
            ("log_level", "LOUD"),
            ("socket", "relative"),
            ("apply", "never"),
            ("window", "2am"),
            ("user_agent", "x ; comment"),
            ("user_agent", "x\r\nX-Evil: 1"),
        ] {
            assert!((find(key).check)(bad).is_err(), "{key} = {bad:?}");
        }
        for (key, good) in [("server", "http://127.0.0.1:8080"), ("server", "https://p.m2.exosite.io"), ("uuid", "")] {
            assert_eq!((find(key).check)(good), Ok(()), "{key} = {good:?}");
        }
    }
}
