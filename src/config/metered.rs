//! What a link that costs by the byte is used for: how fast downloads are, over which links there are none, and
//! how much a month takes.

use super::Config;

/// The slowest rate that may be set, in bytes a second: below it a connection that brings what it may looks like one that is dead.
pub const MIN_RATE: u64 = 1000;
/// The smallest month, in bytes: below it a gateway's own reports are most of it.
pub const MIN_MONTH: u64 = 1_000_000;
/// The largest number of bytes that may be set.
const MAX_BYTES: u64 = 1_000_000_000_000_000;

/// So many names of links may be set.
const MAX_NAMES: usize = 16;
/// The longest name that Linux gives a link, in bytes.
const MAX_NAME: usize = 15;

/// Names of links, of which each may end in `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkNames(Vec<String>);

impl LinkNames {
    /// By their text: names with blanks or commas between them.
    #[must_use]
    pub fn parse(text: &str) -> Option<LinkNames> {
        let names: Vec<String> =
            text.split([' ', ',']).filter(|name| !name.is_empty()).map(str::to_string).take(MAX_NAMES + 1).collect();
        let is_name = |name: &String| {
            let stem = name.strip_suffix('*').unwrap_or(name);
            name.len() <= MAX_NAME
                && stem.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'*' | b'/' | b':' | b'"' | b'\''))
        };
        (names.len() <= MAX_NAMES && names.iter().all(is_name)).then_some(LinkNames(names))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a link is meant.
    #[must_use]
    pub fn have(&self, link: &str) -> bool {
        self.0.iter().any(|name| name.strip_suffix('*').map_or(link == name, |stem| link.starts_with(stem)))
    }
}

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

/// The check of `no_downloads_on`.
///
/// # Errors
/// What it must be.
pub(super) fn check_links(value: &str) -> Result<(), &'static str> {
    LinkNames::parse(value)
        .map(drop)
        .ok_or("names of network interfaces such as wwan* ppp0, at most 16, or '' for none")
}

/// The check of `monthly_bytes`.
///
/// # Errors
/// What it must be.
pub(super) fn check_month(value: &str) -> Result<(), &'static str> {
    match parse_bytes(value) {
        _ if value.is_empty() => Ok(()),
        Some(bytes) if bytes >= MIN_MONTH => Ok(()),
        _ => Err("bytes, at least 1M, such as 50M or 2G, or '' for no limit"),
    }
}

impl Config {
    /// How many bytes a month has; `None`: as many as come.
    #[must_use]
    pub fn monthly_bytes(&self) -> Option<u64> {
        parse_bytes(self.engine.get("monthly_bytes"))
    }

    /// The same, as it is set.
    #[must_use]
    pub fn monthly_bytes_text(&self) -> &str {
        self.engine.get("monthly_bytes")
    }

    /// The links over which nothing is downloaded, and their text.
    #[must_use]
    pub fn no_downloads_on(&self) -> (LinkNames, &str) {
        let text = self.engine.get("no_downloads_on");
        (LinkNames::parse(text).unwrap_or_default(), text)
    }

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
    fn links_are_meant_by_name_and_by_the_beginning_of_it() {
        let links = LinkNames::parse(" wwan*, ppp0 usb0:x").or(LinkNames::parse(" wwan*,ppp0 "));
        let links = links.unwrap();
        for (link, is_meant) in [
            ("wwan0", true),
            ("wwan", true),
            ("wwan10", true),
            ("wwa", false),
            ("ppp0", true),
            ("ppp00", false),
            ("", false),
        ] {
            assert_eq!(links.have(link), is_meant, "{link}");
        }
        assert!(LinkNames::parse("*").unwrap().have("eth0") && LinkNames::parse("").unwrap().is_empty());
        for bad in ["w*n", "**", "eth0/1", "a-name-of-16-byte", "eth0:1", &"x ".repeat(17)] {
            assert!(check_links(bad).is_err(), "{bad}");
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
