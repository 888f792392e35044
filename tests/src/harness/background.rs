//! A program that runs beside the test.

use super::command::{kill_group, show, signal, spawn, wait};
use super::scratch::Scratch;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long a program has to end after SIGTERM.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// A program in a process group of its own, its output in a file. It is stopped when dropped.
#[derive(Debug)]
pub struct Background {
    child: Child,
    log: PathBuf,
    shown: String,
}

impl Background {
    /// Starts it. Stdout and stderr go to `<name>.log` in the scratch folder, behind what is there.
    #[track_caller]
    pub fn start(command: &mut Command, scratch: &Scratch, name: &str) -> Background {
        let log = scratch.path(&format!("{name}.log"));
        let shown = show(command);
        let file = File::options().create(true).append(true).open(&log);
        let file = file.unwrap_or_else(|error| panic!("cannot open {}: {error}", log.display()));
        let copy = file.try_clone().expect("a file handle can be duplicated");
        let child = spawn(command.stdin(Stdio::null()).stdout(file).stderr(copy));
        Background { child, log, shown }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// Sends it a signal, such as `libc::SIGHUP`.
    pub fn signal(&mut self, number: i32) {
        if self.is_running() {
            signal(self.child.id() as i32, number);
        }
    }

    /// Waits until it ends by itself; `None` if it does not in time.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        wait(&mut self.child, limit)
    }

    /// SIGKILL to its process group, as a power cut would end it.
    pub fn kill(&mut self) {
        if self.is_running() {
            kill_group(self.child.id());
            let _ = self.child.wait();
        }
    }

    /// SIGTERM; panics if it does not end.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(libc::SIGTERM);
        match self.wait(STOP_WAIT) {
            Some(status) => status,
            None => panic!("{} did not end on SIGTERM\n{}", self.shown, self.log()),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.signal(libc::SIGTERM);
        if self.wait(STOP_WAIT).is_none() {
            self.kill();
        }
    }
}
