//! Mounted file systems and how full they are, from /proc/self/mountinfo and statvfs(3).
//!
//! Invariant: this module never asks a file system that may not answer. A network file system whose server is gone, or one
//! whose user-space program is stuck, hangs whoever asks it; so does any path that leads through one. Those are listed
//! without figures. An automount point is not listed at all: asking it would mount what nobody wanted.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

// The plain call of glibc on a 32-bit machine refuses a file system of more than 2^32 blocks or inodes.
#[cfg(not(target_env = "gnu"))]
use libc::{statvfs, statvfs as Statvfs};
#[cfg(target_env = "gnu")]
use libc::{statvfs64 as statvfs, statvfs64 as Statvfs};

/// So many mounts are looked at, in the kernel's order; the rest is counted. A gateway with containers has a thousand and more
/// (docs/spec/failures.md, case 16; moby#45760).
pub const MAX_MOUNTS: usize = 2048;
/// So much of the kernel's list is read, a line at a time.
const MAX_MOUNT_LIST: u64 = 16 * 1024 * 1024;

/// Pseudo file systems that no tool counts as storage; others of that sort say themselves that they have no blocks.
const PSEUDO: [&str; 10] =
    ["autofs", "debugfs", "devpts", "fusectl", "mqueue", "none", "proc", "rpc_pipefs", "subfs", "sysfs"];

/// Kinds that ask another machine.
const NETWORK: [&str; 19] = [
    "9p",
    "afs",
    "auristorfs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "smb3",
    "smbfs",
];

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// What is mounted: `/dev/mmcblk0p2`, `ubi0:data`, `tmpfs`.
    pub source: String,
    /// Where.
    pub target: PathBuf,
    /// Which folder of it is the root of this mount: `/` but for bind mounts and subvolumes.
    pub root: PathBuf,
    /// `ext4`
    pub kind: String,
    /// The device number, the same for each mount of one file system.
    pub device: u64,
    /// `None` where it was not asked, see above.
    pub usage: Option<Usage>,
}

/// How full a file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in a block.
    pub block_size: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Blocks free, those kept for root included.
    pub free: u64,
    /// Blocks that anybody may use.
    pub available: u64,
    /// Inodes in all; 0 where the file system makes them as it goes (btrfs, vfat).
    pub inodes: u64,
    /// Inodes that anybody may use.
    pub inodes_available: u64,
}

/// What is mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounted {
    /// Those that were looked at.
    pub file_systems: Vec<FileSystem>,
    /// So many more were not: there are more than [`MAX_MOUNTS`].
    pub unseen: usize,
}

/// Every mounted file system that counts as storage, in the order of mounting; those that cannot be asked at all (no
/// permission, hidden by a later mount) are left out.
///
/// # Errors
/// /proc is not mounted, or not readable.
pub fn file_systems() -> io::Result<Mounted> {
    let MountList { mounts, unseen, doubtful } = read(&mut File::open("/proc/self/mountinfo")?.take(MAX_MOUNT_LIST))?;
    let mut found = Vec::new();
    for mut mount in mounts {
        if doubtful.iter().any(|hanging| mount.target.starts_with(hanging)) {
            found.push(mount);
            continue;
        }
        let (Ok(metadata), Ok(usage)) = (std::fs::metadata(&mount.target), usage(&mount.target)) else { continue };
        mount.device = metadata.dev();
        mount.usage = Some(usage);
        found.push(mount);
    }
    Ok(Mounted { file_systems: found, unseen })
}

/// Asks the file system that holds `path`.
///
/// # Errors
/// What statvfs(3) said.
pub fn usage(path: &Path) -> io::Result<Usage> {
    let answer = ask(path)?;
    // The types of these fields differ between machines, and are unsigned on all.
    #[allow(clippy::unnecessary_cast)]
    Ok(Usage {
        block_size: if answer.f_frsize == 0 { answer.f_bsize as u64 } else { answer.f_frsize as u64 },
        blocks: answer.f_blocks as u64,
        free: answer.f_bfree as u64,
        available: answer.f_bavail as u64,
        inodes: answer.f_files as u64,
        inodes_available: answer.f_favail as u64,
    })
}

/// Whether nothing that lies on the file system of `path` may be run; not where that cannot be told.
#[must_use]
pub fn is_noexec(path: &Path) -> bool {
    ask(path).is_ok_and(|answer| answer.f_flag & libc::ST_NOEXEC != 0)
}

fn ask(path: &Path) -> io::Result<Statvfs> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: a statvfs is integers only, so all zeros is a valid one.
    let mut answer: Statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `path` ends with a NUL, and `answer` is a valid statvfs, which the call fills in.
    if unsafe { statvfs(path.as_ptr(), &mut answer) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(answer)
}

/// Whether asking this mount may never come back. The root is asked in any case: the program itself runs from it.
fn may_hang(mount: &FileSystem) -> bool {
    let kind = mount.kind.as_str();
    let is_doubtful = NETWORK.contains(&kind) || kind == "fuse" || kind == "fuseblk" || kind.starts_with("fuse.");
    is_doubtful && mount.target != Path::new("/")
}

/// The kernel's list.
#[derive(Default)]
struct MountList {
    /// The first [`MAX_MOUNTS`] that count as storage.
    mounts: Vec<FileSystem>,
    /// The number of the others.
    unseen: usize,
    /// Where asking may hang, of all of them: a path may lead through one that is not looked at.
    doubtful: Vec<PathBuf>,
}

/// Reads a list in the form of proc(5), "/proc/pid/mountinfo". A line that is none of that form is passed over.
fn read(list: &mut dyn Read) -> io::Result<MountList> {
    let (mut lines, mut line, mut found) = (BufReader::new(list), Vec::new(), MountList::default());
    while lines.read_until(b'\n', &mut line)? > 0 {
        let mount = parse_line(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
        let Some(mount) = mount.filter(|mount| !PSEUDO.contains(&mount.kind.as_str())) else { continue };
        if may_hang(&mount) {
            found.doubtful.push(mount.target.clone());
        }
        if found.mounts.len() < MAX_MOUNTS {
            found.mounts.push(mount);
        } else {
            found.unseen += 1;
        }
    }
    Ok(found)
}

/// `36 35 98:0 /root /target rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn parse_line(line: &[u8]) -> Option<FileSystem> {
    // Single spaces: an empty source is an empty field.
    let mut fields = line.split(|byte| *byte == b' ');
    let device = parse_device(fields.nth(2)?)?;
    let root = PathBuf::from(OsString::from_vec(unescape(fields.next()?)));
    let target = PathBuf::from(OsString::from_vec(unescape(fields.next()?)));
    let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
    let kind = String::from_utf8_lossy(&unescape(fields.next()?)).into_owned();
    let source = String::from_utf8_lossy(&unescape(fields.next()?)).into_owned();
    Some(FileSystem { source, target, root, kind, device, usage: None })
}

fn parse_device(field: &[u8]) -> Option<u64> {
    let (major, minor) = std::str::from_utf8(field).ok()?.split_once(':')?;
    Some(libc::makedev(major.parse().ok()?, minor.parse().ok()?))
}

/// Undoes the kernel's `\040`: a backslash and three octal digits. Any other backslash stands for itself.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        if let (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) = (first, after) {
            plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = after;
        } else {
            plain.push(*first);
            rest = after;
        }
    }
    plain
}

#[cfg(test)]
mod tests;
