//! What an image and its boot bring: folders, factory settings, a volatile `/run`.

use crate::sys;
use crate::trouble::{Doing, Outcome};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Lays out the image's folders: `/var/run` is in the volatile `/run`, as on a gateway.
pub fn lay_out(root: &Path) -> Outcome<()> {
    for folder in ["etc/gwe", "run", "var/lib/gwe", "var/log"] {
        let path = root.join(folder);
        fs::create_dir_all(&path).doing("create", &path)?;
    }
    let link = root.join("var/run");
    symlink("../run", &link).doing("link", &link)?;
    let settings = root.join("etc/gwe/Gateway.cfg");
    let text = format!("[device]\nmodel = p\nvendor = p\nuuid = {}\n", super::SERIAL);
    fs::write(&settings, text).doing("write", &settings)
}

/// A gateway that is up: `/run` is a tmpfs, gone when this is dropped.
#[derive(Debug)]
pub struct Boot {
    run: PathBuf,
}

impl Boot {
    /// Boots. The server and supervisord are not part of the disk, so where they are is told by the factory settings.
    pub fn up(root: &Path, server: &str, supervisor_socket: Option<&Path>) -> Outcome<Boot> {
        let settings = root.join("etc/gwe/Engine.config");
        let text = format!("[engine]\nserver = {server}\nupdate_interval = 1\n[install]\nsettle = 1\n");
        fs::write(&settings, text).doing("write", &settings)?;
        let run = root.join("run");
        sys::mount(Path::new("run"), &run, "tmpfs", "mode=755").doing("mount a tmpfs on", &run)?;
        let boot = Boot { run };
        if let Some(socket) = supervisor_socket {
            let link = boot.run.join("supervisor.sock");
            symlink(socket, &link).doing("link", &link)?;
        }
        Ok(boot)
    }

    /// A path in the volatile folder.
    pub fn volatile(&self, name: &str) -> PathBuf {
        self.run.join(name)
    }
}

impl Drop for Boot {
    fn drop(&mut self) {
        if sys::unmount(&self.run).is_err() {
            let _ = sys::unmount_lazily(&self.run);
        }
    }
}
