//! Opening what lies beneath a folder without following any link on the way: what another user may change there cannot lead out.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

/// Opens the regular file `path` beneath `root` for reading. Links on the way to `root` itself are followed, none beneath it.
///
/// # Errors
/// What the system said; a link, a device, a pipe or a path that is not plain is one, too.
pub fn open(root: &Path, path: &Path) -> io::Result<File> {
    let not_plain = || io::Error::from(io::ErrorKind::InvalidInput);
    let (folders, name) = (path.parent().ok_or_else(not_plain)?, path.file_name().ok_or_else(not_plain)?);
    let mut folder = OwnedFd::from(File::open(root)?);
    for component in folders.components() {
        let Component::Normal(name) = component else { return Err(not_plain()) };
        folder = open_at(&folder, name.as_bytes(), libc::O_PATH | libc::O_DIRECTORY)?;
    }
    // A pipe would have the open wait for its writer.
    let file = File::from(open_at(&folder, name.as_bytes(), libc::O_RDONLY | libc::O_NONBLOCK | libc::O_LARGEFILE)?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(not_plain()),
    }
}

fn open_at(folder: &OwnedFd, name: &[u8], flags: libc::c_int) -> io::Result<OwnedFd> {
    let name = CString::new(name).map_err(|_| io::ErrorKind::InvalidInput)?;
    let flags = flags | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: the name ends in a zero byte, and `folder` is an open descriptor.
    let descriptor = unsafe { libc::openat(folder.as_raw_fd(), name.as_ptr(), flags) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just opened it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_plain_files_beneath_the_folder_are_opened() {
        let root = std::env::temp_dir().join(format!("gwe-beneath-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("slot/d")).unwrap();
        fs::create_dir_all(root.join("outside")).unwrap();
        fs::write(root.join("slot/d/f"), "x").unwrap();
        fs::write(root.join("outside/f"), "secret").unwrap();
        symlink("../outside", root.join("slot/out")).unwrap();
        symlink("f", root.join("slot/d/link")).unwrap();
        symlink("slot", root.join("way")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(root.join("slot/pipe")).status().unwrap().success());
        assert!(open(&root.join("slot"), Path::new("d/f")).is_ok());
        assert!(open(&root.join("way"), Path::new("d/f")).is_ok(), "a link on the way to the root");
        for path in ["out/f", "d/link", "d/../d/f", "../outside/f", "pipe", "d", "", "..", "/etc/passwd", "none"] {
            assert!(open(&root.join("slot"), Path::new(path)).is_err(), "{path}");
        }
        fs::remove_dir_all(root).unwrap();
    }
}
