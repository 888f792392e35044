//! supervisord's faults.

use std::ops::Deref;

use crate::hosting::protocol::Refusal;
use crate::hosting::spawn_error::{errno_name, Number};

/// Why a method does not return. Behind a pointer: nearly every function here hands it up, and would move all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodFault(Box<MethodFaultText>);

/// See [`MethodFault`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodFaultText {
    /// supervisord's number.
    pub code: i32,
    /// The number's name, and what follows it.
    pub text: String,
}

/// The numbers and their names.
pub(crate) const UNKNOWN_METHOD: (i32, &str) = (1, "UNKNOWN_METHOD");
pub(crate) const INCORRECT_PARAMETERS: (i32, &str) = (2, "INCORRECT_PARAMETERS");
pub(crate) const BAD_ARGUMENTS: (i32, &str) = (3, "BAD_ARGUMENTS");
pub(crate) const SIGNATURE_UNSUPPORTED: (i32, &str) = (4, "SIGNATURE_UNSUPPORTED");
pub(crate) const SHUTDOWN_STATE: (i32, &str) = (6, "SHUTDOWN_STATE");
pub(crate) const BAD_NAME: (i32, &str) = (10, "BAD_NAME");
pub(crate) const BAD_SIGNAL: (i32, &str) = (11, "BAD_SIGNAL");
pub(crate) const NO_FILE: (i32, &str) = (20, "NO_FILE");
pub(crate) const NOT_EXECUTABLE: (i32, &str) = (21, "NOT_EXECUTABLE");
pub(crate) const FAILED: (i32, &str) = (30, "FAILED");
pub(crate) const ABNORMAL_TERMINATION: (i32, &str) = (40, "ABNORMAL_TERMINATION");
pub(crate) const SPAWN_ERROR: (i32, &str) = (50, "SPAWN_ERROR");
pub(crate) const ALREADY_STARTED: (i32, &str) = (60, "ALREADY_STARTED");
pub(crate) const NOT_RUNNING: (i32, &str) = (70, "NOT_RUNNING");
pub(crate) const SUCCESS: i32 = 80;
pub(crate) const ALREADY_ADDED: (i32, &str) = (90, "ALREADY_ADDED");
pub(crate) const STILL_RUNNING: (i32, &str) = (91, "STILL_RUNNING");
pub(crate) const CANT_REREAD: (i32, &str) = (92, "CANT_REREAD");

impl Deref for MethodFault {
    type Target = MethodFaultText;

    fn deref(&self) -> &MethodFaultText {
        &self.0
    }
}

impl MethodFault {
    fn new(code: i32, text: String) -> MethodFault {
        MethodFault(Box::new(MethodFaultText { code, text }))
    }

    pub(crate) fn plain((code, name): (i32, &str)) -> MethodFault {
        MethodFault::new(code, name.to_string())
    }

    pub(crate) fn about((code, name): (i32, &str), what: &str) -> MethodFault {
        MethodFault::new(code, [name, ": ", what].concat())
    }

    /// The same about a name without this at its end.
    pub(crate) fn without(mut self, end: &str) -> MethodFault {
        if self.text.ends_with(end) {
            self.0.text.truncate(self.text.len() - end.len());
        }
        self
    }

    /// What the core refused, of this process or group.
    pub(crate) fn refused(why: Refusal, errno: u32, name: &str) -> MethodFault {
        match why {
            Refusal::Gone => MethodFault::about(BAD_NAME, name),
            Refusal::AlreadyStarted => MethodFault::about(ALREADY_STARTED, name),
            Refusal::NotRunning => MethodFault::about(NOT_RUNNING, name),
            Refusal::StillRunning => MethodFault::about(STILL_RUNNING, name),
            Refusal::AlreadyAdded => MethodFault::about(ALREADY_ADDED, name),
            Refusal::NoInput => MethodFault::about(NO_FILE, name),
            Refusal::ShuttingDown => MethodFault::plain(SHUTDOWN_STATE),
            Refusal::Failed => {
                let errno = i32::try_from(errno).unwrap_or(0);
                let mut number = Number::of(errno);
                let why = String::from_utf8_lossy(errno_name(errno, &mut number)).into_owned();
                MethodFault::about(FAILED, &[name, " (", &why, ")"].concat())
            }
            Refusal::Malformed => MethodFault::about(FAILED, &[name, " (the core did not understand)"].concat()),
        }
    }
}
