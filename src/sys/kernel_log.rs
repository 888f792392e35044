//! The kernel's own messages, as `dmesg` shows them.

use std::io;

/// The kernel's number for "read all that is kept, from the end".
const READ_ALL: libc::c_int = 3;

/// The newest messages, at most so many bytes.
///
/// # Errors
/// What the system said: a kernel may tell its messages to some alone.
pub fn newest(max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; max];
    let room = libc::c_int::try_from(max).unwrap_or(libc::c_int::MAX);
    // SAFETY: the buffer is as long as is said, and the call keeps nothing of it.
    let length = unsafe { libc::klogctl(READ_ALL, bytes.as_mut_ptr().cast(), room) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    bytes.truncate(length);
    Ok(bytes)
}
