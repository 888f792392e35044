//! The listening sockets. A unix one whose file has gone is made again (Supervisor/supervisor 480, 851): the kernel tells of it, so nobody
//! has to look; where it cannot tell, each wake-up looks.

use super::arch::number;
use super::definition::{Server, Settings};
use super::log::{line, ERRO, WARN};
use super::own::{Core, FD_SERVERS, MAX_SERVERS};
use super::run::KIND_SERVER;
use super::spawn_error::{errno_name, Number};
use super::state::NEVER;
use super::system::{
    ask, chmod, chown, close, facts_of, move_to, now_ms, read, set_umask, unlink, write, SysResult, Facts, PathBuffer,
    EADDRINUSE, ECONNREFUSED, EINVAL, ENOENT,
};
use super::wire::records;

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const SOCK_STREAM: usize = 1;
const SOCK_NONBLOCK: usize = 0o4000;
const SOL_SOCKET: usize = 1;
const SO_REUSEADDR: usize = 2;
const BACKLOG: usize = 128;
/// How long a socket that cannot be made again is left alone.
const RETRY_MS: u64 = 5000;
/// The sockets are looked at on the way, but not more often.
const LOOK_MS: u64 = 1000;

/// What gone, changed and moved are for the kernel.
const GONE: usize = 0x4 | 0x400 | 0x800;

#[derive(Clone, Copy, Default)]
pub struct Listening {
    pub is_open: bool,
    inode: u64,
    device: u64,
    retry_ms: u64,
}

impl Listening {
    fn is(&self, facts: &Facts) -> bool {
        (self.inode, self.device) == (facts.inode, facts.device)
    }
}

pub fn servers<'a>(settings: &Settings<'a>) -> impl Iterator<Item = (usize, Server<'a>)> {
    records(settings.servers, Server::decode).take(MAX_SERVERS).enumerate()
}

/// All of them; the error names the first that could not be opened.
pub fn open_all(core: &mut Core) -> Result<(), i32> {
    for (index, server) in servers(&core.store.settings()) {
        open(core, index, &server)?;
    }
    Ok(())
}

fn open(core: &mut Core, index: usize, server: &Server<'_>) -> SysResult<()> {
    let fd = if server.path.is_empty() {
        bind_inet(server.address, server.port, SOCK_NONBLOCK)?
    } else {
        open_unix(server)?
    };
    let listens = listen_at(fd, BACKLOG);
    let fd = finish(fd, listens)?;
    let fixed = FD_SERVERS + index as i32;
    move_to(fd, fixed)?;
    let Some(listening) = core.servers.get_mut(index) else { return Err(EINVAL) };
    listening.is_open = true;
    listening.retry_ms = 0;
    if let Some(Ok(facts)) = PathBuffer::of(&[server.path]).map(|path| facts_of(path.path())) {
        (listening.inode, listening.device) = (facts.inode, facts.device);
    }
    if core.epoll >= 0 {
        attend(core, index, server);
    }
    Ok(())
}

/// Into the watch, its file as well.
fn attend(core: &Core, index: usize, server: &Server<'_>) {
    core.watch(FD_SERVERS + index as i32, KIND_SERVER, index as u32);
    if let Some(path) = PathBuffer::of(&[server.path]).filter(|_| !server.path.is_empty() && core.notify >= 0) {
        // SAFETY: a path ends with NUL.
        let _ = unsafe { ask(number::INOTIFY_ADD, &[core.notify as usize, path.path().pointer(), GONE]) };
    }
}

pub fn attend_all(core: &Core) {
    for (index, server) in servers(&core.store.settings()) {
        if core.servers.get(index).is_some_and(|server| server.is_open) {
            attend(core, index, &server);
        }
    }
}

/// While no front end can be started, who connects waits in the kernel.
pub fn ignore_all(core: &Core) {
    (0..MAX_SERVERS).for_each(|index| core.unwatch(FD_SERVERS + index as i32));
}

fn unix_address(path: &[u8]) -> SysResult<([u8; 110], usize)> {
    let mut address = [0; 110];
    address[..2].copy_from_slice(&AF_UNIX.to_ne_bytes());
    if path.len() > 107 {
        return Err(EINVAL);
    }
    address.get_mut(2..2 + path.len()).ok_or(EINVAL)?.copy_from_slice(path);
    Ok((address, 2 + path.len() + 1))
}

fn socket(family: u16, flags: usize) -> SysResult<i32> {
    // SAFETY: no memory.
    unsafe { ask(number::SOCKET, &[usize::from(family), SOCK_STREAM | flags, 0]) }.map(|fd| fd as i32)
}

fn on_address(call: usize, fd: i32, address: &[u8], len: usize) -> SysResult<usize> {
    // SAFETY: the address is at least so long.
    unsafe { ask(call, &[fd as usize, address.as_ptr() as usize, len.min(address.len())]) }
}

fn open_unix(server: &Server<'_>) -> SysResult<i32> {
    let path = PathBuffer::of(&[server.path]).ok_or(EINVAL)?;
    let (address, len) = unix_address(server.path)?;
    if facts_of(path.path()).is_ok() {
        clear_the_way(server.path, &path, &address, len)?;
    }
    bind_at(&path, &address, len, SOCK_NONBLOCK, (server.mode, server.uid, server.gid))
}

/// The same of an fcgi-program: whatever socket stands there is in its way.
pub fn bind_unix(path: &[u8], mode: u32, uid: i32, gid: i32) -> SysResult<i32> {
    let (address, len) = unix_address(path)?;
    let path = PathBuffer::of(&[path]).ok_or(EINVAL)?;
    if facts_of(path.path()).is_ok_and(|facts| facts.is_socket()) {
        let _ = unlink(path.path());
    }
    bind_at(&path, &address, len, 0, (mode, uid, gid))
}

fn bind_at(
    path: &PathBuffer,
    address: &[u8],
    len: usize,
    flags: usize,
    (mode, uid, gid): (u32, i32, i32),
) -> SysResult<i32> {
    let fd = socket(AF_UNIX, flags)?;
    let umask = set_umask(0o177);
    let bound = on_address(number::BIND, fd, address, len);
    set_umask(umask);
    let made = bound.and_then(|_| {
        if uid >= 0 || gid >= 0 {
            chown(path.path(), uid, gid)?;
        }
        chmod(path.path(), mode)
    });
    finish(fd, made)
}

fn finish(fd: i32, made: SysResult<usize>) -> SysResult<i32> {
    match made {
        Ok(_) => Ok(fd),
        Err(why) => {
            close(fd);
            Err(why)
        }
    }
}

pub fn listen_at(fd: i32, backlog: usize) -> SysResult<usize> {
    // SAFETY: no memory.
    unsafe { ask(number::LISTEN, &[fd as usize, backlog]) }
}

/// A socket that nobody listens at is from before a power loss.
fn clear_the_way(shown: &[u8], path: &PathBuffer, address: &[u8], len: usize) -> SysResult<()> {
    if !facts_of(path.path())?.is_socket() {
        return Err(EADDRINUSE);
    }
    let fd = socket(AF_UNIX, SOCK_NONBLOCK)?;
    let connected = on_address(number::CONNECT, fd, address, len);
    close(fd);
    match connected {
        Err(ECONNREFUSED) => {
            for part in [b"Unlinking stale socket " as &[u8], shown, b"\n"] {
                let _ = write(2, part);
            }
            unlink(path.path()).map(|_| ())
        }
        Err(ENOENT) => Ok(()),
        _ => Err(EADDRINUSE),
    }
}

/// To four bytes or sixteen.
pub fn bind_inet(host: &[u8], port: u32, flags: usize) -> SysResult<i32> {
    let mut address = [0; 28];
    address[2..4].copy_from_slice(&(port as u16).to_be_bytes());
    let (family, at, len) = if host.len() == 16 { (AF_INET6, 8, 28) } else { (AF_INET, 4, 16) };
    address[..2].copy_from_slice(&family.to_ne_bytes());
    address.get_mut(at..at + host.len()).ok_or(EINVAL)?.copy_from_slice(host);
    let fd = socket(family, flags)?;
    let yes = 1_i32;
    // SAFETY: an option of four bytes.
    unsafe {
        let arguments = [fd as usize, SOL_SOCKET, SO_REUSEADDR, &yes as *const i32 as usize, 4];
        let _ = ask(number::SETSOCKOPT, &arguments);
    }
    let made = on_address(number::BIND, fd, &address, len);
    finish(fd, made)
}

/// The kernel says that something became of a socket's file.
pub fn notified(core: &mut Core) {
    let mut events = [0; 512];
    while read(core.notify, &mut events).is_ok_and(|count| count > 0) {}
    look(core);
}

/// Whether each unix socket still has its file, if that was not looked at just now.
pub fn look_on_the_way(core: &mut Core, now: u64) {
    if now >= core.store.header().next_look_ms {
        look(core);
    }
}

pub fn look(core: &mut Core) {
    let now = now_ms();
    core.store.header().next_look_ms = now + LOOK_MS;
    for (index, server) in servers(&core.store.settings()) {
        let Some(listening) = core.servers.get(index).copied() else { return };
        let Some(path) = PathBuffer::of(&[server.path]).filter(|_| !server.path.is_empty()) else { continue };
        let is_there = facts_of(path.path()).is_ok_and(|facts| listening.is(&facts));
        if (listening.is_open && is_there) || now < listening.retry_ms {
            continue;
        }
        make_again(core, index, &server);
    }
}

fn make_again(core: &mut Core, index: usize, server: &Server<'_>) {
    let fixed = FD_SERVERS + index as i32;
    core.unwatch(fixed);
    close(fixed);
    if let Some(listening) = core.servers.get_mut(index) {
        listening.is_open = false;
        listening.retry_ms = now_ms() + RETRY_MS;
    }
    match open(core, index, server) {
        Ok(()) => line(&core.store, WARN, &[b"the socket ", server.path, b" had gone; it is there again"]),
        Err(why) => {
            let mut number = Number::of(why);
            let why = errno_name(why, &mut number);
            line(&core.store, ERRO, &[b"the socket ", server.path, b" has gone and cannot be made again: ", why]);
        }
    }
}

/// When a socket that could not be made is tried again.
pub fn due_ms(core: &Core) -> u64 {
    let waiting = core.servers.iter().filter(|server| !server.is_open && server.retry_ms > 0);
    waiting.map(|server| server.retry_ms).min().unwrap_or(NEVER)
}

/// Closed, and the files of unix ones that are still ours removed.
pub fn close_all(core: &mut Core) {
    for (index, server) in servers(&core.store.settings()) {
        let Some(listening) = core.servers.get_mut(index) else { return };
        let path = PathBuffer::of(&[server.path]).filter(|_| !server.path.is_empty());
        let is_ours = |path: &PathBuffer| facts_of(path.path()).is_ok_and(|facts| listening.is(&facts));
        if let Some(path) = path.filter(|path| listening.is_open && is_ours(path)) {
            let _ = unlink(path.path());
        }
        *listening = Listening::default();
        core.unwatch(FD_SERVERS + index as i32);
        close(FD_SERVERS + index as i32);
    }
}

/// After a takeover: the sockets are there, by their numbers.
pub fn adopt(core: &mut Core) {
    for (index, server) in servers(&core.store.settings()) {
        let Some(listening) = core.servers.get_mut(index) else { return };
        listening.is_open = super::system::facts_of_open(FD_SERVERS + index as i32).is_ok();
        listening.retry_ms = u64::from(!listening.is_open);
        if let Some(Ok(facts)) = PathBuffer::of(&[server.path]).map(|path| facts_of(path.path())) {
            (listening.inode, listening.device) = (facts.inode, facts.device);
        }
    }
}
