//! The test vector of docs/delta-format.md.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::super::wire::{put_number, DeltaWire};
use super::*;
use crate::app::tests::Scratch;

const PAGE: &str = include_str!("../../../../docs/delta-format.md");
const INSTRUCTIONS: [u8; 11] = [0x15, 0x80, 0x08, 0x0c, b'a', b'b', b'c', 0x0a, 0, 1, 0xff];
const RESULT: &[u8] = b"helloabc-\x1f";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn folder(scratch: &Scratch) -> PathBuf {
    let file = scratch.file("slot/f", "hello, world");
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o644)).unwrap();
    scratch.path().join("slot")
}

#[test]
fn the_page_s_vector_is_what_this_decoder_reads_and_this_writer_writes() {
    let scratch = Scratch::new("delta-vector");
    let folder = folder(&scratch);
    let head = head(&folder, models(), RESULT);
    let made = delta(&head, &INSTRUCTIONS);
    let block = PAGE.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let shown: String = crate::format::hex::encode(&made);
    assert_eq!(
        apply(&hex(block), &folder).ok().as_deref(),
        Some(RESULT),
        "write it so:\n{shown}\nmark {:04x}",
        head.marks[0]
    );
    assert!(PAGE.contains(&format!("The mark of `f` is {:04x} (hexadecimal)", head.marks[0])), "{:04x}", head.marks[0]);
    // Another compressor may pack the same bytes otherwise.
    let inflate = |bytes: &[u8]| {
        let mut out = Vec::new();
        gzip::GzipReader::new(&mut &bytes[..]).read_to_end(&mut out).unwrap();
        out
    };
    assert_eq!(inflate(&hex(block)), inflate(&made));
}

#[test]
fn numbers_are_as_on_the_page() {
    let signed = |n: i64| (n << 1 ^ n >> 63) as u64;
    for (number, shown) in [
        (0, "`00`"),
        (127, "`7f`"),
        (128, "`80 01`"),
        (300, "`ac 02`"),
        (signed(-1), "`01`"),
        (signed(1), "`02`"),
        (signed(-512), "`ff 07`"),
        (u64::MAX, ""),
    ] {
        let mut bytes = Vec::new();
        put_number(number, &mut bytes);
        assert!(PAGE.contains(shown) && (shown.is_empty() || hex(shown) == bytes), "{number}: {bytes:02x?}");
        assert_eq!(DeltaWire::new(&mut pack(&bytes).as_slice()).number().unwrap(), number);
    }
}
