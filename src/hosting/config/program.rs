//! One `[program:x]`, `[eventlistener:x]` or `[fcgi-program:x]`: as many processes as it asks for.

use super::names::{expanded, NamedSection, Names};
use super::users::{self, User};
use super::values::{self, LogFile};
use super::{Loader, Note};
use crate::format::own_options::{
    self, Bounds, AFTER, AFTER_TIMEOUT, MAX_AFTER, PROBE, PROBE_INTERVAL, PROBE_RETRIES, PROBE_TIMEOUT,
};
use crate::format::pairs::{pairs, PairsError};
use crate::format::percent::PercentValue;
use crate::format::shell_words;
use crate::format::sort::sort_by_key;
use crate::hosting::definition::MAX_PROCESSES;
use crate::hosting::table::Restart;

/// How a process is run. Numbers as they are written: who takes them over bounds them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the option of its name
pub struct ProcessConfig {
    pub name: String,
    /// Of its section.
    pub program: String,
    pub command: String,
    pub directory: Option<String>,
    pub umask: Option<i64>,
    pub priority: i64,
    pub autostart: bool,
    pub autorestart: Restart,
    pub startsecs: i64,
    pub startretries: i64,
    pub stopsignal: i32,
    pub stopwaitsecs: i64,
    pub stopasgroup: bool,
    pub killasgroup: bool,
    pub exitcodes: Vec<u8>,
    pub redirect_stderr: bool,
    pub user: Option<User>,
    /// With that of `[supervisord]` under it; in order.
    pub environment: Vec<(String, String)>,
    pub serverurl: Option<String>,
    pub stdout: Output,
    pub stderr: Output,
    /// In bytes; 0: no limit.
    pub memory_max: i64,
    /// 0: as all others.
    pub cpu_weight: i64,
    /// What its start waits for.
    pub after: StartAfter,
    /// How it is asked while it is up.
    pub probe: ProbeConfig,
}

/// What `after` says, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartAfter {
    /// Names of programs, or of groups; each once.
    pub names: Vec<String>,
    /// In seconds.
    pub timeout: i64,
}

/// How a process is asked whether it works, while it is up: options of our own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ProbeConfig {
    /// In words; none: it is not asked.
    pub command: Vec<String>,
    pub interval: i64,
    pub timeout: i64,
    pub retries: i64,
}

/// What becomes of what a process writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Output {
    pub logfile: LogFile,
    pub maxbytes: i64,
    pub backups: i64,
    pub capture_maxbytes: i64,
    pub events_enabled: bool,
    pub syslog: bool,
}

/// `K=V,L=W`.
pub(super) fn environment(text: &str) -> Result<Vec<(String, String)>, String> {
    pairs(text).map_err(|why| match why {
        PairsError::Unexpected => format!("Unexpected end of key/value pairs in value '{text}'"),
        PairsError::Quote => "No closing quotation".to_string(),
    })
}

/// Puts `over` on top of `under`, in order.
pub(super) fn merged(under: &[(String, String)], over: &[(String, String)]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for (name, value) in under.iter().chain(over) {
        match all.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => old.clone_from(value),
            None => all.push((name.clone(), value.clone())),
        }
    }
    crate::format::sort::sort(&mut all);
    all
}

/// What is the same for all processes of a section.
struct Common {
    process_name: String,
    process: ProcessConfig,
    environment: String,
    numprocs: i64,
    first: i64,
}

/// The processes of a section, by priority and name.
pub(super) fn processes(loader: &mut Loader, section: &str, group: &str) -> Result<Vec<ProcessConfig>, String> {
    let program = values::name(section.split_once(':').map_or("", |(_, name)| name))?;
    let mut names = Names::default();
    names.set_text("here", &loader.here);
    names.set_text("program_name", &program);
    names.set_text("host_node_name", &loader.host);
    names.set_text("group_name", group);
    let mut common = common(&loader.section(section), &names)?;
    common.process.program = program;
    let mut processes = Vec::new();
    for number in common.first..common.first.saturating_add(common.numprocs) {
        processes.push(one(loader, section, &common, &mut names, number)?);
    }
    sort_by_key(&mut processes, |process| (process.priority, process.name.clone()));
    Ok(processes)
}

fn common(section: &NamedSection<'_>, names: &Names) -> Result<Common, String> {
    let get = |key: &str, default: &str| section.get(key, default, names);
    let integer = |key: &str, default: &str| values::integer(&get(key, default)?);
    let boolean = |key: &str, default: &str| values::boolean(&get(key, default)?);
    let size = |key: &str| values::byte_size(&get(key, "0")?);
    let own_number = |bounds: Bounds| {
        let number = integer(bounds.key, &bounds.default.to_string())?;
        values::within(bounds, number)
    };
    // In the order in which the real one looks at them: of several faults it tells the first.
    let priority = integer("priority", "999")?;
    let autostart = boolean("autostart", "true")?;
    let autorestart = values::autorestart(&get("autorestart", "unexpected")?)?;
    let startsecs = integer("startsecs", "1")?;
    let startretries = integer("startretries", "3")?;
    let stopsignal = values::signal(&get("stopsignal", "TERM")?)?;
    let stopwaitsecs = integer("stopwaitsecs", "10")?;
    let stopasgroup = boolean("stopasgroup", "false")?;
    let killasgroup = boolean("killasgroup", if stopasgroup { "true" } else { "false" })?;
    let exitcodes = values::exit_codes(&get("exitcodes", "0")?)?;
    let redirect_stderr = boolean("redirect_stderr", "false")?;
    let numprocs = integer("numprocs", "1")?;
    let first = integer("numprocs_start", "0")?;
    let output = |capture_maxbytes, events_enabled| Output {
        logfile: LogFile::None,
        maxbytes: 0,
        backups: 0,
        capture_maxbytes,
        events_enabled,
        syslog: false,
    };
    let stdout = output(size("stdout_capture_maxbytes")?, boolean("stdout_events_enabled", "false")?);
    let stderr = output(size("stderr_capture_maxbytes")?, boolean("stderr_events_enabled", "false")?);
    let serverurl = section.find("serverurl", names)?;
    let serverurl = serverurl.filter(|url| !url.trim().eq_ignore_ascii_case("AUTO"));
    let user = section.find("user", names)?.map(|name| users::user(&name)).transpose()?;
    let umask = section.find("umask", names)?.map(|text| values::octal(&text)).transpose()?;
    let process_name = values::name(section.raw("process_name").unwrap_or("%(program_name)s"))?;
    if numprocs > 1 && !process_name.contains("%(process_num)") {
        return Err("%(process_num) must be present within process_name when numprocs > 1".to_string());
    }
    if stopasgroup && !killasgroup {
        return Err("Cannot set stopasgroup=true and killasgroup=false".to_string());
    }
    if numprocs > MAX_PROCESSES as i64 {
        return Err(format!("numprocs is above upper bound ({MAX_PROCESSES})"));
    }
    let probe = ProbeConfig {
        command: Vec::new(),
        interval: own_number(PROBE_INTERVAL)?,
        timeout: own_number(PROBE_TIMEOUT)?,
        retries: own_number(PROBE_RETRIES)?,
    };
    let after = StartAfter { names: names_after(&get(AFTER, "")?)?, timeout: own_number(AFTER_TIMEOUT)? };
    let process = ProcessConfig {
        name: String::new(),
        program: String::new(),
        command: String::new(),
        directory: None,
        umask,
        priority,
        autostart,
        autorestart,
        startsecs,
        startretries,
        stopsignal,
        stopwaitsecs,
        stopasgroup,
        killasgroup,
        exitcodes,
        redirect_stderr,
        user,
        environment: Vec::new(),
        serverurl,
        stdout,
        stderr,
        memory_max: size("memory_max")?,
        cpu_weight: integer("cpu_weight", "0")?,
        after,
        probe,
    };
    let environment = section.raw("environment").unwrap_or_default().to_string();
    Ok(Common { process_name, process, environment, numprocs, first })
}

/// The process of this number. The names of one stay for the next, as they do in the real one.
fn one(
    loader: &mut Loader,
    section: &str,
    common: &Common,
    names: &mut Names,
    number: i64,
) -> Result<ProcessConfig, String> {
    names.set("process_num", PercentValue::Number(number));
    names.set("numprocs", PercentValue::Number(common.numprocs));
    names.add(&loader.variables);
    let own = environment(&expanded(&common.environment, "environment", &loader.variables, names)?)?;
    names.add_environment(&own);
    let mut process = common.process.clone();
    process.environment = merged(&loader.environment, &own);
    process.directory = loader.section(section).find("directory", names)?;
    for channel in ["stdout", "stderr"] {
        let mut notes = Vec::new();
        let output = if channel == "stdout" { &mut process.stdout } else { &mut process.stderr };
        log(&loader.section(section), channel, names, output, &mut notes)?;
        loader.notes.append(&mut notes);
    }
    if process.redirect_stderr {
        if matches!(process.stderr.logfile, LogFile::File(_)) {
            loader.notes.push(Note::warning(format!(
                "For [{section}], redirect_stderr=true but stderr_logfile has also been set to a filename, the filename has been ignored"
            )));
        }
        process.stderr.logfile = LogFile::None;
    }
    process.command = match loader.section(section).find("command", names)? {
        Some(command) => command,
        None => return Err(format!("program section {section} does not specify a command")),
    };
    ask(&loader.section(section), names, &mut process.probe)?;
    process.name = expanded(&common.process_name, "process_name", &loader.variables, names)?;
    Ok(process)
}

/// The names in `after`.
fn names_after(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = own_options::names(text).into_iter().map(values::name).collect::<Result<_, _>>()?;
    if names.len() > MAX_AFTER {
        return Err(format!("{AFTER} names more than {MAX_AFTER} programs"));
    }
    Ok(names)
}

/// What is asked: nothing is kept of it where nothing asks again and again.
fn ask(section: &NamedSection<'_>, names: &Names, probe: &mut ProbeConfig) -> Result<(), String> {
    let command = section.find(PROBE, names)?.unwrap_or_default();
    probe.command = shell_words::split(&command).map_err(|why| [PROBE, ": ", why].concat())?;
    if probe.command.is_empty() && probe.interval > 0 {
        return Err(format!("{} without a {PROBE}", PROBE_INTERVAL.key));
    }
    if probe.interval == 0 {
        *probe = ProbeConfig::default();
    }
    Ok(())
}

/// The four options of one output's log.
fn log(
    section: &NamedSection<'_>,
    channel: &str,
    names: &Names,
    output: &mut Output,
    notes: &mut Vec<Note>,
) -> Result<(), String> {
    let key = |rest: &str| [channel, rest].concat();
    let file = key("_logfile");
    output.logfile = match section.find(&file, names)? {
        // Expanded twice: so does the real one.
        Some(once) => values::log_file(&expanded(&once, &file, section.common, names)?)?,
        None => LogFile::Auto,
    };
    output.backups = values::integer(&section.get(&key("_logfile_backups"), "10", names)?)?;
    output.maxbytes = values::byte_size(&section.get(&key("_logfile_maxbytes"), "50MB", names)?)?;
    output.syslog = values::boolean(&section.get(&key("_syslog"), "false", names)?)?;
    let name = section.name;
    if output.logfile == LogFile::Syslog {
        notes.push(Note::warning(format!(
            "For [{name}], {file}=syslog but this is deprecated and will be removed.  Use {channel}_syslog=true to enable syslog instead."
        )));
        output.logfile = LogFile::None;
        output.syslog = true;
    }
    if output.logfile == LogFile::Auto && output.maxbytes == 0 {
        notes.push(Note::warning(format!(
            "For [{name}], AUTO logging used for {file} without rollover, set maxbytes > 0 to avoid filling up filesystem unintentionally"
        )));
    }
    Ok(())
}
