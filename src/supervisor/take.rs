//! Taking an app up and down: what has to be asked of supervisord, in which order, and what its answers mean.
//!
//! [`next`] is the whole table. It remembers nothing: the next step follows from what just happened. So an app that was
//! caught half-way (kill -9, power loss, supervisord restarted) is taken up by calling it again.

use std::time::Duration;

use super::error::{code, SupervisorError};
use super::process::{Process, ProcessState};
use super::{Changes, Supervisor};

/// An app may take so long to stop by itself, its own `stopwaitsecs` included; then it is killed.
pub const STOP_PATIENCE: Duration = Duration::from_secs(120);
/// And so long to be gone after SIGKILL.
pub const KILL_PATIENCE: Duration = Duration::from_secs(10);
/// The first look at a stopping app comes after so long; each further one after twice the time before, up to
/// [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is wanted of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Hosted, and started from what is on disk now.
    Up,
    /// Not hosted, unless the configuration has it: then it is not ours to end.
    Down,
}

/// What the loop does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeStep {
    /// Have the configuration read.
    Reload,
    /// Ask how the app stands.
    Look,
    /// Tell it to stop.
    Stop,
    /// Send it SIGKILL.
    Kill,
    /// Wait a little.
    Pause,
    /// End its hosting.
    Remove,
    /// Begin its hosting.
    Add,
    /// The goal is reached.
    Done,
    /// It is not.
    Fail(TakeReason),
}

impl TakeStep {
    /// For the log.
    fn name(self) -> &'static str {
        match self {
            TakeStep::Reload => "read the configuration",
            TakeStep::Look => "look",
            TakeStep::Stop => "stop",
            TakeStep::Kill => "kill",
            TakeStep::Pause => "pause",
            TakeStep::Remove => "remove",
            TakeStep::Add => "add",
            TakeStep::Done => "done",
            TakeStep::Fail(_) => "fail",
        }
    }
}

/// Why a goal is not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeReason {
    /// The configuration that supervisord reads does not have the app.
    NotIncluded,
    /// The app does not end.
    StillRunning,
    /// What supervisord said last.
    AsSaid,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The configuration was read, and this is the app's place in it.
    Reloaded(Listed),
    /// It could not be read.
    Unreadable,
    /// The app stands like this.
    Saw(TakeStanding),
    /// It was told to stop, or killed.
    Told(TakeReply),
    /// It was removed.
    Removed(TakeReply),
    /// It was added.
    Added(TakeReply),
    /// A pause is over.
    Paused,
}

/// In which of `reloadConfig`'s lists an app is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// In another, or in none: it is new, changed, unchanged, or unknown altogether.
    Elsewhere,
    /// Hosted, and no longer in the configuration.
    Removed,
}

/// How an app stands, all its processes taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeStanding {
    /// Not hosted.
    Absent,
    /// Something of it is up, or is about to be started.
    Up,
    /// Something of it is stopping, and nothing is up.
    Stopping,
    /// All of it has ended.
    Halted,
}

/// supervisord's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeReply {
    /// It obeyed.
    Obeyed,
    /// It refused, with this number.
    Fault(i64),
}

/// How long it has been going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Within [`STOP_PATIENCE`].
    Early,
    /// Within [`KILL_PATIENCE`] after that.
    Late,
    /// Beyond.
    Over,
}

/// The table: what follows from what just happened.
#[must_use]
pub fn next(goal: Goal, happened: Happened, time: Patience) -> TakeStep {
    use Happened::{Added, Paused, Reloaded, Removed, Saw, Told, Unreadable};
    use TakeReply::{Fault, Obeyed};
    use TakeStanding::{Absent, Halted, Stopping, Up};
    match (happened, goal, time) {
        // Its fragment is not where supervisord looks: what runs is left alone.
        (Reloaded(Listed::Removed), Goal::Up, _) => TakeStep::Fail(TakeReason::NotIncluded),
        (Reloaded(Listed::Elsewhere), Goal::Up, _) | (Reloaded(Listed::Removed), Goal::Down, _) => TakeStep::Look,
        // Not hosted, or a program that the image hosts under this name.
        (Reloaded(Listed::Elsewhere), Goal::Down, _) => TakeStep::Done,
        // Trap 1: the fragment must come back out. Ending what runs needs no configuration.
        (Unreadable, Goal::Up, _) => TakeStep::Fail(TakeReason::AsSaid),
        (Unreadable, Goal::Down, _) => TakeStep::Look,

        (Saw(Absent), Goal::Up, _) => TakeStep::Add,
        (Saw(Absent), Goal::Down, _) => TakeStep::Done,
        // Also where nothing changed: only a new process runs the new binary (trap 3, Supervisor#1264).
        (Saw(Halted), ..) => TakeStep::Remove,
        (Saw(Up), _, Patience::Early) => TakeStep::Stop,
        (Saw(Stopping), _, Patience::Early) => TakeStep::Pause,
        (Saw(Up | Stopping), _, Patience::Late) => TakeStep::Kill,
        (Saw(Up | Stopping), _, Patience::Over) => TakeStep::Fail(TakeReason::StillRunning),

        // It ended by itself meanwhile, or is stopping already: the next look tells.
        (Told(Obeyed | Fault(code::BAD_NAME | code::NOT_RUNNING | code::FAILED)), ..) => TakeStep::Pause,
        (Removed(Obeyed | Fault(code::BAD_NAME)), Goal::Up, _) => TakeStep::Add,
        (Removed(Obeyed | Fault(code::BAD_NAME)), Goal::Down, _) => TakeStep::Done,
        // supervisord restarted it between the look and the removal (`autorestart`).
        (Removed(Fault(code::STILL_RUNNING)), _, Patience::Early | Patience::Late) => TakeStep::Pause,
        (Removed(Fault(code::STILL_RUNNING)), _, Patience::Over) => TakeStep::Fail(TakeReason::StillRunning),
        (Added(Obeyed | Fault(code::ALREADY_ADDED)), ..) => TakeStep::Done,
        (Added(Fault(code::BAD_NAME)), ..) => TakeStep::Fail(TakeReason::NotIncluded),
        (Told(Fault(_)) | Removed(Fault(_)) | Added(Fault(_)), ..) => TakeStep::Fail(TakeReason::AsSaid),

        (Paused, ..) => TakeStep::Look,
    }
}

impl Supervisor<'_> {
    /// Has an app hosted and started from the fragment and the files that are on disk now, whatever ran before. It is not
    /// waited for: see [`Supervisor::await_settled`].
    ///
    /// At most [`STOP_PATIENCE`] and [`KILL_PATIENCE`] pass, beside the calls themselves. Between the removal of the old and
    /// the addition of the new, supervisord does not know the app: one who was interrupted must call this again.
    ///
    /// # Errors
    /// [`SupervisorError::Unreadable`]: nothing has changed; take the fragment back out, see [`Supervisor::reload`].
    /// [`SupervisorError::NotIncluded`]; [`SupervisorError::StillRunning`]; else what supervisord said.
    pub fn take_up(&self, app: &str) -> Result<(), SupervisorError> {
        self.take_up_by(app, &|| self.reload())
    }

    /// The same where the configuration is read by `reload`, which does more than [`Supervisor::reload`].
    ///
    /// # Errors
    /// As there.
    pub fn take_up_by(
        &self,
        app: &str,
        reload: &dyn Fn() -> Result<Changes, SupervisorError>,
    ) -> Result<(), SupervisorError> {
        self.take(Goal::Up, app, reload)
    }

    /// Stops an app and ends its hosting, once its fragment is gone: remove that first. One that is not hosted is a success;
    /// one that supervisord's configuration still has, from whatever file, is left alone, which is a success too. Where the
    /// configuration cannot be read, the app is ended nevertheless.
    ///
    /// # Errors
    /// [`SupervisorError::StillRunning`]; else what supervisord said.
    pub fn take_down(&self, app: &str) -> Result<(), SupervisorError> {
        self.take(Goal::Down, app, &|| self.reload())
    }

    fn take(
        &self,
        goal: Goal,
        app: &str,
        reload: &dyn Fn() -> Result<Changes, SupervisorError>,
    ) -> Result<(), SupervisorError> {
        let begun = self.clock.now();
        let mut pause = FIRST_PAUSE;
        let mut killed = false;
        let mut said = None;
        let mut step = TakeStep::Reload;
        loop {
            let happened = match step {
                TakeStep::Reload => match reload() {
                    Ok(changes) => Happened::Reloaded(listed(&changes, app)),
                    Err(e) if e.is_unreadable() => {
                        said = Some(e);
                        Happened::Unreadable
                    }
                    Err(e) => return Err(e),
                },
                TakeStep::Look => Happened::Saw(standing(&self.processes()?, app)),
                TakeStep::Stop => Happened::Told(reply(self.stop(app), &mut said)?),
                TakeStep::Kill => {
                    if !killed {
                        crate::warning!("{app} does not stop within {} s: killing it", STOP_PATIENCE.as_secs());
                        killed = true;
                    }
                    Happened::Told(reply(self.kill(app), &mut said)?)
                }
                TakeStep::Remove => Happened::Removed(reply(self.remove(app), &mut said)?),
                TakeStep::Add => Happened::Added(reply(self.add(app), &mut said)?),
                TakeStep::Pause => {
                    self.clock.sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    Happened::Paused
                }
                TakeStep::Done => return Ok(()),
                TakeStep::Fail(reason) => return Err(self.failure(reason, app, begun, said)),
            };
            step = next(goal, happened, time(self.clock.now().saturating_sub(begun)));
            crate::debug!("supervisord, {app}: {}", step.name());
        }
    }

    fn failure(&self, why: TakeReason, app: &str, begun: Duration, said: Option<SupervisorError>) -> SupervisorError {
        match (why, said) {
            (TakeReason::AsSaid, Some(said)) => said,
            (TakeReason::StillRunning, _) => {
                SupervisorError::StillRunning { app: app.to_string(), waited: self.clock.now().saturating_sub(begun) }
            }
            (TakeReason::NotIncluded | TakeReason::AsSaid, _) => SupervisorError::NotIncluded { app: app.to_string() },
        }
    }
}

/// A fault is an answer; everything else ends the attempt.
fn reply(
    outcome: Result<(), SupervisorError>,
    said: &mut Option<SupervisorError>,
) -> Result<TakeReply, SupervisorError> {
    match outcome {
        Ok(()) => Ok(TakeReply::Obeyed),
        Err(e @ SupervisorError::Fault { code, .. }) => {
            *said = Some(e);
            Ok(TakeReply::Fault(code))
        }
        Err(e) => Err(e),
    }
}

fn listed(changes: &Changes, app: &str) -> Listed {
    if changes.removed.iter().any(|name| name == app) {
        Listed::Removed
    } else {
        Listed::Elsewhere
    }
}

/// How an app stands among all processes.
#[must_use]
pub fn standing(processes: &[Process], app: &str) -> TakeStanding {
    let mut standing = TakeStanding::Absent;
    for process in processes.iter().filter(|process| process.group == app) {
        standing = match (process.state, standing) {
            (ProcessState::Starting | ProcessState::Running | ProcessState::Backoff, _) | (_, TakeStanding::Up) => {
                TakeStanding::Up
            }
            (ProcessState::Stopping, _) | (_, TakeStanding::Stopping) => TakeStanding::Stopping,
            (ProcessState::Stopped | ProcessState::Exited | ProcessState::Fatal | ProcessState::Unknown, _) => {
                TakeStanding::Halted
            }
        };
    }
    standing
}

fn time(waited: Duration) -> Patience {
    if waited < STOP_PATIENCE {
        Patience::Early
    } else if waited < STOP_PATIENCE + KILL_PATIENCE {
        Patience::Late
    } else {
        Patience::Over
    }
}

#[cfg(test)]
pub(super) mod tests;
