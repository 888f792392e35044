//! Deltas: any gzip bytes, and any bytes put into good gzip, are applied or refused within their bounds, with a base and without; and
//! a text is a delta's name only where it prints back as it was and is no tarball's.

#![no_main]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use gwe::app::delta::{check_bytes, Decoder, DeltaName, Root};
use gwe::app::{gzip, TarballName, UnpackLimits};
use libfuzzer_sys::fuzz_target;

const LIMITS: UnpackLimits = UnpackLimits { bytes: 1 << 20, entries: 100 };

/// The base of the page's test vector, which the seeds are about.
fn base() -> &'static PathBuf {
    static BASE: OnceLock<PathBuf> = OnceLock::new();
    BASE.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("gwe-fuzz-delta-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a scratch folder");
        fs::write(folder.join("f"), "hello, world").expect("a scratch file");
        fs::set_permissions(folder.join("f"), PermissionsExt::from_mode(0o644)).expect("a mode");
        folder
    })
}

fn apply(bytes: &[u8]) {
    let mut source = bytes;
    let Ok(decoder) = Decoder::new(&mut source, Root::Folder(base())) else { return };
    let size = decoder.head().size;
    let mut out = Vec::new();
    if decoder.take(LIMITS.bytes).read_to_end(&mut out).is_ok() {
        assert!(out.len() as u64 == size.min(LIMITS.bytes));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let name = DeltaName::parse("a.v2.from.v1.delta").expect("a good name");
    let mut packed = Vec::new();
    let mut writer = gzip::Writer::new(&mut packed).expect("memory takes it");
    writer.write_all(bytes).and_then(|()| writer.finish()).expect("memory takes it");
    for delta in [bytes, &packed] {
        let _ = check_bytes(delta, &name, LIMITS);
        apply(delta);
    }

    let text = String::from_utf8_lossy(bytes);
    if let Ok(name) = DeltaName::parse(&text) {
        assert_eq!(name.to_string(), text);
        assert!(!text.contains('/') && TarballName::parse(&text).is_err());
    }
});
