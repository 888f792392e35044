//! The real agent on the disk under test.

use crate::trouble::{Doing, Outcome};
use gwe_tests::harness::{agent_binary, run, Ran, Scratch};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a command of the agent may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The built agent under its three names, for one root.
#[derive(Debug)]
pub struct Agent {
    names: Scratch,
    root: PathBuf,
}

impl Agent {
    /// The agent for the gateway whose disk is mounted at `root`.
    pub fn on(root: &Path) -> Outcome<Agent> {
        let names = Scratch::new();
        for name in ["gwe", "gmq", "gdc"] {
            let link = names.path(name);
            symlink(agent_binary(), &link).doing("link", &link)?;
        }
        Ok(Agent { names, root: root.to_path_buf() })
    }

    /// A command of it by one of its names, not yet run.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.names.path(name));
        command.args(arguments).env("GWE_ROOT", &self.root);
        for proxy in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(proxy).env_remove(proxy.to_uppercase());
        }
        command
    }

    /// Runs `gwe`.
    pub fn gwe(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command("gwe", arguments), LIMIT)
    }

    /// Runs `gwe` while nothing is at stake: it must succeed.
    pub fn sure(&self, arguments: &[&str]) -> Outcome<Ran> {
        let ran = self.gwe(arguments);
        if ran.code != Some(0) {
            return Err(ran.report());
        }
        Ok(ran)
    }
}
