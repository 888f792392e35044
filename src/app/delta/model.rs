//! The tar headers of the virtual base: made from four model headers of the new archive, so that where an entry is the same in
//! both versions, its header is byte for byte the new one's (docs/delta-format.md, "The base").

/// A tar block, in bytes.
pub(super) const BLOCK: usize = 512;
/// The longest path that fits into a header, and the longest target of a link.
const MAX_SHORT: usize = 100;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModelKind {
    File,
    Folder,
    Link,
}

/// One entry of the base, as its folder on disk tells it.
pub(super) struct ModelFacts<'a> {
    pub(super) path: &'a [u8],
    pub(super) kind: ModelKind,
    pub(super) mode: u32,
    pub(super) size: u64,
    pub(super) modified: u64,
    /// Of a link.
    pub(super) target: &'a [u8],
}

/// How the new archive writes its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Models {
    /// Of a file, an executable, a folder, a link.
    pub(super) blocks: Box<[[u8; BLOCK]; 4]>,
    /// Whether a file's time is its own; else it is the model's.
    pub(super) own_times: bool,
    /// What stands before each path: `./`, the leading folder, or nothing.
    pub(super) prefix: Vec<u8>,
}

impl Models {
    /// Writes the header of an entry into `out`, which it replaces.
    pub(super) fn header(&self, facts: &ModelFacts<'_>, out: &mut Vec<u8>) {
        out.clear();
        let (which, usual) = match facts.kind {
            ModelKind::File if facts.mode & 0o100 == 0 => (0, 0o644),
            ModelKind::File => (1, 0o755),
            ModelKind::Folder => (2, 0o755),
            ModelKind::Link => (3, facts.mode),
        };
        let model = &self.blocks[which];
        let mut path = [self.prefix.as_slice(), facts.path].concat();
        if facts.kind == ModelKind::Folder && name_of(model).ends_with(b"/") {
            path.push(b'/');
        }
        for (long, letter) in [(path.as_slice(), b'L'), (facts.target, b'K')] {
            if long.len() > MAX_SHORT {
                long_name(letter, long, out);
            }
        }
        let mut block = *model;
        fill(&mut block[..100], &path);
        if facts.mode != usual {
            octal(&mut block[100..108], u64::from(facts.mode));
        }
        octal(&mut block[124..136], facts.size);
        if self.own_times && facts.kind == ModelKind::File {
            octal(&mut block[136..148], facts.modified);
        }
        fill(&mut block[157..257], facts.target);
        sum(&mut block);
        out.extend_from_slice(&block);
    }
}

/// The name in a header.
pub(super) fn name_of(block: &[u8; BLOCK]) -> &[u8] {
    block[..100].split(|b| *b == 0).next().unwrap_or_default()
}

/// GNU's way to give a path or a target that a header has no room for.
fn long_name(letter: u8, name: &[u8], out: &mut Vec<u8>) {
    let mut block = [0; BLOCK];
    fill(&mut block[..100], b"././@LongLink");
    octal(&mut block[100..108], 0o644);
    for field in [108..116, 116..124, 136..148] {
        octal(&mut block[field], 0);
    }
    octal(&mut block[124..136], name.len() as u64 + 1);
    block[156] = letter;
    block[257..265].copy_from_slice(b"ustar  \0");
    sum(&mut block);
    out.extend_from_slice(&block);
    out.extend_from_slice(name);
    out.resize(out.len() + BLOCK - name.len() % BLOCK, 0);
}

/// As much of `text` as fits, and zeros.
fn fill(field: &mut [u8], text: &[u8]) {
    let count = text.len().min(field.len());
    field.fill(0);
    field[..count].copy_from_slice(&text[..count]);
}

/// Octal digits up to the last byte, which is zero. What does not fit loses its first digits, here as there.
fn octal(field: &mut [u8], mut value: u64) {
    if let Some((last, digits)) = field.split_last_mut() {
        *last = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (value % 8) as u8;
            value /= 8;
        }
    }
}

/// The checksum, as the model writes it: six digits, a zero byte and a space, or seven digits and a zero byte.
fn sum(block: &mut [u8; BLOCK]) {
    let spaced = block[155] == b' ';
    block[148..156].fill(b' ');
    let total = block.iter().map(|b| u64::from(*b)).sum();
    octal(&mut block[148..if spaced { 155 } else { 156 }], total);
}
