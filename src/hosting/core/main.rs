//! The resident core: the parent of all hosted programs. A program of its own without any library, compiled by `build.rs` alone.
//!
//! Invariants: no allocator; all memory is the shared one (`table`), the stack and one fixed buffer. No text of a configuration is parsed
//! here, and no protocol of the outside spoken: a front end does both, in a process of its own. Nothing waits but `run`'s one wait.
//! Only the files in this folder are `unsafe`, and of them only those that call the system or look into the shared memory.

#![no_std]
#![no_main]
#![allow(dead_code, clippy::missing_safety_doc)]

#[path = "../definition.rs"]
mod definition;
#[path = "../events.rs"]
mod events;
#[path = "../probe.rs"]
mod probe;
#[path = "../protocol.rs"]
mod protocol;
#[path = "../spawn_error.rs"]
mod spawn_error;
#[path = "../state.rs"]
mod state;
#[path = "../table.rs"]
mod table;
#[path = "../wire.rs"]
mod wire;

mod after;
mod arch;
mod capture;
mod cgroup;
mod child;
mod command;
mod fcgi;
mod front;
mod keep;
mod kept;
mod life;
mod listen;
mod listener;
mod log;
mod log_file;
mod memory;
mod output;
mod own;
mod pass;
mod pool;
mod probes;
mod reap;
mod renew;
mod requests;
mod run;
mod signals;
mod spawn;
mod start;
mod stop;
mod store;
mod syslog;
mod system;
mod text;
mod watchdog;

/// Called by `arch` with the stack as the kernel made it.
///
/// # Safety
/// `stack` is what the kernel put there: the number of arguments, these, and the environment.
#[no_mangle]
unsafe extern "C" fn core_main(stack: *const usize) -> ! {
    let arguments = stack.add(1) as *const *const u8;
    let environment = arguments.add(*stack + 1);
    let around = own::InitialStack { arguments, environment };
    keep::keep_if_asked(around);
    run::main(around)
}

/// Nothing here is meant to panic; what does all the same becomes the same core again, with all that is.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    renew::after_a_fault()
}
