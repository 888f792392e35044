//! `hosting-core --keep PROGRAM`: where no systemd starts supervisord again when it ends, this does. It is in the core's own file, so that both
//! share its pages; of its own it has a descriptor for signals, and one child.
//!
//! Invariants: one child at a time, in a session of its own; it is told the session of the one before (its first argument), so that it can end
//! what is left of that. A SIGTERM or SIGINT is passed on, and the end of the child is then the end of this.

use super::arch::number;
use super::child::{exec, fork, unblock_signals};
use super::own::InitialStack;
use super::signals::{bit, open_for, Blocking, CHLD, INT, RECORD, TERM};
use super::spawn_error::Number;
use super::system::{ask, exit, kill, read, wait_to_read, write, SysResult};

/// The word that tells this from a core.
const KEEP: &[u8] = b"--keep";
/// From one end to the next start: what ends at once does not take the whole processor.
const PAUSE_MS: u32 = 5000;

const WNOHANG: usize = 1;
const USAGE: u32 = 2;
const NOT_STARTED: u32 = 127;

/// Comes back only where the arguments do not ask for it.
pub fn keep_if_asked(around: InitialStack) {
    let mut arguments = around.all_arguments();
    if arguments.nth(1) != Some(KEEP) {
        return;
    }
    let awaited = bit(TERM) | bit(INT) | bit(CHLD);
    let (Some(_), Ok(signals)) = (arguments.next(), open_for(awaited, awaited, Blocking::Yes)) else {
        let _ = write(2, b"Usage: hosting-core --keep PROGRAM\n");
        exit(USAGE)
    };
    let mut before = 0;
    loop {
        // Where there is no memory for a child, it is tried again like one that has ended.
        if let Ok(child) = start(around, before) {
            before = child;
            if watch(child, signals) {
                exit(0);
            }
        }
        if wait_to_read(signals, PAUSE_MS) && is_end(next(signals)) {
            exit(0);
        }
    }
}

fn start(around: InitialStack, before: i32) -> SysResult<i32> {
    match fork()? {
        0 => become_program(around, before),
        child => Ok(child),
    }
}

fn become_program(around: InitialStack, before: i32) -> ! {
    unblock_signals();
    // SAFETY: no memory.
    let _ = unsafe { ask(number::SETSID, &[]) };
    let mut text = [0; 12];
    let number = Number::of(before);
    // Ten digits at most, and a NUL.
    text.iter_mut().zip(number.digits()).for_each(|(to, from)| *to = *from);
    // SAFETY: the third argument was there.
    let program = unsafe { *around.arguments.add(2) } as usize;
    let arguments = [program, text.as_ptr() as usize, 0];
    exec(program, arguments.as_ptr() as usize, around.environment as usize);
    let _ = write(2, b"hosting-core: the program that is to be kept cannot be started\n");
    exit(NOT_STARTED)
}

/// Until the child has ended; whether that was asked for.
fn watch(child: i32, signals: i32) -> bool {
    let mut was_asked = false;
    while !has_ended(child) {
        if is_end(next(signals)) {
            was_asked = true;
            let _ = kill(child, TERM);
        }
    }
    was_asked
}

fn has_ended(child: i32) -> bool {
    // SAFETY: no memory.
    let ended = unsafe { ask(number::WAIT4, &[child as usize, 0, WNOHANG, 0]) };
    ended != Ok(0)
}

/// The next signal's number; 0 where none could be read.
fn next(signals: i32) -> u32 {
    let mut record = [0; RECORD];
    let _ = read(signals, &mut record);
    u32::from(record[0])
}

fn is_end(signal: u32) -> bool {
    signal == TERM || signal == INT
}
