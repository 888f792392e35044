//! The daemon's own log, in supervisord's lines: local time, level, text.

use super::definition::Zone;
use super::log_file::{WriteOutcome, LogTarget};
use super::own::for_lines;
use super::store::SharedMemory;
use super::system::{wait_to_write, wall, write};
use super::text::{calendar, Text};
use super::wire::{records, Fixed, FieldSink};

pub const CRIT: u32 = 50;
pub const ERRO: u32 = 40;
pub const WARN: u32 = 30;
pub const INFO: u32 = 20;
pub const DEBG: u32 = 10;

/// A line is never longer.
const MAX_LINE: usize = 8192;
/// How long standard output may keep the core waiting.
const SLOW_OUTPUT_MS: u32 = 200;

pub fn is_wanted(store: &SharedMemory, level: u32) -> bool {
    level >= store.settings().loglevel
}

/// A line of these parts. It is put together where nothing else stands meanwhile.
pub fn line(store: &SharedMemory, level: u32, parts: &[&[u8]]) {
    let settings = store.settings();
    if level < settings.loglevel {
        return;
    }
    let mut head = Text::<40>::new();
    stamp(&mut head, settings.zones);
    head.push(name_of(level));
    let mut text = Fixed { buffer: for_lines().get_mut(..MAX_LINE - 1).unwrap_or(&mut []), len: 0 };
    // What does not fit is cut, part by part.
    let _ = core::iter::once(&head.bytes()).chain(parts).all(|part| {
        let fits = part.len().min(text.buffer.len() - text.len);
        text.put(part.get(..fits).unwrap_or(b"")) && fits == part.len()
    });
    let len = text.len;
    let all = for_lines();
    if let Some(last) = all.get_mut(len) {
        *last = b'\n';
    }
    let line = all.get(..=len).unwrap_or(b"");
    if settings.nodaemon && !settings.silent && wait_to_write(1, SLOW_OUTPUT_MS) {
        let _ = write(1, line);
    }
    if settings.log_to_syslog {
        super::syslog::lines(b"", line);
    }
    // Last: it may have something to say itself, and would put that together in the same place.
    to_file(store, line);
}

fn to_file(store: &SharedMemory, line: &[u8]) {
    let outcome = target(store, |log| if log.path.is_empty() { WriteOutcome::Taken } else { log.append(line) });
    if let WriteOutcome::TakenAgain(bytes) = outcome {
        let mut said = Text::<128>::new();
        said.number(i64::from(bytes));
        self::line(store, WARN, &[b"the log could not be written for a time: ", said.bytes(), b" bytes are lost"]);
    }
}

/// The log as a file.
pub fn target<T>(store: &SharedMemory, act: impl FnOnce(&mut LogTarget<'_>) -> T) -> T {
    let (settings, header) = (store.settings(), store.header());
    act(&mut LogTarget {
        path: settings.logfile,
        maxbytes: settings.logfile_maxbytes,
        backups: settings.logfile_backups,
        fd: &mut header.log_fd,
        size: &mut header.log_size,
        inode: &mut header.log_inode,
        dropped: &mut header.log_dropped,
    })
}

fn stamp(text: &mut Text<40>, zones: &[u8]) {
    let (seconds, ms) = wall();
    let offset = records(zones, Zone::decode).take_while(|zone| zone.since <= seconds).last();
    let [year, month, day, hour, minute, second] = calendar(seconds + offset.map_or(0, |zone| i64::from(zone.offset)));
    for (value, digits, before) in [(year, 4, b"" as &[u8]), (month, 2, b"-"), (day, 2, b"-")] {
        text.push(before);
        text.padded(value, digits);
    }
    for (value, digits, before) in [(hour, 2, b" "), (minute, 2, b":"), (second, 2, b":"), (u64::from(ms), 3, b",")] {
        text.push(before);
        text.padded(value, digits);
    }
    text.push(b" ");
}

fn name_of(level: u32) -> &'static [u8] {
    match level {
        CRIT.. => b"CRIT ",
        ERRO.. => b"ERRO ",
        WARN.. => b"WARN ",
        INFO.. => b"INFO ",
        DEBG.. => b"DEBG ",
        5.. => b"TRAC ",
        _ => b"BLAT ",
    }
}
