//! The platform has an app taken away (docs/spec/failures.md, row F5): acknowledged is that the order was taken, and that the app is gone.
//!
//! On the disk as the power cut left it, before anything runs: a fragment, which a boot would start the app by, stands for a whole folder and a
//! record; a record stands for a whole folder; what was reported is so; an order that was taken is in the journal or done. Then the gateway
//! boots and checks in: fragment, record, folders, and what `uninstall.sh` was to clear away are gone, and that is reported.

use super::look::{is_pending, nothing_left, read, Step};
use super::otau::{check_in_until, fragment, server_data};
use crate::gateway::{check_in, lay_out, Agent, Boot, Hosting, SampleApp, Server, Told};
use crate::trouble::{Doing, Outcome};
use crate::witness::Witness;
use crate::workload::{Checker, CrashState, Finding, Workload};
use gwe::install::registry;
use gwe_tests::harness::Scratch;
use std::fs;
use std::path::{Path, PathBuf};

/// What `fetch_status` has to say.
const REMOVED: &str = "[gwe] removed power_app v1 in ";

/// The workload.
pub struct Removal;

fn app() -> SampleApp {
    SampleApp::version(1).that_clears_away()
}

impl Workload for Removal {
    fn name(&self) -> &'static str {
        "otau-remove"
    }

    fn checks_at_a_time(&self) -> u64 {
        12
    }

    fn prepare(&self, root: &Path, notes: &Path) -> Outcome<()> {
        lay_out(root)?;
        let server = Server::on(&server_data(notes));
        let agent = Agent::on(root)?;
        let hosting = Hosting::start(root)?;
        let boot = Boot::up(root, &server.source(), Some(hosting.socket()))?;
        let tarball = app().tarball().save(boot.volatile(&app().tarball_name()));
        agent.sure(&["--install-apps", &tarball.to_string_lossy()])?;
        agent.sure(&["--once"])?;
        hosting.end_all()?;
        server.ask_to_remove(SampleApp::NAME);
        Ok(())
    }

    fn work(&self, root: &Path, notes: &Path, witness: &Witness) -> Outcome<()> {
        let server = Server::on_copy(&server_data(notes), &notes.join("server-at-work"))?.watched_by(witness)?;
        let hosting = Hosting::start(root)?;
        let boot = Boot::up(root, &server.source(), Some(hosting.socket()))?;
        hosting.boot().map_err(|error| error.to_string())?;
        until_told(root, &server, &boot, &hosting)?.map_err(|finding| finding.text())?;
        hosting.end_all()
    }

    fn checker(&self, notes: &Path) -> Outcome<Box<dyn Checker>> {
        let scratch = Scratch::new();
        let before = Server::on_copy(&server_data(notes), &scratch.path("server"))?.told();
        Ok(Box::new(RemovalChecker { notes: notes.to_path_buf(), before, hosting: None, scratch }))
    }
}

/// Checks in until the platform has been told, and once more with nothing to do.
fn until_told(root: &Path, server: &Server, boot: &Boot, hosting: &Hosting) -> Outcome<Step<()>> {
    let agent = Agent::on(root)?;
    let check_in = || check_in(&agent, boot, hosting).map(|ran| (ran.code, ran.said));
    let done = check_in_until(server, check_in, |told| !told.reports.is_empty())?;
    if done.is_ok() {
        agent.sure(&["--once"])?;
    }
    Ok(done)
}

struct RemovalChecker {
    notes: PathBuf,
    /// What the server knew before the work.
    before: Told,
    hosting: Option<Hosting>,
    scratch: Scratch,
}

/// Whether nothing of the app is left; an end where what is left does not fit together.
fn is_gone(root: &Path) -> Step<bool> {
    let state = root.join("var/lib/gwe");
    let bytes = read(&registry::path(&state))?;
    let registry = registry::parse(&bytes).ok_or(Finding::Third("the registry is damaged".to_string()))?;
    let folder = state.join("apps").join(SampleApp::NAME);
    let (is_hosted, record) = (fragment(root).exists(), registry.app(SampleApp::NAME));
    if is_hosted && record.is_none() {
        return Err(Finding::Third("a boot would start an app that has no record".to_string()));
    }
    if let Some(record) = record {
        if let Some(what) = app().differs(&folder.join(&record.slot)) {
            return Err(Finding::Third(format!("it is recorded, and not whole: {what}")));
        }
    }
    Ok(!is_hosted && record.is_none() && !folder.exists() && !root.join("opt").join(SampleApp::NAME).exists())
}

impl RemovalChecker {
    fn look(&self, root: &Path, told: &Told) -> Step<()> {
        if is_gone(root)? {
            return Ok(());
        }
        match (told.reports.is_empty(), told.engine_fetch.is_empty()) {
            (false, _) => Err(Finding::Lost("it was reported that it is gone, and it is not".to_string())),
            (true, true) => is_pending(root, SampleApp::NAME),
            (true, false) => Ok(()),
        }
    }

    fn end(&self, root: &Path, server: &Server) -> Step<()> {
        let told = server.told();
        if !told.reports.iter().all(|report| report.contains(REMOVED)) {
            return Err(Finding::Third(format!("reported: {}", told.reports.join("\n"))));
        }
        if !is_gone(root)? {
            return Err(Finding::Lost("it was reported that it is gone, and it is not".to_string()));
        }
        nothing_left(&root.join("var/lib/gwe/apps"))?;
        nothing_left(&root.join("var/lib/gwe/downloads"))
    }

    fn boot_and_remove(&self, state: &CrashState, told: &Told, hosting: &Hosting) -> Outcome<Step<()>> {
        let server = Server::on_copy(&server_data(&self.notes), &self.scratch.path("server"))?;
        server.is_at(told);
        let boot = Boot::up(state.root, &server.source(), Some(hosting.socket()))?;
        let result = match hosting.boot() {
            Err(error) => Ok(Err(Finding::DoesNotStart(error.to_string()))),
            Ok(_) => until_told(state.root, &server, &boot, hosting),
        };
        // In any case, or the disk could not be unmounted.
        hosting.end_all()?;
        Ok(result?.and_then(|()| self.end(state.root, &server)))
    }
}

impl Checker for RemovalChecker {
    fn check(&mut self, state: &CrashState) -> Outcome<Finding> {
        let told = Told::at(state.past).unwrap_or_else(|| self.before.clone());
        if let Err(finding) = self.look(state.root, &told) {
            return Ok(finding);
        }
        fs::write(state.root.join("var/log/power_app.log"), "").doing("empty the log in", state.root)?;
        let hosting = match self.hosting.take() {
            Some(hosting) => hosting,
            None => Hosting::start(state.root)?,
        };
        let result = self.boot_and_remove(state, &told, &hosting)?;
        self.hosting = Some(hosting);
        Ok(result.err().unwrap_or(Finding::Sound))
    }
}
