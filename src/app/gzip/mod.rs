//! gzip (RFC 1952) as a stream: [`Reader`] inflates and verifies in constant memory, [`Writer`] deflates so that the same
//! bytes in give the same bytes out.
//!
//! Invariant: the reader never reports the end of its data before it has seen and checked the trailer of every member.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::GzipReader;
pub use writer::Writer;

use std::fmt;
use std::io;

/// The two bytes that every member begins with.
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The one compression method there is.
const DEFLATE: u8 = 8;

/// What is wrong with a gzip stream. It travels inside an [`io::Error`]; see [`GzipError::of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GzipError {
    /// The first bytes are not gzip's.
    NotGzip,
    /// A header with an unknown method, reserved flags, a bad checksum, or longer than its bound.
    BadHeader,
    /// The file ends in the middle of a member.
    Truncated,
    /// The compressed data cannot be decoded.
    Corrupt,
    /// The trailer's CRC is not that of the data.
    BadCrc,
    /// The trailer's length is not that of the data.
    BadLength,
    /// Bytes other than zeros behind the last member.
    TrailingBytes,
}

impl fmt::Display for GzipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GzipError::NotGzip => "not a gzip file",
            GzipError::BadHeader => "its gzip header is damaged",
            GzipError::Truncated => "truncated: the compressed data ends too early",
            GzipError::Corrupt => "damaged: the compressed data cannot be decoded",
            GzipError::BadCrc => "damaged: the checksum at its end is not that of its data",
            GzipError::BadLength => "damaged: the length at its end is not that of its data",
            GzipError::TrailingBytes => "other bytes follow its compressed data",
        })
    }
}

impl std::error::Error for GzipError {}

impl From<GzipError> for io::Error {
    fn from(e: GzipError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, e)
    }
}

impl GzipError {
    /// The gzip fault inside an I/O error, where it is one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<GzipError> {
        error.get_ref().and_then(|inner| inner.downcast_ref::<GzipError>()).copied()
    }
}
