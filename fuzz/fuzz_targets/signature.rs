//! Signatures: any text is refused, but for the one good signature, whose signed parts cannot be changed.

#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use gwe::app::TrustedKeys;
use libfuzzer_sys::fuzz_target;

/// The key of minisign-verify's own documentation, and the file that it has signed.
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n";

fn bench() -> &'static (TrustedKeys, PathBuf) {
    static BENCH: OnceLock<(TrustedKeys, PathBuf)> = OnceLock::new();
    BENCH.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("gwe-fuzz-signature-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("trusted")).expect("a scratch folder");
        std::fs::write(folder.join("trusted/a.pub"), KEY).expect("a key");
        std::fs::write(folder.join("test"), "test").expect("a file");
        (TrustedKeys::load(&folder.join("trusted")), folder.join("test"))
    })
}

fuzz_target!(|bytes: &[u8]| {
    let (keys, file) = bench();
    if let Ok(signed) = keys.verify(file, &String::from_utf8_lossy(bytes), "test") {
        assert_eq!(signed.timestamp, 1_633_700_835);
    }
});
