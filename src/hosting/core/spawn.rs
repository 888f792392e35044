//! A program is started: its file, its logs, its pipes, its process. Whatever of that fails is undone.

use super::cgroup;
use super::child::{become_program, fork, Ends};
use super::command::resolve;
use super::definition::Program;
use super::fcgi;
use super::log::{line, INFO};
use super::output;
use super::own::Core;
use super::spawn_error::{Number, SpawnError};
use super::store::Place;
use super::system::{close, high, pipe, set_nonblocking, SysResult, EAGAIN, EMFILE, ENFILE};
use super::text::Text;

/// The pipes of one process: the core's ends, and the child's.
struct Pipes {
    stdin: (i32, i32),
    stdout: (i32, i32),
    /// None where the error output goes the way of the other.
    stderr: Option<(i32, i32)>,
}

impl Pipes {
    /// `stdin`: what the child gets as that, where it is no pipe.
    fn make(stdin: Option<i32>, with_stderr: bool) -> SysResult<Pipes> {
        let stdin = match stdin {
            Some(fd) => (fd, -1),
            None => pipe()?,
        };
        let undo = |made: &[(i32, i32)], why| {
            made.iter().for_each(|ends| close_both(*ends));
            why
        };
        let stdout = pipe().map_err(|why| undo(&[stdin], why))?;
        let stderr = match with_stderr {
            true => Some(pipe().map_err(|why| undo(&[stdin, stdout], why))?),
            false => None,
        };
        Ok(Pipes { stdin, stdout, stderr })
    }

    fn close_childs(&self) {
        close(self.stdin.0);
        close(self.stdout.1);
        close(self.stderr.map_or(-1, |(_, write)| write));
    }

    fn close_cores(&self) {
        close(self.stdin.1);
        close(self.stdout.0);
        close(self.stderr.map_or(-1, |(read, _)| read));
    }
}

fn close_both((read, write): (i32, i32)) {
    close(read);
    close(write);
}

/// What went wrong, with the number that belongs to it.
type Failure = (SpawnError, i32);

/// Whether it was started. If not, why is in its record and in the log.
pub fn spawn(core: &mut Core, place: Place) -> bool {
    match try_spawn(core, place) {
        Ok(()) => true,
        Err((why, detail)) => {
            if let Some(process) = core.store.process(place) {
                process.spawn_error = why as u32;
                process.spawn_detail = detail as u32;
            }
            false
        }
    }
}

fn try_spawn(core: &mut Core, place: Place) -> Result<(), Failure> {
    let (Some((group, program)), Some(process)) = (core.store.program(place), core.store.process(place)) else {
        return Err((SpawnError::EmptyCommand, 0));
    };
    process.spawn_error = 0;
    process.has_exited = 0;
    process.exit_status = 0;
    process.starts = process.starts.wrapping_add(1);
    let complain = |core: &Core, (why, detail): Failure, first: &[u8]| {
        let mut said = Text::<1024>::new();
        why.text(detail, program.name, program.command, first, program.command_fault, &mut said);
        line(&core.store, INFO, &[b"spawnerr: ", said.bytes()]);
        (why, detail)
    };
    let file = match resolve(&program, core.surroundings) {
        Ok(file) => file,
        Err((why, path)) => {
            let looked_at = path.as_ref().map_or(&[] as &[u8], |path| path.bytes());
            return Err(complain(core, (why, 0), looked_at));
        }
    };
    let pipes = output::open_logs(core, place).and_then(|()| {
        let stdin = fcgi::is_one(&group).then(|| fcgi::for_process(core, place, &group)).transpose()?;
        Pipes::make(stdin, !program.redirect_stderr)
    });
    let pipes = pipes.map_err(|errno| {
        output::close_logs(core, place);
        fcgi::released(core, place);
        let why = match errno {
            EMFILE | ENFILE => SpawnError::TooManyFiles,
            _ => SpawnError::Dispatchers,
        };
        complain(core, (why, errno), b"")
    })?;
    let ends = Ends {
        stdin: pipes.stdin.0,
        stdout: pipes.stdout.1,
        stderr: pipes.stderr.map_or(pipes.stdout.1, |(_, write)| write),
    };
    let kept = cgroup::make(&program);
    let pid = match fork() {
        Ok(0) => become_program(core, &group, &program, &file, &ends, kept),
        Ok(pid) => pid,
        Err(errno) => {
            pipes.close_childs();
            pipes.close_cores();
            output::close_logs(core, place);
            fcgi::released(core, place);
            cgroup::left(&program);
            let why = if errno == EAGAIN { SpawnError::TooManyProcesses } else { SpawnError::Fork };
            return Err(complain(core, (why, errno), b""));
        }
    };
    pipes.close_childs();
    process.pid = pid;
    keep(core, place, &pipes);
    line(&core.store, INFO, &[b"spawned: '", program.name, b"' with pid ", Number::of(pid).digits()]);
    say_limits(core, &program, kept);
    Ok(())
}

/// Which of its limits holds by what.
fn say_limits(core: &Core, program: &Program<'_>, kept: cgroup::Kept) {
    if program.memory_max > 0 {
        let bytes = Number::of_u64(program.memory_max);
        let (by, what): (&[u8], &[u8]) = match kept.memory {
            true => (b"its cgroup ", program.cgroup),
            false => (b"its address space", b""),
        };
        line(&core.store, INFO, &[b"memory_max of '", program.name, b"': ", by, what, b" has ", bytes.digits(), b" bytes"]);
    }
    if program.cpu_weight > 0 {
        let weight = Number::of_u64(u64::from(program.cpu_weight));
        match kept.cpu {
            true => line(&core.store, INFO, &[b"cpu_weight of '", program.name, b"': its cgroup ", program.cgroup, b" has ", weight.digits()]),
            false => line(&core.store, INFO, &[b"cpu_weight of '", program.name, b"' does nothing: there is no cgroup v2 that keeps it"]),
        }
    }
}

/// The core's ends go out of the way of the fixed numbers, and are watched.
fn keep(core: &mut Core, place: Place, pipes: &Pipes) {
    let Some(process) = core.store.process(place) else { return };
    process.stdin_fd = if pipes.stdin.1 < 0 { -1 } else { high(pipes.stdin.1).unwrap_or(-1) };
    process.stdout_fd = high(pipes.stdout.0).unwrap_or(-1);
    process.stderr_fd = pipes.stderr.map_or(-1, |(read, _)| high(read).unwrap_or(-1));
    [process.stdin_fd, process.stdout_fd, process.stderr_fd]
        .into_iter()
        .filter(|fd| *fd >= 0)
        .for_each(set_nonblocking);
    output::watch(core, place);
}
