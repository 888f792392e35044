//! Applying a delta by hand: what it makes is packed as a tarball again.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{Decoder, DeltaError, DeltaName, DeltaNameError, Root};
use crate::app::gzip;
use crate::app::name::TarballName;
use crate::app::tarball::UnpackLimits;
use crate::app::unpack::{unpack, UnpackError};
use crate::sys::file::{self, Context, FileError};

/// Why a delta was not applied.
#[derive(Debug)]
pub enum ApplyError {
    /// The delta's name is none.
    Name(DeltaNameError),
    /// The old tarball is bad.
    Old(UnpackError),
    /// The delta is damaged, or the old version not what it needs.
    Delta(io::Error),
    /// This machine could not read or write.
    File(FileError),
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApplyError::Name(e) => e.fmt(f),
            ApplyError::Old(e) => e.fmt(f),
            ApplyError::Delta(e) => e.fmt(f),
            ApplyError::File(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for ApplyError {}

impl From<FileError> for ApplyError {
    fn from(e: FileError) -> ApplyError {
        ApplyError::File(e)
    }
}

/// Makes the new version's tarball in the folder `into` of a delta and the old version, a folder or a tarball, and returns its
/// full path. Its tar stream is the new tarball's, byte for byte; how that was compressed may differ.
///
/// # Errors
/// Nothing was made.
pub fn apply(delta: &Path, old: &Path, into: &Path) -> Result<PathBuf, ApplyError> {
    let name = DeltaName::of_path(delta).map_err(ApplyError::Name)?;
    let into = fs::canonicalize(into).context("find", into)?;
    let path = into.join(name.tarball().to_string());
    let temporary = into.join(format!(".{}.new", name.tarball()));
    let made = if old.is_dir() {
        write(delta, &name, old, &temporary)
    } else {
        let scratch = into.join(format!(".{name}.{}", std::process::id()));
        let made = from_tarball(delta, &name, old, &scratch, &temporary);
        let _ = fs::remove_dir_all(&scratch);
        made
    };
    match made.and_then(|()| Ok(file::rename(&temporary, &path)?)) {
        Ok(()) => Ok(path),
        Err(e) => {
            let _ = fs::remove_file(&temporary);
            Err(e)
        }
    }
}

fn from_tarball(delta: &Path, name: &DeltaName, old: &Path, scratch: &Path, to: &Path) -> Result<(), ApplyError> {
    fs::create_dir(scratch).context("create", scratch)?;
    // Kept under any file name: the delta knows which version it needs, and checks it.
    let old_name = TarballName::new(name.app(), name.base());
    let old_name = old_name.map_err(|e| ApplyError::Name(DeltaNameError::Part(e)))?;
    unpack(old, &old_name, scratch, UnpackLimits::default(), false).map_err(ApplyError::Old)?;
    write(delta, name, scratch, to)
}

fn write(delta: &Path, name: &DeltaName, folder: &Path, to: &Path) -> Result<(), ApplyError> {
    let mut source = File::open(delta).context("open", delta)?;
    let mut decoder = Decoder::new(&mut source, Root::Folder(folder)).map_err(ApplyError::Delta)?;
    if decoder.head().name != *name {
        return Err(ApplyError::Delta(DeltaError::OtherName.into()));
    }
    let mut out = File::create(to).context("create", to)?;
    let mut zip = gzip::Writer::new(&mut out).context("write", to)?;
    io::copy(&mut decoder, &mut zip).map_err(ApplyError::Delta)?;
    zip.finish().context("write", to)?;
    Ok(out.sync_all().context("sync", to)?)
}
