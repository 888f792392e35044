//! A newer core takes over: the same process, the same descriptors by the same numbers, the same shared memory. No program notices.

use super::child::exec;
use super::log::{line, ERRO, INFO};
use super::own::{Core, Surroundings, FD_STATE};
use super::state::{GroupRecord, Header, ProcessRecord, LAYOUT, MAGIC, ONE_FAULT};
use super::store::Store;
use super::system::{exit, facts_of, facts_of_open, may_run, pid, pread, Answer, PathBuffer, EACCES, EINVAL};
use super::{front, kept, listen, output, pool, reap, start};

/// What a core ends with that can go on no more.
const FAULT: u32 = 70;
/// So often a core that has a fault goes on all the same.
const MAX_FAULTS: u32 = 8;

/// Whether such a file can be a core: asked before the front end has its answer.
pub fn checked(path: &[u8]) -> Answer<PathBuffer> {
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
    // The argument's text is the same, so the process keeps its name.
    let why = exec(path.path().pointer(), around.arguments as usize, around.environment as usize);
    kept::forget();
    let mut number = super::spawn_error::Number::of(why);
    let why = super::spawn_error::errno_name(why, &mut number);
    line(&core.store, ERRO, &[b"cannot go on as ", path.bytes(), b": ", why]);
}

/// What another core of this process left, if there was one.
pub fn taken_over(around: Surroundings) -> Option<Core> {
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
    let store = Store::adopt(size).ok()?;
    if !is_known {
        go_back(&store, around);
    }
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
    kept::restore(&mut core);
    for place in core.store.processes() {
        output::watch(&core, place);
    }
    line(&core.store, INFO, &[b"goes on with all that was there"]);
    // What ended in between was told to nobody.
    reap::reap_all(&mut core);
    Some(core)
}

/// The core that was here before knows this memory.
fn go_back(store: &Store, around: Surroundings) {
    line(store, ERRO, &[b"this core does not know the memory of the one before; that goes on"]);
    if let Some(path) = PathBuffer::of(&[store.settings().core]) {
        exec(path.path().pointer(), around.arguments as usize, around.environment as usize);
    }
    exit(FAULT)
}

/// A fault of the core: it begins again with all that is, a few times.
pub fn after_a_fault() -> ! {
    let size = facts_of_open(FD_STATE).map_or(0, |facts| facts.size as usize);
    if let Some(Ok(store)) = (size >= Header::SIZE).then(|| Store::adopt(size)) {
        let header = store.header();
        header.flags = header.flags.wrapping_add(ONE_FAULT);
        if header.flags / ONE_FAULT <= MAX_FAULTS {
            let (arguments, environment) = Surroundings::remembered();
            exec(b"/proc/self/exe\0".as_ptr() as usize, arguments, environment);
        }
    }
    exit(FAULT)
}
