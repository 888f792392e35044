//! How a program that is up is asked whether it still works: its `probe`, every `probe_interval` seconds. Every pair of state and event, and nothing
//! else. Pure: no clock, no call; core and tests share it.

/// How a program is asked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pace {
    pub interval_ms: u64,
    /// One question may take so long.
    pub timeout_ms: u64,
    /// So many misses in a row are a fault of the program.
    pub retries: u32,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Phase {
    /// Nothing is asked; due is the next question.
    #[default]
    Resting,
    /// A probe runs; due is the end of its time.
    Asking,
    /// Its time is over, and it was killed; due is the next kill.
    Late,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// The due time has come.
    Due,
    /// The probe could not be started: nothing is known.
    NotAsked,
    /// The probe has ended.
    Ended { good: bool },
}

/// What the caller has to do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    Nothing,
    /// Start the probe; where that fails it comes back as `Event::NotAsked`.
    Ask,
    /// End the probe and all that it started.
    Kill,
    /// A miss was counted.
    Missed,
    /// The last one that the program had.
    Restart,
}

/// A killed probe that does not end is killed again after this.
pub const KILL_AGAIN_MS: u64 = 1000;

/// The questions to a program so far, since it was last up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Watch {
    pub phase: Phase,
    pub due_ms: u64,
    pub misses: u32,
    /// Whether it has ever given a good answer.
    pub has_passed: bool,
}

impl Watch {
    /// Of a program that has just come up: it is asked at once.
    pub fn begun(now_ms: u64) -> Watch {
        Watch { due_ms: now_ms, ..Watch::default() }
    }

    /// One event. `now_ms` is what the monotonic clock shows.
    pub fn step(&mut self, event: Event, now_ms: u64, pace: &Pace) -> Action {
        match (self.phase, event) {
            (Phase::Resting, Event::Due) => {
                self.phase = Phase::Asking;
                self.due_ms = now_ms + pace.timeout_ms;
                Action::Ask
            }
            (Phase::Asking | Phase::Late, Event::Due) => {
                self.phase = Phase::Late;
                self.due_ms = now_ms + KILL_AGAIN_MS;
                Action::Kill
            }
            (Phase::Asking, Event::Ended { good: true }) => {
                (self.misses, self.has_passed) = (0, true);
                self.rest(now_ms, pace)
            }
            // Who needed to be killed has not answered, whatever its status.
            (Phase::Asking, Event::Ended { good: false }) | (Phase::Late, Event::Ended { .. }) => {
                self.missed(now_ms, pace)
            }
            (Phase::Asking | Phase::Late, Event::NotAsked) => self.rest(now_ms, pace),
            (Phase::Resting, Event::NotAsked | Event::Ended { .. }) => Action::Nothing,
        }
    }

    fn rest(&mut self, now_ms: u64, pace: &Pace) -> Action {
        self.phase = Phase::Resting;
        self.due_ms = now_ms + pace.interval_ms;
        Action::Nothing
    }

    fn missed(&mut self, now_ms: u64, pace: &Pace) -> Action {
        self.misses = self.misses.saturating_add(1);
        self.rest(now_ms, pace);
        if self.misses >= pace.retries {
            Action::Restart
        } else {
            Action::Missed
        }
    }
}
