//! The account of every request that gwe, gmq and gdc make: what `usage_report` is made of.
//!
//! One file for all processes, under /run: volatile, bounded, a line a request. When it is full its lines are summed up. Who
//! writes holds a lock. Accounting never fails a request: where the file cannot be written (a user without the right, a
//! read-only or missing /run) it is left out.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sys::file::{self, Context, FileError};
use crate::sys::{clock, lock, net};

/// The file's size, in bytes, from which on its lines are summed up: one page, which is memory, because the folder is a tmpfs.
const FULL: u64 = 4096;
/// The largest account, in bytes: [`MAX_ROWS`] lines of the longest names and numbers. What is larger is not ours.
pub const MAX_BYTES: u64 = 16 * 1024;
/// So many pairs of interface and consumer are kept apart; what is beyond is not counted.
pub const MAX_ROWS: usize = 64;
/// The longest name of an interface or a consumer.
const MAX_NAME: usize = 64;
/// Another writer holds the lock for a millisecond or so.
const PATIENCE: Duration = Duration::from_secs(1);

/// What one consumer used of one interface since boot. Bytes are those of TCP's payload, TLS included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageRow {
    /// The interface, or `unknown`.
    pub iface: String,
    /// `gwe`, `gmq`, `gdc` or an app.
    pub consumer: String,
    /// Bytes received.
    pub tot_rx: u64,
    /// Bytes received by the one request that received most.
    pub max_rx: u64,
    /// Bytes sent.
    pub tot_tx: u64,
    /// Bytes sent by the one request that sent most.
    pub max_tx: u64,
    /// Requests.
    pub num: u64,
}

/// Adds a request to the account, of which `told` bytes received are in it already. `local` is the connection's own address.
pub(crate) fn record(log: &Path, consumer: &str, local: Option<IpAddr>, told: u64, rx: u64, tx: u64) {
    let row =
        UsageRow { tot_rx: rx.saturating_sub(told), max_rx: rx, tot_tx: tx, max_tx: tx, num: 1, ..of(consumer, local) };
    add(log, &row);
}

/// Adds the bytes received by a request that goes on.
pub(crate) fn record_part(log: &Path, consumer: &str, local: Option<IpAddr>, rx: u64) {
    add(log, &UsageRow { tot_rx: rx, ..of(consumer, local) });
}

fn of(consumer: &str, local: Option<IpAddr>) -> UsageRow {
    let iface = local.and_then(net::interface_of).unwrap_or_else(|| "unknown".to_string());
    UsageRow { iface: word(&iface), consumer: word(consumer), ..UsageRow::default() }
}

fn add(log: &Path, row: &UsageRow) {
    if let Err(e) = append(log, row) {
        crate::debug!("this request is not accounted for: {e}");
    }
}

/// The account, by interface and consumer. A missing file is an empty account; lines that are none are skipped.
///
/// # Errors
/// The file is there and cannot be read.
pub fn read(log: &Path) -> Result<Vec<UsageRow>, FileError> {
    let bytes = file::read(log, MAX_BYTES)?.unwrap_or_default();
    let mut rows: Vec<UsageRow> = Vec::new();
    for line in String::from_utf8_lossy(&bytes).split_inclusive('\n').filter_map(parse) {
        add_to(&mut rows, line);
    }
    Ok(rows)
}

fn add_to(rows: &mut Vec<UsageRow>, line: UsageRow) {
    let is_room = rows.len() < MAX_ROWS;
    match rows.iter_mut().find(|row| row.iface == line.iface && row.consumer == line.consumer) {
        Some(row) => row.add(&line),
        None if is_room => rows.push(line),
        None => {}
    }
}

fn append(log: &Path, row: &UsageRow) -> Result<(), FileError> {
    let Some(_lock) = lock::take(&beside(log, ".lock"), PATIENCE)? else {
        return Err(FileError::new("lock", log, std::io::ErrorKind::TimedOut.into()));
    };
    let mut line = row.line();
    line.push_str(&format!(" {}\n", clock::unix_seconds()));
    let mut open = OpenOptions::new();
    let mut file = open.read(true).append(true).create(true).mode(0o644).open(log).context("open", log)?;
    let size = file.metadata().context("read", log)?.len();
    let mut last = [b'\n'];
    let is_read = size == 0 || file.read_exact_at(&mut last, size - 1).is_ok();
    if !is_read || last != [b'\n'] {
        // What a crash has torn must not swallow this line, and does not count.
        line.insert_str(0, " torn\n");
    }
    if size + (line.len() as u64) <= FULL {
        // One write: what a crash leaves is a line or a torn one, which a reader skips.
        return file.write_all(line.as_bytes()).context("write", log);
    }
    let mut rows = if size > MAX_BYTES { Vec::new() } else { read(log)? };
    add_to(&mut rows, row.clone());
    let mut text = String::new();
    for row in &rows {
        text.push_str(&row.line());
        text.push_str(" 0\n");
    }
    // Nothing to make durable: the folder is a tmpfs. The rename is what keeps a reader from half a file.
    let new = beside(log, ".new");
    std::fs::write(&new, text).context("write", &new)?;
    std::fs::rename(&new, log).context("replace", log)
}

impl UsageRow {
    /// Adds the requests of `other`, whose names do not count.
    pub fn add(&mut self, other: &UsageRow) {
        self.tot_rx = self.tot_rx.saturating_add(other.tot_rx);
        self.tot_tx = self.tot_tx.saturating_add(other.tot_tx);
        self.max_rx = self.max_rx.max(other.max_rx);
        self.max_tx = self.max_tx.max(other.max_tx);
        self.num = self.num.saturating_add(other.num);
    }

    /// Bytes received and sent.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.tot_rx.saturating_add(self.tot_tx)
    }

    /// All but the time, which ends a line.
    fn line(&self) -> String {
        let UsageRow { iface, consumer, tot_rx, max_rx, tot_tx, max_tx, num } = self;
        format!("{iface} {consumer} {tot_rx} {max_rx} {tot_tx} {max_tx} {num}")
    }
}

/// Reads `iface consumer tot_rx max_rx tot_tx max_tx num time`, ended by a line feed: without it the line is torn.
fn parse(line: &str) -> Option<UsageRow> {
    let mut words = line.strip_suffix('\n')?.split(' ');
    let mut name = || words.next().filter(|w| !w.is_empty() && w.len() <= MAX_NAME).map(str::to_string);
    let (iface, consumer) = (name()?, name()?);
    let mut number = || words.next()?.parse::<u64>().ok();
    let (tot_rx, max_rx, tot_tx, max_tx, num) = (number()?, number()?, number()?, number()?, number()?);
    number()?;
    words.next().is_none().then_some(UsageRow { iface, consumer, tot_rx, max_rx, tot_tx, max_tx, num })
}

/// A name as one word.
fn word(name: &str) -> String {
    let word: String = name.chars().filter(|c| c.is_ascii_graphic()).take(MAX_NAME).collect();
    if word.is_empty() {
        "unknown".to_string()
    } else {
        word
    }
}

fn beside(log: &Path, ending: &str) -> PathBuf {
    let mut name = log.as_os_str().to_os_string();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::net::Ipv4Addr;

    const LO: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("gwe-usage-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir.join("run/usage")
    }

    fn row(iface: &str, consumer: &str, rest: [u64; 5]) -> UsageRow {
        let [tot_rx, max_rx, tot_tx, max_tx, num] = rest;
        UsageRow { iface: iface.to_string(), consumer: consumer.to_string(), tot_rx, max_rx, tot_tx, max_tx, num }
    }

    #[test]
    fn requests_add_up_by_interface_and_consumer() {
        let log = scratch("sums");
        assert_eq!(read(&log).unwrap(), []);
        record(&log, "gwe", LO, 0, 10, 1);
        record(&log, "gwe", LO, 0, 5, 2);
        record(&log, "gdc", None, 0, 7, 7);
        record(&log, "two words\n", LO, 0, 1, 1);
        let want = [
            row("lo", "gwe", [15, 10, 3, 2, 2]),
            row("unknown", "gdc", [7, 7, 7, 7, 1]),
            row("lo", "twowords", [1, 1, 1, 1, 1]),
        ];
        assert_eq!(read(&log).unwrap(), want);
    }

    #[test]
    fn a_request_that_was_told_in_parts_is_one_and_is_counted_once() {
        let log = scratch("parts");
        record_part(&log, "gwe", LO, 40);
        record_part(&log, "gwe", LO, 40);
        assert_eq!(read(&log).unwrap(), [row("lo", "gwe", [80, 0, 0, 0, 0])]);
        record(&log, "gwe", LO, 80, 100, 7);
        assert_eq!(read(&log).unwrap(), [row("lo", "gwe", [100, 100, 7, 7, 1])]);
    }

    #[test]
    fn torn_and_foreign_lines_are_skipped() {
        let log = scratch("torn");
        fs::create_dir_all(log.parent().unwrap()).unwrap();
        let text = b"lo gwe 1 1 2 2 1 1700000000\n\0\0\0\0\njunk\nlo gwe 1 1 2 2 1\nlo  1 1 1 1 1 1\nlo gwe 5 5 5 5 x 1\nlo gwe 9 9 9 9 1 17";
        fs::write(&log, text).unwrap();
        assert_eq!(read(&log).unwrap(), [row("lo", "gwe", [1, 1, 2, 2, 1])]);
        // What comes after a torn line is whole.
        fs::write(&log, b"lo gwe 9 9 9 9 1").unwrap();
        append(&log, &row("lo", "gwe", [3, 3, 4, 4, 1])).unwrap();
        assert_eq!(read(&log).unwrap(), [row("lo", "gwe", [3, 3, 4, 4, 1])]);
    }

    #[test]
    fn the_file_stays_bounded_and_keeps_its_sums_with_several_writers() {
        let log = scratch("bounded");
        let writers: Vec<_> = ["gwe", "gmq", "gdc"]
            .map(|consumer| {
                let log = log.clone();
                std::thread::spawn(move || {
                    (0..1000).for_each(|_| append(&log, &row("lo", consumer, [3, 3, 2, 2, 1])).unwrap())
                })
            })
            .into_iter()
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert!(fs::metadata(&log).unwrap().len() <= FULL);
        let mut rows = read(&log).unwrap();
        rows.sort_by(|a, b| a.consumer.cmp(&b.consumer));
        assert_eq!(rows, ["gdc", "gmq", "gwe"].map(|consumer| row("lo", consumer, [3000, 3, 2000, 2, 1000])));
    }

    #[test]
    fn the_largest_account_is_still_read_and_added_to() {
        let log = scratch("largest");
        fs::create_dir_all(log.parent().unwrap()).unwrap();
        let longest = |i| format!("{i:02}{}", "n".repeat(MAX_NAME - 2));
        for i in 0..=MAX_ROWS {
            append(&log, &row(&longest(0), &longest(i), [u64::MAX; 5])).unwrap();
        }
        // Every further one sums up.
        append(&log, &row(&longest(0), &longest(0), [1; 5])).unwrap();
        assert!((FULL..=MAX_BYTES).contains(&fs::metadata(&log).unwrap().len()));
        let rows = read(&log).unwrap();
        assert_eq!(rows.len(), MAX_ROWS);
        assert!(rows.iter().all(|row| row.num == u64::MAX));
    }

    #[test]
    fn a_file_that_others_blew_up_is_started_anew() {
        let log = scratch("foreign");
        fs::create_dir_all(log.parent().unwrap()).unwrap();
        fs::write(&log, vec![b'x'; MAX_BYTES as usize + 1]).unwrap();
        assert!(read(&log).is_err());
        record(&log, "gwe", LO, 0, 1, 1);
        assert_eq!(read(&log).unwrap(), [row("lo", "gwe", [1, 1, 1, 1, 1])]);
    }

    #[test]
    fn a_place_that_cannot_be_written_hurts_nobody() {
        record(Path::new("/proc/none/usage"), "gwe", LO, 0, 1, 1);
        assert_eq!(read(Path::new("/proc/none/usage")).unwrap(), []);
    }
}
