//! `[supervisord]`, the servers and the interfaces.

use super::names::{expanded, sections_of, Names};
use super::{program, users, values, Loader, Note};

/// What `[supervisord]` says; command line flags may be put over it. Paths are as written, but for `~`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the option of its name
pub struct Daemon {
    pub minfds: i64,
    pub minprocs: i64,
    pub directory: Option<String>,
    pub user: Option<String>,
    pub umask: i64,
    pub logfile: String,
    pub logfile_maxbytes: i64,
    pub logfile_backups: i64,
    pub loglevel: u32,
    pub pidfile: String,
    pub identifier: String,
    pub nodaemon: bool,
    pub silent: bool,
    pub childlogdir: String,
    pub nocleanup: bool,
    pub strip_ansi: bool,
    pub watchdog: Option<String>,
}

/// The folder for files that nobody chose one for.
pub(super) fn temporary_folder() -> String {
    let named = ["TMPDIR", "TEMP", "TMP"].iter().filter_map(|name| std::env::var(name).ok());
    let usual = ["/tmp", "/var/tmp", "/usr/tmp"].map(String::from);
    let found = named.chain(usual).find(|folder| !folder.is_empty() && std::path::Path::new(folder).is_dir());
    found.unwrap_or_else(|| "/tmp".to_string())
}

/// Reads the section, and its environment into the loader.
pub(super) fn daemon(loader: &mut Loader) -> Result<Daemon, String> {
    let mut here = Names::default();
    here.set_text("here", &loader.here);
    let section = loader.section("supervisord");
    let get = |key: &str, default: &str| section.get(key, default, &here);
    let integer = |key: &str, default: &str| values::integer(&get(key, default)?);
    let boolean = |key: &str| values::boolean(&get(key, "false")?);
    let minfds = integer("minfds", "1024")?;
    let minprocs = integer("minprocs", "200")?;
    let directory = section.find("directory", &here)?.map(|path| values::directory(&path)).transpose()?;
    let user = section.find("user", &here)?;
    let daemon = Daemon {
        minfds,
        minprocs,
        directory,
        user,
        umask: values::octal(&get("umask", "022")?)?,
        logfile: values::path(&get("logfile", "supervisord.log")?)?,
        logfile_maxbytes: values::byte_size(&get("logfile_maxbytes", "50MB")?)?,
        logfile_backups: integer("logfile_backups", "10")?,
        loglevel: values::level(&get("loglevel", "info")?)?,
        pidfile: values::path(&get("pidfile", "supervisord.pid")?)?,
        identifier: get("identifier", "supervisor")?,
        nodaemon: boolean("nodaemon")?,
        silent: boolean("silent")?,
        childlogdir: values::directory(&get("childlogdir", &temporary_folder())?)?,
        nocleanup: boolean("nocleanup")?,
        strip_ansi: boolean("strip_ansi")?,
        watchdog: section.find("watchdog", &here)?.filter(|path| !path.is_empty()),
    };
    let text = get("environment", "")?;
    here.set_text("host_node_name", &loader.host);
    let environment = program::environment(&expanded(&text, "environment", &loader.variables, &here)?)?;
    loader.variables.add_environment(&environment);
    loader.environment = environment;
    Ok(daemon)
}

/// The one factory that is not Python here.
const MAIN_INTERFACE: &str = "supervisor.rpcinterface:make_main_rpcinterface";
const FACTORY: &str = "supervisor.rpcinterface_factory";

/// Whether there is the interface of the name supervisor. Every other one would need Python: it is left out.
pub(super) fn has_interface(loader: &mut Loader) -> Result<bool, String> {
    let names = Names::default();
    let mut found = false;
    let mut notes = Vec::new();
    for (section, name) in sections_of(&loader.sources.ini, "rpcinterface:") {
        let Some(factory) = loader.section(section).find(FACTORY, &names)? else {
            return Err(format!("section [{section}] does not specify a {FACTORY}"));
        };
        if factory == MAIN_INTERFACE && name == "supervisor" {
            found = true;
        } else {
            notes.push(Note::warning(format!("[{section}] needs {factory}, which is Python: left out")));
        }
    }
    loader.notes.append(&mut notes);
    Ok(found)
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Server {
    pub section: String,
    pub at: Endpoint,
    pub username: Option<String>,
    pub password: Option<String>,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Endpoint {
    /// The host is empty for `*:port`, and the loopback one's where only a port is given.
    Inet {
        host: String,
        port: u16,
    },
    Unix {
        path: String,
        owner: Option<(u32, Option<u32>)>,
        mode: i64,
    },
}

type Login = (Option<String>, Option<String>);

fn login(loader: &Loader, section: &str) -> Result<Login, String> {
    let names = Names::default();
    let find = |key: &str| loader.section(section).find(key, &names);
    let login = (find("username")?, find("password")?);
    if login.0.is_some() == login.1.is_some() {
        return Ok(login);
    }
    Err(format!(
        "Section [{section}] contains incomplete authentication: If a username or a password is specified, both the username and password must be specified"
    ))
}

/// All servers, those of the network first.
pub(super) fn servers(loader: &Loader) -> Result<Vec<Server>, String> {
    let mut servers = Vec::new();
    let names = Names::default();
    for (section, _) in sections_of(&loader.sources.ini, "inet_http_server") {
        let (username, password) = login(loader, section)?;
        let port = loader.section(section).find("port", &names)?;
        let text = port.ok_or_else(|| format!("section [{section}] has no port value"))?;
        let (host, port) = values::address(&text)?;
        // Only who says so serves the whole network.
        let host = match host.as_str() {
            "" if !text.contains(':') => "127.0.0.1".to_string(),
            "*" => String::new(),
            _ => host,
        };
        servers.push(Server { section: section.to_string(), at: Endpoint::Inet { host, port }, username, password });
    }
    for (section, _) in sections_of(&loader.sources.ini, "unix_http_server") {
        let mut here = Names::default();
        here.set_text("here", &loader.here);
        let file = loader.section(section).find("file", &here)?;
        let file = file.ok_or_else(|| format!("section [{section}] has no file value"))?;
        let path = users::absolute(&users::with_home(file.trim()), &loader.folder);
        let (username, password) = login(loader, section)?;
        let find = |key: &str| loader.section(section).find(key, &names);
        let owner = match find("chown")? {
            Some(text) => Some(users::user_and_group(&text).ok_or_else(|| format!("Invalid sockchown value {text}"))?),
            None => None,
        };
        let mode = match find("chmod")? {
            Some(text) => values::octal(&text).map_err(|_| format!("Invalid chmod value {text}"))?,
            None => 0o700,
        };
        servers.push(Server {
            section: section.to_string(),
            at: Endpoint::Unix { path, owner, mode },
            username,
            password,
        });
    }
    Ok(servers)
}
