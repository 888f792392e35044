//! What differs between machines: where a program begins, how the system is called, its numbers, and the copying that the compiler expects.

use core::arch::{asm, global_asm};

#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
pub mod number {
    pub const READ: usize = 0; pub const WRITE: usize = 1; pub const CLOSE: usize = 3;
    pub const MMAP: usize = 9; pub const MUNMAP: usize = 11; pub const MREMAP: usize = 25; pub const TRUNCATE: usize = 77;
    pub const PREAD: usize = 17; pub const FCNTL: usize = 72; pub const DUP3: usize = 292; pub const PIPE2: usize = 293;
    pub const OPENAT: usize = 257; pub const UNLINKAT: usize = 263; pub const RENAMEAT: usize = 264; pub const FCHMODAT: usize = 268;
    pub const FCHOWNAT: usize = 260; pub const FSTATAT: usize = 262; pub const FACCESSAT: usize = 269; pub const SOCKET: usize = 41;
    pub const BIND: usize = 49; pub const LISTEN: usize = 50; pub const ACCEPT4: usize = 288; pub const CONNECT: usize = 42;
    pub const SOCKETPAIR: usize = 53; pub const SENDTO: usize = 44; pub const RECVMSG: usize = 47; pub const SETSOCKOPT: usize = 54;
    pub const CLONE: usize = 56; pub const EXECVE: usize = 59; pub const EXIT_GROUP: usize = 231; pub const WAIT4: usize = 61;
    pub const KILL: usize = 62; pub const GETPID: usize = 39; pub const SETPGID: usize = 109; pub const SETSID: usize = 112;
    pub const SETUID: usize = 105; pub const SETGID: usize = 106; pub const SETGROUPS: usize = 116; pub const UMASK: usize = 95;
    pub const CHDIR: usize = 80; pub const CLOCK_GETTIME: usize = 228; pub const EPOLL_CREATE1: usize = 291;
    pub const EPOLL_CTL: usize = 233; pub const EPOLL_PWAIT: usize = 281; pub const SIGNALFD4: usize = 289;
    pub const SIGPROCMASK: usize = 14; pub const SIGACTION: usize = 13; pub const MEMFD_CREATE: usize = 319; pub const PRCTL: usize = 157;
    pub const INOTIFY_INIT1: usize = 294; pub const INOTIFY_ADD: usize = 254; pub const PPOLL: usize = 271; pub const GETUID: usize = 102;
    pub const GETPPID: usize = 110; pub const MKDIRAT: usize = 258; pub const IOCTL: usize = 16; pub const PRLIMIT64: usize = 302;
    pub const MADVISE: usize = 28;
}
#[cfg(target_arch = "aarch64")]
#[rustfmt::skip]
pub mod number {
    pub const READ: usize = 63; pub const WRITE: usize = 64; pub const CLOSE: usize = 57;
    pub const MMAP: usize = 222; pub const MUNMAP: usize = 215; pub const MREMAP: usize = 216; pub const TRUNCATE: usize = 46;
    pub const PREAD: usize = 67; pub const FCNTL: usize = 25; pub const DUP3: usize = 24; pub const PIPE2: usize = 59;
    pub const OPENAT: usize = 56; pub const UNLINKAT: usize = 35; pub const RENAMEAT: usize = 38; pub const FCHMODAT: usize = 53;
    pub const FCHOWNAT: usize = 54; pub const FSTATAT: usize = 79; pub const FACCESSAT: usize = 48; pub const SOCKET: usize = 198;
    pub const BIND: usize = 200; pub const LISTEN: usize = 201; pub const ACCEPT4: usize = 242; pub const CONNECT: usize = 203;
    pub const SOCKETPAIR: usize = 199; pub const SENDTO: usize = 206; pub const RECVMSG: usize = 212; pub const SETSOCKOPT: usize = 208;
    pub const CLONE: usize = 220; pub const EXECVE: usize = 221; pub const EXIT_GROUP: usize = 94; pub const WAIT4: usize = 260;
    pub const KILL: usize = 129; pub const GETPID: usize = 172; pub const SETPGID: usize = 154; pub const SETSID: usize = 157;
    pub const SETUID: usize = 146; pub const SETGID: usize = 144; pub const SETGROUPS: usize = 159; pub const UMASK: usize = 166;
    pub const CHDIR: usize = 49; pub const CLOCK_GETTIME: usize = 113; pub const EPOLL_CREATE1: usize = 20;
    pub const EPOLL_CTL: usize = 21; pub const EPOLL_PWAIT: usize = 22; pub const SIGNALFD4: usize = 74;
    pub const SIGPROCMASK: usize = 135; pub const SIGACTION: usize = 134; pub const MEMFD_CREATE: usize = 279; pub const PRCTL: usize = 167;
    pub const INOTIFY_INIT1: usize = 26; pub const INOTIFY_ADD: usize = 27; pub const PPOLL: usize = 73; pub const GETUID: usize = 174;
    pub const GETPPID: usize = 173; pub const MKDIRAT: usize = 34; pub const IOCTL: usize = 29; pub const PRLIMIT64: usize = 261;
    pub const MADVISE: usize = 233;
}
#[cfg(target_arch = "arm")]
#[rustfmt::skip]
pub mod number {
    pub const READ: usize = 3; pub const WRITE: usize = 4; pub const CLOSE: usize = 6;
    pub const MMAP: usize = 192; pub const MUNMAP: usize = 91; pub const MREMAP: usize = 163; pub const TRUNCATE: usize = 93;
    pub const PREAD: usize = 180; pub const FCNTL: usize = 221; pub const DUP3: usize = 358; pub const PIPE2: usize = 359;
    pub const OPENAT: usize = 322; pub const UNLINKAT: usize = 328; pub const RENAMEAT: usize = 329; pub const FCHMODAT: usize = 333;
    pub const FCHOWNAT: usize = 325; pub const FSTATAT: usize = 327; pub const FACCESSAT: usize = 334; pub const SOCKET: usize = 281;
    pub const BIND: usize = 282; pub const LISTEN: usize = 284; pub const ACCEPT4: usize = 366; pub const CONNECT: usize = 283;
    pub const SOCKETPAIR: usize = 288; pub const SENDTO: usize = 290; pub const RECVMSG: usize = 297; pub const SETSOCKOPT: usize = 294;
    pub const CLONE: usize = 120; pub const EXECVE: usize = 11; pub const EXIT_GROUP: usize = 248; pub const WAIT4: usize = 114;
    pub const KILL: usize = 37; pub const GETPID: usize = 20; pub const SETPGID: usize = 57; pub const SETSID: usize = 66;
    pub const SETUID: usize = 213; pub const SETGID: usize = 214; pub const SETGROUPS: usize = 206; pub const UMASK: usize = 60;
    pub const CHDIR: usize = 12; pub const CLOCK_GETTIME: usize = 263; pub const EPOLL_CREATE1: usize = 357;
    pub const EPOLL_CTL: usize = 251; pub const EPOLL_PWAIT: usize = 346; pub const SIGNALFD4: usize = 355;
    pub const SIGPROCMASK: usize = 175; pub const SIGACTION: usize = 174; pub const MEMFD_CREATE: usize = 385; pub const PRCTL: usize = 172;
    pub const INOTIFY_INIT1: usize = 360; pub const INOTIFY_ADD: usize = 317; pub const PPOLL: usize = 336; pub const GETUID: usize = 199;
    pub const GETPPID: usize = 64; pub const MKDIRAT: usize = 323; pub const IOCTL: usize = 54; pub const PRLIMIT64: usize = 369;
    pub const MADVISE: usize = 220;
    /// The clock behind 2038; kernels since 5.1.
    pub const CLOCK_GETTIME64: usize = 403;
}
/// The same number everywhere.
pub const CLOSE_RANGE: usize = 436;

// The kernel puts the arguments and the environment where the stack begins.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor %ebp, %ebp",
    "mov %rsp, %rdi",
    "and $-16, %rsp",
    "call core_main",
    options(att_syntax)
);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, #0", "mov x30, #0", "mov x0, sp", "b core_main");
#[cfg(target_arch = "arm")]
global_asm!(".globl _start", "_start:", "mov r11, #0", "mov r0, sp", "bic sp, sp, #7", "b core_main");

/// A call of the system; a negative result is an error.
///
/// # Safety
/// As the call's own: pointers among the arguments are good for it.
#[cfg(target_arch = "x86_64")]
pub unsafe fn call(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result;
    asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
        in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    result
}

#[cfg(target_arch = "aarch64")]
pub unsafe fn call(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result;
    asm!("svc 0", in("x8") number, inlateout("x0") a as isize => result, in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
        options(nostack));
    result
}

// r7 may be the frame pointer, which no operand can be.
#[cfg(target_arch = "arm")]
pub unsafe fn call(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result;
    asm!("mov {kept}, r7", "mov r7, {number}", "svc 0", "mov r7, {kept}", number = in(reg) number, kept = out(reg) _,
        inlateout("r0") a as isize => result, in("r1") b, in("r2") c, in("r3") d, in("r4") e, in("r5") f, options(nostack));
    result
}

// What the compiler calls for copies. Byte by byte and volatile, or it would be made a call of itself.

/// # Safety
/// As memcpy's.
#[no_mangle]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    #[cfg(target_arch = "x86_64")]
    asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _, options(nostack, preserves_flags));
    #[cfg(not(target_arch = "x86_64"))]
    for at in 0..count {
        to.add(at).write_volatile(from.add(at).read_volatile());
    }
    to
}

/// # Safety
/// As memmove's.
#[no_mangle]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if (to as usize) < from as usize {
        for at in 0..count {
            to.add(at).write_volatile(from.add(at).read_volatile());
        }
    } else {
        for at in (0..count).rev() {
            to.add(at).write_volatile(from.add(at).read_volatile());
        }
    }
    to
}

/// # Safety
/// As memset's.
#[no_mangle]
pub unsafe extern "C" fn memset(to: *mut u8, value: i32, count: usize) -> *mut u8 {
    #[cfg(target_arch = "x86_64")]
    asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") value as u8, options(nostack, preserves_flags));
    #[cfg(not(target_arch = "x86_64"))]
    for at in 0..count {
        to.add(at).write_volatile(value as u8);
    }
    to
}

/// # Safety
/// As memcmp's.
#[no_mangle]
pub unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
    for at in 0..count {
        let (a, b) = (one.add(at).read_volatile(), other.add(at).read_volatile());
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

/// # Safety
/// As memcmp's.
#[no_mangle]
pub unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
    memcmp(one, other, count)
}

/// Unwinding is not for this program; 32-bit ARM's tables name these all the same.
#[cfg(target_arch = "arm")]
#[no_mangle]
extern "C" fn __aeabi_unwind_cpp_pr0() {}

#[cfg(target_arch = "arm")]
#[no_mangle]
extern "C" fn __aeabi_unwind_cpp_pr1() {}

/// # Safety
/// As strlen's.
#[no_mangle]
pub unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut len = 0;
    while text.add(len).read_volatile() != 0 {
        len += 1;
    }
    len
}

/// Unwinding is not for this program; the prebuilt `core` names this all the same.
#[no_mangle]
extern "C" fn rust_eh_personality() {}

#[no_mangle]
extern "C" fn _Unwind_Resume() {}
