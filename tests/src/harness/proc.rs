//! What the kernel tells of a process.

use std::fs;
use std::path::{Path, PathBuf};

/// The program that it runs; an empty path where it has gone.
pub fn exe(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default()
}

/// Whether it sleeps as the program of two kilobytes.
pub fn is_asleep(pid: u32) -> bool {
    exe(pid).to_string_lossy().starts_with("/memfd:gwe")
}

/// A number of one of its files under /proc, such as `status`; `key` with its colon. Memory is in kB.
pub fn number_of(pid: u32, file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// The process numbers of its children, zombies too; of its first thread alone.
pub fn child_pids(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// The states of its children, zombies too.
pub fn children_of(pid: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
    let child = |path: &Path| {
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let (state, parent) = (fields.next()?.to_string(), fields.next()?.parse::<u32>().ok()?);
        (parent == pid).then_some(state)
    };
    processes.filter_map(|process| child(&process.path())).collect()
}
