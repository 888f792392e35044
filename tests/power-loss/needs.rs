//! What the experiment needs of the machine.

use super::sys;
use gwe_tests::harness::Supervisord;
use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// Where mkfs is, which is in no user's `PATH` on some systems.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// What is missing, as the end of "skipped: needs …".
pub fn check() -> Result<(), String> {
    if !sys::is_root() {
        return Err("root".to_string());
    }
    widen_path();
    opens("/dev/loop-control", "loop devices", (10, 237))?;
    opens("/dev/fuse", "FUSE", (10, 229))?;
    answers("qemu-storage-daemon", "qemu-storage-daemon (Debian: qemu-system-common)")?;
    answers("mkfs.ext4", "mkfs.ext4 (Debian: e2fsprogs)")?;
    Supervisord::find().map(drop).map_err(|why| why.trim_start_matches("needs ").to_string())?;
    may_mount()
}

/// Root in a container often may not.
fn may_mount() -> Result<(), String> {
    let tried = thread::spawn(sys::own_mounts).join().unwrap_or_else(|_| Err(io::Error::other("no thread")));
    tried.map_err(|error| format!("root that may mount (CAP_SYS_ADMIN): {error}"))
}

fn widen_path() {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SYSTEM_FOLDERS.map(Into::into));
    if let Ok(path) = env::join_paths(folders) {
        env::set_var("PATH", path);
    }
}

/// A device is there and is the one that it is called.
fn opens(path: &str, what: &str, (major, minor): (u32, u32)) -> Result<(), String> {
    let device = fs::OpenOptions::new().read(true).write(true).open(path).and_then(|file| file.metadata());
    let device = device.map_err(|error| format!("{what}: {path}: {error}"))?;
    if device.rdev() != libc::makedev(major, minor) {
        return Err(format!("{what}: {path} is something else"));
    }
    Ok(())
}

fn answers(program: &str, what: &str) -> Result<(), String> {
    let path = env::var_os("PATH").unwrap_or_default();
    if !env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file()) {
        return Err(what.to_string());
    }
    let mut command = Command::new(program);
    let ran = command.arg("-V").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match ran {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{what}: {program} -V ended with {status}")),
        Err(error) => Err(format!("{what}: {error}")),
    }
}
