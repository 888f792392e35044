//! Tarballs, good and hostile: any name, any type, any mode, and damage to the bytes.

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use flate2::Compression;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tar::{EntryType, Header};

/// What an entry is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A file with these bytes.
    File(Vec<u8>),
    /// A file of so many zeros; they are compressed as they are made, so that a bomb costs little here.
    Zeros(u64),
    /// A folder.
    Folder,
    /// A symbolic link to this.
    Symlink(Vec<u8>),
    /// A hard link to this.
    Hardlink(Vec<u8>),
    /// A character device with this major and minor number.
    Device(u32, u32),
    /// A named pipe.
    Fifo,
    /// Any other type byte, without data.
    Other(u8),
}

#[derive(Debug, Clone)]
struct Entry {
    name: Vec<u8>,
    mode: u32,
    kind: Kind,
}

/// A tarball in the making. Names are taken as they are: `../x`, `/etc/passwd` and bytes that are no UTF-8 too.
#[derive(Debug, Clone, Default)]
pub struct Tarball {
    entries: Vec<Entry>,
}

impl Tarball {
    /// Empty.
    pub fn new() -> Tarball {
        Tarball::default()
    }

    /// An app that only installs: an `install.sh` with this script after its shebang.
    pub fn app(script: &str) -> Tarball {
        Tarball::new().file("install.sh", 0o755, format!("#!/bin/sh\n{script}\n"))
    }

    /// With a file.
    pub fn file(self, name: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Tarball {
        self.entry(name, mode, Kind::File(bytes.into()))
    }

    /// With any entry.
    pub fn entry(mut self, name: impl AsRef<[u8]>, mode: u32, kind: Kind) -> Tarball {
        self.entries.push(Entry { name: name.as_ref().to_vec(), mode, kind });
        self
    }

    /// The gzipped tar.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        self.write_tar(&mut out);
        out.finish().expect("writing to memory succeeds")
    }

    /// The tar alone.
    pub fn tar_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_tar(&mut out);
        out
    }

    /// Writes the gzipped tar to a file.
    #[track_caller]
    pub fn save(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        fs::write(path, self.bytes()).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path.to_path_buf()
    }

    fn write_tar(&self, out: &mut dyn Write) {
        for entry in &self.entries {
            write_entry(entry, out);
        }
        write(out, &[0; 1024]);
    }
}

fn write_entry(entry: &Entry, out: &mut dyn Write) {
    if entry.name.len() > 100 {
        write_long(b'L', &entry.name, out);
    }
    let mut header = header(&entry.name, entry.mode);
    match &entry.kind {
        Kind::File(bytes) => {
            put_header(header, EntryType::Regular, bytes.len() as u64, out);
            put_data(bytes, out);
        }
        Kind::Zeros(size) => {
            put_header(header, EntryType::Regular, *size, out);
            put_zeros(*size, out);
        }
        Kind::Folder => put_header(header, EntryType::Directory, 0, out),
        Kind::Symlink(to) => put_link(header, EntryType::Symlink, to, out),
        Kind::Hardlink(to) => put_link(header, EntryType::Link, to, out),
        Kind::Device(major, minor) => {
            header.set_device_major(*major).expect("a GNU header has device numbers");
            header.set_device_minor(*minor).expect("a GNU header has device numbers");
            put_header(header, EntryType::Char, 0, out);
        }
        Kind::Fifo => put_header(header, EntryType::Fifo, 0, out),
        Kind::Other(byte) => put_header(header, EntryType::new(*byte), 0, out),
    }
}

/// A header with a name that nobody has checked.
fn header(name: &[u8], mode: u32) -> Header {
    let mut header = Header::new_gnu();
    put_text(&mut header.as_gnu_mut().expect("made as GNU").name, name);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_600_000_000);
    header
}

fn put_link(mut header: Header, kind: EntryType, to: &[u8], out: &mut dyn Write) {
    if to.len() > 100 {
        write_long(b'K', to, out);
    }
    put_text(&mut header.as_gnu_mut().expect("made as GNU").linkname, to);
    put_header(header, kind, 0, out);
}

/// The GNU way to say a long name (`L`) or a long link target (`K`): as the data of an entry before it.
fn write_long(kind: u8, text: &[u8], out: &mut dyn Write) {
    let data = [text, b"\0"].concat();
    put_header(header(b"././@LongLink", 0), EntryType::new(kind), data.len() as u64, out);
    put_data(&data, out);
}

fn put_header(mut header: Header, kind: EntryType, size: u64, out: &mut dyn Write) {
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    write(out, header.as_bytes());
}

fn put_data(bytes: &[u8], out: &mut dyn Write) {
    write(out, bytes);
    write(out, &vec![0; bytes.len().next_multiple_of(512) - bytes.len()]);
}

fn put_zeros(size: u64, out: &mut dyn Write) {
    let block = [0; 64 * 1024];
    let mut left = size.next_multiple_of(512);
    while left > 0 {
        let count = left.min(block.len() as u64) as usize;
        write(out, &block[..count]);
        left -= count as u64;
    }
}

fn put_text(field: &mut [u8; 100], text: &[u8]) {
    let length = text.len().min(100);
    field[..length].copy_from_slice(&text[..length]);
}

fn write(out: &mut dyn Write, bytes: &[u8]) {
    out.write_all(bytes).expect("writing to memory succeeds");
}

/// Compresses.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    write(&mut out, bytes);
    out.finish().expect("writing to memory succeeds")
}

/// Decompresses; panics where that is not gzip.
#[track_caller]
pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut out).expect("the bytes are gzip");
    out
}

/// A copy with the byte at `at` changed; negative counts from the end, so `-8` is in the gzip trailer's CRC and `-1` in
/// its length.
#[track_caller]
pub fn damage(bytes: &[u8], at: isize) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    let at = if at < 0 { copy.len().checked_add_signed(at) } else { Some(at as usize) };
    let at = at.filter(|at| *at < copy.len()).expect("the place is within the bytes");
    copy[at] ^= 0xff;
    copy
}

/// So many bytes that no compression makes smaller, the same each time.
#[must_use]
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let step = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(step).take(length).collect()
}
