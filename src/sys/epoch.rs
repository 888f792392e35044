//! When this program was built: no clock is right that stands before that.

use super::clock;

/// Unix seconds of the source's date (`SOURCE_DATE_EPOCH` at build time, which image builders set), or of the year of the first
/// release, whichever is later.
pub const BUILD_EPOCH: u64 = match option_env!("SOURCE_DATE_EPOCH") {
    Some(text) => later(decimal(text.as_bytes()), FIRST_RELEASE),
    None => FIRST_RELEASE,
};

/// A time this long after the build, thirty years, is a clock that jumped, not a gateway that lasted.
const PLAUSIBLE: u64 = 30 * 365 * 86_400;

/// Whether a time can be, for a program that was built then.
#[must_use]
pub fn is_plausible(unix: u64, build_epoch: u64) -> bool {
    unix >= build_epoch && unix - build_epoch <= PLAUSIBLE
}

/// A time that can be, as far as this program knows.
#[must_use]
pub fn plausible(unix: u64) -> Option<u64> {
    is_plausible(unix, BUILD_EPOCH).then_some(unix)
}

/// What the clock says, unless that cannot be.
#[must_use]
pub fn now() -> Option<u64> {
    plausible(clock::unix_seconds())
}

/// 2026-01-01
const FIRST_RELEASE: u64 = 1_767_225_600;

/// Unix seconds from decimal digits; 0 for anything else.
const fn decimal(text: &[u8]) -> u64 {
    let mut value = 0_u64;
    let mut i = 0;
    while i < text.len() {
        if !text[i].is_ascii_digit() || value > 1 << 40 {
            return 0;
        }
        value = value * 10 + (text[i] - b'0') as u64;
        i += 1;
    }
    value
}

const fn later(a: u64, b: u64) -> u64 {
    if a > b {
        a
    } else {
        b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_the_build_is_read_and_nonsense_is_not() {
        assert_eq!(decimal(b"1800000000"), 1_800_000_000);
        for nonsense in [&b""[..], b"x", b"-1", b"1 ", b"99999999999999999999999999"] {
            assert_eq!(decimal(nonsense), 0);
        }
        assert_eq!((later(1, 2), later(2, 1)), (2, 2));
    }
}
