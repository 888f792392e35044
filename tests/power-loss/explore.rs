//! Checks crash states of a recording.

use super::disk::Mounted;
use super::loss::Loss;
use super::random::Random;
use super::recording::Recording;
use super::replay::Replayer;
use super::trouble::{Doing, Outcome};
use super::workload::{Checker, CrashState, Finding};
use std::path::Path;

/// Which crash states to check. The same three numbers and the same recording give the same states.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many; their cuts are spread over the work.
    pub states: u64,
    /// What chance starts from.
    pub seed: u64,
    /// Only this one of them.
    pub only: Option<u64>,
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
    /// The disk as far as flushes have covered it.
    pub durable: &'a Path,
    /// The state's disk.
    pub image: &'a Path,
}

/// Checks the planned states and tells of each.
pub fn explore(
    recording: &Recording,
    checker: &mut dyn Checker,
    plan: Plan,
    places: Places,
    tell: &mut dyn FnMut(Checked) -> Outcome<()>,
) -> Outcome<()> {
    let base = recording.base();
    let replayer = Replayer::new(&recording.log, &base, places.durable.to_path_buf());
    let mut replayer = replayer.doing("copy", &base)?;
    for state in 0..plan.states {
        if plan.only.is_some_and(|only| only != state) {
            continue;
        }
        let mut random = Random::of(plan.seed, state);
        let cut = choose_cut(recording.work, plan.states, state, &mut random);
        let mut loss = Loss::choose(random);
        replayer.crash(cut, &mut loss, places.image).doing("write", places.image)?;
        let finding = check(recording.past(cut), checker, places)?;
        tell(Checked { state, cut, finding })?;
    }
    Ok(())
}

/// A cut in the state's share of the work: the cuts go forward, and no part of the work is left out by chance.
fn choose_cut((began, ended): (usize, usize), states: u64, state: u64, random: &mut Random) -> usize {
    const FINE: u64 = 1 << 20;
    let span = (ended - began) as u64 + 1;
    let place = (state * FINE + random.below(FINE)) as u128 * u128::from(span);
    began + (place / u128::from(states * FINE)) as usize
}

fn check(past: &[super::witness::Fact], checker: &mut dyn Checker, places: Places) -> Outcome<Finding> {
    let mounted = match Mounted::over(places.image, places.root)? {
        Ok(mounted) => mounted,
        Err(error) => return Ok(Finding::MountFailed(error.to_string())),
    };
    let finding = checker.check(&CrashState { root: places.root, past })?;
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
