//! A supervisord in a scratch root: our own, or the one of Python.

use super::background::Background;
use super::command::{run, Ran};
use super::gateway::agent_binary;
use super::scratch::Scratch;
use super::wait::wait_until;
use std::env;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How a configuration begins that two daemons are compared by; `{root}` stands for the folder of each, `s.sock` in it is the socket.
pub const TWIN_HEAD: &str = "[supervisord]
logfile = {root}/main.log
pidfile = {root}/main.pid
childlogdir = {root}
identifier = twin
[unix_http_server]
file = {root}/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
";

/// How long it may take to start; without `.pyc` files it is slow, and on a machine that is starved of processors half a minute was too short.
const START: Duration = Duration::from_secs(120);
/// What it ends with where somebody has its socket.
const IN_USE: &str = "Another program is already listening";
/// How long a supervisorctl command may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A running supervisord; it and its programs are stopped when it is dropped.
#[derive(Debug)]
pub struct Supervisord {
    process: Background,
    config: PathBuf,
    socket: PathBuf,
    ctl: PathBuf,
}

impl Supervisord {
    /// What the tests host apps with: `GWE_SUPERVISORD`, else our own, else the one of Python. The error is for `skip!`.
    pub fn find() -> Result<PathBuf, String> {
        match env::var_os("GWE_SUPERVISORD") {
            Some(path) => Ok(path.into()),
            None => Supervisord::own().map_or_else(Supervisord::real, Ok),
        }
    }

    /// The agent, where it was built with hosting: under the name of supervisord it is our own.
    pub fn own() -> Option<PathBuf> {
        Some(agent_binary()).filter(|agent| agent.with_file_name("hosting-core").is_file())
    }

    /// The one of Python, whichever the tests host apps with: `GWE_SUPERVISORD`, else in the project's `.venv`, else in `PATH`.
    pub fn real() -> Result<PathBuf, String> {
        let path = env::var_os("PATH").unwrap_or_default();
        let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin");
        let named = env::var_os("GWE_SUPERVISORD").map(PathBuf::from);
        let folders = [venv].into_iter().chain(env::split_paths(&path)).map(|folder| folder.join("supervisord"));
        let is_script = |path: &PathBuf| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"#!"));
        named
            .into_iter()
            .chain(folders)
            .find(is_script)
            .ok_or_else(|| "needs supervisord in .venv, in PATH, or named by GWE_SUPERVISORD".into())
    }

    /// A configuration with its socket, log and include folder where [`Supervisord::start`] wants them.
    pub fn plain_config() -> &'static str {
        "[supervisord]\n\
         logfile = {root}/supervisord.log\n\
         pidfile = {root}/supervisord.pid\n\
         childlogdir = {root}\n\
         [unix_http_server]\n\
         file = {root}/supervisor.sock\n\
         [rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
         [supervisorctl]\n\
         serverurl = unix://{root}/supervisor.sock\n\
         [include]\n\
         files = {root}/conf.d/*.conf\n"
    }

    /// Starts it with this configuration, in which `{root}` stands for the scratch folder, and waits for the socket that
    /// the configuration names in `[unix_http_server]`. Panics where there is none; ask [`Supervisord::find`] first.
    #[track_caller]
    pub fn start(root: &Scratch, config: &str) -> Supervisord {
        let mut program = Supervisord::find().unwrap_or_else(|why| panic!("{why}"));
        if Supervisord::own().as_ref() == Some(&program) {
            program = links(root, &program);
        }
        let text = config.replace("{root}", &root.root().to_string_lossy());
        let socket = socket_in(&text).expect("the configuration names a socket");
        let config = root.write("supervisord-test.conf", text);
        let mut command = Command::new(&program);
        command.arg("--nodaemon").arg("--configuration").arg(&config).current_dir(root.root());
        let mut process = Background::start(&mut command, root, "supervisord-output");
        wait_until("supervisord's socket", START, || {
            // What one that was killed had just begun may have its socket until that is a program: whoever keeps it starts it again.
            if !process.is_running() {
                assert!(process.log().contains(IN_USE), "supervisord did not start\n{}", process.log());
                process = Background::start(&mut command, root, "supervisord-output");
            }
            UnixStream::connect(&socket).is_ok()
        });
        let ctl = program.with_file_name("supervisorctl");
        Supervisord { process, config, socket, ctl }
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Background {
        &mut self.process
    }

    /// Runs supervisorctl. Look at stdout only: it warns on stderr.
    #[track_caller]
    pub fn ctl(&self, arguments: &[&str]) -> Ran {
        run(self.ctl_command().args(arguments), LIMIT)
    }

    /// supervisorctl with its configuration, not yet run.
    pub fn ctl_command(&self) -> Command {
        let mut command = Command::new(&self.ctl);
        command.arg("-c").arg(&self.config);
        command
    }
}

/// Our own has its names by links; its core is found beside what they lead to.
fn links(root: &Scratch, agent: &Path) -> PathBuf {
    for name in ["supervisorctl", "supervisord"] {
        let link = root.path(name);
        if !link.is_symlink() {
            symlink(agent, &link).expect("a scratch folder takes links");
        }
    }
    root.path("supervisord")
}

/// `file` of `[unix_http_server]`.
fn socket_in(config: &str) -> Option<PathBuf> {
    let section = config.split("[unix_http_server]").nth(1)?;
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let mut settings = lines.filter_map(|line| line.split_once('='));
    let (_, path) = settings.find(|(key, _)| key.trim() == "file")?;
    Some(PathBuf::from(path.trim()))
}
