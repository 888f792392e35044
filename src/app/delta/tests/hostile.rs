//! A table of hostile deltas: each is discarded with one line, none costs more than its bounds.

use std::fs;
use std::os::unix::fs::symlink;

use super::super::head::FORMAT;
use super::super::wire::put_number;
use super::super::{check_bytes, DeltaError};
use super::*;
use crate::app::fault::Reason;
use crate::app::gzip::GzipError;
use crate::app::tests::Scratch;
use crate::app::unpack::{read_delta, UnpackError};
use crate::app::UnpackLimits;

/// An instruction.
fn op(kind: u64, length: u64, step: Option<i64>, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(length << 2 | kind, &mut out);
    if let Some(step) = step {
        put_number((step << 1 ^ step >> 63) as u64, &mut out);
    }
    out.extend_from_slice(bytes);
    out
}

fn slot(scratch: &Scratch) -> std::path::PathBuf {
    scratch.file("slot/d/f", "some content");
    scratch.file("slot/g", "more of it");
    scratch.path().join("slot")
}

#[test]
fn hostile_instructions_by_table() {
    let scratch = Scratch::new("delta-hostile");
    let folder = slot(&scratch);
    let good = head(&folder, models(), b"0123456789");
    let end = good.base_size as i64;
    let literal = op(0, 10, None, b"0123456789");
    let overlong = [&[0x28 | 0x80, 0x00][..], b"0123456789"].concat();
    use DeltaError as E;
    let rows: Vec<(&str, Vec<u8>, E)> = vec![
        ("no instruction at all", vec![], E::CutShort),
        ("a literal that is cut", literal[..5].to_vec(), E::CutShort),
        ("a copy without its place", vec![0x29], E::CutShort),
        ("differences that are cut", op(2, 10, Some(0), b"123"), E::CutShort),
        ("a literal of nothing", op(0, 0, None, b""), E::EmptyInstruction),
        ("a copy of nothing, for ever", op(1, 0, Some(0), b"").repeat(100), E::EmptyInstruction),
        ("differences of nothing", op(2, 0, Some(0), b""), E::EmptyInstruction),
        ("an unknown kind", op(3, 10, Some(0), b""), E::UnknownInstruction),
        ("a number that could be shorter", overlong, E::BadNumber),
        ("a number of eleven bytes", vec![0xff; 11], E::BadNumber),
        ("a number of more than 64 bits", [&[0xff; 9][..], &[0x7f]].concat(), E::BadNumber),
        ("one byte more than the result", op(0, 11, None, b"0123456789x"), E::PastResult),
        ("a literal of 2^62 - 1", op(0, (1 << 62) - 1, None, b""), E::PastResult),
        ("a second one too many", [op(0, 9, None, b"012345678"), op(1, 2, Some(0), b"")].concat(), E::PastResult),
        ("a copy from before the base", op(1, 1, Some(-1), b""), E::OutOfBase),
        ("a copy across its end", op(1, 10, Some(end - 9), b""), E::OutOfBase),
        ("a copy from its end", op(1, 1, Some(end), b""), E::OutOfBase),
        ("differences across its end", op(2, 10, Some(end - 9), &[0; 10]), E::OutOfBase),
        ("the farthest place there is", op(1, 1, Some(i64::MAX), b""), E::OutOfBase),
        ("the farthest place before it", op(1, 1, Some(i64::MIN), b""), E::OutOfBase),
        (
            "steps whose sum overflows",
            [op(1, 1, Some(end - 1), b""), op(1, 1, Some(i64::MAX), b"")].concat(),
            E::OutOfBase,
        ),
        ("more behind the end", [&literal[..], b"x"].concat(), E::BytesAfterEnd),
        ("another result", op(0, 10, None, b"0123456780"), E::WrongResult),
        ("a copy instead of it", op(1, 10, Some(0), b""), E::WrongResult),
    ];
    assert_eq!(apply(&delta(&good, &literal), &folder).unwrap(), b"0123456789");
    for (what, instructions, want) in rows {
        let bytes = delta(&good, &instructions);
        let error = apply(&bytes, &folder).unwrap_err();
        assert_eq!(DeltaError::of(&error), Some(want), "{what}");
        assert!(!error.to_string().contains('\n'));
        // The check without a base finds the same, but for what only the result tells.
        match check_bytes(&bytes, &good.name, UnpackLimits::default()) {
            Ok(()) => assert_eq!(want, E::WrongResult, "{what}"),
            Err(fault) => assert_eq!(fault.reason, Reason::Delta(want), "{what}"),
        }
    }
}

#[test]
fn hostile_heads_by_table() {
    let scratch = Scratch::new("delta-heads");
    let folder = slot(&scratch);
    let good = head(&folder, models(), b"x");
    let mut bytes = Vec::new();
    good.write(&mut bytes);
    let with = |at: usize, new: &[u8]| {
        let mut bytes = bytes.clone();
        bytes.splice(at..at + new.len(), new.iter().copied());
        pack(&bytes)
    };
    let changed = |change: &dyn Fn(&mut DeltaHead)| {
        let mut head = good.clone();
        change(&mut head);
        delta(&head, &op(0, 1, None, b"x"))
    };
    use DeltaError as E;
    let rows: Vec<(&str, Vec<u8>, E)> = vec![
        ("another magic", with(0, b"gwedelta"), E::NotDelta),
        ("a tarball", pack(&[0; 1024]), E::NotDelta),
        ("a later format", with(8, &[FORMAT + 1]), E::Format(FORMAT + 1)),
        ("an app's name with a slash", with(10, b"/"), E::BadHead("name")),
        ("an app's name of 4 GB", with(9, &[0xff, 0xff, 0xff, 0xff, 0x0f]), E::BadHead("app")),
        ("a version that climbs", with(12, b"."), E::BadHead("name")),
        ("a result of 16 EiB", changed(&|head| head.size = u64::MAX), E::BadHead("size")),
        ("a base of 4 GiB", changed(&|head| head.base_size = 1 << 32), E::BadHead("size")),
        ("20,001 entries", changed(&|head| head.marks = vec![0; 20_001]), E::BadHead("entries")),
        ("a prefix of 200 bytes", changed(&|head| head.models.prefix = vec![b'p'; 200]), E::BadHead("prefix")),
        ("one entry more than there is", changed(&|head| head.marks.push(1)), E::BaseChanged),
        ("other entries", changed(&|head| head.marks[1] ^= 1), E::BaseChanged),
        ("a base of another size", changed(&|head| head.base_size += 512), E::BaseChanged),
        ("a head that is cut", pack(&bytes[..500]), E::CutShort),
    ];
    for (what, bytes, want) in rows {
        assert_eq!(DeltaError::of(&apply(&bytes, &folder).unwrap_err()), Some(want), "{what}");
    }
}

#[test]
fn cut_or_changed_anywhere_it_is_refused() {
    let scratch = Scratch::new("delta-damage");
    let folder = slot(&scratch);
    let new = b"a new tar stream, as far as the decoder knows";
    let instructions = [op(0, new.len() as u64 - 4, None, &new[..new.len() - 4]), op(0, 4, None, b"nows")].concat();
    let good = delta(&head(&folder, models(), new), &instructions);
    assert_eq!(apply(&good, &folder).unwrap(), new);
    for cut in 0..good.len() {
        let error = apply(&good[..cut], &folder).unwrap_err();
        assert_eq!(GzipError::of(&error), Some(GzipError::Truncated), "cut at {cut}");
    }
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        assert!(apply(&bytes, &folder).map_or(true, |got| got == new), "byte {at}");
    }
}

#[test]
fn a_bomb_costs_no_more_than_the_install_s_limit() {
    // 4 GiB of zeros, from a delta of some hundred bytes.
    let scratch = Scratch::new("delta-bomb");
    let folder = slot(&scratch);
    let mut head = head(&folder, models(), b"");
    head.size = u64::from(u32::MAX);
    let zeros = op(1, 1024, Some(head.base_size as i64 - 1024), b"");
    let again = op(1, 1024, Some(-1024), b"").repeat(20_000);
    let bomb = scratch.file("a.v2.from.v1.delta", delta(&head, &[zeros, again].concat()));
    let into = scratch.folder("into");
    let limits = UnpackLimits { bytes: 1 << 20, entries: 10 };
    let error = read_delta(&bomb, &head.name, Root::Folder(&folder), Some(&into), limits).unwrap_err();
    assert!(matches!(&error, UnpackError::Bad(faults) if faults[0].reason == Reason::TooLarge(1 << 20)), "{error}");
    assert_eq!(fs::read_dir(into).unwrap().count(), 0);
    assert!(super::super::check(&bomb)[0].reason == Reason::TooLarge(UnpackLimits::default().bytes));
}

#[test]
fn a_base_that_is_not_what_it_was_is_told_from_a_delta_that_is_damaged() {
    type Change = fn(&std::path::Path);
    let rows: [(&str, Change, DeltaError); 8] = [
        ("a file with other bytes", |slot| fs::write(slot.join("g"), "more of 1t").unwrap(), DeltaError::BaseChanged),
        ("a longer file", |slot| fs::write(slot.join("g"), "more of it!").unwrap(), DeltaError::BaseChanged),
        ("no such file", |slot| fs::remove_file(slot.join("g")).unwrap(), DeltaError::BaseChanged),
        ("no folder", |slot| fs::remove_dir_all(slot).unwrap(), DeltaError::BaseUnreadable(io::ErrorKind::NotFound)),
        (
            "another mode",
            |slot| fs::set_permissions(slot.join("g"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap(),
            DeltaError::BaseChanged,
        ),
        (
            "a link in its place, to the same bytes elsewhere",
            |slot| {
                fs::rename(slot.join("g"), slot.with_file_name("elsewhere")).unwrap();
                symlink("../elsewhere", slot.join("g")).unwrap();
            },
            DeltaError::BaseChanged,
        ),
        (
            "a folder that is a link, to the same files elsewhere",
            |slot| {
                fs::rename(slot.join("d"), slot.with_file_name("elsewhere")).unwrap();
                symlink("../elsewhere", slot.join("d")).unwrap();
            },
            DeltaError::BaseChanged,
        ),
        (
            "a pipe that nobody writes to",
            |slot| {
                fs::remove_file(slot.join("g")).unwrap();
                assert!(std::process::Command::new("mkfifo").arg(slot.join("g")).status().unwrap().success());
            },
            DeltaError::BaseChanged,
        ),
    ];
    for (index, (what, change, want)) in rows.into_iter().enumerate() {
        let scratch = Scratch::new(&format!("delta-base-{index}"));
        let folder = slot(&scratch);
        let mut base = Base::open(Root::Folder(&folder), models(), Choice::All(&mut Vec::new())).unwrap();
        let mut new = vec![0; base.size() as usize];
        let mut at = 0;
        while at < new.len() {
            at += base.read_at(at as u64, &mut new[at..]).unwrap();
        }
        let head = head(&folder, models(), &new);
        let bytes = delta(&head, &op(1, head.base_size, Some(0), b""));
        assert_eq!(apply(&bytes, &folder).unwrap(), new);
        change(&folder);
        assert_eq!(DeltaError::of(&apply(&bytes, &folder).unwrap_err()), Some(want), "{what}");
    }
}

#[test]
fn a_folder_that_becomes_a_link_after_it_was_looked_at_leads_nowhere() {
    let scratch = Scratch::new("delta-race");
    let folder = slot(&scratch);
    let mut head = head(&folder, models(), b"");
    head.size = head.base_size;
    let bytes = delta(&head, &op(1, head.base_size, Some(0), b""));
    let mut source = bytes.as_slice();
    let mut decoder = Decoder::new(&mut source, Root::Folder(&folder)).unwrap();
    fs::rename(folder.join("d"), scratch.path().join("elsewhere")).unwrap();
    symlink("../elsewhere", folder.join("d")).unwrap();
    let error = decoder.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(matches!(DeltaError::of(&error), Some(DeltaError::BaseUnreadable(_))), "{error}");
}
