//! Between the front end of hosting and its core: bytes in a file without a name, packets with a descriptor, and the step from one to the other.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use super::program::Program;

/// Where a core finds its configuration.
const CONFIGURATION: RawFd = 3;
/// Where a core has its memory. A fresh one must not take something else for that of one before it.
pub const STATE: RawFd = 4;

fn answer(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// A file in memory that holds these bytes, read from its beginning.
///
/// # Errors
/// The kernel has no such files, or no memory.
pub fn memory_file(bytes: &[u8]) -> io::Result<File> {
    let name = CString::new("gwe-configuration").map_err(io::Error::other)?;
    // SAFETY: the name ends with NUL; the descriptor is new and nobody else's.
    let mut file = unsafe { File::from_raw_fd(answer(libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC))?) };
    file.write_all(bytes)?;
    Ok(file)
}

/// A descriptor that was open when this program began; it is closed when the next one begins.
#[must_use]
pub fn inherited(fd: RawFd) -> Option<OwnedFd> {
    // SAFETY: a number that is no descriptor is an error, and nothing else in this process has taken it: the caller asks once.
    unsafe {
        answer(libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC)).ok()?;
        Some(OwnedFd::from_raw_fd(fd))
    }
}

/// Sends a packet, and a copy of a descriptor with it.
///
/// # Errors
/// What the system said; the other side may be gone.
pub fn send(socket: &impl AsRawFd, packet: &[u8], with: Option<RawFd>) -> io::Result<()> {
    let mut part = libc::iovec { iov_base: packet.as_ptr().cast_mut().cast(), iov_len: packet.len() };
    // Words, so that it is aligned as its header wants.
    let mut control = [0_u64; 8];
    // SAFETY: an empty message; then pointers to what lives until the call is done.
    unsafe {
        let mut message: libc::msghdr = mem::zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        if let Some(fd) = with {
            let length = mem::size_of::<RawFd>() as libc::c_uint;
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(length) as _;
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(length) as _;
            libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        }
        match libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_NOSIGNAL) {
            sent if sent < 0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

/// The next packet; how long it is, 0 when the other side is gone. `None`: none came in that time.
///
/// # Errors
/// What the system said.
pub fn receive(socket: &impl AsRawFd, buffer: &mut [u8], limit: Duration) -> io::Result<Option<usize>> {
    let ms = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
    let mut asked = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one record, and a buffer as long as said.
    unsafe {
        if answer(libc::poll(&mut asked, 1, ms))? == 0 {
            return Ok(None);
        }
        match libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) {
            count if count < 0 => Err(io::Error::last_os_error()),
            count => Ok(usize::try_from(count).ok()),
        }
    }
}

/// Becomes the core, with this configuration and these arguments. Comes back only where that cannot be.
#[must_use]
pub fn become_core(core: &Path, name: &OsStr, arguments: &[OsString], configuration: &File) -> io::Error {
    let mut program = Program::new(core);
    program.called(name).args(arguments);
    let fd = configuration.as_raw_fd();
    // SAFETY: calls of the system only. This process is about to be replaced, so what is closed here is nobody's.
    unsafe {
        // A copy out of the way first: the file may have one of the numbers itself.
        let copy = libc::fcntl(fd, libc::F_DUPFD, 100);
        if copy < 0 || libc::dup2(copy, CONFIGURATION) < 0 {
            return io::Error::last_os_error();
        }
        libc::close(copy);
        if fd != STATE {
            libc::close(STATE);
        }
        if fd == CONFIGURATION {
            libc::fcntl(CONFIGURATION, libc::F_SETFD, 0);
        }
    }
    program.exec()
}
