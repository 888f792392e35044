//! The CIK: the 40-character key that a gateway gets when it is activated.

use std::fmt;

/// A CIK. `Display` and `Debug` show 8 characters and 32 asterisks (docs/spec/gateway-engine.md, "Identity and configuration"), so
/// a log line cannot leak it; [`Cik::secret`] is the one way to the whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Cik(String);

impl Cik {
    /// A CIK's length in characters.
    pub const LEN: usize = 40;

    /// Accepts exactly 40 ASCII letters and digits: the platform's keys are lower-case hex or mixed-case alphanumeric
    /// (docs/spec/device-api.md).
    #[must_use]
    pub fn parse(text: &str) -> Option<Cik> {
        let ok = text.len() == Cik::LEN && text.bytes().all(|b| b.is_ascii_alphanumeric());
        ok.then(|| Cik(text.to_string()))
    }

    /// The whole key, for the `X-Exosite-CIK` header, `gwe --gateway-cik` and the 0600 file.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cik {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.get(..8).unwrap_or(""), "*".repeat(32))
    }
}

impl fmt::Debug for Cik {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_forty_alphanumerics_and_never_shown_whole() {
        let cik = Cik::parse("0123456789abcdefABCDEF0123456789abcdef01").unwrap();
        assert_eq!(cik.to_string(), format!("01234567{}", "*".repeat(32)));
        assert_eq!(format!("{cik:?}"), cik.to_string());
        for bad in
            ["", "short", "0123456789abcdefABCDEF0123456789abcdef0\n", "0123456789abcdefABCDEF0123456789abcdef012"]
        {
            assert!(Cik::parse(bad).is_none(), "{bad}");
        }
    }
}
