//! What the unit tests of every room share.

/// Says why a test cannot run here: past the capture of the test runner, so that it never passes silently, and into the file `GWE_SKIPPED`,
/// from which `make test` lists at its end what was skipped.
pub(crate) fn announce_skip(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
    let Some(list) = std::env::var_os("GWE_SKIPPED") else { return };
    // The test runner names a test's thread after the test.
    let line = format!("{}\t{why}\n", std::thread::current().name().unwrap_or("?"));
    let mut list = std::fs::File::options().append(true).create(true).open(list).unwrap();
    list.write_all(line.as_bytes()).unwrap();
}
