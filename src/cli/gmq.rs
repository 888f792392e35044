//! The command line of `gmq`, the store-and-forward queue (docs/spec/gmq.md, "Command line").

mod set_aside;
mod show;

use std::ffi::OsString;

use super::flags::{option, switch, Flag, FlagParser, Page};
use super::output;
use crate::config::{Paths, VERSION};
use crate::engine::follow;
use crate::queue::ask;
use crate::queue::discard;
use crate::queue::forward::{courier, process};
use crate::queue::server;
use crate::queue::settings::{file_name, QueueSettings, SettingsFile};
use crate::sys::log;

const HELP: Flag = switch("-h", &["--help"], "print this help");
const VERSION_FLAG: Flag = switch("-v", &["--version"], "print the version");
const CFG_PATH: Flag = switch("-g", &["--cfg-path"], "print the path of gmq.cfg");
const LOG_PATH: Flag = switch("-l", &["--log-cfg-path"], "print the path of logging.cfg");
const PATH: Flag = switch("-p", &["--path"], "print the path of this program");
const JSON: Flag = switch("", &["--json"], "status, set-aside list: print JSON");
const PORT: Flag = option("", &["--port"], "N", "serve: listen there, not at the configured port; 0: any");
const ROOT: Flag = option("", &["--root"], "DIR", "move every path below DIR (also: GWE_ROOT)");
const FORWARD: Flag = switch("", &[courier::FLAG], "");

static FLAGS: &[&Flag] = &[&HELP, &VERSION_FLAG, &CFG_PATH, &LOG_PATH, &PATH, &JSON, &PORT, &ROOT];

/// The commands: their words, the help line.
static COMMANDS: &[(&str, &str)] = &[
    ("", "serve apps on localhost:8090 until SIGTERM"),
    ("cfg | log", "print the configuration of the queue, or of its log"),
    ("cfg|log get", "print the names of its sections"),
    ("cfg|log get SECTION", "print the options of a section"),
    ("cfg|log get SECTION OPTION", "print the value of an option"),
    ("cfg|log set SECTION OPTION VALUE", "set an option; `gmq reread` puts it in force"),
    ("reread", "have the server read its configuration again (also: SIGHUP)"),
    ("status", "what is queued, forwarded, set aside; the link and the devices"),
    ("set-aside list", "points that the platform refused, with its reason"),
    ("set-aside requeue all|ID...", "queue them again"),
    ("set-aside discard all|ID...", "give them up"),
    ("discard DEVICE", "give up what is queued for a device, as status names it; the server must not run"),
];

/// Why nothing was done, and the exit status.
pub(super) enum GmqFailure {
    /// Wrong usage.
    Usage(String),
    /// Something failed.
    Failed(String),
}

/// Runs `gmq` with the given arguments (without the program's name) and returns its exit status.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> u8 {
    let mut parser = FlagParser::new(arguments);
    if parser.has(&HELP) {
        return print(&page().help());
    }
    if parser.has(&VERSION_FLAG) {
        return print(&[VERSION, "\n"].concat());
    }
    let result = execute(parser);
    match result {
        Ok(text) => print(&text),
        Err(failure) => {
            let (text, status) = match failure {
                GmqFailure::Usage(text) => ([&text, "; see gmq --help"].concat(), 2),
                GmqFailure::Failed(text) => (text, 1),
            };
            output::complain("gmq", &text);
            status
        }
    }
}

fn execute(mut parser: FlagParser) -> Result<String, GmqFailure> {
    let paths = Paths::of(parser.os_value(&ROOT).map_err(GmqFailure::Usage)?);
    for (flag, which) in [(&CFG_PATH, SettingsFile::Queue), (&LOG_PATH, SettingsFile::Logging)] {
        if parser.has(flag) {
            return Ok([&paths.state().join(file_name(which)).to_string_lossy(), "\n"].concat());
        }
    }
    if parser.has(&PATH) {
        let path = std::env::current_exe().unwrap_or_default();
        return Ok([&path.to_string_lossy(), "\n"].concat());
    }
    let (is_json, is_forwarding) = (parser.has(&JSON), parser.has(&FORWARD));
    let port = parser.value(&PORT).map_err(GmqFailure::Usage)?;
    let port =
        port.map(|text| text.parse::<u16>().map_err(|_| GmqFailure::Usage("--port wants 0 to 65535".to_string())));
    let port = port.transpose()?;
    let operands: Vec<String> = parser
        .operands(FLAGS.iter().copied())
        .map_err(GmqFailure::Usage)?
        .iter()
        .map(|o| o.to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = operands.iter().map(String::as_str).collect();
    let mut settings = QueueSettings::load(&paths);
    match words.as_slice() {
        [] if is_forwarding => {
            log::set_level(settings.log_level());
            std::process::exit(process::run(&paths).into())
        }
        [] => {
            log::set_level(settings.log_level());
            drop(settings);
            server::run(&paths, port, follow::after_nap(&paths, "gmq"))
                .map(|()| String::new())
                .map_err(|e| GmqFailure::Failed(e.to_string()))
        }
        ["reread"] => reread(&paths),
        ["status"] => show::status(&paths, &settings, is_json),
        ["discard", device @ ..] if !device.is_empty() => match discard::discard(&paths, &device.join(" ")) {
            Ok(count) => Ok([&count.to_string(), " discarded\n"].concat()),
            Err(e) => Err(GmqFailure::Failed(e.to_string())),
        },
        ["set-aside", rest @ ..] => set_aside::run(&paths, rest, is_json),
        ["cfg", rest @ ..] => configure(&mut settings, SettingsFile::Queue, rest),
        ["log", rest @ ..] => configure(&mut settings, SettingsFile::Logging, rest),
        _ => Err(GmqFailure::Usage(["no such command: ", &words.join(" ")].concat())),
    }
}

fn configure(settings: &mut QueueSettings, which: SettingsFile, words: &[&str]) -> Result<String, GmqFailure> {
    match words {
        [] => Ok(settings.table(which).text()),
        ["get"] => Ok(settings.table(which).sections().iter().flat_map(|name| [name, "\n"]).collect()),
        ["get", section] => match settings.table(which).section(section) {
            none if none.is_empty() => Err(GmqFailure::Usage(["there is no section ", section].concat())),
            options => Ok(options),
        },
        ["get", section, option] => match settings.value(which, section, option) {
            Some(value) => Ok([value, "\n"].concat()),
            None => Err(GmqFailure::Usage(["there is no option ", option, " in section ", section].concat())),
        },
        ["set", section, option, value] => {
            settings.set(which, section, option, value).map_err(|e| GmqFailure::Failed(e.to_string()))?;
            Ok(settings.table(which).text())
        }
        _ => Err(GmqFailure::Usage("cfg and log take get [SECTION [OPTION]] or set SECTION OPTION VALUE".to_string())),
    }
}

fn reread(paths: &Paths) -> Result<String, GmqFailure> {
    match ask::ask(paths, "POST", "/reread", None, "") {
        Ok((204, _)) => Ok(String::new()),
        Ok((_, text)) => Err(GmqFailure::Failed(text.trim_end().to_string())),
        Err(e) => Err(GmqFailure::Failed(e.to_string())),
    }
}

/// The help text's parts.
#[must_use]
pub fn page() -> Page {
    Page {
        name: "gmq",
        about: "Gateway message queuing: what it accepts ends up at the platform",
        usage: COMMANDS.iter().map(|(words, line)| (words.to_string(), *line)).collect(),
        flags: vec![("Flags", FLAGS.to_vec())],
        exit: "0 done, 1 failed, 2 wrong usage",
    }
}

fn print(text: &str) -> u8 {
    output::print("gmq", text.as_bytes())
}
