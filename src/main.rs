//! One binary with three names: `gwe`, `gmq`, `gdc`. The name it was called by chooses the command line.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use gwe::cli;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called_as = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    let status = match Path::new(&called_as).file_name().and_then(|name| name.to_str()) {
        Some("gmq") => cli::gmq::run(rest),
        Some("gdc") => cli::gdc::run(rest),
        _ => cli::gwe::run(rest),
    };
    ExitCode::from(status)
}
