//! The shell: a prompt, a line, an action, until there is no more or Ctrl-C.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use super::CtlSession;
use crate::sys::poll::Watch;
use crate::sys::signal;

/// A line may have so many bytes.
const MAX_LINE: usize = 64 << 10;

/// Lines of a person or a pipe. A signal ends the wait for one.
pub(super) struct InputLines {
    input: File,
    signals: File,
    buffer: Vec<u8>,
}

/// What comes next.
pub(super) enum ShellNext {
    Line(String),
    End,
    Interrupted,
}

impl InputLines {
    /// From now on Ctrl-C is no more than an answer of [`InputLines::next`].
    pub(super) fn new() -> io::Result<InputLines> {
        signal::block();
        let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(InputLines { input, signals: signal::descriptor()?, buffer: Vec::new() })
    }

    /// A line that has come whole already.
    pub(super) fn whole(&mut self) -> Option<String> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    pub(super) fn input(&self) -> &File {
        &self.input
    }

    pub(super) fn signals(&self) -> &File {
        &self.signals
    }

    /// Reads what is there. `false`: nothing more comes.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 4096];
        let count = match self.input.read(&mut chunk) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(true),
            count => count?,
        };
        self.buffer.extend(&chunk[..count]);
        Ok(count > 0 && self.buffer.len() <= MAX_LINE)
    }

    pub(super) fn next(&mut self) -> io::Result<ShellNext> {
        loop {
            if let Some(line) = self.whole() {
                return Ok(ShellNext::Line(line));
            }
            let mut watch = Watch::default();
            let (stop, more) = (watch.add(&self.signals, true, false), watch.add(&self.input, true, false));
            watch.wait(None)?;
            if watch.ready(stop).read {
                while signal::read(&self.signals).is_some() {}
                return Ok(ShellNext::Interrupted);
            }
            if watch.ready(more).read && !self.fill()? {
                let rest = std::mem::take(&mut self.buffer);
                return Ok(if rest.is_empty() {
                    ShellNext::End
                } else {
                    ShellNext::Line(String::from_utf8_lossy(&rest).into_owned())
                });
            }
        }
    }
}

/// One question, one line; `None`: there is none.
pub(super) fn ask(session: &mut CtlSession<'_>, question: &str) -> io::Result<Option<String>> {
    session.out.write_all(question.as_bytes())?;
    session.out.flush()?;
    match session.lines.as_mut().map(InputLines::next).transpose()? {
        Some(ShellNext::Line(line)) => Ok(Some(line)),
        _ => Ok(None),
    }
}

/// First the status, then whatever is asked for.
pub(super) fn run(session: &mut CtlSession<'_>) -> io::Result<()> {
    session.one("status")?;
    session.lines = Some(InputLines::new()?);
    loop {
        let prompt = [&session.prompt, "> "].concat();
        session.out.write_all(prompt.as_bytes())?;
        session.out.flush()?;
        let line = match session.lines.as_mut().map(InputLines::next).transpose()? {
            Some(ShellNext::Line(line)) => line,
            Some(ShellNext::End) => "EOF".to_string(),
            Some(ShellNext::Interrupted) | None => {
                session.say("")?;
                return Ok(());
            }
        };
        if !session.one(&line)? {
            return Ok(());
        }
    }
}
