//! The real supervisorctl without a start of Python for each command: see tests/upstream/supervisorctl.py.

use super::LIMIT;
use gwe_tests::harness::{Ran, Scratch};
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{channel, Receiver};
use std::thread;
use std::time::Instant;

/// A Python that has it imported, and runs a command at a time.
pub struct Imported {
    python: Child,
    statuses: Receiver<String>,
    program: PathBuf,
    files: Scratch,
}

impl Imported {
    /// By the Python that the script `program` names in its first line.
    pub fn start(program: &Path, folder: &Path) -> Imported {
        let script = fs::read_to_string(program).unwrap();
        let line = script.lines().next().and_then(|line| line.strip_prefix("#!")).expect("it is a script");
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next().expect("its first line names a program"));
        command.args(words).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("upstream/supervisorctl.py"));
        command.current_dir(folder).env("LC_ALL", "C.UTF-8").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut python = command.spawn().unwrap_or_else(|e| panic!("cannot start {line}: {e}"));
        let answers = BufReader::new(python.stdout.take().expect("it is piped"));
        let (sender, statuses) = channel();
        thread::spawn(move || answers.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Imported { python, statuses, program: program.to_path_buf(), files: Scratch::new() }
    }

    /// One command with what is typed to it, as [`gwe_tests::harness::run_fed`] does it.
    pub fn run(&mut self, arguments: &[&str], typed: &str) -> Ran {
        let start = Instant::now();
        self.files.write("in", typed);
        let [input, out, error] = ["in", "out", "error"].map(|name| self.files.path(name));
        let program = self.program.to_string_lossy();
        let words: Vec<&str> = [&*program].into_iter().chain(arguments.iter().copied()).collect();
        let command = json!({ "arguments": words, "files": [input, out, error] });
        writeln!(self.python.stdin.as_ref().expect("it is piped"), "{command}").expect("it reads");
        let status = self.statuses.recv_timeout(LIMIT).unwrap_or_else(|e| panic!("{words:?}: no end: {e}"));
        let [stdout, stderr] = ["out", "error"].map(|name| self.files.read(name));
        let code = status.parse().expect("a number");
        Ran {
            command: words.join(" "),
            code: Some(code),
            signal: None,
            timed_out: false,
            stdout,
            stderr,
            took: start.elapsed(),
        }
    }
}

impl Drop for Imported {
    fn drop(&mut self) {
        let _ = self.python.kill();
        let _ = self.python.wait();
    }
}
