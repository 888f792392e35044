//! The command line of `gwe` (docs/spec/gateway-engine.md, "Command line"). [`TABLE`] is its one definition.

use std::ffi::OsString;
use std::path::PathBuf;

use super::flags::{option, switch, Flag, FlagParser, Page};
use super::{delta, developer, operator, output, status, support_bundle};
use crate::config::{Config, Paths, Setting, Which, VERSION};
use crate::engine;
use crate::sys::log::{self, Level};

/// A flag, and what it does.
pub struct FlagRow {
    /// How it is spelled and explained.
    pub flag: Flag,
    does: Does,
}

impl FlagRow {
    /// Whether the next argument is the flag's own. The files of an install are operands.
    fn takes_value(&self) -> bool {
        !self.flag.value.is_empty() && !matches!(self.does, Does::RunOnFiles(_) | Does::RunOnAny(_))
    }
}

/// What a flag does. Of commands there is at most one a call.
enum Does {
    /// A command that needs no configuration: what it prints.
    Say(fn() -> String),
    /// A command.
    Run(fn(FlagCall) -> u8),
    /// A command that works on the operands, of which there is at least one.
    RunOnFiles(fn(FlagCall) -> u8),
    /// A command that works on the operands, or without them on all.
    RunOnAny(fn(FlagCall) -> u8),
    /// Gives these options of a file its value.
    Set(Which, &'static [&'static str]),
    /// Says more about the command that has this flag.
    With(&'static str),
    /// Says more about any call.
    Always,
}

/// A command's call: what else the command line says.
struct FlagCall {
    config: Config,
    value: OsString,
    operands: Vec<PathBuf>,
    is_json: bool,
    app_name: Option<String>,
    app_version: Option<String>,
}

const fn row(flag: Flag, does: Does) -> FlagRow {
    FlagRow { flag, does }
}

const JSON: Flag = switch("", &["--json"], "with --status: as JSON");
const APP_NAME: Flag = option("-n", &["--app-name"], "NAME", "with --build-app: instead of the buildfile's name");
const APP_VERSION: Flag =
    option("-s", &["--app-version"], "VERSION", "with --build-app: instead of the buildfile's version");
const LEVEL: Flag = option(
    "-d",
    &["--set-debug-level"],
    "LEVEL",
    "what the log tells: DEBUG, INFO, WARNING, ERROR or CRITICAL; beside another command, for that run only",
);
const ROOT: Flag =
    option("", &["--root"], "DIR", "move every path of the gateway below DIR (the variable GWE_ROOT does the same)");

/// Every flag, in the order and under the headings of the help text.
pub static TABLE: &[(&str, &[FlagRow])] = &[
    (
        "Show",
        &[
            row(switch("-h", &["--help"], "print this help"), Does::Say(help)),
            row(switch("-v", &["--version"], "print the version"), Does::Say(|| format!("{VERSION}\n"))),
            row(
                switch("-p", &["--path"], "print the path of this program"),
                Does::Say(|| format!("{}\n", engine::own_executable().display())),
            ),
            row(
                switch("", &["--status"], "show identity, last check-in, pending installs and apps"),
                Does::Run(|call| status::print(&call.config, call.is_json)),
            ),
            row(JSON, Does::With("--status")),
            row(
                switch("", &["--support-bundle"], "print what whoever helps will ask for: status, settings, reports, logs"),
                Does::Run(|call| support_bundle::print(&call.config)),
            ),
            row(
                switch("-e", &["--engine-conf"], "print Engine.config as in force"),
                Does::Run(|call| operator::print(&call.config.text(Which::Engine))),
            ),
            row(
                switch("-g", &["--gateway-cfg"], "print Gateway.cfg as in force"),
                Does::Run(|call| operator::print(&call.config.text(Which::Gateway))),
            ),
            row(
                switch("", &["--check-config"], "check the settings in every file: [PASS], or each fault with its line"),
                Does::Run(|call| operator::check_config(&call.config)),
            ),
            row(
                switch("-C", &["--gateway-cik"], "print the CIK ('' if there is none)"),
                Does::Run(|call| operator::print_cik(&call.config)),
            ),
            row(
                option("", &["--mac-address"], "IFACE", "print the MAC of a network interface"),
                Does::Run(|call| operator::print_mac(&output::quoted(&call.value))),
            ),
        ],
    ),
    (
        "Work",
        &[
            row(
                switch("-o", &["--once"], "check in once, then exit"),
                Does::Run(|call| engine::check_in::run(call.config)),
            ),
            row(
                switch("", &["--listen"], "wait until the cloud has an order, then exit (see push in Engine.config)"),
                Does::Run(|call| engine::listen::run(&call.config)),
            ),
            row(
                Flag {
                    value: "FILE...",
                    ..switch("-I", &["--install-apps"], "install tarballs from disk, as over the air")
                },
                Does::RunOnFiles(|call| operator::install(&call.config, &call.operands)),
            ),
            row(
                Flag {
                    value: "[APP|all]",
                    ..switch("", &["--install-now"], "install what is here and waits for its moment, of an app or of all")
                },
                Does::RunOnAny(|call| operator::install_now(&call.config, &call.operands)),
            ),
            row(
                option("", &["--remove-app"], "APP", "take an app away: stopped, its uninstall.sh run, its folders gone"),
                Does::Run(|call| operator::remove(&call.config, &output::quoted(&call.value))),
            ),
            row(
                option("", &["--forget"], "APP|all", "forget what failed here before, so that it is tried again"),
                Does::Run(|call| operator::forget(&call.config, &output::quoted(&call.value))),
            ),
            row(
                switch("", &["--download-latest"], "of the original; there is no release area any more"),
                Does::Run(|_| operator::download_latest()),
            ),
        ],
    ),
    (
        "Set (each prints the new configuration; '' clears a value)",
        &[
            row(
                option("-P", &["--product-id", "--set-product-id"], "ID", "the product id: both vendor and model"),
                Does::Set(Which::Gateway, &["vendor", "model"]),
            ),
            row(option("-u", &["--set-uuid"], "SERIAL", "the serial number"), Does::Set(Which::Gateway, &["uuid"])),
            row(
                option(
                    "-i",
                    &["--set-iface"],
                    "IFACE",
                    "the interface whose MAC is the serial number while none is set",
                ),
                Does::Set(Which::Gateway, &["iface"]),
            ),
            row(option("-r", &["--set-vendor"], "VENDOR", "the vendor"), Does::Set(Which::Gateway, &["vendor"])),
            row(option("-m", &["--set-model"], "MODEL", "the model"), Does::Set(Which::Gateway, &["model"])),
            row(
                option("-c", &["--set-cik"], "CIK", "the key that activation gives"),
                Does::Set(Which::Gateway, &["cik"]),
            ),
            row(
                option("-t", &["--set-update-interval"], "SECONDS", "from one check-in to the next"),
                Does::Set(Which::Engine, &["update_interval"]),
            ),
            row(
                option("-l", &["--set-act-retry-interval"], "SECONDS", "from one try to be activated to the next"),
                Does::Set(Which::Engine, &["activation_retry_interval"]),
            ),
            row(
                option("", &["--set-server"], "URL", "the server; '' is the platform's, for the product id"),
                Does::Set(Which::Engine, &["server"]),
            ),
            row(
                option("", &["--set-push"], "yes|no", "whether to listen for orders between check-ins"),
                Does::Set(Which::Engine, &["push"]),
            ),
            row(
                option("", &["--set-apply"], "WHEN", "when what is here is installed: now, window, reboot or consent"),
                Does::Set(Which::Engine, &["apply"]),
            ),
            row(
                option("", &["--set-window"], "HH:MM-HH:MM", "the part of the day that is the window, in local time"),
                Does::Set(Which::Engine, &["window"]),
            ),
            row(
                option("", &["--set-max-rate"], "BYTES", "how many bytes a second a download brings, such as 64k; '' is no limit"),
                Does::Set(Which::Engine, &["max_rate"]),
            ),
            row(
                option("", &["--set-monthly-bytes"], "BYTES", "how many bytes a month has, such as 50M; downloads wait for one in which they fit"),
                Does::Set(Which::Engine, &["monthly_bytes"]),
            ),
            row(
                option("", &["--set-no-downloads-on"], "LINKS", "the network interfaces over which nothing is downloaded, such as 'wwan* ppp0'"),
                Does::Set(Which::Engine, &["no_downloads_on"]),
            ),
            row(
                option("-a", &["--set-user-agent"], "TEXT", "the User-Agent; '' is GatewayEngine-v<VERSION>"),
                Does::Set(Which::Engine, &["user_agent"]),
            ),
            row(
                option("", &["--set-backend"], "NAME", "who gives the orders: device-api or ddi (hawkBit)"),
                Does::Set(Which::Engine, &["backend"]),
            ),
            row(option("", &["--set-ddi-url"], "URL", "hawkBit's server"), Does::Set(Which::Gateway, &["url"])),
            row(option("", &["--set-ddi-tenant"], "NAME", "its tenant"), Does::Set(Which::Gateway, &["tenant"])),
            row(
                option("", &["--set-ddi-id"], "ID", "the controller id; <uuid> and <product> stand for this gateway's"),
                Does::Set(Which::Gateway, &["id"]),
            ),
            row(
                option("", &["--set-ddi-token"], "TOKEN", "the key that hawkBit knows this gateway by"),
                Does::Set(Which::Gateway, &["token"]),
            ),
            row(
                option("", &["--set-ddi-token-kind"], "KIND", "whose it is: target or gateway"),
                Does::Set(Which::Gateway, &["token_kind"]),
            ),
            row(
                option("", &["--set-ddi-interval"], "SECONDS", "from one poll to the next; '' is what the server says"),
                Does::Set(Which::Gateway, &["interval"]),
            ),
            row(
                option("", &["--set-ddi-confirm"], "WORD", "consent where hawkBit asks for it: no or auto"),
                Does::Set(Which::Gateway, &["confirm"]),
            ),
            row(LEVEL, Does::Always),
        ],
    ),
    (
        "For app developers",
        &[
            row(
                switch("-x", &["--create-buildfile"], "ask for file name, app name and version, and write a buildfile"),
                Does::Run(|_| developer::tool(developer::create_buildfile)),
            ),
            row(
                option("-w", &["--check-buildfile"], "FILE", "check a buildfile: [PASS], or each fault"),
                Does::Run(|call| developer::tool(|| developer::check_buildfile(call.value.as_ref()))),
            ),
            row(
                option(
                    "-y",
                    &["--build-app", "--build-app-tarball"],
                    "FILE",
                    "build and check the tarball of a buildfile, and print its full path",
                ),
                Does::Run(|call| {
                    let (name, version) = (call.app_name.as_deref(), call.app_version.as_deref());
                    developer::tool(|| developer::build_app(call.value.as_ref(), name, version))
                }),
            ),
            row(APP_NAME, Does::With("--build-app")),
            row(APP_VERSION, Does::With("--build-app")),
            row(
                option("-z", &["--check-tarball"], "FILE", "check a tarball or a delta: [PASS], or each fault"),
                Does::Run(|call| developer::check_tarball(call.value.as_ref())),
            ),
            row(
                Flag {
                    value: "OLD NEW",
                    ..switch("", &["--build-delta"], "make the delta from one tarball to another, and print its full path")
                },
                Does::RunOnFiles(|call| developer::tool(|| delta::build(&call.operands))),
            ),
            row(
                Flag {
                    value: "DELTA OLD",
                    ..switch(
                        "",
                        &["--apply-delta"],
                        "make the new tarball of a delta and the old version (its folder or its tarball), and print its full path",
                    )
                },
                Does::RunOnFiles(|call| developer::tool(|| delta::apply(&call.operands))),
            ),
        ],
    ),
    ("Everywhere", &[row(ROOT, Does::Always)]),
];

/// Runs `gwe` with the given arguments (without the program's name) and returns its exit status.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> u8 {
    match parse(arguments) {
        Ok(request) => execute(request),
        Err(usage) => {
            operator::complain(&format!("{usage}; see gwe --help"));
            2
        }
    }
}

/// What a command line asks for.
struct CommandLine {
    root: Option<OsString>,
    level: Option<Level>,
    settings: Vec<Setting>,
    /// None: check in for ever, unless something is set.
    command: Option<(&'static FlagRow, OsString)>,
    operands: Vec<PathBuf>,
    is_json: bool,
    app_name: Option<String>,
    app_version: Option<String>,
}

fn rows() -> impl Iterator<Item = &'static FlagRow> {
    TABLE.iter().flat_map(|(_, rows)| rows.iter())
}

fn parse(arguments: Vec<OsString>) -> Result<CommandLine, String> {
    let mut parser = FlagParser::new(arguments);
    let root = parser.os_value(&ROOT)?;
    let level = match parser.value(&LEVEL)? {
        None => None,
        Some(name) => Some(Level::parse(&name).ok_or("-d wants DEBUG, INFO, WARNING, ERROR or CRITICAL")?),
    };
    let (app_name, app_version) = (parser.value(&APP_NAME)?, parser.value(&APP_VERSION)?);
    let mut settings = Vec::new();
    let mut commands: Vec<(&'static FlagRow, OsString)> = Vec::new();
    // Those with a value come first: a flag that stands where the value should is then seen there.
    for row in rows().filter(|row| row.takes_value()) {
        match &row.does {
            Does::Set(which, keys) => {
                let value = parser.value(&row.flag)?;
                let each = |key: &&'static str| Some(Setting { which: *which, key, value: value.clone()? });
                settings.extend(keys.iter().filter_map(each));
            }
            Does::With(_) | Does::Always => {}
            _ => commands.extend(parser.os_value(&row.flag)?.map(|value| (row, value))),
        }
    }
    let is_json = parser.has(&JSON);
    for row in rows().filter(|row| !row.takes_value()) {
        commands.extend(parser.has(&row.flag).then(|| (row, OsString::new())));
    }
    let operands: Vec<PathBuf> = parser.operands(rows().map(|row| &row.flag))?.into_iter().map(PathBuf::from).collect();
    let command = one_of(commands)?;
    let belongs = [(is_json, &JSON), (app_name.is_some(), &APP_NAME), (app_version.is_some(), &APP_VERSION)];
    for (_, flag) in belongs.into_iter().filter(|(is_given, _)| *is_given) {
        check_company(flag, command.as_ref().map(|(row, _)| *row))?;
    }
    let wants_files = matches!(command, Some((FlagRow { does: Does::RunOnFiles(_), .. }, _)));
    let takes_operands = wants_files || matches!(command, Some((FlagRow { does: Does::RunOnAny(_), .. }, _)));
    match operands.first() {
        None if wants_files => {
            let flag = command.as_ref().map(|(row, _)| &row.flag);
            let name = flag.and_then(|flag| flag.long.first()).copied().unwrap_or_default();
            let what = flag.map(|flag| flag.value).filter(|value| *value != "FILE...");
            return Err(format!("{name} wants {}", what.unwrap_or("at least one tarball")));
        }
        Some(operand) if !takes_operands => {
            let operand = output::quoted(operand.as_os_str());
            return Err(format!("nothing to do with {operand} (to install it: --install-apps)"));
        }
        _ => {}
    }
    if let (Some(level), None, true) = (level, &command, settings.is_empty()) {
        // Alone the flag is a setting; beside a command it counts for that run.
        settings.push(Setting { which: Which::Engine, key: "log_level", value: level.name().to_string() });
    }
    Ok(CommandLine { root, level, settings, command, operands, is_json, app_name, app_version })
}

/// The one command, if any.
fn one_of(mut commands: Vec<(&'static FlagRow, OsString)>) -> Result<Option<(&'static FlagRow, OsString)>, String> {
    if let [(first, _), (second, _), ..] = commands.as_slice() {
        let names = [first, second].map(|row| row.flag.long.first().copied().unwrap_or_default());
        return Err(format!("{} and {} are two commands: give one", names[0], names[1]));
    }
    Ok(commands.pop())
}

/// Whether a flag stands beside the command that it says more about.
fn check_company(flag: &Flag, command: Option<&FlagRow>) -> Result<(), String> {
    let same = |row: &&FlagRow| row.flag.long.first() == flag.long.first();
    let Some(Does::With(partner)) = rows().find(same).map(|row| &row.does) else { return Ok(()) };
    match command {
        Some(command) if command.flag.long.contains(partner) => Ok(()),
        _ => Err(format!("{} goes with {partner}", flag.long.first().copied().unwrap_or_default())),
    }
}

fn execute(request: CommandLine) -> u8 {
    let CommandLine { root, level, settings, command, operands, is_json, app_name, app_version } = request;
    if let Some((FlagRow { does: Does::Say(text), .. }, _)) = command {
        return operator::print(&text());
    }
    let paths = Paths::of(root);
    let mut config = Config::load(paths.clone());
    log::set_level(level.unwrap_or(config.log_level()));
    if !settings.is_empty() {
        let status = operator::set(&mut config, &settings);
        if status != 0 || command.is_none() {
            return status;
        }
    }
    match command {
        Some((FlagRow { does: Does::Run(run) | Does::RunOnFiles(run) | Does::RunOnAny(run), .. }, value)) => {
            run(FlagCall { config, value, operands, is_json, app_name, app_version })
        }
        _ => engine::run(config),
    }
}

fn help() -> String {
    page().help()
}

/// The help text's parts.
#[must_use]
pub fn page() -> Page {
    Page {
        name: "gwe",
        about: "Gateway Engine: installs and updates applications over the air, hosts them under supervisord, and reports the gateway's health",
        usage: vec![
            (String::new(), "check in for ever; supervisord runs it so"),
            ("FLAG...".to_string(), "in any order, also after a file name"),
        ],
        flags: TABLE.iter().map(|(title, rows)| (*title, rows.iter().map(|row| &row.flag).collect())).collect(),
        exit: "0 done, 1 failed or not passed, 2 wrong usage, 255 not configured",
    }
}
