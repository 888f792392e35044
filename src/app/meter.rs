//! Bounds on what the tar parser reads: it believes what an archive says about its own sizes.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};

/// What may stand between two files: headers, long names, extended headers, in bytes.
pub const MAX_METADATA: u64 = 64 * 1024;

/// Counts what the tar parser reads, and ends it where it reads too much.
pub(super) struct Meter {
    /// Left of the whole.
    total: Cell<u64>,
    /// Left until [`Meter::allow`] is called again.
    step: Cell<u64>,
    /// The last read found the end of the archive's bytes.
    ended: Cell<bool>,
}

/// The parser's view of the inflated bytes.
pub(super) struct Metered<'a, 'b> {
    bytes: &'a mut dyn Read,
    meter: &'b Meter,
}

/// A bound that the parser ran into; travels inside an [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// The archive is larger than allowed.
    Total,
    /// What stands between two files is.
    Metadata,
}

impl Meter {
    /// Lets `total` bytes pass in all.
    pub(super) fn new(total: u64) -> Meter {
        // One more than allowed, so that an archive of exactly so many bytes is read to its end.
        Meter { total: Cell::new(total.saturating_add(1)), step: Cell::new(0), ended: Cell::new(false) }
    }

    /// Lets so many bytes pass until the next call.
    pub(super) fn allow(&self, bytes: u64) {
        self.step.set(bytes);
        self.ended.set(false);
    }

    /// Whether `bytes` more would be too much.
    pub(super) fn exceeds(&self, bytes: u64) -> bool {
        bytes >= self.total.get()
    }

    /// Whether the archive's bytes came to their end since [`Meter::allow`].
    pub(super) fn ended(&self) -> bool {
        self.ended.get()
    }

    /// The parser's view of `bytes`.
    pub(super) fn around<'a>(&self, bytes: &'a mut dyn Read) -> Metered<'a, '_> {
        Metered { bytes, meter: self }
    }
}

impl Metered<'_, '_> {
    /// Whether what is read now stands between two files: between [`Meter::allow`] of [`MAX_METADATA`] and of everything.
    pub(super) fn is_between_files(&self) -> bool {
        self.meter.step.get() <= MAX_METADATA
    }
}

impl Bound {
    /// The bound inside an I/O error, where it is one.
    pub(super) fn of(error: &io::Error) -> Option<Bound> {
        error.get_ref().and_then(|inner| inner.downcast_ref::<Bound>()).copied()
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too large")
    }
}

impl std::error::Error for Bound {}

impl Read for Metered<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (total, step) = (self.meter.total.get(), self.meter.step.get());
        let most = usize::try_from(total.min(step)).unwrap_or(usize::MAX).min(into.len());
        if most == 0 && !into.is_empty() {
            let bound = if total == 0 { Bound::Total } else { Bound::Metadata };
            return Err(io::Error::new(io::ErrorKind::InvalidData, bound));
        }
        let count = self.bytes.read(&mut into[..most])?;
        if count == 0 && most > 0 {
            self.meter.ended.set(true);
        }
        self.meter.total.set(total - count as u64);
        self.meter.step.set(step - count as u64);
        Ok(count)
    }
}
