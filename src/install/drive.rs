//! Drives one job through the table of states: do the state's step, take its event to the next state, make that durable.

use super::journal::Job;
use super::state::{next, InstallEvent, InstallState};
use crate::sys::file::FileError;

/// What a step comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It happened; the table says what follows.
    Event(InstallEvent),
    /// Not now: the network or the server is not there. The job stays as it is until the next check-in.
    Later,
}

/// The steps' effects, which a test replaces.
pub trait Steps {
    /// Does the work of the job's state. Notes verdict and remarks in the job.
    fn step(&mut self, job: &mut Job) -> Outcome;
    /// The work of the job's state was cut off as often as it may be: what becomes of it.
    fn cut_off(&mut self, job: &mut Job) -> Outcome;
    /// Makes the job's new state durable.
    ///
    /// # Errors
    /// The disk did not take it; the job is then left for the next check-in.
    fn save(&mut self, job: &Job) -> Result<(), FileError>;
}

/// More steps than any path through the table has.
const MAX_STEPS: usize = 16;

/// Works on a job until it is terminal or has to wait.
///
/// # Errors
/// A state could not be made durable.
pub fn drive(job: &mut Job, steps: &mut dyn Steps) -> Result<(), FileError> {
    let mut is_over = is_cut_off(job, steps)?;
    for _ in 0..MAX_STEPS {
        if job.state.is_terminal() {
            return Ok(());
        }
        let outcome = if is_over { steps.cut_off(job) } else { steps.step(job) };
        is_over = false;
        let event = match outcome {
            Outcome::Event(event) => event,
            Outcome::Later => {
                job.tries = None;
                return steps.save(job);
            }
        };
        // The first try of what follows is counted with its state.
        job.tries = Some(1);
        if let Some(state) = next(job.state, event) {
            crate::debug!("{}: {} → {}", job.name, job.state.name(), state.name());
            job.state = state;
        } else {
            // No such arrow: a fault of this program, which must not become an endless loop.
            crate::error!("{}: {:?} makes no sense while {}", job.name, event, job.state.name());
            job.state = InstallState::Failed;
            job.verdict = format!("[gwe] failed {}: internal error", job.name);
        }
        steps.save(job)?;
    }
    Ok(())
}

/// Counts that the job's state is entered again, durably and before anything is done in it; `true`: it was cut off too often.
fn is_cut_off(job: &mut Job, steps: &mut dyn Steps) -> Result<bool, FileError> {
    let Some(most) = job.state.most_tries() else { return Ok(false) };
    let tries = job.tries.unwrap_or(0).saturating_add(1);
    job.tries = Some(tries);
    steps.save(job)?;
    Ok(tries > most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::request::Entry;
    use crate::install::state::after_crash;
    use std::io;
    use std::path::Path;

    /// A gateway whose steps go well but for one fault, and whose power is cut before one save.
    struct Fake {
        fault: Option<(InstallState, Outcome)>,
        cut_before_save: Option<usize>,
        saves: usize,
        chain: Vec<InstallState>,
        scripts: u32,
    }

    impl Steps for Fake {
        fn step(&mut self, job: &mut Job) -> Outcome {
            self.chain.push(job.state);
            if let Some((state, outcome)) = self.fault.clone() {
                if state == job.state {
                    return outcome;
                }
            }
            Outcome::Event(match job.state {
                InstallState::Requested => InstallEvent::Admitted,
                InstallState::Downloading => InstallEvent::Downloaded,
                InstallState::Verified => InstallEvent::Unpacked,
                InstallState::Staged => InstallEvent::ScriptBegins,
                InstallState::Installing => {
                    self.scripts += 1;
                    InstallEvent::ScriptSucceeded
                }
                InstallState::Settling => InstallEvent::Settled,
                InstallState::RollingBack => InstallEvent::Restored,
                InstallState::Done | InstallState::Failed | InstallState::RolledBack => InstallEvent::Refused,
            })
        }

        fn cut_off(&mut self, job: &mut Job) -> Outcome {
            Outcome::Event(match job.state {
                InstallState::Settling => InstallEvent::NotSettled,
                InstallState::RollingBack => InstallEvent::Removed,
                _ => InstallEvent::Refused,
            })
        }

        fn save(&mut self, _job: &Job) -> Result<(), FileError> {
            self.saves += 1;
            if self.cut_before_save == Some(self.saves) {
                return Err(FileError::new("write", Path::new("journal"), io::Error::from(io::ErrorKind::Other)));
            }
            Ok(())
        }
    }

    fn fake(fault: Option<(InstallState, Outcome)>) -> Fake {
        Fake { fault, cut_before_save: None, saves: 0, chain: Vec::new(), scripts: 0 }
    }

    fn job() -> Job {
        Job::new(Entry::named("a.v1.tar.gz".into()))
    }

    use InstallState::{
        Done, Downloading, Failed, Installing, Requested, RolledBack, RollingBack, Settling, Staged, Verified,
    };

    #[test]
    fn each_fault_has_its_chain_of_states() {
        let refused = Outcome::Event(InstallEvent::Refused);
        let all = [Requested, Downloading, Verified, Staged, Installing, Settling];
        type Row<'a> = (Option<(InstallState, Outcome)>, &'a [InstallState], InstallState);
        let rows: [Row<'_>; 9] = [
            (None, &all, Done),
            (Some((Requested, refused.clone())), &all[..1], Failed),
            (Some((Downloading, Outcome::Later)), &all[..2], Downloading),
            (Some((Downloading, refused.clone())), &all[..2], Failed),
            (Some((Verified, refused.clone())), &all[..3], Failed),
            (Some((Staged, refused.clone())), &all[..4], Failed),
            (Some((Installing, refused)), &all[..5], Failed),
            (
                Some((Settling, Outcome::Event(InstallEvent::NotSettled))),
                &[Requested, Downloading, Verified, Staged, Installing, Settling, RollingBack],
                RolledBack,
            ),
            (Some((Installing, Outcome::Event(InstallEvent::Settled))), &all[..5], Failed),
        ];
        for (fault, chain, end) in rows {
            let (mut job, mut steps) = (job(), fake(fault.clone()));
            drive(&mut job, &mut steps).unwrap();
            assert_eq!((steps.chain.as_slice(), job.state), (chain, end), "{fault:?}");
        }
    }

    #[test]
    fn a_power_cut_at_any_save_ends_in_one_install() {
        // hawkbit#381, thin-edge#3149: killed in every state, one install, and a terminal state to report.
        for cut in 1..=6 {
            let (mut memory, mut steps) = (job(), fake(None));
            let mut durable = memory.clone();
            steps.cut_before_save = Some(cut);
            // What is durable is what the last successful save saw: replay it save by save.
            let mut replay = fake(None);
            for _ in 1..cut {
                if let Outcome::Event(event) = replay.step(&mut durable) {
                    durable.state = next(durable.state, event).unwrap();
                }
            }
            assert!(drive(&mut memory, &mut steps).is_err());
            durable.state = after_crash(durable.state);
            drive(&mut durable, &mut fake(None)).unwrap();
            assert_eq!(durable.state, Done, "cut before save {cut}");
        }
    }

    /// docs/spec/failures.md, A1: what takes the machine down in a state is given up after that state's number of tries.
    #[test]
    fn a_state_that_a_reboot_enters_again_is_counted() {
        for (state, fatal, end) in
            [(Downloading, 100, Failed), (Verified, 3, Failed), (Settling, 2, RolledBack), (RollingBack, 2, Failed)]
        {
            let mut durable = job();
            durable.state = state;
            durable.tries = Some(1);
            let mut cuts = 1;
            // Each boot: the try is saved, and then the machine goes down.
            loop {
                let mut steps = fake(None);
                let mut booted = durable.clone();
                if !is_cut_off(&mut booted, &mut steps).unwrap() {
                    assert_eq!(steps.saves, 1, "before anything is done");
                    durable = booted;
                    cuts += 1;
                    continue;
                }
                drive(&mut durable, &mut steps).unwrap();
                break;
            }
            assert_eq!((cuts, durable.state), (fatal, end), "{}", state.name());
        }
    }

    #[test]
    fn one_that_has_to_wait_is_not_counted() {
        let mut waiting = job();
        waiting.state = Settling;
        for _ in 0..5 {
            drive(&mut waiting, &mut fake(Some((Settling, Outcome::Later)))).unwrap();
            assert_eq!((waiting.state, waiting.tries), (Settling, None));
        }
    }
}
