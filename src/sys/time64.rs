//! Times of 64 bits on every machine. On 32-bit ones `time_t`, and with it most of what the C library offers, ends in January 2038; the
//! kernel has had calls beside the old ones since 5.1, and those are made here directly. An older kernel cannot hold a later time anyway: there
//! the C library's own are called. On 64-bit machines the two are the same.
//!
//! What is relative (waits, limits) may go through the C library: no such time is longer than 68 years.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// Seconds and nanoseconds, as the kernel takes them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time64 {
    pub(super) s: i64,
    pub(super) ns: i64,
}

/// What a clock says.
pub(super) fn read(clock: libc::clockid_t) -> Option<Time64> {
    kernel::read(clock).ok()
}

/// Sets the wall clock.
pub(super) fn set_wall_clock(seconds: i64) -> io::Result<()> {
    kernel::set(libc::CLOCK_REALTIME, Time64 { s: seconds, ns: 0 })
}

/// Gives a file the time of its last change.
///
/// # Errors
/// What the system said.
pub fn set_modified(file: &File, seconds: u64) -> io::Result<()> {
    let s = i64::try_from(seconds).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    kernel::set_times(file.as_raw_fd(), [Time64 { s: 0, ns: UTIME_OMIT }, Time64 { s, ns: 0 }])
}

/// When what is at `path`, a link itself and not what it names, was last changed; `facts` are those of the same file.
#[must_use]
pub fn modified(path: &Path, facts: &Metadata) -> i64 {
    kernel::modified(path, facts)
}

/// This time stays as it is.
const UTIME_OMIT: i64 = (1 << 30) - 2;

#[cfg(target_pointer_width = "64")]
mod kernel {
    use super::{Metadata, Path, Time64};
    use std::io;
    use std::os::unix::fs::MetadataExt;

    pub(super) fn read(clock: libc::clockid_t) -> io::Result<Time64> {
        super::library::read(clock)
    }

    pub(super) fn set(clock: libc::clockid_t, time: Time64) -> io::Result<()> {
        super::library::set(clock, time)
    }

    pub(super) fn set_times(file: libc::c_int, times: [Time64; 2]) -> io::Result<()> {
        super::library::set_times(file, times)
    }

    pub(super) fn modified(_: &Path, facts: &Metadata) -> i64 {
        facts.mtime()
    }
}

#[cfg(target_pointer_width = "32")]
mod kernel {
    use super::{library, Metadata, Path, Time64};
    use std::ffi::CString;
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::MetadataExt;

    // One number for all processors of 32 bits.
    const CLOCK_GETTIME64: libc::c_long = 403;
    const CLOCK_SETTIME64: libc::c_long = 404;
    const UTIMENSAT_TIME64: libc::c_long = 412;

    pub(super) fn read(clock: libc::clockid_t) -> io::Result<Time64> {
        let mut time = Time64 { s: 0, ns: 0 };
        // SAFETY: the call fills in two numbers of 64 bits, which `time` is.
        let result = unsafe { libc::syscall(CLOCK_GETTIME64, clock, &mut time) };
        or_else(result, || library::read(clock).map(|read| time = read))?;
        Ok(time)
    }

    pub(super) fn set(clock: libc::clockid_t, time: Time64) -> io::Result<()> {
        // SAFETY: the call reads two numbers of 64 bits.
        let result = unsafe { libc::syscall(CLOCK_SETTIME64, clock, &time) };
        or_else(result, || library::set(clock, time))
    }

    pub(super) fn set_times(file: libc::c_int, times: [Time64; 2]) -> io::Result<()> {
        let no_path = std::ptr::null::<libc::c_char>();
        // SAFETY: without a path the file itself is meant; the call reads two times.
        let result = unsafe { libc::syscall(UTIMENSAT_TIME64, file, no_path, &times, 0) };
        or_else(result, || library::set_times(file, times))
    }

    /// By statx, which no C library is needed for: std asks it with glibc alone, and shows the old field all the same.
    pub(super) fn modified(path: &Path, facts: &Metadata) -> i64 {
        const STATX_MTIME: libc::c_uint = 0x40;
        /// Of the 32 numbers of 64 bits that statx fills in: the seconds of the last change.
        const MTIME_SECONDS: usize = 14;
        let mut answer = [0_i64; 32];
        let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return facts.mtime() };
        // SAFETY: `path` ends with a NUL, and `answer` has the 256 bytes of a statx.
        let result = unsafe {
            let flags = libc::AT_SYMLINK_NOFOLLOW;
            libc::syscall(libc::SYS_statx, libc::AT_FDCWD, path.as_ptr(), flags, STATX_MTIME, answer.as_mut_ptr())
        };
        if result == 0 {
            answer[MTIME_SECONDS]
        } else {
            facts.mtime()
        }
    }

    /// Where the kernel does not know the call, the C library's.
    fn or_else(result: libc::c_long, library: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match result {
            0 => Ok(()),
            _ => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::ENOSYS) => library(),
                error => Err(error),
            },
        }
    }
}

/// The C library's, with its `time_t`.
mod library {
    use super::Time64;
    use std::io;

    pub(super) fn read(clock: libc::clockid_t) -> io::Result<Time64> {
        let mut time = timespec(Time64 { s: 0, ns: 0 })?;
        // SAFETY: `time` is a valid timespec, which the call fills in.
        result(unsafe { libc::clock_gettime(clock, &mut time) })?;
        // Of 32 bits on some machines.
        #[allow(clippy::useless_conversion)]
        Ok(Time64 { s: time.tv_sec.into(), ns: time.tv_nsec.into() })
    }

    pub(super) fn set(clock: libc::clockid_t, time: Time64) -> io::Result<()> {
        let time = timespec(time)?;
        // SAFETY: `time` is a valid timespec for the whole call, which only reads it.
        result(unsafe { libc::clock_settime(clock, &time) })
    }

    pub(super) fn set_times(file: libc::c_int, times: [Time64; 2]) -> io::Result<()> {
        let times = [timespec(times[0])?, timespec(times[1])?];
        // SAFETY: the call reads two valid times.
        result(unsafe { libc::futimens(file, times.as_ptr()) })
    }

    fn result(code: libc::c_int) -> io::Result<()> {
        match code {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    // tv_sec is of 32 bits on some machines.
    #[allow(clippy::useless_conversion)]
    fn timespec(time: Time64) -> io::Result<libc::timespec> {
        // SAFETY: a timespec is integers only (and padding on some 32-bit machines), so all zeros is a valid one.
        let mut narrow: libc::timespec = unsafe { std::mem::zeroed() };
        narrow.tv_sec = time.s.try_into().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // Below 2^30: it fits every tv_nsec there is.
        narrow.tv_nsec = time.ns as _;
        Ok(narrow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_keeps_a_time_beyond_32_bits() {
        let path = std::env::temp_dir().join(format!("gwe-time64-{}", std::process::id()));
        let file = File::create(&path).unwrap();
        // 2040, and what 32 bits would make of it.
        for seconds in [0, 1_600_000_000, i64::from(i32::MAX) + 1, 2_208_988_800] {
            set_modified(&file, seconds as u64).unwrap();
            assert_eq!(modified(&path, &fs::symlink_metadata(&path).unwrap()), seconds);
        }
        assert!(set_modified(&file, u64::MAX).is_err());
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn the_kernel_and_the_library_tell_the_same_time() {
        for clock in [libc::CLOCK_REALTIME, libc::CLOCK_BOOTTIME] {
            let (before, between, after) =
                (library::read(clock).unwrap(), read(clock).unwrap(), library::read(clock).unwrap());
            let order = |time: Time64| (time.s, time.ns);
            assert!(
                order(before) <= order(between) && order(between) <= order(after),
                "{before:?} {between:?} {after:?}"
            );
        }
        assert_eq!(read(12_345), None);
    }
}
