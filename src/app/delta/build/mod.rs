//! Makes a delta of two tarballs: at a developer's desk, never on a gateway.
//!
//! Invariant: the same two tarballs give the same bytes; a delta that is handed out has been applied, and made its tarball.

mod differ;
mod encode;
mod learn;
mod suffixes;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::base::{Base, Choice};
use super::head::{DeltaHead, Sha256};
use super::{Decoder, DeltaName, DeltaNameError, Root};
use crate::app::fault::Fault;
use crate::app::gzip;
use crate::app::name::{NameError, TarballName};
use crate::app::tarball::UnpackLimits;
use crate::app::unpack::{check_as, unpack, UnpackError};
use crate::sys::file::{self, Context, FileError};
use crate::sys::sha256::Hash;

/// The largest delta in parts of its tarball, in percent: beyond that it is not worth its trouble, and a word about it is.
pub const WORTH: u64 = 90;
/// The agent's app: its delta needs the program alone, so that the image's own, which comes without the rest, serves too.
const AGENT: &str = "gwe";

/// Why no delta was made.
#[derive(Debug)]
pub enum BuildDeltaError {
    /// An operand's name is no tarball's.
    Name(PathBuf, NameError),
    /// The two are no pair that a delta can be named after.
    Pair(DeltaNameError),
    /// They are of two apps.
    TwoApps,
    /// They are of one version.
    OneVersion,
    /// A tarball that is bad.
    Bad(PathBuf, Vec<Fault>),
    /// The delta was made, and does not make the new tarball: a fault of this program.
    Wrong(io::Error),
    /// This machine could not read or write.
    File(FileError),
}

impl fmt::Display for BuildDeltaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildDeltaError::Name(path, e) => write!(f, "{}: {e}", path.display()),
            BuildDeltaError::Pair(e) => e.fmt(f),
            BuildDeltaError::TwoApps => f.write_str("the two tarballs are of two apps"),
            BuildDeltaError::OneVersion => f.write_str("the two tarballs are of one version"),
            BuildDeltaError::Bad(path, faults) => {
                write!(f, "{}", path.display())?;
                faults.iter().try_for_each(|fault| write!(f, ": {fault}"))
            }
            BuildDeltaError::Wrong(e) => write!(f, "the delta does not make the new tarball: {e}"),
            BuildDeltaError::File(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for BuildDeltaError {}

impl From<FileError> for BuildDeltaError {
    fn from(e: FileError) -> BuildDeltaError {
        BuildDeltaError::File(e)
    }
}

/// A delta, and what it saves.
#[derive(Debug)]
pub struct Built {
    /// Its full path.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// The tarball's.
    pub tarball_bytes: u64,
}

/// Makes the delta from `old` to `new` in the folder `into`. `progress` is told the percentage done.
///
/// # Errors
/// Nothing was made, and no delta of that name is left behind.
pub fn build(old: &Path, new: &Path, into: &Path, progress: &mut dyn FnMut(u64)) -> Result<Built, BuildDeltaError> {
    let name = name_of(old, new)?;
    let into = fs::canonicalize(into).context("find", into)?;
    let path = into.join(name.to_string());
    let temporary = into.join(format!(".{name}.new"));
    let scratch = BuildScratch::new(&into, &name)?;
    unpack_old(old, &scratch.0)?;
    let result = write(&name, new, &scratch.0, &temporary, progress);
    match result.and_then(|sizes| Ok(file::rename(&temporary, &path).map(|()| sizes)?)) {
        Ok((bytes, tarball_bytes)) => Ok(Built { path, bytes, tarball_bytes }),
        Err(e) => {
            let _ = fs::remove_file(&temporary);
            Err(e)
        }
    }
}

fn name_of(old: &Path, new: &Path) -> Result<DeltaName, BuildDeltaError> {
    let name = |path: &Path| TarballName::of_path(path).map_err(|e| BuildDeltaError::Name(path.to_path_buf(), e));
    let (old, new) = (name(old)?, name(new)?);
    if old.app() != new.app() {
        return Err(BuildDeltaError::TwoApps);
    }
    if old.version() == new.version() {
        return Err(BuildDeltaError::OneVersion);
    }
    DeltaName::new(new.app(), new.version(), old.version()).map_err(BuildDeltaError::Pair)
}

/// A folder beside the result, gone when it is dropped.
struct BuildScratch(PathBuf);

impl BuildScratch {
    fn new(into: &Path, name: &DeltaName) -> Result<BuildScratch, FileError> {
        let path = into.join(format!(".{name}.{}", std::process::id()));
        fs::create_dir(&path).context("create", &path)?;
        Ok(BuildScratch(path))
    }
}

impl Drop for BuildScratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn unpack_old(old: &Path, folder: &Path) -> Result<(), BuildDeltaError> {
    let name = TarballName::of_path(old).map_err(|e| BuildDeltaError::Name(old.to_path_buf(), e))?;
    unpack(old, &name, folder, UnpackLimits::default(), false).map(|_| ()).map_err(|e| bad(old, e))
}

fn bad(tarball: &Path, error: UnpackError) -> BuildDeltaError {
    match error {
        UnpackError::Bad(faults) => BuildDeltaError::Bad(tarball.to_path_buf(), faults),
        UnpackError::Failed(e) => BuildDeltaError::File(e),
    }
}

/// Writes the delta, applies it, and gives its size and the tarball's.
fn write(
    name: &DeltaName,
    new: &Path,
    folder: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<(u64, u64), BuildDeltaError> {
    check_as(new, name.tarball(), UnpackLimits::default()).map_err(|e| bad(new, e))?;
    let (tarball, stream, tarball_bytes) = read_new(new)?;
    let is_agent = name.app() == AGENT;
    let models = learn::learn(&stream, name.tarball(), !is_agent);
    let mut marks = Vec::new();
    let choice = if is_agent { Choice::Only(AGENT, &mut marks) } else { Choice::All(&mut marks) };
    let wrong = BuildDeltaError::Wrong;
    let mut base = Base::open(Root::Folder(folder), models.clone(), choice).map_err(wrong)?;
    let old = all_of(&mut base).map_err(wrong)?;
    let head = DeltaHead {
        name: name.clone(),
        tarball,
        size: stream.len() as u64,
        sha256: Hash::of(&stream),
        base_size: old.len() as u64,
        base_sha256: Hash::of(&old),
        models,
        marks,
    };
    let mut bytes = Vec::new();
    head.write(&mut bytes);
    progress(0);
    let order = suffixes::suffixes(&old);
    let percent = |at: usize| 50 + 50 * at as u64 / stream.len().max(1) as u64;
    let steps = differ::differ(&old, &stream, &order, &mut |at| progress(percent(at)));
    drop(order);
    encode::encode(&old, &stream, &steps, &mut bytes);
    progress(100);
    let written = |e| FileError::new("write", to, e);
    let mut out = File::create(to).context("create", to)?;
    let mut zip = gzip::Writer::new(&mut out).map_err(written)?;
    zip.write_all(&bytes).and_then(|()| zip.finish()).map_err(written)?;
    out.sync_all().context("sync", to)?;
    prove(to, folder).map_err(wrong)?;
    Ok((out.metadata().context("read", to)?.len(), tarball_bytes))
}

/// The new tarball's SHA-256, its tar stream, and its size.
fn read_new(new: &Path) -> Result<(Sha256, Vec<u8>, u64), BuildDeltaError> {
    let packed = fs::read(new).context("read", new)?;
    let mut stream = Vec::new();
    gzip::GzipReader::new(&mut packed.as_slice()).read_to_end(&mut stream).context("read", new)?;
    Ok((Hash::of(&packed), stream, packed.len() as u64))
}

fn all_of(base: &mut Base) -> io::Result<Vec<u8>> {
    // What a folder of at most 1 GiB makes; a laptop has room for it.
    let mut bytes = vec![0; usize::try_from(base.size()).unwrap_or(usize::MAX)];
    let mut at = 0;
    while at < bytes.len() {
        at += base.read_at(at as u64, &mut bytes[at..])?;
    }
    Ok(bytes)
}

/// Applies the delta: the decoder checks the result.
fn prove(delta: &Path, folder: &Path) -> io::Result<()> {
    let mut file = File::open(delta)?;
    io::copy(&mut Decoder::new(&mut file, Root::Folder(folder))?, &mut io::sink()).map(|_| ())
}
