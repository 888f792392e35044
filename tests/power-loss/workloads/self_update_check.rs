//! What must hold after a power cut while version 2 of the agent comes.
//!
//! On the disk as it is found: the image's own agent is whole; the file that says which version is in charge is there, and each
//! version that it names is wholly there; what the server was told is true. Then the gateway boots: the engine starts as the
//! image's agent, goes on, and ends as the version that has to be in charge in the end; that is reported, and nothing else is.

use super::look::{is_pending, nothing_left, read, Step};
use super::otau::server_data;
use super::self_update::{kept_program, slot, tarball_name, SelfUpdate, FACTORY};
use crate::gateway::{Agent, Boot, Server, Told};
use crate::trouble::{Doing, Outcome};
use crate::workload::{Checker, CrashState, Finding};
use gwe::install::registry;
use gwe_tests::harness::Scratch;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Checks one state after the other.
pub struct SelfUpdateChecker {
    update: SelfUpdate,
    notes: PathBuf,
    factory: Vec<u8>,
    programs: [Vec<u8>; 2],
    /// What the server knew before the work.
    before: Told,
    scratch: Scratch,
}

/// What the disk says.
#[derive(Debug)]
struct Found {
    /// The version that is recorded as installed.
    recorded: u64,
    /// The version in charge.
    current: u64,
    /// Whether version 2's content is not taken again.
    is_refused: bool,
}

impl SelfUpdateChecker {
    pub fn new(update: SelfUpdate, notes: &Path) -> Outcome<SelfUpdateChecker> {
        let scratch = Scratch::new();
        let before = Server::on_copy(&server_data(notes), &scratch.path("server"))?.told();
        let read = |path: &Path| fs::read(path).doing("read", path);
        Ok(SelfUpdateChecker {
            update,
            notes: notes.to_path_buf(),
            factory: read(&kept_program(notes, FACTORY))?,
            programs: [read(&kept_program(notes, 1))?, read(&kept_program(notes, 2))?],
            before,
            scratch,
        })
    }

    /// Looks at the disk as the power cut left it.
    fn look(&self, root: &Path) -> Step<Found> {
        whole(&root.join("usr/bin/gwe"), &self.factory)?;
        let state = root.join("var/lib/gwe");
        let registry = registry::parse(&read(&registry::path(&state))?);
        let registry = registry.ok_or(Finding::Third("the registry is damaged".to_string()))?;
        let app = registry.app("gwe").ok_or(Finding::Lost("the registry has no gwe".to_string()))?;
        let recorded = number(Some(&app.version))?;
        let (current, previous) = self.in_charge(root)?;
        for version in [Some(recorded), Some(current), previous].into_iter().flatten() {
            whole(&slot(root, version).join("gwe"), &self.programs[version as usize - 1])?;
        }
        if recorded > current.min(self.update.ends_with()) {
            return Err(Finding::Third(format!("v{recorded} is recorded as installed, and v{current} is in charge")));
        }
        let is_refused = registry.refused.iter().any(|refused| *refused.tarball == *tarball_name(2));
        Ok(Found { recorded, current, is_refused })
    }

    /// The version in charge, and the one before.
    fn in_charge(&self, root: &Path) -> Step<(u64, Option<u64>)> {
        let bytes = read(&root.join("var/lib/gwe/agent/state.json"))?;
        let damaged = || Finding::Third(format!("agent/state.json: {}", String::from_utf8_lossy(&bytes)));
        let agents: Value = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        let version = |of: &str| agents[of]["version"].as_str().map(str::to_string);
        if !agents["dropped"].is_null() && matches!(self.update, SelfUpdate::Update | SelfUpdate::Ddi) {
            return Err(Finding::Third(format!("a version was dropped: {agents}")));
        }
        let previous = match version("previous") {
            Some(previous) => Some(number(Some(&previous))?),
            None => None,
        };
        Ok((number(version("current").as_deref())?, previous))
    }

    /// What the server was told is true.
    fn promises(&self, root: &Path, told: &Told, found: &Found) -> Step<()> {
        if self.is_at_its_end(found) {
            return Ok(());
        }
        // Version 1 was reported before the work.
        if told.reports.len() > self.before.reports.len() {
            return Err(Finding::Lost(format!("it was reported how v2 went, and that is not so: {found:?}")));
        }
        if !told.engine_fetch.is_empty() {
            return Ok(());
        }
        is_pending(root, &tarball_name(2))
    }

    /// Whether all is as it has to be in the end.
    fn is_at_its_end(&self, found: &Found) -> bool {
        let end = self.update.ends_with();
        found.recorded == end && found.current == end && found.is_refused == (end == 1)
    }

    fn boot_and_update(&self, root: &Path, told: &Told) -> Outcome<Step<()>> {
        let server = Server::on_copy(&server_data(&self.notes), &self.scratch.path("server"))?;
        let known = self.before.reports.len();
        server.is_at(&Told { reports: told.reports.iter().skip(known).cloned().collect(), ..told.clone() });
        let boot = Boot::up(root, &server.source(), None)?;
        for name in ["gmq", "gdc"] {
            let ran = Agent::of_image(root).run(name, &["--version"]);
            if ran.code != Some(0) {
                return Ok(Err(Finding::DoesNotStart(ran.report())));
            }
        }
        drop(boot);
        if let Err(why) = self.update.live(root, &server) {
            return Ok(Err(Finding::DoesNotStart(why)));
        }
        Ok(self.end(root, &server))
    }

    /// What must be so in the end.
    fn end(&self, root: &Path, server: &Server) -> Step<()> {
        let reports = server.told().reports.split_off(self.before.reports.len());
        if let Some(report) = reports.iter().find(|report| !report.contains(&self.update.report())) {
            return Err(Finding::Third(format!("reported: {report}")));
        }
        let found = self.look(root)?;
        if !self.is_at_its_end(&found) {
            return Err(Finding::Lost(format!("it was reported how v2 went, and that is not so: {found:?}")));
        }
        nothing_left(&root.join("var/lib/gwe/downloads"))
    }
}

impl Checker for SelfUpdateChecker {
    fn check(&mut self, state: &CrashState) -> Outcome<Finding> {
        let told = Told::at(state.past).unwrap_or_else(|| self.before.clone());
        let found = self.look(state.root).and_then(|found| self.promises(state.root, &told, &found));
        match found {
            Ok(()) => Ok(self.boot_and_update(state.root, &told)?.err().unwrap_or(Finding::Sound)),
            Err(finding) => Ok(finding),
        }
    }
}

fn number(version: Option<&str>) -> Step<u64> {
    match version {
        Some("1") => Ok(1),
        Some("2") => Ok(2),
        other => Err(Finding::Third(format!("version {other:?}"))),
    }
}

fn whole(path: &Path, wanted: &[u8]) -> Step<()> {
    if read(path)? == wanted {
        return Ok(());
    }
    Err(Finding::Third(format!("{} has other bytes", path.display())))
}
