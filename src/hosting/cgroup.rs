//! Where programs have cgroups of their own: below the daemon's, on a system with cgroup v2 that has the controllers which are asked for. Without
//! `memory_max` and `cpu_weight` nothing here looks at anything. A program's own is made, and taken away, by the core.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::config::Configuration;

/// Where the second version is mounted, alone or beside the first.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// The daemon's own, where a group with controllers for others may have no process: all but the system's root.
const OWN: &str = "gwe.core";
/// What the kernel says of a group that has processes of its own (EBUSY).
const BUSY: i32 = 16;
/// Processes that start meanwhile are moved, too, so often.
const TRIES: usize = 8;

/// The folder in which the programs of this daemon get theirs, if one needs one and this system lets it.
#[must_use]
pub fn folder_for(configuration: &Configuration, daemon: u32) -> Option<PathBuf> {
    let processes = || configuration.groups.iter().flat_map(|group| &group.processes);
    let wanted = [
        ("memory", processes().any(|process| process.memory_max > 0)),
        ("cpu", processes().any(|process| process.cpu_weight > 0)),
    ];
    let wanted: Vec<&str> =
        wanted.into_iter().filter_map(|(controller, is_asked)| is_asked.then_some(controller)).collect();
    if wanted.is_empty() {
        return None;
    }
    let listed = fs::read_to_string(format!("/proc/{daemon}/cgroup")).ok()?;
    let own = listed.lines().find_map(|line| line.strip_prefix("0::/"))?;
    MOUNTS.iter().find_map(|mount| prepare(&Path::new(mount).join(own), &wanted))
}

/// What a program's own is called: the same after a `kill -9`, and for no other daemon's program.
#[must_use]
pub fn name_of(identifier: &str, group: &str, process: &str) -> String {
    ["gwe", identifier, group, process].join(".").replace('/', "_")
}

/// The folder, once programs' groups in it have the controllers that there are of those.
fn prepare(own: &Path, wanted: &[&str]) -> Option<PathBuf> {
    // A newer start of the same daemon is where the one before has put itself.
    let folder = if own.ends_with(OWN) { own.parent()? } else { own };
    let known = fs::read_to_string(folder.join("cgroup.controllers")).ok()?;
    let wanted: Vec<&str> =
        wanted.iter().copied().filter(|name| known.split_whitespace().any(|known| known == *name)).collect();
    if wanted.is_empty() {
        return None;
    }
    for _ in 0..TRIES {
        match hand_down(folder, &wanted) {
            Err(error) if error.raw_os_error() == Some(BUSY) => move_all(folder).ok()?,
            handed => return handed.ok().map(|()| folder.to_path_buf()),
        }
    }
    None
}

fn hand_down(folder: &Path, controllers: &[&str]) -> io::Result<()> {
    controllers
        .iter()
        .try_for_each(|controller| fs::write(folder.join("cgroup.subtree_control"), ["+", controller].concat()))
}

/// All that is in the daemon's group is the daemon's, or of whoever keeps it.
fn move_all(folder: &Path) -> io::Result<()> {
    let own = folder.join(OWN);
    if !own.is_dir() {
        fs::create_dir(&own)?;
    }
    for pid in fs::read_to_string(folder.join("cgroup.procs"))?.lines() {
        // One that has ended meanwhile need not be moved.
        let _ = fs::write(own.join("cgroup.procs"), pid);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a system's root, which may have processes beside controllers; tests/cross/cgroup.sh has the kernel's own.
    #[test]
    fn only_controllers_that_are_there_are_handed_down() {
        let folder = std::env::temp_dir().join(format!("gwe-cgroup-{}", std::process::id()));
        for (controllers, wanted, handed) in [
            (None, &["memory"][..], None),
            (Some(""), &["memory", "cpu"], None),
            (Some("cpuset memory_recursiveprot pids\n"), &["memory"], None),
            (Some("cpuset cpu memory pids\n"), &["memory"], Some("+memory")),
            (Some("cpu\n"), &["memory", "cpu"], Some("+cpu")),
        ] {
            for own in [folder.clone(), folder.join(OWN)] {
                fs::create_dir_all(&own).unwrap();
                if let Some(controllers) = controllers {
                    fs::write(folder.join("cgroup.controllers"), controllers).unwrap();
                }
                assert_eq!(prepare(&own, wanted), handed.map(|_| folder.clone()), "{controllers:?}");
                assert_eq!(fs::read_to_string(folder.join("cgroup.subtree_control")).ok().as_deref(), handed);
                fs::remove_dir_all(&folder).unwrap();
            }
        }
    }

    #[test]
    fn a_name_is_one_folder() {
        assert_eq!(name_of("supervisor", "a/b", "c:d"), "gwe.supervisor.a_b.c:d");
    }
}
