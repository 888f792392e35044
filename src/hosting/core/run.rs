//! The loop: what is due is done, then one wait for whatever comes.

use super::arch::number;
use super::memory::release_stack;
use super::output::{read_once, Stream};
use super::own::{Core, InitialStack};
use super::pass::{pass, Next};
use super::state::FLAG_OOM_SCORE;
use super::system::{ask, close, exit, high, SysResult};
use super::{front, listen, renew, requests, signals, start, stop};

pub const KIND_SIGNALS: u32 = 1;
pub const KIND_NOTIFY: u32 = 2;
pub const KIND_SERVER: u32 = 3;
pub const KIND_FRONT: u32 = 4;
pub const KIND_STDOUT: u32 = 5;
pub const KIND_STDERR: u32 = 6;

const EPOLLIN: u32 = 1;
const ADD: usize = 1;
const REMOVE: usize = 2;
/// So many are looked at before the table is again.
const AT_ONCE: usize = 16;
/// A wait so long, or without an end, is worth giving memory back before.
const LONG_MS: u64 = 500;

/// Two words of data behind the mask; where, the machine says.
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
#[derive(Clone, Copy, Default)]
struct EpollEvent {
    mask: u32,
    data: u64,
}

pub fn open_watch() -> SysResult<i32> {
    // SAFETY: no memory.
    high(unsafe { ask(number::EPOLL_CREATE1, &[0]) }? as i32)
}

pub fn open_notify() -> SysResult<i32> {
    const NONBLOCK: usize = 0o4000;
    // SAFETY: no memory.
    high(unsafe { ask(number::INOTIFY_INIT1, &[NONBLOCK]) }? as i32)
}

impl Core {
    /// Wakes the loop when the descriptor can be read.
    pub fn watch(&self, fd: i32, kind: u32, value: u32) {
        self.control(fd, ADD, EpollEvent { mask: EPOLLIN, data: u64::from(kind) << 32 | u64::from(value) });
    }

    pub fn unwatch(&self, fd: i32) {
        self.control(fd, REMOVE, EpollEvent::default());
    }

    fn control(&self, fd: i32, what: usize, event: EpollEvent) {
        if fd >= 0 && self.epoll >= 0 {
            let arguments = [self.epoll as usize, what, fd as usize, &event as *const EpollEvent as usize];
            // SAFETY: one record. That it is in the watch already, or no longer, is no harm.
            let _ = unsafe { ask(number::EPOLL_CTL, &arguments) };
        }
    }
}

pub fn main(around: InitialStack) -> ! {
    around.remember();
    let mut core = begin(around);
    loop {
        match pass(&mut core) {
            Next::AllStopped if core.store.header().mood == stop::MOOD_RESTART && core.next_configuration.is_some() => {
                start_anew(&mut core, around);
            }
            Next::AllStopped => {
                start::clean_up(&mut core);
                exit(0)
            }
            Next::Wait(ms) => {
                front::tell_changes(&mut core);
                wait(&mut core, ms);
            }
        }
    }
}

/// A frame of its own, as the next one: what stays on the stack for good is one `Core`.
#[inline(never)]
fn begin(around: InitialStack) -> Core {
    renew::taken_over(around).unwrap_or_else(|| start::fresh(around, start::First::Yes))
}

/// The same process, with another configuration.
#[inline(never)]
fn start_anew(core: &mut Core, around: InitialStack) {
    start::clean_up_for_restart(core);
    for fd in [core.epoll, core.signals, core.notify] {
        close(fd);
    }
    let header = core.store.header();
    let oom_score = (header.flags & FLAG_OOM_SCORE != 0).then_some(header.oom_score);
    core.store.release();
    // Those that are still there are known when they end.
    let fronts = core.fronts;
    *core = start::fresh(around, start::First::No { oom_score });
    core.fronts = fronts;
}

fn wait(core: &mut Core, ms: Option<u64>) {
    let mut events = [EpollEvent::default(); AT_ONCE];
    let timeout = ms.map_or(-1, |ms| ms.min(i32::MAX as u64) as isize);
    if core.went_deep && ms.map_or(true, |ms| ms >= LONG_MS) {
        core.went_deep = false;
        release_stack();
    }
    let arguments = [core.epoll as usize, events.as_mut_ptr() as usize, AT_ONCE, timeout as usize, 0, 8];
    // SAFETY: room for so many.
    let count = unsafe { ask(number::EPOLL_PWAIT, &arguments) }.unwrap_or(0);
    // Lines of output are what comes all the time, and stay near.
    let is_output = |event: &EpollEvent| matches!((event.data >> 32) as u32, KIND_STDOUT | KIND_STDERR);
    core.went_deep |= !events.iter().take(count).all(is_output);
    for event in events.iter().take(count) {
        let data = event.data;
        dispatch(core, (data >> 32) as u32, data as u32);
    }
}

fn dispatch(core: &mut Core, kind: u32, value: u32) {
    match kind {
        KIND_SIGNALS => signals::take(core),
        KIND_NOTIFY => listen::notified(core),
        KIND_SERVER => front::accept(core, value as usize),
        KIND_FRONT => {
            requests::take(core, value as usize);
        }
        KIND_STDOUT | KIND_STDERR => {
            let stream = if kind == KIND_STDOUT { Stream::Stdout } else { Stream::Stderr };
            if let Some(place) = core.store.find(|process| process.id == value) {
                read_once(core, place, stream);
            }
        }
        _ => {}
    }
}
