//! Deltas built by hand, good and hostile, and the ways of a base.

mod bases;
mod hostile;
mod vector;

use std::io::{self, Read, Write};
use std::path::Path;

use super::base::{Base, Choice};
use super::head::DeltaHead;
use super::model::{Models, BLOCK};
use super::{Decoder, DeltaName, Root};
use crate::app::gzip;
use crate::sys::sha256::Hash;

fn models() -> Models {
    Models { blocks: Box::new([[0; BLOCK]; 4]), own_times: false, prefix: Vec::new() }
}

/// The head of a delta of `folder` as it is, whose result is `new`.
fn head(folder: &Path, models: Models, new: &[u8]) -> DeltaHead {
    let mut marks = Vec::new();
    let mut base = Base::open(Root::Folder(folder), models.clone(), Choice::All(&mut marks)).unwrap();
    DeltaHead {
        name: DeltaName::new("a", "2", "1").unwrap(),
        tarball: [0; 32],
        size: new.len() as u64,
        sha256: Hash::of(new),
        base_size: base.size(),
        base_sha256: base.sha256().unwrap(),
        models,
        marks,
    }
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = gzip::Writer::new(&mut out).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap();
    out
}

fn delta(head: &DeltaHead, instructions: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    head.write(&mut bytes);
    bytes.extend_from_slice(instructions);
    pack(&bytes)
}

fn apply(delta: &[u8], folder: &Path) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    Decoder::new(&mut &delta[..], Root::Folder(folder))?.read_to_end(&mut out)?;
    Ok(out)
}
