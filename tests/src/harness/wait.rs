//! Waiting for something to become true, with a limit.

use std::time::{Duration, Instant};

/// How often to look.
const STEP: Duration = Duration::from_millis(20);

/// Waits until `look` finds something; panics with `what` after `limit`.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited {limit:?} in vain for: {what}");
        std::thread::sleep(STEP);
    }
}

/// Waits until `is_so`; panics with `what` after `limit`.
#[track_caller]
pub fn wait_until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    wait_for(what, limit, || is_so().then_some(()));
}
