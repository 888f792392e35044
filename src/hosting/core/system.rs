//! Calls of the system, each as a safe function: descriptors, files, memory, clocks. `Err` is the system's number.

use super::arch::{call, number, CLOSE_RANGE};

pub type SysResult<T> = Result<T, i32>;

pub const ENOENT: i32 = 2;
pub const ESRCH: i32 = 3;
pub const EINTR: i32 = 4;
pub const EAGAIN: i32 = 11;
pub const ENOMEM: i32 = 12;
pub const EACCES: i32 = 13;
pub const EEXIST: i32 = 17;
pub const EINVAL: i32 = 22;
pub const ENFILE: i32 = 23;
pub const EMFILE: i32 = 24;
pub const EPIPE: i32 = 32;
pub const ECONNREFUSED: i32 = 111;
pub const EADDRINUSE: i32 = 98;

pub const AT_FDCWD: isize = -100;
const AT_EMPTY_PATH: usize = 0x1000;
pub const O_RDONLY: usize = 0;
pub const O_WRONLY: usize = 1;
pub const O_RDWR: usize = 2;
pub const O_CREAT: usize = 0o100;
pub const O_NOCTTY: usize = 0o400;
pub const O_TRUNC: usize = 0o1000;
pub const O_APPEND: usize = 0o2000;
pub const O_NONBLOCK: usize = 0o4000;
pub const O_CLOEXEC: usize = 0o2000000;
/// Without it a 32-bit kernel opens no file of 2 GB and more, and lets none grow so far; the others take it as given.
const O_LARGEFILE: usize = if cfg!(target_arch = "arm") { 0o400000 } else { 0 };

/// The longest path, with the NUL behind it. The system's own bound is four times that; so the core's stack stays small.
pub const PATH_MAX: usize = 1024;

/// What a call gave: an error where it is a negative number of that range.
pub fn answer(result: isize) -> SysResult<usize> {
    match result {
        -4095..=-1 => Err(-result as i32),
        good => Ok(good as usize),
    }
}

/// # Safety
/// Pointers among the arguments are good for the call.
pub unsafe fn ask(number: usize, arguments: &[usize]) -> SysResult<usize> {
    let mut all = [0; 6];
    for (to, from) in all.iter_mut().zip(arguments) {
        *to = *from;
    }
    answer(call(number, all))
}

/// A text with a NUL at its end, for the system.
#[derive(Clone, Copy)]
pub struct Path<'a>(&'a [u8]);

impl<'a> Path<'a> {
    /// The bytes up to the first NUL, which must be there.
    pub fn of(bytes: &'a [u8]) -> Option<Path<'a>> {
        bytes.contains(&0).then_some(Path(bytes))
    }

    pub fn pointer(self) -> usize {
        self.0.as_ptr() as usize
    }
}

/// A path with its NUL, put together.
pub struct PathBuffer {
    bytes: [core::mem::MaybeUninit<u8>; PATH_MAX],
    len: usize,
}

impl PathBuffer {
    /// `None`: too long, or with a NUL in it.
    pub fn of(parts: &[&[u8]]) -> Option<PathBuffer> {
        let mut buffer = PathBuffer { bytes: [core::mem::MaybeUninit::uninit(); PATH_MAX], len: 0 };
        for part in parts {
            for byte in *part {
                if *byte == 0 || buffer.len + 1 >= PATH_MAX {
                    return None;
                }
                buffer.bytes[buffer.len].write(*byte);
                buffer.len += 1;
            }
        }
        buffer.bytes[buffer.len].write(0);
        Some(buffer)
    }

    /// Without the NUL.
    pub fn bytes(&self) -> &[u8] {
        self.path().0.get(..self.len).unwrap_or(b"")
    }

    pub fn path(&self) -> Path<'_> {
        // SAFETY: all up to and with the NUL has been written.
        Path(unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.len + 1) })
    }
}

pub fn read(fd: i32, into: &mut [u8]) -> SysResult<usize> {
    // SAFETY: the buffer is as long as said.
    unsafe { ask(number::READ, &[fd as usize, into.as_mut_ptr() as usize, into.len()]) }
}

pub fn write(fd: i32, bytes: &[u8]) -> SysResult<usize> {
    // SAFETY: the bytes are there.
    unsafe { ask(number::WRITE, &[fd as usize, bytes.as_ptr() as usize, bytes.len()]) }
}

pub fn pread(fd: i32, into: &mut [u8], at: usize) -> SysResult<usize> {
    let (buffer, len) = (into.as_mut_ptr() as usize, into.len());
    // SAFETY: the buffer is as long as said. 32-bit ARM takes the place in an even pair of registers.
    unsafe {
        match cfg!(target_arch = "arm") {
            true => ask(number::PREAD, &[fd as usize, buffer, len, 0, at, 0]),
            false => ask(number::PREAD, &[fd as usize, buffer, len, at]),
        }
    }
}

pub fn close(fd: i32) {
    if fd >= 0 {
        // SAFETY: no memory. The caller forgets the number.
        let _ = unsafe { ask(number::CLOSE, &[fd as usize]) };
    }
}

/// Everything from this number on.
pub fn close_from(first: i32) {
    // SAFETY: no memory.
    let done = unsafe { ask(CLOSE_RANGE, &[first as usize, u32::MAX as usize, 0]) };
    if done.is_err() {
        // Kernels before 5.9: the core itself never has more.
        (first..4096).for_each(close);
    }
}

pub fn open(path: Path<'_>, flags: usize, mode: u32) -> SysResult<i32> {
    // SAFETY: a path ends with NUL.
    let fd = unsafe { ask(number::OPENAT, &[AT_FDCWD as usize, path.pointer(), flags | O_LARGEFILE, mode as usize]) };
    fd.map(|fd| fd as i32)
}

pub fn unlink(path: Path<'_>) -> SysResult<usize> {
    // SAFETY: a path ends with NUL.
    unsafe { ask(number::UNLINKAT, &[AT_FDCWD as usize, path.pointer(), 0]) }
}

pub fn rename(from: Path<'_>, to: Path<'_>) -> SysResult<usize> {
    // SAFETY: paths end with NUL.
    unsafe { ask(number::RENAMEAT, &[AT_FDCWD as usize, from.pointer(), AT_FDCWD as usize, to.pointer()]) }
}

pub fn chmod(path: Path<'_>, mode: u32) -> SysResult<usize> {
    // SAFETY: a path ends with NUL.
    unsafe { ask(number::FCHMODAT, &[AT_FDCWD as usize, path.pointer(), mode as usize]) }
}

pub fn chown(path: Path<'_>, uid: i32, gid: i32) -> SysResult<usize> {
    // SAFETY: a path ends with NUL.
    unsafe { ask(number::FCHOWNAT, &[AT_FDCWD as usize, path.pointer(), uid as usize, gid as usize, 0]) }
}

/// Whether this process may run the file.
pub fn may_run(path: Path<'_>) -> SysResult<usize> {
    // SAFETY: a path ends with NUL.
    unsafe { ask(number::FACCESSAT, &[AT_FDCWD as usize, path.pointer(), 1]) }
}

/// What is asked of a file.
#[derive(Clone, Copy)]
pub struct Facts {
    pub mode: u32,
    pub inode: u64,
    pub device: u64,
    pub size: u64,
}

impl Facts {
    pub fn is_regular(&self) -> bool {
        self.mode & 0o170000 == 0o100000
    }

    pub fn is_socket(&self) -> bool {
        self.mode & 0o170000 == 0o140000
    }

    pub fn is_folder(&self) -> bool {
        self.mode & 0o170000 == 0o040000
    }
}

fn facts(fd: isize, path: Path<'_>, flags: usize) -> SysResult<Facts> {
    const MODE: usize = if cfg!(target_arch = "x86_64") { 24 } else { 16 };
    const INODE: usize = if cfg!(target_arch = "arm") { 96 } else { 8 };
    let mut raw = [0_u64; 24];
    // SAFETY: the kernel's record is at most 144 bytes on these machines.
    unsafe { ask(number::FSTATAT, &[fd as usize, path.pointer(), raw.as_mut_ptr() as usize, flags]) }?;
    let word = |at: usize| raw.get(at / 8).copied().unwrap_or(0);
    let mode = (word(MODE) >> (8 * (MODE % 8))) as u32;
    Ok(Facts { mode, inode: word(INODE), device: word(0), size: word(48) })
}

pub fn facts_of(path: Path<'_>) -> SysResult<Facts> {
    facts(AT_FDCWD, path, 0)
}

pub fn facts_of_open(fd: i32) -> SysResult<Facts> {
    facts(fd as isize, Path(b"\0"), AT_EMPTY_PATH)
}

const F_DUPFD: usize = 0;
const F_DUPFD_CLOEXEC: usize = 1030;
const F_GETFL: usize = 3;
const F_SETFL: usize = 4;

/// The same descriptor with a number out of the way of those that are fixed.
pub fn high(fd: i32) -> SysResult<i32> {
    move_up(fd, F_DUPFD)
}

/// The same for one that no other program gets.
pub fn high_until_exec(fd: i32) -> SysResult<i32> {
    move_up(fd, F_DUPFD_CLOEXEC)
}

fn move_up(fd: i32, how: usize) -> SysResult<i32> {
    const FIRST_FREE: usize = 64;
    // SAFETY: no memory.
    let moved = unsafe { ask(number::FCNTL, &[fd as usize, how, FIRST_FREE]) };
    close(fd);
    moved.map(|fd| fd as i32)
}

pub fn set_nonblocking(fd: i32) {
    // SAFETY: no memory.
    unsafe {
        if let Ok(flags) = ask(number::FCNTL, &[fd as usize, F_GETFL]) {
            let _ = ask(number::FCNTL, &[fd as usize, F_SETFL, flags | O_NONBLOCK]);
        }
    }
}

/// Makes `to` the same as `from`.
pub fn dup_to(from: i32, to: i32) -> SysResult<i32> {
    if from == to {
        return Ok(to);
    }
    // SAFETY: no memory.
    unsafe { ask(number::DUP3, &[from as usize, to as usize, 0]) }.map(|fd| fd as i32)
}

/// Gives a descriptor the number `to`, and its own back.
pub fn move_to(from: i32, to: i32) -> SysResult<()> {
    if from == to {
        return Ok(());
    }
    let moved = dup_to(from, to);
    close(from);
    moved.map(|_| ())
}

/// Reading end, writing end.
pub fn pipe() -> SysResult<(i32, i32)> {
    let mut ends = [0_i32; 2];
    // SAFETY: room for two.
    unsafe { ask(number::PIPE2, &[ends.as_mut_ptr() as usize, 0]) }?;
    Ok((ends[0], ends[1]))
}

#[repr(C)]
struct Timespec {
    s: i64,
    ns: i64,
}

fn clock(which: usize) -> (i64, i64) {
    let mut time = Timespec { s: 0, ns: 0 };
    let at = &mut time as *mut Timespec as usize;
    // SAFETY: room for the larger of both forms.
    unsafe {
        #[cfg(target_arch = "arm")]
        if ask(number::CLOCK_GETTIME64, &[which, at]).is_err() {
            let mut old = [0_i32; 2];
            let _ = ask(number::CLOCK_GETTIME, &[which, old.as_mut_ptr() as usize]);
            return (i64::from(old[0]), i64::from(old[1]));
        }
        #[cfg(not(target_arch = "arm"))]
        let _ = ask(number::CLOCK_GETTIME, &[which, at]);
    }
    (time.s, time.ns)
}

/// Milliseconds on the clock that nobody sets.
pub fn now_ms() -> u64 {
    let (s, ns) = clock(1);
    (s as u64).wrapping_mul(1000).wrapping_add(ns as u64 / 1_000_000)
}

/// Seconds of 1970 and milliseconds.
pub fn wall() -> (i64, u32) {
    let (s, ns) = clock(0);
    (s, (ns / 1_000_000) as u32)
}

pub fn set_umask(mask: u32) -> u32 {
    // SAFETY: no memory.
    unsafe { ask(number::UMASK, &[mask as usize]) }.unwrap_or(0) as u32
}

pub fn change_folder(path: Path<'_>) -> SysResult<usize> {
    // SAFETY: a path ends with NUL.
    unsafe { ask(number::CHDIR, &[path.pointer()]) }
}

pub fn pid() -> i32 {
    // SAFETY: no memory.
    unsafe { ask(number::GETPID, &[]) }.unwrap_or(0) as i32
}

pub fn kill(pid: i32, signal: u32) -> SysResult<usize> {
    // SAFETY: no memory.
    unsafe { ask(number::KILL, &[pid as usize, signal as usize]) }
}

pub fn exit(status: u32) -> ! {
    loop {
        // SAFETY: ends this process.
        let _ = unsafe { ask(number::EXIT_GROUP, &[status as usize]) };
    }
}

/// Waits until the descriptor can be written, for so many milliseconds at most.
pub fn wait_to_write(fd: i32, ms: u32) -> bool {
    const POLLOUT: u32 = 4;
    wait_for(fd, POLLOUT, ms).is_some()
}

/// The same until it can be read.
pub fn wait_to_read(fd: i32, ms: u32) -> bool {
    const POLLIN: u32 = 1;
    wait_for(fd, POLLIN, ms).is_some()
}

/// Whether the other side of a connection is there no more, for both directions.
pub fn is_hung_up(fd: i32) -> bool {
    const POLLERR: u32 = 8;
    const POLLHUP: u32 = 16;
    wait_for(fd, 0, 0).is_some_and(|what| what & (POLLERR | POLLHUP) != 0)
}

/// What has come.
fn wait_for(fd: i32, what: u32, ms: u32) -> Option<u32> {
    // Descriptor, and what is asked in the lower half of the second word; the answer comes in the upper.
    let mut asked = [fd as u32, what];
    let (s, ns) = ((ms / 1000) as usize, (ms % 1000) as usize * 1_000_000);
    let time = [s, ns];
    // SAFETY: one record, and a time in words of the machine.
    let ready = unsafe { ask(number::PPOLL, &[asked.as_mut_ptr() as usize, 1, time.as_ptr() as usize, 0, 8]) };
    // SAFETY: the kernel wrote here, behind the compiler's back.
    let answered = unsafe { (&asked as *const [u32; 2]).read_volatile() };
    (ready == Ok(1)).then_some(answered[1] >> 16)
}
