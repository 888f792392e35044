//! A check-in's process: started, bounded in time, stopped when the engine is, and never left behind.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use super::follow::FOLLOWED;
use crate::config::paths::ROOT_VARIABLE;
use crate::config::Paths;
use crate::sys::program::{ChildProcess, Program};
use crate::sys::signal::{self, Signal};
use crate::sys::{clock, process};

/// How a check-in's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEnded {
    /// Exit status 0.
    Completed,
    /// Exit status 1 or 255 (not configured): it said why in the log. Or this machine had no room for another process.
    Failed,
    /// Any other end: a program that is none, a signal, a panic's status, its time was over.
    Crashed,
    /// The engine was told to stop, and so was the check-in.
    Stopped,
}

/// From a stop to the kill: an interrupted step is journaled, so nothing is lost by it.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// Runs one check-in by `program`. [`signal::block`] comes first.
#[must_use]
pub fn run(program: &Path, paths: &Paths, limit: Duration) -> ChildEnded {
    let mut check_in = Program::new(program);
    // The version whose turn it is, not the one that is in charge.
    check_in.arg("--once").env(ROOT_VARIABLE, paths.root()).env(FOLLOWED, "1");
    // Not where somebody happened to stand who started the engine: that may go away.
    check_in.folder("/");
    let mut child = match process::spawn_with_parent(check_in) {
        Ok(child) => child,
        Err(e) => {
            crate::error!("cannot start a check-in with {}: {e}", program.display());
            return could_not_start(&e);
        }
    };
    let ended = watch(&mut child, limit);
    if ended != ChildEnded::Completed {
        // A check-in that died may have left an installer behind, or anything else that it started.
        process::end_children();
    }
    ended
}

fn watch(child: &mut ChildProcess, limit: Duration) -> ChildEnded {
    let deadline = clock::since_boot() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return of(status),
            Ok(None) => {}
            Err(e) => {
                crate::error!("cannot wait for the check-in: {e}");
                return ChildEnded::Crashed;
            }
        }
        let left = deadline.saturating_sub(clock::since_boot());
        match signal::wait(left) {
            Some(Signal::Stop) => {
                end(child);
                return ChildEnded::Stopped;
            }
            Some(Signal::Child | Signal::Hurry) => {}
            None if !left.is_zero() => {}
            None => {
                crate::error!("the check-in took longer than {} s; ending it", limit.as_secs());
                end(child);
                return ChildEnded::Crashed;
            }
        }
    }
}

fn of(status: ExitStatus) -> ChildEnded {
    match status.code() {
        Some(0) => ChildEnded::Completed,
        Some(1 | 255) => ChildEnded::Failed,
        _ => {
            crate::error!("the check-in ended unexpectedly: {status}");
            ChildEnded::Crashed
        }
    }
}

/// A machine without memory, processes or files says nothing about the program.
fn could_not_start(error: &std::io::Error) -> ChildEnded {
    if process::is_machine_exhausted(error) {
        ChildEnded::Failed
    } else {
        ChildEnded::Crashed
    }
}

/// SIGTERM, and SIGKILL where that is not heard.
fn end(child: &mut ChildProcess) {
    let _ = signal::terminate(child.pid());
    let deadline = clock::since_boot() + STOP_GRACE;
    while let Ok(None) = child.try_wait() {
        let left = deadline.saturating_sub(clock::since_boot());
        if left.is_zero() {
            child.kill();
            let _ = child.wait();
            return;
        }
        let _ = signal::wait(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn only_what_speaks_against_the_program_is_a_crash() {
        let exited = |code: i32| of(ExitStatus::from_raw(code << 8));
        assert_eq!(exited(0), ChildEnded::Completed);
        assert_eq!((exited(1), exited(255)), (ChildEnded::Failed, ChildEnded::Failed), "no network, not configured");
        assert_eq!(
            (exited(101), exited(2), exited(127)),
            (ChildEnded::Crashed, ChildEnded::Crashed, ChildEnded::Crashed)
        );
        assert_eq!(of(ExitStatus::from_raw(11)), ChildEnded::Crashed, "a signal");
        for (errno, ended) in [
            (libc::ENOMEM, ChildEnded::Failed),
            (libc::EAGAIN, ChildEnded::Failed),
            (libc::EMFILE, ChildEnded::Failed),
            (libc::ENOEXEC, ChildEnded::Crashed),
            (libc::EACCES, ChildEnded::Crashed),
            (libc::ENOENT, ChildEnded::Crashed),
        ] {
            assert_eq!(could_not_start(&io::Error::from_raw_os_error(errno)), ended, "{errno}");
        }
    }
}
