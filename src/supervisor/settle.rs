//! Whether an app that was taken up stays up.
//!
//! [`judge`] is the whole table, for one process and one look at it. supervisord's own retries (BACKOFF, at most
//! `startretries` of them) are the app's allowance: what counts is that it is up in the end and stays so for the settling time
//! with the same pids.

use std::time::Duration;

use super::error::SupervisorError;
use super::process::{Process, ProcessState};
use super::Supervisor;

/// The app is looked at so often.
pub const POLL: Duration = Duration::from_millis(500);
/// A process that is STOPPED and was never started is taken for one with `autostart` off only after so long: supervisord
/// starts what was added within a second.
pub const START_PATIENCE: Duration = Duration::from_secs(5);

/// How an app has settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// All its processes are RUNNING.
    Running,
    /// One of its processes or all have ended as expected (an exit status among its `exitcodes`): a program that runs once.
    Finished,
    /// One of its processes or all are STOPPED: `autostart` is off, or somebody stopped it. Nothing shows that it works.
    Stopped,
}

/// What one look says about one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Should it stay like this, it has settled.
    Steady(Settled),
    /// On its way.
    Unsteady,
    /// It will not settle.
    Failing(SettleFault),
}

/// Why a process does not settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettleFault {
    /// It was up, ended by itself and was started again.
    Restarted,
    /// It ended with a status that its `exitcodes` do not have.
    Exited,
    /// supervisord has given up starting it, or it was up and cannot be started again.
    GivenUp,
    /// supervisord has lost track of it.
    Lost,
}

/// The table. `ran` is the pid that the process had when it was first seen RUNNING.
#[must_use]
pub fn judge(process: &Process, ran: Option<u32>) -> Health {
    match (process.state, ran) {
        (ProcessState::Running, Some(pid)) if pid != process.pid => Health::Failing(SettleFault::Restarted),
        (ProcessState::Running, _) => Health::Steady(Settled::Running),
        (ProcessState::Starting, None) => Health::Unsteady,
        (ProcessState::Starting, Some(_)) => Health::Failing(SettleFault::Restarted),
        (ProcessState::Backoff, None) => Health::Unsteady,
        (ProcessState::Backoff, Some(_)) => Health::Failing(SettleFault::GivenUp),
        (ProcessState::Stopping, _) => Health::Unsteady,
        (ProcessState::Stopped, _) => Health::Steady(Settled::Stopped),
        // supervisord gives a reason only for an exit that is not expected.
        (ProcessState::Exited, _) if process.spawnerr.is_empty() => Health::Steady(Settled::Finished),
        (ProcessState::Exited, _) => Health::Failing(SettleFault::Exited),
        (ProcessState::Fatal, _) => Health::Failing(SettleFault::GivenUp),
        (ProcessState::Unknown, _) => Health::Failing(SettleFault::Lost),
    }
}

/// What an app has to say for itself beside staying up, given all processes as they are: `Err` says why that is no yes.
pub type ReadinessProbe<'a> = &'a mut dyn FnMut(&[Process]) -> Result<(), String>;

/// A probe is tried again after so long.
const PROBE_PAUSE: Duration = Duration::from_secs(2);
const PROBE_FAILS: &str = "is up, and its probe does not succeed: ";

/// What is asked of an app that settles.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// All its processes have to keep their state and their pids for so long.
    pub settle: Duration,
    /// It may take so long for that, its retries among it.
    pub patience: Duration,
    /// Before that its start may wait so long for others (`after`): STOPPED is no verdict then.
    pub order: Duration,
    /// From its first try, its probe may take so long until it succeeds.
    pub probing: Duration,
}

/// One process as it was last seen.
struct Seen {
    /// Its namespec.
    name: String,
    state: ProcessState,
    pid: u32,
    ran: Option<u32>,
}

/// The looks at an app so far.
#[derive(Default)]
struct Looks {
    seen: Vec<Seen>,
    /// Since when nothing has changed and all was steady.
    steady_since: Option<Duration>,
}

/// What follows from a look.
#[derive(Debug)]
enum SettleVerdict {
    GoOn,
    Settled(Settled),
    Failed(SupervisorError),
}

impl Looks {
    /// Takes a look into account.
    fn look(&mut self, app: &str, processes: &[Process], now: Duration, terms: &Terms) -> SettleVerdict {
        let mut seen = Vec::new();
        let mut steady = true;
        let mut settled = Settled::Running;
        for process in processes.iter().filter(|process| process.group == app) {
            let name = process.namespec();
            let before = self.seen.iter().find(|seen| seen.name == name);
            let ran = before.and_then(|seen| seen.ran);
            match judge(process, ran) {
                Health::Failing(why) => return SettleVerdict::Failed(failing(process, why)),
                Health::Unsteady => steady = false,
                Health::Steady(now) => settled = least(settled, now),
            }
            steady &= before.is_some_and(|seen| seen.state == process.state && seen.pid == process.pid);
            let ran = ran.or((process.state == ProcessState::Running).then_some(process.pid));
            seen.push(Seen { name, state: process.state, pid: process.pid, ran });
        }
        if seen.is_empty() {
            let why = "is not hosted by supervisord".to_string();
            return SettleVerdict::Failed(SupervisorError::Failing { process: app.to_string(), why });
        }
        self.seen = seen;
        if !steady {
            // It begins anew with this look.
            self.steady_since = Some(now);
            return SettleVerdict::GoOn;
        }
        let to_start = START_PATIENCE + terms.order;
        let needed = if settled == Settled::Stopped { terms.settle.max(to_start) } else { terms.settle };
        match self.steady_since {
            Some(since) if now.saturating_sub(since) >= needed => SettleVerdict::Settled(settled),
            _ => SettleVerdict::GoOn,
        }
    }

    /// What it last did, for one whose patience is over.
    fn last(&self, app: &str) -> SupervisorError {
        let last = self.seen.iter().find(|seen| seen.state != ProcessState::Running).or(self.seen.first());
        let state = last.map_or("not known to supervisord", |seen| seen.state.name());
        let why = ["is still ", state, " and has not settled"].concat();
        SupervisorError::Failing { process: last.map_or(app, |seen| &seen.name).to_string(), why }
    }
}

/// Of how two processes settled, what says less.
fn least(one: Settled, other: Settled) -> Settled {
    match (one, other) {
        (Settled::Stopped, _) | (_, Settled::Stopped) => Settled::Stopped,
        (Settled::Finished, _) | (_, Settled::Finished) => Settled::Finished,
        (Settled::Running, Settled::Running) => Settled::Running,
    }
}

fn failing(process: &Process, why: SettleFault) -> SupervisorError {
    let said = if process.spawnerr.is_empty() { "supervisord gives no reason" } else { &process.spawnerr };
    let why = match why {
        SettleFault::Restarted => "ended by itself while it settled, and was started again".to_string(),
        SettleFault::Exited => ["exited with status ", &process.exitstatus.to_string()].concat(),
        SettleFault::GivenUp => ["cannot be kept up (", process.state.name(), "): ", said].concat(),
        SettleFault::Lost => ["is lost to supervisord: ", said].concat(),
    };
    SupervisorError::Failing { process: process.namespec(), why }
}

impl Supervisor<'_> {
    /// Watches an app until all its processes have kept their state and their pids for `terms.settle`.
    ///
    /// An app that is started again while it settles fails, also where it ended as expected (`autorestart = true`): one that
    /// does its work in rounds has to run for longer than the settling time, or not to be restarted.
    ///
    /// One that stays up has its probe then, where it has one, until that succeeds once, for `terms.probing` at the most; all the while it
    /// has to stay up as it is.
    ///
    /// # Errors
    /// [`SupervisorError::Failing`]: the app does not stay up, or has not settled within its patience; it says why.
    /// [`SupervisorError::Down`] and the like, where supervisord was not there to ask at the end of that.
    pub fn await_settled(
        &self,
        app: &str,
        terms: &Terms,
        mut probe: Option<ReadinessProbe<'_>>,
    ) -> Result<Settled, SupervisorError> {
        let mut asked_since = None;
        let begun = self.clock.now();
        let mut watch = Looks::default();
        loop {
            let answer = self.processes();
            let now = self.clock.now();
            let over = now.saturating_sub(begun) >= terms.patience + terms.order;
            match answer {
                Ok(processes) => match watch.look(app, &processes, now, terms) {
                    SettleVerdict::Settled(settled) => {
                        // Of one that does not run nothing is to be asked.
                        let Some(ask) = probe.as_mut().filter(|_| settled != Settled::Stopped) else {
                            return Ok(settled);
                        };
                        match ask(&processes) {
                            // One more look: it may have ended under the probe, and supervisord hears of that a moment later.
                            Ok(()) => {
                                probe = None;
                                self.clock.sleep(POLL);
                            }
                            Err(why) => {
                                if self.clock.now().saturating_sub(*asked_since.get_or_insert(now)) >= terms.probing {
                                    return Err(SupervisorError::Failing {
                                        process: app.to_string(),
                                        why: PROBE_FAILS.to_string() + &why,
                                    });
                                }
                                self.clock.sleep(PROBE_PAUSE);
                            }
                        }
                        continue;
                    }
                    SettleVerdict::Failed(why) => return Err(why),
                    SettleVerdict::GoOn if over => return Err(watch.last(app)),
                    SettleVerdict::GoOn => {}
                },
                Err(e) if over => return Err(e),
                // A supervisord that starts again starts its apps anew: that is not their fault.
                Err(_) => watch = Looks::default(),
            }
            self.clock.sleep(POLL);
        }
    }
}

#[cfg(test)]
mod tests;
