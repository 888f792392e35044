//! An ext4 in an image file, and its mount.

use super::loop_device::LoopDevice;
use super::sys;
use super::trouble::{Doing, Outcome};
use gwe_tests::harness::run;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// The disk's size in bytes. What is never written takes no room.
pub const SIZE: u64 = 96 << 20;
/// How long mkfs may take.
const MKFS_LIMIT: Duration = Duration::from_secs(30);
/// How long a program that has been told to end may still hold a file open.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Makes an empty file system as a gateway's image has it; nothing of its making is left for later.
pub fn make(image: &Path) -> Outcome<()> {
    File::create(image).and_then(|file| file.set_len(SIZE)).doing("create", image)?;
    let mut mkfs = Command::new("mkfs.ext4");
    mkfs.args(["-q", "-F", "-b", "4096", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"]).arg(image);
    let ran = run(&mut mkfs, MKFS_LIMIT);
    if ran.code != Some(0) {
        return Err(format!("cannot make a file system\n{}", ran.report()));
    }
    Ok(())
}

/// A mounted image; unmounted when dropped, its loop device freed.
#[derive(Debug)]
pub struct Mounted {
    root: PathBuf,
    device: LoopDevice,
    is_mounted: bool,
}

impl Mounted {
    /// Mounts an image that is known to be good.
    pub fn good(image: &Path, root: &Path) -> Outcome<Mounted> {
        Mounted::over(image, root)?.doing("mount", image)
    }

    /// Mounts an image, by which ext4 recovers its journal. The inner error is the file system's.
    pub fn over(image: &Path, root: &Path) -> Outcome<io::Result<Mounted>> {
        fs::create_dir_all(root).doing("create", root)?;
        let device = LoopDevice::over(image).doing("put a loop device over", image)?;
        let mounted = sys::mount(device.path(), root, "ext4", "");
        Ok(mounted.map(|()| Mounted { root: root.to_path_buf(), device, is_mounted: true }))
    }

    /// How many faults the file system has found in itself.
    pub fn faults(&self) -> u64 {
        let path = format!("/sys/fs/ext4/{}/errors_count", self.device.name());
        fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Unmounts it; an error where something on it is still in use.
    pub fn unmount(mut self) -> Outcome<()> {
        self.end()
    }

    fn end(&mut self) -> Outcome<()> {
        if !self.is_mounted {
            return Ok(());
        }
        let until = Instant::now() + BUSY_WAIT;
        loop {
            match sys::unmount(&self.root) {
                Ok(()) => break,
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) && Instant::now() < until => {
                    thread::sleep(Duration::from_millis(5));
                }
                other => return other.doing("unmount", &self.root),
            }
        }
        self.is_mounted = false;
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(why) = self.end() {
            eprintln!("{why}");
            let _ = sys::unmount_lazily(&self.root);
        }
    }
}
