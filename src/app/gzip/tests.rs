//! Against gzip itself, and against every kind of damage.

use std::io::{Read, Write};

use super::{GzipError, GzipReader, Writer};

fn pack(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out).unwrap();
    writer.write_all(data).unwrap();
    writer.finish().unwrap();
    out
}

/// Gives `step` bytes a time, so that every boundary falls everywhere.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.1.min(into.len()).min(self.0.len());
        into[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn unpack_dripping(bytes: &[u8], step: usize) -> Result<Vec<u8>, GzipError> {
    let mut out = Vec::new();
    let mut source = Drip(bytes, step);
    match GzipReader::new(&mut source).read_to_end(&mut out) {
        Ok(_) => Ok(out),
        Err(e) => Err(GzipError::of(&e).expect("a gzip fault")),
    }
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, GzipError> {
    unpack_dripping(bytes, usize::MAX)
}

/// Text that compresses, noise that does not, long runs; longer than the window.
fn sample() -> Vec<u8> {
    let mut data = Vec::new();
    let mut seed = 1u32;
    for i in 0..30_000u32 {
        data.extend_from_slice(format!("line {i} of {}\n", i % 97).as_bytes());
        if i % 3 == 0 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            data.extend_from_slice(&seed.to_le_bytes());
        }
    }
    data.extend_from_slice(&[0; 200_000]);
    data
}

#[test]
fn what_is_packed_unpacks_to_itself_at_every_step() {
    for data in [&b""[..], b"a", b"hello hello hello", &sample()] {
        let packed = pack(data);
        assert_eq!(packed, pack(data), "the same bytes in, the same bytes out");
        for step in [1, 7, 4096, usize::MAX] {
            assert_eq!(unpack_dripping(&packed, step).unwrap(), data);
        }
    }
}

#[test]
fn the_header_holds_no_time_and_no_name() {
    assert_eq!(pack(b"x")[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3]);
}

#[test]
fn what_the_system_gzip_packs_is_read_and_the_other_way_round() {
    let data = sample();
    let gzip = |arguments: &[&str], input: &[u8]| {
        let mut child = std::process::Command::new("gzip")
            .args(arguments)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("gzip runs");
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let feeder = std::thread::spawn(move || stdin.write_all(&input).unwrap());
        let output = child.wait_with_output().unwrap();
        feeder.join().unwrap();
        assert!(output.status.success());
        output.stdout
    };
    for level in ["-1", "-6", "-9"] {
        assert_eq!(unpack(&gzip(&[level, "-c"], &data)).unwrap(), data);
    }
    assert_eq!(gzip(&["-dc"], &pack(&data)), data);
}

/// A member with every optional part of a header.
fn with_all_fields(data: &[u8], header_crc: bool) -> Vec<u8> {
    let plain = pack(data);
    let mut out = plain[..10].to_vec();
    out[3] = 4 | 8 | 16 | if header_crc { 2 } else { 0 };
    out.extend_from_slice(&5u16.to_le_bytes());
    out.extend_from_slice(b"extra");
    out.extend_from_slice(b"name.tar\0a comment\0");
    if header_crc {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&out);
        out.extend_from_slice(&crc.finalize().to_le_bytes()[..2]);
    }
    out.extend_from_slice(&plain[10..]);
    out
}

#[test]
fn optional_fields_members_and_padding() {
    assert_eq!(unpack(&with_all_fields(b"data", false)).unwrap(), b"data");
    assert_eq!(unpack(&with_all_fields(b"data", true)).unwrap(), b"data");
    let two = [pack(b"one "), pack(b""), with_all_fields(b"two", true)].concat();
    for step in [1, usize::MAX] {
        assert_eq!(unpack_dripping(&two, step).unwrap(), b"one two");
    }
    let padded = [pack(b"x"), vec![0; 70_000]].concat();
    assert_eq!(unpack(&padded).unwrap(), b"x");
}

#[test]
fn damage_is_named() {
    let good = pack(b"some data that is long enough to be compressed, compressed, compressed");
    let end = good.len();
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        unpack(&bytes).unwrap_err()
    };
    assert_eq!(changed(0), GzipError::NotGzip);
    assert_eq!(changed(1), GzipError::NotGzip);
    assert_eq!(changed(2), GzipError::BadHeader);
    assert_eq!(changed(end - 8), GzipError::BadCrc);
    assert_eq!(changed(end - 4), GzipError::BadLength);
    assert_eq!(unpack(&[&good[..3], &[0xe0], &good[4..]].concat()), Err(GzipError::BadHeader));
    assert_eq!(unpack(b""), Err(GzipError::Truncated));
    assert_eq!(unpack(b"PK\x03\x04"), Err(GzipError::NotGzip));
    assert_eq!(unpack(&[&good[..], b"junk"].concat()), Err(GzipError::TrailingBytes));
    assert_eq!(unpack(&[&good[..], b"\0\0junk"].concat()), Err(GzipError::TrailingBytes));
    assert_eq!(unpack(&[&good[..], &good[..9]].concat()), Err(GzipError::Truncated));
    let mut bad_header_crc = with_all_fields(b"data", true);
    bad_header_crc[12] ^= 1;
    assert_eq!(unpack(&bad_header_crc), Err(GzipError::BadHeader));
    // A name that never ends.
    let mut endless = good[..10].to_vec();
    endless[3] = 8;
    endless.resize(1 << 20, b'n');
    assert_eq!(unpack(&endless), Err(GzipError::BadHeader));
}

#[test]
fn cut_at_every_offset_it_is_truncated_and_never_complete() {
    // psf/requests#4956: a truncated body must never pass for a whole one.
    let good = with_all_fields(&sample()[..5000], true);
    for cut in 0..good.len() {
        assert_eq!(unpack(&good[..cut]), Err(GzipError::Truncated), "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_is_noticed_or_changes_nothing() {
    let data = &sample()[..3000];
    let good = pack(data);
    for at in 10..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            // The bits that fill deflate's last byte mean nothing.
            assert!(unpack(&bytes).map_or(true, |got| got == data), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn any_bytes_end_in_an_answer() {
    let mut seed = 7u32;
    for length in 0..400 {
        let mut bytes = vec![0x1f, 0x8b, 8, (length % 32) as u8];
        for _ in 0..length {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.push((seed >> 24) as u8);
        }
        let _ = unpack(&bytes);
    }
}
