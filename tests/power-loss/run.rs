//! One run: the controls, then the workloads, each recorded, crashed and checked.

use super::args::Args;
use super::explore::{explore, Checked, Places, Plan};
use super::gateway;
use super::recording::Recording;
use super::sys;
use super::tally::Tally;
use super::trouble::{Doing, Outcome};
use super::workload::{Expected, Finding, Site, Workload};
use super::workloads;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where this process mounts its own tmpfs. It is the same in every run, since paths of the disk are written on the disk. The
/// folder is there on every Linux, and seldom holds a checkout.
const HOME: &str = "/media";
/// The folder in it where the recorder's daemon exports the logged disk.
const EXPORTS: &str = "exports";
/// Crash states of each control.
const CONTROL_STATES: u64 = 100;
/// Crash states of each workload that are checked against all that was acknowledged later.
const BACKDATED_STATES: u64 = 20;
/// So many states with harm are told of each workload; the others are counted.
const MAX_TOLD: u64 = 10;

/// What is asked for; whether all is as it must be.
pub fn run(args: &Args) -> Outcome<bool> {
    let chosen = chosen(args)?;
    let bench = Bench::set_up(args)?;
    if let Some(kind) = &args.without {
        gateway::run_without(kind, &bench.home)?;
    }
    if let Some(folder) = &args.repeat {
        return bench.repeat(folder, args);
    }
    println!("seed {}", bench.seed);
    println!("{}", Tally::head());
    for control in workloads::controls() {
        if !bench.experiment(control.as_ref(), CONTROL_STATES)? {
            return Ok(false);
        }
    }
    let mut good = true;
    for workload in chosen {
        good &= bench.experiment(workload.as_ref(), args.states)?;
    }
    Ok(good)
}

/// All workloads, or those that were named.
fn chosen(args: &Args) -> Outcome<Vec<Box<dyn Workload>>> {
    let all = workloads::all();
    if let Some(unknown) = args.workloads.iter().find(|name| all.iter().all(|workload| workload.name() != **name)) {
        return Err(format!("no workload {unknown}; --list prints their names"));
    }
    let wanted = |name: &str| args.workloads.is_empty() || args.workloads.iter().any(|wanted| wanted == name);
    Ok(all.into_iter().filter(|workload| wanted(workload.name())).collect())
}

/// Where a run has its images, and where it keeps what shows harm.
struct Bench {
    home: PathBuf,
    keep: PathBuf,
    seed: u64,
}

impl Bench {
    fn set_up(args: &Args) -> Outcome<Bench> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let default = || env::temp_dir().join(format!("gwe-power-loss-{}", now.as_secs()));
        let keep = args.keep.clone().unwrap_or_else(default);
        let home = PathBuf::from(HOME);
        mount_tmpfs(&home)?;
        let (temporary, exports) = (home.join("tmp"), home.join(EXPORTS));
        fs::create_dir(&temporary).doing("create", &temporary)?;
        env::set_var("TMPDIR", temporary);
        fs::create_dir(&exports).doing("create", &exports)?;
        mount_tmpfs(&exports)?;
        sys::share_mounts(&exports).doing("share the mounts of", &exports)?;
        Ok(Bench { home, keep, seed: args.seed.unwrap_or(u64::from(now.subsec_nanos())) })
    }

    /// Records a workload and checks its crash states; whether they are as expected.
    fn experiment(&self, workload: &dyn Workload, states: u64) -> Outcome<bool> {
        let folder = self.home.join("recording").join(workload.name());
        let start = Instant::now();
        let recording =
            Recording::make(workload, &folder, &Site { exports: &self.home.join(EXPORTS), root: &self.root() })?;
        let plan = Plan { states, seed: self.seed, only: None, backdated: false };
        let kept = Kept::Not(self.keep.join(format!("{}-{}", workload.name(), self.seed)));
        let tally = self.check(&recording, &kept, workload, plan)?;
        let row = Row { name: workload.name(), recording: &recording, start };
        let mut good = row.print(&tally, workload.expected());
        if workload.is_backdated() {
            let plan = Plan { states: BACKDATED_STATES, backdated: true, ..plan };
            let row = Row { name: "  backdated", recording: &recording, start: Instant::now() };
            good &= row.print(&self.check(&recording, &kept, workload, plan)?, Expected::Losses);
        }
        fs::remove_dir_all(&folder).doing("remove", &folder)?;
        Ok(good)
    }

    /// Checks crash states. The first that shows harm has the recording kept.
    fn check(&self, recording: &Recording, kept: &Kept, workload: &dyn Workload, plan: Plan) -> Outcome<Tally> {
        let mut tally = Tally::default();
        let mut told = 0;
        let mut note = |checked: Checked| {
            tally.count(&checked.finding);
            let is_harm = checked.finding != Finding::Sound && workload.expected() == Expected::Nothing;
            if !is_harm || plan.backdated {
                return Ok(());
            }
            told += 1;
            if let (1, Kept::Not(at)) = (told, kept) {
                recording.keep(at)?;
            }
            if told <= MAX_TOLD {
                tell(workload, kept.at(), plan, &checked);
            }
            Ok(())
        };
        let left = plan.only.map(|state| kept.at().join(format!("state-{state}.img")));
        let root = self.root();
        let places = Places { root: &root, disks: &self.home, left: left.as_deref() };
        explore(recording, workload, plan, places, &mut note)?;
        Ok(tally)
    }

    /// Checks a kept recording again.
    fn repeat(&self, folder: &Path, args: &Args) -> Outcome<bool> {
        let recording = Recording::open(folder)?;
        let all = workloads::controls().into_iter().chain(workloads::all());
        let mut named = all.filter(|workload| workload.name() == recording.workload);
        let workload = named.next().ok_or(format!("no workload {}", recording.workload))?;
        println!("seed {}", self.seed);
        let plan = Plan { states: args.states, seed: self.seed, only: args.state, backdated: false };
        let row = Row { name: workload.name(), recording: &recording, start: Instant::now() };
        let tally = self.check(&recording, &Kept::Already(folder.to_path_buf()), workload.as_ref(), plan)?;
        println!("{}", Tally::head());
        Ok(row.print(&tally, workload.expected()))
    }

    fn root(&self) -> PathBuf {
        self.home.join("gateway")
    }
}

/// Whether a recording outlives this process, and where.
enum Kept {
    /// It would go there.
    Not(PathBuf),
    Already(PathBuf),
}

impl Kept {
    fn at(&self) -> &Path {
        match self {
            Kept::Not(at) | Kept::Already(at) => at,
        }
    }
}

/// A row of the table in the making.
struct Row<'a> {
    name: &'a str,
    recording: &'a Recording,
    start: Instant,
}

impl Row<'_> {
    /// Prints it, and what is wrong with it; whether nothing is.
    fn print(&self, tally: &Tally, expected: Expected) -> bool {
        let (began, ended) = self.recording.work;
        println!("{}", tally.row(self.name, ended - began, self.start.elapsed()));
        let fault = tally.fault(expected);
        if let Some(fault) = fault {
            println!("{}: {fault}", self.name.trim());
        }
        fault.is_none()
    }
}

fn mount_tmpfs(at: &Path) -> Outcome<()> {
    sys::mount(Path::new("power-loss"), at, "tmpfs", "mode=755").doing("mount a tmpfs on", at)
}

/// Says what a state shows, and how to see it again.
fn tell(workload: &dyn Workload, kept: &Path, plan: Plan, checked: &Checked) {
    let Checked { state, cut, finding } = checked;
    println!("{}: state {state}, cut behind request {cut}: {}", workload.name(), finding.text());
    let Plan { states, seed, .. } = plan;
    println!("  again: power-loss --repeat {} --states {states} --seed {seed} --state {state}", kept.display());
}
