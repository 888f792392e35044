//! A checked configuration becomes bytes for the core. Numbers are bounded to what their fields hold; a relative path becomes an absolute one.

use std::marker::PhantomData;
use std::net::{IpAddr, ToSocketAddrs};

use super::cgroup;
use super::config::{
    absolute, order, Configuration, Endpoint, Group, GroupKind, LogFile, Note, Output, ProcessConfig, Server, User,
};
use super::definition::{self, Channel, Program, Settings, MAGIC, MAX_CONFIGURATION};
use super::wire::FieldSink;
use crate::format::shell_words;

/// A buffer that grows.
#[derive(Default)]
pub struct Bytes(pub Vec<u8>);

impl FieldSink for Bytes {
    fn put(&mut self, bytes: &[u8]) -> bool {
        self.0.extend_from_slice(bytes);
        true
    }
}

/// The log file that a process of this group already has for an output whose file supervisord names.
pub type KnownLog<'a> = dyn Fn(&str, &str, &str) -> Option<Vec<u8>> + 'a;

/// What only the caller knows.
pub struct Start<'a> {
    /// The folder that relative paths are meant from.
    pub folder: &'a str,
    /// Its `arguments`, `started_in`, `front`, `core`, `zones` and `cgroups`; all else is filled in here.
    pub settings: Settings<'a>,
    /// See there.
    pub known_log: &'a KnownLog<'a>,
}

/// A number as its field can hold it; a negative one is 0.
fn bounded(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

fn signed(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}

fn id(number: Option<u32>) -> i32 {
    number.and_then(|number| i32::try_from(number).ok()).unwrap_or(-1)
}

fn numbers(groups: &[u32]) -> Vec<u8> {
    groups.iter().flat_map(|group| group.to_le_bytes()).collect()
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<u8> {
    texts.flat_map(|text| text.bytes().chain([0])).collect()
}

/// The bytes.
///
/// # Errors
/// The user of the daemon is not there, a host has no address, or it is all too much.
pub fn encode(configuration: &Configuration, start: &Start<'_>) -> Result<Vec<u8>, String> {
    let daemon = &configuration.daemon;
    let user = daemon.user.as_deref().map(super::config::user).transpose()?;
    let mut servers = Bytes::default();
    for server in &configuration.servers {
        put_server(server, &mut servers)?;
    }
    let mut notes = Bytes::default();
    for note in ordered_notes(configuration) {
        definition::Note { level: note.level, text: note.text.as_bytes(), ..definition::Note::default() }
            .encode(&mut notes);
    }
    let whole = |path: &str| absolute(path, start.folder).into_bytes();
    let to_syslog = daemon.logfile == "syslog";
    let logfile = if to_syslog { Vec::new() } else { whole(&daemon.logfile) };
    let (pidfile, childlogdir) = (whole(&daemon.pidfile), whole(&daemon.childlogdir));
    let directory = daemon.directory.as_deref().map(whole).unwrap_or_default();
    let groups = numbers(user.as_ref().map_or(&[], |user| &user.groups));
    let server_url = server_url(configuration);
    let settings = Settings {
        identifier: daemon.identifier.as_bytes(),
        logfile: &logfile,
        logfile_maxbytes: u64::try_from(daemon.logfile_maxbytes).unwrap_or(0),
        logfile_backups: bounded(daemon.logfile_backups),
        log_to_syslog: to_syslog,
        loglevel: daemon.loglevel,
        pidfile: &pidfile,
        nodaemon: daemon.nodaemon,
        silent: daemon.silent,
        directory: &directory,
        umask: bounded(daemon.umask),
        strip_ansi: daemon.strip_ansi,
        uid: id(user.as_ref().map(|user| user.uid)),
        gid: id(user.as_ref().map(|user| user.gid)),
        groups: &groups,
        servers: &servers.0,
        server_url: server_url.as_bytes(),
        configuration: configuration.file.as_bytes(),
        notes: &notes.0,
        watchdog: daemon.watchdog.as_deref().unwrap_or_default().as_bytes(),
        has_rpc: configuration.has_interface,
        childlogdir: &childlogdir,
        ..start.settings
    };
    let (mut fields, mut all) = (Bytes::default(), Bytes::default());
    settings.encode(&mut fields);
    let known = KnownPaths {
        daemon,
        folder: &log_folder(daemon, start.folder),
        known_log: start.known_log,
        cgroups: start.settings.cgroups,
    };
    let mut seen: Vec<&str> = Vec::new();
    for group in &configuration.groups {
        // Of two of one name the first is there; so it is in the real one.
        if !seen.contains(&group.name.as_str()) {
            seen.push(&group.name);
            put_group(group, &configuration.groups, &known, &mut all);
        }
    }
    let mut out = Bytes::default();
    definition::Configuration {
        magic: MAGIC,
        settings: &fields.0,
        groups: &all.0,
        ..definition::Configuration::default()
    }
    .encode(&mut out);
    if out.0.len() > MAX_CONFIGURATION {
        return Err(format!("the configuration is larger than {MAX_CONFIGURATION} bytes"));
    }
    Ok(out.0)
}

/// Relative names of logs are meant from where the daemon goes.
fn log_folder(daemon: &super::config::Daemon, folder: &str) -> String {
    match &daemon.directory {
        Some(directory) if !daemon.nodaemon => absolute(directory, folder),
        _ => folder.to_string(),
    }
}

/// The lines that the log begins with: what is worst first, as in the real one, then the servers.
fn ordered_notes(configuration: &Configuration) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for level in [50, 30, 20] {
        notes.extend(configuration.notes.iter().filter(|note| note.level == level).cloned());
    }
    for server in &configuration.servers {
        if configuration.has_interface {
            notes.push(Note { level: 20, text: "RPC interface 'supervisor' initialized".to_string() });
        }
        // An empty name is none: so the real one has it.
        if server.username.as_deref().unwrap_or_default().is_empty() {
            let text = format!("Server '{}' running without any HTTP authentication checking", server.section);
            notes.push(Note { level: 50, text });
        }
    }
    notes
}

fn server_url(configuration: &Configuration) -> String {
    let unix = configuration.servers.iter().find_map(|server| match &server.at {
        Endpoint::Unix { path, .. } => Some(["unix://", path].concat()),
        Endpoint::Inet { .. } => None,
    });
    let inet = configuration.servers.iter().find_map(|server| match &server.at {
        Endpoint::Inet { host, port } if host.is_empty() => Some(format!("http://localhost:{port}")),
        Endpoint::Inet { host, port } => Some(format!("http://{host}:{port}")),
        Endpoint::Unix { .. } => None,
    });
    unix.or(inet).unwrap_or_default()
}

/// The bytes of an address, the older family first.
fn address(host: &str) -> Option<Vec<u8>> {
    let bytes = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    if host.is_empty() {
        return Some(vec![0; 4]);
    }
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        return Some(bytes(address));
    }
    let found: Vec<IpAddr> = (host, 0).to_socket_addrs().ok()?.map(|address| address.ip()).collect();
    found.iter().find(|address| address.is_ipv4()).or(found.first()).copied().map(bytes)
}

fn put_server(server: &Server, out: &mut Bytes) -> Result<(), String> {
    let mut record = definition::Server {
        section: server.section.as_bytes(),
        uid: -1,
        gid: -1,
        username: server.username.as_deref().unwrap_or_default().as_bytes(),
        password: server.password.as_deref().unwrap_or_default().as_bytes(),
        ..definition::Server::default()
    };
    let bytes;
    match &server.at {
        Endpoint::Unix { path, owner, mode } => {
            record.path = path.as_bytes();
            record.mode = bounded(*mode);
            record.uid = id(owner.map(|owner| owner.0));
            record.gid = id(owner.and_then(|owner| owner.1));
        }
        Endpoint::Inet { host, port } => {
            bytes = address(host).ok_or("Cannot open an HTTP server: socket.error reported -2")?;
            record.host = host.as_bytes();
            record.address = &bytes;
            record.port = u32::from(*port);
        }
    }
    record.encode(out);
    Ok(())
}

struct KnownPaths<'a> {
    daemon: &'a super::config::Daemon,
    folder: &'a str,
    known_log: &'a KnownLog<'a>,
    cgroups: &'a [u8],
}

impl KnownPaths<'_> {
    /// The file of an output; an automatic one that is new gets a name that nobody can foresee.
    fn path(&self, group: &str, process: &str, channel: &str, output: &Output) -> Vec<u8> {
        match &output.logfile {
            // An empty name is none.
            LogFile::File(path) if path.is_empty() => Vec::new(),
            LogFile::File(path) => absolute(path, self.folder).into_bytes(),
            LogFile::Auto => (self.known_log)(group, process, channel).unwrap_or_else(|| {
                let folder = self.daemon.childlogdir.trim_end_matches('/');
                let identifier = &self.daemon.identifier;
                let path = format!("{folder}/{process}-{channel}---{identifier}-{}.log", token());
                absolute(&path, self.folder).into_bytes()
            }),
            LogFile::None | LogFile::Syslog => Vec::new(),
        }
    }
}

/// Eight letters that nobody can foresee.
fn token() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";
    let random = crate::sys::random::bits();
    (0..8).map(|place| char::from(LETTERS[(random >> (5 * place)) as usize % 32])).collect()
}

fn put_group(group: &Group, all: &[Group], known: &KnownPaths<'_>, out: &mut Bytes) {
    let mut programs = Bytes::default();
    for (index, process) in group.processes.iter().enumerate() {
        // Of two of one name the last is there; so it is in the real one.
        if !group.processes[index + 1..].iter().any(|later| later.name == process.name) {
            put_process(process, &group.name, all, known, &mut programs);
        }
    }
    let mut record = definition::Group {
        name: group.name.as_bytes(),
        priority: signed(group.priority),
        programs: &programs.0,
        is_heterogeneous: group.is_heterogeneous,
        ..definition::Group::default()
    };
    let bytes;
    match &group.kind {
        GroupKind::Programs => record.kind = definition::KIND_PROGRAM,
        GroupKind::Listeners { buffer_size, events } => {
            record.kind = definition::KIND_LISTENER;
            record.buffer_size = bounded(*buffer_size);
            record.events = *events;
        }
        GroupKind::Fcgi(socket) => {
            record.kind = definition::KIND_FCGI;
            bytes = address(&socket.host).filter(|_| socket.path.is_none()).unwrap_or_default();
            record.socket = socket.url.as_bytes();
            record.socket_path = socket.path.as_deref().unwrap_or_default().as_bytes();
            record.socket_address = &bytes;
            record.socket_port = u32::from(socket.port);
            record.socket_mode = bounded(socket.mode);
            record.socket_uid = id(socket.owner.map(|owner| owner.0));
            record.socket_gid = id(socket.owner.and_then(|owner| owner.1));
            record.socket_backlog = bounded(socket.backlog.unwrap_or(0));
        }
    }
    record.encode(out);
}

fn channel(output: &Output, path: &[u8]) -> Vec<u8> {
    let mut bytes = Bytes::default();
    let record = Channel {
        logfile: path,
        is_auto: output.logfile == LogFile::Auto,
        maxbytes: u64::try_from(output.maxbytes).unwrap_or(0),
        backups: bounded(output.backups),
        capture_maxbytes: bounded(output.capture_maxbytes),
        has_events: output.events_enabled,
        to_syslog: output.syslog,
        end: PhantomData,
    };
    record.encode(&mut bytes);
    bytes.0
}

fn put_process(process: &ProcessConfig, group: &str, all: &[Group], known: &KnownPaths<'_>, out: &mut Bytes) {
    let (argv, fault) = match shell_words::split(&process.command) {
        Ok(words) => (list(words.iter().map(String::as_str)), ""),
        Err(why) => (Vec::new(), why),
    };
    let mut exitcodes = [0; 32];
    for code in &process.exitcodes {
        exitcodes[usize::from(code / 8)] |= 1 << (code % 8);
    }
    let variables: Vec<String> = process.environment.iter().map(|(name, value)| [name, "=", value].concat()).collect();
    let environment = list(variables.iter().map(String::as_str));
    let path = |name: &str, output: &Output| channel(output, &known.path(group, &process.name, name, output));
    let stdout = path("stdout", &process.stdout);
    let stderr = if process.redirect_stderr { channel(&process.stderr, b"") } else { path("stderr", &process.stderr) };
    let name = cgroup::name_of(&known.daemon.identifier, group, &process.name);
    let has_cgroup = !known.cgroups.is_empty() && (process.memory_max > 0 || process.cpu_weight > 0);
    let cgroup = if has_cgroup { [known.cgroups, b"/", name.as_bytes()].concat() } else { Vec::new() };
    let user: Option<&User> = process.user.as_ref();
    let groups = numbers(user.map_or(&[], |user| &user.groups));
    let (after, missing) = order::resolved(&process.after, all);
    let (after, missing) = (list(after.iter().map(String::as_str)), list(missing.iter().map(String::as_str)));
    let record = Program {
        name: process.name.as_bytes(),
        command: process.command.as_bytes(),
        argv: &argv,
        command_fault: fault.as_bytes(),
        priority: signed(process.priority),
        autostart: process.autostart,
        autorestart: process.autorestart as u32,
        startsecs: bounded(process.startsecs),
        startretries: bounded(process.startretries),
        stopsignal: bounded(i64::from(process.stopsignal)),
        stopwaitsecs: bounded(process.stopwaitsecs),
        stopasgroup: process.stopasgroup,
        killasgroup: process.killasgroup,
        exitcodes,
        uid: id(user.map(|user| user.uid)),
        gid: id(user.map(|user| user.gid)),
        groups: &groups,
        directory: process.directory.as_deref().unwrap_or_default().as_bytes(),
        umask: process.umask.map_or(-1, |umask| signed(umask.max(0))),
        environment: &environment,
        serverurl: process.serverurl.as_deref().unwrap_or_default().as_bytes(),
        redirect_stderr: process.redirect_stderr,
        stdout: &stdout,
        stderr: &stderr,
        memory_max: u64::try_from(process.memory_max).unwrap_or(0),
        cpu_weight: bounded(process.cpu_weight),
        after: &after,
        after_missing: &missing,
        after_timeout: bounded(process.after.timeout),
        cgroup: &cgroup,
        probe: &list(process.probe.command.iter().map(String::as_str)),
        probe_interval: bounded(process.probe.interval),
        probe_timeout: bounded(process.probe.timeout),
        probe_retries: bounded(process.probe.retries),
        end: PhantomData,
    };
    record.encode(out);
}
