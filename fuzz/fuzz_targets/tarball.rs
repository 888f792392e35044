//! Tarballs: any gzip bytes, and any tar bytes put into good gzip, are read or refused within their limits; and a text is a
//! tarball's name only where it prints back as it was and cannot leave a folder.

#![no_main]

use std::io::Write;

use gwe::app::unpack::check_bytes;
use gwe::app::{gzip, TarballName, UnpackLimits};
use libfuzzer_sys::fuzz_target;

const LIMITS: UnpackLimits = UnpackLimits { bytes: 1 << 20, entries: 100 };

/// The sums of header blocks, so that the fuzzer need not find them.
fn mend(tar: &mut [u8]) {
    for block in tar.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let name = TarballName::parse("a.v1.tar.gz").expect("a good name");
    let _ = check_bytes(bytes, &name, LIMITS);

    let mut tar = bytes.to_vec();
    mend(&mut tar);
    let mut packed = Vec::new();
    let mut writer = gzip::Writer::new(&mut packed).expect("memory takes it");
    writer.write_all(&tar).and_then(|()| writer.finish()).expect("memory takes it");
    if let Ok(contents) = check_bytes(&packed, &name, LIMITS) {
        assert!(contents.bytes <= LIMITS.bytes);
    }

    let text = String::from_utf8_lossy(bytes);
    if let Ok(name) = TarballName::parse(&text) {
        assert_eq!(name.to_string(), text);
        assert!(!text.contains('/') && name.version() != ".." && !name.app().contains('.'));
    }
});
