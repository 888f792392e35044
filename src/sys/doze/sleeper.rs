//! What a resident engine is between two check-ins, and an idle queue: a program of its own, so small that nobody asks. It sleeps until a
//! deadline or a signal, notes which it was, and becomes what it was again, all as the same process.
//!
//! `build.rs` compiles it alone, without any library, and the agent carries it in itself: see the module above, which says what is in
//! the environment. Invariant: no allocation, no panic, nothing but the system calls below.

#![no_std]
#![no_main]

use core::arch::{asm, global_asm};

#[cfg(target_arch = "x86_64")]
mod number {
    pub const WRITE: usize = 1;
    pub const EXECVE: usize = 59;
    pub const SIGTIMEDWAIT: usize = 128;
    pub const PRCTL: usize = 157;
    pub const CLOCK_GETTIME: usize = 228;
    pub const EXIT_GROUP: usize = 231;
}
#[cfg(target_arch = "aarch64")]
mod number {
    pub const WRITE: usize = 64;
    pub const EXIT_GROUP: usize = 94;
    pub const CLOCK_GETTIME: usize = 113;
    pub const SIGTIMEDWAIT: usize = 137;
    pub const PRCTL: usize = 167;
    pub const EXECVE: usize = 221;
}
#[cfg(target_arch = "arm")]
mod number {
    pub const WRITE: usize = 4;
    pub const EXECVE: usize = 11;
    pub const PRCTL: usize = 172;
    pub const EXIT_GROUP: usize = 248;
    // Those with times of 64 bits, which kernels may have alone; before 5.1 there were only the others.
    pub const CLOCK_GETTIME: usize = 403;
    pub const SIGTIMEDWAIT: usize = 421;
    pub const OLD_SIGTIMEDWAIT: usize = 177;
    pub const OLD_CLOCK_GETTIME: usize = 263;
}

// The kernel puts the arguments and the environment where the stack begins.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor %ebp, %ebp", "mov %rsp, %rdi", "and $-16, %rsp", "call sleeper", options(att_syntax));
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, #0", "mov x30, #0", "mov x0, sp", "b sleeper");
#[cfg(target_arch = "arm")]
global_asm!(".globl _start", "_start:", "mov r11, #0", "mov r0, sp", "bic sp, sp, #7", "b sleeper");

/// Seconds and nanoseconds, as the kernel takes them.
#[repr(C)]
struct Time {
    s: i64,
    ns: i64,
}

const CLOCK_MONOTONIC: usize = 1;
const CLOCK_BOOTTIME: usize = 7;
const PR_SET_NAME: usize = 15;
const SECOND: i64 = 1_000_000_000;

const SIGHUP: isize = 1;
const SIGINT: isize = 2;
const SIGQUIT: isize = 3;
const SIGUSR1: isize = 10;
const SIGTERM: isize = 15;
/// A client calls: see `sys/hand_over.rs`.
const SIGIO: isize = 29;
const EINTR: isize = -4;
const EAGAIN: isize = -11;
#[cfg(target_arch = "arm")]
const ENOSYS: isize = -38;
/// What is waited for, as the kernel's set. A child's end wakes nobody.
const AWAITED: u64 = 1 << (SIGHUP - 1)
    | 1 << (SIGINT - 1)
    | 1 << (SIGQUIT - 1)
    | 1 << (SIGUSR1 - 1)
    | 1 << (SIGTERM - 1)
    | 1 << (SIGIO - 1);

#[no_mangle]
unsafe extern "C" fn sleeper(stack: *const usize) -> ! {
    let arguments = stack.add(1) as *const *const u8;
    let environment = arguments.add(*stack + 1);
    call(number::PRCTL, PR_SET_NAME, name_of(*arguments) as usize, 0, 0);
    let doze = find(environment, b"GWE_DOZE=") as *mut u8;
    if !doze.is_null() {
        // The reason stands first: "T" until another is known.
        *doze = wait(number_after(doze, 2), number_after(doze, 3));
    }
    for name in [b"GWE_WAKE_1=", b"GWE_WAKE_2="] {
        let program = find(environment, name);
        if !program.is_null() {
            call(number::EXECVE, program as usize, arguments as usize, environment as usize, 0);
        }
    }
    let message = b"gwe: cannot find its own program to go on after a pause; ending, to be started anew\n";
    call(number::WRITE, 2, message.as_ptr() as usize, message.len(), 0);
    exit()
}

/// Sleeps until the deadline, in time since boot; why it is over. Without a division, for which 32-bit ARM would need a library.
unsafe fn wait(s: i64, ns: i64) -> u8 {
    loop {
        let mut time = Time { s: 0, ns: 0 };
        if read_clock(CLOCK_BOOTTIME, &mut time) != 0 && read_clock(CLOCK_MONOTONIC, &mut time) != 0 {
            return b'T';
        }
        let mut left = Time { s: s.wrapping_sub(time.s), ns: ns.wrapping_sub(time.ns) };
        if left.ns < 0 {
            left = Time { s: left.s.wrapping_sub(1), ns: left.ns.wrapping_add(SECOND) };
        }
        let is_over = left.s < 0 || (left.s == 0 && left.ns == 0);
        if is_over {
            left = Time { s: 0, ns: 0 };
        }
        match wait_for_signal(&left) {
            SIGHUP | SIGUSR1 | SIGIO => return b'H',
            SIGINT | SIGQUIT | SIGTERM => return b'S',
            EAGAIN | EINTR if !is_over => {}
            // Or a kernel that does not take this at all: it must not be asked for ever. The engine then sleeps out the rest.
            _ => return b'T',
        }
    }
}

unsafe fn read_clock(clock: usize, time: &mut Time) -> isize {
    let result = call(number::CLOCK_GETTIME, clock, time as *mut Time as usize, 0, 0);
    #[cfg(target_arch = "arm")]
    if result == ENOSYS {
        let mut narrow = [0_i32; 2];
        let result = call(number::OLD_CLOCK_GETTIME, clock, narrow.as_mut_ptr() as usize, 0, 0);
        *time = Time { s: i64::from(narrow[0]), ns: i64::from(narrow[1]) };
        return result;
    }
    result
}

unsafe fn wait_for_signal(limit: &Time) -> isize {
    let set = &AWAITED as *const u64 as usize;
    let result = call(number::SIGTIMEDWAIT, set, 0, limit as *const Time as usize, 8);
    #[cfg(target_arch = "arm")]
    if result == ENOSYS {
        let narrow = [limit.s as i32, limit.ns as i32];
        return call(number::OLD_SIGTIMEDWAIT, set, 0, narrow.as_ptr() as usize, 8);
    }
    result
}

/// The last part of the path that the program was called by, for who looks at a list of processes.
unsafe fn name_of(mut path: *const u8) -> *const u8 {
    if path.is_null() {
        return b"gwe\0".as_ptr();
    }
    let mut name = path;
    while *path != 0 {
        path = path.add(1);
        if *path.sub(1) == b'/' {
            name = path;
        }
    }
    name
}

/// The value of a variable; null where it is not set.
unsafe fn find(mut environment: *const *const u8, name: &[u8]) -> *const u8 {
    while !(*environment).is_null() {
        let mut text = *environment;
        let mut rest = name.iter();
        loop {
            match rest.next() {
                None => return text,
                Some(byte) if *byte == *text => text = text.add(1),
                Some(_) => break,
            }
        }
        environment = environment.add(1);
    }
    core::ptr::null()
}

/// The number behind so many commas.
unsafe fn number_after(mut text: *const u8, mut commas: u32) -> i64 {
    while commas > 0 && *text != 0 {
        if *text == b',' {
            commas -= 1;
        }
        text = text.add(1);
    }
    let mut value = 0_i64;
    while (*text).is_ascii_digit() {
        value = value.wrapping_mul(10).wrapping_add(i64::from(*text - b'0'));
        text = text.add(1);
    }
    value
}

fn exit() -> ! {
    loop {
        // SAFETY: ends this process.
        unsafe { call(number::EXIT_GROUP, 1, 0, 0, 0) };
    }
}

#[cfg(target_arch = "x86_64")]
unsafe fn call(number: usize, a: usize, b: usize, c: usize, d: usize) -> isize {
    let result;
    asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
        lateout("rcx") _, lateout("r11") _, options(nostack));
    result
}

#[cfg(target_arch = "aarch64")]
unsafe fn call(number: usize, a: usize, b: usize, c: usize, d: usize) -> isize {
    let result;
    asm!("svc 0", in("x8") number, inlateout("x0") a as isize => result, in("x1") b, in("x2") c, in("x3") d, options(nostack));
    result
}

// r7 may be the frame pointer, which no operand can be.
#[cfg(target_arch = "arm")]
unsafe fn call(number: usize, a: usize, b: usize, c: usize, d: usize) -> isize {
    let result;
    asm!("mov {kept}, r7", "mov r7, {number}", "svc 0", "mov r7, {kept}", number = in(reg) number, kept = out(reg) _,
        inlateout("r0") a as isize => result, in("r1") b, in("r2") c, in("r3") d, options(nostack));
    result
}

/// Unwinding is not for this program; 32-bit ARM's tables name this all the same.
#[cfg(target_arch = "arm")]
#[no_mangle]
extern "C" fn __aeabi_unwind_cpp_pr0() {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit()
}
