//! Running an app's installer: `install.sh`, or `setup.py` where there is only that (docs/spec/gateway-engine.md).

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::drive::Outcome;
use super::gateway::Gateway;
use super::journal::Job;
use super::state::InstallEvent;
use super::status::{self, MAX_OUTPUT};
use crate::app::{Installer, TarballName};
use crate::config::paths::ROOT_VARIABLE;
use crate::sys::accounts;
use crate::sys::file::{self, FileError};
use crate::sys::mounts;
use crate::sys::process::{self, Ended};
use crate::sys::program::Program;

/// Where installers find programs, behind the folder of this one, whose tools stand beside it.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an installer does must not hang on who started the agent: an init script, or somebody over ssh with a locale and a shell of
/// their own (docs/spec/failures.md, case 03).
const NOT_INHERITED: [&str; 6] = ["LANG", "LANGUAGE", "ENV", "BASH_ENV", "CDPATH", "IFS"];
/// How the other names of a locale begin.
const LOCALE: &str = "LC_";

/// What an app may bring to be run before it is taken away.
const UNINSTALL: &str = "uninstall.sh";

/// The largest installer that is looked at for a message, in bytes.
const MAX_SCRIPT: u64 = 1024 * 1024;
/// So much of its first line is quoted, in characters.
const MAX_LINE: usize = 120;

/// What an installer did.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its output as it came, bounded.
    pub output: String,
    /// `Err`: why it does not count as a success, as the end of a sentence.
    pub result: Result<(), String>,
}

/// Runs the installer in `folder`, where the tarball was unpacked, for `limit` at the most. Nothing that it started
/// survives it: what is to run for long belongs in `supervisor.conf`. After a success, all that it wrote is on stable storage.
#[must_use]
pub fn run(folder: &Path, installer: Installer, name: &TarballName, root: &Path, limit: Duration) -> Ran {
    let (what, program) = match installer {
        Installer::InstallSh => ("install.sh", Program::new(folder.join("install.sh"))),
        Installer::SetupPy => {
            let mut python = Program::new("python3");
            python.args(["setup.py", "install"]);
            ("setup.py", python)
        }
    };
    run_program(what, program, folder, name, root, limit)
}

/// Runs `uninstall.sh` in `folder` by the rules of an installer; `None` where there is none.
#[must_use]
pub fn uninstall(folder: &Path, name: &TarballName, root: &Path, limit: Duration) -> Option<Ran> {
    let path = folder.join(UNINSTALL);
    path.is_file().then(|| run_program(UNINSTALL, Program::new(path), folder, name, root, limit))
}

fn run_program(
    what: &str,
    mut program: Program,
    folder: &Path,
    name: &TarballName,
    root: &Path,
    limit: Duration,
) -> Ran {
    program.folder(folder);
    let is_ones_own = |name: &str| name.starts_with(LOCALE) || NOT_INHERITED.contains(&name);
    program.keep_env(|name| !name.to_str().is_some_and(is_ones_own));
    program.env("GWE_APP_NAME", name.app()).env("GWE_APP_VERSION", name.version()).env("GWE_APP_DIR", folder);
    program.env(ROOT_VARIABLE, root);
    program.env("HOME", home());
    program.env("PATH", search_path(std::env::current_exe().ok().as_deref()));
    match process::run(program, limit, MAX_OUTPUT) {
        Err(e) => Ran {
            output: String::new(),
            result: Err(format!("{what} could not be started: {}", cause(&e, folder, what))),
        },
        Ok(run) => Ran {
            output: String::from_utf8_lossy(&run.output).into_owned(),
            result: match run.ended {
                Ended::Exit(0) => sync(folder, root).map_err(|e| format!("what {what} wrote could not be synced: {e}")),
                Ended::Exit(status) => Err(format!("{what} exited with {status}")),
                Ended::Signal(number) => Err(format!("{what} was ended by signal {number}")),
                Ended::TimedOut => Err(format!("{what} took longer than {} s and was ended", limit.as_secs())),
            },
        },
    }
}

/// The same whoever started the agent. A program that was replaced on disk has no folder any more that could be told.
fn search_path(program: Option<&Path>) -> OsString {
    let folder = program.filter(|program| program.exists()).and_then(Path::parent);
    let mut path =
        folder.map_or_else(OsString::new, |folder| [folder.as_os_str(), OsStr::new(":")].into_iter().collect());
    path.push(SYSTEM_PATH);
    path
}

/// The home of the user that this process runs as, by the user database: a shell over ssh has one, init has none.
fn home() -> String {
    home_in(&accounts::read(accounts::USERS), process::user()).unwrap_or_else(|| "/".to_string())
}

fn home_in(passwd: &str, user: u32) -> Option<String> {
    let mut own = accounts::lines(passwd).filter(|fields| fields.get(2).and_then(|id| id.parse().ok()) == Some(user));
    own.find_map(|fields| fields.get(5).filter(|home| home.starts_with('/')).map(|home| home.to_string()))
}

/// What the system means: its own words name neither the interpreter nor the mount (docs/spec/failures.md, case 12; acme.sh#394, netdata#7536).
fn cause(error: &io::Error, folder: &Path, what: &str) -> String {
    let is_there = folder.join(what).is_file();
    match error.kind() {
        io::ErrorKind::NotFound if what == "setup.py" => "there is no python3 on this gateway".to_string(),
        io::ErrorKind::NotFound if is_there => {
            format!("this gateway does not have what its first line names: {}", first_line(&folder.join(what)))
        }
        io::ErrorKind::PermissionDenied if mounts::is_noexec(folder) => {
            format!("{error}; {} is on a file system that is mounted noexec", folder.display())
        }
        io::ErrorKind::PermissionDenied if is_there => {
            format!("{error}; may what its first line names be run? {}", first_line(&folder.join(what)))
        }
        _ => error.to_string(),
    }
}

fn first_line(script: &Path) -> String {
    let text = file::read(script, MAX_SCRIPT).ok().flatten().unwrap_or_default();
    let line = text.split(|b| *b == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).chars().take(MAX_LINE).collect()
}

/// What an installer wrote, in its folder or elsewhere, must not be lost behind a version that is recorded as installed or as
/// rolled back to. Not sync(2): it would wait for every file system, a network one whose server is gone among them.
fn sync(folder: &Path, root: &Path) -> Result<(), FileError> {
    file::sync_filesystem(folder).and_then(|()| file::sync_filesystem(root))
}

impl Gateway<'_> {
    /// The step: its output and, where it failed, why, are the job's.
    pub(super) fn run_script(&mut self, job: &mut Job, name: &TarballName) -> Outcome {
        let folder = self.slot(name.app(), &job.slot);
        let installer = installer_in(&folder);
        let ran = self::run(&folder, installer, name, self.config.paths().root(), self.config.install_timeout());
        job.output = status::cut_middle(ran.output, status::room(self.journal.jobs.len()));
        match ran.result {
            Ok(()) => {
                // From here on it is supervisord that may be missed.
                job.misses = 0;
                Outcome::Event(InstallEvent::ScriptSucceeded)
            }
            Err(reason) => self.refuse(job, &reason),
        }
    }
}

/// Which installer an unpacked app has; its checks have seen one of them.
pub(super) fn installer_in(folder: &Path) -> Installer {
    if folder.join("install.sh").exists() {
        Installer::InstallSh
    } else {
        Installer::SetupPy
    }
}
