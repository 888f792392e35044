//! `supervisor.conf`: any text is refused, or makes a fragment of one section that is itself found good.

#![no_main]

use std::path::Path;

use gwe::app::program_conf::{check_fragment, AnyGateway};
use gwe::app::{fragment, FragmentDefaults};
use gwe::format::ini::Ini;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let defaults = FragmentDefaults { log_file: Path::new("/var/log/a.log"), directory: Path::new("/a") };
    for text in [text.to_string(), format!("[supervisord]\n{text}")] {
        let Ok(fragment) = fragment("a", &text, &defaults, &AnyGateway) else { continue };
        assert_eq!(check_fragment(&fragment, &AnyGateway), [], "{fragment}");
        let ini = Ini::parse(&fragment).expect("a fragment is an INI text");
        assert_eq!(ini.sections.iter().map(|section| section.name.as_str()).collect::<Vec<_>>(), ["program:a"]);
    }
});
