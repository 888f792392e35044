//! A program's own cgroup: made before its process is there, entered by that itself, taken away once it has ended. The folder in which it lies
//! has been prepared by who read the configuration; there is none where no limit is asked for.

use super::arch::number;
use super::definition::Program;
use super::spawn_error::Number;
use super::system::{ask, close, open, write, PathBuffer, AT_FDCWD, EEXIST, O_WRONLY};

/// Which of its limits it keeps.
#[derive(Clone, Copy, Default)]
pub struct Kept {
    pub memory: bool,
    pub cpu: bool,
}

fn put(program: &Program<'_>, file: &[u8], text: &[u8]) -> bool {
    let Some(path) = PathBuffer::of(&[program.cgroup, file]) else { return false };
    let Ok(fd) = open(path.path(), O_WRONLY, 0) else { return false };
    let written = write(fd, text);
    close(fd);
    written.is_ok()
}

pub fn make(program: &Program<'_>) -> Kept {
    let Some(path) = PathBuffer::of(&[program.cgroup]).filter(|_| !program.cgroup.is_empty()) else { return Kept::default() };
    // SAFETY: a path ends with NUL.
    let made = unsafe { ask(number::MKDIRAT, &[AT_FDCWD as usize, path.path().pointer(), 0o755]) };
    if !matches!(made, Ok(_) | Err(EEXIST)) {
        return Kept::default();
    }
    let memory = program.memory_max > 0 && put(program, b"/memory.max", Number::of_u64(program.memory_max).digits());
    // All of it or nothing: half an app is worse than one that starts anew.
    put(program, b"/memory.oom.group", b"1");
    let cpu = program.cpu_weight > 0 && put(program, b"/cpu.weight", Number::of_u64(u64::from(program.cpu_weight)).digits());
    Kept { memory, cpu }
}

/// In the child. Whether it is there.
pub fn enter(program: &Program<'_>) -> bool {
    !program.cgroup.is_empty() && put(program, b"/cgroup.procs", b"0")
}

/// What it started and is still there keeps it; the next start finds it.
pub fn left(program: &Program<'_>) {
    const AT_REMOVEDIR: usize = 0x200;
    if let Some(path) = PathBuffer::of(&[program.cgroup]).filter(|_| !program.cgroup.is_empty()) {
        // SAFETY: a path ends with NUL.
        let _ = unsafe { ask(number::UNLINKAT, &[AT_FDCWD as usize, path.path().pointer(), AT_REMOVEDIR]) };
    }
}
