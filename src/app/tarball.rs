//! The one pass over a tarball: every entry is judged, and handed to a [`Target`] that writes it or drops it, so that
//! checking and unpacking cannot differ.
//!
//! Invariants: the `tar` crate only reads headers here, nothing of it writes; an entry reaches the target only when its path
//! lies inside, its folders are real folders that this pass made, and nothing or a file or link of this pass stands there, which it
//! replaces as in every tar (`tar -r`); memory does not grow with the
//! tarball but by some 30 bytes an entry; the gzip trailer is always read and checked, although the archive ends before it.

use std::collections::hash_map::RandomState;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::hash::BuildHasher;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tar::{Archive, EntryType};

use super::delta::DeltaError;
use super::entry::{extensions_are_sound, EntryKind, TarEntry};
use super::fault::{self, Fault, Reason, MAX_FAULTS};
use super::gzip::GzipError;
use super::headers::Headers;
use super::member::{self, Top};
use super::meter::{Bound, Meter, MAX_METADATA};
use super::name::TarballName;
use super::parts::{Parts, TarballPart};
use super::target::Target;
use crate::sys::file::FileError;

/// Bytes moved at a time.
const CHUNK: usize = 64 * 1024;
/// What is passed on of the tar parser's own words, in characters.
const MAX_PARSER_WORDS: usize = 200;

/// What a tarball may grow to. Without such a bound, 1 MB unpacks to 1 GB.
#[derive(Clone, Copy, Debug)]
pub struct UnpackLimits {
    /// The whole unpacked archive, headers and padding included, in bytes.
    pub bytes: u64,
    /// Files, folders and links, folders that are only implied included: each takes an inode.
    pub entries: u32,
}

impl Default for UnpackLimits {
    fn default() -> UnpackLimits {
        UnpackLimits { bytes: 1 << 30, entries: 20_000 }
    }
}

/// Why a pass ended early.
pub(super) enum TarballStop {
    /// The tarball: a fault behind which nothing can be read.
    Fault(Fault),
    /// The target could not be written: no fault of the tarball.
    Target(FileError),
    /// The source could not be read: no fault of the tarball.
    Source(io::Error),
}

/// Why an entry was not taken: it alone is bad, or the pass cannot go on.
enum TarballRefusal {
    Entry(Reason),
    Stop(TarballStop),
}

impl From<Reason> for TarballRefusal {
    fn from(reason: Reason) -> TarballRefusal {
        TarballRefusal::Entry(reason)
    }
}

impl From<TarballStop> for TarballRefusal {
    fn from(stop: TarballStop) -> TarballRefusal {
        TarballRefusal::Stop(stop)
    }
}

impl From<FileError> for TarballRefusal {
    fn from(e: FileError) -> TarballRefusal {
        TarballRefusal::Stop(TarballStop::Target(e))
    }
}

/// What stands at a path that the archive has brought.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    /// A folder, named by an entry or (so far) only implied by one.
    Folder {
        named: bool,
    },
    File,
    /// So many `..` stand at the start of its target.
    SymbolicLink {
        climbs: u8,
    },
}

/// The state of a pass.
pub(super) struct Pass<'a> {
    target: &'a mut dyn Target,
    limits: UnpackLimits,
    folder: String,
    top: Top,
    /// By a keyed hash of the path: 64 random bits keep two paths apart, and no path has to be kept.
    nodes: BTreeMap<u64, Node>,
    keys: RandomState,
    entries: u32,
    pub(super) bytes: u64,
    pub(super) faults: Vec<Fault>,
    pub(super) parts: Parts,
    buffer: Box<[u8]>,
    /// Not yet read of the entry at hand.
    left: u64,
}

impl<'a> Pass<'a> {
    pub(super) fn new(name: &TarballName, target: &'a mut dyn Target, limits: UnpackLimits) -> Pass<'a> {
        Pass {
            target,
            limits,
            folder: name.folder(),
            top: Top::Undecided,
            nodes: BTreeMap::new(),
            keys: RandomState::new(),
            entries: 0,
            bytes: 0,
            faults: Vec::new(),
            parts: Parts::default(),
            buffer: vec![0; CHUNK].into_boxed_slice(),
            left: 0,
        }
    }

    /// Reads the whole tar stream.
    pub(super) fn run(&mut self, stream: &mut dyn Read) -> Result<(), TarballStop> {
        let meter = Meter::new(self.limits.bytes);
        let mut archive = Archive::new(Headers::new(meter.around(stream)));
        let mut entries = archive.entries().map_err(|e| self.stop(e, &[]))?;
        loop {
            // Between two entries the parser gathers long names and extended headers in memory, as large as they claim.
            meter.allow(MAX_METADATA);
            match entries.next() {
                Some(Ok(mut entry)) => {
                    meter.allow(u64::MAX);
                    self.entry(&mut entry, &meter)?;
                }
                Some(Err(e)) => return Err(self.stop(e, &[])),
                None => break,
            }
        }
        let end_mark = !meter.ended();
        meter.allow(u64::MAX);
        self.tail(&mut archive.into_inner(), end_mark)
    }

    /// Behind the end mark only zeros may stand; reading them to the end is what checks the gzip trailer.
    fn tail(&mut self, rest: &mut dyn Read, end_mark: bool) -> Result<(), TarballStop> {
        let mut clean = true;
        loop {
            let count = match rest.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(e) => return Err(self.stop(e, &[])),
            };
            clean = clean && self.buffer[..count].iter().all(|b| *b == 0);
        }
        if !end_mark {
            return Err(TarballStop::Fault(Fault::whole(Reason::NoEndMark)));
        }
        if !clean {
            return Err(TarballStop::Fault(Fault::whole(Reason::BytesAfterEnd)));
        }
        Ok(())
    }

    fn entry(&mut self, entry: &mut TarEntry<'_, '_, '_>, meter: &Meter) -> Result<(), TarballStop> {
        let raw = entry.path_bytes().into_owned();
        self.left = entry.size();
        let kind = entry.header().entry_type();
        if meter.exceeds(self.left) {
            return Err(TarballStop::Fault(Fault::of(&raw, Reason::TooLarge(self.limits.bytes))));
        }
        if kind == EntryType::GNUSparse {
            // Reading it over would make its holes, as large as it claims, for nothing.
            return Err(TarballStop::Fault(Fault::of(&raw, Reason::Sparse)));
        }
        if kind == EntryType::XGlobalHeader && self.left > MAX_METADATA {
            return Err(TarballStop::Fault(Fault::whole(Reason::TooMuchMetadata)));
        }
        if kind != EntryType::XGlobalHeader && !member::is_no_part(&raw, kind.as_byte()) {
            match self.place(entry, &raw) {
                Ok(()) => {}
                Err(TarballRefusal::Entry(reason)) => self.fault(Fault::of(&raw, reason)),
                Err(TarballRefusal::Stop(stop)) => return Err(stop),
            }
        }
        // What was refused is read over here; the parser itself would do so without noticing a cut.
        while self.piece(entry, &raw)? > 0 {}
        Ok(())
    }

    /// Judges one entry and hands it to the target.
    fn place(&mut self, entry: &mut TarEntry<'_, '_, '_>, raw: &[u8]) -> Result<(), TarballRefusal> {
        let kind = EntryKind::of(entry, raw)?;
        let path = self.path(raw, kind == EntryKind::Folder)?;
        extensions_are_sound(entry)?;
        if path.as_os_str().is_empty() {
            return Ok(()); // the root itself
        }
        self.parents(&path)?;
        let mode = entry.header().mode().map_err(|_| Reason::BadMode);
        match (kind, self.node(&path)) {
            (EntryKind::Folder, node) => self.folder(&path, node, mode?),
            (_, Some(Node::Folder { .. })) => Err(Reason::Twice.into()),
            (EntryKind::File, _) => self.file(entry, raw, &path, mode),
            (EntryKind::SymbolicLink, _) => self.symbolic_link(&path, &entry.link_name_bytes().unwrap_or_default()),
            (EntryKind::HardLink, _) => self.hard_link(&path, &entry.link_name_bytes().unwrap_or_default()),
        }
    }

    fn path(&mut self, raw: &[u8], is_folder: bool) -> Result<PathBuf, Reason> {
        let path = member::below_top(&member::path(raw)?, is_folder, &mut self.top, &self.folder)?;
        if path.as_os_str().is_empty() && !is_folder {
            return Err(Reason::NoName);
        }
        Ok(path)
    }

    /// Makes the folders above `path` that no entry has named so far.
    fn parents(&mut self, path: &Path) -> Result<(), TarballRefusal> {
        let Some(parent) = path.parent() else { return Ok(()) };
        if parent.as_os_str().is_empty() || matches!(self.node(parent), Some(Node::Folder { .. })) {
            return Ok(());
        }
        let mut folder = PathBuf::with_capacity(parent.as_os_str().len());
        for name in parent {
            folder.push(name);
            match self.node(&folder) {
                Some(Node::Folder { .. }) => {}
                Some(Node::SymbolicLink { .. }) => return Err(Reason::ThroughLink.into()),
                Some(Node::File) => return Err(Reason::ParentIsFile.into()),
                None => {
                    self.add(&folder, Node::Folder { named: false })?;
                    self.write(|target| target.folder(&folder, 0o755))?;
                }
            }
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path, node: Option<Node>, mode: u32) -> Result<(), TarballRefusal> {
        // Special bits of a folder are dropped: a developer's shared folder hands setgid down without being asked.
        let mode = mode & 0o755 | 0o700;
        match node {
            None => {
                self.add(path, Node::Folder { named: true })?;
                self.write(|target| target.folder(path, mode))?;
            }
            Some(Node::Folder { named: false }) => {
                self.nodes.insert(self.key(path), Node::Folder { named: true });
                self.write(|target| target.folder_mode(path, mode))?;
            }
            // `tar -r` names a folder again; it changes nothing.
            Some(Node::Folder { named: true }) => {}
            Some(_) => return Err(Reason::Twice.into()),
        }
        self.parts.note(path, TarballPart::Other);
        Ok(())
    }

    fn file(
        &mut self,
        entry: &mut TarEntry<'_, '_, '_>,
        raw: &[u8],
        path: &Path,
        mode: Result<u32, Reason>,
    ) -> Result<(), TarballRefusal> {
        self.bring(path, Node::File)?;
        let mode = mode?;
        if mode & 0o6000 != 0 {
            return Err(Reason::SetId(mode & 0o7777).into());
        }
        // Nobody but the owner may change what root runs.
        let mode = mode & 0o755 | 0o600;
        self.parts.note(path, TarballPart::File { mode });
        self.write(|target| target.open_file(path, mode))?;
        loop {
            let count = self.piece(entry, raw)?;
            if count == 0 {
                break;
            }
            self.parts.content(path, &self.buffer[..count]);
            if self.faults.is_empty() {
                self.target.write(&self.buffer[..count])?;
            }
            self.bytes += count as u64;
        }
        let modified = entry.header().mtime().unwrap_or(0);
        self.write(|target| target.close_file(modified))
    }

    fn symbolic_link(&mut self, path: &Path, to: &[u8]) -> Result<(), TarballRefusal> {
        let climbs = member::symlink_target(path, to);
        self.bring(path, Node::SymbolicLink { climbs: *climbs.as_ref().unwrap_or(&0) })?;
        self.parts.note(path, TarballPart::Other);
        climbs?;
        self.write(|target| target.symbolic_link(path, Path::new(OsStr::from_bytes(to))))
    }

    /// A second name of a file or a symbolic link that the archive has brought already, and of nothing else.
    fn hard_link(&mut self, path: &Path, to: &[u8]) -> Result<(), TarballRefusal> {
        let (existing, node) = match self.path(to, false).map(|existing| (self.node(&existing), existing)) {
            Ok((Some(node @ (Node::File | Node::SymbolicLink { .. })), existing)) if existing != path => {
                (existing, node)
            }
            _ => return Err(Reason::HardLinkTarget(fault::shown(to)).into()),
        };
        // The same target, read from another folder.
        if matches!(node, Node::SymbolicLink { climbs } if usize::from(climbs) >= path.components().count()) {
            return Err(Reason::TargetOutside.into());
        }
        self.bring(path, node)?;
        self.parts.note(path, TarballPart::Other);
        self.write(|target| target.hard_link(path, &existing))
    }

    /// Reads the next piece of an entry into the buffer. 0 at its end, which must be where its header says.
    fn piece(&mut self, entry: &mut TarEntry<'_, '_, '_>, raw: &[u8]) -> Result<usize, TarballStop> {
        let count = entry.read(&mut self.buffer).map_err(|e| self.stop(e, raw))?;
        if count == 0 && self.left > 0 {
            return Err(TarballStop::Fault(Fault::of(raw, Reason::CutShort)));
        }
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }

    /// Calls the target unless a fault has been found: what is bad is not written any further.
    fn write(&mut self, action: impl FnOnce(&mut dyn Target) -> Result<(), FileError>) -> Result<(), TarballRefusal> {
        if self.faults.is_empty() {
            action(self.target)?;
        }
        Ok(())
    }

    fn key(&self, path: &Path) -> u64 {
        self.keys.hash_one(path.as_os_str().as_bytes())
    }

    fn node(&self, path: &Path) -> Option<Node> {
        self.nodes.get(&self.key(path)).copied()
    }

    /// Whether it has brought nothing at a path, nor a link on the way there.
    pub(super) fn is_absent(&self, path: &Path) -> bool {
        let is_link = |node| matches!(node, Some(Node::SymbolicLink { .. }));
        self.node(path).is_none() && !path.ancestors().any(|folder| is_link(self.node(folder)))
    }

    /// Notes what comes to `path`; what the archive brought there before goes.
    fn bring(&mut self, path: &Path, node: Node) -> Result<(), TarballRefusal> {
        if self.node(path).is_some() {
            self.write(|target| target.remove(path))?;
        }
        Ok(self.add(path, node)?)
    }

    fn add(&mut self, path: &Path, node: Node) -> Result<(), TarballStop> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(TarballStop::Fault(Fault::whole(Reason::TooManyEntries(self.limits.entries))));
        }
        self.nodes.insert(self.key(path), node);
        Ok(())
    }

    fn fault(&mut self, fault: Fault) {
        match self.faults.len() {
            n if n < MAX_FAULTS => self.faults.push(fault),
            MAX_FAULTS => self.faults.push(Fault::whole(Reason::More)),
            _ => {}
        }
    }

    /// Sorts out whose fault an I/O error is.
    fn stop(&self, error: io::Error, raw: &[u8]) -> TarballStop {
        if error.raw_os_error().is_some() {
            return TarballStop::Source(error);
        }
        if let Some(fault) = GzipError::of(&error) {
            return TarballStop::Fault(Fault::whole(Reason::Gzip(fault)));
        }
        if let Some(fault) = DeltaError::of(&error) {
            return TarballStop::Fault(Fault::whole(Reason::Delta(fault)));
        }
        let reason = match Bound::of(&error) {
            Some(Bound::Total) => Reason::TooLarge(self.limits.bytes),
            Some(Bound::Metadata) => Reason::TooMuchMetadata,
            None => Reason::Tar(error.to_string().chars().take(MAX_PARSER_WORDS).collect()),
        };
        TarballStop::Fault(Fault::of(raw, reason))
    }
}
