//! Whether a delta is sound, as far as that can be told without what it needs.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::head::DeltaHead;
use super::wire::DeltaWire;
use super::{Decoder, DeltaError, DeltaName};
use crate::app::fault::{Fault, Reason};
use crate::app::gzip::GzipError;
use crate::app::UnpackLimits;

/// Bytes decoded at a time.
const CHUNK: usize = 64 * 1024;

/// The head of a delta on disk.
///
/// # Errors
/// A [`DeltaError`], a gzip fault, or what the system said.
pub fn head_of(delta: &Path) -> io::Result<DeltaHead> {
    let mut file = File::open(delta)?;
    DeltaHead::read(&mut DeltaWire::new(&mut file))
}

/// All that is wrong with a delta on disk, its name included; nothing where it is good. Writes nothing.
#[must_use]
pub fn check(delta: &Path) -> Vec<Fault> {
    let reason = match DeltaName::of_path(delta) {
        Err(e) => Reason::DeltaName(e),
        Ok(name) => match File::open(delta) {
            Err(e) => Reason::Unreadable(e.to_string()),
            Ok(mut file) => match check_stream(&mut file, &name, UnpackLimits::default()) {
                Ok(()) => return Vec::new(),
                Err(reason) => reason,
            },
        },
    };
    vec![Fault::whole(reason)]
}

/// Checks any bytes as a delta of that name: what fuzzers call.
///
/// # Errors
/// What is wrong.
pub fn check_bytes(bytes: &[u8], name: &DeltaName, limits: UnpackLimits) -> Result<(), Fault> {
    check_stream(&mut &bytes[..], name, limits).map_err(Fault::whole)
}

fn check_stream(source: &mut dyn Read, name: &DeltaName, limits: UnpackLimits) -> Result<(), Reason> {
    let mut decoder = Decoder::without_base(source).map_err(|e| reason(&e))?;
    if decoder.head().name != *name {
        return Err(Reason::Delta(DeltaError::OtherName));
    }
    if decoder.head().size > limits.bytes {
        return Err(Reason::TooLarge(limits.bytes));
    }
    let mut buffer = vec![0; CHUNK];
    while decoder.read(&mut buffer).map_err(|e| reason(&e))? > 0 {}
    Ok(())
}

fn reason(error: &io::Error) -> Reason {
    match (DeltaError::of(error), GzipError::of(error)) {
        (Some(fault), _) => Reason::Delta(fault),
        (None, Some(fault)) => Reason::Gzip(fault),
        (None, None) => Reason::Unreadable(error.to_string()),
    }
}
