//! A gateway: the built agent and a root folder of its own.

use super::background::Background;
use super::command::{run, Ran};
use super::scratch::Scratch;
use std::env;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The project's folder.
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// How long a command of the agent may take, unless a test says otherwise.
const LIMIT: Duration = Duration::from_secs(60);

/// The built agent: `GWE_BIN`, or the newest that cargo built in the project's target folder (release or debug), so that a
/// stale one is not tested by accident.
#[track_caller]
pub fn agent_binary() -> PathBuf {
    if let Some(path) = env::var_os("GWE_BIN") {
        let path = PathBuf::from(path);
        assert!(path.is_file(), "GWE_BIN is {}, and no such file is there", path.display());
        return path.canonicalize().expect("a file that is there has a path");
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new(PROJECT).join("target"), PathBuf::from);
    let built = ["release/gwe", "debug/gwe"].map(|name| target.join(name));
    let newest = built.iter().filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path))).max();
    newest.and_then(|(_, path)| path.canonicalize().ok()).unwrap_or_else(|| {
        panic!("no built agent: run `cargo build --release` in the project's folder, or set GWE_BIN")
    })
}

/// A scratch root, and the agent under its three names, which take that root from `GWE_ROOT`.
#[derive(Debug)]
pub struct Gateway {
    root: Scratch,
    /// Holds the three names; not part of the root.
    names: Scratch,
}

impl Gateway {
    /// A gateway with an empty root: nothing is configured.
    #[track_caller]
    #[allow(clippy::new_without_default, reason = "it does I/O")]
    pub fn new() -> Gateway {
        Gateway::of(&agent_binary())
    }

    /// The same with another agent, such as an older one.
    #[track_caller]
    pub fn of(agent: &Path) -> Gateway {
        let (root, names) = (Scratch::new(), Scratch::new());
        for name in ["gwe", "gmq", "gdc"] {
            let link = names.path(name);
            symlink(agent, &link).unwrap_or_else(|error| panic!("cannot link {}: {error}", link.display()));
        }
        Gateway { root, names }
    }

    /// A gateway that is set up to talk to a server as product `p`, by this serial number.
    #[track_caller]
    pub fn configured(server: &str, sn: &str) -> Gateway {
        let gateway = Gateway::new();
        for setting in [["--set-server", server], ["--set-product-id", "p"], ["--set-uuid", sn]] {
            gateway.gwe(&setting).ok();
        }
        gateway
    }

    /// The root folder.
    pub fn root(&self) -> &Scratch {
        &self.root
    }

    /// A command of the agent by one of its names, not yet run. No proxy of this machine gets in its way.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.names.path(name));
        command.env("GWE_ROOT", self.root.root());
        for proxy in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(proxy).env_remove(proxy.to_uppercase());
        }
        command
    }

    /// Runs `gwe`.
    #[track_caller]
    pub fn gwe(&self, arguments: &[&str]) -> Ran {
        run(self.command("gwe").args(arguments), LIMIT)
    }

    /// Runs `gmq`.
    #[track_caller]
    pub fn gmq(&self, arguments: &[&str]) -> Ran {
        run(self.command("gmq").args(arguments), LIMIT)
    }

    /// Runs `gdc`.
    #[track_caller]
    pub fn gdc(&self, arguments: &[&str]) -> Ran {
        run(self.command("gdc").args(arguments), LIMIT)
    }

    /// Starts one of the names beside the test, such as the engine: `start("gwe", &[])`.
    #[track_caller]
    pub fn start(&self, name: &str, arguments: &[&str]) -> Background {
        Background::start(self.command(name).args(arguments), &self.names, name)
    }
}
