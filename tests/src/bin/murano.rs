//! `murano`, a local Device API server and its commands. See tests/README.md.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(gwe_tests::murano::cli::run(std::env::args().skip(1).collect()))
}
