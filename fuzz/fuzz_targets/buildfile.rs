//! Buildfiles, and the search for the place where a text stops being JSON, which must agree with the parser.

#![no_main]

use gwe::app::{Buildfile, Overrides};
use gwe::format::json_fault::first_fault;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let place = first_fault(&text);
    if let Some(place) = place {
        assert!(place.line <= text.matches('\n').count() + 1);
    }
    match Buildfile::parse(&text, &Overrides::default()) {
        Ok(buildfile) => {
            assert!(place.is_none() && !buildfile.includes.is_empty());
            assert!(buildfile
                .includes
                .iter()
                .all(|path| !path.starts_with('/') && path.split('/').all(|part| part != "..")));
        }
        Err(faults) => assert!(!faults.is_empty()),
    }
});
