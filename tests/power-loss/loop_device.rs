//! A file as a block device.

use super::sys;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

const CTL_GET_FREE: libc::c_ulong = 0x4c82;
const CONFIGURE: libc::c_ulong = 0x4c0a;
const CLR_FD: libc::c_ulong = 0x4c01;
/// The device frees itself when the last user has closed it, so that none is left behind, however this process ends.
const AUTOCLEAR: u32 = 4;
/// `struct loop_config`: descriptor, block size, `struct loop_info64`, 64 bytes to spare.
const CONFIG_SIZE: usize = 8 + 232 + 64;
/// Where `lo_flags` stands in it.
const FLAGS_AT: usize = 8 + 5 * 8 + 3 * 4;
/// How long another program may be quicker to take the free device.
const PATIENCE: Duration = Duration::from_secs(10);

/// A loop device; free again when dropped.
#[derive(Debug)]
pub struct LoopDevice {
    device: File,
    path: PathBuf,
}

impl LoopDevice {
    /// Puts a device over the file.
    pub fn over(file: &Path) -> io::Result<LoopDevice> {
        let backing = fs::OpenOptions::new().read(true).write(true).open(file)?;
        let mut config = [0; CONFIG_SIZE];
        config[..4].copy_from_slice(&backing.as_raw_fd().to_ne_bytes());
        config[4..8].copy_from_slice(&(super::log::SECTOR as u32).to_ne_bytes());
        config[FLAGS_AT..FLAGS_AT + 4].copy_from_slice(&AUTOCLEAR.to_ne_bytes());
        let control = fs::OpenOptions::new().read(true).write(true).open("/dev/loop-control")?;
        let until = Instant::now() + PATIENCE;
        loop {
            let number = sys::ioctl_number(&control, CTL_GET_FREE, 0)?;
            let path = PathBuf::from(format!("/dev/loop{number}"));
            let attempt = fs::OpenOptions::new().read(true).write(true).open(&path).and_then(|device| {
                sys::ioctl_bytes(&device, CONFIGURE, &config)?;
                Ok(device)
            });
            match attempt {
                Ok(device) => return Ok(LoopDevice { device, path }),
                Err(error) if error.raw_os_error() != Some(libc::EBUSY) || Instant::now() > until => return Err(error),
                // Another program took it first.
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Such as `/dev/loop0`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Such as `loop0`.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        // Where this fails, closing the device frees it all the same.
        let _ = sys::ioctl_number(&self.device, CLR_FD, 0);
    }
}
