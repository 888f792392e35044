//! The hardware's watchdog, where the configuration names one: fed only while the loop turns, and told in order when that ends on purpose.

use super::arch::number;
use super::log::{line, CRIT, INFO};
use super::own::Core;
use super::spawn_error::{errno_name, Number};
use super::state::NEVER;
use super::system::{ask, close, high, now_ms, open, write, PathBuffer, O_WRONLY};

/// Where it does not say how long it waits.
const USUAL_TIMEOUT_S: u32 = 30;
/// Three times in its time.
const PART: u64 = 3;
/// What disarms it.
const CLOSE: &[u8] = b"V";

pub fn start(core: &Core) {
    let path = core.store.settings().watchdog;
    let header = core.store.header();
    if path.is_empty() || header.watchdog_fd >= 0 {
        return;
    }
    let Some(file) = PathBuffer::of(&[path]) else { return };
    match open(file.path(), O_WRONLY, 0).and_then(high) {
        Ok(fd) => {
            header.watchdog_fd = fd;
            let seconds = Number::of_u64(u64::from(timeout(fd)));
            line(&core.store, INFO, &[b"feeding the watchdog ", path, b", which waits ", seconds.digits(), b" s"]);
        }
        Err(why) => {
            let mut number = Number::of(why);
            line(&core.store, CRIT, &[b"no watchdog at ", path, b": ", errno_name(why, &mut number)]);
        }
    }
}

fn timeout(fd: i32) -> u32 {
    const WDIOC_GETTIMEOUT: usize = 0x8004_5707;
    let mut seconds = 0_u32;
    // SAFETY: room for the number.
    let told = unsafe { ask(number::IOCTL, &[fd as usize, WDIOC_GETTIMEOUT, &mut seconds as *mut u32 as usize]) };
    told.ok().map_or(USUAL_TIMEOUT_S, |_| seconds).clamp(1, 3600)
}

/// Feeds it where it is time; when the next time is.
pub fn feed(core: &mut Core) -> u64 {
    let fd = core.store.header().watchdog_fd;
    if fd < 0 {
        return NEVER;
    }
    let now = now_ms();
    if now >= core.watchdog_due_ms {
        let _ = write(fd, b"1");
        core.watchdog_due_ms = now + u64::from(timeout(fd)) * 1000 / PART;
    }
    core.watchdog_due_ms
}

/// An end that was asked for is no reason to restart the gateway.
pub fn stop(core: &Core) {
    let fd = core::mem::replace(&mut core.store.header().watchdog_fd, -1);
    if fd >= 0 {
        let _ = write(fd, CLOSE);
        close(fd);
    }
}
