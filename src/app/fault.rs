//! What can be wrong with a tarball: each fault names a file in it and the reason.

use std::fmt;

use super::delta::{DeltaError, DeltaNameError};
use super::gzip::GzipError;
use super::key_set::KeySetFault;
use super::limits::{MAX_CONF, MAX_DEPTH, MAX_PATH};
use super::meter::MAX_METADATA;
use super::name::NameError;
use super::program_conf::ConfFault;

/// So many faults are listed; an archive of 20,000 bad entries is told in as many lines as a person reads.
pub const MAX_FAULTS: usize = 50;
/// The longest file name that a fault quotes, in bytes.
const MAX_SHOWN: usize = 200;

/// One fault. `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file inside the tarball; empty where the tarball as a whole is meant.
    pub file: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// The reasons, in the order of the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each says what it means in `Display`, right below
pub enum Reason {
    Name(NameError),
    /// The file on disk cannot be read: what the system said.
    Unreadable(String),
    Gzip(GzipError),
    DeltaName(DeltaNameError),
    Delta(DeltaError),
    KeySet(KeySetFault),
    /// What the tar parser said.
    Tar(String),
    CutShort,
    NoEndMark,
    BytesAfterEnd,
    TooLarge(u64),
    TooManyEntries(u32),
    TooMuchMetadata,
    BadPax,
    NoName,
    AbsolutePath,
    ParentPath,
    ControlCharacter,
    PathTooLong,
    TooDeep,
    OutsideFolder(String),
    Device,
    Fifo,
    Sparse,
    UnknownType(u8),
    UnexpectedContent,
    BadMode,
    SetId(u32),
    Twice,
    ThroughLink,
    ParentIsFile,
    NoTarget,
    AbsoluteTarget,
    TargetOutside,
    TargetTurnsBack,
    HardLinkTarget(String),
    NoInstaller,
    NotRegular,
    NotExecutable,
    NoShebang,
    Compiled,
    DosLineEnds,
    ShebangTooLong,
    ShebangCarriageReturn,
    ShebangRelative,
    ConfTooLarge,
    ConfNotUtf8,
    Conf(ConfFault),
    More,
}

impl Fault {
    /// A fault of the file `path`, which is shown as text whatever bytes it has.
    #[must_use]
    pub fn of(path: &[u8], reason: Reason) -> Fault {
        Fault { file: shown(path), reason }
    }

    /// A fault of the tarball as a whole.
    #[must_use]
    pub fn whole(reason: Reason) -> Fault {
        Fault { file: String::new(), reason }
    }
}

/// A path as text of bounded length in one line, whatever bytes it has.
pub(super) fn shown(path: &[u8]) -> String {
    let (start, cut) = if path.len() > MAX_SHOWN { (&path[..MAX_SHOWN], "…") } else { (path, "") };
    let mut text: String =
        String::from_utf8_lossy(start).chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    text.push_str(cut);
    text
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            f.write_str(&self.file)?;
            f.write_str(": ")?;
        }
        self.reason.fmt(f)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Name(e) => e.fmt(f),
            Reason::Gzip(e) => e.fmt(f),
            Reason::DeltaName(e) => e.fmt(f),
            Reason::Delta(e) => e.fmt(f),
            Reason::Conf(e) => e.fmt(f),
            Reason::KeySet(e) => e.fmt(f),
            Reason::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Reason::Tar(why) => write!(f, "not a tar archive, or damaged: {why}"),
            Reason::TooLarge(limit) => write!(f, "the tarball unpacks to more than {limit} bytes"),
            Reason::TooManyEntries(limit) => write!(f, "the tarball has more than {limit} files and folders"),
            Reason::TooMuchMetadata => write!(f, "a header of more than {MAX_METADATA} bytes"),
            Reason::PathTooLong => write!(f, "its path is longer than {MAX_PATH} bytes, or one name than 255"),
            Reason::TooDeep => write!(f, "more than {MAX_DEPTH} folders deep"),
            Reason::OutsideFolder(folder) => write!(f, "stands beside the leading folder {folder}/; move it in"),
            Reason::UnknownType(byte) => write!(f, "an entry of an unknown type (0x{byte:02x})"),
            Reason::SetId(mode) => {
                write!(f, "mode {mode:04o}: setuid and setgid are not accepted; install.sh may set them")
            }
            Reason::HardLinkTarget(to) => {
                write!(f, "a hard link to {to}, which is no file or symbolic link that stands before it in the tarball")
            }
            Reason::ConfTooLarge => write!(f, "larger than {MAX_CONF} bytes"),
            other => f.write_str(other.sentence()),
        }
    }
}

impl Reason {
    /// The reasons that need no figure.
    fn sentence(&self) -> &'static str {
        match self {
            Reason::CutShort => "truncated: the archive ends in the middle of this file",
            Reason::NoEndMark => "truncated: the archive has no end mark",
            Reason::BytesAfterEnd => "data follows the end mark of the archive",
            Reason::BadPax => "its extended header is damaged or contradicts itself",
            Reason::NoName => "an entry without a name",
            Reason::AbsolutePath => "an absolute path; paths start at the root of the tarball",
            Reason::ParentPath => "a path with .. in it",
            Reason::ControlCharacter => "a control character in its name",
            Reason::Device => "a device file",
            Reason::Fifo => "a named pipe",
            Reason::Sparse => "a sparse file; build the tarball without --sparse",
            Reason::UnexpectedContent => "a folder or link that brings content",
            Reason::BadMode => "its mode cannot be read",
            Reason::Twice => "stands in the tarball twice",
            Reason::ThroughLink => "its folder is a symbolic link",
            Reason::ParentIsFile => "its folder is a file",
            Reason::NoTarget => "a link to nothing",
            Reason::AbsoluteTarget => "a link to an absolute path; install.sh may make it",
            Reason::TargetOutside => "a link that leads out of the tarball",
            Reason::TargetTurnsBack => "a link with .. behind a folder's name; write its target without the detour",
            Reason::NoInstaller => "neither install.sh nor setup.py stands at its root",
            Reason::NotRegular => {
                "must be a regular file, no link or folder (tar --hard-dereference, or --dereference)"
            }
            Reason::NotExecutable => "not executable: chmod +x install.sh",
            Reason::NoShebang => "its first line is no shebang; begin it with #!/bin/sh",
            Reason::Compiled => "a compiled program; make it a script that starts it",
            Reason::DosLineEnds => "its lines end with carriage returns (DOS line ends): save it with Unix line ends",
            Reason::ShebangTooLong => "its first line is longer than the kernel reads",
            Reason::ShebangCarriageReturn => {
                "its first line ends with a carriage return (DOS line ends): save it with Unix line ends"
            }
            Reason::ShebangRelative => "its first line names no absolute path; begin it with #!/bin/sh",
            Reason::ConfNotUtf8 => "not UTF-8 text",
            Reason::More => "and more faults, which are not listed",
            // Those with a figure are written above.
            _ => "bad",
        }
    }
}
