//! The agent updates itself, from version 1 that came over the air to version 2, while it runs as the engine. Acknowledged is
//! what it has told the server.

use super::otau::server_data;
use super::self_update_check::SelfUpdateChecker;
use crate::gateway::{lay_out, Agent, Boot, Server};
use crate::trouble::{Doing, Outcome};
use crate::witness::Witness;
use crate::workload::{Checker, Workload};
use gwe_tests::harness::{agent_binary, Background, Scratch, Tarball};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long an update may take: it is downloaded, tried in a check-in of its own, and reported.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// The workload.
pub struct SelfUpdate;

impl Workload for SelfUpdate {
    fn name(&self) -> &'static str {
        "self-update"
    }

    /// They mostly wait: for the platform's one write a second, and for the next check-in.
    fn checks_at_a_time(&self) -> u64 {
        12
    }

    fn prepare(&self, root: &Path, notes: &Path) -> Outcome<()> {
        lay_out(root)?;
        Agent::install_in_image(root)?;
        let server = Server::on(&server_data(notes));
        for version in [1, 2] {
            let program = program(version)?;
            let tarball = Tarball::app("exit 0").file("gwe", 0o755, program.clone());
            server.murano().upload(&tarball_name(version), &tarball.bytes());
            let kept = kept_program(notes, version);
            fs::write(&kept, program).doing("write", &kept)?;
        }
        server.ask_for(&tarball_name(1));
        let boot = Boot::up(root, &server.url(), None)?;
        Engine::start(root).update_to(1, root, &server)?;
        drop(boot);
        server.ask_for(&tarball_name(2));
        Ok(())
    }

    fn work(&self, root: &Path, notes: &Path, witness: &Witness) -> Outcome<()> {
        let server = Server::on_copy(&server_data(notes), &notes.join("server-at-work"))?.watched_by(witness)?;
        let _boot = Boot::up(root, &server.url(), None)?;
        Engine::start(root).update_to(2, root, &server)
    }

    fn checker(&self, notes: &Path) -> Outcome<Box<dyn Checker>> {
        Ok(Box::new(SelfUpdateChecker::new(notes)?))
    }
}

/// The engine as init starts it: the image's own program, whatever versions came over the air.
pub struct Engine {
    process: Background,
    _log: Scratch,
}

impl Engine {
    /// Starts it.
    pub fn start(root: &Path) -> Engine {
        let log = Scratch::new();
        let process = Background::start(&mut Agent::of_image(root).command("gwe", &[]), &log, "gwe");
        Engine { process, _log: log }
    }

    /// Waits until it runs as a version, has said that this is installed, and has nothing else to do; then ends it.
    pub fn update_to(mut self, version: u64, root: &Path, server: &Server) -> Outcome<()> {
        let wanted = slot(root, version).join("gwe");
        let line = installed(version);
        let until = Instant::now() + LIMIT;
        loop {
            let told = server.told();
            let is_done = told.engine_fetch.is_empty() && told.reports.iter().any(|report| report.contains(&line));
            let running = fs::read_link(format!("/proc/{}/exe", self.process.pid()));
            if is_done && running.is_ok_and(|running| running == wanted) {
                self.process.stop();
                return Ok(());
            }
            if !self.process.is_running() || Instant::now() > until {
                return Err(format!("agent v{version} is not in charge\n{told:?}\n{}", self.process.log()));
            }
            thread::sleep(POLL);
        }
    }
}

/// What `fetch_status` says of it.
pub fn installed(version: u64) -> String {
    format!("[gwe] installed gwe v{version} in ")
}

/// Such as `gwe.v2.tar.gz`.
pub fn tarball_name(version: u64) -> String {
    format!("gwe.v{version}.tar.gz")
}

/// Where a version comes to be: they alternate.
pub fn slot(root: &Path, version: u64) -> PathBuf {
    let slot = if version % 2 == 1 { "a" } else { "b" };
    root.join("var/lib/gwe/apps/gwe").join(slot)
}

/// A version's program: the built agent, and after its end, where nothing reads it, the number.
fn program(version: u64) -> Outcome<Vec<u8>> {
    let path = agent_binary();
    let mut bytes = fs::read(&path).doing("read", &path)?;
    bytes.extend(format!("\nversion {version}\n").bytes());
    Ok(bytes)
}

/// Where it is kept to compare with.
pub fn kept_program(notes: &Path, version: u64) -> PathBuf {
    notes.join(format!("gwe-{version}"))
}
