//! SHA-256: OpenSSL's where this build has it, which knows what the processor can do for it, and a small crate's elsewhere.
//!
//! What a delta makes is hashed whole, and that was half of its CPU time (docs/footprint.md, "An update by delta").

#[cfg(feature = "tls-openssl")]
use openssl::sha::Sha256 as Within;

#[cfg(not(feature = "tls-openssl"))]
use hmac_sha256::Hash as Within;

/// The hash of what it has been given so far.
#[derive(Clone)]
pub struct Hash(Within);

impl Hash {
    /// Of nothing.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Hash {
        Hash(Within::new())
    }

    /// The hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> [u8; 32] {
        let mut hash = Hash::new();
        hash.update(bytes);
        hash.finish()
    }

    /// Goes on with these bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all of them.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        #[cfg(feature = "tls-openssl")]
        return self.0.finish();
        #[cfg(not(feature = "tls-openssl"))]
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(hash: [u8; 32]) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn known_bytes_have_their_known_hash_in_whatever_pieces() {
        for (bytes, want) in [
            (Vec::new(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc".to_vec(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (vec![b'a'; 1_000_000], "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        ] {
            assert_eq!(hex(Hash::of(&bytes)), want);
            for piece in [1, 63, 64, 65, 4096] {
                let mut hash = Hash::new();
                bytes.chunks(piece).for_each(|piece| hash.update(piece));
                assert_eq!(hex(hash.finish()), want, "{piece}");
            }
        }
    }
}
