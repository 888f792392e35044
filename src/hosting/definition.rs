//! The checked configuration in bytes: what the front end hands to the core, once it has read and understood every text in it. Numbers are
//! numbers here, a command is split, users are ids, and nothing is left to expand.
//!
//! A list of texts is one field in which each text ends with a NUL. No text may hold a NUL itself; the front end refuses that.

use super::wire::{record, records, Reader};

/// First field of a configuration; the last digit is the form's.
pub const MAGIC: u32 = 0x4757_4801;

/// A configuration as a whole may have so many bytes; the core takes no larger one.
pub const MAX_CONFIGURATION: usize = 4 << 20;
/// And so many processes.
pub const MAX_PROCESSES: usize = 2000;

record! {
    /// All of it.
    Configuration {
        magic: u32,
        /// One `Settings`.
        settings: &'a [u8],
        /// `Group` after `Group`, in ascending priority.
        groups: &'a [u8],
    }
}

record! {
    /// What `[supervisord]` and the servers say. Paths are absolute.
    Settings {
        identifier: &'a [u8],
        /// Empty: none. Everything but a regular file is never rotated.
        logfile: &'a [u8],
        logfile_maxbytes: u64,
        logfile_backups: u32,
        log_to_syslog: bool,
        /// 50 critical, 40 error, 30 warn, 20 info, 10 debug, 5 trace, 3 blather.
        loglevel: u32,
        /// Empty: none.
        pidfile: &'a [u8],
        nodaemon: bool,
        silent: bool,
        /// Empty: none. Only when daemonizing.
        directory: &'a [u8],
        umask: u32,
        strip_ansi: bool,
        /// -1: none. Otherwise the daemon itself goes there.
        uid: i32,
        gid: i32,
        /// Numbers of four bytes.
        groups: &'a [u8],
        /// `Server` after `Server`.
        servers: &'a [u8],
        /// What a program gets as SUPERVISOR_SERVER_URL; empty: nothing.
        server_url: &'a [u8],
        /// The arguments of this supervisord, its name first: a list of texts. The front end reads the files anew with them.
        arguments: &'a [u8],
        /// The file that was read.
        configuration: &'a [u8],
        /// The working directory of the start: relative paths of the arguments are meant from there.
        started_in: &'a [u8],
        /// The program that the front end is, as `gwe`.
        front: &'a [u8],
        /// The core's own file.
        core: &'a [u8],
        /// `Zone` after `Zone`, by time.
        zones: &'a [u8],
        /// `Note` after `Note`: what goes into the log first.
        notes: &'a [u8],
        /// Empty: none.
        watchdog: &'a [u8],
        has_rpc: bool,
        childlogdir: &'a [u8],
        /// The folder of its programs' cgroups; empty: none.
        cgroups: &'a [u8],
    }
}

record! {
    /// A listening socket.
    Server {
        /// The name of its section.
        section: &'a [u8],
        /// Of a unix socket; empty: it is an inet one.
        path: &'a [u8],
        mode: u32,
        /// -1: as the daemon's.
        uid: i32,
        gid: i32,
        /// As written, for messages.
        host: &'a [u8],
        /// Four or sixteen bytes.
        address: &'a [u8],
        port: u32,
        username: &'a [u8],
        password: &'a [u8],
    }
}

record! {
    /// From this moment on (seconds of 1970), local time is so many seconds ahead of UTC.
    Zone {
        since: i64,
        offset: i32,
    }
}

record! {
    /// A line for the log.
    Note {
        level: u32,
        text: &'a [u8],
    }
}

/// `Group::kind`.
pub const KIND_PROGRAM: u32 = 0;
pub const KIND_LISTENER: u32 = 1;
pub const KIND_FCGI: u32 = 2;

record! {
    /// A group with its processes.
    Group {
        name: &'a [u8],
        priority: i32,
        kind: u32,
        /// `Program` after `Program`, by priority, then name.
        programs: &'a [u8],
        /// Of a listener: the events it wants, a bit for each of `events::EVENTS`.
        events: u64,
        buffer_size: u32,
        /// Of an fcgi-program: `unix://...` or `tcp://...`, and how the socket is made.
        socket: &'a [u8],
        socket_path: &'a [u8],
        socket_address: &'a [u8],
        socket_port: u32,
        socket_mode: u32,
        socket_uid: i32,
        socket_gid: i32,
        socket_backlog: u32,
        /// Whether it is a `[group:x]` (or listener, fcgi) rather than a program alone. For the front end.
        is_heterogeneous: bool,
    }
}

record! {
    /// One process, all numbers of a program counted out.
    Program {
        name: &'a [u8],
        /// As written, expanded.
        command: &'a [u8],
        /// The command split: a list of texts. Empty with `command_fault` set where it cannot be split.
        argv: &'a [u8],
        command_fault: &'a [u8],
        priority: i32,
        autostart: bool,
        /// `table::Restart`.
        autorestart: u32,
        startsecs: u32,
        startretries: u32,
        stopsignal: u32,
        stopwaitsecs: u32,
        stopasgroup: bool,
        killasgroup: bool,
        /// A bit for each code, the lowest of the first byte for 0.
        exitcodes: [u8; 32],
        /// -1: none.
        uid: i32,
        gid: i32,
        /// Numbers of four bytes.
        groups: &'a [u8],
        /// Empty: none.
        directory: &'a [u8],
        /// -1: none.
        umask: i32,
        /// What goes over the daemon's own environment, `[supervisord]`'s under it: a list of `NAME=value`.
        environment: &'a [u8],
        /// Empty: the daemon's.
        serverurl: &'a [u8],
        redirect_stderr: bool,
        /// `Channel`.
        stdout: &'a [u8],
        /// `Channel`; without a log with redirect_stderr.
        stderr: &'a [u8],
        /// 0: no limit.
        memory_max: u64,
        /// 0: as all others.
        cpu_weight: u32,
        /// What its start by itself waits for: a list of texts, `group` or `group:process`.
        after: &'a [u8],
        /// Names in the same option of which there is nothing: a list of texts, for the log.
        after_missing: &'a [u8],
        /// In seconds.
        after_timeout: u32,
        /// The folder of its own cgroup; empty: none.
        cgroup: &'a [u8],
        /// The command that asks whether it works: a list of texts. Empty: nothing is asked while it is up.
        probe: &'a [u8],
        /// In seconds; 0 with an empty probe.
        probe_interval: u32,
        probe_timeout: u32,
        probe_retries: u32,
    }
}

record! {
    /// An output of a process.
    Channel {
        /// Absolute; empty: none. Of AUTO the file that was made.
        logfile: &'a [u8],
        is_auto: bool,
        maxbytes: u64,
        backups: u32,
        capture_maxbytes: u32,
        has_events: bool,
        to_syslog: bool,
    }
}

impl<'a> Configuration<'a> {
    /// A configuration, if every record in it can be read and its bounds are kept.
    pub fn checked(bytes: &'a [u8]) -> Option<Configuration<'a>> {
        if bytes.len() > MAX_CONFIGURATION {
            return None;
        }
        let configuration = Configuration::decode(&mut Reader::new(bytes))?;
        let settings = configuration.read_settings()?;
        let is_good = configuration.magic == MAGIC
            && all(settings.servers, |reader| Server::decode(reader).is_some())
            && all(settings.zones, |reader| Zone::decode(reader).is_some())
            && all(settings.notes, |reader| Note::decode(reader).is_some())
            && all(configuration.groups, |reader| Group::decode(reader).is_some_and(|group| group.is_good()))
            && configuration.all_groups().map(|group| group.all_programs().count()).sum::<usize>() <= MAX_PROCESSES;
        is_good.then_some(configuration)
    }

    pub fn read_settings(&self) -> Option<Settings<'a>> {
        Settings::decode(&mut Reader::new(self.settings))
    }

    pub fn all_groups(&self) -> impl Iterator<Item = Group<'a>> + 'a {
        records(self.groups, Group::decode)
    }

    /// A group as it stands here, to be kept as it is.
    pub fn raw_group(&self, name: &[u8]) -> Option<&'a [u8]> {
        let mut rest = self.groups;
        loop {
            let mut reader = Reader::new(rest);
            let group = Group::decode(&mut reader)?;
            let (raw, behind) = rest.split_at(rest.len() - reader.len());
            if group.name == name {
                return Some(raw);
            }
            rest = behind;
        }
    }
}

impl<'a> Group<'a> {
    fn is_good(&self) -> bool {
        all(self.programs, |reader| Program::decode(reader).is_some_and(|one| one.is_good()))
    }

    pub fn all_programs(&self) -> impl Iterator<Item = Program<'a>> + 'a {
        records(self.programs, Program::decode)
    }
}

impl<'a> Program<'a> {
    fn is_good(&self) -> bool {
        let channels = [self.stdout, self.stderr];
        let ends = |list: &[u8]| !list.last().is_some_and(|last| *last != 0);
        ends(self.argv)
            && ends(self.environment)
            && ends(self.after)
            && ends(self.probe)
            && ends(self.after_missing)
            && channels.iter().all(|channel| channel.is_empty() || Channel::decode(&mut Reader::new(channel)).is_some())
    }

    pub fn read_stdout(&self) -> Channel<'a> {
        Channel::decode(&mut Reader::new(self.stdout)).unwrap_or_default()
    }

    pub fn read_stderr(&self) -> Channel<'a> {
        Channel::decode(&mut Reader::new(self.stderr)).unwrap_or_default()
    }

    pub fn expects(&self, code: u8) -> bool {
        self.exitcodes.get(usize::from(code / 8)).is_some_and(|byte| byte >> (code % 8) & 1 == 1)
    }
}

/// Whether every record of a field can be read.
fn all(bytes: &[u8], is_good: impl Fn(&mut Reader<'_>) -> bool) -> bool {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        if !is_good(&mut reader) {
            return false;
        }
    }
    true
}
