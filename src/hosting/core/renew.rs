//! A newer core takes over: the same process, the same descriptors by the same numbers, the same shared memory. No program notices.

use super::child::exec;
use super::log::{line, CRIT, ERRO, INFO};
use super::own::{Core, InitialStack, FD_STATE};
use super::state::{GroupRecord, Header, ProcessRecord, LAYOUT, MAGIC, ONE_FAULT};
use super::store::SharedMemory;
use super::system::{
    close, exit, facts_of, facts_of_open, may_run, move_to, open, pid, pread, write, SysResult, Path, PathBuffer, EACCES,
    EINVAL, O_RDONLY,
};
use super::{front, kept, listen, output, pool, probes, reap, start};

/// The file of the core before, and the same once a newer one has gone back to it.
const FD_BEFORE: i32 = 6;
const FD_BACK: i32 = 7;
/// What a core ends with that can go on no more.
const FAULT: u32 = 70;
/// So often a core that has a fault goes on all the same.
const MAX_FAULTS: u32 = 8;

/// Whether such a file can be a core: asked before the front end has its answer.
pub fn checked(path: &[u8]) -> SysResult<PathBuffer> {
    let path = PathBuffer::of(&[path]).ok_or(EINVAL)?;
    if !facts_of(path.path())?.is_regular() {
        return Err(EACCES);
    }
    may_run(path.path())?;
    Ok(path)
}

/// Comes back only where the system does not let it.
pub fn go_on_as(core: &Core, path: &PathBuffer) {
    line(&core.store, INFO, &[b"going on as ", path.bytes()]);
    let around = core.surroundings;
    kept::save(core);
    leave_the_way_back();
    // The argument's text is the same, so the process keeps its name.
    let why = exec(path.path().pointer(), around.arguments as usize, around.environment as usize);
    kept::forget();
    close(FD_BEFORE);
    let mut number = super::spawn_error::Number::of(why);
    let why = super::spawn_error::errno_name(why, &mut number);
    line(&core.store, ERRO, &[b"cannot go on as ", path.bytes(), b": ", why]);
}

/// What another core of this process left, if there was one.
pub fn taken_over(around: InitialStack) -> Option<Core> {
    let mut raw = [0; Header::SIZE];
    pread(FD_STATE, &mut raw, 0).ok()?;
    let header = Header::read(&raw);
    if header.magic != MAGIC || header.pid != pid() {
        return None;
    }
    let is_known = header.layout == LAYOUT
        && header.header_size as usize == Header::SIZE
        && header.group_size as usize == GroupRecord::SIZE
        && header.process_size as usize == ProcessRecord::SIZE;
    let size = facts_of_open(FD_STATE).ok()?.size as usize;
    if !is_known {
        go_back(header.layout == LAYOUT, size, around);
    }
    let store = SharedMemory::adopt(size).ok()?;
    let came_back = facts_of_open(FD_BACK).is_ok();
    [FD_BEFORE, FD_BACK].into_iter().for_each(close);
    store.header().sequence &= !1;
    let mut core = start::empty(around, store);
    start::prepare(&mut core);
    listen::adopt(&mut core);
    listen::attend_all(&core);
    front::adopt(&mut core);
    let mut index = 0;
    while let Some(at) = core.store.groups().nth(index) {
        pool::added(&mut core, at);
        index += 1;
    }
    probes::adopt(&core);
    kept::restore(&mut core);
    for place in core.store.processes() {
        output::watch(&core, place);
    }
    match came_back {
        true => line(&core.store, ERRO, &[b"the newer core does not know this one's memory: this one goes on with all that was there"]),
        false => line(&core.store, INFO, &[b"goes on with all that was there"]),
    }
    // What ended in between was told to nobody.
    reap::reap_all(&mut core);
    Some(core)
}

/// The file of the core that is here now, for one that does not know what it left; without /proc there is no way back.
fn leave_the_way_back() {
    if let Some(Ok(own)) = Path::of(b"/proc/self/exe\0").map(|path| open(path, O_RDONLY, 0)) {
        let _ = move_to(own, FD_BEFORE);
    }
}

/// The core that was here before knows this memory; nothing in it is touched, since nothing in it is known. Gone back once, or not to be gone back,
/// this is the end, and whatever keeps the daemon starts it anew.
fn go_back(has_known_header: bool, size: usize, around: InitialStack) -> ! {
    if move_to(FD_BEFORE, FD_BACK).is_ok() {
        exec(b"/proc/self/fd/7\0".as_ptr() as usize, around.arguments as usize, around.environment as usize);
    }
    const WHY: &[u8] = b"this core does not know the memory of the one before, and there is no way back to that: the end";
    if let (true, Ok(store)) = (has_known_header, SharedMemory::adopt(size)) {
        line(&store, CRIT, &[WHY]);
    }
    let _ = write(2, WHY);
    exit(FAULT)
}

/// A fault of the core: it begins again with all that is, a few times.
pub fn after_a_fault() -> ! {
    let size = facts_of_open(FD_STATE).map_or(0, |facts| facts.size as usize);
    if let Some(Ok(store)) = (size >= Header::SIZE).then(|| SharedMemory::adopt(size)) {
        let header = store.header();
        header.flags = header.flags.wrapping_add(ONE_FAULT);
        if header.flags / ONE_FAULT <= MAX_FAULTS {
            // The next one does not know of them, and would end none in its time.
            probes::end_all();
            let (arguments, environment) = InitialStack::remembered();
            exec(b"/proc/self/exe\0".as_ptr() as usize, arguments, environment);
        }
    }
    exit(FAULT)
}
