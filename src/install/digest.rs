//! SHA-256 of a file, in constant memory.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::format::hex;
use crate::format::old_hash::{Md5, OldHash, Sha1};
use crate::sys::file::{Context, FileError};
use crate::sys::sha256::Hash;

/// The file's SHA-256 as 64 lower-case hexadecimal digits.
///
/// # Errors
/// The file cannot be read.
pub fn of_file(path: &Path) -> Result<String, FileError> {
    let mut hash = Hash::new();
    each_part(path, |bytes| hash.update(bytes))?;
    Ok(hex::encode(&hash.finish()))
}

/// The file's SHA-1, for servers that know nothing better.
///
/// # Errors
/// The file cannot be read.
pub fn sha1_of_file(path: &Path) -> Result<String, FileError> {
    let mut hash = OldHash::<Sha1>::new();
    each_part(path, |bytes| hash.update(bytes))?;
    Ok(hex::encode(&hash.finish()))
}

/// The file's MD5, for servers that know nothing better.
///
/// # Errors
/// The file cannot be read.
pub fn md5_of_file(path: &Path) -> Result<String, FileError> {
    let mut hash = OldHash::<Md5>::new();
    each_part(path, |bytes| hash.update(bytes))?;
    Ok(hex::encode(&hash.finish()))
}

fn each_part(path: &Path, mut take: impl FnMut(&[u8])) -> Result<(), FileError> {
    let mut file = File::open(path).context("open", path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer).context("read", path)? {
            0 => return Ok(()),
            n => take(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_digest_of_abc() {
        let path = std::env::temp_dir().join(format!("gwe-digest-{}", std::process::id()));
        std::fs::write(&path, "abc").unwrap();
        let want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(super::of_file(&path).unwrap(), want);
        std::fs::remove_file(path).unwrap();
    }
}
