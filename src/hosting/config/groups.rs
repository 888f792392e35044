//! Groups: of `[group:x]`, and of each program, listener and fcgi-program that is in none.

use super::names::{sections, sections_of, Names};
use super::program::{processes, ProcessConfig};
use super::{users, values, BadConfiguration, Loader, Note};
use crate::format::python::repr;
use crate::format::sort::sort_by_key;
use crate::hosting::events;

/// A group of processes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the option of its name
pub struct Group {
    pub name: String,
    pub priority: i64,
    pub processes: Vec<ProcessConfig>,
    pub kind: GroupKind,
    /// Whether it is one of several sections.
    pub is_heterogeneous: bool,
}

/// What a group is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// Programs.
    Programs,
    /// A pool of event listeners.
    Listeners {
        /// How many events wait for a listener.
        buffer_size: i64,
        /// A bit for each of `events::EVENTS`.
        events: u64,
    },
    /// Programs with a common socket as their input.
    Fcgi(Socket),
}

/// The socket of an fcgi-program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// `unix:///path` or `tcp://host:port`.
    pub url: String,
    /// Of a unix socket.
    pub path: Option<String>,
    /// Of another one.
    pub host: String,
    /// The same.
    pub port: u16,
    /// Its owner, where it has one.
    pub owner: Option<(u32, Option<u32>)>,
    /// The mode of its file.
    pub mode: i64,
    /// How many connections wait.
    pub backlog: Option<i64>,
}

/// All groups, by priority and name.
pub(super) fn groups(loader: &mut Loader) -> Result<Vec<Group>, BadConfiguration> {
    let names: Vec<String> = sections(&loader.sources.ini).map(str::to_string).collect();
    let mut taken = Vec::new();
    let mut groups = Vec::new();
    for section in names.iter().filter(|name| name.starts_with("group:")) {
        groups.push(heterogeneous(loader, section, &names, &mut taken)?);
    }
    type Make = fn(&mut Loader, &str, &str) -> Result<Group, BadConfiguration>;
    let kinds: [(&str, Make); 3] = [("program:", program), ("eventlistener:", listeners), ("fcgi-program:", fcgi)];
    for (start, make) in kinds {
        let own: Vec<(String, String)> = sections_of(&loader.sources.ini, start)
            .filter(|(section, _)| !taken.iter().any(|taken| taken == section))
            .map(|(section, name)| (section.to_string(), name.to_string()))
            .collect();
        for (section, name) in own {
            groups.push(make(loader, &section, &name)?);
        }
    }
    sort_by_key(&mut groups, |group| (group.priority, group.name.clone()));
    Ok(groups)
}

/// The processes of a section; a fault names it and its file.
fn processes_of(loader: &mut Loader, section: &str, group: &str) -> Result<Vec<ProcessConfig>, BadConfiguration> {
    processes(loader, section, group).map_err(|why| {
        let included = loader.sources.file_of(section);
        let file = included.unwrap_or(&loader.root);
        BadConfiguration {
            text: format!("{why} in section {} (file: {})", repr(section), repr(file)),
            file: included.map(String::from),
        }
    })
}

fn heterogeneous(
    loader: &mut Loader,
    section: &str,
    all: &[String],
    taken: &mut Vec<String>,
) -> Result<Group, BadConfiguration> {
    let fault = |loader: &Loader, text| loader.fault(section, text);
    let name = values::name(section.strip_prefix("group:").unwrap_or_default());
    let name = name.map_err(|text| fault(loader, text))?;
    let programs = loader.group_option(section, "programs", "").map_err(|text| fault(loader, text))?;
    let priority = loader.priority(section, "999").map_err(|text| fault(loader, text))?;
    let mut members = Vec::new();
    // Messages name the section that was looked at last: so do those of the real one.
    let mut shown = section.to_string();
    for program in programs.split(',').map(str::trim).filter(|_| !programs.is_empty()) {
        let sections = ["program:", "fcgi-program:"].map(|start| [start, program].concat());
        let [plain, fcgi] = sections.clone().map(|section| all.contains(&section));
        let own = match (plain, fcgi) {
            (true, true) => {
                let text = format!("[{shown}] name {program} is ambiguous (exists as program and fcgi-program)");
                return Err(fault(loader, text));
            }
            (false, false) => {
                let text = format!("[{shown}] names unknown program or fcgi-program {program}");
                if loader.left_out.is_empty() {
                    return Err(fault(loader, text));
                }
                // It may have stood in the file that is left out.
                loader.notes.push(Note::critical(text));
                continue;
            }
            (true, false) => &sections[0],
            (false, true) => &sections[1],
        };
        shown.clone_from(own);
        taken.push(own.clone());
        members.extend(processes_of(loader, own, &name)?);
    }
    Ok(Group { name, priority, processes: members, kind: GroupKind::Programs, is_heterogeneous: true })
}

fn program(loader: &mut Loader, section: &str, name: &str) -> Result<Group, BadConfiguration> {
    let name = values::name(name).map_err(|text| loader.fault(section, text))?;
    let priority = loader.priority(section, "999").map_err(|text| loader.fault(section, text))?;
    let processes = processes_of(loader, section, &name)?;
    Ok(Group { name, priority, processes, kind: GroupKind::Programs, is_heterogeneous: false })
}

fn listeners(loader: &mut Loader, section: &str, name: &str) -> Result<Group, BadConfiguration> {
    let (priority, kind) = pool(loader, section).map_err(|text| loader.fault(section, text))?;
    let processes = processes_of(loader, section, name)?;
    Ok(Group { name: name.to_string(), priority, processes, kind, is_heterogeneous: true })
}

fn pool(loader: &Loader, section: &str) -> Result<(i64, GroupKind), String> {
    let priority = loader.priority(section, "-1")?;
    let buffer_size = values::integer(&loader.group_option(section, "buffer_size", "10")?)?;
    if buffer_size < 1 {
        return Err(format!("[{section}] section sets invalid buffer_size ({buffer_size})"));
    }
    let handler = loader.group_option(section, "result_handler", DEFAULT_HANDLER)?;
    if handler != DEFAULT_HANDLER {
        return Err(format!("{handler} cannot be resolved within [{section}]"));
    }
    let wanted = loader.group_option(section, "events", "")?;
    if wanted.is_empty() {
        return Err(format!("[{section}] section requires an \"events\" line"));
    }
    let mut events = 0;
    for name in wanted.split(',').map(|name| name.trim().to_ascii_uppercase()) {
        match events::bits_of(&name) {
            0 => return Err(format!("Unknown event type {name} in [{section}] events")),
            bits => events |= bits,
        }
    }
    if values::boolean(&loader.group_option(section, "redirect_stderr", "false")?)? {
        return Err(format!(
            "[{section}] section sets redirect_stderr=true but this is not allowed because it will interfere with the eventlistener protocol"
        ));
    }
    Ok((priority, GroupKind::Listeners { buffer_size, events }))
}

/// A handler is Python; there is only this one here.
const DEFAULT_HANDLER: &str = "supervisor.dispatchers:default_handler";

fn fcgi(loader: &mut Loader, section: &str, name: &str) -> Result<Group, BadConfiguration> {
    let name = values::name(name).map_err(|text| loader.fault(section, text))?;
    let (priority, socket) = fcgi_socket(loader, section, &name).map_err(|text| loader.fault(section, text))?;
    let processes = processes_of(loader, section, &name)?;
    Ok(Group { name, priority, processes, kind: GroupKind::Fcgi(socket), is_heterogeneous: true })
}

fn fcgi_socket(loader: &Loader, section: &str, name: &str) -> Result<(i64, Socket), String> {
    let priority = loader.priority(section, "999")?;
    let mut names = Names::default();
    names.set_text("here", &loader.here);
    let find = |key: &str| loader.section(section).find(key, &names);
    let user = find("user")?.map(|user| users::user(&user)).transpose()?;
    let backlog = find("socket_backlog")?.map(|text| values::integer(&text)).transpose()?;
    if let Some(backlog) = backlog.filter(|backlog| !(1..=65535).contains(backlog)) {
        return Err(format!("Invalid socket_backlog value {backlog}"));
    }
    let owner = match find("socket_owner")? {
        Some(text) => Some(users::user_and_group(&text).ok_or_else(|| format!("Invalid socket_owner value {text}"))?),
        None => None,
    };
    let mode = match find("socket_mode")? {
        Some(text) => Some(values::octal(&text).map_err(|_| format!("Invalid socket_mode value {text}"))?),
        None => None,
    };
    names.set_text("program_name", name);
    let url = loader.section(section).get("socket", "", &names)?;
    if url.is_empty() {
        return Err(format!("[{section}] section requires a \"socket\" line"));
    }
    let mut socket =
        Socket { url: String::new(), path: None, host: String::new(), port: 0, owner, mode: 0o700, backlog };
    let placed = place(&url, &mut socket, owner.is_some() || mode.is_some());
    placed.map_err(|why| format!("{why} in [{section}] socket"))?;
    socket.mode = mode.unwrap_or(0o700);
    if socket.path.is_some() && socket.owner.is_none() {
        socket.owner = user.map(|user| (user.uid, Some(user.gid)));
    }
    Ok((priority, socket))
}

/// Where the socket is.
fn place(url: &str, socket: &mut Socket, is_owned: bool) -> Result<(), String> {
    if let Some(path) = url.strip_prefix("unix://") {
        if !path.starts_with('/') {
            return Err(format!("('Unix socket path %s is not an absolute path', {})", repr(path)));
        }
        let path = users::absolute(path, "/");
        socket.url = ["unix://", &path].concat();
        socket.path = Some(path);
        return Ok(());
    }
    if is_owned {
        return Err("socket_owner and socket_mode params should only be used with a Unix domain socket".to_string());
    }
    let parts = url.strip_prefix("tcp://").and_then(|rest| rest.split_once(':'));
    let is_good = |host: &str, port: &str| {
        !host.is_empty()
            && !host.contains(char::is_whitespace)
            && port.chars().all(|c| c.is_ascii_digit())
            && !port.is_empty()
    };
    match parts.filter(|(host, port)| is_good(host, port)) {
        Some((host, port)) => {
            socket.port = values::port(port)?;
            socket.host = host.to_ascii_lowercase();
            socket.url = format!("tcp://{}:{}", socket.host, socket.port);
            Ok(())
        }
        None => Err(format!("('Bad socket format %s', {})", repr(url))),
    }
}
