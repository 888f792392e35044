//! Builds a tarball from a buildfile (docs/spec/gateway-engine.md, "A Custom Gateway Application").
//!
//! Invariants: the same files give the same bytes; a tarball that does not pass the checks never gets its name; standard output
//! stays clean, since only the tarball's path is printed there: what commands print goes to standard error.

mod collect;
mod glob;
mod pack;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use super::buildfile::{Buildfile, BuildfileFault, Overrides};
use super::fault::Fault;
use super::name::TarballName;
use super::tarball::UnpackLimits;
use super::unpack::{check_as, Contents, UnpackError};
use crate::sys::file::{self, Context, FileError};

/// The environment variable that sets the time of all files (reproducible-builds.org); else they date from 1970.
const TIME_VARIABLE: &str = "SOURCE_DATE_EPOCH";

/// Why nothing was built.
#[derive(Debug)]
pub enum BuildError {
    /// The buildfile is bad.
    Buildfile(Vec<BuildfileFault>),
    /// A command of the buildfile failed: which list, which command, how.
    Command(&'static str, String, String),
    /// Includes that match no file.
    Missing(Vec<String>),
    /// More files than a tarball may have.
    TooMany(u32),
    /// A folder deeper than a tarball may have.
    TooDeep(PathBuf),
    /// A device, pipe or socket.
    Kind(PathBuf),
    /// A file grew or shrank while it was read.
    Changed(PathBuf),
    /// `SOURCE_DATE_EPOCH` is no number of seconds.
    Time(String),
    /// Something cannot be read or written.
    File(FileError),
    /// What was built does not pass the checks.
    Bad(Vec<Fault>),
}

impl From<FileError> for BuildError {
    fn from(e: FileError) -> BuildError {
        BuildError::File(e)
    }
}

impl fmt::Display for BuildError {
    /// A line for each fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Buildfile(faults) => lines(f, faults.iter().map(|fault| fault.to_string())),
            BuildError::Bad(faults) => lines(f, faults.iter().map(|fault| fault.to_string())),
            BuildError::Missing(includes) => {
                lines(f, includes.iter().map(|include| format!("`includes`: there is no file that matches {include}")))
            }
            BuildError::Command(list, command, how) => write!(f, "`{list}`: {how}: {command}"),
            BuildError::TooMany(most) => {
                write!(f, "`includes`: more than {most} files; exclude what the app does not need")
            }
            BuildError::TooDeep(path) => write!(f, "{}: too many folders deep", path.display()),
            BuildError::Kind(path) => write!(f, "{}: neither a file nor a folder nor a link", path.display()),
            BuildError::Changed(path) => write!(f, "{}: changed while it was read; build again", path.display()),
            BuildError::Time(text) => write!(f, "{TIME_VARIABLE} is `{text}`, which is no number of seconds"),
            BuildError::File(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {}

fn lines(f: &mut fmt::Formatter<'_>, lines: impl Iterator<Item = String>) -> fmt::Result {
    for (index, line) in lines.enumerate() {
        if index > 0 {
            f.write_str("\n")?;
        }
        f.write_str(&line)?;
    }
    Ok(())
}

/// Builds the tarball of `buildfile` into the folder `into`, checks it, and returns its full path. Commands run in the
/// buildfile's folder with the terminal's input, and find `GWE_APP_NAME`, `GWE_APP_VERSION` and (those after) `GWE_TARBALL` in
/// their environment.
///
/// # Errors
/// Nothing was built, and no tarball of that name is left behind.
pub fn build(buildfile: &Path, overrides: &Overrides<'_>, into: &Path) -> Result<PathBuf, BuildError> {
    let plan = Buildfile::load(buildfile, overrides).map_err(BuildError::Buildfile)?;
    for key in &plan.unknown {
        crate::warning!("the buildfile's key `{key}` means nothing and is ignored");
    }
    crate::debug!("buildfile {}: [PASS]", buildfile.display());
    let time = time()?;
    let folder = match buildfile.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder = fs::canonicalize(folder).context("find", folder)?;
    let into = fs::canonicalize(into).context("find", into)?;
    let tarball = into.join(plan.tarball.to_string());
    let temporary = into.join(format!(".{}.new", plan.tarball));
    let commands = Commands { folder: &folder, name: &plan.tarball };

    commands.run("pre_build_cmds", &plan.pre_build_cmds, None)?;
    let paths = collect::collect(&folder, &plan.includes, &plan.excludes, &plan.tarball)?;
    crate::debug!("packing {} files and folders of {}", paths.len(), folder.display());
    let packed = pack::pack(&folder, &paths, time, &temporary).and_then(|()| passes(&temporary, &plan.tarball));
    if let Err(e) = packed {
        let _ = fs::remove_file(&temporary);
        return Err(e);
    }
    file::rename(&temporary, &tarball)?;
    // They may change it, or sign it; so it is looked at once more.
    let finished = commands
        .run("post_build_cmds", &plan.post_build_cmds, Some(&tarball))
        .and_then(|()| passes(&tarball, &plan.tarball));
    match finished {
        Ok(contents) => contents.warn(),
        Err(e) => {
            let _ = fs::remove_file(&tarball);
            return Err(e);
        }
    }
    crate::debug!("tarball {}: [PASS]", tarball.display());
    Ok(tarball)
}

fn passes(tarball: &Path, name: &TarballName) -> Result<Contents, BuildError> {
    match check_as(tarball, name, UnpackLimits::default()) {
        Ok(contents) => Ok(contents),
        Err(UnpackError::Bad(faults)) => Err(BuildError::Bad(faults)),
        Err(UnpackError::Failed(e)) => Err(BuildError::File(e)),
    }
}

fn time() -> Result<u64, BuildError> {
    match std::env::var(TIME_VARIABLE) {
        Ok(text) => text.trim().parse().map_err(|_| BuildError::Time(text)),
        Err(_) => Ok(0),
    }
}

struct Commands<'a> {
    folder: &'a Path,
    name: &'a TarballName,
}

impl Commands<'_> {
    /// Runs them in order, up to the first that fails.
    fn run(&self, list: &'static str, commands: &[String], tarball: Option<&Path>) -> Result<(), BuildError> {
        for command in commands {
            crate::debug!("{list}: {command}");
            let failed = |how: String| Err(BuildError::Command(list, command.clone(), how));
            match self.one(command, tarball) {
                Ok(status) if status.success() => {}
                Ok(status) => return failed(how(status)),
                Err(e) => return failed(format!("cannot be run: {e}")),
            }
        }
        Ok(())
    }

    fn one(&self, command: &str, tarball: Option<&Path>) -> std::io::Result<ExitStatus> {
        let errors = std::io::stderr().as_fd().try_clone_to_owned()?;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).current_dir(self.folder).stdout(Stdio::from(errors));
        shell.env("GWE_APP_NAME", self.name.app()).env("GWE_APP_VERSION", self.name.version());
        if let Some(tarball) = tarball {
            shell.env("GWE_TARBALL", tarball);
        }
        shell.status()
    }
}

fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exited with {code}"),
        None => "was ended by a signal".to_string(),
    }
}
