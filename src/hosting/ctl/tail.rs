//! tail, maintail and fg: the end of a log, or a log as it grows.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::client::{split, Trouble, MAX_HEAD};
use super::results::{number, text};
use super::shell::InputLines;
use super::{CtlResult, CtlSession, GENERIC};
use crate::format::http::chunks::ChunkDecoder;
use crate::format::python::{int, repr};
use crate::format::xmlrpc::{Param, Value};
use crate::sys::poll::Watch;
use crate::sys::signal;

/// So much of a log is shown, if nobody says.
const USUAL: i64 = 1600;
const RUNNING: i64 = 20;
const HINT: &str = "==> Press Ctrl-C to exit <==";

fn bytes(count: i64) -> Param<'static> {
    Param::Int(i32::try_from(-count).unwrap_or(if count < 0 { i32::MAX } else { i32::MIN }))
}

pub(super) fn tail(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !session.is_up()? {
        return Ok(());
    }
    let mut words: Vec<&str> = argument.split_whitespace().collect();
    match words.len() {
        0 => return session.misused(GENERIC, "Error: too few arguments", "tail"),
        1..=3 => {}
        _ => return session.misused(GENERIC, "Error: too many arguments", "tail"),
    }
    let modifier = words[0].strip_prefix('-').map(|modifier| (words.remove(0), modifier));
    let (name, channel) = match words[..] {
        [] => return Ok(session.fail(GENERIC, "Error: tail requires process name")?),
        [name] => (name, "stdout".to_string()),
        [name, .., channel] => (name, channel.to_ascii_lowercase()),
    };
    if channel != "stdout" && channel != "stderr" {
        return Ok(session.fail(GENERIC, &["Error: bad channel ", &repr(&channel)].concat())?);
    }
    let count = match modifier {
        None => USUAL,
        Some((_, "f")) => return follow(session, &["/logtail/", name, "/", &channel].concat()),
        Some((whole, count)) => match int(count, 10) {
            Some(count) => count,
            None => return Ok(session.fail(GENERIC, &["Error: bad argument ", whole].concat())?),
        },
    };
    let method = if channel == "stdout" { "readProcessStdoutLog" } else { "readProcessStderrLog" };
    let answer = session.call(method, &[Param::Text(name), bytes(count), Param::Int(0)]);
    shown(session, name, answer)
}

pub(super) fn maintail(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !session.is_up()? {
        return Ok(());
    }
    let words: Vec<&str> = argument.split_whitespace().collect();
    let count = match words[..] {
        [] => USUAL,
        ["-f"] => return follow(session, "/mainlogtail"),
        [word] => match word.strip_prefix('-').and_then(|count| int(count, 10)) {
            Some(count) => count,
            None => return Ok(session.fail(GENERIC, &["Error: bad argument ", word].concat())?),
        },
        _ => return session.misused(GENERIC, "Error: too many arguments", "maintail"),
    };
    let answer = session.call("readLog", &[bytes(count), Param::Int(0)]);
    shown(session, "supervisord", answer)
}

/// A piece of a log, or why there is none.
fn shown(session: &mut CtlSession<'_>, name: &str, answer: Result<Value, Trouble>) -> CtlResult {
    let why = match answer {
        Ok(text) => return Ok(session.say(text.as_text().unwrap_or_default())?),
        Err(Trouble::Fault { code: 20, .. }) => "no log file",
        Err(Trouble::Fault { code: 30, .. }) => "unknown error reading log",
        Err(Trouble::Fault { code: 10, .. }) if name != "supervisord" => "no such process name",
        Err(trouble) => return Err(trouble),
    };
    Ok(session.fail(GENERIC, &[name, ": ERROR (", why, ")"].concat())?)
}

/// A log that comes in chunks.
struct LogStream {
    stream: TcpStream,
    /// What came of the answer's head; nothing, behind it.
    head: Vec<u8>,
    has_begun: bool,
    decoder: ChunkDecoder,
}

impl LogStream {
    fn open(session: &CtlSession<'_>, path: &str) -> Result<LogStream, Trouble> {
        let mut stream = session.server.connect()?;
        let head = ["GET ", path, " HTTP/1.1\r\n", &session.server.headers(), "Accept: */*\r\n\r\n"].concat();
        stream.write_all(head.as_bytes())?;
        Ok(LogStream { stream, head: Vec::new(), has_begun: false, decoder: ChunkDecoder::new(u64::MAX, MAX_HEAD) })
    }

    /// Reads what is there and writes the log's part of it. `false`: it is over. An error: the status of the answer.
    fn pass(&mut self, out: &mut dyn Write) -> io::Result<Result<bool, u16>> {
        let mut piece = [0; 8192];
        let count = self.stream.read(&mut piece)?;
        let mut bytes = &piece[..count];
        let head;
        if !self.has_begun {
            self.head.extend(bytes);
            head = std::mem::take(&mut self.head);
            match split(&head) {
                Some((200, body)) => {
                    bytes = body;
                    self.has_begun = true;
                }
                Some((status, _)) => return Ok(Err(status)),
                None => {
                    let goes_on = count > 0 && head.len() <= MAX_HEAD;
                    self.head = head;
                    return Ok(Ok(goes_on));
                }
            }
        }
        let mut text = Vec::new();
        let is_sound = self.decoder.decode(bytes, &mut text).is_ok();
        out.write_all(&text)?;
        out.flush()?;
        Ok(Ok(is_sound && count > 0 && !self.decoder.is_done()))
    }
}

/// Until the log's end, or Ctrl-C.
fn follow(session: &mut CtlSession<'_>, path: &str) -> CtlResult {
    session.say(HINT)?;
    session.out.flush()?;
    signal::block();
    let signals = signal::descriptor()?;
    let mut stream = LogStream::open(session, path)?;
    loop {
        let mut watch = Watch::default();
        let (stop, more) = (watch.add(&signals, true, false), watch.add(&stream.stream, true, false));
        watch.wait(None)?;
        if watch.ready(stop).read {
            while signal::read(&signals).is_some() {}
            return Ok(session.say("")?);
        }
        if watch.ready(more).read && !matches!(stream.pass(session.out)?, Ok(true)) {
            return Ok(());
        }
    }
}

pub(super) fn fg(session: &mut CtlSession<'_>, argument: &str) -> CtlResult {
    if !session.is_up()? {
        return Ok(());
    }
    let words: Vec<&str> = argument.split_whitespace().collect();
    let name = match words[..] {
        [] => return session.misused(GENERIC, "ERROR: no process name supplied", "fg"),
        [name] => name,
        _ => return Ok(session.fail(GENERIC, "ERROR: too many process names supplied")?),
    };
    let info = match session.call("getProcessInfo", &[Param::Text(name)]) {
        Err(Trouble::Fault { code: 10, .. }) => return Ok(session.fail(GENERIC, "ERROR: bad process name supplied")?),
        Err(Trouble::Fault { code, text }) => {
            return Ok(session.say(&format!("ERROR: <Fault {code}: {}>", repr(&text)))?)
        }
        info => info?,
    };
    if number(&info, "state") != RUNNING {
        return Ok(session.fail(GENERIC, "ERROR: process not running")?);
    }
    session.say(HINT)?;
    session.out.flush()?;
    foreground(session, name)?;
    Ok(session.say("Exiting foreground")?)
}

/// What the process writes goes out, what is typed goes in.
fn foreground(session: &mut CtlSession<'_>, name: &str) -> CtlResult {
    // In the shell what is typed is already being read.
    let mut lines = match session.lines.take() {
        Some(lines) => lines,
        None => InputLines::new()?,
    };
    let done = pass_both_ways(session, name, &mut lines);
    if session.is_interactive {
        session.lines = Some(lines);
    }
    done
}

fn pass_both_ways(session: &mut CtlSession<'_>, name: &str, lines: &mut InputLines) -> CtlResult {
    let mut streams = Vec::new();
    for channel in ["stdout", "stderr"] {
        streams.push(Some(LogStream::open(session, &["/logtail/", name, "/", channel].concat())?));
    }
    loop {
        let mut watch = Watch::default();
        let (stop, typed) = (watch.add(lines.signals(), true, false), watch.add(lines.input(), true, false));
        let places: Vec<Option<usize>> =
            streams.iter().map(|stream| stream.as_ref().map(|stream| watch.add(&stream.stream, true, false))).collect();
        watch.wait(None)?;
        if watch.ready(stop).read {
            while signal::read(lines.signals()).is_some() {}
            return Ok(());
        }
        for (stream, place) in streams.iter_mut().zip(places) {
            let is_ready = place.is_some_and(|place| watch.ready(place).read);
            let Some(open) = stream.as_mut().filter(|_| is_ready) else { continue };
            if !matches!(open.pass(session.out)?, Ok(true)) {
                *stream = None;
            }
        }
        if watch.ready(typed).read {
            let goes_on = lines.fill()?;
            while let Some(line) = lines.whole() {
                if !typed_in(session, name, &line)? {
                    return Ok(());
                }
            }
            if !goes_on {
                return Ok(());
            }
        }
    }
}

/// Sends a line. `false`: there is nobody to read it any more.
fn typed_in(session: &mut CtlSession<'_>, name: &str, line: &str) -> Result<bool, Trouble> {
    match session.call("sendProcessStdin", &[Param::Text(name), Param::Text(&[line, "\n"].concat())]) {
        Err(Trouble::Fault { code: 70, .. }) => {
            session.say("Process got killed")?;
            return Ok(false);
        }
        Err(Trouble::Fault { code, text }) => {
            session.say(&format!("ERROR: <Fault {code}: {}>", repr(&text)))?;
            return Ok(false);
        }
        sent => drop(sent?),
    }
    let info = session.call("getProcessInfo", &[Param::Text(name)])?;
    if number(&info, "state") != RUNNING || text(&info, "name").is_empty() {
        session.say("Process got killed")?;
        return Ok(false);
    }
    Ok(true)
}
