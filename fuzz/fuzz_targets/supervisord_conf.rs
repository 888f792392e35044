//! supervisord's configuration: any bytes are refused, or make a configuration that the core can read.

#![no_main]

use gwe::hosting::config::{load, Strictness, Surroundings};
use gwe::hosting::definition::{self, Settings};
use gwe::hosting::encode::{encode, Start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("gwe-fuzz-{}.conf", std::process::id()));
    let path = path.to_str().expect("the temporary folder has a name");
    let environment = vec![("HOME".to_string(), "/root".to_string())];
    let surroundings = Surroundings { environment, host: "host".to_string(), folder: "/tmp".to_string() };
    for head in [&b""[..], b"[supervisord]\n", b"[supervisord]\n[program:x]\ncommand=x\n"] {
        std::fs::write(path, [head, bytes].concat()).expect("the temporary folder can be written to");
        let Ok(configuration) = load(path, Strictness::LeaveOut, &surroundings) else { continue };
        let start = Start { folder: "/tmp", settings: Settings::default(), known_log: &|_, _, _| None };
        if let Ok(blob) = encode(&configuration, &start) {
            assert!(definition::Configuration::checked(&blob).is_some(), "the core refuses what was written for it");
        }
    }
    let _ = std::fs::remove_file(path);
});
