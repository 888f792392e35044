//! Configuration files and the `supervisor.conf` of apps: any text is read or refused, and what was read is written so that it
//! reads the same.

#![no_main]

use gwe::format::ini::Ini;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let Ok(ini) = Ini::parse(&text) else { return };
    for section in &ini.sections {
        for (key, value) in &section.options {
            assert_eq!(ini.get(&section.name, key), Some(value.as_str()));
        }
    }
    let written = ini.to_string();
    assert_eq!(Ini::parse(&written).as_ref(), Ok(&ini), "{written:?}");
});
