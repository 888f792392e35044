//! A disk whose every write and flush is logged: an image behind QEMU's `blklogwrites`, exported over FUSE, with a loop
//! device on the export and an ext4 on that.
//!
//! The daemon serves one request after the other, and answers a request only when it is in the log. So at any moment, what the
//! program under test has been told is on the disk is within the log's present length.

use super::disk::{self, Mounted};
use super::sys;
use super::trouble::{Doing, Outcome};
use super::workload::Site;
use gwe_tests::harness::{wait_until, Background, Scratch};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long the daemon may take to export the image, and to end.
const LIMIT: Duration = Duration::from_secs(20);

/// The running recorder.
#[derive(Debug)]
pub struct Recorder {
    // Dropped in this order: the file system first, then the daemon under it.
    mounted: Option<Mounted>,
    daemon: Background,
    log: PathBuf,
    _scratch: Scratch,
}

impl Recorder {
    /// Mounts `image` and logs what happens to it in the file `log`.
    pub fn start(image: &Path, log: &Path, site: &Site) -> Outcome<Recorder> {
        let scratch = Scratch::new();
        let export = site.exports.join("disk");
        File::create(&export).doing("create", &export)?;
        File::create(log).doing("create", log)?;
        let mut command = Command::new("qemu-storage-daemon");
        let image = image.display();
        command
            .args(["--blockdev", &format!("driver=file,node-name=image,filename={image}")])
            .args(["--blockdev", &format!("driver=file,node-name=log,filename={}", log.display())])
            .args(["--blockdev", "driver=blklogwrites,node-name=logged,file=image,log=log,log-sector-size=512"])
            .args([
                "--export",
                &format!("fuse,id=export,node-name=logged,mountpoint={},writable=on", export.display()),
            ]);
        sys::live_with_a_copy_of_the_mounts(&mut command);
        let mut daemon = Background::start(&mut command, &scratch, "qemu-storage-daemon");
        wait_until("the export of the logged disk", LIMIT, || {
            assert!(daemon.is_running(), "qemu-storage-daemon did not start\n{}", daemon.log());
            fs::metadata(&export).is_ok_and(|file| file.len() == disk::SIZE)
        });
        let mounted = Mounted::good(&export, site.root)?;
        Ok(Recorder { mounted: Some(mounted), daemon, log: log.to_path_buf(), _scratch: scratch })
    }

    /// Unmounts the disk and completes the log.
    pub fn finish(mut self) -> Outcome<()> {
        if let Some(mounted) = self.mounted.take() {
            mounted.unmount()?;
        }
        let status = self.daemon.stop();
        if !status.success() {
            return Err(format!("qemu-storage-daemon ended with {status}\n{}", self.daemon.log()));
        }
        let length = fs::metadata(&self.log).doing("look at", &self.log)?.len();
        if length == 0 {
            return Err("the write log is empty".to_string());
        }
        Ok(())
    }
}
