//! The core that runs, seen by the agent, and how another takes its place without a stop (docs/hosting.md, "A newer core over the air").
//!
//! The core goes on, at SIGUSR1, as the file that its settings name. On a gateway that is a link in /run beside the pid file: each start of
//! supervisord makes it anew, and lets it lead to the image's core. So whatever a link was turned to, a boot or a `kill -9` goes back to that.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{symlink, MetadataExt};
use std::path::{Path, PathBuf};

use super::definition::Settings;
use super::state::{GroupRecord, Header, ProcessRecord, View, MAX_STATE};
use super::wire::Reader;
use crate::sys::{core_link, signal};

/// The folder of a gateway's pid file: `/run`, `/var/run`, and the same below another root.
const RUN: &str = "run";

/// A core of ours that runs, and that this program's own core could take the place of.
#[derive(Debug)]
pub struct Running {
    pid: i32,
    link: PathBuf,
}

/// Why nothing can take the place of what hosts.
#[derive(Debug, PartialEq, Eq)]
pub enum NotRenewable {
    /// It is the supervisord of somebody else.
    Foreign,
    /// It keeps its memory in a way that this program does not know.
    OtherLayout,
    /// Its file is no link: nothing but a restart brings another.
    NoLink,
}

/// What the core's settings are to name: a link to it beside a pid file in /run, else the core itself.
#[must_use]
pub fn place_of(core: &Path, pidfile: &str) -> PathBuf {
    let is_in_run = Path::new(pidfile).components().any(|part| part.as_os_str() == RUN);
    let link = PathBuf::from([pidfile, ".core"].concat());
    // Without the link, all is as ever: no other core takes over.
    if is_in_run && turn(&link, core).is_ok() {
        link
    } else {
        core.to_path_buf()
    }
}

/// Lets a link lead elsewhere; at no moment is there none. Nothing of it has to survive a boot.
fn turn(link: &Path, to: &Path) -> io::Result<()> {
    let mut new = OsString::from(link);
    new.push(".new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(to, &new)?;
    fs::rename(&new, link)
}

impl Running {
    /// The core whose process number a supervisord has told.
    ///
    /// # Errors
    /// Why it stays as it is.
    pub fn of(pid: i32) -> Result<Running, NotRenewable> {
        let mut bytes = Vec::new();
        let memory = File::open(format!("/proc/{pid}/fd/{}", core_link::STATE)).map_err(|_| NotRenewable::Foreign)?;
        memory.take(MAX_STATE as u64).read_to_end(&mut bytes).map_err(|_| NotRenewable::Foreign)?;
        let link = link_of(&bytes, pid)?;
        if !link.is_symlink() {
            return Err(NotRenewable::NoLink);
        }
        Ok(Running { pid, link })
    }

    /// Whether it is this very file that runs, not only one of that name.
    #[must_use]
    pub fn is(&self, core: &Path) -> bool {
        match (fs::metadata(format!("/proc/{}/exe", self.pid)), fs::metadata(core)) {
            (Ok(runs), Ok(other)) => (runs.dev(), runs.ino()) == (other.dev(), other.ino()),
            _ => false,
        }
    }

    /// Asks it to go on as this file; whether it does shows soon after.
    ///
    /// # Errors
    /// The link cannot be turned, or the core is gone.
    pub fn go_on_as(&self, core: &Path) -> io::Result<()> {
        turn(&self.link, core)?;
        signal::renew(self.pid)
    }
}

/// Whether the supervisord of this process number is somebody else's.
#[must_use]
pub fn is_foreign(pid: i32) -> bool {
    matches!(Running::of(pid), Err(NotRenewable::Foreign))
}

/// What the memory of a core names as its file. Its first words never change their meaning; the others count only if all is known.
fn link_of(bytes: &[u8], pid: i32) -> Result<PathBuf, NotRenewable> {
    let header = Header::read(bytes);
    if header.magic != super::state::MAGIC {
        return Err(NotRenewable::Foreign);
    }
    let sizes = [header.header_size, header.group_size, header.process_size].map(|size| size as usize);
    let known = [Header::SIZE, GroupRecord::SIZE, ProcessRecord::SIZE];
    let view = View::of(bytes).filter(|_| sizes == known).ok_or(NotRenewable::OtherLayout)?;
    if view.header.pid != pid {
        return Err(NotRenewable::Foreign);
    }
    let settings = view.settings().and_then(|settings| Settings::decode(&mut Reader::new(settings)));
    let core = settings.ok_or(NotRenewable::OtherLayout)?.core.to_vec();
    Ok(PathBuf::from(OsString::from_vec(core)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosting::state::MAGIC;

    #[test]
    fn only_a_memory_that_is_known_in_every_size_is_taken_over() {
        let words = |words: &[u32]| {
            let mut bytes = vec![0; Header::SIZE];
            for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
                place.copy_from_slice(&word.to_ne_bytes());
            }
            bytes
        };
        let sizes = [Header::SIZE, GroupRecord::SIZE, ProcessRecord::SIZE].map(|size| size as u32);
        for (bytes, wanted) in [
            (Vec::new(), NotRenewable::Foreign),
            (b"#!/usr/bin/python3".to_vec(), NotRenewable::Foreign),
            (words(&[MAGIC, 99, 0, sizes[0], sizes[1], sizes[2]]), NotRenewable::OtherLayout),
            (words(&[MAGIC, 1, 0, sizes[0] + 8, sizes[1], sizes[2]]), NotRenewable::OtherLayout),
            (words(&[MAGIC, 1, 0, sizes[0], sizes[1], sizes[2] + 8]), NotRenewable::OtherLayout),
            // All known, and another's process number: the memory of somebody else.
            (words(&[MAGIC, 1, 0, sizes[0], sizes[1], sizes[2]]), NotRenewable::Foreign),
        ] {
            assert_eq!(link_of(&bytes, 77), Err(wanted), "{bytes:?}");
        }
    }

    #[test]
    fn a_link_is_turned_again_and_again_whatever_was_left_beside_it() {
        let folder = std::env::temp_dir().join(format!("gwe-renewal-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let link = folder.join("pid.core");
        symlink("/left/by/a/cut", folder.join("pid.core.new")).unwrap();
        for to in ["/one", "/two"] {
            turn(&link, Path::new(to)).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(to));
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }
}
