//! `engine_fetch` from the cloud: a bounded request, nothing, or a reason.

#![no_main]

use gwe::install::journal::{Job, Journal};
use gwe::install::request::{parse, MAX_ENTRIES};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(Some(request)) = parse(&text) {
        let lists = [request.entries.len(), request.remove.len(), request.cancel.len(), request.refused.len()];
        assert!((1..=MAX_ENTRIES).contains(&lists.iter().sum()));
        let mut journal = Journal::empty();
        let removals = request.remove.into_iter().map(Job::removal);
        journal.add(removals.chain(request.entries.into_iter().map(Job::new)).collect());
        journal.cancel(&request.cancel);
    }
});
