//! The virtual base: the canonical tar stream of an installed version's folder, readable at any offset, written nowhere.
//!
//! Invariants: only entries that the head marks are in it; files are opened beneath the folder without following a link, and
//! nothing there is changed; of an entry some 50 bytes are kept.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::head::{Sha256, MAX_STREAM};
use super::model::{ModelFacts, ModelKind, Models, BLOCK};
use super::DeltaError;
use crate::app::limits::{MAX_DEPTH, MAX_PATH};
use crate::sys::sha256::Hash;
use crate::sys::{beneath, time64};

/// What ends a tar archive.
const END_MARK: u64 = 2 * BLOCK as u64;
/// Entries of a folder that are looked at, those included that the app itself has added.
const MAX_SEEN: usize = 200_000;
/// Bytes hashed at a time.
const CHUNK: usize = 64 * 1024;

/// What a base is made of.
#[derive(Clone, Copy, Debug)]
pub enum Root<'a> {
    /// An installed version's folder.
    Folder(&'a Path),
    /// One file, as if it alone stood in a folder: the agent of the image.
    File(&'a Path),
}

/// One entry that is in the base.
struct BaseEntry {
    /// Where its header begins in the stream.
    start: u32,
    size: u32,
    /// The entry of its folder; its own number at the top.
    parent: u32,
    /// Where its name begins in the names.
    name: u32,
    mode: u16,
    name_length: u8,
    kind: ModelKind,
    modified: u64,
}

/// The base of a delta.
pub struct Base {
    root: PathBuf,
    models: Models,
    entries: Vec<BaseEntry>,
    names: Vec<u8>,
    size: u64,
    /// The entry whose header is at hand.
    at: Option<usize>,
    header: Vec<u8>,
    /// The file of that entry, once it was read.
    file: Option<File>,
}

/// Which entries of a folder are in the base.
pub(super) enum Choice<'a> {
    /// Those that the head marks, in order.
    Marked(&'a [u16]),
    /// Every one, and their marks are kept here: how a builder sees what unpacking has made.
    All(&'a mut Vec<u16>),
    /// The files of this name at the top.
    Only(&'a str, &'a mut Vec<u16>),
}

impl Choice<'_> {
    /// Whether the next entry, with this header, is in.
    fn takes(&mut self, taken: usize, path: &[u8], header: &[u8]) -> bool {
        let mark = mark(header);
        match self {
            Choice::Marked(marks) => {
                let _ = path;
                marks.get(taken) == Some(&mark)
            }
            Choice::All(marks) => {
                marks.push(mark);
                true
            }
            Choice::Only(name, marks) => {
                let is_it = path == name.as_bytes();
                marks.extend(is_it.then_some(mark));
                is_it
            }
        }
    }
}

/// The low 16 bits of a header's CRC-32.
fn mark(header: &[u8]) -> u16 {
    crc32fast::hash(header) as u16
}

/// A folder whose entries are being looked at.
struct BaseLevel {
    /// Still to come, the next one last.
    names: Vec<OsString>,
    /// Its own entry.
    entry: Option<u32>,
}

impl Base {
    /// Looks at what is there.
    ///
    /// # Errors
    /// It cannot be read, or has more than a base may have.
    pub(super) fn open(root: Root<'_>, models: Models, mut choice: Choice<'_>) -> io::Result<Base> {
        let (folder, first) = match root {
            Root::Folder(folder) => (folder, None),
            Root::File(file) => (file.parent().unwrap_or(Path::new("/")), file.file_name()),
        };
        let mut base = Base {
            root: folder.to_path_buf(),
            models,
            entries: Vec::new(),
            names: Vec::new(),
            size: 0,
            at: None,
            header: Vec::new(),
            file: None,
        };
        let names = match first {
            Some(name) => vec![name.to_os_string()],
            None => sorted_names(folder)?,
        };
        base.walk(names, &mut choice)?;
        base.entries.shrink_to_fit();
        base.names.shrink_to_fit();
        base.size += END_MARK;
        Ok(base)
    }

    /// Depth first, names in order.
    fn walk(&mut self, names: Vec<OsString>, choice: &mut Choice<'_>) -> io::Result<()> {
        let (mut path, mut seen) = (PathBuf::new(), 0);
        let mut levels = vec![BaseLevel { names, entry: None }];
        while let Some(level) = levels.last_mut() {
            let Some(name) = level.names.pop() else {
                levels.pop();
                path.pop();
                continue;
            };
            let parent = level.entry;
            path.push(&name);
            seen += 1;
            if seen > MAX_SEEN {
                return Err(DeltaError::BaseChanged.into());
            }
            let place = self.root.join(&path);
            let folder = match fs::symlink_metadata(&place) {
                Ok(facts) if path.as_os_str().len() <= MAX_PATH => self.consider(&path, parent, &facts, choice)?,
                // Removed since its folder was listed, or longer than any entry's path: not in the base, then.
                _ => None,
            };
            match folder {
                // What lies in a folder that is not in the base is not in it, either.
                Some(entry) if levels.len() <= MAX_DEPTH => {
                    levels.push(BaseLevel { names: sorted_names(&place)?, entry: Some(entry) });
                }
                _ => {
                    path.pop();
                }
            }
        }
        Ok(())
    }

    /// Adds an entry where the choice takes it; its number, where it is a folder.
    fn consider(
        &mut self,
        path: &Path,
        parent: Option<u32>,
        facts: &Metadata,
        choice: &mut Choice<'_>,
    ) -> io::Result<Option<u32>> {
        let kind = match facts.file_type() {
            kind if kind.is_file() => ModelKind::File,
            kind if kind.is_dir() => ModelKind::Folder,
            kind if kind.is_symlink() => ModelKind::Link,
            _ => return Ok(None),
        };
        let target = match kind {
            ModelKind::Link => fs::read_link(self.root.join(path)).map(|to| to.into_os_string().into_vec())?,
            ModelKind::File | ModelKind::Folder => Vec::new(),
        };
        let size = if kind == ModelKind::File { facts.len() } else { 0 };
        let modified = time64::modified(&self.root.join(path), facts).try_into().unwrap_or(0);
        let path = path.as_os_str().as_bytes();
        let mode = facts.mode() & 0o777;
        self.models.header(&ModelFacts { path, kind, mode, size, modified, target: &target }, &mut self.header);
        self.at = None;
        if !choice.takes(self.entries.len(), path, &self.header) {
            return Ok(None);
        }
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let number = self.entries.len() as u32;
        self.entries.push(BaseEntry {
            start: self.size as u32,
            size: size as u32,
            parent: parent.unwrap_or(number),
            name: self.names.len() as u32,
            mode: mode as u16,
            // A name has at most 255 bytes.
            name_length: name.len() as u8,
            kind,
            modified,
        });
        self.names.extend_from_slice(name);
        self.size += self.header.len() as u64 + size.div_ceil(BLOCK as u64) * BLOCK as u64;
        if self.size + END_MARK > MAX_STREAM {
            return Err(DeltaError::BaseChanged.into());
        }
        Ok((kind == ModelKind::Folder).then_some(number))
    }

    /// How many entries it has.
    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Reads some bytes at an offset below its size, at least one.
    pub(super) fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.size - offset).unwrap_or(usize::MAX).min(into.len());
        let into = &mut into[..most];
        let after = self.entries.partition_point(|entry| u64::from(entry.start) <= offset);
        let end = self.entries.get(after).map_or(self.size - END_MARK, |next| u64::from(next.start));
        let Some(index) = after.checked_sub(1).filter(|_| offset < end) else {
            into.fill(0);
            return Ok(into.len());
        };
        let most = into.len().min((end - offset) as usize);
        let into = &mut into[..most];
        self.go_to(index)?;
        let entry = &self.entries[index];
        let within = (offset - u64::from(entry.start)) as usize;
        if let Some(rest) = self.header.get(within..).filter(|rest| !rest.is_empty()) {
            let count = rest.len().min(into.len());
            into[..count].copy_from_slice(&rest[..count]);
            return Ok(count);
        }
        let within = (within - self.header.len()) as u64;
        let left = u64::from(entry.size).saturating_sub(within);
        if left == 0 {
            into.fill(0);
            return Ok(into.len());
        }
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        match self.file(index)?.read_at(&mut into[..count], within) {
            Ok(0) => Err(DeltaError::BaseChanged.into()),
            Ok(count) => Ok(count),
            Err(e) => Err(unreadable(&e)),
        }
    }

    /// Its SHA-256: what tells a base that was changed from a delta that is damaged.
    pub(super) fn sha256(&mut self) -> io::Result<Sha256> {
        let (mut hash, mut offset, mut buffer) = (Hash::new(), 0, vec![0; CHUNK]);
        while offset < self.size {
            let count = self.read_at(offset, &mut buffer)?;
            hash.update(&buffer[..count]);
            offset += count as u64;
        }
        Ok(hash.finish())
    }

    /// Has the header of an entry at hand.
    fn go_to(&mut self, index: usize) -> io::Result<()> {
        if self.at == Some(index) {
            return Ok(());
        }
        self.file = None;
        let path = self.path(index);
        let entry = &self.entries[index];
        let target = match entry.kind {
            ModelKind::Link => {
                let place = self.root.join(&path);
                fs::read_link(place).map_err(|e| unreadable(&e))?.into_os_string().into_vec()
            }
            ModelKind::File | ModelKind::Folder => Vec::new(),
        };
        let facts = ModelFacts {
            path: path.as_os_str().as_bytes(),
            kind: entry.kind,
            mode: u32::from(entry.mode),
            size: u64::from(entry.size),
            modified: entry.modified,
            target: &target,
        };
        self.models.header(&facts, &mut self.header);
        self.at = Some(index);
        Ok(())
    }

    /// The file of the entry whose header is at hand.
    fn file(&mut self, index: usize) -> io::Result<&File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => beneath::open(&self.root, &self.path(index)).map_err(|e| unreadable(&e))?,
        };
        Ok(self.file.insert(file))
    }

    fn path(&self, mut index: usize) -> PathBuf {
        let mut names: Vec<&[u8]> = Vec::new();
        loop {
            let entry = &self.entries[index];
            let name = entry.name as usize;
            names.push(&self.names[name..name + usize::from(entry.name_length)]);
            match entry.parent as usize {
                // A folder stands before what lies in it.
                parent if parent < index => index = parent,
                _ => break,
            }
        }
        names.reverse();
        PathBuf::from(OsString::from_vec(names.join(&b'/')))
    }
}

/// What the system said of a file of the base: the base's fault, not the delta's.
fn unreadable(error: &io::Error) -> io::Error {
    DeltaError::BaseUnreadable(error.kind()).into()
}

/// The names in a folder, the first one last.
fn sorted_names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| unreadable(&e))? {
        names.push(entry.map_err(|e| unreadable(&e))?.file_name());
        if names.len() > MAX_SEEN {
            return Err(DeltaError::BaseChanged.into());
        }
    }
    crate::format::sort::sort(&mut names);
    names.reverse();
    Ok(names)
}
