//! The command line of `gdc`, the device client for apps in any language (docs/spec/gateway-engine.md, "gdc, the device client").

mod calls;
mod save;
mod shown;

use std::ffi::OsString;
use std::time::Duration;

use super::flags::{self, option, switch, Flag, FlagParser, Page};
use crate::config::{Config, Paths, VERSION};
use crate::sys::log;
use calls::Options;
use shown::{complain, print, GdcFailure, GdcOutput};

const HELP: Flag = switch("-h", &["--help"], "print this help");
const VERSION_FLAG: Flag = switch("-v", &["--version"], "print the version");
const PATH: Flag = switch("-p", &["--path"], "print the path of this program");
const JSON: Flag = switch("", &["--json"], "print the result, or the error, as JSON on stdout");
const SERVER: Flag = option("", &["--server"], "URL", "talk to this server, not the configured one");
const ROOT: Flag = option("", &["--root"], "DIR", "move every path below DIR (also: GWE_ROOT)");
const TIMEOUT: Flag = option("", &["--timeout"], "SECONDS", "give up after so long (60); wait: wait so long (300)");
const SINCE: Flag = option("", &["--since"], "TIME", "wait: unix seconds; answer at once if written after that");
const PRODUCT: Flag = option("-P", &["--product-id"], "ID", "activate, content: not the configured vendor and model");
const OUTPUT: Flag = option("-O", &["--output"], "FILE", "content download: into FILE; - is stdout");
const CONTINUE: Flag = switch("-c", &["--continue"], "content download: go on behind what FILE.part holds");

static FLAGS: &[&Flag] =
    &[&HELP, &VERSION_FLAG, &PATH, &JSON, &SERVER, &ROOT, &TIMEOUT, &SINCE, &PRODUCT, &OUTPUT, &CONTINUE];

/// The commands: their words, their operands, the help line.
static COMMANDS: &[(&str, &str, &str)] = &[
    ("write", "CIK ALIAS VALUE", "write a value; - reads it from stdin"),
    ("read", "CIK ALIAS...", "print the latest value; with more than one alias, lines of alias=value"),
    ("record", "CIK ALIAS TS=VALUE...", "write values at their own times, in unix seconds; VALUE - is stdin"),
    ("wait", "CIK ALIAS...", "wait until one is written, and print as read does; exit 1 if none is"),
    ("activate", "[VENDOR MODEL SN]", "activate a serial number (default: the gateway's), and print its CIK"),
    ("content list", "", "print the ids of the product's content"),
    ("content info", "ID", "print type, size, time and meta of a piece of content"),
    ("content download", "ID", "download it into a file of that name, or as -O says"),
    ("timestamp", "", "print the platform's time, in unix seconds"),
];

/// Runs `gdc` with the given arguments (without the program's name) and returns its exit status.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> u8 {
    let mut parser = FlagParser::new(arguments);
    if parser.has(&HELP) {
        return print(&page().help());
    }
    if parser.has(&VERSION_FLAG) {
        return print(&format!("{VERSION}\n"));
    }
    if parser.has(&PATH) {
        let path = std::env::current_exe().unwrap_or_default();
        return print(&format!("{}\n", path.display()));
    }
    let is_json = parser.has(&JSON);
    match parse(parser).and_then(|(options, operands)| execute(&options, &operands)) {
        Ok(shown) => {
            let printed = print(if is_json { &shown.json } else { &shown.plain });
            printed.max(shown.status)
        }
        Err(failure) => {
            if is_json {
                let _ = print(&failure.json());
            }
            complain(&failure.text());
            failure.status()
        }
    }
}

fn parse(mut parser: FlagParser) -> Result<(Options, Vec<String>), GdcFailure> {
    let root = parser.os_value(&ROOT).map_err(GdcFailure::Usage)?;
    let mut value = |flag| parser.value(flag).map_err(GdcFailure::Usage);
    let server = value(&SERVER)?;
    let timeout = value(&TIMEOUT)?.map(|text| seconds(&text)).transpose()?;
    let (since, product, output) = (value(&SINCE)?, value(&PRODUCT)?, value(&OUTPUT)?);
    let is_continued = parser.has(&CONTINUE);
    let (rest, plain) = parser.rest();
    let operands = operands(rest, plain)?;
    let config = Config::load(Paths::of(root));
    // An app's shell script wants errors, not the agent's steps.
    log::set_level(config.log_level().max(log::Level::Warning));
    Ok((Options { config, server, timeout, since, product, output, is_continued }, operands))
}

fn seconds(text: &str) -> Result<Duration, GdcFailure> {
    const DAY: u64 = 24 * 3600;
    let seconds = text.parse().ok().filter(|s| (1..=DAY).contains(s));
    let wrong = || GdcFailure::Usage("--timeout wants seconds, from 1 to 86400".to_string());
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

/// The operands. A value may begin with a dash (`-5`), so only what looks like a word is taken for an unknown flag.
fn operands(rest: Vec<OsString>, plain: Vec<OsString>) -> Result<Vec<String>, GdcFailure> {
    let text =
        |operand: OsString| operand.into_string().map_err(|_| GdcFailure::Usage("an operand is no UTF-8".to_string()));
    let mut out = Vec::new();
    for operand in rest {
        let operand = text(operand)?;
        let is_word = |rest: &str| rest.starts_with(|c: char| c == '-' || c.is_alphabetic());
        if operand.strip_prefix('-').is_some_and(is_word) {
            let unknown = flags::unknown(&operand, FLAGS.iter().copied());
            return Err(GdcFailure::Usage(format!("{unknown} (a value that begins so goes behind --)")));
        }
        out.push(operand);
    }
    for operand in plain {
        out.push(text(operand)?);
    }
    Ok(out)
}

fn execute(options: &Options, operands: &[String]) -> Result<GdcOutput, GdcFailure> {
    let words: Vec<&str> = operands.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["write", cik, alias, value] => options.write(cik, alias, value),
        ["read", cik, aliases @ ..] if !aliases.is_empty() => options.read(cik, aliases),
        ["record", cik, alias, points @ ..] if !points.is_empty() => options.record(cik, alias, points),
        ["wait", cik, aliases @ ..] if !aliases.is_empty() => options.wait(cik, aliases),
        ["activate"] => options.activate(None),
        ["activate", vendor, model, sn] => options.activate(Some((vendor, model, sn))),
        ["content", "list"] => options.content_list(),
        ["content", "info", id] => options.content_info(id),
        ["content", "download", id] => options.content_download(id),
        ["timestamp"] => options.timestamp(),
        [] => Err(GdcFailure::Usage("nothing to do".to_string())),
        _ => Err(GdcFailure::Usage(wrong(&words))),
    }
}

/// Which command was meant, and how it goes.
fn wrong(words: &[&str]) -> String {
    let typed = words.join(" ");
    let meant = COMMANDS.iter().find(|(name, ..)| typed == *name || typed.starts_with(&format!("{name} ")));
    match meant {
        Some((name, operands, _)) => format!("usage: gdc {name} {operands}").trim_end().to_string(),
        None => format!("no such command: {}", words.iter().take(2).copied().collect::<Vec<_>>().join(" ")),
    }
}

/// The help text's parts.
#[must_use]
pub fn page() -> Page {
    let usage = |(name, operands, what): &(&str, &str, &'static str)| (format!("{name} {operands}"), *what);
    Page {
        name: "gdc",
        about: "Gateway device client: the Device API from the command line",
        usage: COMMANDS.iter().map(usage).collect(),
        flags: vec![("Flags", FLAGS.to_vec())],
        exit: "0 done, 1 failed, 2 wrong usage, 255 not configured",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn values_may_begin_with_a_dash_and_unknown_flags_are_named() {
        let got = operands(texts(&["write", "-5", "-"]), texts(&["--x"])).ok().unwrap();
        assert_eq!(got, ["write", "-5", "-", "--x"]);
        for bad in ["-x", "--what"] {
            let Err(GdcFailure::Usage(text)) = operands(texts(&[bad]), Vec::new()) else { panic!("{bad} was taken") };
            assert!(text.contains(bad), "{text}");
        }
    }

    #[test]
    fn wrong_usage_names_the_command_that_was_meant() {
        assert_eq!(wrong(&["write", "x"]), "usage: gdc write CIK ALIAS VALUE");
        assert_eq!(wrong(&["content", "list", "x"]), "usage: gdc content list");
        assert_eq!(wrong(&["content", "drop"]), "no such command: content drop");
        assert_eq!(wrong(&["writer"]), "no such command: writer");
    }

    #[test]
    fn the_help_shows_every_command_and_flag() {
        let help = page().help();
        assert!(COMMANDS.iter().all(|(name, ..)| help.contains(&format!("  gdc {name} "))), "{help}");
        assert!(FLAGS.iter().all(|flag| help.contains(flag.long[0])), "{help}");
    }
}
