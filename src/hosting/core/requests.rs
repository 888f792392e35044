//! What front ends ask for, one packet at a time, each answered at once.

use super::arch::number;
use super::definition::Configuration;
use super::front::{hang_up, is_for_nobody, say};
use super::life::{happens, send};
use super::log;
use super::memory::{memory_file, set_size, Mapping};
use super::own::{for_copies, for_packets, Core, FD_CONFIGURATION, FD_FRONTS};
use super::protocol::{Refusal, Reply, CoreRequest};
use super::store::Place;
use super::system::{ask, close, facts_of_open, high, pread, write, SysResult, Path, EAGAIN, EINTR, EINVAL, EPIPE};
use super::table::{Action, Event, State};
use super::{output, pass, pool, renew, signals, stop};

const MSG_DONTWAIT: usize = 0x40;
const SOL_SOCKET: u32 = 1;
const SCM_RIGHTS: u32 = 1;

/// The next packet of a front end, if there is one; whether there was.
pub fn take(core: &mut Core, place: usize) -> bool {
    let buffer = for_packets();
    match receive(FD_FRONTS + place as i32, buffer) {
        Ok((count, fd)) if count == 0 || is_for_nobody(core, place) => {
            close(fd);
            hang_up(core, place);
            false
        }
        Ok((count, fd)) => {
            let request = buffer.get(..count).and_then(CoreRequest::decode);
            let reply = match request {
                Some(request) => answer(core, place, request, fd),
                None => refuse(Refusal::Malformed),
            };
            close(fd);
            say(place, reply);
            true
        }
        Err(EAGAIN | EINTR) => false,
        Err(_) => {
            hang_up(core, place);
            false
        }
    }
}

/// A packet, and the descriptor that came with it; -1 for none.
fn receive(fd: i32, buffer: &mut [u8]) -> SysResult<(usize, i32)> {
    const WORD: usize = core::mem::size_of::<usize>();
    let part = [buffer.as_mut_ptr() as usize, buffer.len()];
    // One descriptor: the length of this and eight bytes before it.
    let mut control = [0_usize; 4];
    let control_len = WORD + 8 + 4;
    let message = [0, 0, part.as_ptr() as usize, 1, control.as_mut_ptr() as usize, control_len, 0];
    // SAFETY: the record has the kernel's form on machines of both word sizes, and all it points to is there.
    let count = unsafe { ask(number::RECVMSG, &[fd as usize, message.as_ptr() as usize, MSG_DONTWAIT]) }?;
    // SAFETY: words are bytes; the kernel wrote here, behind the compiler's back.
    let raw: [u8; 4 * WORD] = unsafe { (&control as *const [usize; 4]).cast::<[u8; 4 * WORD]>().read_volatile() };
    let field = |at: usize| raw.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_ne_bytes);
    let is_descriptor = field(WORD) == SOL_SOCKET && field(WORD + 4) == SCM_RIGHTS && field(0) as usize == control_len;
    Ok((count, if is_descriptor { field(WORD + 8) as i32 } else { -1 }))
}

fn refuse(why: Refusal) -> Reply {
    Reply::Refused { why, errno: 0 }
}

fn failed(errno: i32) -> Reply {
    Reply::Refused { why: Refusal::Failed, errno: errno as u32 }
}

fn done(result: SysResult<()>) -> Reply {
    result.map_or_else(failed, |()| Reply::Done)
}

fn answer(core: &mut Core, place: usize, request: CoreRequest<'_>, fd: i32) -> Reply {
    let is_always_allowed =
        matches!(request, CoreRequest::RemoteEvent { .. } | CoreRequest::Log { .. } | CoreRequest::Watch | CoreRequest::ReopenLogs);
    if core.store.header().mood <= 0 && !is_always_allowed {
        return refuse(Refusal::ShuttingDown);
    }
    match request {
        CoreRequest::Start { id } => with(core, id, |core, at| started(happens(core, at, Event::Start))),
        CoreRequest::Stop { id } => with(core, id, |core, at| stopped(happens(core, at, Event::Stop))),
        CoreRequest::Signal { id, signal } => with(core, id, |core, at| signalled(core, at, signal)),
        CoreRequest::Stdin { id, bytes } => with(core, id, |core, at| written(core, at, bytes)),
        CoreRequest::ClearLogs { id } => with(core, id, |core, at| done(output::clear_logs(core, at))),
        CoreRequest::ClearMainLog => done(log::target(&core.store, |log| log.clear())),
        CoreRequest::AddGroup { name } => added(core, name),
        CoreRequest::RemoveGroup { id } => removed(core, id),
        CoreRequest::Configuration => done(adopt_configuration(fd)),
        CoreRequest::Shutdown => {
            stop::shut_down(core);
            Reply::Done
        }
        CoreRequest::Restart => match copied(fd) {
            Ok(copy) => {
                close(core.next_configuration.replace(copy).unwrap_or(-1));
                stop::restart(core);
                Reply::Done
            }
            Err(_) => refuse(Refusal::Malformed),
        },
        CoreRequest::RemoteEvent { kind, data } => {
            pool::remote(core, kind, data);
            Reply::Done
        }
        CoreRequest::Log { level, text } => {
            log::line(&core.store, level, &[text]);
            Reply::Done
        }
        CoreRequest::Watch => {
            let changes = core.store.header().changes;
            if let Some(front) = core.fronts.get_mut(place) {
                (front.watches, front.told) = (true, changes);
            }
            Reply::Done
        }
        CoreRequest::Renew { core: path } => match renew::checked(path) {
            Ok(path) => {
                // This core says nothing more, unless it has to stay.
                say(place, Reply::Done);
                renew::go_on_as(core, &path);
                Reply::Changed
            }
            Err(why) => failed(why),
        },
        CoreRequest::ReopenLogs => {
            signals::reopen_logs(core, b"log reopen was asked for");
            Reply::Done
        }
    }
}

fn with(core: &mut Core, id: u32, act: impl FnOnce(&mut Core, Place) -> Reply) -> Reply {
    match core.store.find(|process| process.id == id) {
        Some(place) => act(core, place),
        None => refuse(Refusal::Gone),
    }
}

fn started(action: Action) -> Reply {
    match action {
        Action::RefuseRunning => refuse(Refusal::AlreadyStarted),
        _ => Reply::Done,
    }
}

fn stopped(action: Action) -> Reply {
    match action {
        Action::RefuseStopped => refuse(Refusal::NotRunning),
        _ => Reply::Done,
    }
}

fn has_process(core: &Core, place: Place) -> bool {
    core.store.process(place).is_some_and(|process| State::of(process.state).has_process() && process.pid > 0)
}

fn signalled(core: &mut Core, place: Place, signal: u32) -> Reply {
    const LAST_SIGNAL: u32 = 64;
    if !has_process(core, place) {
        return refuse(Refusal::NotRunning);
    }
    if signal > LAST_SIGNAL {
        return failed(EINVAL);
    }
    send(core, place, signal, false);
    Reply::Done
}

fn written(core: &mut Core, place: Place, bytes: &[u8]) -> Reply {
    let (true, Some(process)) = (has_process(core, place), core.store.process(place)) else {
        return refuse(Refusal::NotRunning);
    };
    match write(process.stdin_fd, bytes) {
        Ok(count) => Reply::Written { bytes: count as u32 },
        Err(EAGAIN | EINTR) => Reply::Written { bytes: 0 },
        Err(EPIPE) => refuse(Refusal::NoInput),
        Err(_) if process.stdin_fd < 0 => refuse(Refusal::NoInput),
        Err(why) => failed(why),
    }
}

fn added(core: &mut Core, name: &[u8]) -> Reply {
    if core.store.find_group(name).is_some() {
        return refuse(Refusal::AlreadyAdded);
    }
    let size = facts_of_open(FD_CONFIGURATION).map_or(0, |facts| facts.size as usize);
    let view = match Mapping::view(FD_CONFIGURATION, size) {
        Ok(view) => view,
        Err(why) => return failed(why),
    };
    let bytes = view.bytes().get(..size).unwrap_or(&[]);
    let found = Configuration::checked(bytes).and_then(|configuration| configuration.raw_group(name));
    let added = found.map(|raw| core.store.add(raw));
    view.drop();
    match added {
        None => refuse(Refusal::Gone),
        Some(Err(why)) => failed(why),
        Some(Ok(at)) => {
            pool::added(core, at);
            pool::group_changed(core, at, true);
            pass::autostart(core, Some(at));
            Reply::Done
        }
    }
}

fn removed(core: &mut Core, id: u32) -> Reply {
    let Some(at) = core.store.groups().find(|at| core.store.group(*at).is_some_and(|group| group.id == id)) else {
        return refuse(Refusal::Gone);
    };
    let is_up = |place: Place| {
        let state = core.store.process(place).map_or(State::Stopped, |process| State::of(process.state));
        place.group == at && !state.is_stopped()
    };
    if core.store.processes().any(is_up) {
        return refuse(Refusal::StillRunning);
    }
    pool::removed(core, at);
    pool::group_changed(core, at, false);
    core.store.remove(at);
    Reply::Done
}

fn adopt_configuration(fd: i32) -> SysResult<()> {
    let copy = copied(fd)?;
    let written = write_over(copy);
    close(copy);
    written
}

/// In the same file: every front end that is there has it open.
fn write_over(copy: i32) -> SysResult<()> {
    let size = facts_of_open(copy)?.size as usize;
    let from = Mapping::view(copy, size)?;
    let to = set_size(FD_CONFIGURATION, size).and_then(|_| Mapping::shared(FD_CONFIGURATION, size));
    if let (Ok(to), Some(bytes)) = (&to, from.bytes().get(..size)) {
        to.bytes_mut().get_mut(..size).unwrap_or(&mut []).copy_from_slice(bytes);
        to.drop();
    }
    from.drop();
    to.map(|_| ())
}

/// A copy of a configuration that nobody else can change, if it is one.
fn copied(fd: i32) -> SysResult<i32> {
    let copy = high(memory_file(Path::of(b"gwe-configuration\0").ok_or(EINVAL)?)?)?;
    match copy_and_check(fd, copy) {
        Ok(()) => Ok(copy),
        Err(why) => {
            close(copy);
            Err(why)
        }
    }
}

fn copy_and_check(fd: i32, copy: i32) -> SysResult<()> {
    let buffer = for_copies();
    let mut size = 0;
    loop {
        let count = pread(fd, buffer, size)?;
        if count == 0 {
            break;
        }
        size += count;
        if size > super::definition::MAX_CONFIGURATION {
            return Err(EINVAL);
        }
        write(copy, buffer.get(..count).unwrap_or(&[]))?;
    }
    let view = Mapping::view(copy, size)?;
    let is_good = Configuration::checked(view.bytes().get(..size).unwrap_or(&[])).is_some();
    view.drop();
    if is_good {
        Ok(())
    } else {
        Err(EINVAL)
    }
}
