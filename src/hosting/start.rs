//! How supervisord starts: flags, files, limits; then this process is the core.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::config::{self, Configuration, Note, Strictness, Surroundings};
use super::definition::Settings;
use super::encode::{encode, Start};
use super::flags::{parse, Flags};
use super::{auto_logs, cgroup, definition, encode::Bytes, renewal};
use crate::sys::core_link::{become_core, memory_file};
use crate::sys::limits::{at_least, is_root, Limit};
use crate::sys::{clock, zones};

/// The core's file: beside the program, else where its own prefix has it, else here.
const CORE: &str = "hosting-core";
const CORE_IN_PREFIX: &str = "libexec/gwe";
const CORE_FOLDER: &str = "/usr/libexec/gwe";

/// The places that are tried without `-c`, behind those beside the program.
const PLACES: [&str; 4] =
    ["supervisord.conf", "etc/supervisord.conf", "/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"];

/// The configuration as it is now, under the flags of the start. Nothing is left out.
///
/// # Errors
/// Why it cannot be used, as supervisord says it.
pub fn read_again(arguments: &[Vec<u8>], started_in: &str) -> Result<Configuration, String> {
    let texts: Vec<String> = arguments.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    let (name, rest) = texts.split_first().ok_or("no arguments")?;
    let around = Surroundings { folder: started_in.to_string(), ..Surroundings::here() };
    let mut configuration = read(name, &parse(rest)?, Strictness::Refuse, &around)?;
    let user = configuration.daemon.user.clone();
    configuration.notes.extend(note_of_user(user.as_deref())?);
    Ok(configuration)
}

fn read(name: &str, flags: &Flags, strictness: Strictness, around: &Surroundings) -> Result<Configuration, String> {
    let file = match flags.value("configuration") {
        Some(file) => file.to_string(),
        None => find_configuration(name, &around.folder)?,
    };
    let mut configuration = config::load(&file, strictness, around).map_err(|fault| fault.text)?;
    flags.put_over(&mut configuration.daemon)?;
    Ok(configuration)
}

fn find_configuration(name: &str, folder: &str) -> Result<String, String> {
    let above = Path::new(name).parent().and_then(Path::parent).unwrap_or(Path::new("")).to_path_buf();
    let beside = ["etc/supervisord.conf", "supervisord.conf"].map(|place| above.join(place));
    let places: Vec<PathBuf> = beside.into_iter().chain(PLACES.map(PathBuf::from)).collect();
    let found = places.iter().find(|place| Path::new(folder).join(place).exists());
    found.map(|place| place.display().to_string()).ok_or_else(|| {
        let shown: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        let shown = shown.join(", ");
        format!(
            "No config file found at default paths ({shown}); use the -c option to specify a config file at a different path"
        )
    })
}

/// Becomes the daemon.
///
/// # Errors
/// Why not, as supervisord says it.
pub fn start(name: &OsStr, arguments: &[OsString], flags: &Flags) -> Result<Infallible, String> {
    let around = Surroundings::here();
    let mut configuration = read(&name.to_string_lossy(), flags, Strictness::LeaveOut, &around)?;
    let user = configuration.daemon.user.clone();
    configuration.notes.extend(note_of_user(user.as_deref())?);
    raise_limits(&mut configuration)?;
    let front = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let core = find_core(&front)?;
    let given: Vec<u8> =
        std::iter::once(name).chain(arguments.iter().map(OsString::as_os_str)).flat_map(listed).collect();
    let folder = &around.folder;
    let text = |path: &Path| path.to_string_lossy().into_owned().into_bytes();
    let core_path = text(&renewal::place_of(&core, &configuration.daemon.pidfile));
    let (front, zones) = (text(&front), zones_from_now());
    let cgroups =
        cgroup::folder_for(&configuration, std::process::id()).map(|folder| text(&folder)).unwrap_or_default();
    let settings = Settings {
        arguments: &given,
        started_in: folder.as_bytes(),
        front: &front,
        core: &core_path,
        zones: &zones,
        cgroups: &cgroups,
        ..Settings::default()
    };
    if !configuration.daemon.nocleanup {
        let left = auto_logs::clean(&configuration.daemon.childlogdir, &configuration.daemon.identifier);
        configuration.notes.extend(left.into_iter().map(|text| Note { level: 30, text }));
    }
    let blob = encode(&configuration, &Start { folder, settings, known_log: &|_, _, _| None })?;
    let checked = definition::Configuration::checked(&blob).ok_or("the configuration is too large")?;
    for group in checked.all_groups() {
        auto_logs::create(&group).map_err(|error| {
            format!("cannot make the log files of {}: {error}", String::from_utf8_lossy(group.name))
        })?;
    }
    let file = memory_file(&blob).map_err(|error| format!("cannot hand the configuration over: {error}"))?;
    let error = become_core(&core, name, arguments, &file);
    Err(format!("cannot become {}: {error}", core.display()))
}

fn listed(text: &OsStr) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    text.as_bytes().iter().copied().chain([0]).collect()
}

/// The core beside the program, else the image's.
///
/// # Errors
/// There is none, said in a sentence.
pub fn find_core(program: &Path) -> Result<PathBuf, String> {
    let beside = program.parent();
    let in_prefix = beside.and_then(Path::parent).map(|prefix| prefix.join(CORE_IN_PREFIX));
    let folders = beside.map(Path::to_path_buf).into_iter().chain(in_prefix).chain([CORE_FOLDER.into()]);
    let mut places: Vec<PathBuf> = folders.map(|folder| folder.join(CORE)).collect();
    places.dedup();
    let found = places.iter().find(|place| place.is_file()).cloned();
    found.ok_or_else(|| {
        let shown: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        format!("the core of supervisord is missing; it is looked for at {}", shown.join(" and "))
    })
}

/// The rules of local time for the core.
#[must_use]
pub fn zones_from_now() -> Vec<u8> {
    let mut out = Bytes::default();
    let now = i64::try_from(clock::unix_seconds()).unwrap_or(0);
    for (since, offset) in zones::changes(now) {
        definition::Zone { since, offset, ..definition::Zone::default() }.encode(&mut out);
    }
    out.0
}

fn note_of_user(user: Option<&str>) -> Result<Option<Note>, String> {
    let Some(name) = user else {
        let text = "Supervisor is running as root.  Privileges were not dropped because no user is specified in the config file.  If you \
                    intend to run as root, you can set user=root in the config file to avoid this message.";
        return Ok(is_root().then(|| Note { level: 50, text: text.to_string() }));
    };
    let user = config::user(name)?;
    Ok(Some(Note { level: 20, text: format!("Set uid to user {} succeeded", user.uid) }))
}

fn raise_limits(configuration: &mut Configuration) -> Result<(), String> {
    let daemon = &configuration.daemon;
    let wanted = [(Limit::Files, daemon.minfds), (Limit::Processes, daemon.minprocs)];
    for (limit, minimum) in wanted {
        let minimum = u64::try_from(minimum).unwrap_or(0);
        match at_least(limit, minimum) {
            Ok(false) => {}
            Ok(true) => {
                let name = if limit == Limit::Files { "RLIMIT_NOFILE" } else { "RLIMIT_NPROC" };
                configuration.notes.push(Note { level: 20, text: format!("Increased {name} limit to {minimum}") });
            }
            Err(hard) => return Err(too_low(limit, minimum, hard)),
        }
    }
    Ok(())
}

fn too_low(limit: Limit, minimum: u64, hard: u64) -> String {
    let (what, program, option, to) = match limit {
        Limit::Files => ("file descriptors", "process", "minfds", "the process to start"),
        Limit::Processes => ("available processes", "program", "minprocs", "the program to start"),
    };
    let few = what.trim_start_matches("available ");
    let usable = if limit == Limit::Files { "file descriptors" } else { "processes" };
    format!(
        "The minimum number of {what} required to run this {program} is {minimum} as per the \"{option}\" command-line argument or config \
         file setting. The current environment will only allow you to open {hard} {few}.  Either raise the number of usable {usable} in \
         your environment (see README.rst) or lower the {option} setting in the config file to allow {to}."
    )
}
