//! An install over the air of version 2 of an app whose version 1 is there, with the real server and the real supervisord.
//! Acknowledged is what the gateway has told the server: that it took the request, and how the install went.

use super::look::{self, Step};
use super::otau_check::OtauChecker;
use crate::gateway::{check_in, lay_out, Agent, Boot, Hosting, Neighbour, SampleApp, Server, Told};
use crate::loss::Loss;
use crate::random::Random;
use crate::recording::Recording;
use crate::replay::Replayer;
use crate::trouble::{Doing, Outcome};
use crate::witness::{Fact, Witness};
use crate::workload::{lay_by_preparing, Checker, Finding, Site, Workload};
use gwe::app::delta::build::build;
use gwe::sys::lock::{self, Lock};
use gwe_tests::harness::Scratch;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// More check-ins than an install needs, also one that is taken down twice.
pub const MAX_CHECK_INS: u32 = 6;
/// What is reported of a version that the power was cut in twice.
pub const GIVEN_UP: &str = "[gwe] rolled back power_app v2 to v1: the gateway went down 2 times while it settled";

/// Checks in, by a function that gives status and log, until one went well and the platform has been told what `is_done` looks for.
pub fn check_in_until(
    server: &Server,
    mut check_in: impl FnMut() -> Outcome<(Option<i32>, String)>,
    is_done: impl Fn(&Told) -> bool,
) -> Outcome<Step<()>> {
    let mut all = String::new();
    for _ in 0..MAX_CHECK_INS {
        let (code, said) = check_in()?;
        all.push_str(&said);
        let told = server.told();
        if code == Some(0) && told.engine_fetch.is_empty() && is_done(&told) {
            return Ok(Ok(()));
        }
    }
    Ok(Err(Finding::DoesNotStart(format!("not all is done: {:?}\n{all}", server.told()))))
}

/// What becomes of version 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otau {
    /// It is installed.
    Update,
    /// It does not stay up, and version 1 comes back.
    RollBack,
    /// It is installed by its delta from version 1, and nothing else of it is in the content area: a recovery that needed the
    /// tarball would show.
    Delta,
    /// It is installed, on a gateway whose power was cut in the middle of that before: what is cut is the recovery.
    CutAgain,
    /// It takes the machine down whenever it runs, and version 1 comes back (docs/spec/failures.md, A1).
    TakesDown,
    /// It is fetched, waits for the next boot, and is installed then (docs/spec/failures.md, F1).
    Waiting,
    /// It is fetched, its app holds it off, and it is installed when that lets go (docs/spec/failures.md, F1).
    Held,
    /// hawkBit orders it, and it is installed.
    Ddi,
    /// hawkBit orders it, it does not stay up, and version 1 comes back.
    DdiRollBack,
}

impl Otau {
    /// Version 2.
    pub fn new_version(self) -> SampleApp {
        match self {
            Otau::Update | Otau::Delta | Otau::CutAgain | Otau::Waiting | Otau::Held | Otau::Ddi => {
                SampleApp::version(2)
            }
            Otau::RollBack | Otau::DdiRollBack => SampleApp::version(2).that_exits(),
            Otau::TakesDown => SampleApp::version(2).that_takes_the_machine_down(),
        }
    }

    /// The version that is there in the end.
    pub fn ends_with(self) -> usize {
        match self {
            Otau::Update | Otau::Delta | Otau::CutAgain | Otau::Waiting | Otau::Held | Otau::Ddi => 2,
            Otau::RollBack | Otau::TakesDown | Otau::DdiRollBack => 1,
        }
    }

    /// What `fetch_status` has to say.
    pub fn report(self) -> String {
        match self {
            Otau::TakesDown => GIVEN_UP.to_string(),
            _ => look::report(SampleApp::NAME, self.ends_with()),
        }
    }
}

impl Otau {
    /// Whether a report tells how it went; another tells that it waits.
    pub fn is_end(self, report: &str) -> bool {
        !matches!(self, Otau::Waiting | Otau::Held) || !report.starts_with("[gwe] waiting ")
    }
}

impl Workload for Otau {
    fn name(&self) -> &'static str {
        match self {
            Otau::Update => "otau",
            Otau::RollBack => "otau-roll-back",
            Otau::Delta => "otau-delta",
            Otau::CutAgain => "otau-cut-again",
            Otau::TakesDown => "otau-takes-down",
            Otau::Waiting => "otau-waiting",
            Otau::Held => "otau-held",
            Otau::Ddi => "otau-ddi",
            Otau::DdiRollBack => "otau-ddi-roll-back",
        }
    }

    /// They mostly wait: for the platform's one write a second, and for the app to settle.
    fn checks_at_a_time(&self) -> u64 {
        12
    }

    /// What is acknowledged in a recovery may have been done before it.
    fn is_backdated(&self) -> bool {
        *self != Otau::CutAgain
    }

    fn prepare(&self, root: &Path, notes: &Path) -> Outcome<()> {
        lay_out(root)?;
        let (old, new) = (SampleApp::version(1), self.new_version());
        let server = match self {
            Otau::Ddi | Otau::DdiRollBack => Server::hawkbit_on(&server_data(notes))?,
            _ => Server::on(&server_data(notes)),
        };
        match self {
            Otau::Delta => upload_delta(&server, &old, &new)?,
            _ => server.upload(&new.tarball_name(), &new.tarball().bytes())?,
        }
        let agent = Agent::on(root)?;
        let hosting = Hosting::start(root)?;
        let boot = Boot::up(root, &server.source(), Some(hosting.socket()))?;
        let tarball = old.tarball().save(boot.volatile(&old.tarball_name()));
        agent.sure(&["--install-apps", &tarball.to_string_lossy()])?;
        agent.sure(&["--once"])?;
        fs::copy(fragment(root), kept_fragment(notes)).doing("copy", &fragment(root))?;
        hosting.end_all()?;
        match self {
            Otau::Delta => server.ask_for_by_delta(&new.tarball_name(), "1"),
            Otau::Waiting => server.ask_for_at_reboot(&new.tarball_name()),
            _ => server.ask_for(&new.tarball_name())?,
        }
        Ok(())
    }

    fn lay_base(&self, base: &Path, notes: &Path, site: &Site) -> Outcome<()> {
        match self {
            Otau::CutAgain => cut_before(base, notes, site),
            _ => lay_by_preparing(self, base, notes, site),
        }
    }

    fn work(&self, root: &Path, notes: &Path, witness: &Witness) -> Outcome<()> {
        // A server of its own data: the checks begin with the data from before.
        let server = Server::on_copy(&server_data(notes), &notes.join("server-at-work"))?.watched_by(witness)?;
        server.break_off_a_download();
        let agent = Agent::on(root)?;
        let hosting = Hosting::start(root)?;
        let mut boot = Boot::up(root, &server.source(), Some(hosting.socket()))?;
        let _neighbour = Neighbour::start(root);
        hosting.boot().map_err(|error| error.to_string())?;
        let mut lock = if *self == Otau::Held { Some(hold(root)?) } else { None };
        let mut said = String::new();
        for _ in 0..MAX_CHECK_INS {
            let ran = check_in(&agent, &boot, &hosting)?;
            said = ran.said;
            if ran.code != Some(0) && *self != Otau::TakesDown {
                return Err(format!("a check-in failed:\n{said}"));
            }
            let reports = server.told().reports;
            if !reports.is_empty() && !reports.iter().any(|report| self.is_end(report)) {
                // Once more, in which nothing may come of it; then its moment.
                agent.sure(&["--once"])?;
                if server.told().reports != reports {
                    return Err("it does not wait".to_string());
                }
                if lock.take().is_some() {
                    continue;
                }
                drop(boot);
                boot = Boot::up(root, &server.source(), Some(hosting.socket()))?;
                continue;
            }
            if !reports.is_empty() {
                // One more, with nothing to do.
                agent.sure(&["--once"])?;
                return hosting.end_all();
            }
        }
        Err(format!("version 2 was not dealt with:\n{said}"))
    }

    fn checker(&self, notes: &Path) -> Outcome<Box<dyn Checker>> {
        Ok(Box::new(OtauChecker::new(*self, notes)?))
    }
}

/// Makes the delta of the two as a developer does, and uploads it.
fn upload_delta(server: &Server, old: &SampleApp, new: &SampleApp) -> Outcome<()> {
    let desk = Scratch::new();
    let [old, new] = [old, new].map(|app| app.tarball().save(desk.path(&app.tarball_name())));
    let built = build(&old, &new, desk.root(), &mut |_| {}).map_err(|e| e.to_string())?;
    let name = built.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    server.upload(&name, &fs::read(&built.path).doing("read", &built.path)?)
}

/// Makes the disk of a gateway whose power was cut in an update, anywhere; the server is as it was then.
fn cut_before(base: &Path, notes: &Path, site: &Site) -> Outcome<()> {
    let folder = notes.join("first");
    let first = Recording::make(&Otau::Update, &folder, site)?;
    let mut random = Random::of_clock();
    let (began, ended) = (first.work.0, reported(&first));
    let cut = began + random.below((ended - began) as u64) as usize;
    let mut replayer = Replayer::new(&first.log, &first.base(), folder.join("durable")).doing("copy", &first.base())?;
    replayer.crash(cut, &mut Loss::choose(random), base).doing("write", base)?;

    let told = Told::at(first.past(cut));
    fs::rename(server_data(&first.notes()), server_data(notes)).doing("move to", &server_data(notes))?;
    if let Some(told) = told {
        Server::on(&server_data(notes)).is_at(&told);
    }
    fs::rename(kept_fragment(&first.notes()), kept_fragment(notes)).doing("move to", &kept_fragment(notes))?;
    fs::remove_dir_all(&folder).doing("remove", &folder)
}

/// How many requests had been made to the disk when the server was told how the install went.
fn reported(recording: &Recording) -> usize {
    let says_so = |fact: &&Fact| Told::at(std::slice::from_ref(fact)).is_some_and(|told| !told.reports.is_empty());
    let fact = recording.facts.iter().find(says_so);
    fact.map_or(recording.work.1, |fact| recording.log.count_at(fact.at))
}

/// Where the server's data from before the work is.
pub fn server_data(notes: &Path) -> PathBuf {
    notes.join("server")
}

/// The file that the app holds an update off by.
pub fn hold_file(root: &Path) -> PathBuf {
    root.join("var/lib/gwe/hold").join(SampleApp::NAME)
}

/// Holds it, as the app would.
pub fn hold(root: &Path) -> Outcome<Lock> {
    let path = hold_file(root);
    let taken = lock::take(&path, Duration::ZERO).map_err(|error| error.to_string())?;
    taken.ok_or_else(|| format!("{} is held", path.display()))
}

/// The fragment on the disk.
pub fn fragment(root: &Path) -> PathBuf {
    root.join(format!("var/lib/gwe/supervisor.d/{}.conf", SampleApp::NAME))
}

/// Where version 1's fragment is kept to compare with.
pub fn kept_fragment(notes: &Path) -> PathBuf {
    notes.join("fragment-1")
}
