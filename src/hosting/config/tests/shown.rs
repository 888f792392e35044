//! A configuration as lines, the same that `real.py` makes of the real one's.

use crate::format::python::repr;
use crate::hosting::config::{Configuration, Endpoint, Group, GroupKind, LogFile, Output, ProcessConfig};
use crate::hosting::events;
use crate::hosting::table::Restart;

fn text(value: Option<&String>) -> String {
    value.map_or("-".to_string(), |value| repr(value))
}

fn map(pairs: &[(String, String)]) -> String {
    let mut shown: Vec<String> = pairs.iter().map(|(key, value)| format!("{}={}", repr(key), repr(value))).collect();
    shown.sort();
    format!("{{{}}}", shown.join(" "))
}

fn number(value: Option<i64>) -> String {
    value.map_or("-".to_string(), |value| value.to_string())
}

pub(super) fn shown(configuration: &Configuration) -> Vec<String> {
    let daemon = &configuration.daemon;
    let mut lines: Vec<String> = [
        ("minfds", daemon.minfds.to_string()),
        ("minprocs", daemon.minprocs.to_string()),
        ("directory", text(daemon.directory.as_ref())),
        ("user", text(daemon.user.as_ref())),
        ("umask", daemon.umask.to_string()),
        ("logfile", repr(&daemon.logfile)),
        ("logfile_maxbytes", daemon.logfile_maxbytes.to_string()),
        ("logfile_backups", daemon.logfile_backups.to_string()),
        ("loglevel", daemon.loglevel.to_string()),
        ("pidfile", repr(&daemon.pidfile)),
        ("identifier", repr(&daemon.identifier)),
        ("nodaemon", daemon.nodaemon.to_string()),
        ("silent", daemon.silent.to_string()),
        ("childlogdir", repr(&daemon.childlogdir)),
        ("nocleanup", daemon.nocleanup.to_string()),
        ("strip_ansi", daemon.strip_ansi.to_string()),
        ("environment", map(&configuration.environment)),
    ]
    .into_iter()
    .map(|(key, value)| format!("supervisord.{key} {value}"))
    .collect();
    for server in &configuration.servers {
        let at = match &server.at {
            Endpoint::Inet { host, port } => format!("{host}:{port}"),
            Endpoint::Unix { path, owner, mode } => {
                format!("{} {mode:o} {}", repr(path), owner.map_or(-1, |owner| i64::from(owner.0)))
            }
        };
        let (username, password) = (text(server.username.as_ref()), text(server.password.as_ref()));
        lines.push(format!("server {} {at} {username} {password}", server.section));
    }
    lines.push(format!("rpc {}", configuration.has_interface));
    for group in &configuration.groups {
        put_group(group, &mut lines);
    }
    for (level, kind) in [(50, "critical"), (30, "warning"), (20, "info")] {
        let notes = configuration.notes.iter().filter(|note| note.level == level);
        lines.extend(notes.map(|note| format!("{kind} {}", repr(&note.text))));
    }
    lines
}

fn put_group(group: &Group, lines: &mut Vec<String>) {
    lines.push(format!("group {} {} {}", repr(&group.name), group.priority, group.processes.len()));
    match &group.kind {
        GroupKind::Programs => {}
        GroupKind::Listeners { buffer_size, events } => {
            let wanted = events::EVENTS.iter().enumerate().filter(|(bit, _)| events >> bit & 1 == 1);
            let mut names: Vec<&str> = wanted.map(|(_, name)| *name).collect();
            names.sort_unstable();
            lines.push(format!("events {buffer_size} {}", names.join(" ")));
        }
        GroupKind::Fcgi(socket) => {
            let mode = if socket.path.is_some() { format!(" {:o}", socket.mode) } else { String::new() };
            lines.push(format!("socket {}{mode} {}", socket.url, number(socket.backlog)));
        }
    }
    for process in &group.processes {
        put_process(&group.name, process, lines);
    }
}

fn put_process(group: &str, process: &ProcessConfig, lines: &mut Vec<String>) {
    let autorestart = match process.autorestart {
        Restart::Always => "always",
        Restart::Never => "false",
        Restart::Unexpected => "unexpected",
    };
    let codes: Vec<String> = process.exitcodes.iter().map(u8::to_string).collect();
    for (key, value) in [
        ("command", repr(&process.command)),
        ("directory", text(process.directory.as_ref())),
        ("umask", number(process.umask)),
        ("priority", process.priority.to_string()),
        ("autostart", process.autostart.to_string()),
        ("autorestart", autorestart.to_string()),
        ("startsecs", process.startsecs.to_string()),
        ("startretries", process.startretries.to_string()),
        ("stopsignal", process.stopsignal.to_string()),
        ("stopwaitsecs", process.stopwaitsecs.to_string()),
        ("stopasgroup", process.stopasgroup.to_string()),
        ("killasgroup", process.killasgroup.to_string()),
        ("exitcodes", format!("[{}]", codes.join(" "))),
        ("redirect_stderr", process.redirect_stderr.to_string()),
        ("uid", number(process.user.as_ref().map(|user| i64::from(user.uid)))),
        ("environment", map(&process.environment)),
        ("serverurl", text(process.serverurl.as_ref())),
    ] {
        lines.push(format!("{group}:{}.{key} {value}", process.name));
    }
    for (channel, output) in [("stdout", &process.stdout), ("stderr", &process.stderr)] {
        lines.push(format!("{group}:{}.{channel} {}", process.name, log(output)));
    }
}

fn log(output: &Output) -> String {
    let file = match &output.logfile {
        LogFile::None | LogFile::Syslog => "-".to_string(),
        LogFile::Auto => "auto".to_string(),
        LogFile::File(path) => repr(path),
    };
    let Output { maxbytes, backups, capture_maxbytes, events_enabled, syslog, .. } = output;
    format!("{file} {maxbytes} {backups} {capture_maxbytes} {events_enabled} {syslog}")
}
