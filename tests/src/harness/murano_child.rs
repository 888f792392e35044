//! A server in a process of its own, to be killed and started again.

use super::background::Background;
use super::command::{run, Ran};
use super::scratch::Scratch;
use super::wait::wait_for;
use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// A server that a test forgets ends by itself.
const LIFE: &str = "1800";
/// How long a start or a command may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The built `murano`: `MURANO_BIN`, or the one that cargo built beside the running test.
pub fn murano_binary() -> PathBuf {
    if let Some(path) = env::var_os("MURANO_BIN") {
        return path.into();
    }
    let test = env::current_exe().expect("a test knows its own path");
    let folders = test.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join("murano")).find(|path| path.is_file());
    found
        .unwrap_or_else(|| panic!("no murano beside {}: run `cargo build` in tests/ or set MURANO_BIN", test.display()))
}

/// `murano serve` with its data in a scratch folder.
#[derive(Debug)]
pub struct MuranoChild {
    process: Background,
    scratch: Scratch,
    arguments: Vec<String>,
    listen: String,
    tls_url: Option<String>,
}

impl MuranoChild {
    /// Starts it on a port that the system picks, with more arguments for `serve`.
    #[track_caller]
    pub fn start(arguments: &[&str]) -> MuranoChild {
        let arguments = arguments.iter().map(ToString::to_string).collect::<Vec<_>>();
        let scratch = Scratch::new();
        let process = spawn(&scratch, "127.0.0.1:0", &arguments);
        let mut child = MuranoChild { process, scratch, arguments, listen: String::new(), tls_url: None };
        child.learn_urls("");
        child
    }

    /// Starts it again on the same port and data, after [`MuranoChild::kill`] or [`MuranoChild::stop`].
    #[track_caller]
    pub fn restart(&mut self) {
        let before = self.process.log();
        self.process = spawn(&self.scratch, &self.listen, &self.arguments);
        self.learn_urls(&before);
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM; panics if it does not end well.
    #[track_caller]
    pub fn stop(&mut self) {
        let status = self.process.stop();
        assert!(status.success(), "murano ended with {status}\n{}", self.process.log());
    }

    /// Such as `http://127.0.0.1:40000`.
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Such as `https://127.0.0.1:40001`, where it was started with `--tls-listen`.
    pub fn tls_url(&self) -> Option<&str> {
        self.tls_url.as_deref()
    }

    /// The folder of its data and log.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Background {
        &mut self.process
    }

    /// Runs a `murano` command against it.
    #[track_caller]
    pub fn command(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(murano_binary());
        run(command.args(arguments).env("MURANO_URL", self.url()), LIMIT)
    }

    /// Reads the addresses from what it has printed since `before`.
    #[track_caller]
    fn learn_urls(&mut self, before: &str) {
        let wanted = 1 + usize::from(self.arguments.iter().any(|word| word == "--tls-listen"));
        let urls = wait_for("murano to listen", LIMIT, || {
            let log = self.process.log();
            if !self.process.is_running() {
                panic!("murano did not start\n{log}");
            }
            let new = log.get(before.len()..).unwrap_or_default();
            let complete = new.lines().zip(new.split_inclusive('\n')).filter(|(_, l)| l.ends_with('\n'));
            let urls: Vec<String> =
                complete.filter_map(|(line, _)| line.strip_prefix("listening on ")).map(str::to_string).collect();
            (urls.len() == wanted).then_some(urls)
        });
        for url in urls {
            match url.strip_prefix("http://") {
                Some(authority) => self.listen = authority.to_string(),
                None => self.tls_url = Some(url),
            }
        }
    }
}

fn spawn(scratch: &Scratch, listen: &str, arguments: &[String]) -> Background {
    let mut command = Command::new(murano_binary());
    command.args(["serve", "--listen", listen, "--for", LIFE, "--data"]);
    command.arg(scratch.path("data")).args(arguments);
    Background::start(&mut command, scratch, "murano")
}
