//! The real agent on the disk under test.

use super::without;
use crate::trouble::{Doing, Outcome};
use gwe_tests::harness::{agent_binary, run, Ran, Scratch};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a command of the agent may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The built agent under its three names, for one root.
#[derive(Debug)]
pub struct Agent {
    /// The folder of its names.
    names: PathBuf,
    root: PathBuf,
    /// Removes that folder where it is not the gateway's own.
    _names: Option<Scratch>,
}

impl Agent {
    /// The agent for the gateway whose disk is mounted at `root`.
    pub fn on(root: &Path) -> Outcome<Agent> {
        let names = Scratch::new();
        for name in ["gwe", "gmq", "gdc"] {
            let link = names.path(name);
            symlink(agent_binary(), &link).doing("link", &link)?;
        }
        Ok(Agent { names: names.root().to_path_buf(), root: root.to_path_buf(), _names: Some(names) })
    }

    /// The agent that is part of the gateway's image, below its `/usr/bin`: the factory's version of one that updates itself.
    pub fn of_image(root: &Path) -> Agent {
        Agent { names: root.join("usr/bin"), root: root.to_path_buf(), _names: None }
    }

    /// Puts it there.
    pub fn install_in_image(root: &Path) -> Outcome<Agent> {
        let agent = Agent::of_image(root);
        fs::create_dir_all(&agent.names).doing("create", &agent.names)?;
        let program = agent.names.join("gwe");
        fs::copy(agent_binary(), &program).doing("copy", &program)?;
        for name in ["gmq", "gdc"] {
            symlink("gwe", agent.names.join(name)).doing("link", &agent.names)?;
        }
        Ok(agent)
    }

    /// A command of it by one of its names, not yet run.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.names.join(name));
        command.args(arguments).env("GWE_ROOT", &self.root);
        for proxy in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(proxy).env_remove(proxy.to_uppercase());
        }
        without::apply(&mut command);
        command
    }

    /// Runs it by one of its names.
    pub fn run(&self, name: &str, arguments: &[&str]) -> Ran {
        run(&mut self.command(name, arguments), LIMIT)
    }

    /// Runs `gwe`.
    pub fn gwe(&self, arguments: &[&str]) -> Ran {
        self.run("gwe", arguments)
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
