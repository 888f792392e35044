//! `engine_fetch` from the cloud: a bounded request, nothing, or a reason.

#![no_main]

use gwe::install::journal::{Job, Journal};
use gwe::install::request::{parse, MAX_ENTRIES};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(Some(entries)) = parse(&text) {
        assert!(!entries.is_empty() && entries.len() <= MAX_ENTRIES);
        let mut journal = Journal::empty();
        journal.add(entries.into_iter().map(Job::new).collect());
    }
});
