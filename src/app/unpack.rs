//! Checks a tarball, and unpacks it into a folder in the same pass.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::delta::{Decoder, DeltaError, DeltaName, Root, Sha256};
use super::fault::{Fault, Reason};
use super::gzip::{self, GzipError};
use super::key_set::KeySet;
use super::name::{TarballName, KEY_SET};
use super::parts::Installer;
use super::program_conf;
use super::tarball::{Pass, TarballStop, UnpackLimits};
use super::target::{Folder, Nowhere, Target};
use crate::sys::file::{Context, FileError};

/// What a good tarball holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// How the app is installed.
    pub installer: Installer,
    /// The text of `supervisor.conf`; `None` for an app that runs once, or a library.
    pub supervisor_conf: Option<String>,
    /// The sizes of all its files together, in bytes.
    pub bytes: u64,
    /// The file that its probe runs, where that is one of the app's own and the tarball does not bring it.
    pub missing_probe: Option<String>,
    /// Why its `uninstall.sh` will not run.
    pub uninstall_fault: Option<Reason>,
}

impl Contents {
    /// Says what a developer should look at, though it may be right.
    pub fn warn(&self) {
        if let Some(file) = &self.missing_probe {
            crate::warning!(
                "supervisor.conf: probe: {file} is not in the tarball: no version settles unless install.sh makes it"
            );
        }
        if let Some(reason) = &self.uninstall_fault {
            crate::warning!("uninstall.sh: {reason}: it will not run when the app is taken away");
        }
    }
}

/// Why a tarball was not unpacked.
#[derive(Debug)]
pub enum UnpackError {
    /// The tarball is bad, and stays so: every fault that was found, at least one.
    Bad(Vec<Fault>),
    /// This machine could not read or write ([`FileError::is_full`] tells a full disk): no word about the tarball.
    Failed(FileError),
}

impl fmt::Display for UnpackError {
    /// The faults in one line, divided by `; `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnpackError::Failed(e) if e.is_full() => write!(f, "the disk is full while unpacking: {e}"),
            UnpackError::Failed(e) => e.fmt(f),
            UnpackError::Bad(faults) => {
                for (index, fault) in faults.iter().enumerate() {
                    if index > 0 {
                        f.write_str("; ")?;
                    }
                    fault.fmt(f)?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for UnpackError {}

/// Unpacks the tarball into `into`, a folder that exists and is empty. With `durable`, all that was written survives power
/// loss once this returns `Ok` (the folder's own entry in its parent is the caller's). Owners are not restored, modes are
/// reduced to `rwxr-xr-x`, times of files are kept.
///
/// # Errors
/// After an error `into` holds some part of the tarball, which the caller removes.
pub fn unpack(
    tarball: &Path,
    name: &TarballName,
    into: &Path,
    limits: UnpackLimits,
    durable: bool,
) -> Result<Contents, UnpackError> {
    let mut source = File::open(tarball).context("open", tarball).map_err(UnpackError::Failed)?;
    let mut folder = Folder::new(into).map_err(UnpackError::Failed)?;
    let contents = pass(&mut gzip::GzipReader::new(&mut source), tarball, name, &mut folder, limits)?;
    if durable {
        folder.sync().map_err(UnpackError::Failed)?;
    }
    Ok(contents)
}

/// Unpacks what a delta makes of `root`, an installed version, as [`unpack`] does a tarball; with no folder to put it in, checks it as
/// [`check_as`] does. Also returns the SHA-256 of the new version's tarball, by which that version is known.
///
/// # Errors
/// As [`unpack`]; a base that is not as it should be is a fault of the delta.
pub fn read_delta(
    delta: &Path,
    name: &DeltaName,
    root: Root<'_>,
    into: Option<&Path>,
    limits: UnpackLimits,
) -> Result<(Contents, Sha256), UnpackError> {
    let mut source = File::open(delta).context("open", delta).map_err(UnpackError::Failed)?;
    let mut decoder = Decoder::new(&mut source, root).map_err(|e| delta_error(e, delta))?;
    if decoder.head().name != *name {
        return Err(UnpackError::Bad(vec![Fault::whole(Reason::Delta(DeltaError::OtherName))]));
    }
    let tarball = decoder.head().tarball;
    let mut folder = into.map(Folder::new).transpose().map_err(UnpackError::Failed)?;
    let target: &mut dyn Target = match &mut folder {
        Some(folder) => folder,
        None => &mut Nowhere,
    };
    let contents = pass(&mut decoder, delta, name.tarball(), target, limits)?;
    Ok((contents, tarball))
}

/// What the system, or the delta's head, says of it.
fn delta_error(error: io::Error, delta: &Path) -> UnpackError {
    match (DeltaError::of(&error), GzipError::of(&error)) {
        (Some(fault), _) => UnpackError::Bad(vec![Fault::whole(Reason::Delta(fault))]),
        (None, Some(fault)) => UnpackError::Bad(vec![Fault::whole(Reason::Gzip(fault))]),
        (None, None) => UnpackError::Failed(FileError::new("read", delta, error)),
    }
}

/// All that is wrong with a tarball on disk, its name included; nothing where it is good. A set of keys is checked as one. Writes nothing.
#[must_use]
pub fn check(tarball: &Path) -> Vec<Fault> {
    let name = match TarballName::of_path(tarball) {
        Ok(name) => name,
        Err(e) => return vec![Fault::whole(Reason::Name(e))],
    };
    if name.app() == KEY_SET {
        let fault = KeySet::read_package(tarball, &name).err();
        return fault.map(|fault| Fault::whole(Reason::KeySet(fault))).into_iter().collect();
    }
    match check_as(tarball, &name, UnpackLimits::default()) {
        Ok(contents) => {
            contents.warn();
            Vec::new()
        }
        Err(UnpackError::Bad(faults)) => faults,
        Err(UnpackError::Failed(e)) => vec![Fault::whole(Reason::Unreadable(e.source.to_string()))],
    }
}

/// Checks a tarball that is kept under another name than its own. Writes nothing.
///
/// # Errors
/// As [`unpack`].
pub fn check_as(tarball: &Path, name: &TarballName, limits: UnpackLimits) -> Result<Contents, UnpackError> {
    let mut source = File::open(tarball).context("open", tarball).map_err(UnpackError::Failed)?;
    pass(&mut gzip::GzipReader::new(&mut source), tarball, name, &mut Nowhere, limits)
}

/// Checks any bytes: what fuzzers call.
///
/// # Errors
/// As [`unpack`].
pub fn check_bytes(bytes: &[u8], name: &TarballName, limits: UnpackLimits) -> Result<Contents, UnpackError> {
    pass(&mut gzip::GzipReader::new(&mut &bytes[..]), Path::new("memory"), name, &mut Nowhere, limits)
}

fn pass(
    stream: &mut dyn Read,
    tarball: &Path,
    name: &TarballName,
    target: &mut dyn Target,
    limits: UnpackLimits,
) -> Result<Contents, UnpackError> {
    let mut pass = Pass::new(name, target, limits);
    match pass.run(stream) {
        Ok(()) => {}
        // What else is missing cannot be known behind this point.
        Err(TarballStop::Fault(fault)) => {
            pass.faults.push(fault);
            return Err(UnpackError::Bad(pass.faults));
        }
        Err(TarballStop::Target(e)) => return Err(UnpackError::Failed(e)),
        Err(TarballStop::Source(e)) => return Err(UnpackError::Failed(FileError::new("read", tarball, e))),
    }
    let (installer, supervisor_conf) = pass.parts.judge(name.app(), &mut pass.faults);
    if !pass.faults.is_empty() {
        return Err(UnpackError::Bad(pass.faults));
    }
    let probe = supervisor_conf.as_deref().and_then(program_conf::own_probe);
    let missing_probe = probe.filter(|file| pass.is_absent(Path::new(file)));
    let uninstall_fault = pass.parts.uninstall_fault();
    Ok(Contents { installer, supervisor_conf, bytes: pass.bytes, missing_probe, uninstall_fault })
}
