//! An ext4 of its own on a loop device, and what reaches it.

use super::table::median;
use gwe_tests::harness::{run, Scratch};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// A mounted loop device. Gone when dropped.
#[derive(Debug)]
pub struct LoopDisk {
    device: String,
    folder: PathBuf,
    _scratch: Scratch,
}

/// Writes and flushes.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// Bytes written.
    pub bytes: u64,
    /// Flushes of the device's cache.
    pub flushes: u64,
}

impl LoopDisk {
    /// `None` without root or a loop device.
    pub fn new(size: u64) -> Option<LoopDisk> {
        let scratch = Scratch::new();
        let image = scratch.path("image");
        File::create(&image).ok()?.set_len(size).ok()?;
        let image = image.to_str()?;
        let ran = run(Command::new("losetup").args(["--find", "--show", image]), LIMIT);
        let device = (ran.code == Some(0)).then(|| ran.stdout.trim().to_string())?;
        let folder = scratch.path("mounted");
        fs::create_dir_all(&folder).ok()?;
        let disk = LoopDisk { device: device.clone(), folder: folder.clone(), _scratch: scratch };
        let is_good = |command: &mut Command| run(command, LIMIT).code == Some(0);
        // What is initialised lazily would be counted later.
        let lazy = "lazy_itable_init=0,lazy_journal_init=0";
        if !is_good(Command::new("mkfs.ext4").args(["-q", "-E", lazy, &device]))
            || !is_good(Command::new("mount").arg(&device).arg(&folder))
        {
            return None;
        }
        Some(disk)
    }

    /// A new folder on it.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder on the loop device");
        folder
    }

    /// What has reached it so far.
    pub fn traffic(&self) -> Traffic {
        let name = self.device.rsplit('/').next().unwrap_or_default();
        let stat = fs::read_to_string(format!("/sys/block/{name}/stat")).expect("the loop device's stat");
        // Documentation/block/stat.rst: write sectors is the 7th field, flush I/Os the 16th.
        let fields: Vec<u64> = stat.split_whitespace().map(|n| n.parse().unwrap_or(0)).collect();
        Traffic { bytes: fields[6] * 512, flushes: fields[15] }
    }

    /// Brings everything that is dirty to the device: before and after what is counted.
    pub fn settle(&self) {
        run(Command::new("sync").arg("-f").arg(&self.folder), LIMIT).ok();
    }

    /// What reaches it while `work` is done and settles.
    pub fn count(&self, work: impl FnOnce()) -> Traffic {
        self.settle();
        let before = self.traffic();
        work();
        let flushes = self.traffic().flushes;
        self.settle();
        // The final sync's own flushes are not the work's; its writes are.
        Traffic { bytes: self.traffic().bytes - before.bytes, flushes: flushes - before.flushes }
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(&self.folder), LIMIT);
        run(Command::new("losetup").args(["-d", &self.device]), LIMIT);
    }
}

/// A zero-filled file that is overwritten record by record: the least that a durable record can cost.
#[derive(Debug)]
pub struct Bare {
    file: File,
    at: u64,
    record: Vec<u8>,
}

impl Bare {
    /// One with room for many records.
    pub fn new(folder: &Path, record: usize) -> Bare {
        let path = folder.join("bare");
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path).expect("a file");
        file.write_all_at(&vec![0; 4 << 20], 0).expect("zeros");
        file.sync_all().expect("a sync");
        Bare { file, at: 0, record: vec![b'x'; record] }
    }

    /// Writes and syncs a record; how long that took, in microseconds.
    pub fn put(&mut self) -> f64 {
        let begun = Instant::now();
        self.file.write_all_at(&self.record, self.at).expect("a write");
        self.file.sync_data().expect("a sync");
        self.at = (self.at + self.record.len() as u64) % (4 << 20 >> 1);
        begun.elapsed().as_secs_f64() * 1e6
    }

    /// The median of so many.
    pub fn median(&mut self, count: usize) -> f64 {
        median((0..count).map(|_| self.put()).collect())
    }
}
