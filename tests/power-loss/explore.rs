//! Checks crash states of a recording.

use super::disk::Mounted;
use super::loss::Loss;
use super::random::Random;
use super::recording::Recording;
use super::replay::Replayer;
use super::sys;
use super::trouble::{Doing, Outcome};
use super::witness::Fact;
use super::workload::{Checker, CrashState, Finding, Workload};
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::thread;

/// Which crash states to check. The same three numbers and the same recording give the same states.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many; their cuts are spread over the work.
    pub states: u64,
    /// What chance starts from.
    pub seed: u64,
    /// Only this one of them.
    pub only: Option<u64>,
    /// Have the checker believe that the power was cut later than it was, when the work was done: so the disk seems to have
    /// forgotten what was acknowledged in between, and a checker that sees no loss is blind.
    pub backdated: bool,
}

/// A crash state that was checked.
#[derive(Debug)]
pub struct Checked {
    /// Its number, from 0.
    pub state: u64,
    /// The power was cut behind so many requests.
    pub cut: usize,
    /// What it shows.
    pub finding: Finding,
}

/// Where things are while crash states are made.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// Where each state is mounted: where the disk was mounted while it was recorded.
    pub root: &'a Path,
    /// The folder for the disks in the making.
    pub disks: &'a Path,
    /// Where a single state's disk is left, as it is before the check.
    pub left: Option<&'a Path>,
}

/// Checks the planned states, several at a time, and tells of each.
pub fn explore(
    recording: &Recording,
    workload: &dyn Workload,
    plan: Plan,
    places: Places,
    tell: &mut dyn FnMut(Checked) -> Outcome<()>,
) -> Outcome<()> {
    let count = if plan.only.is_some() { 1 } else { workload.checks_at_a_time().min(plan.states) };
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for index in 0..count {
            let sender = sender.clone();
            scope.spawn(move || {
                let worker = Worker { recording, plan, places, index, count };
                if let Err(why) = worker.run(workload, &sender) {
                    let _ = sender.send(Err(why));
                }
            });
        }
        drop(sender);
        // Where one has failed, the others are told to stop by the channel's end.
        for result in results {
            tell(result?)?;
        }
        Ok(())
    })
}

/// Checks every `count`th state.
struct Worker<'a> {
    recording: &'a Recording,
    plan: Plan,
    places: Places<'a>,
    index: u64,
    count: u64,
}

impl Worker<'_> {
    fn run(&self, workload: &dyn Workload, results: &Sender<Outcome<Checked>>) -> Outcome<()> {
        // All mount at the same place, so each needs mounts of its own.
        sys::own_mounts().doing("have mounts of its own below", self.places.root)?;
        let disk = |name| self.places.disks.join(format!("{name}-{}.img", self.index));
        let image = disk("state");
        let mut checker = workload.checker(&self.recording.notes())?;
        let base = self.recording.base();
        let mut replayer = Replayer::new(&self.recording.log, &base, disk("durable")).doing("copy", &base)?;
        for state in (self.index..self.plan.states).step_by(self.count as usize) {
            let state = self.plan.only.unwrap_or(state);
            let mut random = Random::of(self.plan.seed, state);
            let (began, ended) = self.recording.work;
            let last = if self.plan.backdated { self.recording.horizon() } else { ended };
            let cut = choose_cut((began, last), self.plan.states, state, &mut random);
            let mut loss = Loss::choose(random);
            replayer.crash(cut, &mut loss, &image).doing("write", &image)?;
            if let Some(left) = self.places.left {
                sys::copy_sparse(&image, left).doing("copy to", left)?;
            }
            let finding = check(
                self.recording.past(if self.plan.backdated { last } else { cut }),
                checker.as_mut(),
                &image,
                self.places.root,
            )?;
            let is_heard = results.send(Ok(Checked { state, cut, finding })).is_ok();
            if !is_heard || self.plan.only.is_some() {
                break;
            }
        }
        Ok(())
    }
}

/// A cut in the state's share of the work: the cuts go forward, and no part of the work is left out by chance.
fn choose_cut((began, ended): (usize, usize), states: u64, state: u64, random: &mut Random) -> usize {
    const FINE: u64 = 1 << 20;
    let span = (ended - began) as u64 + 1;
    let place = (state * FINE + random.below(FINE)) as u128 * u128::from(span);
    began + (place / u128::from(states * FINE)) as usize
}

fn check(past: &[Fact], checker: &mut dyn Checker, image: &Path, root: &Path) -> Outcome<Finding> {
    let mounted = match Mounted::over(image, root)? {
        Ok(mounted) => mounted,
        Err(error) => return Ok(Finding::MountFailed(error.to_string())),
    };
    let finding = checker.check(&CrashState { root, past })?;
    let faults = mounted.faults();
    mounted.unmount()?;
    if faults > 0 {
        return Ok(Finding::MountFailed(format!("ext4 found {faults} faults in itself")));
    }
    Ok(finding)
}

#[cfg(test)]
mod tests {
    use super::{choose_cut, Random};

    #[test]
    fn cuts_go_forward_and_reach_both_ends() {
        let mut ends = (false, false);
        for seed in 0..200 {
            let cuts: Vec<usize> =
                (0..50).map(|state| choose_cut((10, 30), 50, state, &mut Random::of(seed, state))).collect();
            assert!(cuts.is_sorted() && cuts.iter().all(|cut| (10..=30).contains(cut)), "{cuts:?}");
            ends = (ends.0 || cuts[0] == 10, ends.1 || cuts[49] == 30);
        }
        assert_eq!(ends, (true, true));
        assert_eq!(choose_cut((5, 5), 1, 0, &mut Random::of(1, 0)), 5);
    }
}
