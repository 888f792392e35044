//! Who data belongs to: a device that gmq provisions itself, or the holder of a CIK (docs/spec/gmq.md, "Identity").

use std::fmt;

use crate::config::Cik;
use crate::format::form;
use crate::sys::sha256::Hash;

/// A device on the platform, as an app names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceIdentity {
    /// `X-Exosite-VMS`: gmq activates it and keeps its CIK.
    Vms(Vms),
    /// `X-Exosite-CIK`: the app has activated it.
    Cik(Cik),
}

/// Vendor, model and serial number: each one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vms {
    /// The vendor; the product id on today's platform.
    pub vendor: String,
    /// The model; the product id on today's platform.
    pub model: String,
    /// The serial number.
    pub serial: String,
}

/// The longest vendor, model or serial number, in bytes.
pub const MAX_WORD: usize = 128;

impl Vms {
    /// Reads the value of `X-Exosite-VMS`: three words.
    #[must_use]
    pub fn parse(text: &str) -> Option<Vms> {
        let mut words = text.split_whitespace();
        let (vendor, model, serial) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() {
            return None;
        }
        Vms::new(vendor, model, serial)
    }

    /// Checks that each is one word of at most [`MAX_WORD`] bytes.
    #[must_use]
    pub fn new(vendor: &str, model: &str, serial: &str) -> Option<Vms> {
        let is_word = |text: &str| {
            !text.is_empty() && text.len() <= MAX_WORD && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        };
        let is_good = [vendor, model, serial].into_iter().all(is_word);
        let [vendor, model, serial] = [vendor, model, serial].map(str::to_string);
        is_good.then_some(Vms { vendor, model, serial })
    }
}

impl DeviceIdentity {
    /// What the identity is called in the store. It follows from the identity alone: should the file of identities be lost,
    /// the points of a device find it again as soon as an app names it.
    #[must_use]
    pub fn id(&self) -> u64 {
        let mut hash = Hash::new();
        hash.update(self.encode().as_bytes());
        let [a, b, c, d, e, f, g, h, ..] = hash.finish();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// One line of words, which [`DeviceIdentity::decode`] reads. It holds a whole CIK: for 0600 files and pipes only.
    #[must_use]
    pub fn encode(&self) -> String {
        match self {
            DeviceIdentity::Vms(Vms { vendor, model, serial }) => {
                let mut line = "vms".to_string();
                for word in [vendor, model, serial] {
                    line.push(' ');
                    form::encode_into(&mut line, word);
                }
                line
            }
            DeviceIdentity::Cik(cik) => ["cik ", cik.secret()].concat(),
        }
    }

    /// Takes an identity from the front of a line's words.
    pub fn decode<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<DeviceIdentity> {
        match words.next()? {
            "vms" => {
                let mut word = || words.next().map(form::decode);
                Vms::new(&word()?, &word()?, &word()?).map(DeviceIdentity::Vms)
            }
            "cik" => Cik::parse(words.next()?).map(DeviceIdentity::Cik),
            _ => None,
        }
    }
}

impl fmt::Display for DeviceIdentity {
    /// For people; a CIK is masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceIdentity::Vms(vms) => write!(f, "{} {} {}", vms.vendor, vms.model, vms.serial),
            DeviceIdentity::Cik(cik) => write!(f, "{cik}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vms_is_three_words() {
        let vms = Vms::parse("  prod\tprod 00:11:22:33:44:55 ").unwrap();
        assert_eq!((vms.vendor.as_str(), vms.serial.as_str()), ("prod", "00:11:22:33:44:55"));
        for bad in ["", "a", "a b", "a b c d", &format!("a b {}", "c".repeat(129)), "a b c\0"] {
            assert_eq!(Vms::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Vms::new("a", "b", "two words"), None);
        assert_eq!(Vms::new("a", "", "c"), None);
    }

    #[test]
    fn an_identity_comes_back_from_its_line_and_keeps_its_id() {
        let vms = DeviceIdentity::Vms(Vms::parse("a b% é").unwrap());
        let cik = DeviceIdentity::Cik(Cik::parse(&"c".repeat(40)).unwrap());
        for identity in [&vms, &cik] {
            let line = identity.encode();
            assert_eq!(DeviceIdentity::decode(&mut line.split(' ')).as_ref(), Some(identity), "{line}");
        }
        assert_ne!(vms.id(), cik.id());
        // The store on a gateway in the field knows it by this number: it must never change.
        assert_eq!(cik.id(), 0xa8a1_d25b_47bd_09a9);
        assert_eq!(cik.to_string(), format!("cccccccc{}", "*".repeat(32)));
        for bad in ["", "vms a b", "cik short", "who a b c"] {
            assert_eq!(DeviceIdentity::decode(&mut bad.split(' ')), None, "{bad}");
        }
    }
}
