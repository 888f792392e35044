//! The other side of a fork: what a child does before it becomes the program. It never comes back, and says on its standard error
//! what went wrong.

use super::arch::number;
use super::cgroup::{self, Kept};
use super::definition::{Group, Program, Settings};
use super::own::{for_child, Core, InitialStack};
use super::spawn_error::{errno_name, Number};
use super::state::FLAG_OOM_SCORE;
use super::system::{
    answer, ask, change_folder, close, close_from, dup_to, exit, open, set_umask, write, SysResult, Path, PathBuffer,
    O_WRONLY,
};
use super::wire::{texts, Fixed, FieldSink};

/// What a failed exec ends with.
const NOT_SPAWNED: u32 = 127;
const SIGCHLD: usize = 17;

/// 0 in the child.
pub fn fork() -> SysResult<i32> {
    // SAFETY: both go on with their own copy of all memory but the shared, which the child does not touch.
    answer(unsafe { super::arch::call(number::CLONE, [SIGCHLD, 0, 0, 0, 0, 0]) }).map(|pid| pid as i32)
}

/// Everything that was blocked is let through again.
pub fn unblock_signals() {
    let none = 0_u64;
    // SAFETY: a set of eight bytes.
    let _ = unsafe { ask(number::SIGPROCMASK, &[2, &none as *const u64 as usize, 0, 8]) };
}

fn common(core: &Core) {
    unblock_signals();
    restore_oom_score(core);
}

/// The core's is lower; a program's is what the daemon was given.
fn restore_oom_score(core: &Core) {
    let header = core.store.header();
    if header.flags & FLAG_OOM_SCORE != 0 {
        put_into(b"/proc/self/oom_score_adj\0", Number::of(header.oom_score).digits());
    }
}

pub fn put_into(path: &[u8], text: &[u8]) {
    if let Some(Ok(fd)) = Path::of(path).map(|path| open(path, O_WRONLY, 0)) {
        let _ = write(fd, text);
        close(fd);
    }
}

/// The child's three descriptors.
pub struct Ends {
    pub stdin: i32,
    pub stdout: i32,
    pub stderr: i32,
}

/// Becomes the program.
pub fn become_program(core: &Core, group: &Group<'_>, program: &Program<'_>, file: &PathBuffer, ends: &Ends, kept: Kept) -> ! {
    // SAFETY: no memory.
    let _ = unsafe { ask(number::SETPGID, &[0, 0]) };
    for (from, to) in [(ends.stdin, 0), (ends.stdout, 1), (ends.stderr, 2)] {
        let _ = dup_to(from, to);
    }
    close_from(3);
    common(core);
    if !(cgroup::enter(program) && kept.memory) {
        limit_memory(program);
    }
    if let Err(why) = set_user(program) {
        let mut number = Number::of(program.uid);
        let uid = Number::of(program.uid);
        fail(&[b"couldn't setuid to ", uid.digits(), b": ", errno_name(why, &mut number)]);
    }
    die_with_parent(core);
    let settings = core.store.settings();
    if !program.directory.is_empty() {
        let gone = match PathBuffer::of(&[program.directory]) {
            Some(path) => change_folder(path.path()).err(),
            None => Some(super::system::ENOENT),
        };
        if let Some(why) = gone {
            fail(&[b"couldn't chdir to ", program.directory, b": ", errno_name(why, &mut Number::of(why))]);
        }
    }
    if program.umask >= 0 {
        set_umask(program.umask as u32);
    }
    let why = execute(core.surroundings, &settings, group, program, file);
    let first = texts(program.argv).next().unwrap_or(b"");
    fail(&[b"couldn't exec ", first, b": ", errno_name(why, &mut Number::of(why))])
}

/// Its address space, which every system can limit; what it started before shares nothing of it.
fn limit_memory(program: &Program<'_>) {
    const RLIMIT_AS: usize = 9;
    if program.memory_max > 0 {
        let both = [program.memory_max; 2];
        // SAFETY: two numbers of eight bytes. Of ourselves it is always allowed to be less.
        let _ = unsafe { ask(number::PRLIMIT64, &[0, RLIMIT_AS, both.as_ptr() as usize, 0]) };
    }
}

fn fail(parts: &[&[u8]]) -> ! {
    let _ = write(2, b"supervisor: ");
    parts.iter().for_each(|part| {
        let _ = write(2, part);
    });
    let _ = write(2, b"\nsupervisor: child process was not spawned\n");
    exit(NOT_SPAWNED)
}

/// A core that is killed takes its programs with it, so that none runs twice when the next one starts them. After the user is set:
/// another user's process forgets it.
fn die_with_parent(core: &Core) {
    const PR_SET_PDEATHSIG: usize = 1;
    const SIGKILL: usize = 9;
    // SAFETY: no memory.
    let parent = unsafe {
        let _ = ask(number::PRCTL, &[PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
        ask(number::GETPPID, &[])
    };
    // It may have been killed before that.
    if parent != Ok(core.store.header().pid as usize) {
        exit(NOT_SPAWNED);
    }
}

fn set_user(program: &Program<'_>) -> SysResult<()> {
    if program.uid < 0 {
        return Ok(());
    }
    // SAFETY: no memory.
    let own = unsafe { ask(number::GETUID, &[]) }?;
    if own != 0 {
        return if own == program.uid as usize { Ok(()) } else { Err(1) };
    }
    become_user(program.uid, program.gid, program.groups)
}

/// Groups first: afterwards it may not any more.
pub fn become_user(uid: i32, gid: i32, groups: &[u8]) -> SysResult<()> {
    // SAFETY: the numbers are there, four bytes each; the kernel takes them at any place.
    unsafe {
        ask(number::SETGROUPS, &[groups.len() / 4, groups.as_ptr() as usize])?;
        ask(number::SETGID, &[gid as usize])?;
        ask(number::SETUID, &[uid as usize])?;
    }
    Ok(())
}

/// The pointers and the texts of a new program, put together in the child's copy of the buffer.
struct Lists {
    pointers: &'static mut [u8],
    count: usize,
    texts: Fixed<'static>,
}

impl Lists {
    fn push(&mut self, text: &[u8]) -> bool {
        self.push_pointer(text.as_ptr() as usize)
    }

    fn push_pointer(&mut self, pointer: usize) -> bool {
        const SIZE: usize = core::mem::size_of::<usize>();
        let Some(place) = self.pointers.get_mut(self.count * SIZE..(self.count + 1) * SIZE) else { return false };
        place.copy_from_slice(&pointer.to_ne_bytes());
        self.count += 1;
        true
    }

    /// A text of these parts and a NUL.
    fn put_together(&mut self, parts: &[&[u8]]) -> bool {
        let from = self.texts.len;
        let fits = parts.iter().all(|part| self.texts.put(part)) && self.texts.put(&[0]);
        let start = self.texts.buffer.as_ptr() as usize + from;
        fits && self.push_pointer(start)
    }

    /// Where the list begins that starts so many pointers in.
    fn from(&self, index: usize) -> usize {
        self.pointers.as_ptr() as usize + index * core::mem::size_of::<usize>()
    }
}

fn lists() -> Lists {
    let (pointers, texts) = for_child();
    // The kernel wants pointers at their own multiple.
    let shift = pointers.as_ptr().align_offset(core::mem::size_of::<usize>());
    Lists { pointers: pointers.get_mut(shift..).unwrap_or(&mut []), count: 0, texts: Fixed { buffer: texts, len: 0 } }
}

const E2BIG: i32 = 7;

/// Comes back only with why not.
fn execute(
    around: InitialStack,
    settings: &Settings<'_>,
    group: &Group<'_>,
    program: &Program<'_>,
    file: &PathBuffer,
) -> i32 {
    let mut lists = lists();
    let mut fits = true;
    // Each ends with NUL where it stands.
    for argument in program.argv.split_inclusive(|byte| *byte == 0) {
        fits &= lists.push(argument);
    }
    fits &= lists.push_pointer(0);
    let environment_at = lists.count;
    for variable in around.variables() {
        let name = variable.split(|byte| *byte == b'=').next().unwrap_or(b"");
        if !is_own(name) && !is_set(program, name) {
            fits &= lists.push(variable);
        }
    }
    let url = if program.serverurl.is_empty() { settings.server_url } else { program.serverurl };
    let given: [(&[u8], &[u8]); 4] = [
        (b"SUPERVISOR_ENABLED", b"1"),
        (b"SUPERVISOR_SERVER_URL", url),
        (b"SUPERVISOR_PROCESS_NAME", program.name),
        (b"SUPERVISOR_GROUP_NAME", group.name),
    ];
    for (name, value) in given.into_iter().filter(|(name, value)| !value.is_empty() && !is_set(program, name)) {
        fits &= lists.put_together(&[name, b"=", value]);
    }
    for variable in program.environment.split_inclusive(|byte| *byte == 0) {
        fits &= lists.push(variable);
    }
    fits &= lists.push_pointer(0);
    if !fits {
        return E2BIG;
    }
    exec(file.path().pointer(), lists.from(0), lists.from(environment_at))
}

fn is_set(program: &Program<'_>, name: &[u8]) -> bool {
    texts(program.environment).any(|pair| pair.strip_prefix(name).is_some_and(|rest| rest.starts_with(b"=")))
}

/// Variables that the core sets itself.
fn is_own(name: &[u8]) -> bool {
    let own: [&[u8]; 4] =
        [b"SUPERVISOR_ENABLED", b"SUPERVISOR_SERVER_URL", b"SUPERVISOR_PROCESS_NAME", b"SUPERVISOR_GROUP_NAME"];
    own.contains(&name)
}

pub fn exec(path: usize, arguments: usize, environment: usize) -> i32 {
    // SAFETY: callers put the lists together as the kernel wants them.
    unsafe { ask(number::EXECVE, &[path, arguments, environment]) }.err().unwrap_or(0)
}

/// Becomes a front end: `supervisord --front-end` and these words.
pub fn become_front_end(core: &Core, words: &[&[u8]], descriptors: [i32; 4]) -> ! {
    // First out of the way of each other, then to their places.
    let mut moved = [-1; 4];
    for (to, from) in moved.iter_mut().zip(descriptors) {
        *to = if from < 0 { -1 } else { high_copy(from) };
    }
    for (place, fd) in moved.iter().enumerate() {
        let fixed = super::protocol::FD_CONNECTION + place as i32;
        close(fixed);
        if *fd >= 0 {
            let _ = dup_to(*fd, fixed);
        }
    }
    close_from(super::protocol::FD_CONFIGURATION + 1);
    if let Some(Ok(null)) = Path::of(b"/dev/null\0").map(|path| open(path, super::system::O_RDWR, 0)) {
        (0..3).for_each(|fd| {
            let _ = dup_to(null, fd);
        });
        close(null);
    }
    common(core);
    let mut lists = lists();
    let fits = lists.put_together(&[b"supervisord"])
        && lists.put_together(&[super::protocol::FRONT_END.as_bytes()])
        && words.iter().all(|word| lists.put_together(&[word]))
        && lists.push_pointer(0);
    if let (true, Some(file)) = (fits, PathBuffer::of(&[core.store.settings().front])) {
        exec(file.path().pointer(), lists.from(0), core.surroundings.environment as usize);
    }
    exit(NOT_SPAWNED)
}

fn high_copy(fd: i32) -> i32 {
    const F_DUPFD: usize = 0;
    // SAFETY: no memory.
    unsafe { ask(number::FCNTL, &[fd as usize, F_DUPFD, 100]) }.map_or(-1, |fd| fd as i32)
}
