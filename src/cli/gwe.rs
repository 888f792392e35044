//! The command line of `gwe` (spec: gateway-engine.md, "Command line").

use std::ffi::OsString;
use std::path::PathBuf;

use super::flags::{self, option, switch, Flag, Parser};
use super::{developer, operator, status};
use crate::config::{paths, Config, Paths, Which, VERSION};
use crate::engine;
use crate::sys::log::{self, Level};

const HELP: Flag = switch("-h", &["--help"], "print this help");
const VERSION_FLAG: Flag = switch("-v", &["--version"], "print the version");
const PATH: Flag = switch("-p", &["--path"], "print the path of this program");
const ENGINE_CONF: Flag = switch("-e", &["--engine-conf"], "print Engine.config as in force");
const GATEWAY_CFG: Flag = switch("-g", &["--gateway-cfg"], "print Gateway.cfg as in force");
const GATEWAY_CIK: Flag = switch("-C", &["--gateway-cik"], "print the CIK ('' if none)");
const STATUS: Flag = switch("", &["--status"], "print identity, last check-in, pending installs and apps");
const JSON: Flag = switch("", &["--json"], "with --status: as JSON");
const ONCE: Flag = switch("-o", &["--once"], "check in once, then exit");
const CREATE: Flag = switch("-x", &["--create-buildfile"], "ask for names and version, and write a buildfile");
const CHECK_BUILDFILE: Flag = option("-w", &["--check-buildfile"], "FILE", "check a buildfile: [PASS], or each fault");
const BUILD: Flag =
    option("-y", &["--build-app", "--build-app-tarball"], "FILE", "build an app, print its tarball's path");
const CHECK_TARBALL: Flag = option("-z", &["--check-tarball"], "FILE", "check a tarball: [PASS], or each fault");
const APP_NAME: Flag = option("-n", &["--app-name"], "NAME", "with --build-app: instead of the buildfile's name");
const APP_VERSION: Flag = option("-s", &["--app-version"], "VERSION", "with --build-app: instead of the buildfile's");
const INSTALL: Flag = switch("-I", &["--install-apps"], "install the tarballs named as operands");
const MAC: Flag = option("", &["--mac-address"], "IFACE", "print the MAC of an interface");
const LATEST: Flag = switch("", &["--download-latest"], "of the original; there is no release area any more");
const LEVEL: Flag =
    option("-d", &["--set-debug-level"], "LEVEL", "DEBUG INFO WARNING ERROR CRITICAL; beside a command: for that run");
const PRODUCT: Flag =
    option("-P", &["--product-id", "--set-product-id"], "ID", "set vendor and model to the product id");
const ROOT: Flag = option("", &["--root"], "DIR", "move every path below DIR (also: GWE_ROOT)");

/// The flags that set one option: the file, the key, the flag.
static SETTERS: &[(Which, &str, Flag)] = &[
    (Which::Gateway, "cik", option("-c", &["--set-cik"], "CIK", "set the CIK")),
    (Which::Gateway, "model", option("-m", &["--set-model"], "MODEL", "set the model")),
    (Which::Gateway, "vendor", option("-r", &["--set-vendor"], "VENDOR", "set the vendor")),
    (Which::Gateway, "uuid", option("-u", &["--set-uuid"], "SERIAL", "set the serial number ('' clears it)")),
    (
        Which::Gateway,
        "iface",
        option("-i", &["--set-iface"], "IFACE", "take the serial number from this interface's MAC"),
    ),
    (
        Which::Engine,
        "activation_retry_interval",
        option("-l", &["--set-act-retry-interval"], "SECONDS", "set the time between two tries to be activated"),
    ),
    (
        Which::Engine,
        "update_interval",
        option("-t", &["--set-update-interval"], "SECONDS", "set the time between two check-ins"),
    ),
    (Which::Engine, "user_agent", option("-a", &["--set-user-agent"], "TEXT", "set the User-Agent ('' restores it)")),
    (Which::Engine, "server", option("", &["--set-server"], "URL", "set the server ('' restores the platform's)")),
];

const ABOUT: &str = "gwe - Gateway Engine: over-the-air application updates, hosting, health reports

Usage: gwe [FLAGS]           without a command: check in for ever
       gwe --install-apps FILE...

Exit status: 0 done, 1 failed or not passed, 2 wrong usage, 255 not configured.
";

/// What a command line asks for.
enum Command {
    Print(String),
    EngineConf,
    GatewayCfg,
    GatewayCik,
    Status { json: bool },
    Once,
    Create,
    CheckBuildfile(PathBuf),
    Build { buildfile: PathBuf, name: Option<String>, version: Option<String> },
    CheckTarball(PathBuf),
    Install(Vec<PathBuf>),
    Mac(String),
    Latest,
    Loop,
}

struct Request {
    paths: Paths,
    level: Option<Level>,
    settings: Vec<(Which, &'static str, String)>,
    command: Option<Command>,
}

/// Runs `gwe` with the given arguments (without the program's name) and returns its exit status.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> u8 {
    match parse(arguments) {
        Ok(request) => execute(request),
        Err(usage) => {
            operator::complain(&format!("gwe: {usage}; see gwe --help"));
            2
        }
    }
}

fn parse(arguments: Vec<OsString>) -> Result<Request, String> {
    let mut parser = Parser::new(arguments);
    let root = parser.value(&ROOT)?.map(OsString::from).or_else(|| std::env::var_os(paths::ROOT_VARIABLE));
    let level = match parser.value(&LEVEL)? {
        None => None,
        Some(name) => Some(Level::parse(&name).ok_or("-d wants DEBUG, INFO, WARNING, ERROR or CRITICAL")?),
    };
    let mut settings = Vec::new();
    if let Some(id) = parser.value(&PRODUCT)? {
        settings.push((Which::Gateway, "vendor", id.clone()));
        settings.push((Which::Gateway, "model", id));
    }
    for (which, key, flag) in SETTERS {
        if let Some(value) = parser.value(flag)? {
            settings.push((*which, *key, value));
        }
    }
    let mut commands = commands(&mut parser)?;
    let install = parser.has(&INSTALL);
    let operands: Vec<PathBuf> = parser.operands()?.into_iter().map(PathBuf::from).collect();
    if install {
        if operands.is_empty() {
            return Err("--install-apps wants at least one tarball".to_string());
        }
        commands.push(Command::Install(operands));
    } else if let Some(operand) = operands.first() {
        return Err(format!("nothing to do with {}", operand.display()));
    }
    if commands.len() > 1 {
        return Err("more than one command".to_string());
    }
    let mut command = commands.pop();
    if command.is_none() && settings.is_empty() {
        match level {
            None => command = Some(Command::Loop),
            // Alone, the flag is a setting; beside a command it counts for that run.
            Some(level) => settings.push((Which::Engine, "log_level", level.name().to_string())),
        }
    }
    Ok(Request { paths: Paths::new(root.unwrap_or_else(|| "/".into())), level, settings, command })
}

fn commands(parser: &mut Parser) -> Result<Vec<Command>, String> {
    let mut found = Vec::new();
    let json = parser.has(&JSON);
    let (name, version) = (parser.value(&APP_NAME)?, parser.value(&APP_VERSION)?);
    if parser.has(&HELP) {
        found.push(Command::Print(help()));
    }
    if parser.has(&VERSION_FLAG) {
        found.push(Command::Print(format!("{VERSION}\n")));
    }
    if parser.has(&PATH) {
        found.push(Command::Print(format!("{}\n", engine::own_executable().display())));
    }
    let switches = [
        (&ENGINE_CONF, Command::EngineConf),
        (&GATEWAY_CFG, Command::GatewayCfg),
        (&GATEWAY_CIK, Command::GatewayCik),
        (&STATUS, Command::Status { json }),
        (&ONCE, Command::Once),
        (&CREATE, Command::Create),
        (&LATEST, Command::Latest),
    ];
    found.extend(switches.into_iter().filter_map(|(flag, command)| parser.has(flag).then_some(command)));
    if let Some(file) = parser.value(&CHECK_BUILDFILE)? {
        found.push(Command::CheckBuildfile(file.into()));
    }
    if let Some(file) = parser.value(&BUILD)? {
        found.push(Command::Build { buildfile: file.into(), name, version });
    }
    if let Some(file) = parser.value(&CHECK_TARBALL)? {
        found.push(Command::CheckTarball(file.into()));
    }
    if let Some(interface) = parser.value(&MAC)? {
        found.push(Command::Mac(interface));
    }
    Ok(found)
}

fn execute(request: Request) -> u8 {
    let Request { paths, level, settings, command } = request;
    if let Some(Command::Print(text)) = command {
        return operator::print(&text);
    }
    let mut config = Config::load(paths.clone());
    log::set_level(level.unwrap_or(config.log_level()));
    if !settings.is_empty() {
        let status = operator::set(&mut config, &settings);
        if status != 0 || command.is_none() {
            return status;
        }
    }
    match command {
        None | Some(Command::Loop) => engine::run(&paths),
        Some(Command::Print(text)) => operator::print(&text),
        Some(Command::EngineConf) => operator::print(&config.text(Which::Engine)),
        Some(Command::GatewayCfg) => operator::print(&config.text(Which::Gateway)),
        Some(Command::GatewayCik) => operator::print_cik(&config),
        Some(Command::Status { json }) => status::print(&config, json),
        Some(Command::Once) => engine::check_in::run(config),
        Some(Command::Install(files)) => operator::install(&config, &files),
        Some(Command::Mac(interface)) => operator::print_mac(&interface),
        Some(Command::Create) => 2,
        Some(Command::CheckBuildfile(file)) => developer::not_yet(&file),
        Some(Command::Build { buildfile, name, version }) => developer::not_yet(&buildfile) | u8::from(name == version),
        Some(Command::CheckTarball(file)) => developer::check_tarball(&file),
        Some(Command::Latest) => {
            operator::complain(
                "gwe: --download-latest: there is no release area any more; updates come over the air or with the image",
            );
            2
        }
    }
}

fn help() -> String {
    let groups: [(&str, Vec<&Flag>); 4] = [
        (
            "Commands",
            vec![
                &HELP,
                &VERSION_FLAG,
                &PATH,
                &ENGINE_CONF,
                &GATEWAY_CFG,
                &GATEWAY_CIK,
                &STATUS,
                &JSON,
                &ONCE,
                &INSTALL,
                &MAC,
                &LATEST,
            ],
        ),
        ("For app developers", vec![&CREATE, &CHECK_BUILDFILE, &BUILD, &CHECK_TARBALL, &APP_NAME, &APP_VERSION]),
        (
            "Settings (each prints the new configuration)",
            std::iter::once(&PRODUCT).chain(SETTERS.iter().map(|(_, _, flag)| flag)).chain([&LEVEL]).collect(),
        ),
        ("Everywhere", vec![&ROOT]),
    ];
    let mut out = ABOUT.to_string();
    for (title, group) in groups {
        out.push('\n');
        out.push_str(title);
        out.push_str(":\n");
        out.push_str(&flags::help(group));
    }
    out
}
