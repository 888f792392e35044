//! Tests that cannot run here say so, and never pass silently.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::thread;

/// Says why a test, or a part of it, cannot run here: past the capture of the test runner, so that it is seen also where the test "passes",
/// and into the file `GWE_SKIPPED`, from which `make test` lists at its end what was skipped.
pub fn announce_skip(why: &str) {
    let _ = writeln!(io::stderr(), "skipped: {why}");
    let Some(list) = env::var_os("GWE_SKIPPED") else { return };
    // The test runner names a test's thread after the test. One write of a line: other tests write there, too.
    let line = format!("{}\t{why}\n", thread::current().name().unwrap_or("?"));
    let written =
        File::options().append(true).create(true).open(&list).and_then(|mut list| list.write_all(line.as_bytes()));
    written.unwrap_or_else(|error| panic!("cannot write {}: {error}", list.display()));
}

/// Ends a test that cannot run here: `skip!("needs root")`.
#[macro_export]
macro_rules! skip {
    ($($why:tt)*) => {{
        $crate::harness::announce_skip(&format!($($why)*));
        return;
    }};
}
