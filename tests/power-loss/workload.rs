//! What a workload is to the experiment, and what is found in a crash state.

use super::disk::{self, Mounted};
use super::trouble::Outcome;
use super::witness::{Fact, Witness};
use std::path::Path;

/// A program at work on the disk, and how to tell whether it lost anything.
pub trait Workload: Sync {
    /// Its name on the command line and in the table.
    fn name(&self) -> &'static str;

    /// What its crash states must show.
    fn expected(&self) -> Expected {
        Expected::Nothing
    }

    /// How many states are checked at a time: more than there are processors where the checks mostly wait.
    fn checks_at_a_time(&self) -> u64 {
        2
    }

    /// Whether its checks must see a loss where a disk has forgotten what was acknowledged later.
    fn is_backdated(&self) -> bool {
        self.expected() == Expected::Nothing
    }

    /// Makes the disk from before the work.
    fn lay_base(&self, base: &Path, notes: &Path, site: &Site) -> Outcome<()> {
        lay_by_preparing(self, base, notes, site)
    }

    /// Puts on the disk what is there before the power is at stake, and into `notes` what the checks need to know.
    fn prepare(&self, root: &Path, notes: &Path) -> Outcome<()>;

    /// Works on the disk, and has the witness note what was begun and what was acknowledged.
    fn work(&self, root: &Path, notes: &Path, witness: &Witness) -> Outcome<()>;

    /// What checks crash states; several at a time. It has nothing but `notes` and, for each state, the facts up to the cut, so that a recording can
    /// be checked again later.
    fn checker(&self, notes: &Path) -> Outcome<Box<dyn Checker>>;
}

/// The usual way: a new file system, on which the workload prepares what it needs.
pub fn lay_by_preparing<W: Workload + ?Sized>(workload: &W, base: &Path, notes: &Path, site: &Site) -> Outcome<()> {
    disk::make(base)?;
    let mounted = Mounted::good(base, site.root)?;
    workload.prepare(site.root, notes)?;
    mounted.unmount()
}

/// Where a recording is made.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// Where the recorder's daemon exports the logged disk: a folder of `sys::share_mounts`.
    pub exports: &'a Path,
    /// Where the disk is mounted.
    pub root: &'a Path,
}

/// Looks at crash states, one after the other.
pub trait Checker {
    /// Looks at one. It may write to the disk: the state is made anew for each check.
    fn check(&mut self, state: &CrashState) -> Outcome<Finding>;
}

/// A disk as a power cut left it, mounted again.
#[derive(Debug)]
pub struct CrashState<'a> {
    /// Where it is mounted.
    pub root: &'a Path,
    /// What was true when the power was cut.
    pub past: &'a [Fact],
}

/// What a crash state shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Everything is as promised.
    Sound,
    /// Something acknowledged is gone.
    Lost(String),
    /// Something is neither old nor new.
    Third(String),
    /// The file system cannot be mounted, or is damaged.
    MountFailed(String),
    /// The program does not start, or does not do its work.
    DoesNotStart(String),
}

impl Finding {
    /// As one line.
    pub fn text(&self) -> String {
        match self {
            Finding::Sound => "sound".to_string(),
            Finding::Lost(what) => format!("lost: {what}"),
            Finding::Third(what) => format!("third state: {what}"),
            Finding::MountFailed(what) => format!("mount failure: {what}"),
            Finding::DoesNotStart(what) => format!("does not start: {what}"),
        }
    }
}

/// What a workload's crash states must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// No finding at all.
    Nothing,
    /// Losses: a control that finds none has a broken detector.
    Losses,
    /// Third states: the same.
    ThirdStates,
}
