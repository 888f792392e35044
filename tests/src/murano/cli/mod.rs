//! The command line: `murano serve`, and the commands that talk to a running server.

mod args;
mod commands;
mod serve;
mod signals;

use args::Args;

/// What `murano --help` prints.
const HELP: &str = "\
murano: a local server of the Exosite Device API

  murano serve [--listen ADDR] [--tls-listen ADDR] [--data DIR] [--open] [--product ID] [--rate-limit]
               [--latency-ms N] [--tls-name NAME]… [--tls-valid FROM,UNTIL] [--token TOKEN] [--for SECONDS]
  murano content upload FILE ID
  murano content list
  murano content delete ID
  murano product device add SN [CIK]
  murano product device enable SN
  murano product device revoke SN
  murano product device list
  murano product device write SN ALIAS VALUE
  murano product device read SN ALIAS
  murano state --json
  murano requests --json
  murano requests clear
  murano fault set SPEC…
  murano fault add SPEC…
  murano fault list
  murano fault clear

All but serve take the server from --url URL or MURANO_URL; default http://127.0.0.1:8080. To a server with a token they bring that
in MURANO_TOKEN.
";

/// Why a command did not succeed.
enum Failure {
    /// It was called wrongly: exit status 2.
    Usage(String),
    /// What it was to do failed: exit status 1.
    Failed(String),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Failed(error.to_string())
    }
}

/// Runs a command line (without the program's name) and returns the exit status.
pub fn run(arguments: Vec<String>) -> u8 {
    match command(arguments) {
        Ok(()) => 0,
        Err(Failure::Failed(why)) => {
            eprintln!("murano: {why}");
            1
        }
        Err(Failure::Usage(why)) => {
            eprintln!("murano: {why}\n\n{HELP}");
            2
        }
    }
}

fn command(arguments: Vec<String>) -> Result<(), Failure> {
    let mut args = Args::new(arguments);
    if args.flag("--help") || args.flag("-h") {
        print!("{HELP}");
        return Ok(());
    }
    if args.first() == Some("serve") {
        return serve::serve(args);
    }
    commands::run(args)
}
