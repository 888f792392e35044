//! A set of keys: any text is refused, or is a set within its bounds that says each key once.

#![no_main]

use std::collections::HashSet;

use gwe::app::key_set::{KeySet, MAX_KEYS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    match KeySet::parse(&text) {
        Ok(set) => {
            assert!(set.version > 0 && set.keys.len() <= MAX_KEYS);
            let numbers: HashSet<String> = set.keys.iter().map(|key| key.id.to_string()).collect();
            assert_eq!(numbers.len(), set.keys.len());
            assert!(set.keys.iter().all(|key| key.key.is_some() || key.term.revoked));
        }
        // One line of bounded length: it goes into a report.
        Err(fault) => {
            let told = fault.to_string();
            assert!(told.len() < 1024 && !told.contains('\n'), "{told}");
        }
    }
});
