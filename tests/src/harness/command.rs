//! Runs a program with a time limit and collects what it says.

use std::env;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Output beyond this is dropped.
const MAX_OUTPUT: u64 = 64 * 1024 * 1024;
/// How long to wait for the end of the output once the program has ended: a survivor may hold the pipe open.
const PIPE_WAIT: Duration = Duration::from_millis(500);
/// How long to wait for a program's file to be closed by others.
const BUSY_WAIT: Duration = Duration::from_secs(2);

/// Whether there is such a program in `PATH`.
pub fn has_program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// What became of a program.
#[derive(Debug)]
pub struct Ran {
    /// The command line, for messages.
    pub command: String,
    /// Exit status; `None` where a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// It did not end in time, and its process group was killed.
    pub timed_out: bool,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Ran {
    /// Panics unless it exited with 0.
    #[track_caller]
    pub fn ok(self) -> Ran {
        self.exited(0)
    }

    /// Panics unless it exited with this status.
    #[track_caller]
    pub fn exited(self, code: i32) -> Ran {
        assert!(self.code == Some(code), "expected exit status {code}\n{}", self.report());
        self
    }

    /// Everything about it, for messages.
    pub fn report(&self) -> String {
        let Ran { command, code, signal, timed_out, took, stdout, stderr } = self;
        format!(
            "$ {command}\ncode {code:?}, signal {signal:?}, timed out {timed_out}, took {took:?}\n\
             --- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

/// Runs a program in a process group of its own; after `limit` the whole group is killed. Its stdin is empty.
#[track_caller]
pub fn run(command: &mut Command, limit: Duration) -> Ran {
    finish(command.stdin(Stdio::null()), b"", limit)
}

/// The same with something on its stdin: a pipe, of which the end is seen behind `input`.
#[track_caller]
pub fn run_fed(command: &mut Command, input: &[u8], limit: Duration) -> Ran {
    finish(command.stdin(Stdio::piped()), input, limit)
}

#[track_caller]
fn finish(command: &mut Command, input: &[u8], limit: Duration) -> Ran {
    let shown = show(command);
    let start = Instant::now();
    let mut child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_vec();
        // Who does not read its stdin ends it for the writer, too.
        thread::spawn(move || stdin.write_all(&input));
    }
    let stdout = Pipe::collect(child.stdout.take().expect("stdout is piped"));
    let stderr = Pipe::collect(child.stderr.take().expect("stderr is piped"));
    let ended = wait(&mut child, limit);
    let timed_out = ended.is_none();
    let status = ended.unwrap_or_else(|| {
        kill_group(child.id());
        child.wait().expect("a killed child can be waited for")
    });
    let took = start.elapsed();
    Ran {
        command: shown,
        code: status.code(),
        signal: status.signal(),
        timed_out,
        stdout: stdout.text(),
        stderr: stderr.text(),
        took,
    }
}

/// Starts a program in a process group of its own. A file that was written a moment ago may still be open in a child that
/// another test's thread is just starting; that ends by itself, and is waited for.
#[track_caller]
pub(super) fn spawn(command: &mut Command) -> Child {
    let until = Instant::now() + BUSY_WAIT;
    loop {
        match command.process_group(0).spawn() {
            Ok(child) => return child,
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && Instant::now() < until => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(error) => panic!("cannot run {}: {error}", show(command)),
        }
    }
}

/// Waits for a child; `None` if it does not end in time.
pub(super) fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + limit;
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return Some(status);
        }
        if Instant::now() >= until {
            return None;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// SIGKILL to a process group that [`run`] or a [`super::Background`] made.
pub(super) fn kill_group(leader: u32) {
    signal(-(leader as i32), libc::SIGKILL);
}

/// Sends a signal to a process, or with a negative id to its group.
pub(super) fn signal(id: i32, signal: i32) {
    // SAFETY: kill has no memory effects; the id is of a child that has not been waited for yet.
    unsafe { libc::kill(id, signal) };
}

/// A command line as one would type it.
pub(super) fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Collects from a pipe in a thread.
struct Pipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: thread::JoinHandle<()>,
}

impl Pipe {
    fn collect(from: impl Read + Send + 'static) -> Pipe {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let to = bytes.clone();
        let reader = thread::spawn(move || {
            let mut from = from.take(MAX_OUTPUT);
            let mut block = [0; 16 * 1024];
            while let Ok(count @ 1..) = from.read(&mut block) {
                to.lock().expect("no reader panics").extend_from_slice(&block[..count]);
            }
        });
        Pipe { bytes, reader }
    }

    /// What has come. Waits for the end, but not for a survivor that holds the pipe.
    fn text(self) -> String {
        let until = Instant::now() + PIPE_WAIT;
        while !self.reader.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        let bytes = self.bytes.lock().expect("no reader panics");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
