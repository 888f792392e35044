//! Deltas: what makes of an installed version's folder the tar stream of the next one (docs/delta-format.md).
//!
//! Invariants: the decoder is a reader, and all that follows it is a tarball's way; the folder that it reads is never changed;
//! nothing of a result counts before the SHA-256 of the whole is right; never panics on any bytes.

mod apply;
mod base;
pub mod build;
mod check;
mod decoder;
mod head;
mod model;
mod name;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::io;

pub use apply::apply;
pub use base::Root;
pub use check::{check, check_bytes, head_of};
pub use decoder::Decoder;
pub use head::Sha256;
pub use name::{DeltaName, DeltaNameError};

/// What is wrong with a delta, or with what it needs. It travels inside an [`io::Error`]; see [`DeltaError::of`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum DeltaError {
    /// It does not begin as a delta does.
    NotDelta,
    /// It has a format that this program does not know.
    Format(u8),
    /// A part of its head is out of bounds.
    BadHead(&'static str),
    /// Its head names another app or other versions than its file.
    OtherName,
    /// A number that is too large, or not written in as few bytes as possible.
    BadNumber,
    /// It ends before the result is whole.
    CutShort,
    /// Something follows the last instruction.
    BytesAfterEnd,
    /// An instruction that makes nothing.
    EmptyInstruction,
    /// An instruction of an unknown kind.
    UnknownInstruction,
    /// An instruction makes more than the head says.
    PastResult,
    /// An instruction copies from outside the base.
    OutOfBase,
    /// The result is not what the head says, and the base is.
    WrongResult,
    /// A file of the base cannot be read.
    BaseUnreadable(io::ErrorKind),
    /// The version that it needs is not installed.
    BaseMissing,
    /// The base is not as it was when it was installed.
    BaseChanged,
}

impl DeltaError {
    /// The fault inside an I/O error, where it is one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<DeltaError> {
        error.get_ref().and_then(|inner| inner.downcast_ref::<DeltaError>()).copied()
    }
}

impl fmt::Display for DeltaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeltaError::NotDelta => "not a delta",
            DeltaError::Format(number) => {
                return write!(f, "a delta of format {number}, which this version cannot read")
            }
            DeltaError::BadHead(what) => return write!(f, "the delta is damaged: a bad {what} in its head"),
            DeltaError::OtherName => "the delta is not for the app and the versions that its name says",
            DeltaError::BadNumber => "the delta is damaged: a number that cannot be",
            DeltaError::CutShort => "the delta is damaged: it ends too early",
            DeltaError::BytesAfterEnd => "the delta is damaged: bytes follow its end",
            DeltaError::EmptyInstruction => "the delta is damaged: an instruction that makes nothing",
            DeltaError::UnknownInstruction => "the delta is damaged: an unknown instruction",
            DeltaError::PastResult => "the delta is damaged: it makes more than it says",
            DeltaError::OutOfBase => "the delta is damaged: it copies from outside its base",
            DeltaError::WrongResult => "the delta is damaged: what it makes has another SHA-256",
            DeltaError::BaseUnreadable(kind) => {
                return write!(f, "a file of the version that the delta needs cannot be read: {kind}")
            }
            DeltaError::BaseMissing => "the version that the delta needs is not installed",
            DeltaError::BaseChanged => "files of the version that the delta needs were changed or removed",
        })
    }
}

/// The same words: the derived ones would be another 400 bytes of every image.
impl fmt::Debug for DeltaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for DeltaError {}

impl From<DeltaError> for io::Error {
    fn from(e: DeltaError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, e)
    }
}
