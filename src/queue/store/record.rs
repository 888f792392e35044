//! The records of the log as bytes: how they are framed, written and read back.
//!
//! ```text
//! crc u32 | kind u8 | body length u24 | sequence number u64 | body          (little endian)
//! ```
//! The checksum covers the store's salt and everything behind itself. The salt is what makes a value that merely looks like a
//! record (an app may send any bytes) no record. Nothing written here is all zeros, so zeros are "never written".
//!
//! Invariant: decoding never panics on any bytes, and never yields a record that was not written.

use super::fields::{Fields, HEADER};
use super::state::StoreState;
use crate::queue::point::{Point, PointTime, MAX_ALIAS};

const KIND_POINT: u8 = 1;
const KIND_POINT_SINCE_BOOT: u8 = 2;
const KIND_STATE: u8 = 3;

/// The bytes of a point's record beside alias and value, at the most.
const POINT_OVERHEAD: usize = HEADER + 8 + 12 + 1;

/// A record that passed its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in the order of all records; never used twice.
    pub sequence: u64,
    /// The whole record, header included.
    pub bytes: &'a [u8],
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordBody {
    /// A point of an identity.
    Point(u64, Point),
    /// What has become of earlier records.
    State(StoreState),
}

/// How many bytes a point takes in the log, at the most.
#[must_use]
pub fn point_size(point: &Point) -> usize {
    POINT_OVERHEAD + point.alias.len() + point.value.len()
}

/// Appends a point's record. An alias beyond [`MAX_ALIAS`] is cut: the server refuses such before.
pub fn push_point(out: &mut Vec<u8>, salt: u64, sequence: u64, identity: u64, point: &Point) {
    let kind = match point.time {
        PointTime::Unix(_) => KIND_POINT,
        PointTime::SinceBoot { .. } => KIND_POINT_SINCE_BOOT,
    };
    push(out, salt, kind, sequence, |body| {
        body.extend_from_slice(&identity.to_le_bytes());
        match point.time {
            PointTime::Unix(unix) => body.extend_from_slice(&unix.to_le_bytes()),
            PointTime::SinceBoot { boot, milliseconds } => {
                body.extend_from_slice(&boot.to_le_bytes());
                body.extend_from_slice(&milliseconds.to_le_bytes());
            }
        }
        let alias = point.alias.as_bytes();
        let alias = &alias[..alias.len().min(MAX_ALIAS)];
        body.push(alias.len() as u8);
        body.extend_from_slice(alias);
        body.extend_from_slice(point.value.as_bytes());
    });
}

/// Appends a state's record.
pub fn push_state(out: &mut Vec<u8>, salt: u64, sequence: u64, state: &StoreState) {
    push(out, salt, KIND_STATE, sequence, |body| state.encode(body));
}

fn push(out: &mut Vec<u8>, salt: u64, kind: u8, sequence: u64, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    body(out);
    let length = (out.len() - start - HEADER) as u32;
    let record = &mut out[start..];
    record[4..8].copy_from_slice(&(length << 8 | u32::from(kind)).to_le_bytes());
    record[8..16].copy_from_slice(&sequence.to_le_bytes());
    let crc = checksum(salt, &record[4..]);
    record[..4].copy_from_slice(&crc.to_le_bytes());
}

/// The record at the start of `bytes`, where there is a whole one that passes its checksum.
#[must_use]
pub fn first(bytes: &[u8], salt: u64) -> Option<Record<'_>> {
    let (_, length) = plausible(bytes)?;
    let whole = bytes.get(..length)?;
    let crc = u32::from_le_bytes(whole.get(..4)?.try_into().ok()?);
    if checksum(salt, whole.get(4..)?) != crc {
        return None;
    }
    let sequence = u64::from_le_bytes(whole.get(8..16)?.try_into().ok()?);
    Some(Record { sequence, bytes: whole })
}

/// The sequence number and the length that the header at the start of `bytes` claims, before any checksum: cheap enough to
/// ask at every byte of a damaged stretch.
#[must_use]
pub fn plausible(bytes: &[u8]) -> Option<(u64, usize)> {
    let header = bytes.get(..HEADER)?;
    if !(KIND_POINT..=KIND_STATE).contains(&header[4]) {
        return None;
    }
    let length = HEADER + usize::from(header[5]) + (usize::from(header[6]) << 8) + (usize::from(header[7]) << 16);
    let sequence = u64::from_le_bytes(header.get(8..16)?.try_into().ok()?);
    (length <= bytes.len()).then_some((sequence, length))
}

impl Record<'_> {
    /// The identity, where this is a point: without decoding the rest.
    #[must_use]
    pub fn point_identity(&self) -> Option<u64> {
        match self.bytes.get(4)? {
            &KIND_POINT | &KIND_POINT_SINCE_BOOT => {
                Some(u64::from_le_bytes(self.bytes.get(HEADER..HEADER + 8)?.try_into().ok()?))
            }
            _ => None,
        }
    }

    /// What the record says. `None`: it is whole, but of a later version of this program.
    #[must_use]
    pub fn entry(&self) -> Option<RecordBody> {
        let kind = *self.bytes.get(4)?;
        let mut body = Fields(self.bytes.get(HEADER..)?);
        if kind == KIND_STATE {
            return StoreState::decode(&mut body).map(RecordBody::State);
        }
        let identity = body.u64()?;
        let time = match kind {
            KIND_POINT => PointTime::Unix(body.u64()?),
            KIND_POINT_SINCE_BOOT => PointTime::SinceBoot { boot: body.u32()?, milliseconds: body.i64()? },
            _ => return None,
        };
        let length = usize::from(body.u8()?);
        let alias = text(body.take(length)?);
        Some(RecordBody::Point(identity, Point { alias, value: text(body.0), time }))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn checksum(salt: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: u64 = 0x0123_4567_89ab_cdef;

    fn point(alias: &str, value: &str, time: PointTime) -> Point {
        Point { alias: alias.into(), value: value.into(), time }
    }

    #[test]
    fn points_come_back_as_they_went() {
        let points = [
            point("temperature", "21.5", PointTime::Unix(1_700_000_000)),
            point("", "", PointTime::Unix(0)),
            point("é", "a&b=c\0\u{1F600}", PointTime::SinceBoot { boot: 7, milliseconds: -3 }),
            point(&"a".repeat(255), &"v".repeat(70_000), PointTime::Unix(u64::MAX)),
        ];
        for (i, point) in points.iter().enumerate() {
            let mut bytes = Vec::new();
            push_point(&mut bytes, SALT, i as u64, 42, point);
            assert!(bytes.len() <= point_size(point));
            bytes.extend_from_slice(b"what follows");
            let record = first(&bytes, SALT).unwrap();
            assert_eq!((record.sequence, record.point_identity()), (i as u64, Some(42)));
            assert_eq!(record.entry(), Some(RecordBody::Point(42, point.clone())));
        }
    }

    #[test]
    fn a_record_of_a_hundred_bytes_costs_thirty_three_more() {
        let mut bytes = Vec::new();
        push_point(&mut bytes, SALT, 1, 1, &point("abcdefghij", &"v".repeat(90), PointTime::Unix(1)));
        assert_eq!(bytes.len(), 133);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed_and_another_salt_is_no_record() {
        let mut whole = Vec::new();
        push_point(&mut whole, SALT, 9, 1, &point("a", "value", PointTime::Unix(5)));
        assert!(first(&whole, SALT + 1).is_none());
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(first(&bytes, SALT).is_none(), "bit {bit}");
        }
        for end in 0..whole.len() {
            assert!(first(&whole[..end], SALT).is_none(), "cut at {end}");
        }
        assert!(first(&[0; 64], SALT).is_none(), "zeros are never a record");
    }
}
