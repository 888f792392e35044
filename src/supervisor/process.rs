//! What supervisord says about a process.

use std::time::Duration;

use crate::format::xmlrpc::Value;

use super::error::one_line;

/// A process's state (docs/spec/supervisord.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// Not started, or stopped by request.
    Stopped,
    /// Started, and not yet up for its `startsecs`.
    Starting,
    /// Up.
    Running,
    /// Exited before its `startsecs`, or could not be started; supervisord tries again.
    Backoff,
    /// Told to stop, and has not yet.
    Stopping,
    /// Exited by itself from [`State::Running`].
    Exited,
    /// supervisord has given up.
    Fatal,
    /// supervisord has lost track of it, or this is a state that we do not know.
    Unknown,
}

impl ProcessState {
    fn from_code(code: i64) -> ProcessState {
        match code {
            0 => ProcessState::Stopped,
            10 => ProcessState::Starting,
            20 => ProcessState::Running,
            30 => ProcessState::Backoff,
            40 => ProcessState::Stopping,
            100 => ProcessState::Exited,
            200 => ProcessState::Fatal,
            _ => ProcessState::Unknown,
        }
    }

    /// As `supervisorctl status` and the reports spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ProcessState::Stopped => "STOPPED",
            ProcessState::Starting => "STARTING",
            ProcessState::Running => "RUNNING",
            ProcessState::Backoff => "BACKOFF",
            ProcessState::Stopping => "STOPPING",
            ProcessState::Exited => "EXITED",
            ProcessState::Fatal => "FATAL",
            ProcessState::Unknown => "UNKNOWN",
        }
    }
}

/// A process that supervisord hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its own name; the group's, unless `numprocs` or `process_name` say otherwise.
    pub name: String,
    /// The group's name: the app's.
    pub group: String,
    /// What it does.
    pub state: ProcessState,
    /// When it was last started, in unix seconds of supervisord's wall clock; 0: never.
    pub start: i64,
    /// When it last ended, likewise.
    pub stop: i64,
    /// supervisord's wall clock at this answer.
    pub now: i64,
    /// 0 where it is not up.
    pub pid: u32,
    /// The exit status of its last end; 0 as long as it is up, and -1 where a signal ended it.
    pub exitstatus: i64,
    /// Why it could not be started or ended unexpectedly, as one bounded line; else empty.
    pub spawnerr: String,
    /// Where its output goes; empty for nowhere.
    pub logfile: String,
    /// How often it was started again since it did not answer its probe, where it is asked: our own supervisord's.
    pub probe_restarts: Option<u64>,
}

impl Process {
    /// Reads one struct of `getAllProcessInfo`. `None` where it has no name.
    pub(super) fn read(value: &Value) -> Option<Process> {
        let text = |name: &str| value.get(name).and_then(Value::as_text).unwrap_or_default();
        let int = |name: &str| value.get(name).and_then(Value::as_int).unwrap_or_default();
        let name = value.get("name")?.as_text()?.to_string();
        let group = value.get("group").and_then(Value::as_text).unwrap_or(&name).to_string();
        Some(Process {
            name,
            group,
            state: value.get("state").and_then(Value::as_int).map_or(ProcessState::Unknown, ProcessState::from_code),
            start: int("start"),
            stop: int("stop"),
            now: int("now"),
            pid: u32::try_from(int("pid")).unwrap_or_default(),
            exitstatus: int("exitstatus"),
            spawnerr: one_line(text("spawnerr")),
            logfile: text("stdout_logfile").to_string(),
            probe_restarts: value
                .get("probe_restarts")
                .and_then(Value::as_int)
                .and_then(|count| u64::try_from(count).ok()),
        })
    }

    /// As supervisorctl spells it: `name`, or `group:name` where they differ.
    #[must_use]
    pub fn namespec(&self) -> String {
        if self.name == self.group {
            self.name.clone()
        } else {
            [&*self.group, ":", &*self.name].concat()
        }
    }

    /// How long it has been up, where it is RUNNING. By supervisord's wall clock: a clock set since its start shows here,
    /// and from 2038 on, when supervisord's times no longer grow, it is 0.
    #[must_use]
    pub fn uptime(&self) -> Option<Duration> {
        match self.state {
            ProcessState::Running => {
                Some(Duration::from_secs(u64::try_from(self.now.saturating_sub(self.start)).unwrap_or_default()))
            }
            _ => None,
        }
    }
}
