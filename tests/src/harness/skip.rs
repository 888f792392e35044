//! Tests that cannot run here say so, and never pass silently.

use std::io::{self, Write};

/// Prints `skipped: <why>` past the capture of the test runner, so that it is seen also where the test "passes".
pub fn announce_skip(why: &str) {
    let _ = writeln!(io::stderr(), "skipped: {why}");
}

/// Ends a test that cannot run here: `skip!("needs root")`.
#[macro_export]
macro_rules! skip {
    ($($why:tt)*) => {{
        $crate::harness::announce_skip(&format!($($why)*));
        return;
    }};
}
