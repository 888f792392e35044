//! What an image and its boot bring: folders, factory settings, a volatile `/run`.

use crate::sys;
use crate::trouble::{Doing, Outcome};
use gwe_tests::harness::{DDI_ID, DDI_TOKEN};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where the kernel tells one boot from another.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Where orders come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The platform at this address.
    DeviceApi(String),
    /// hawkBit at this one.
    Hawkbit(String),
}

/// Lays out the image's folders: `/var/run` is in the volatile `/run`, as on a gateway.
pub fn lay_out(root: &Path) -> Outcome<()> {
    for folder in ["etc/gwe", "run", "var/lib/gwe", "var/log"] {
        let path = root.join(folder);
        fs::create_dir_all(&path).doing("create", &path)?;
    }
    let link = root.join("var/run");
    symlink("../run", &link).doing("link", &link)?;
    let settings = root.join("etc/gwe/Gateway.cfg");
    fs::write(&settings, gateway_cfg("")).doing("write", &settings)
}

fn gateway_cfg(more: &str) -> String {
    format!("[device]\nmodel = p\nvendor = p\nuuid = {}\n{more}", super::SERIAL)
}

/// A gateway that is up: `/run` is a tmpfs, and the kernel's boot id a new one. Both are gone when this is dropped.
#[derive(Debug)]
pub struct Boot {
    run: PathBuf,
    has_boot_id: bool,
}

impl Boot {
    /// Boots. The server and supervisord are not part of the disk, so where they are is told by the factory settings.
    pub fn up(root: &Path, source: &Source, supervisor_socket: Option<&Path>) -> Outcome<Boot> {
        settings(root, source)?;
        let run = root.join("run");
        sys::mount(Path::new("run"), &run, "tmpfs", "mode=755").doing("mount a tmpfs on", &run)?;
        let mut boot = Boot { run, has_boot_id: false };
        boot.take_boot_id()?;
        if let Some(socket) = supervisor_socket {
            let link = boot.volatile("supervisor.sock");
            symlink(socket, &link).doing("link", &link)?;
        }
        Ok(boot)
    }

    /// A path in the volatile folder.
    pub fn volatile(&self, name: &str) -> PathBuf {
        self.run.join(name)
    }

    fn take_boot_id(&mut self) -> Outcome<()> {
        let uuid = Path::new("/proc/sys/kernel/random/uuid");
        let text = fs::read(uuid).doing("read", uuid)?;
        let own = self.volatile("boot_id");
        fs::write(&own, text).doing("write", &own)?;
        sys::bind(&own, Path::new(BOOT_ID)).doing("put a file over", Path::new(BOOT_ID))?;
        self.has_boot_id = true;
        Ok(())
    }
}

fn settings(root: &Path, source: &Source) -> Outcome<()> {
    let settings = root.join("etc/gwe/Engine.config");
    let orders = match source {
        Source::DeviceApi(url) => format!("server = {url}"),
        Source::Hawkbit(url) => {
            let ddi = format!("[ddi]\nurl = {url}\nid = {DDI_ID}\ntoken = {DDI_TOKEN}\ninterval = 1\n");
            let path = root.join("etc/gwe/Gateway.cfg");
            fs::write(&path, gateway_cfg(&ddi)).doing("write", &path)?;
            "backend = ddi".to_string()
        }
    };
    let text = format!("[engine]\n{orders}\nupdate_interval = 1\n[install]\nsettle = 1\n");
    fs::write(&settings, text).doing("write", &settings)
}

impl Drop for Boot {
    fn drop(&mut self) {
        if self.has_boot_id {
            let _ = sys::unmount_lazily(Path::new(BOOT_ID));
        }
        if sys::unmount(&self.run).is_err() {
            let _ = sys::unmount_lazily(&self.run);
        }
    }
}
