//! Sleeping as another program: this process becomes one of two kilobytes until a deadline or a signal, and then what it was
//! (docs/decisions.md, "Budgets": what is resident should not pay for TLS).
//!
//! The program (`doze/sleeper.rs`) is part of this one; it runs from memory, so no file is needed, and a mount without `exec` is no
//! hindrance. Signals that are blocked stay blocked and pending through both changes, and the process keeps its number, its
//! children and its arguments. Where the program was not built, or the kernel does not let it run, [`doze`] comes back.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::Path;
use std::time::Duration;

use super::program::{pointers, terminated, variable};

/// Empty where `build.rs` could not build it.
static SLEEPER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sleeper"));

/// Reason, process, seconds and nanoseconds since boot, what the caller keeps.
const DOZE: &str = "GWE_DOZE";
/// What is run afterwards, and what in its place where that is gone.
const WAKE: [&str; 2] = ["GWE_WAKE_1", "GWE_WAKE_2"];
/// The longest that a caller may keep, in bytes.
const MAX_KEPT: usize = 128;
/// Set: a process stays itself, for debuggers and profilers.
const STAY: &str = "GWE_STAY";

/// Why a pause is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeCause {
    /// The deadline has come, or it could not be waited for: the caller looks at it again.
    Time,
    /// SIGHUP, SIGUSR1, or SIGIO.
    Hurry,
    /// SIGTERM, SIGINT or SIGQUIT.
    Stop,
}

/// Whether anything may sleep as another program here.
#[must_use]
pub fn is_allowed() -> bool {
    !SLEEPER.is_empty() && std::env::var_os(STAY).is_none()
}

/// Whether this process comes out of a pause, as far as its environment says.
#[must_use]
pub fn is_waking() -> bool {
    std::env::var(DOZE).is_ok_and(|text| read(&text, std::process::id()).is_some())
}

/// Whether what `/proc/PID/exe` names is the sleeper.
#[must_use]
pub fn is_asleep(executable: &Path) -> bool {
    executable.as_os_str().as_encoded_bytes().starts_with(b"/memfd:gwe")
}

/// Becomes the sleeper until `deadline` since boot, then the first program of `wake` that is there, with this process's arguments and
/// environment; that one calls [`woken`]. Signals are blocked before. Comes back only with an error, and as before.
pub fn doze(deadline: Duration, kept: &str, wake: [&Path; 2]) -> io::Error {
    // By the name of the process itself the sleeper would find itself, and become itself again for ever: who has no other, since its file
    // was removed, stays.
    if SLEEPER.is_empty() || wake.iter().any(|program| program.starts_with("/proc")) {
        return io::ErrorKind::Unsupported.into();
    }
    match prepare(deadline, kept, wake).and_then(|(program, arguments, environment)| {
        let (arguments, environment) = (pointers(&arguments), pointers(&environment));
        // SAFETY: both arrays end with a null pointer, and what they point to lives until the call is over.
        unsafe { libc::fexecve(program.as_raw_fd(), arguments.as_ptr(), environment.as_ptr()) };
        Err(io::Error::last_os_error())
    }) {
        Ok(never) => never,
        Err(error) => error,
    }
}

/// A pause that this process comes out of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Woken {
    /// Why it is over.
    pub why: WakeCause,
    /// Until when it was to last, since boot.
    pub deadline: Duration,
    /// What the caller kept.
    pub kept: String,
}

/// The pause that this process comes out of; `None` where it comes from none. To be called once, first.
pub fn woken() -> Option<Woken> {
    let doze = std::env::var_os(DOZE);
    for name in [DOZE, WAKE[0], WAKE[1]] {
        std::env::remove_var(name);
    }
    let woken = read(doze?.to_str()?, std::process::id())?;
    if let Some(name) = std::env::args_os().next().and_then(|path| terminated(Path::new(&path).file_name()?).ok()) {
        // In lists of processes it is called as before: the program may be a link's target.
        // SAFETY: the name ends with a zero byte, and outlives the call.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    }
    Some(woken)
}

/// The variable's text is the environment's, so it may be anything: another process's counts for nothing.
fn read(text: &str, own_pid: u32) -> Option<Woken> {
    let mut fields = text.splitn(5, ',');
    let why = match fields.next()? {
        "T" => WakeCause::Time,
        "H" => WakeCause::Hurry,
        "S" => WakeCause::Stop,
        _ => return None,
    };
    let is_own = fields.next()?.parse() == Ok(own_pid);
    let (seconds, nanoseconds) = (fields.next()?.parse().ok()?, fields.next()?.parse::<u32>().ok()?);
    let deadline = Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanoseconds.into()));
    let kept = fields.next().filter(|kept| kept.len() <= MAX_KEPT)?.to_string();
    is_own.then_some(Woken { why, deadline, kept })
}

type Prepared = (File, Vec<CString>, Vec<CString>);

fn prepare(deadline: Duration, kept: &str, wake: [&Path; 2]) -> io::Result<Prepared> {
    let program = in_memory(SLEEPER)?;
    let arguments = std::env::args_os().map(|argument| terminated(&argument)).collect::<io::Result<_>>()?;
    let mut environment = std::env::vars_os()
        .filter(|(name, _)| !WAKE.iter().chain(&[DOZE]).any(|own| name == *own))
        .map(|(name, value)| variable(&name, &value))
        .collect::<io::Result<Vec<_>>>()?;
    let times = [std::process::id().to_string(), deadline.as_secs().to_string(), deadline.subsec_nanos().to_string()];
    let doze = ["T", &times[0], &times[1], &times[2], kept].join(",");
    environment.push(variable(OsStr::new(DOZE), OsStr::new(&doze))?);
    for (name, path) in WAKE.iter().zip(wake) {
        environment.push(variable(OsStr::new(name), path.as_os_str())?);
    }
    Ok((program, arguments, environment))
}

/// A program in a file that no disk knows.
fn in_memory(bytes: &[u8]) -> io::Result<File> {
    const MFD_EXEC: libc::c_uint = 0x10;
    let create = |flags: libc::c_uint| {
        // SAFETY: the name ends with a zero byte; the new descriptor is ours alone.
        unsafe {
            match libc::syscall(libc::SYS_memfd_create, b"gwe\0".as_ptr(), libc::MFD_CLOEXEC | flags) {
                fd if fd >= 0 => Ok(File::from_raw_fd(fd as libc::c_int)),
                _ => Err(io::Error::last_os_error()),
            }
        }
    };
    // Kernels from 6.3 on want to be told that it is to be run; those before do not know the word.
    let mut file = create(MFD_EXEC).or_else(|_| create(0))?;
    file.write_all(bytes)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_only_there_as_this_process_is_never_slept_for() {
        let itself = Path::new("/proc/self/exe");
        for wake in [[itself, Path::new("/usr/bin/gwe")], [Path::new("/usr/bin/gwe"), itself]] {
            assert_eq!(doze(Duration::ZERO, "", wake).kind(), io::ErrorKind::Unsupported);
        }
    }

    #[test]
    fn what_is_kept_is_read_back_and_nothing_else_is_taken_for_it() {
        for (text, want) in [
            ("T,7,12,0,3,1", Some((WakeCause::Time, 12_000_000_000, "3,1"))),
            ("H,7,12,5,", Some((WakeCause::Hurry, 12_000_000_005, ""))),
            ("S,7,0,999999999,x", Some((WakeCause::Stop, 999_999_999, "x"))),
            ("T,7,-1,0,3,1", None),
            ("T,7,1,x,3,1", None),
            ("T,7,99999999999999999999,0,3,1", None),
            ("T,8,12,0,3,1", None),
            ("X,7,12,0,3,1", None),
            ("T,7,12,0", None),
            ("T,seven,12,0,3", None),
            ("T", None),
            ("", None),
        ] {
            let want = want.map(|(why, nanoseconds, kept)| {
                let deadline = Duration::from_nanos(nanoseconds);
                Woken { why, deadline, kept: kept.to_string() }
            });
            assert_eq!(read(text, 7), want, "{text}");
        }
        assert_eq!(read(&format!("T,7,1,1,{}", "9".repeat(MAX_KEPT + 1)), 7), None);
    }

    #[test]
    fn a_program_in_memory_runs() {
        use std::process::Command;
        if SLEEPER.is_empty() {
            crate::sys::tests::announce_skip("the sleeper was not built for this machine");
            return;
        }
        let file = in_memory(SLEEPER).unwrap();
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        let run = |wake: &str| {
            let mut command = Command::new(&path);
            command.arg("woken").env(DOZE, "T,1,0,1,kept").env(WAKE[0], "/nowhere").env(WAKE[1], wake);
            command.output().unwrap()
        };
        let out = run("/bin/echo");
        assert_eq!((out.status.code(), out.stdout.as_slice()), (Some(0), b"woken\n".as_slice()));
        let out = run("/nowhere/either");
        assert_eq!((out.status.code(), out.stdout.len()), (Some(1), 0));
        assert!(String::from_utf8_lossy(&out.stderr).contains("to be started anew"));
    }
}
