//! What programs write: read as it comes, kept in their logs. A descriptor whose other end is closed goes out of the watch at once, and the
//! process stays (Supervisor/supervisor 807, 1612).

use super::definition::{Channel, Program};
use super::log::{is_wanted, line, DEBG, ERRO, WARN};
use super::log_file::{WriteOutcome, LogTarget};
use super::own::{for_output, for_packets, Core};
use super::{capture, pool, syslog};
use super::run::{KIND_STDERR, KIND_STDOUT};
use super::spawn_error::{errno_name, Number};
use super::state::ProcessRecord;
use super::store::Place;
use super::text::Text;
use super::system::{close, now_ms, read, SysResult, EAGAIN, EINTR};

/// So many reads are done of a process that has ended: its children may write for ever.
const LAST_READS: usize = 16;
/// How often a log that takes nothing is complained about.
const COMPLAINT_MS: u64 = 60_000;

#[derive(Clone, Copy, PartialEq)]
pub enum Stream {
    Stdout,
    Stderr,
}

pub const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

impl Stream {
    pub fn name(self) -> &'static [u8] {
        match self {
            Stream::Stdout => b"stdout",
            Stream::Stderr => b"stderr",
        }
    }

    fn kind(self) -> u32 {
        match self {
            Stream::Stdout => KIND_STDOUT,
            Stream::Stderr => KIND_STDERR,
        }
    }

    pub fn fd(self, process: &mut ProcessRecord) -> &mut i32 {
        match self {
            Stream::Stdout => &mut process.stdout_fd,
            Stream::Stderr => &mut process.stderr_fd,
        }
    }

    pub fn channel<'a>(self, program: &Program<'a>) -> Channel<'a> {
        match self {
            Stream::Stdout => program.read_stdout(),
            Stream::Stderr => program.read_stderr(),
        }
    }
}

/// The log of an output, as a file.
fn target<'a>(stream: Stream, channel: &'a Channel<'_>, process: &'a mut ProcessRecord) -> LogTarget<'a> {
    let (fd, size, inode, dropped) = match stream {
        Stream::Stdout => (
            &mut process.stdout_log_fd,
            &mut process.stdout_size,
            &mut process.stdout_inode,
            &mut process.stdout_dropped,
        ),
        Stream::Stderr => (
            &mut process.stderr_log_fd,
            &mut process.stderr_size,
            &mut process.stderr_inode,
            &mut process.stderr_dropped,
        ),
    };
    let (path, maxbytes, backups) = (channel.logfile, channel.maxbytes, channel.backups);
    LogTarget { path, maxbytes, backups, fd, size, inode, dropped }
}

/// Does something to each log that a process has.
fn each_log(core: &Core, place: Place, mut act: impl FnMut(&mut LogTarget<'_>) -> SysResult<()>) -> SysResult<()> {
    let (Some((_, program)), Some(process)) = (core.store.program(place), core.store.process(place)) else {
        return Ok(());
    };
    let mut done = Ok(());
    for stream in STREAMS {
        let channel = stream.channel(&program);
        if !channel.logfile.is_empty() {
            done = done.and(act(&mut target(stream, &channel, process)));
        }
    }
    done
}

pub fn open_logs(core: &Core, place: Place) -> SysResult<()> {
    each_log(core, place, |log| log.open())
}

pub fn close_logs(core: &Core, place: Place) {
    let _ = each_log(core, place, |log| {
        log.close();
        Ok(())
    });
}

/// By their names: all, or those whose file is no longer there.
pub fn reopen_logs(core: &Core, place: Place) {
    let _ = each_log(core, place, |log| {
        if *log.fd >= 0 {
            log.reopen(true);
        }
        Ok(())
    });
}

pub fn clear_logs(core: &Core, place: Place) -> SysResult<()> {
    each_log(core, place, |log| {
        let was_open = *log.fd >= 0;
        let cleared = log.clear();
        if !was_open {
            log.close();
        }
        cleared
    })
}

pub fn watch(core: &Core, place: Place) {
    let Some(process) = core.store.process(place) else { return };
    for stream in STREAMS {
        core.watch(*stream.fd(process), stream.kind(), process.id);
    }
}

/// The descriptors of a process that is no more.
pub fn close_pipes(core: &Core, place: Place) {
    let Some(process) = core.store.process(place) else { return };
    for stream in STREAMS {
        close_one(core, stream.fd(process));
    }
    close_one(core, &mut process.stdin_fd);
}

pub fn close_one(core: &Core, fd: &mut i32) {
    if *fd >= 0 {
        core.unwatch(*fd);
        close(*fd);
        *fd = -1;
    }
}

/// What a process that has ended wrote last.
pub fn drain(core: &mut Core, place: Place) {
    for stream in STREAMS {
        for _ in 0..LAST_READS {
            if !read_once(core, place, stream) {
                break;
            }
        }
    }
}

/// One read; whether there may be more at once.
pub fn read_once(core: &mut Core, place: Place, stream: Stream) -> bool {
    let Some(process) = core.store.process(place) else { return false };
    let fd = stream.fd(process);
    if *fd < 0 {
        return false;
    }
    let buffer = for_output();
    match read(*fd, buffer) {
        Ok(0) => close_one(core, fd),
        Ok(count) => {
            let bytes = buffer.get(..count).unwrap_or(&[]);
            take(core, place, stream, bytes);
            return true;
        }
        Err(EAGAIN) => {}
        Err(EINTR) => return true,
        Err(_) => close_one(core, fd),
    }
    false
}

fn take(core: &mut Core, place: Place, stream: Stream, bytes: &[u8]) {
    let Some((_, program)) = core.store.program(place) else { return };
    let is_listener = stream == Stream::Stdout && pool::is_listener(core, place);
    match stream.channel(&program).capture_maxbytes {
        maxbytes if maxbytes > 0 && !is_listener => capture::take(core, place, stream, maxbytes, bytes),
        _ => normal(core, place, stream, bytes),
    }
    if is_listener {
        pool::listener_said(core, place, bytes);
    }
}

/// What is for the log.
pub fn normal(core: &mut Core, place: Place, stream: Stream, bytes: &[u8]) {
    let Some((_, program)) = core.store.program(place) else { return };
    let channel = stream.channel(&program);
    // No packet is being read meanwhile.
    let bytes = if core.store.settings().strip_ansi { capture::without_ansi(bytes, for_packets()) } else { bytes };
    if is_wanted(&core.store, DEBG) {
        say_output(core, program.name, stream, bytes);
    }
    if channel.has_events {
        pool::output(core, place, stream, bytes);
    }
    if channel.to_syslog {
        syslog::lines(program.name, bytes);
    }
    if !channel.logfile.is_empty() {
        keep(core, place, stream, &channel, program.name, bytes);
    }
}

/// For who debugs: the text as it is, or its bytes as Python writes them.
/// A frame of its own: its buffer is no part of the way that every read goes.
#[inline(never)]
fn say_output(core: &Core, name: &[u8], stream: Stream, bytes: &[u8]) {
    const MAX_SHOWN: usize = 4096;
    let mut shown = Text::<MAX_SHOWN>::new();
    let is_text = core::str::from_utf8(bytes).is_ok();
    if !is_text {
        shown.push(b"Undecodable: ");
        shown.push_escaped(bytes);
    }
    let what: &[u8] = if is_text { bytes } else { shown.bytes() };
    line(&core.store, DEBG, &[b"'", name, b"' ", stream.name(), b" output:\n", what]);
}

/// Into the log. Trouble with it never changes the process.
fn keep(core: &Core, place: Place, stream: Stream, channel: &Channel<'_>, name: &[u8], bytes: &[u8]) {
    let Some(process) = core.store.process(place) else { return };
    let outcome = target(stream, channel, process).append(bytes);
    let about: [&[u8]; 5] = [b"'", name, b"' ", stream.name(), b": "];
    let [a, b, c, d, e] = about;
    match outcome {
        WriteOutcome::Taken => {}
        WriteOutcome::Lost(why) => {
            let now = now_ms();
            if process.complained_ms == 0 || now - process.complained_ms >= COMPLAINT_MS {
                process.complained_ms = now;
                let mut number = Number::of(why);
                let why = errno_name(why, &mut number);
                line(
                    &core.store,
                    ERRO,
                    &[a, b, c, d, e, channel.logfile, b" takes nothing (", why, b"), output is dropped"],
                );
            }
        }
        WriteOutcome::TakenAgain(count) => {
            let count = Number::of_u64(u64::from(count));
            line(
                &core.store,
                WARN,
                &[a, b, c, d, e, channel.logfile, b" is written again; bytes dropped: ", count.digits()],
            );
        }
    }
}
