//! Running an app's installer: `install.sh`, or `setup.py` where there is only that (spec: gateway-engine.md).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::status::MAX_OUTPUT;
use crate::app::{Installer, TarballName};
use crate::config::paths::ROOT_VARIABLE;
use crate::http;
use crate::sys::file::{self, FileError};
use crate::sys::process::{self, Ended};

/// For installers, where init gave supervisord no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

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
    let what = match installer {
        Installer::InstallSh => "install.sh",
        Installer::SetupPy => "setup.py",
    };
    let mut command = match installer {
        Installer::InstallSh => Command::new(folder.join("install.sh")),
        Installer::SetupPy => {
            let mut python = Command::new("python3");
            python.args(["setup.py", "install"]);
            python
        }
    };
    command.current_dir(folder);
    http::restore_environment(&mut command);
    command.env("GWE_APP_NAME", name.app()).env("GWE_APP_VERSION", name.version()).env("GWE_APP_DIR", folder);
    command.env(ROOT_VARIABLE, root);
    if std::env::var_os("PATH").is_none() {
        command.env("PATH", DEFAULT_PATH);
    }
    match process::run(command, limit, MAX_OUTPUT) {
        Err(e) => Ran { output: String::new(), result: Err(format!("{what} could not be started: {e}")) },
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

/// What an installer wrote, in its folder or elsewhere, must not be lost behind a version that is recorded as installed or as
/// rolled back to. Not sync(2): it would wait for every file system, a network one whose server is gone among them.
fn sync(folder: &Path, root: &Path) -> Result<(), FileError> {
    file::sync_filesystem(folder).and_then(|()| file::sync_filesystem(root))
}
