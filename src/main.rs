//! One binary with five names: `gwe`, `gmq`, `gdc`, `supervisord`, `supervisorctl`. The name it was called by chooses the command line.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use gwe::cli;
use gwe::engine::follow::{ended_in_order, follow};
use gwe::engine::surroundings;
use gwe::sys::{memory, process, signal};

fn main() -> ExitCode {
    memory::share_heap();
    let mut arguments = std::env::args_os();
    let called_as = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    let name = match Path::new(&called_as).file_name().and_then(|name| name.to_str()) {
        Some("gmq") => "gmq",
        Some("gdc") => "gdc",
        // The image's own, beside which its core is.
        Some("supervisorctl") => return ExitCode::from(cli::supervisorctl::run(&called_as, &rest)),
        Some("supervisord") => return ExitCode::from(cli::supervisord::run(&called_as, &rest)),
        _ => "gwe",
    };
    if name != "gdc" {
        process::set_umask();
        signal::reset_own();
        surroundings::leave(&called_as, &rest);
    }
    // A newer version that arrived over the air goes on here, if there is one.
    follow(name, &rest);
    let status = match name {
        "gmq" => cli::gmq::run(rest.clone()),
        "gdc" => cli::gdc::run(rest.clone()),
        _ => cli::gwe::run(rest.clone()),
    };
    ended_in_order(name, &rest);
    ExitCode::from(status)
}
