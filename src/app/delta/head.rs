//! What a delta says of itself before its first instruction.

use std::io;

use super::model::{Models, BLOCK};
use super::wire::DeltaWire;
use super::{DeltaError, DeltaName};
use crate::app::name::MAX_PART;

/// The first bytes of the inflated delta, and the format's number.
pub(super) const MAGIC: &[u8; 8] = b"GWEDELTA";
pub(super) const FORMAT: u8 = 1;
/// The largest base and the largest result, in bytes: offsets have 32 bits.
pub(super) const MAX_STREAM: u64 = u32::MAX as u64;
/// Entries of a base: as many as a tarball may have.
pub(super) const MAX_ENTRIES: u64 = 20_000;
/// What stands before the paths of an archive: a leading folder at the most.
const MAX_PREFIX: usize = 2 * MAX_PART + 8;

/// A SHA-256.
pub type Sha256 = [u8; 32];

/// The head. What it says has been checked for its bounds, and for nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeltaHead {
    /// Which app, to which version, from which one.
    pub name: DeltaName,
    /// The SHA-256 of the new version's tarball, by which that content is known.
    pub tarball: Sha256,
    /// The new tar stream's size in bytes.
    pub size: u64,
    /// And its SHA-256.
    pub sha256: Sha256,
    /// The base's size in bytes.
    pub base_size: u64,
    /// And its SHA-256.
    pub base_sha256: Sha256,
    /// How the base's headers are written.
    pub(super) models: Models,
    /// The low 16 bits of the CRC-32 of each base entry's header, in the base's order: these entries are the base.
    pub(super) marks: Vec<u16>,
}

impl DeltaHead {
    pub(super) fn read(wire: &mut DeltaWire<'_>) -> io::Result<DeltaHead> {
        if wire.array()? != *MAGIC {
            return Err(DeltaError::NotDelta.into());
        }
        match wire.byte()? {
            FORMAT => {}
            other => return Err(DeltaError::Format(other).into()),
        }
        let mut text = |what| wire.bytes(MAX_PART, what).map(|b| String::from_utf8_lossy(&b).into_owned());
        let (app, new, old) = (text("app")?, text("version")?, text("version")?);
        let name = DeltaName::new(&app, &new, &old).map_err(|_| DeltaError::BadHead("name"))?;
        let tarball = wire.array()?;
        let size = wire.bounded(MAX_STREAM, "size")?;
        let sha256 = wire.array()?;
        let base_size = wire.bounded(MAX_STREAM, "size")?;
        let base_sha256 = wire.array()?;
        let own_times = wire.bounded(1, "times")? == 1;
        let prefix = wire.bytes(MAX_PREFIX, "prefix")?;
        let mut blocks = Box::new([[0; BLOCK]; 4]);
        for block in blocks.iter_mut() {
            wire.exact(block)?;
        }
        let count = wire.bounded(MAX_ENTRIES, "entries")?;
        let mut marks = Vec::with_capacity(count as usize);
        for _ in 0..count {
            marks.push(u16::from_le_bytes(wire.array()?));
        }
        let models = Models { blocks, own_times, prefix };
        Ok(DeltaHead { name, tarball, size, sha256, base_size, base_sha256, models, marks })
    }

    /// Writes it as [`DeltaHead::read`] reads it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        use super::wire::put_number;
        let text = |bytes: &[u8], out: &mut Vec<u8>| {
            put_number(bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        };
        out.extend_from_slice(MAGIC);
        out.push(FORMAT);
        for part in [self.name.app(), self.name.version(), self.name.base()] {
            text(part.as_bytes(), out);
        }
        out.extend_from_slice(&self.tarball);
        for (size, sha256) in [(self.size, self.sha256), (self.base_size, self.base_sha256)] {
            put_number(size, out);
            out.extend_from_slice(&sha256);
        }
        put_number(u64::from(self.models.own_times), out);
        text(&self.models.prefix, out);
        out.extend_from_slice(&self.models.blocks.concat());
        put_number(self.marks.len() as u64, out);
        for mark in &self.marks {
            out.extend_from_slice(&mark.to_le_bytes());
        }
    }
}
