//! What must hold after a power cut in an install of version 2 of an app.
//!
//! On the disk as it is found, before anything runs: the registry is there and tells of version 1 or 2; the fragment is wholly
//! that of one of them, and the folder that it points to is wholly that version's, since at boot supervisord starts it before
//! the agent can mend anything; a fragment that is held is that of version 2, which has not settled; what the server was told is
//! true. Then the gateway boots: supervisord starts the app, whole, or leaves a held one to the agent, which counts its tries.
//! Then the agent checks in: the version that has to be there in the end is, whole and running; that is reported, and nothing
//! else is; no installer ran for a version that was installed already.

use super::look::{is_pending, nothing_left, read, Step};
use super::otau::{fragment, hold, hold_file, kept_fragment, server_data, Otau, GIVEN_UP, MAX_CHECK_INS};
use crate::gateway::{check_in, Agent, Boot, Hosting, SampleApp, Server, Told};
use crate::trouble::{Doing, Outcome};
use crate::workload::{Checker, CrashState, Finding};
use gwe::install::{journal, registry};
use gwe_tests::harness::Scratch;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long a hosted app may take to say that it has started.
const START_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
/// Where the two versions are: they alternate, and version 1 came first.
const SLOTS: [&str; 2] = ["a", "b"];
/// What the fragment of a version that has not settled ends with.
const HELD: &[u8] = b"autostart = false\n";
/// How often a version may take the machine down.
const MAX_TAKEN_DOWN: u32 = 2;

/// Checks one state after the other, with a supervisord that stays.
pub struct OtauChecker {
    otau: Otau,
    notes: PathBuf,
    apps: [SampleApp; 2],
    fragments: [Vec<u8>; 2],
    /// What the server knew before the work.
    before: Told,
    hosting: Option<Hosting>,
    scratch: Scratch,
}

/// What the disk says before anything runs.
#[derive(Debug)]
struct Found {
    /// The version that the registry says is installed.
    version: usize,
    /// The version that the fragment has started.
    hosted: usize,
    /// Whether a boot leaves its start to the agent.
    is_held: bool,
    /// Whether the registry says that version 2 was tried.
    was_rolled_back: bool,
    /// How often installers had begun.
    installs: usize,
    /// Whether the app may hold version 2 off still.
    may_be_held: bool,
}

impl Found {
    /// Whether all is as it has to be where this version is there in the end.
    fn is_at(&self, end: usize) -> bool {
        self.version == end && self.hosted == end && !self.is_held && self.was_rolled_back == (end == 1)
    }
}

impl OtauChecker {
    pub fn new(otau: Otau, notes: &Path) -> Outcome<OtauChecker> {
        let path = kept_fragment(notes);
        let first = fs::read_to_string(&path).doing("read", &path)?;
        let folder = |slot| format!("/{}/{slot}", SampleApp::NAME);
        let second = first.replace(&folder(SLOTS[0]), &folder(SLOTS[1]));
        let scratch = Scratch::new();
        let before = Server::on_copy(&server_data(notes), &scratch.path("server"))?.told();
        Ok(OtauChecker {
            otau,
            notes: notes.to_path_buf(),
            apps: [SampleApp::version(1), otau.new_version()],
            fragments: [first, second].map(String::into_bytes),
            before,
            hosting: None,
            scratch,
        })
    }

    fn app(&self, version: usize) -> &SampleApp {
        &self.apps[version - 1]
    }

    /// Looks at the disk as the power cut left it.
    fn look(&self, root: &Path, told: &Told, end: usize) -> Step<Found> {
        let state = root.join("var/lib/gwe");
        let bytes = read(&registry::path(&state))?;
        let registry = registry::parse(&bytes).ok_or(Finding::Third("the registry is damaged".to_string()))?;
        let app = registry.app(SampleApp::NAME).ok_or(Finding::Lost("the registry has no app".to_string()))?;
        let version = match app.version.as_str() {
            "1" => 1,
            "2" => 2,
            other => return Err(Finding::Third(format!("the registry has v{other}"))),
        };
        let slot = |slot: &str| state.join("apps").join(SampleApp::NAME).join(slot);
        whole(self.app(version).differs(&slot(&app.slot)))?;

        let found = read(&fragment(root))?;
        let started = found.strip_suffix(HELD);
        let is_held = started.is_some();
        let place = self.fragments.iter().position(|fragment| fragment == started.unwrap_or(&found));
        let hosted = 1 + place.ok_or(Finding::Third(format!("fragment: {}", String::from_utf8_lossy(&found))))?;
        whole(self.app(hosted).differs(&slot(SLOTS[hosted - 1])))?;
        if version > hosted {
            return Err(Finding::Third("the registry has v2, and the fragment starts v1".to_string()));
        }
        if is_held && hosted == 1 {
            return Err(Finding::Lost("v1 has settled long ago, and would not be started by a boot".to_string()));
        }
        let was_rolled_back = app.note.as_deref().is_some_and(|note| note.contains("rolled back from v2"));
        is_good_hold(root)?;
        let installs = SampleApp::installs(root);
        let may_be_held = hosted == 1 && !is_begun(root)?;
        let found = Found { version, hosted, is_held, was_rolled_back, installs, may_be_held };
        self.promises(root, told, &found, end)?;
        Ok(found)
    }

    /// What the server was told is true.
    fn promises(&self, root: &Path, told: &Told, found: &Found, end: usize) -> Step<()> {
        if found.is_at(end) {
            return whole(self.app(found.version).differs_elsewhere(root));
        }
        if found.version == 2 && end == 1 {
            return Err(Finding::Third("v2 does not stay up, and is recorded as installed".to_string()));
        }
        if told.reports.iter().any(|report| self.otau.is_end(report)) {
            return Err(Finding::Lost(format!("it was reported how v2 went, and that is not so: {found:?}")));
        }
        if !told.engine_fetch.is_empty() {
            return Ok(());
        }
        is_pending(root, &self.app(2).tarball_name())
    }

    /// The version that is there in the end, by what the server was told, all of which must say so. Two power cuts while version 2
    /// settles speak against it, and it makes no difference who cut them.
    fn end_told(&self, reports: &[String]) -> Step<usize> {
        let all_say =
            |text: &str| reports.iter().filter(|report| self.otau.is_end(report)).all(|report| report.contains(text));
        if all_say(&self.otau.report()) {
            return Ok(self.otau.ends_with());
        }
        if self.otau == Otau::CutAgain && all_say(GIVEN_UP) {
            return Ok(1);
        }
        Err(Finding::Third(format!("reported: {}", reports.join("\n"))))
    }

    /// supervisord has started this version, whole.
    fn await_start(&self, root: &Path, version: usize) -> Step<()> {
        let line = self.app(version).start_line();
        let until = Instant::now() + START_LIMIT;
        while SampleApp::log(root).lines().last() != Some(line.as_str()) {
            if Instant::now() > until {
                return Err(Finding::DoesNotStart(format!("no '{line}' in the app's log:\n{}", SampleApp::log(root))));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Checks in until all is done that is to be done.
    fn update(&self, root: &Path, server: &Server, boot: &Boot, hosting: &Hosting) -> Outcome<Step<()>> {
        let agent = Agent::on(root)?;
        let (mut said, mut taken_down) = (String::new(), 0);
        for _ in 0..MAX_CHECK_INS {
            let ran = check_in(&agent, boot, hosting)?;
            taken_down += u32::from(ran.code.is_none());
            if taken_down > MAX_TAKEN_DOWN {
                return Ok(Err(Finding::Third(format!("v2 took the machine down {taken_down} times:\n{said}"))));
            }
            let told = server.told();
            let is_told = told.reports.iter().any(|report| self.otau.is_end(report));
            if self.otau == Otau::Waiting && !is_told && told.engine_fetch.is_empty() {
                // It was still to be fetched, and would wait for yet another boot.
                agent.gwe(&["--install-now"]);
            }
            if ran.code == Some(0) && told.engine_fetch.is_empty() && is_told {
                let status = agent.gwe(&["--status"]);
                let fine = status.code == Some(0) && status.stdout.contains(SampleApp::NAME);
                return Ok(if fine { Ok(()) } else { Err(Finding::DoesNotStart(status.report())) });
            }
            said.push_str(&ran.said);
        }
        Ok(Err(Finding::DoesNotStart(format!("the update is not completed:\n{said}"))))
    }

    /// The app holds again what it held before the power was cut: nothing stops it.
    fn hold_again(&self, root: &Path, server: &Server, boot: &Boot, hosting: &Hosting) -> Outcome<Step<()>> {
        let lock = hold(root)?;
        let ran = check_in(&Agent::on(root)?, boot, hosting)?;
        drop(lock);
        let told = server.told();
        let found = match self.look(root, &told, 2) {
            Ok(found) => found,
            Err(finding) => return Ok(Err(finding)),
        };
        if ran.code != Some(0) || !told.engine_fetch.is_empty() {
            return Ok(Err(Finding::DoesNotStart(format!("a check-in in which it is held:\n{}", ran.said))));
        }
        if !found.may_be_held {
            return Ok(Err(Finding::Third(format!("it was held off, and is begun: {found:?}"))));
        }
        Ok(is_pending(root, &self.app(2).tarball_name()))
    }

    /// What must be so in the end.
    fn end(&self, root: &Path, server: &Server, before: &Found) -> Step<()> {
        let end = self.end_told(&server.told().reports)?;
        let after = self.look(root, &Told::default(), end)?;
        if !after.is_at(end) {
            return Err(Finding::Lost(format!("it was reported how v2 went, and that is not so: {after:?}")));
        }
        if before.version == 2 && end == 1 {
            return Err(Finding::Lost("v2 was recorded as installed, and is given up".to_string()));
        }
        self.await_start(root, end)?;
        if before.version == 2 && after.installs != before.installs {
            return Err(Finding::Third("v2 was installed, and is installed again".to_string()));
        }
        nothing_left(&root.join("var/lib/gwe/downloads"))?;
        let unused = SLOTS[2 - end];
        nothing_left(&root.join("var/lib/gwe/apps").join(SampleApp::NAME).join(unused))
    }

    fn boot_and_update(&self, state: &CrashState, told: &Told, hosting: &Hosting, found: &Found) -> Outcome<Step<()>> {
        let server = Server::on_copy(&server_data(&self.notes), &self.scratch.path("server"))?;
        server.is_at(told);
        let boot = Boot::up(state.root, &server.source(), Some(hosting.socket()))?;
        let result = (|| {
            if let Err(error) = hosting.boot() {
                return Ok(Err(Finding::DoesNotStart(error.to_string())));
            }
            // A version that was about to show that it does not stay up need not come up; a held one is started by the agent.
            if found.hosted <= self.otau.ends_with() && !found.is_held {
                if let Err(finding) = self.await_start(state.root, found.hosted) {
                    return Ok(Err(finding));
                }
            }
            if self.otau == Otau::Held && found.may_be_held {
                if let Err(finding) = self.hold_again(state.root, &server, &boot, hosting)? {
                    return Ok(Err(finding));
                }
            }
            if let Err(finding) = self.update(state.root, &server, &boot, hosting)? {
                return Ok(Err(finding));
            }
            Ok(self.end(state.root, &server, found))
        })();
        // In any case, or the disk could not be unmounted.
        hosting.end_all()?;
        result
    }
}

impl Checker for OtauChecker {
    fn check(&mut self, state: &CrashState) -> Outcome<Finding> {
        let told = Told::at(state.past).unwrap_or_else(|| self.before.clone());
        let found = match self.look(state.root, &told, self.otau.ends_with()) {
            Ok(found) => found,
            Err(finding) => return Ok(finding),
        };
        // What stands in it is of before the power cut; and a supervisord that starts now starts the app by itself.
        fs::write(state.root.join("var/log/power_app.log"), "").doing("empty the log in", state.root)?;
        let hosting = match self.hosting.take() {
            Some(hosting) => hosting,
            None => Hosting::start(state.root)?,
        };
        let result = self.boot_and_update(state, &told, &hosting, &found)?;
        self.hosting = Some(hosting);
        Ok(result.err().unwrap_or(Finding::Sound))
    }
}

/// Whether the installer of version 2 was begun: from then on, nothing holds it off.
fn is_begun(root: &Path) -> Step<bool> {
    let path = journal::path(&root.join("var/lib/gwe"));
    if !path.exists() {
        return Ok(false);
    }
    let journal = journal::parse(&read(&path)?).ok_or(Finding::Third("the journal is damaged".to_string()))?;
    Ok(journal.jobs.iter().any(|job| job.attempts > 0))
}

/// The file that the app holds an update off by is there, and nobody else's.
fn is_good_hold(root: &Path) -> Step<()> {
    let file =
        fs::metadata(hold_file(root)).map_err(|error| Finding::Lost(format!("the file of the hold: {error}")))?;
    match file.mode() & 0o777 {
        0o600 => Ok(()),
        mode => Err(Finding::Third(format!("the file of the hold has mode {mode:o}"))),
    }
}

fn whole(difference: Option<String>) -> Step<()> {
    difference.map_or(Ok(()), |what| Err(Finding::Third(what)))
}
