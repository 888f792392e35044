//! Front ends: one process for each connection, started when it comes, told of changes if it asks, and forgotten when it has gone.

use super::arch::number;
use super::child::{become_front_end, fork};
use super::listen;
use super::log::{line, ERRO};
use super::own::{Core, Front, FD_CONFIGURATION, FD_FRONTS, FD_SERVERS, FD_STATE, MAX_FRONTS};
use super::protocol::Reply;
use super::run::KIND_FRONT;
use super::spawn_error::{errno_name, Number};
use super::system::{
    ask, close, facts_of_open, high_until_exec, is_hung_up, move_to, open, SysResult, Path, O_CLOEXEC, O_RDONLY,
};
use super::wire::Fixed;

const AF_UNIX: usize = 1;
const SOCK_SEQPACKET: usize = 5;
const MSG_DONTWAIT: usize = 0x40;
const MSG_NOSIGNAL: usize = 0x4000;

/// The pid of a front end that another core started.
const UNKNOWN: i32 = -1;

/// Someone connects. One at a time: the loop comes back while there are more.
pub fn accept(core: &mut Core, server: usize) {
    let Some(place) = core.fronts.iter().position(|front| front.pid == 0) else {
        core.is_accepting = false;
        listen::ignore_all(core);
        return;
    };
    let settings = core.store.settings();
    let Some((_, server_settings)) = listen::servers(&settings).nth(server) else { return };
    // SAFETY: nobody asks who it is. A core that takes over knows nothing of it, so it does not get it.
    let connection = unsafe { ask(number::ACCEPT4, &[(FD_SERVERS + server as i32) as usize, 0, 0, O_CLOEXEC]) };
    if let Ok(connection) = connection.map(|fd| fd as i32) {
        start(core, place, &[b"serve", server_settings.section], connection);
        keep(core, place, connection);
    }
}

/// Kept as long as its front end says something: whether the client is still there is looked at before each act.
fn keep(core: &mut Core, place: usize, connection: i32) {
    match core.fronts.get_mut(place).filter(|front| front.is_open) {
        Some(front) => front.client = high_until_exec(connection).unwrap_or(0),
        None => close(connection),
    }
}

/// Whether nobody is there any more for whom something could be done: what a client that was killed has asked for must not be done behind what
/// the next one asks. One that has only said its last word still waits for its answer. Of a connection over a network that cannot be told apart.
pub fn is_for_nobody(core: &Core, place: usize) -> bool {
    core.fronts.get(place).is_some_and(|front| front.client > 0 && is_hung_up(front.client))
}

/// Somebody has to read the configuration anew.
pub fn start_reload(core: &mut Core) {
    match core.fronts.iter().position(|front| front.pid == 0) {
        Some(place) => start(core, place, &[b"reload"], -1),
        None => line(&core.store, ERRO, &[b"too many front ends: the configuration is not read anew"]),
    }
}

fn start(core: &mut Core, place: usize, words: &[&[u8]], connection: i32) {
    if let Err(why) = try_start(core, place, words, connection) {
        let mut number = Number::of(why);
        line(&core.store, ERRO, &[b"a front end cannot be started: ", errno_name(why, &mut number)]);
    }
}

fn try_start(core: &mut Core, place: usize, words: &[&[u8]], connection: i32) -> SysResult<()> {
    let mut pair = [0_i32; 2];
    // SAFETY: room for two.
    unsafe { ask(number::SOCKETPAIR, &[AF_UNIX, SOCK_SEQPACKET, 0, pair.as_mut_ptr() as usize]) }?;
    let [own, childs] = pair;
    match fork() {
        Ok(0) => {
            // Open for reading only; without /proc it is as it is.
            let state = Path::of(b"/proc/self/fd/4\0").and_then(|path| open(path, O_RDONLY, 0).ok());
            become_front_end(core, words, [connection, childs, state.unwrap_or(FD_STATE), FD_CONFIGURATION])
        }
        Ok(pid) => {
            close(childs);
            let fixed = FD_FRONTS + place as i32;
            let moved = move_to(own, fixed);
            if let Some(front) = core.fronts.get_mut(place) {
                *front = Front { pid, is_open: moved.is_ok(), ..Front::default() };
            }
            core.watch(fixed, KIND_FRONT, place as u32);
            moved
        }
        Err(why) => {
            close(own);
            close(childs);
            Err(why)
        }
    }
}

/// Whether this process was a front end.
pub fn ended(core: &mut Core, pid: i32) -> bool {
    let Some(place) = core.fronts.iter().position(|front| front.pid == pid) else { return false };
    // What it asked last is still there to be done.
    while core.fronts.get(place).is_some_and(|front| front.is_open) && super::requests::take(core, place) {}
    hang_up(core, place);
    forget(core, place);
    true
}

/// It says nothing more.
pub fn hang_up(core: &mut Core, place: usize) {
    let Some(front) = core.fronts.get_mut(place) else { return };
    front.is_open = false;
    front.watches = false;
    if front.client > 0 {
        close(front.client);
        front.client = 0;
    }
    let is_unknown = front.pid == UNKNOWN;
    let fixed = FD_FRONTS + place as i32;
    core.unwatch(fixed);
    close(fixed);
    if is_unknown {
        forget(core, place);
    }
}

fn forget(core: &mut Core, place: usize) {
    if let Some(front) = core.fronts.get_mut(place) {
        *front = Front::default();
    }
    if !core.is_accepting {
        core.is_accepting = true;
        listen::attend_all(core);
    }
}

/// Never waits: a front end that does not read its answers loses them.
pub fn say(place: usize, reply: Reply) {
    let mut buffer = [0; 16];
    let mut packet = Fixed { buffer: &mut buffer, len: 0 };
    if reply.encode(&mut packet) {
        let (bytes, len) = (packet.buffer.as_ptr() as usize, packet.len);
        let fd = (FD_FRONTS + place as i32) as usize;
        // SAFETY: so many bytes are there.
        let _ = unsafe { ask(number::SENDTO, &[fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0]) };
    }
}

/// Who asked for it hears that something has changed.
pub fn tell_changes(core: &mut Core) {
    let changes = core.store.header().changes;
    for (place, front) in core.fronts.iter_mut().enumerate() {
        if front.watches && front.told != changes {
            front.told = changes;
            say(place, Reply::Changed);
        }
    }
}

/// After a takeover: the sockets are there, by their numbers; whose they are is not known.
pub fn adopt(core: &mut Core) {
    for place in 0..MAX_FRONTS {
        let fixed = FD_FRONTS + place as i32;
        if facts_of_open(fixed).is_ok() {
            if let Some(front) = core.fronts.get_mut(place) {
                // Told at once: whether it watched is not known, either.
                *front = Front { pid: UNKNOWN, is_open: true, watches: true, ..Front::default() };
            }
            core.watch(fixed, KIND_FRONT, place as u32);
        }
    }
}
