//! The registry, whatever a power cut or a bad flash made of the file.

#![no_main]

use gwe::install::registry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(registry) = registry::parse(bytes) else { return };
    for app in &registry.apps {
        assert_ne!(registry.free_slot(&app.name), registry.app(&app.name).map_or("", |app| &app.slot));
    }
});
