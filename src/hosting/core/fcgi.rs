//! The socket of an fcgi-program: bound here while any of its processes lives, and the standard input of each of them.

use super::arch::number;
use super::definition::{Group, KIND_FCGI};
use super::listen::{bind_inet, bind_unix, listen_at};
use super::log::{line, INFO};
use super::own::Core;
use super::store::Place;
use super::system::{ask, close, high, SysResult};

/// Where the configuration names no backlog.
const BACKLOG: u32 = 4096;

pub fn is_one(group: &Group<'_>) -> bool {
    group.kind == KIND_FCGI
}

/// A descriptor of the group's socket for one process; bound for the first of them.
pub fn for_process(core: &Core, place: Place, group: &Group<'_>) -> SysResult<i32> {
    const F_DUPFD: usize = 0;
    let record = core.store.group(place.group).ok_or(super::system::EINVAL)?;
    if record.socket_fd < 0 {
        line(&core.store, INFO, &[b"Creating socket ", group.socket]);
        record.socket_fd = high(bind(group)?)?;
    }
    // SAFETY: no memory.
    unsafe { ask(number::FCNTL, &[record.socket_fd as usize, F_DUPFD, 0]) }.map(|fd| fd as i32)
}

fn bind(group: &Group<'_>) -> SysResult<i32> {
    let fd = match group.socket_path.is_empty() {
        true => bind_inet(group.socket_address, group.socket_port, 0)?,
        false => bind_unix(group.socket_path, group.socket_mode, group.socket_uid, group.socket_gid)?,
    };
    let backlog = if group.socket_backlog == 0 { BACKLOG } else { group.socket_backlog };
    match listen_at(fd, backlog as usize) {
        Ok(_) => Ok(fd),
        Err(why) => {
            close(fd);
            Err(why)
        }
    }
}

/// A process of it has ended or was not started: the last one takes the socket with it.
pub fn released(core: &Core, place: Place) {
    let Some(record) = core.store.group(place.group).filter(|record| record.socket_fd >= 0) else { return };
    let is_used = |index| core.store.process(Place { group: place.group, index }).is_some_and(|one| one.pid > 0);
    if (0..record.processes as usize).any(is_used) {
        return;
    }
    if let Some(group) = core.store.definition(place.group) {
        line(&core.store, INFO, &[b"Closing socket ", group.socket]);
    }
    close(core::mem::replace(&mut record.socket_fd, -1));
}
