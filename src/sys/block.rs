//! The disk under a folder, and what its driver says in sysfs.
//!
//! Invariant: only what the kernel knows is read; no file system and no disk is asked.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::file;

/// So much of a file of sysfs is read.
const MAX_FILE: u64 = 4096;
/// The longest name of a disk in bytes (the kernel's DISK_NAME_LEN).
const MAX_NAME: usize = 32;

/// A disk; `None`: its driver does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// `mmcblk0`
    pub name: String,
    /// `device/life_time` of an eMMC.
    pub life_time: Option<String>,
    /// `device/pre_eol_info` of an eMMC.
    pub pre_eol_info: Option<String>,
    /// `stat`: what was read and written since boot.
    pub stat: Option<String>,
}

/// The disk that `folder` lies on, by the number of its device in `devices`, which is /sys/dev/block; of a partition it is the whole
/// disk, which wears. `None` where there is no such disk: memory, raw flash (ubi), an overlay, a file system with a number of its own.
#[must_use]
pub fn disk_under(folder: &Path, devices: &Path) -> Option<Disk> {
    let number = fs::metadata(folder).ok()?.dev();
    let entry = devices.join(format!("{}:{}", libc::major(number), libc::minor(number)));
    let device = fs::canonicalize(entry).ok()?;
    let disk = if device.join("partition").exists() { device.parent()? } else { &device };
    let name = disk.file_name()?.to_str().filter(|name| name.len() <= MAX_NAME)?.to_string();
    let text = |file: &str| String::from_utf8(file::read(&disk.join(file), MAX_FILE).ok()??).ok();
    let (life_time, pre_eol_info) = (text("device/life_time"), text("device/pre_eol_info"));
    Some(Disk { name, life_time, pre_eol_info, stat: text("stat") })
}
