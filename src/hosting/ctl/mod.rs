//! supervisorctl: its actions, texts and exit statuses as 4.3.0 has them, over the API of any supervisord.
//!
//! It keeps nothing and reads no more than its own section. What differs: no completion of words and no history, no question for a name and a
//! password (`-u` and `-p` give them), and no place in a source file behind `error:`.

mod client;
mod flags;
mod groups;
mod manage;
mod processes;
mod results;
mod shell;
mod tail;
mod texts;

use std::io::{self, Write};

use super::config::{control, Control, Surroundings};
use crate::format::xmlrpc::{Param, Value};
use client::{CtlServer, Trouble};

/// Exit statuses, as the LSB has them.
const GENERIC: u8 = 1;
const INVALID_ARGUMENTS: u8 = 2;
const UNIMPLEMENTED: u8 = 3;
const REFUSED: u8 = 4;
const OTHER_VERSION: u8 = 5;
const NOT_RUNNING: u8 = 7;

const API_VERSION: &str = "3.0";
/// The places that are tried without `-c`, behind those beside the program.
const PLACES: [&str; 4] =
    ["supervisord.conf", "etc/supervisord.conf", "/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"];

/// What actions need.
struct CtlSession<'a> {
    server: CtlServer,
    out: &'a mut dyn Write,
    prompt: String,
    is_interactive: bool,
    status: u8,
    /// What a person types, in the shell.
    lines: Option<shell::InputLines>,
}

/// Every action answers with this: what nobody foresaw goes up.
type CtlResult = Result<(), Trouble>;

/// Runs it. Help and results go to `out`, wrong usage to `err`; the exit status.
///
/// # Errors
/// `out` could not be written to.
pub fn run(name: &str, arguments: &[String], help: &str, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let usage = |err: &mut dyn Write, why: &str| {
        writeln!(err, "Error: {why}\nFor help, use {name} -h")?;
        Ok(2)
    };
    let flags = match flags::parse(arguments) {
        Ok(flags) => flags,
        Err(why) => return usage(err, &why),
    };
    if flags.help {
        out.write_all(help.as_bytes())?;
        return Ok(0);
    }
    let control = match configuration(name, flags.configuration.as_deref()) {
        Ok(control) => control,
        Err(why) => return usage(err, &why),
    };
    let server = CtlServer {
        url: flags.serverurl.unwrap_or(control.serverurl),
        username: flags.username.or(control.username),
        password: flags.password.or(control.password),
    };
    let is_interactive = flags.interactive || flags.action.is_empty();
    let mut session = CtlSession { server, out, prompt: control.prompt, is_interactive, status: 0, lines: None };
    if !flags.action.is_empty() {
        session.one(&flags.action.join(" "))?;
        return Ok(session.status);
    }
    shell::run(&mut session)?;
    Ok(0)
}

fn configuration(name: &str, given: Option<&str>) -> Result<Control, String> {
    let surroundings = Surroundings::here();
    if let Some(file) = given {
        return control(file, &surroundings);
    }
    let above = std::path::Path::new(name).parent().and_then(std::path::Path::parent);
    let beside = above.map(|above| ["etc/supervisord.conf", "supervisord.conf"].map(|place| above.join(place)));
    let places = beside.into_iter().flatten().chain(PLACES.map(Into::into));
    match places.into_iter().find(|place| place.exists()) {
        Some(place) => control(&place.to_string_lossy(), &surroundings),
        None => Ok(Control::default()),
    }
}

impl CtlSession<'_> {
    fn say(&mut self, line: &str) -> io::Result<()> {
        self.out.write_all([line, "\n"].concat().as_bytes())
    }

    fn fail(&mut self, status: u8, line: &str) -> io::Result<()> {
        self.status = status;
        self.say(line)
    }

    fn call(&self, method: &str, params: &[Param<'_>]) -> Result<Value, Trouble> {
        self.server.call(&["supervisor.", method].concat(), params)
    }

    /// One line. `false`: it was the last.
    fn one(&mut self, line: &str) -> io::Result<bool> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(true);
        }
        let line = line.strip_prefix('?').map_or(line.to_string(), |rest| ["help ", rest].concat());
        let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(line.len());
        let (action, argument) = (&line[..end], line[end..].trim());
        if matches!(action, "exit" | "quit" | "EOF") {
            self.say("")?;
            return Ok(false);
        }
        let done = match action {
            "help" => self.help(argument).map_err(Trouble::from),
            "status" => processes::status(self, argument),
            "pid" => processes::pid(self, argument),
            "start" => groups::start(self, argument),
            "stop" => groups::stop(self, argument),
            "restart" => groups::restart(self, argument),
            "signal" => groups::signal(self, argument),
            "clear" => groups::clear(self, argument),
            "tail" => tail::tail(self, argument),
            "maintail" => tail::maintail(self, argument),
            "fg" => tail::fg(self, argument),
            "avail" => manage::avail(self, argument),
            "reread" => manage::reread(self, argument),
            "update" => manage::update(self, argument),
            "add" => manage::add(self, argument),
            "remove" => manage::remove(self, argument),
            "reload" => manage::reload(self, argument),
            "shutdown" => manage::shutdown(self, argument),
            "open" => manage::open(self, argument),
            "version" => manage::version(self, argument),
            _ => self.fail(GENERIC, &["*** Unknown syntax: ", &line].concat()).map_err(Trouble::from),
        };
        match done {
            Ok(()) => {}
            Err(trouble @ Trouble::Http(401)) => {
                // The real one tries again, and then tells it as what nobody foresaw.
                self.say("Server requires authentication")?;
                self.fail(GENERIC, &trouble.shown())?;
            }
            Err(trouble) => self.fail(GENERIC, &trouble.shown())?,
        }
        Ok(true)
    }

    fn help(&mut self, action: &str) -> io::Result<()> {
        match action {
            "" => self.say(texts::ACTIONS),
            action => match texts::help(action) {
                Some(text) => self.say(text),
                None => self.say(&["*** No help on ", action].concat()),
            },
        }
    }

    /// The help of an action behind a complaint about its use.
    fn misused(&mut self, status: u8, complaint: &str, action: &str) -> CtlResult {
        self.fail(status, complaint)?;
        self.help(action)?;
        Ok(())
    }

    /// Whether the server is there and speaks this API; else it has been said.
    fn is_up(&mut self) -> Result<bool, Trouble> {
        match self.call("getVersion", &[]) {
            Ok(version) if version.as_text() == Some(API_VERSION) => Ok(true),
            Ok(version) => {
                let version = version.as_text().unwrap_or_default();
                let line = format!("Sorry, this version of supervisorctl expects to talk to a server with API version {API_VERSION}, but the remote version is {version}.");
                self.fail(OTHER_VERSION, &line)?;
                Ok(false)
            }
            Err(Trouble::Fault { code: 1, .. }) => {
                self.fail(UNIMPLEMENTED, "Sorry, supervisord responded but did not recognize the supervisor namespace commands that supervisorctl uses to control it.  Please check that the [rpcinterface:supervisor] section is enabled in the configuration file (see sample.conf).")?;
                Ok(false)
            }
            Err(Trouble::Broken(e)) if e.kind() == io::ErrorKind::ConnectionRefused => {
                self.fail(REFUSED, &[&self.server.url, " refused connection"].concat())?;
                Ok(false)
            }
            Err(Trouble::Broken(e)) if e.kind() == io::ErrorKind::NotFound => {
                self.fail(NOT_RUNNING, &[&self.server.url, " no such file"].concat())?;
                Ok(false)
            }
            Err(trouble) => Err(trouble),
        }
    }
}
