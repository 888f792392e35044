//! The system calls of the experiment: mounts, loop devices, sparse files. The only `unsafe` here.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::ptr;

/// How much of a file is copied at once, in bytes.
const COPY: usize = 1 << 20;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

/// Whether this process is root.
pub fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions.
    unsafe { libc::geteuid() == 0 }
}

/// Gives this thread, the threads that it starts and their children mounts of their own: nobody else sees them, and they are
/// gone with the last of them, however it ends.
pub fn own_mounts() -> io::Result<()> {
    // SAFETY: unshare has no memory effects.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let (none, root) = (c"none".as_ptr(), c"/".as_ptr());
    // SAFETY: the strings are terminated; for a change of propagation, type and data may be null.
    check(unsafe { libc::mount(none, root, ptr::null(), libc::MS_REC | libc::MS_PRIVATE, ptr::null()) })?;
    Ok(())
}

/// `mount -t <kind> -o <options> <source> <target>`.
pub fn mount(source: &Path, target: &Path, kind: &str, options: &str) -> io::Result<()> {
    let (source, target) = (c_path(source)?, c_path(target)?);
    let (kind, options) = (CString::new(kind)?, CString::new(options)?);
    // SAFETY: all four strings are terminated and live until the call returns.
    let result = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
    check(result).map(drop)
}

/// `mount --bind <source> <target>`.
pub fn bind(source: &Path, target: &Path) -> io::Result<()> {
    let (source, target) = (c_path(source)?, c_path(target)?);
    let (source, target) = (source.as_ptr(), target.as_ptr());
    // SAFETY: the strings are terminated; for a bind mount, type and data may be null.
    check(unsafe { libc::mount(source, target, ptr::null(), libc::MS_BIND, ptr::null()) }).map(drop)
}

/// `umount <target>`.
pub fn unmount(target: &Path) -> io::Result<()> {
    let target = c_path(target)?;
    // SAFETY: the string is terminated.
    check(unsafe { libc::umount2(target.as_ptr(), 0) }).map(drop)
}

/// Unmounts what is still in use, as soon as it no longer is.
pub fn unmount_lazily(target: &Path) -> io::Result<()> {
    let target = c_path(target)?;
    // SAFETY: the string is terminated.
    check(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) }).map(drop)
}

/// What is mounted below `target` from now on is mounted in copies of these mounts too, and the other way round.
pub fn share_mounts(target: &Path) -> io::Result<()> {
    let (none, target) = (c"none".as_ptr(), c_path(target)?);
    // SAFETY: the strings are terminated; for a change of propagation, type and data may be null.
    check(unsafe { libc::mount(none, target.as_ptr(), ptr::null(), libc::MS_SHARED, ptr::null()) }).map(drop)
}

/// The children of this process get process ids of their own; the first of them is their init, and they all end with it.
pub fn own_process_ids() -> io::Result<()> {
    // SAFETY: unshare has no memory effects.
    check(unsafe { libc::unshare(libc::CLONE_NEWPID) }).map(drop)
}

/// The program is killed when this thread ends, however it ends.
pub fn die_with_parent(command: &mut Command) {
    let set = || {
        // SAFETY: prctl with these arguments has no memory effects, and may be called between fork and exec.
        check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }).map(drop)
    };
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(set) };
}

/// The program gets a copy of the present mounts.
///
/// The copy matters: the last process of a mount namespace unmounts what is mounted there before it closes its files. A
/// daemon that served the disk of a file system mounted in its own namespace would wait for its own answer, for ever, and
/// every `sync` of the machine with it.
pub fn live_with_a_copy_of_the_mounts(command: &mut Command) {
    let set = || {
        // SAFETY: unshare has no memory effects, and may be called between fork and exec.
        check(unsafe { libc::unshare(libc::CLONE_NEWNS) }).map(drop)
    };
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(set) };
}

/// `ioctl` with a number as its argument.
pub fn ioctl_number(file: &File, request: libc::c_ulong, argument: libc::c_ulong) -> io::Result<libc::c_int> {
    // SAFETY: the requests that are used with this take a number, so that no memory is touched.
    check(unsafe { libc::ioctl(file.as_raw_fd(), request as _, argument) })
}

/// `ioctl` with a structure as its argument, which the kernel only reads.
pub fn ioctl_bytes(file: &File, request: libc::c_ulong, argument: &[u8]) -> io::Result<libc::c_int> {
    // SAFETY: the caller gives as many bytes as the request reads.
    check(unsafe { libc::ioctl(file.as_raw_fd(), request as _, argument.as_ptr()) })
}

/// Copies a file; what was never written in it takes no room in the copy either.
pub fn copy_sparse(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    let target = fs::OpenOptions::new().write(true).create(true).truncate(true).open(to)?;
    let length = source.metadata()?.len();
    target.set_len(length)?;
    let mut buffer = vec![0; COPY];
    let mut at = 0;
    while let Some(start) = seek(&source, at, libc::SEEK_DATA)? {
        let end = seek(&source, start, libc::SEEK_HOLE)?.unwrap_or(length);
        at = start;
        while at < end {
            let count = buffer.len().min((end - at) as usize);
            source.read_exact_at(&mut buffer[..count], at)?;
            target.write_all_at(&buffer[..count], at)?;
            at += count as u64;
        }
    }
    Ok(())
}

/// `None` where there is nothing more of that kind.
fn seek(file: &File, from: u64, kind: libc::c_int) -> io::Result<Option<u64>> {
    let from = libc::off_t::try_from(from).map_err(io::Error::other)?;
    // SAFETY: lseek has no memory effects.
    let found = unsafe { libc::lseek(file.as_raw_fd(), from, kind) };
    match u64::try_from(found) {
        Ok(found) => Ok(Some(found)),
        Err(_) => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
            error => Err(error),
        },
    }
}

/// Makes a part of a file read as zeros.
pub fn punch_hole(file: &File, offset: u64, length: u64) -> io::Result<()> {
    let to_off = |number| libc::off_t::try_from(number).map_err(io::Error::other);
    let (offset, length) = (to_off(offset)?, to_off(length)?);
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: fallocate has no memory effects.
    check(unsafe { libc::fallocate(file.as_raw_fd(), mode, offset, length) }).map(drop)
}
