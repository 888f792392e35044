//! The life of one process: every pair of state and event, and nothing else. Pure: no clock, no call; core and tests share it.
//!
//! What *is* (`state`), what is *wanted* and what was *sent* are three fields. Each state has at most one due time, on the monotonic clock in
//! milliseconds; what it means when it comes is the state's matter.

/// What a process is, with supervisord's numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum State {
    Stopped = 0,
    Starting = 10,
    Running = 20,
    Backoff = 30,
    Stopping = 40,
    Exited = 100,
    Fatal = 200,
}

/// All of them, in the order of their numbers.
pub const STATES: [State; 7] =
    [State::Stopped, State::Starting, State::Running, State::Backoff, State::Stopping, State::Exited, State::Fatal];

impl State {
    /// The state of a number; a number that is none is a process that does not run.
    pub fn of(number: u32) -> State {
        STATES.iter().copied().find(|state| *state as u32 == number).unwrap_or(State::Stopped)
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Stopped => "STOPPED",
            State::Starting => "STARTING",
            State::Running => "RUNNING",
            State::Backoff => "BACKOFF",
            State::Stopping => "STOPPING",
            State::Exited => "EXITED",
            State::Fatal => "FATAL",
        }
    }

    /// Whether there is a process behind it, so that a signal can reach it.
    pub fn has_process(self) -> bool {
        matches!(self, State::Starting | State::Running | State::Stopping)
    }

    /// Whether it counts as stopped: it may be removed, and nothing waits for it.
    pub fn is_stopped(self) -> bool {
        matches!(self, State::Stopped | State::Exited | State::Fatal)
    }
}

/// What somebody asked for last.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u32)]
pub enum Wanted {
    #[default]
    Down = 0,
    Up = 1,
}

/// What was sent to the process that is there now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u32)]
pub enum Sent {
    #[default]
    Nothing = 0,
    Stop = 1,
    Kill = 2,
}

/// When a process that ended is started again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u32)]
pub enum Restart {
    Never = 0,
    Always = 1,
    #[default]
    Unexpected = 2,
}

/// What the configuration says about the life of a process.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    pub startsecs: u32,
    pub startretries: u32,
    pub stopwaitsecs: u32,
    pub autorestart: Restart,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// Somebody, or autostart, wants it up.
    Start,
    /// Somebody wants it down.
    Stop,
    /// The core could not start it: command, pipes, fork, log file.
    Failed,
    /// The process is no more. Expected: its exit code is one of the configured.
    Ended { expected: bool },
    /// The due time has come.
    Due,
    /// The daemon stops or restarts: nothing is tried again.
    GiveUp,
}

/// What the caller has to do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    Nothing,
    /// Start the program; a failure comes back as `Event::Failed`.
    Spawn,
    SendStop,
    SendKill,
    /// Nothing was done: it is up already.
    RefuseRunning,
    /// Nothing was done: it does not run.
    RefuseStopped,
}

/// No process is started more often than once in this time, whatever its rules.
pub const AT_MOST_ONE_START_IN_MS: u64 = 1000;
/// And none is killed more often.
pub const AT_MOST_ONE_KILL_IN_MS: u64 = 1000;

/// The life of a process so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Life {
    pub state: State,
    pub wanted: Wanted,
    pub sent: Sent,
    /// Entries into BACKOFF since it last ran well.
    pub backoff: u32,
    /// The last start; 0 before the first.
    pub started_ms: u64,
    pub due_ms: Option<u64>,
}

impl Default for Life {
    fn default() -> Life {
        Life {
            state: State::Stopped,
            wanted: Wanted::Down,
            sent: Sent::Nothing,
            backoff: 0,
            started_ms: 0,
            due_ms: None,
        }
    }
}

impl Life {
    /// One event. `now_ms` is what the monotonic clock shows.
    pub fn step(&mut self, event: Event, now_ms: u64, rules: &Rules) -> Action {
        use Event::{Due, Ended, Failed, GiveUp, Start, Stop};
        use State::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping};
        match (self.state, event) {
            (Stopped | Exited | Fatal, Start) => self.start(now_ms, rules),
            (Starting | Running | Backoff, Start) => Action::RefuseRunning,
            // It is started as soon as it has stopped.
            (Stopping, Start) => self.want_up_again(),

            (Stopped | Exited | Fatal, Stop) => self.stay_down(),
            (Starting | Running, Stop) => self.stop(now_ms, rules),
            (Backoff, Stop) => self.rest(Stopped),
            (Stopping, Stop) => self.want_down(),

            (Starting, Failed) => self.back_off(now_ms, rules),
            (Stopped | Running | Backoff | Stopping | Exited | Fatal, Failed) => Action::Nothing,

            (Starting, Ended { expected }) => self.ended_early(expected, now_ms, rules),
            (Running, Ended { expected }) => self.exited(expected, now_ms, rules),
            (Stopping, Ended { .. }) => self.stopped(now_ms),
            (Stopped | Backoff | Exited | Fatal, Ended { .. }) => Action::Nothing,

            (Starting, Due) => self.stays_up(),
            (Backoff, Due) => self.try_again(now_ms, rules),
            (Stopping, Due) => self.kill(now_ms, rules),
            (Stopped | Exited | Fatal, Due) => self.start_if_wanted(now_ms, rules),
            (Running, Due) => self.no_longer_due(),

            (Backoff, GiveUp) => self.rest(Fatal),
            (Stopped | Exited | Fatal, GiveUp) => self.rest(self.state),
            (Starting | Running, GiveUp) => Action::Nothing,
            (Stopping, GiveUp) => self.want_down_quietly(),
        }
    }

    fn start(&mut self, now_ms: u64, rules: &Rules) -> Action {
        self.state = State::Starting;
        self.wanted = Wanted::Up;
        self.sent = Sent::Nothing;
        self.started_ms = now_ms;
        // Alive for *more* than startsecs; without any, at the next look.
        self.due_ms = Some(now_ms + after_seconds(rules.startsecs));
        Action::Spawn
    }

    fn want_up_again(&mut self) -> Action {
        self.wanted = Wanted::Up;
        Action::Nothing
    }

    fn stay_down(&mut self) -> Action {
        self.rest(self.state);
        Action::RefuseStopped
    }

    fn rest(&mut self, state: State) -> Action {
        if state == State::Fatal {
            self.backoff = 0;
        }
        self.state = state;
        self.wanted = Wanted::Down;
        self.sent = Sent::Nothing;
        self.due_ms = None;
        Action::Nothing
    }

    fn stop(&mut self, now_ms: u64, rules: &Rules) -> Action {
        self.state = State::Stopping;
        self.wanted = Wanted::Down;
        self.sent = Sent::Stop;
        self.due_ms = Some(now_ms + u64::from(rules.stopwaitsecs) * 1000);
        Action::SendStop
    }

    fn want_down(&mut self) -> Action {
        self.wanted = Wanted::Down;
        Action::RefuseStopped
    }

    fn want_down_quietly(&mut self) -> Action {
        self.wanted = Wanted::Down;
        Action::Nothing
    }

    fn back_off(&mut self, now_ms: u64, rules: &Rules) -> Action {
        self.state = State::Backoff;
        self.sent = Sent::Nothing;
        self.backoff = self.backoff.saturating_add(1);
        let gives_up = self.backoff > rules.startretries;
        self.due_ms = Some(if gives_up { now_ms } else { now_ms + u64::from(self.backoff) * 1000 });
        Action::Nothing
    }

    /// Too early is a failed start, whatever the exit code. Who has been up for exactly startsecs was up long enough.
    fn ended_early(&mut self, expected: bool, now_ms: u64, rules: &Rules) -> Action {
        if now_ms.saturating_sub(self.started_ms) < u64::from(rules.startsecs) * 1000 {
            return self.back_off(now_ms, rules);
        }
        self.state = State::Running;
        self.exited(expected, now_ms, rules)
    }

    fn exited(&mut self, expected: bool, now_ms: u64, rules: &Rules) -> Action {
        self.state = State::Exited;
        self.sent = Sent::Nothing;
        self.backoff = 0;
        let again = match rules.autorestart {
            Restart::Always => true,
            Restart::Never => false,
            Restart::Unexpected => !expected,
        };
        self.wanted = if again { Wanted::Up } else { Wanted::Down };
        self.due_ms = again.then(|| now_ms.max(self.started_ms + AT_MOST_ONE_START_IN_MS));
        Action::Nothing
    }

    fn stopped(&mut self, now_ms: u64) -> Action {
        self.state = State::Stopped;
        self.sent = Sent::Nothing;
        self.due_ms = (self.wanted == Wanted::Up).then_some(now_ms);
        Action::Nothing
    }

    fn stays_up(&mut self) -> Action {
        self.state = State::Running;
        self.backoff = 0;
        self.due_ms = None;
        Action::Nothing
    }

    fn try_again(&mut self, now_ms: u64, rules: &Rules) -> Action {
        if self.backoff > rules.startretries {
            return self.rest(State::Fatal);
        }
        self.start(now_ms, rules)
    }

    fn kill(&mut self, now_ms: u64, rules: &Rules) -> Action {
        self.sent = Sent::Kill;
        let wait = u64::from(rules.stopwaitsecs) * 1000;
        self.due_ms = Some(now_ms + wait.max(AT_MOST_ONE_KILL_IN_MS));
        Action::SendKill
    }

    fn start_if_wanted(&mut self, now_ms: u64, rules: &Rules) -> Action {
        match self.wanted {
            Wanted::Up => self.start(now_ms, rules),
            Wanted::Down => self.no_longer_due(),
        }
    }

    fn no_longer_due(&mut self) -> Action {
        self.due_ms = None;
        Action::Nothing
    }
}

/// The first moment that is later than so many seconds.
fn after_seconds(seconds: u32) -> u64 {
    match seconds {
        0 => 0,
        seconds => u64::from(seconds) * 1000 + 1,
    }
}
