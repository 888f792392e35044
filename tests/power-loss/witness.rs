//! What is known outside of the gateway, and since when: requests that were made, answers that were given, promises that
//! a power cut must not break.

use super::trouble::{Doing, Outcome};
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Noted by a workload whose promises are kept elsewhere than on the disk from here on: a disk that forgets them is then no
/// loss, so backdated states end here. Else they end with the work.
pub const HORIZON: &str = "horizon";

/// Something that is true from a moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The moment: the write log's length in bytes.
    pub at: u64,
    /// In the workload's own words.
    pub text: String,
}

/// Takes facts down. Its copies write to the same list.
#[derive(Debug, Clone)]
pub struct Witness {
    log: Arc<File>,
    facts: Arc<Mutex<Vec<Fact>>>,
}

impl Witness {
    /// A witness that tells the time by this write log.
    pub fn of(log: &Path) -> Outcome<Witness> {
        let log = File::open(log).doing("open", log)?;
        Ok(Witness { log: Arc::new(log), facts: Arc::default() })
    }

    /// The present moment.
    pub fn now(&self) -> u64 {
        self.log.metadata().expect("an open file has a length").len()
    }

    /// Notes what is true from now on. What is acknowledged must be noted after the acknowledgement was seen, what begins
    /// before it begins: then a cut between the two may have either.
    pub fn note(&self, text: impl Into<String>) {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let fact = Fact { at: self.now(), text: text.into() };
        facts.push(fact);
    }

    /// All that was noted, in order.
    pub fn facts(&self) -> Vec<Fact> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The last number that was noted behind a word, such as 7 for `began 7`.
pub fn last_number(facts: &[Fact], word: &str) -> Option<u64> {
    let number = |fact: &Fact| fact.text.strip_prefix(word)?.trim().parse().ok();
    facts.iter().rev().find_map(number)
}

#[cfg(test)]
mod tests {
    use super::{last_number, Witness};
    use gwe_tests::harness::Scratch;
    use std::fs;

    #[test]
    fn facts_carry_the_logs_length() {
        let scratch = Scratch::new();
        let log = scratch.write("log", "12345");
        let witness = Witness::of(&log).unwrap();
        witness.note("began 1");
        fs::write(&log, "1234567").unwrap();
        witness.clone().note("acknowledged 1");
        let facts = witness.facts();
        assert_eq!(facts.iter().map(|fact| fact.at).collect::<Vec<_>>(), [5, 7]);
        assert_eq!((last_number(&facts, "began"), last_number(&facts[..1], "acknowledged")), (Some(1), None));
    }
}
