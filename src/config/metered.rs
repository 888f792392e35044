//! What a link that costs by the byte is used for: how fast downloads are.

use super::Config;

/// The slowest rate that may be set, in bytes a second: below it a connection that brings what it may looks like one that is dead.
pub const MIN_RATE: u64 = 1000;
/// The largest number of bytes that may be set.
const MAX_BYTES: u64 = 1_000_000_000_000_000;

/// A number of bytes, which may end in k, M or G: thousands, as carriers count.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, unit) = match text.bytes().last()? {
        b'k' | b'K' => (text.get(..text.len() - 1)?, 1000),
        b'M' => (text.get(..text.len() - 1)?, 1_000_000),
        b'G' => (text.get(..text.len() - 1)?, 1_000_000_000),
        _ => (text, 1),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_number)?;
    number.checked_mul(unit).filter(|bytes| *bytes <= MAX_BYTES)
}

/// The check of `max_rate`.
///
/// # Errors
/// What it must be.
pub(super) fn check_rate(value: &str) -> Result<(), &'static str> {
    match parse_bytes(value) {
        _ if value.is_empty() => Ok(()),
        Some(rate) if rate >= MIN_RATE => Ok(()),
        _ => Err("bytes a second, at least 1k, such as 64k or 2M, or '' for no limit"),
    }
}

impl Config {
    /// How many bytes a second a download may bring; `None`: as many as come.
    #[must_use]
    pub fn max_rate(&self) -> Option<u64> {
        parse_bytes(self.engine.get("max_rate"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_in_thousands_as_carriers_do() {
        for (text, want) in [
            ("0", Some(0)),
            ("1000", Some(1000)),
            (" 64k", Some(64_000)),
            ("64K", Some(64_000)),
            ("2M", Some(2_000_000)),
            ("5G", Some(5_000_000_000)),
            ("1000000G", Some(1_000_000_000_000_000)),
            ("1000001G", None),
            ("18446744073709551615G", None),
            ("", None),
            ("k", None),
            ("-1", None),
            ("+1", None),
            ("1.5M", None),
            ("1 M", None),
            ("1MB", None),
            ("1\u{b5}", None),
        ] {
            assert_eq!(parse_bytes(text), want, "{text}");
        }
    }

    #[test]
    fn a_rate_is_none_or_one_that_a_live_link_has() {
        for (text, is_good) in [("", true), ("1k", true), ("1000", true), ("999", false), ("0", false), ("fast", false)]
        {
            assert_eq!(check_rate(text).is_ok(), is_good, "{text}");
        }
    }
}
