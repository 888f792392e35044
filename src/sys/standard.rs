//! Standard output as the system gives it. What is printed here is whole lines and whole answers, which need no buffer: the standard
//! library's, which writes at each end of a line, is 4 kB of flash.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;

/// Standard output, which stays open.
#[must_use]
pub fn stdout() -> ManuallyDrop<File> {
    // SAFETY: the runtime has seen to it that something is open there before anything of ours ran, and nothing closes it.
    ManuallyDrop::new(unsafe { File::from_raw_fd(libc::STDOUT_FILENO) })
}
