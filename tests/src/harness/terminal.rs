//! Runs a program in a terminal of its own, so that it sees a person.

use super::command::{kill_group, show, wait, Ran};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

/// How long the rest of the output may take once the program has ended.
const DRAIN: Duration = Duration::from_millis(500);

/// Runs a program with a terminal as its stdin, stdout and stderr, and types `typed` into it. What the terminal shows (the
/// echo of what was typed included, lines ended by `\r\n`) is in the result's `stdout`.
#[track_caller]
pub fn in_terminal(command: &mut Command, typed: &str, limit: Duration) -> Ran {
    let shown = show(command);
    let (person, program) = open().unwrap_or_else(|error| panic!("no terminal: {error}"));
    let start = Instant::now();
    let end = |fd: &OwnedFd| fd.try_clone().expect("a terminal can be duplicated");
    command.stdin(end(&program)).stdout(end(&program)).stderr(program);
    // SAFETY: only calls that are allowed between fork and exec.
    unsafe {
        command.pre_exec(|| {
            if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {shown}: {error}"));
    // The program's side must be closed here, else its end is never seen.
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut keyboard = File::from(person);
    let mut screen = keyboard.try_clone().expect("a terminal can be duplicated");
    let reader = thread::spawn(move || {
        let (mut text, mut block) = (Vec::new(), [0; 4096]);
        // A terminal without a program on its other side reads as an error.
        while let Ok(count @ 1..) = screen.read(&mut block) {
            text.extend_from_slice(&block[..count]);
        }
        text
    });
    keyboard.write_all(typed.as_bytes()).unwrap_or_else(|error| panic!("cannot type: {error}"));
    let ended = wait(&mut child, limit);
    let timed_out = ended.is_none();
    let status = ended.unwrap_or_else(|| {
        kill_group(child.id());
        child.wait().expect("a killed child can be waited for")
    });
    let took = start.elapsed();
    let until = Instant::now() + DRAIN;
    while !reader.is_finished() && Instant::now() < until {
        thread::sleep(Duration::from_millis(1));
    }
    drop(keyboard);
    let text = if reader.is_finished() { reader.join().unwrap_or_default() } else { Vec::new() };
    Ran {
        command: shown,
        code: status.code(),
        signal: status.signal(),
        timed_out,
        stdout: String::from_utf8_lossy(&text).into_owned(),
        stderr: String::new(),
        took,
    }
}

/// The two sides of a new terminal: the person's and the program's.
fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let (mut person, mut program) = (-1, -1);
    // SAFETY: the two numbers are filled in; name, settings and size are not asked for.
    let result = unsafe { libc::openpty(&mut person, &mut program, ptr::null_mut(), ptr::null(), ptr::null()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both were just opened, and nobody else has them.
    let sides = unsafe { (OwnedFd::from_raw_fd(person), OwnedFd::from_raw_fd(program)) };
    for side in [&sides.0, &sides.1] {
        // SAFETY: fcntl with these arguments takes an open descriptor and touches no memory.
        unsafe { libc::fcntl(side.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(sides)
}
