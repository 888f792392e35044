//! A forwarding process, as the server sees it: an errand goes in, reports come out, and it ends or is ended.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::wire::{CourierReport, Errand};
use crate::sys::program::{pipe, ChildProcess, Program};
use crate::sys::{poll, process};

/// This very program, also while a new version is being put in its place.
const OWN_PROGRAM: &str = "/proc/self/exe";
/// The flag by which the program becomes a forwarding process.
pub const FLAG: &str = "--forward";
/// A report, in bytes, at the most.
const MAX_LINE: usize = 64 * 1024;

/// A forwarding process.
#[derive(Debug)]
pub struct Courier {
    child: ChildProcess,
    stdin: Option<File>,
    errand: Vec<u8>,
    given: usize,
    stdout: File,
    line: Vec<u8>,
    is_over: bool,
}

impl Courier {
    /// Starts one. It dies with this process.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start(errand: &Errand, root: &Path) -> io::Result<Courier> {
        let (its_stdin, stdin) = pipe()?;
        let (stdout, its_stdout) = pipe()?;
        let mut program = Program::new(OWN_PROGRAM);
        program.called(OsStr::new("gmq")).arg(FLAG).arg("--root").arg(root);
        program.streams([Some(its_stdin.into()), Some(its_stdout), None]);
        let child = process::spawn_with_parent(program)?;
        let stdin = File::from(stdin);
        poll::set_nonblocking(&stdin)?;
        poll::set_nonblocking(&stdout)?;
        let errand = errand.encode().into_bytes();
        Ok(Courier { child, stdin: Some(stdin), errand, given: 0, stdout, line: Vec::new(), is_over: false })
    }

    /// Where its reports come from.
    #[must_use]
    pub fn stdout(&self) -> &File {
        &self.stdout
    }

    /// Where the rest of its errand goes; `None`: it has all of it.
    #[must_use]
    pub fn stdin(&self) -> Option<&File> {
        self.stdin.as_ref()
    }

    /// Gives it what it takes of its errand.
    pub fn give(&mut self) {
        let Some(stdin) = &mut self.stdin else { return };
        match stdin.write(self.errand.get(self.given..).unwrap_or_default()) {
            Ok(n) => self.given += n,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return,
            // It has died: the end of its output will tell.
            Err(_) => self.given = self.errand.len(),
        }
        if self.given >= self.errand.len() {
            // The end of its input is the end of the errand.
            self.stdin = None;
            self.errand = Vec::new();
        }
    }

    /// Takes the reports that are there.
    pub fn take(&mut self) -> Vec<CourierReport> {
        let mut reports = Vec::new();
        let mut buffer = [0; 4096];
        // A bound on one turn; what is left keeps the descriptor ready.
        for _ in 0..16 {
            match self.stdout.read(&mut buffer) {
                Ok(n @ 1..) => self.split(buffer.get(..n).unwrap_or_default(), &mut reports),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                _ => self.is_over = true,
            }
            if self.is_over {
                break;
            }
        }
        reports
    }

    /// Whether no more reports will come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Ends it, where it has not ended by itself, and hands over what must still be waited for.
    #[must_use]
    pub fn end(self) -> ChildProcess {
        self.child.kill();
        self.child
    }

    fn split(&mut self, bytes: &[u8], reports: &mut Vec<CourierReport>) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            match CourierReport::decode(&String::from_utf8_lossy(&line)) {
                Some(report) => reports.push(report),
                None => crate::warning!("a forwarding process reported nonsense"),
            }
        }
        self.is_over |= self.line.len() > MAX_LINE;
    }
}
