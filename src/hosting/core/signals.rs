//! Signals come as bytes of a descriptor: none interrupts anything.

use super::arch::number;
use super::log::{line, ERRO, INFO, WARN};
use super::own::Core;
use super::spawn_error::{errno_name, Number};
use super::system::{ask, high, read, SysResult};
use super::{front, output, reap, renew, stop};

const HUP: u32 = 1;
pub const INT: u32 = 2;
const QUIT: u32 = 3;
const USR1: u32 = 10;
const USR2: u32 = 12;
const PIPE: u32 = 13;
pub const TERM: u32 = 15;
pub const CHLD: u32 = 17;

const AWAITED: u64 = bit(HUP) | bit(INT) | bit(QUIT) | bit(USR1) | bit(USR2) | bit(TERM) | bit(CHLD);
/// What one record of the descriptor takes; the signal's number is its first word.
pub const RECORD: usize = 128;

pub const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// Whether a read waits for a signal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Blocking {
    Yes,
    No,
}

/// What the core awaits, and not what a closed pipe would send.
pub fn open() -> SysResult<i32> {
    high(open_for(AWAITED, AWAITED | bit(PIPE), Blocking::No)?)
}

/// Blocks some, and makes a descriptor for those that are awaited; nothing stays ignored, so that children begin as they should.
pub fn open_for(awaited: u64, blocked: u64, blocking: Blocking) -> SysResult<i32> {
    const NONBLOCK: usize = 0o4000;
    let flags = if blocking == Blocking::No { NONBLOCK } else { 0 };
    // SAFETY: sets of eight bytes, and empty actions.
    unsafe {
        ask(number::SIGPROCMASK, &[2, &blocked as *const u64 as usize, 0, 8])?;
        let default = [0_usize; 8];
        for signal in 1..=64 {
            let _ = ask(number::SIGACTION, &[signal, default.as_ptr() as usize, 0, 8]);
        }
        ask(number::SIGNALFD4, &[usize::MAX, &awaited as *const u64 as usize, 8, flags]).map(|fd| fd as i32)
    }
}

pub fn take(core: &mut Core) {
    let mut record = [0; RECORD];
    while read(core.signals, &mut record) == Ok(RECORD) {
        let signal = u32::from(record[0]);
        match signal {
            TERM => ends(core, b"SIGTERM"),
            INT => ends(core, b"SIGINT"),
            QUIT => ends(core, b"SIGQUIT"),
            HUP => restarts(core),
            USR1 => renews(core),
            USR2 => reopen_logs(core, b"received SIGUSR2 indicating log reopen request"),
            CHLD => reap::reap_all(core),
            _ => {}
        }
    }
}

fn ends(core: &mut Core, name: &[u8]) {
    line(&core.store, WARN, &[b"received ", name, b" indicating exit request"]);
    stop::shut_down(core);
}

/// A front end reads the files; only if they are good, all stops and starts anew.
fn restarts(core: &mut Core) {
    if core.store.header().mood < 0 {
        line(&core.store, WARN, &[b"ignored SIGHUP indicating restart request (shutdown in progress)"]);
        return;
    }
    line(&core.store, WARN, &[b"received SIGHUP indicating restart request"]);
    front::start_reload(core);
}

/// Another core may stand in its file meanwhile: a newer one. No program is stopped for it.
fn renews(core: &mut Core) {
    line(&core.store, INFO, &[b"received SIGUSR1 indicating that the core is renewed"]);
    match renew::checked(core.store.settings().core) {
        Ok(path) => renew::go_on_as(core, &path),
        Err(why) => {
            let mut number = Number::of(why);
            line(&core.store, ERRO, &[b"there is no core to go on as: ", errno_name(why, &mut number)]);
        }
    }
}

pub fn reopen_logs(core: &mut Core, why: &[u8]) {
    line(&core.store, INFO, &[why]);
    super::log::target(&core.store, |log| log.reopen(true));
    line(&core.store, INFO, &[b"supervisord logreopen"]);
    core.store.processes().for_each(|place| output::reopen_logs(core, place));
    super::listen::look(core);
}
