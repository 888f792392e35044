//! How a program that is up is asked whether it still works: its `probe`, every `probe_interval` seconds. Every pair of state and event, and nothing
//! else. Pure: no clock, no call; core and tests share it.

/// How a program is asked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cadence {
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
pub enum ProbeEvent {
    /// The due time has come.
    Due,
    /// The probe could not be started: nothing is known.
    NotAsked,
    /// The probe has ended.
    Ended { good: bool },
}

/// What the caller has to do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Duty {
    Nothing,
    /// Start the probe; where that fails it comes back as `ProbeEvent::NotAsked`.
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
pub struct Questions {
    pub phase: Phase,
    pub due_ms: u64,
    pub misses: u32,
    /// Whether it has ever given a good answer.
    pub has_passed: bool,
}

impl Questions {
    /// Of a program that has just come up: it is asked at once.
    pub fn begun(now_ms: u64) -> Questions {
        Questions { due_ms: now_ms, ..Questions::default() }
    }

    /// One event. `now_ms` is what the monotonic clock shows.
    pub fn step(&mut self, event: ProbeEvent, now_ms: u64, pace: &Cadence) -> Duty {
        match (self.phase, event) {
            (Phase::Resting, ProbeEvent::Due) => {
                self.phase = Phase::Asking;
                self.due_ms = now_ms + pace.timeout_ms;
                Duty::Ask
            }
            (Phase::Asking | Phase::Late, ProbeEvent::Due) => {
                self.phase = Phase::Late;
                self.due_ms = now_ms + KILL_AGAIN_MS;
                Duty::Kill
            }
            (Phase::Asking, ProbeEvent::Ended { good: true }) => {
                (self.misses, self.has_passed) = (0, true);
                self.rest(now_ms, pace)
            }
            // Who needed to be killed has not answered, whatever its status.
            (Phase::Asking, ProbeEvent::Ended { good: false }) | (Phase::Late, ProbeEvent::Ended { .. }) => {
                self.missed(now_ms, pace)
            }
            (Phase::Asking | Phase::Late, ProbeEvent::NotAsked) => self.rest(now_ms, pace),
            (Phase::Resting, ProbeEvent::NotAsked | ProbeEvent::Ended { .. }) => Duty::Nothing,
        }
    }

    fn rest(&mut self, now_ms: u64, pace: &Cadence) -> Duty {
        self.phase = Phase::Resting;
        self.due_ms = now_ms + pace.interval_ms;
        Duty::Nothing
    }

    fn missed(&mut self, now_ms: u64, pace: &Cadence) -> Duty {
        self.misses = self.misses.saturating_add(1);
        self.rest(now_ms, pace);
        if self.misses >= pace.retries {
            Duty::Restart
        } else {
            Duty::Missed
        }
    }
}
