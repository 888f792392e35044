//! What kind of entry an archive brings, and whether its extended header can be trusted.

use tar::{Entry, EntryType};

use super::fault::Reason;
use super::headers::Headers;

/// So many records an extended header may have; real ones have under ten.
const MAX_EXTENSIONS: usize = 64;

/// An entry as the parser gives it.
pub(super) type TarEntry<'entry, 'source, 'meter> = Entry<'entry, Headers<'source, 'meter>>;

/// The four kinds of entry that an app may bring.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Folder,
    SymbolicLink,
    HardLink,
}

impl EntryKind {
    /// # Errors
    /// Any other kind, and a folder or link that brings content.
    pub(super) fn of(entry: &TarEntry<'_, '_, '_>, raw: &[u8]) -> Result<EntryKind, Reason> {
        let kind = match entry.header().entry_type() {
            // Before POSIX a folder was a file whose name ends in a slash.
            EntryType::Regular | EntryType::Continuous if raw.ends_with(b"/") => EntryKind::Folder,
            EntryType::Regular | EntryType::Continuous => EntryKind::File,
            EntryType::Directory => EntryKind::Folder,
            EntryType::Symlink => EntryKind::SymbolicLink,
            EntryType::Link => EntryKind::HardLink,
            EntryType::Char | EntryType::Block => return Err(Reason::Device),
            EntryType::Fifo => return Err(Reason::Fifo),
            other => return Err(Reason::UnknownType(other.as_byte())),
        };
        if kind != EntryKind::File && entry.size() != 0 {
            return Err(Reason::UnexpectedContent);
        }
        Ok(kind)
    }
}

/// Extended headers that this parser and another could read differently are refused: a record that is damaged, given twice,
/// a size that is no number, a sparse map (CVE-2026-33055 was such a difference).
///
/// # Errors
/// What is unsound.
pub(super) fn extensions_are_sound(entry: &mut TarEntry<'_, '_, '_>) -> Result<(), Reason> {
    let size = entry.size();
    let Ok(Some(extensions)) = entry.pax_extensions() else { return Ok(()) };
    let mut seen: Vec<&[u8]> = Vec::new();
    for extension in extensions {
        let extension = extension.map_err(|_| Reason::BadPax)?;
        let (key, value) = (extension.key_bytes(), extension.value_bytes());
        if key.starts_with(b"GNU.sparse.") {
            return Err(Reason::Sparse);
        }
        let contradicts = key == b"size" && std::str::from_utf8(value).ok().and_then(|v| v.parse().ok()) != Some(size);
        if contradicts || seen.contains(&key) || seen.len() == MAX_EXTENSIONS {
            return Err(Reason::BadPax);
        }
        seen.push(key);
    }
    Ok(())
}
