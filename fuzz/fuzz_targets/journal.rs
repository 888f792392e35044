//! The journal and what follows from it, whatever a power cut or a bad flash made of the file.

#![no_main]

use gwe::install::{journal, status};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(journal) = journal::parse(bytes) else { return };
    assert!(status::text(&journal).len() <= status::MAX_STATUS);
    let _ = (journal.is_reportable(), journal.next_job(true, &[]), journal.next_job(false, &[]));
});
