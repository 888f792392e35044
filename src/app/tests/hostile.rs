//! Bad archives (docs/spec/failures.md, row 15). Each row: who met it, the archive, the fault it must be refused with.
//!
//! Every row runs twice, checked only and unpacked; both must find the same faults, and of the unpacked one nothing may be
//! found outside the folder that it was unpacked into.

use std::fs;

use super::archive::*;
use super::hostile_rows::{rows, Row};
use super::{listing, Scratch};
use crate::app::unpack::check_bytes;
use crate::app::{check, unpack, TarballName, UnpackError, UnpackLimits};

#[test]
fn hostile_archives_are_refused_and_leave_nothing_outside() {
    let name = TarballName::parse("a.v1.tar.gz").unwrap();
    let rows = rows();
    assert!(rows.len() >= 40, "{}", rows.len());
    for Row { what, bytes, fault } in rows {
        let scratch = Scratch::new("hostile");
        let tarball = scratch.file("a.v1.tar.gz", &bytes);
        // Canaries: what a write outside would change.
        scratch.file("evil", "untouched");
        scratch.file("etc/passwd", "untouched");
        scratch.file("x", "untouched");
        let into = scratch.folder("in/to");
        let outside = |scratch: &Scratch| -> Vec<String> {
            listing(scratch.path()).into_iter().filter(|line| !line.starts_with("in/to/")).collect()
        };
        let before = outside(&scratch);

        let unpacked = match unpack(&tarball, &name, &into, UnpackLimits::default(), false) {
            Err(UnpackError::Bad(faults)) => faults,
            other => panic!("{what}: {other:?}"),
        };
        assert_eq!(outside(&scratch), before, "{what}: written outside");
        assert_eq!(check(&tarball), unpacked, "{what}: checking and unpacking differ");
        let first = unpacked[0].to_string();
        assert!(first.starts_with(fault), "{what}: {first}");
        assert!(!first.chars().any(char::is_control), "{what}: {first:?}");
        fs::remove_dir_all(into).unwrap();
    }
    for path in ["/tmp/gwe-evil", "/tmp/gwe-exploit"] {
        assert!(fs::symlink_metadata(path).is_err(), "{path}");
    }
}

#[test]
fn a_bomb_ends_at_the_limit() {
    let scratch = Scratch::new("bomb");
    let name = TarballName::parse("a.v1.tar.gz").unwrap();
    // 8 MB of zeros in some 8 kB, against a limit of 1 MB: as a file, and as padding behind the end mark.
    let zeros = vec![0; 8 << 20];
    let limits = UnpackLimits { bytes: 1 << 20, entries: 100 };
    let declared = tar_gz(&[install_sh(), file("bomb", &zeros)]);
    assert!(declared.len() < 20_000, "{}", declared.len());
    let padded = gz(&[tar(&[install_sh()]), zeros].concat());
    for bytes in [declared, padded] {
        let tarball = scratch.file("a.v1.tar.gz", &bytes);
        let into = scratch.folder("into");
        match unpack(&tarball, &name, &into, limits, false) {
            Err(UnpackError::Bad(faults)) => {
                assert!(
                    faults[0].to_string().ends_with("the tarball unpacks to more than 1048576 bytes"),
                    "{}",
                    faults[0]
                );
            }
            other => panic!("{other:?}"),
        }
        let written: u64 = fs::read_dir(&into).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
        assert!(written <= limits.bytes, "{written}");
        fs::remove_dir_all(into).unwrap();
    }
}

#[test]
fn too_many_inodes_also_by_implied_folders() {
    let name = TarballName::parse("a.v1.tar.gz").unwrap();
    let limits = UnpackLimits { bytes: 1 << 20, entries: 50 };
    let files: Vec<Entry> = (0..60).map(|i| file(&format!("f{i}"), "")).collect();
    let deep = [file(&("d/".repeat(45) + "f"), ""), file(&("e/".repeat(45) + "f"), "")];
    for entries in [&files[..], &deep] {
        match check_bytes(&tar_gz(entries), &name, limits) {
            Err(UnpackError::Bad(faults)) => {
                assert_eq!(faults.last().unwrap().to_string(), "the tarball has more than 50 files and folders");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn all_faults_at_once_and_bounded() {
    let name = TarballName::parse("a.v1.tar.gz").unwrap();
    let faults = |entries: &[Entry]| match check_bytes(&tar_gz(entries), &name, UnpackLimits::default()) {
        Err(UnpackError::Bad(faults)) => faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let several = [file("../a", "x"), symlink("s", "/b"), file("install.sh", "echo"), file("supervisor.conf", "x")];
    let told = faults(&several);
    assert_eq!(told.len(), 5, "{told:#?}");
    let many: Vec<Entry> = (0..500).map(|i| file(&format!("../{i}"), "")).collect();
    let told = faults(&many);
    assert_eq!(told[50], "and more faults, which are not listed");
    assert_eq!(told.len(), 52, "{told:#?}");
}

#[test]
fn cut_at_every_offset_a_tarball_is_never_taken() {
    // psf/requests#4956: a truncated body must never be installed.
    let name = TarballName::parse("a.v1.tar.gz").unwrap();
    let good = tar_gz(&[install_sh(), folder("d"), file("d/f", "content"), symlink("s", "d/f")]);
    assert!(check_bytes(&good, &name, UnpackLimits::default()).is_ok());
    for cut in 0..good.len() {
        assert!(check_bytes(&good[..cut], &name, UnpackLimits::default()).is_err(), "cut at {cut}");
    }
}

#[test]
fn random_damage_never_panics_and_is_never_taken() {
    let name = TarballName::parse("a.v1.tar.gz").unwrap();
    let plain =
        tar(&[install_sh(), long(b'L', "long"), file("f", "x").magic(GNU), pax(&[("path", "p")]), symlink("s", "f")]);
    let mut seed = 42u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize
    };
    for _ in 0..400 {
        let mut bytes = plain.clone();
        for _ in 0..=random() % 4 {
            let at = random() % bytes.len();
            bytes[at] = random() as u8;
        }
        let _ = check_bytes(&gz(&bytes), &name, UnpackLimits { bytes: 1 << 20, entries: 50 });
    }
}
