//! Version 2 of the agent comes over the air to a gateway on which version 1 came so and runs as the engine. Acknowledged is what
//! it has told the server.

use super::look;
use super::otau::server_data;
use super::self_update_check::SelfUpdateChecker;
use crate::gateway::{lay_out, Agent, Boot, Neighbour, Server};
use crate::trouble::{Doing, Outcome};
use crate::witness::Witness;
use crate::workload::{Checker, Workload};
use gwe_tests::harness::{agent_binary, Background, Scratch, Tarball};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long an update may take: it is downloaded, tried in a check-in of its own, and reported.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// The number under which the image's own program is kept.
pub const FACTORY: u64 = 0;
/// What stands for a version that crashes.
const CRASHING: &str = "#!/bin/sh\nkill -SEGV $$\n";

/// What stands for a version that takes the machine down in each of its check-ins: the engine, and itself.
const TAKES_IT_DOWN: &str = "#!/bin/sh\n[ \"$1\" != --once ] || kill -9 $PPID $$\n";
/// More boots than such a version gets.
const MAX_BOOTS: u32 = 8;

/// What becomes of version 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelfUpdate {
    /// It takes over.
    Update,
    /// It crashes, again and again, and version 1 comes back.
    RollBack,
    /// It takes the machine down, again and again, and version 1 comes back (docs/spec/failures.md, A1).
    TakesDown,
    /// hawkBit orders it, and it takes over.
    Ddi,
}

impl SelfUpdate {
    /// The version that is in charge in the end.
    pub fn ends_with(self) -> u64 {
        match self {
            SelfUpdate::Update | SelfUpdate::Ddi => 2,
            SelfUpdate::RollBack | SelfUpdate::TakesDown => 1,
        }
    }

    /// What `fetch_status` has to say.
    pub fn report(self) -> String {
        look::report("gwe", self.ends_with() as usize)
    }

    /// Boots, as often as the machine is taken down, until all is as it has to be in the end.
    pub fn live(self, root: &Path, server: &Server) -> Outcome<()> {
        for _ in 0..MAX_BOOTS {
            let _boot = Boot::up(root, &server.source(), None)?;
            let ended = Engine::start(root).ends_with(self.ends_with(), &self.report(), root, server)?;
            match (ended, self) {
                (Ended::Done, _) => return Ok(()),
                (Ended::TakenDown, SelfUpdate::TakesDown) => {}
                (Ended::TakenDown, _) => return Err("the engine died".to_string()),
            }
        }
        Err(format!("v2 took the machine down {MAX_BOOTS} times"))
    }

    fn program(self, version: u64) -> Outcome<Vec<u8>> {
        match (self, version) {
            (SelfUpdate::RollBack, 2) => Ok(CRASHING.into()),
            (SelfUpdate::TakesDown, 2) => Ok(TAKES_IT_DOWN.into()),
            _ => program(version),
        }
    }
}

impl Workload for SelfUpdate {
    fn name(&self) -> &'static str {
        match self {
            SelfUpdate::Update => "self-update",
            SelfUpdate::RollBack => "self-update-roll-back",
            SelfUpdate::TakesDown => "self-update-takes-down",
            SelfUpdate::Ddi => "self-update-ddi",
        }
    }

    /// They mostly wait: for the platform's one write a second, and for the next check-in.
    fn checks_at_a_time(&self) -> u64 {
        12
    }

    fn prepare(&self, root: &Path, notes: &Path) -> Outcome<()> {
        lay_out(root)?;
        Agent::install_in_image(root)?;
        let (factory, kept) = (agent_binary(), kept_program(notes, FACTORY));
        fs::copy(&factory, &kept).doing("copy", &factory)?;
        let server = match self {
            SelfUpdate::Ddi => Server::hawkbit_on(&server_data(notes))?,
            _ => Server::on(&server_data(notes)),
        };
        for version in [1, 2] {
            let program = self.program(version)?;
            let tarball = Tarball::app("exit 0").file("gwe", 0o755, program.clone());
            server.upload(&tarball_name(version), &tarball.bytes())?;
            let kept = kept_program(notes, version);
            fs::write(&kept, program).doing("write", &kept)?;
        }
        server.ask_for(&tarball_name(1))?;
        let boot = Boot::up(root, &server.source(), None)?;
        let report = "[gwe] installed gwe v1 in ";
        if Engine::start(root).ends_with(1, report, root, &server)? == Ended::TakenDown {
            return Err("the engine died".to_string());
        }
        drop(boot);
        server.ask_for(&tarball_name(2))?;
        Ok(())
    }

    fn work(&self, root: &Path, notes: &Path, witness: &Witness) -> Outcome<()> {
        let server = Server::on_copy(&server_data(notes), &notes.join("server-at-work"))?.watched_by(witness)?;
        let _neighbour = Neighbour::start(root);
        self.live(root, &server)
    }

    fn checker(&self, notes: &Path) -> Outcome<Box<dyn Checker>> {
        Ok(Box::new(SelfUpdateChecker::new(*self, notes)?))
    }
}

/// How a life of the engine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All is as it has to be, and it was stopped.
    Done,
    /// It was killed.
    TakenDown,
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

    /// Waits until it runs as a version, has reported in these words, and has nothing else to do; then ends it.
    pub fn ends_with(mut self, version: u64, report: &str, root: &Path, server: &Server) -> Outcome<Ended> {
        let wanted = slot(root, version).join("gwe");
        let until = Instant::now() + LIMIT;
        loop {
            let told = server.told();
            let is_done = told.engine_fetch.is_empty() && told.reports.iter().any(|said| said.contains(report));
            let running = fs::read_link(format!("/proc/{}/exe", self.process.pid()));
            if is_done && running.is_ok_and(|running| running == wanted) {
                self.process.stop();
                return Ok(Ended::Done);
            }
            let is_over = self.process.wait(Duration::ZERO);
            if is_over.is_some_and(|status| status.signal().is_some()) {
                return Ok(Ended::TakenDown);
            }
            if is_over.is_some() || Instant::now() > until {
                return Err(format!("agent v{version} is not in charge\n{told:?}\n{}", self.process.log()));
            }
            thread::sleep(POLL);
        }
    }
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
