//! Randomness for jitter, one-time names and one-time passwords.

use std::io;

/// 64 random bits of the kernel. Where the kernel has none to give (very early boot), bits that differ between processes
/// and moments: good enough to spread retries, and nothing here guards a secret with them.
#[must_use]
pub fn bits() -> u64 {
    let mut bytes = [0_u8; 8];
    // SAFETY: the pointer and the length are those of `bytes`.
    let n = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), libc::GRND_NONBLOCK) };
    if n == 8 {
        return u64::from_ne_bytes(bytes);
    }
    let now = super::clock::since_1970();
    let seed = now.as_nanos() as u64 ^ (u64::from(std::process::id()) << 40);
    seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31)
}

/// 128 random bits that nobody can guess. Waits, in very early boot, until the kernel has gathered some.
///
/// # Errors
/// The kernel has no source of randomness.
pub fn token() -> io::Result<[u8; 16]> {
    let mut bytes = [0_u8; 16];
    loop {
        // SAFETY: the pointer and the length are those of `bytes`.
        let n = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        if n == 16 {
            return Ok(bytes);
        }
        let error = io::Error::last_os_error();
        // Up to 256 bytes come whole or not at all, so anything else is a signal or an error.
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_draws_differ() {
        assert_ne!(super::bits(), super::bits());
        assert_ne!(super::token().unwrap(), super::token().unwrap());
    }
}
