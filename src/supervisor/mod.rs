//! supervisord over its unix socket, by XML-RPC (docs/spec/supervisord.md).
//!
//! Invariants: this room never starts a program, writes no file, and keeps no state between two calls: what is up is known
//! by supervisord alone, so whatever was interrupted is done again by calling it again. Each call has a time limit and a size
//! limit ([`transport::CALL_TIMEOUT`], [`crate::format::xmlrpc::MAX_BYTES`]); each wait has one of its own.
//!
//! What supervisord's configuration must have: `[unix_http_server]` with `file` and no password, `[rpcinterface:supervisor]`,
//! and an `[include]` whose `files` cover the folder of fragments.

pub mod environment;
pub mod error;
mod process;
pub mod settle;
pub mod take;
pub mod transport;

use std::path::PathBuf;
use std::time::Duration;

use crate::format::xmlrpc::{method_call, method_response, MethodResponse, Param, RpcError, Value};
use crate::sys::clock;

pub use environment::Environment;
pub use error::{SupervisorError, Unreadable};
pub use process::{Process, ProcessState};
pub use settle::Settled;
use transport::CALL_TIMEOUT;

/// supervisord is asked so often whether it is up, while it is waited for.
const UP_POLL: Duration = Duration::from_millis(500);
/// `getState` when supervisord is neither starting again nor shutting down.
const MOOD_RUNNING: i64 = 1;

/// Time as this room sees it, so that a test can turn it.
pub trait Clock {
    /// The time since some fixed moment; never goes back.
    fn now(&self) -> Duration;
    /// Waits so long, or less where a signal comes.
    fn sleep(&self, duration: Duration);
}

/// The time since boot, which nobody can set.
#[derive(Debug)]
pub struct SinceBoot;

impl Clock for SinceBoot {
    fn now(&self) -> Duration {
        clock::since_boot()
    }

    fn sleep(&self, duration: Duration) {
        clock::sleep(duration);
    }
}

/// What `reloadConfig` found: names of groups (of apps). It applies nothing (trap 2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// In the configuration, and not hosted.
    pub added: Vec<String>,
    /// Hosted, and different in the configuration.
    pub changed: Vec<String>,
    /// Hosted, and no longer in the configuration.
    pub removed: Vec<String>,
}

/// One supervisord, known by its socket. Nothing is open between two calls.
pub struct Supervisor<'a> {
    socket: PathBuf,
    clock: &'a dyn Clock,
}

impl Supervisor<'static> {
    /// The supervisord behind `socket`. Nothing is asked of it yet.
    pub fn new(socket: impl Into<PathBuf>) -> Supervisor<'static> {
        Supervisor::with_clock(socket, &SinceBoot)
    }
}

impl<'a> Supervisor<'a> {
    /// The same with another clock for its waits.
    pub fn with_clock(socket: impl Into<PathBuf>, clock: &'a dyn Clock) -> Supervisor<'a> {
        Supervisor { socket: socket.into(), clock }
    }

    /// Every process that supervisord hosts, ordered by group and name.
    ///
    /// # Errors
    /// See [`SupervisorError`].
    pub fn processes(&self) -> Result<Vec<Process>, SupervisorError> {
        const METHOD: &str = "supervisor.getAllProcessInfo";
        let answer = self.call(METHOD, &[])?;
        let list = answer.as_array().ok_or_else(|| unexpected(METHOD))?;
        list.iter().map(|value| Process::read(value).ok_or_else(|| unexpected(METHOD))).collect()
    }

    /// Has supervisord read its configuration anew. It changes nothing that runs.
    ///
    /// After [`SupervisorError::Unreadable`], supervisord goes on with what it read before. Take the fragment that was put in
    /// last back out and call this again: a success says that the fragment was to blame and that the next app can be taken
    /// up; the same error, that another file is broken.
    ///
    /// # Errors
    /// See [`SupervisorError`].
    pub fn reload(&self) -> Result<Changes, SupervisorError> {
        const METHOD: &str = "supervisor.reloadConfig";
        let answer = match self.call(METHOD, &[]) {
            // What its checks let through and its parser then stumbles over.
            Err(SupervisorError::Http { status: 500, .. }) => {
                return Err(SupervisorError::Unreadable(Unreadable::unnamed()))
            }
            answer => answer?,
        };
        // [[added, changed, removed]]
        let lists = answer.as_array().and_then(|lists| lists.first()?.as_array()).unwrap_or_default();
        let [added, changed, removed] = lists else { return Err(unexpected(METHOD)) };
        let names = |list: &Value| {
            let names = list.as_array().ok_or_else(|| unexpected(METHOD))?;
            Ok(names.iter().filter_map(|name| name.as_text().map(str::to_string)).collect())
        };
        Ok(Changes { added: names(added)?, changed: names(changed)?, removed: names(removed)? })
    }

    /// Has an app hosted that is in the configuration as last read; it is started within a second, unless `autostart` is off.
    ///
    /// # Errors
    /// See [`SupervisorError`]; [`error::code::ALREADY_ADDED`] is one.
    pub fn add(&self, app: &str) -> Result<(), SupervisorError> {
        self.call("supervisor.addProcessGroup", &[Param::Text(app)]).map(drop)
    }

    /// Ends the hosting of an app that has stopped.
    ///
    /// # Errors
    /// See [`SupervisorError`]; [`error::code::STILL_RUNNING`] is one.
    pub fn remove(&self, app: &str) -> Result<(), SupervisorError> {
        self.call("supervisor.removeProcessGroup", &[Param::Text(app)]).map(drop)
    }

    /// Tells all processes of an app to stop and does not wait: waiting would cost supervisord its CPU (trap 4), and for ever
    /// where a program cannot be started (Supervisor#746).
    ///
    /// # Errors
    /// See [`SupervisorError`].
    pub fn stop(&self, app: &str) -> Result<(), SupervisorError> {
        self.call("supervisor.stopProcessGroup", &[Param::Text(app), Param::Bool(false)]).map(drop)
    }

    /// Sends SIGKILL to all processes of an app that are up.
    ///
    /// # Errors
    /// See [`SupervisorError`].
    pub fn kill(&self, app: &str) -> Result<(), SupervisorError> {
        self.call("supervisor.signalProcessGroup", &[Param::Text(app), Param::Text("KILL")]).map(drop)
    }

    /// supervisord's version.
    ///
    /// # Errors
    /// See [`SupervisorError`].
    pub fn version(&self) -> Result<String, SupervisorError> {
        const METHOD: &str = "supervisor.getSupervisorVersion";
        self.call(METHOD, &[])?.as_text().map(str::to_string).ok_or_else(|| unexpected(METHOD))
    }

    /// Whether supervisord is up and neither starting again nor shutting down.
    ///
    /// # Errors
    /// See [`SupervisorError`]; one that is down is `Ok(false)`.
    pub fn is_up(&self) -> Result<bool, SupervisorError> {
        const METHOD: &str = "supervisor.getState";
        match self.call(METHOD, &[]) {
            Ok(state) => Ok(state.get("statecode").and_then(Value::as_int) == Some(MOOD_RUNNING)),
            Err(e) if e.is_down() => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The number of its process.
    ///
    /// # Errors
    /// See [`SupervisorError`].
    pub fn pid(&self) -> Result<i32, SupervisorError> {
        const METHOD: &str = "supervisor.getPID";
        let pid = self.call(METHOD, &[])?.as_int().and_then(|pid| i32::try_from(pid).ok());
        pid.filter(|pid| *pid > 0).ok_or_else(|| unexpected(METHOD))
    }

    /// Waits until supervisord is up, which may be later than the agent (trap 7). `false`: not within `patience`.
    ///
    /// # Errors
    /// See [`SupervisorError`]; one that is down is waited for.
    pub fn wait_until_up(&self, patience: Duration) -> Result<bool, SupervisorError> {
        let begun = self.clock.now();
        while !self.is_up()? {
            if self.clock.now().saturating_sub(begun) >= patience {
                return Ok(false);
            }
            self.clock.sleep(UP_POLL);
        }
        Ok(true)
    }

    fn call(&self, method: &'static str, params: &[Param<'_>]) -> Result<Value, SupervisorError> {
        let body = transport::post(&self.socket, method, &method_call(method, params), CALL_TIMEOUT)?;
        match method_response(&body) {
            Ok(MethodResponse::Value(value)) => Ok(value),
            Ok(MethodResponse::Fault { code, text }) => Err(SupervisorError::fault(method, code, &text)),
            Err(source) => Err(SupervisorError::Answer { method, source }),
        }
    }
}

/// The error for an answer that is XML-RPC and of another shape than the method's.
fn unexpected(method: &'static str) -> SupervisorError {
    SupervisorError::Answer { method, source: RpcError::BadValue }
}

#[cfg(test)]
mod tests;
