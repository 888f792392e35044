//! Builds archives, good and bad, from raw header blocks.

use std::io::Write;

use crate::app::gzip;

/// The fields of a header block, written as they are, sound or not.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) kind: u8,
    pub(super) mode: Vec<u8>,
    pub(super) size: Vec<u8>,
    pub(super) data: Vec<u8>,
    pub(super) magic: [u8; 8],
}

pub(super) const USTAR: [u8; 8] = *b"ustar\x0000";
pub(super) const GNU: [u8; 8] = *b"ustar  \0";

pub(super) fn octal(value: u64, width: usize) -> Vec<u8> {
    format!("{value:0>width$o}\0", width = width - 1).into_bytes()
}

impl Entry {
    pub(super) fn new(kind: u8, name: &str, data: &[u8]) -> Entry {
        Entry {
            name: name.into(),
            link: Vec::new(),
            kind,
            mode: octal(0o644, 8),
            size: octal(data.len() as u64, 12),
            data: data.to_vec(),
            magic: USTAR,
        }
    }

    pub(super) fn mode(mut self, mode: u64) -> Entry {
        self.mode = octal(mode, 8);
        self
    }

    pub(super) fn size(mut self, size: u64) -> Entry {
        self.size = octal(size, 12);
        self
    }

    pub(super) fn raw_size(mut self, size: &[u8]) -> Entry {
        self.size = size.to_vec();
        self
    }

    pub(super) fn magic(mut self, magic: [u8; 8]) -> Entry {
        self.magic = magic;
        self
    }

    fn block(&self) -> [u8; 512] {
        let mut block = [0u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.name[..self.name.len().min(100)]);
        put(100, &self.mode);
        put(108, &octal(12345, 8)); // some owner, to be ignored
        put(116, &octal(12345, 8));
        put(124, &self.size);
        put(136, &octal(1_500_000_000, 12));
        put(156, &[self.kind]);
        put(157, &self.link[..self.link.len().min(100)]);
        put(257, &self.magic);
        put(148, b"        ");
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = self.block().to_vec();
        out.extend_from_slice(&self.data);
        out.resize(out.len().div_ceil(512) * 512, 0);
        out
    }
}

pub(super) fn file(name: &str, data: impl AsRef<[u8]>) -> Entry {
    Entry::new(b'0', name, data.as_ref())
}

pub(super) fn folder(name: &str) -> Entry {
    Entry::new(b'5', name, b"").mode(0o755)
}

pub(super) fn symlink(name: &str, to: &str) -> Entry {
    Entry { link: to.into(), ..Entry::new(b'2', name, b"") }
}

pub(super) fn hard_link(name: &str, to: &str) -> Entry {
    Entry { link: to.into(), ..Entry::new(b'1', name, b"") }
}

/// What every app needs.
pub(super) fn install_sh() -> Entry {
    file("install.sh", "#!/bin/sh\nexit 0\n").mode(0o755)
}

/// A PAX extended header with these records.
pub(super) fn pax(records: &[(&str, &str)]) -> Entry {
    let mut data = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3; // a space, an equals sign, a line break
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length += 1;
        }
        data.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
    }
    Entry::new(b'x', "PaxHeaders/x", &data)
}

/// A GNU long name (`L`) or long link target (`K`).
pub(super) fn long(kind: u8, text: &str) -> Entry {
    let mut data = text.as_bytes().to_vec();
    data.push(0);
    Entry::new(kind, "././@LongLink", &data).magic(GNU)
}

/// The entries and the end mark.
pub(super) fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut out: Vec<u8> = entries.iter().flat_map(Entry::bytes).collect();
    out.extend_from_slice(&[0; 1024]);
    out
}

pub(super) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = gzip::Writer::new(&mut out).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap();
    out
}

pub(super) fn tar_gz(entries: &[Entry]) -> Vec<u8> {
    gz(&tar(entries))
}
