//! Running a program that may fail, hang, fork away or flood: bounded in time, output and survivors.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::program::{pipe, ChildProcess, Program};
use super::signal;

/// How a bounded run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this exit status.
    Exit(i32),
    /// By this signal, which was not ours.
    Signal(i32),
    /// Its time was over, and it was killed with all its descendants.
    TimedOut,
}

/// What a bounded run left.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub ended: Ended,
    /// Its output, the middle cut where it was longer than the bound.
    pub output: Vec<u8>,
}

/// After the program's own end, how long a descendant may hold the output open before it is killed.
const PIPE_GRACE: Duration = Duration::from_secs(1);
/// From SIGTERM to SIGKILL when the time is over.
const TERM_GRACE: Duration = Duration::from_secs(3);
/// The highest descriptor that is looked for: more than a soft limit allows nearly everywhere.
const MAX_DESCRIPTORS: libc::c_int = 1024;
/// Rounds of killing descendants: each round gets a generation of a fork chain.
const KILL_ROUNDS: usize = 50;

/// Runs a program with stdout and stderr in one pipe as they came, no stdin, in a session of its own. Nothing that it
/// started survives, whatever the end: descendants that left its process group are found as this process's own children,
/// since it makes itself their subreaper (docs/spec/failures.md, row 12).
///
/// # Errors
/// The program could not be started.
pub fn run(program: Program, limit: Duration, max_output: usize) -> io::Result<Run> {
    run_as(program, None, limit, max_output)
}

/// Who a program is to run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// His number.
    pub uid: u32,
    /// His first group.
    pub gid: u32,
    /// All his groups.
    pub groups: Vec<u32>,
}

impl Credentials {
    /// Groups first: afterwards it may not any more. Whoever is no superuser can only stay himself. Async-signal-safe.
    fn take(&self) -> io::Result<()> {
        // SAFETY: the numbers outlive the call; nothing else touches memory.
        let refused = unsafe {
            let own = libc::geteuid();
            (own != 0 && own != self.uid)
                || (own == 0
                    && (libc::setgroups(self.groups.len() as _, self.groups.as_ptr()) != 0
                        || libc::setgid(self.gid) != 0
                        || libc::setuid(self.uid) != 0))
        };
        if refused {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        Ok(())
    }
}

/// The same as somebody else.
///
/// # Errors
/// The program could not be started, or not as him.
pub fn run_as(
    mut program: Program,
    identity: Option<Credentials>,
    limit: Duration,
    max_output: usize,
) -> io::Result<Run> {
    become_subreaper();
    let (reader, writer) = pipe()?;
    program.streams([Some(File::open("/dev/null")?.into()), Some(writer.try_clone()?), Some(writer)]);
    // SAFETY: setsid, prctl, signal, sigprocmask and fcntl are async-signal-safe, and nothing else runs between fork and exec.
    unsafe {
        program.prepare(move || {
            libc::setsid();
            // Before the next: another user's process forgets it.
            identity.as_ref().map_or(Ok(()), Credentials::take)?;
            // Should this process be killed, the script does not go on unseen beside its own second try.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0);
            signal::reset_all();
            signal::release();
            keep_descriptors();
            Ok(())
        });
    }
    let mut child = program.spawn()?;
    let mut output = BoundedOutput::new(max_output);
    let ended = watch(&mut child, &reader, &mut output, Instant::now() + limit);
    let _ = signal::send(-child.pid(), libc::SIGKILL);
    end_orphans();
    drain(&reader, &mut output);
    Ok(Run { ended: ended?, output: output.into_bytes() })
}

/// Has the program that comes next get no descriptor but the three that are its own: whoever started this one may have left others
/// open, a lock or a socket among them. Async-signal-safe.
fn keep_descriptors() {
    for descriptor in 3..MAX_DESCRIPTORS {
        // SAFETY: fcntl touches no memory; one that is not open is refused.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// The number of the user that this process runs as.
#[must_use]
pub fn user() -> u32 {
    // SAFETY: geteuid has no preconditions and touches no memory.
    unsafe { libc::geteuid() }
}

/// Closes what whoever started this process left open beside the three. To be called before anything is opened.
pub fn close_descriptors() {
    for descriptor in 3..MAX_DESCRIPTORS {
        // SAFETY: nothing in this process has opened it, so nobody counts on it; one that is not open is refused.
        unsafe { libc::close(descriptor) };
    }
}

/// What this process and all that it starts make is for every user to read, whatever the umask of whoever started it: an app's folder
/// is its own user's to enter (docs/spec/failures.md, case 03; elastic-agent#5633, rancher/system-agent#244). What is a secret has a mode of its own.
pub fn set_umask() {
    // SAFETY: umask cannot fail and touches no memory.
    unsafe { libc::umask(0o022) };
}

/// Whether a program could not be started for want of memory, processes or files, which is no fault of the program.
#[must_use]
pub fn is_machine_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE))
}

/// The child of a check-in: starts it with the parent's signals released, and has the kernel end it when the parent dies.
///
/// # Errors
/// The program could not be started.
pub fn spawn_with_parent(mut program: Program) -> io::Result<ChildProcess> {
    become_subreaper();
    // SAFETY: prctl and sigprocmask are async-signal-safe.
    unsafe {
        program.prepare(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0);
            signal::release();
            Ok(())
        });
    }
    program.spawn()
}

/// Ends what a dead check-in left: every child that this process has. Its descendants were re-parented to it, which is their
/// subreaper, and nothing else is its child.
pub fn end_children() {
    end_all(&|_| true);
}

/// Ends what left our session: see [`run`].
fn end_orphans() {
    // SAFETY: getsid has no memory effects; 0 is this process.
    let own = unsafe { libc::getsid(0) };
    end_all(&|session| session != own);
}

fn end_all(is_meant: &dyn Fn(i32) -> bool) {
    for _ in 0..KILL_ROUNDS {
        if is_childless() {
            return;
        }
        let orphans = children(is_meant);
        if orphans.is_empty() {
            return;
        }
        for pid in orphans {
            let _ = signal::send(pid, libc::SIGKILL);
            reap(pid);
        }
    }
    crate::warning!("what an installer started could not be ended within {KILL_ROUNDS} rounds");
}

/// Waits for a child that ends soon, killing it where it does not.
fn watch(child: &mut ChildProcess, reader: &File, output: &mut BoundedOutput, deadline: Instant) -> io::Result<Ended> {
    let mut open = true;
    loop {
        if let Some(status) = child.try_wait()? {
            let grace = Instant::now() + PIPE_GRACE;
            while open && Instant::now() < grace {
                open = read_some(reader, output, Duration::from_millis(50));
            }
            return Ok(ended(status));
        }
        if Instant::now() >= deadline {
            terminate(child)?;
            return Ok(Ended::TimedOut);
        }
        if open {
            open = read_some(reader, output, Duration::from_millis(200));
        } else {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn terminate(child: &mut ChildProcess) -> io::Result<()> {
    let group = -child.pid();
    let _ = signal::send(group, libc::SIGTERM);
    let deadline = Instant::now() + TERM_GRACE;
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            let _ = signal::send(group, libc::SIGKILL);
            child.wait()?;
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Whether this process has no child, dead or alive: nearly always, and then nothing has to be searched for.
fn is_childless() -> bool {
    let looks = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: all zeros are a siginfo_t, and it outlives the call.
    unsafe {
        let mut child: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_ALL, 0, &mut child, looks) != 0
            && io::Error::last_os_error().raw_os_error() == Some(libc::ECHILD)
    }
}

/// This process's children whose session is meant: outside its own are only descendants of what [`run`] started, since that left
/// our session and no process can enter another. `/proc/thread-self/children` would need a kernel option that images leave out.
fn children(is_meant: &dyn Fn(i32) -> bool) -> Vec<i32> {
    let me = std::process::id() as i32;
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| matches!(parent_and_session(*pid), Some((parent, its)) if parent == me && is_meant(its)))
        .collect()
}

/// Two fields of `/proc/PID/stat`, counted from behind the name in brackets, which may hold anything.
fn parent_and_session(pid: i32) -> Option<(i32, i32)> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().skip(1);
    let parent = fields.next()?.parse().ok()?;
    Some((parent, fields.nth(1)?.parse().ok()?))
}

/// Reaps a killed child; one in uninterruptible sleep is left to the next round.
fn reap(pid: i32) {
    for _ in 0..50 {
        let mut status = 0;
        // SAFETY: `status` outlives the call.
        if unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) } != 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn become_subreaper() {
    // SAFETY: no memory is touched. An old kernel refuses: then the process group is all that can be ended.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1 as libc::c_ulong, 0, 0, 0) };
}

fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exit(code),
        (None, number) => Ended::Signal(number.unwrap_or(0)),
    }
}

/// Reads what is there within `patience`; `false` at the end of output.
fn read_some(mut reader: &File, output: &mut BoundedOutput, patience: Duration) -> bool {
    let mut poll = libc::pollfd { fd: reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd.
    let ready = unsafe { libc::poll(&mut poll, 1, i32::try_from(patience.as_millis()).unwrap_or(i32::MAX)) };
    if ready <= 0 {
        return true;
    }
    let mut buffer = [0; 4096];
    match reader.read(&mut buffer) {
        Ok(0) => false,
        Ok(n) => {
            output.push(&buffer[..n]);
            true
        }
        Err(e) => e.kind() == io::ErrorKind::Interrupted,
    }
}

/// What is still in the pipe after everybody was killed: at most a pipe's capacity.
fn drain(reader: &File, output: &mut BoundedOutput) {
    for _ in 0..64 {
        let before = output.total;
        if !read_some(reader, output, Duration::ZERO) || output.total == before {
            return;
        }
    }
}

/// Keeps the first and the last of a stream: half the bound each.
struct BoundedOutput {
    head: Vec<u8>,
    tail: std::collections::VecDeque<u8>,
    half: usize,
    total: usize,
}

impl BoundedOutput {
    fn new(max: usize) -> BoundedOutput {
        BoundedOutput { head: Vec::new(), tail: std::collections::VecDeque::new(), half: max / 2, total: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len();
        let room = self.half - self.head.len().min(self.half);
        let (first, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..excess);
    }

    fn into_bytes(mut self) -> Vec<u8> {
        let cut = self.total - self.head.len() - self.tail.len();
        if cut > 0 {
            self.head.extend_from_slice(format!("\n[... {cut} bytes cut ...]\n").as_bytes());
        }
        self.head.extend(self.tail);
        self.head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test: the hunt for descendants would meet those of a run beside it.
    #[test]
    fn runs_are_bounded_in_time_output_and_survivors() {
        let sh = |script: &str, limit_ms: u64, max: usize| {
            let mut shell = Program::new("/bin/sh");
            shell.arg("-c").arg(script);
            run(shell, Duration::from_millis(limit_ms), max).unwrap()
        };
        let ok = sh("echo out; echo err >&2; exit 3", 5000, 1000);
        assert_eq!((ok.ended, ok.output.as_slice()), (Ended::Exit(3), &b"out\nerr\n"[..]));
        assert_eq!(sh("kill -9 $$", 5000, 1000).ended, Ended::Signal(9));

        if user() == 0 {
            let mut shell = Program::new("/bin/sh");
            shell.args(["-c", "id -u; id -g; id -G"]);
            let identity = Credentials { uid: 65_534, gid: 65_534, groups: vec![65_534, 65_533] };
            let run = run_as(shell, Some(identity), Duration::from_secs(5), 1000).unwrap();
            assert_eq!(String::from_utf8_lossy(&run.output), "65534\n65534\n65534 65533\n");
        }

        // SAFETY: getsid has no memory effects.
        let own = unsafe { libc::getsid(0) };
        let strays = || children(&|session| session != own);
        // MagnaCapax/PMSS#527, cimian#127: hangs, ignores TERM, leaves its session, holds the pipe.
        for script in ["trap '' TERM; sleep 77 & sleep 77", "setsid sh -c 'trap \"\" TERM; sleep 77' & sleep 77"] {
            let begun = Instant::now();
            assert_eq!(sh(script, 300, 1000).ended, Ended::TimedOut);
            assert!(begun.elapsed() < Duration::from_secs(9), "{script}");
            assert!(strays().is_empty(), "{script}");
        }
        let begun = Instant::now();
        assert_eq!(sh("setsid sh -c 'sleep 77' & echo started", 60_000, 1000).ended, Ended::Exit(0));
        assert!(begun.elapsed() < Duration::from_secs(9), "a pipe held open does not hold the loop");
        assert!(strays().is_empty());

        let flood = sh("i=0; while [ $i -lt 2000 ]; do echo 0123456789; i=$((i+1)); done; echo last", 20_000, 200);
        let text = String::from_utf8(flood.output).unwrap();
        assert!(text.starts_with("0123456789\n") && text.ends_with("last\n"), "{text}");
        assert!(text.contains("bytes cut") && text.len() < 300, "{text}");
    }
}
