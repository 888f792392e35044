//! Keys that age: when a key counts, and what a set of keys makes of the keys that are trusted.
//!
//! Invariant: a set only adds keys that its root signed for and takes others away; it never opens what was closed.

use std::fmt;

use super::{Key, KeyId, KeyProblem, SignatureError, TrustedKeys};
use crate::app::key_set::KeySet;
use crate::format::utc;

/// When a key counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Term {
    /// From this second on.
    pub from: Option<u64>,
    /// Until before this second.
    pub until: Option<u64>,
    /// Not at all.
    pub revoked: bool,
}

impl Term {
    /// Whether a signature counts which says that it was made at `signed_at`, where it is at least `now`. Who has stolen a key writes any
    /// time into a signature, so its own time only ever forbids (docs/security.md, "Keys that age").
    ///
    /// # Errors
    /// Why it does not count.
    pub fn judge(&self, id: KeyId, signed_at: u64, now: u64) -> Result<(), SignatureError> {
        if self.revoked {
            return Err(SignatureError::Revoked(id));
        }
        if self.until.is_some_and(|until| signed_at.max(now) >= until) {
            return Err(SignatureError::Expired(id));
        }
        if self.from.is_some_and(|from| signed_at.min(now) < from) {
            return Err(SignatureError::NotYet(id));
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    /// What follows a key's number; nothing where it always counts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |unix: u64| utc::date(unix).chars().take(10).collect::<String>();
        if self.revoked {
            return f.write_str(", revoked");
        }
        if let Some(from) = self.from {
            write!(f, ", from {}", day(from))?;
        }
        self.until.map_or(Ok(()), |until| write!(f, ", until {}", day(until - 1)))
    }
}

impl KeyId {
    /// Reads a number as `minisign` prints it.
    #[must_use]
    pub fn parse(text: &str) -> Option<KeyId> {
        let is_number = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u64::from_str_radix(text, 16).ok().filter(|_| is_number).map(|number| KeyId(number.to_le_bytes()))
    }
}

impl TrustedKeys {
    /// The same keys under a set of keys, where it is at least `now`. What the set says of a key counts over the image's word on it.
    #[must_use]
    pub fn under(mut self, set: &KeySet, now: u64) -> TrustedKeys {
        self.open = false;
        self.now = now;
        if set.only {
            self.keys.clear();
        }
        for said in &set.keys {
            let mut known = self.keys.iter_mut().filter(|key| key.id == said.id).peekable();
            match (&said.key, known.peek().is_some()) {
                // Of the image's own key of that number, the set knows nothing but that.
                (None, true) => known.for_each(|key| key.term = said.term),
                (key, _) => {
                    self.keys.retain(|key| key.id != said.id);
                    let file = if said.name.is_empty() { "gwe-keys" } else { &said.name };
                    self.keys.push(Key { file: file.to_string(), id: said.id, key: key.clone(), term: said.term });
                }
            }
        }
        self
    }

    /// No key counts, whatever there is: why.
    #[must_use]
    pub fn none(mut self, file: &str, reason: String) -> TrustedKeys {
        self.keys.clear();
        self.problem(file, reason);
        self.closed()
    }

    /// Without the keys that sign sets of keys and nothing else.
    #[must_use]
    pub fn without(mut self, roots: &TrustedKeys) -> TrustedKeys {
        let (roots, keys) = self.keys.drain(..).partition(|key| roots.knows(key.id));
        self.keys = keys;
        let roots: Vec<Key> = roots;
        let problem =
            |key: Key| KeyProblem { file: key.file, reason: "is a root key, which signs no package".to_string() };
        self.problems.extend(roots.into_iter().map(problem));
        self
    }

    /// Whether there is a key of that number.
    #[must_use]
    pub fn knows(&self, id: KeyId) -> bool {
        self.keys.iter().any(|key| key.id == id)
    }

    /// Whether a signature that was good when it was checked still counts.
    ///
    /// # Errors
    /// Why it does not.
    pub fn still_takes(&self, id: KeyId, signed_at: u64) -> Result<(), SignatureError> {
        let mut keys = self.keys.iter().filter(|key| key.id == id);
        keys.next().ok_or(SignatureError::UnknownKey(id))?.term.judge(id, signed_at, self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row: from, until, revoked, the signature's time, the gateway's: what is said. 100 is the first second of the first day, 200 the
    /// first after the last.
    #[test]
    fn a_time_that_is_claimed_only_ever_forbids() {
        let id = KeyId([7; 8]);
        for (term, signed_at, now, told) in [
            (Term::default(), 0, u64::MAX, ""),
            (Term { until: Some(200), ..Term::default() }, 199, 199, ""),
            // A thief backdates; the gateway's clock stands in 1970 and the claim does not.
            (Term { until: Some(200), ..Term::default() }, 150, 200, "time is over"),
            (Term { until: Some(200), ..Term::default() }, 200, 0, "time is over"),
            (Term { from: Some(100), ..Term::default() }, 100, 100, ""),
            (Term { from: Some(100), ..Term::default() }, 150, 99, "has not begun"),
            (Term { from: Some(100), ..Term::default() }, 99, 150, "has not begun"),
            (Term { from: Some(100), until: Some(200), revoked: true }, 150, 150, "is revoked"),
            (Term { from: Some(100), until: Some(200), revoked: false }, 150, 150, ""),
        ] {
            let said = term.judge(id, signed_at, now).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(said.ends_with(told) && said.is_empty() == told.is_empty(), "{term:?} {signed_at} {now}: {said}");
        }
    }

    #[test]
    fn numbers_read_as_they_are_printed_and_terms_read_as_days() {
        let id = KeyId::parse("E7620F1842B4E81F").unwrap();
        assert_eq!(id.to_string(), "E7620F1842B4E81F");
        for bad in ["", "E7620F1842B4E81", "E7620F1842B4E81FF", "+7620F1842B4E81F", "G7620F1842B4E81F"] {
            assert!(KeyId::parse(bad).is_none(), "{bad}");
        }
        let day = |text| utc::from_day(text);
        let term = Term { from: day("2026-01-01"), until: day("2027-12-31").map(|day| day + 86_400), revoked: false };
        assert_eq!(term.to_string(), ", from 2026-01-01, until 2027-12-31");
        assert_eq!(Term { revoked: true, ..term }.to_string(), ", revoked");
    }
}
