//! A disk of a few kilobytes or inodes in the place of a folder.

use super::command::{run, Ran};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// A tmpfs mounted on a folder; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one with these options (`size=64k,nr_inodes=20`). `None` where that is not allowed: it needs root.
    pub fn mount(at: &Path, options: &str) -> Option<SmallDisk> {
        std::fs::create_dir_all(at).ok()?;
        let options = format!("mode=0755,{options}");
        let ran = mount(&["-t", "tmpfs", "-o", &options, "none"], at);
        (ran.code == Some(0)).then(|| SmallDisk(at.to_path_buf()))
    }

    /// Changes its options while it is in use.
    #[track_caller]
    pub fn remount(&self, options: &str) {
        mount(&["-o", &format!("remount,{options}")], &self.0).ok();
    }
}

fn mount(arguments: &[&str], at: &Path) -> Ran {
    run(Command::new("mount").args(arguments).arg(at), LIMIT)
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(&self.0), LIMIT);
    }
}
