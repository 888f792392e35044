//! SHA-1 (RFC 3174) and MD5 (RFC 1321), for servers that name no better hash: they tell a torn download from a whole one, and say
//! nothing about who made it.

use std::marker::PhantomData;

/// What differs between the two.
pub trait HashKind {
    /// Words of the state that are told at the end.
    const WORDS: usize;
    /// Whether numbers begin with their highest byte.
    const BIG_ENDIAN: bool;
    /// Mixes a block, as words, into the state.
    fn mix(state: &mut [u32; 5], block: &[u32; 16]);
}

/// SHA-1.
pub struct Sha1;
/// MD5.
pub struct Md5;

/// A hash being made.
pub struct OldHash<K: HashKind> {
    state: [u32; 5],
    rest: Vec<u8>,
    length: u64,
    kind: PhantomData<K>,
}

const BLOCK: usize = 64;

impl<K: HashKind> Default for OldHash<K> {
    fn default() -> OldHash<K> {
        OldHash::new()
    }
}

impl<K: HashKind> OldHash<K> {
    /// Of nothing as yet.
    #[must_use]
    pub fn new() -> OldHash<K> {
        let state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
        OldHash { state, rest: Vec::with_capacity(BLOCK), length: 0, kind: PhantomData }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        let missing = (BLOCK - self.rest.len()) % BLOCK;
        let (head, tail) = bytes.split_at(missing.min(bytes.len()));
        self.rest.extend_from_slice(head);
        if self.rest.len() == BLOCK {
            let block = std::mem::take(&mut self.rest);
            self.mix(&block);
        }
        let blocks = tail.chunks_exact(BLOCK);
        let rest = blocks.remainder();
        blocks.for_each(|block| self.mix(block));
        self.rest.extend_from_slice(rest);
    }

    /// The hash.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let bits = self.length.wrapping_mul(8);
        let mut end = vec![0x80];
        end.resize(1 + (2 * BLOCK - 9 - self.rest.len()) % BLOCK, 0);
        end.extend_from_slice(&if K::BIG_ENDIAN { bits.to_be_bytes() } else { bits.to_le_bytes() });
        self.update(&end);
        let bytes = |word: &u32| if K::BIG_ENDIAN { word.to_be_bytes() } else { word.to_le_bytes() };
        self.state.iter().take(K::WORDS).flat_map(bytes).collect()
    }

    fn mix(&mut self, block: &[u8]) {
        let mut words = [0; 16];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
            *word = if K::BIG_ENDIAN { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        }
        K::mix(&mut self.state, &words);
    }
}

impl HashKind for Sha1 {
    const WORDS: usize = 5;
    const BIG_ENDIAN: bool = true;

    fn mix(state: &mut [u32; 5], block: &[u32; 16]) {
        let mut w = *block;
        let [mut a, mut b, mut c, mut d, mut e] = *state;
        for t in 0..80 {
            let at = t % 16;
            if t >= 16 {
                w[at] = (w[(t + 13) % 16] ^ w[(t + 8) % 16] ^ w[(t + 2) % 16] ^ w[at]).rotate_left(1);
            }
            let (f, k) = match t / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(w[at]);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (word, more) in state.iter_mut().zip([a, b, c, d, e]) {
            *word = word.wrapping_add(more);
        }
    }
}

const MD5_TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The RFC's table: 2^32 times the sine of each number from 1 on. To calculate it would have libm loaded into every process, for this alone.
#[rustfmt::skip]
const MD5_SINES: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

impl HashKind for Md5 {
    const WORDS: usize = 4;
    const BIG_ENDIAN: bool = false;

    fn mix(state: &mut [u32; 5], block: &[u32; 16]) {
        let [mut a, mut b, mut c, mut d, _] = *state;
        for i in 0..64 {
            let (f, at) = match i / 16 {
                0 => ((b & c) | (!b & d), i),
                1 => ((d & b) | (!d & c), 5 * i + 1),
                2 => (b ^ c ^ d, 3 * i + 5),
                _ => (c ^ (b | !d), 7 * i),
            };
            let sum = a.wrapping_add(f).wrapping_add(MD5_SINES[i]).wrapping_add(block[at % 16]);
            let next = b.wrapping_add(sum.rotate_left(MD5_TURNS[i / 16][i % 4]));
            (a, d, c, b) = (d, c, b, next);
        }
        for (word, more) in state.iter_mut().zip([a, b, c, d]) {
            *word = word.wrapping_add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<K: HashKind>(bytes: &[u8], at_a_time: usize) -> String {
        let mut hash = OldHash::<K>::new();
        bytes.chunks(at_a_time).for_each(|part| hash.update(part));
        crate::format::hex::encode(&hash.finish())
    }

    #[test]
    fn the_vectors_of_both_rfcs_however_they_are_cut() {
        let long = "a".repeat(1_000_000);
        for (text, sha1, md5) in [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d", "900150983cd24fb0d6963f7d28e17f72"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
                "8215ef0796a20bcaaae116d3876c664a",
            ),
            (&long, "34aa973cd4c4daa4f61eeb2bdbad27316534016f", "7707d6ae4e027c70eea2a935c2296f21"),
        ] {
            for at_a_time in [1, 63, 64, 65, 4096] {
                assert_eq!(of::<Sha1>(text.as_bytes(), at_a_time), sha1);
                assert_eq!(of::<Md5>(text.as_bytes(), at_a_time), md5);
            }
        }
    }
}
