//! Security events: what was refused for its signature, which keys changed, a factory reset: numbered and kept.
//!
//! Invariants: an event is durable with its number, in one file that is replaced whole, so a number never goes back; what a server can
//! bring about as often as it likes costs at most one write an hour of each kind, and crowds out no event of another kind; whoever
//! writes holds the lock of installs.

use std::path::PathBuf;

use miniserde::{json, Deserialize, Serialize};

use super::state_file;
use crate::config::Paths;
use crate::sys::epoch::{self, BUILD_EPOCH};
use crate::sys::{clock, file, log};

/// So many events are kept.
pub const MAX_EVENTS: usize = 200;
/// The longest text of one, in characters.
const MAX_ABOUT: usize = 160;
/// The largest file, in bytes: all events, each character of theirs escaped.
const MAX_FILE: u64 = 512 * 1024;
/// How long what a server can bring about waits after the last write of its kind, in seconds.
const PAUSE: u64 = 3600;
/// The largest note of a reset, in bytes.
const MAX_NOTE: u64 = 256;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A package was not taken: its signature is missing, bad, or not a trusted key's.
    SignatureRefused,
    /// A package was not taken: its key is revoked.
    RevokedKey,
    /// A package was not taken: its key's time is over.
    ExpiredKey,
    /// A package was not taken: its signature is older than what is installed.
    DowngradeRefused,
    /// A set of keys was not taken.
    KeySetRefused,
    /// A set of keys was taken.
    KeySetChanged,
    /// The state folder was emptied.
    FactoryReset,
    /// The file of events was damaged; numbers go on from a time of day.
    EventsLost,
}

impl What {
    /// As it is told and kept.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            What::SignatureRefused => "signature_refused",
            What::RevokedKey => "revoked_key",
            What::ExpiredKey => "expired_key",
            What::DowngradeRefused => "downgrade_refused",
            What::KeySetRefused => "key_set_refused",
            What::KeySetChanged => "key_set_changed",
            What::FactoryReset => "factory_reset",
            What::EventsLost => "events_lost",
        }
    }

    /// Whether a server can bring it about as often as it likes.
    fn is_at_will(self) -> bool {
        !matches!(self, What::KeySetChanged | What::FactoryReset | What::EventsLost)
    }
}

/// An event that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityEvent {
    /// Its number, from 1, which no other event has or will have.
    pub n: u64,
    /// When it was seen first, unix seconds; `None`: the clock could not be right.
    pub time: Option<u64>,
    /// Of which kind: [`What::name`].
    pub what: String,
    /// A package, and why; a set's version; a boot.
    pub about: String,
    /// How often it was seen.
    pub times: u64,
    /// When it was seen last, where that was more than once.
    pub last: Option<u64>,
}

/// All that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Book {
    next: u64,
    events: Vec<SecurityEvent>,
}

/// What is not yet written of a kind; volatile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Unwritten {
    what: String,
    /// When one of its kind was written last, as seconds since boot.
    written: u64,
    times: u64,
    last: Option<u64>,
}

/// What the state folder keeps of them.
#[must_use]
pub fn path(paths: &Paths) -> PathBuf {
    paths.security().join("events.json")
}

/// What a factory reset leaves for the agent to count: the number of the boot in which it was carried out.
fn note_of_reset(paths: &Paths) -> PathBuf {
    paths.security().join("factory-reset")
}

fn path_of_waiting(paths: &Paths) -> PathBuf {
    paths.run().join("security-events")
}

/// Every event, the oldest first, with what is not yet written.
#[must_use]
pub fn events(paths: &Paths) -> Vec<SecurityEvent> {
    let mut book = Book::load(paths);
    waiting(paths).iter().for_each(|waiting| book.count(waiting));
    book.events
}

/// Counts an event, durably where its kind's turn has come. A disk that does not take it keeps nothing from going on.
pub fn note(paths: &Paths, what: What, about: &str) {
    note_at(paths, what, about, clock::since_boot().as_secs());
}

fn note_at(paths: &Paths, what: What, about: &str, now: u64) {
    let about: String = log::one_line(about).chars().take(MAX_ABOUT).collect();
    let time = epoch::now();
    let mut all = waiting(paths);
    if let Some(kind) = all.iter_mut().find(|kind| kind.what == what.name() && what.is_at_will()) {
        if now.saturating_sub(kind.written) < PAUSE {
            kind.times = kind.times.saturating_add(1);
            kind.last = time.or(kind.last);
            return keep_waiting(paths, &all);
        }
    }
    let mut book = Book::load(paths);
    all.iter().filter(|kind| kind.what == what.name()).for_each(|kind| book.count(kind));
    book.add(what.name(), &about, time);
    if !book.save(paths) || !what.is_at_will() {
        return;
    }
    all.retain(|kind| kind.what != what.name());
    all.push(Unwritten { what: what.name().to_string(), written: now, times: 0, last: None });
    keep_waiting(paths, &all);
}

/// Counts an event of that kind and text once, however often this is called.
pub fn note_once(paths: &Paths, what: What, about: &str) {
    let book = Book::load(paths);
    if !book.events.iter().any(|event| event.what == what.name() && event.about == about) {
        note(paths, what, about);
    }
}

/// Whether a factory reset was carried out in `boot`, or in one of which the agent does not know yet. Its note stays where it is.
#[must_use]
pub fn was_reset(paths: &Paths, boot: &str) -> bool {
    let about = about_reset(boot);
    note_of_reset(paths).exists()
        || Book::load(paths).events.iter().any(|event| event.what == What::FactoryReset.name() && event.about == about)
}

fn about_reset(boot: &str) -> String {
    ["boot ", boot.trim()].concat()
}

/// Counts what has happened while the agent did not run, and writes what has waited its time. Nothing is written where there is
/// nothing of either.
pub fn catch_up(paths: &Paths) {
    let reset = note_of_reset(paths);
    match file::read(&reset, MAX_NOTE) {
        Ok(None) => {}
        Ok(Some(boot)) => {
            // A power cut between the two leaves the note: it says the same again.
            note_once(paths, What::FactoryReset, &about_reset(&String::from_utf8_lossy(&boot)));
            if let Err(e) = file::remove(&reset) {
                crate::warning!("{e}");
            }
        }
        Err(e) => crate::warning!("{e}"),
    }
    write_due(paths, clock::since_boot().as_secs());
}

fn write_due(paths: &Paths, now: u64) {
    let mut all = waiting(paths);
    let is_due = |kind: &Unwritten| kind.times > 0 && now.saturating_sub(kind.written) >= PAUSE;
    if !all.iter().any(is_due) {
        return;
    }
    let mut book = Book::load(paths);
    all.iter().filter(|kind| is_due(kind)).for_each(|kind| book.count(kind));
    if book.save(paths) {
        for kind in all.iter_mut().filter(|kind| is_due(kind)) {
            *kind = Unwritten { what: kind.what.clone(), written: now, times: 0, last: None };
        }
        keep_waiting(paths, &all);
    }
}

fn waiting(paths: &Paths) -> Vec<Unwritten> {
    state_file::peek(&path_of_waiting(paths), MAX_FILE).unwrap_or_default()
}

fn keep_waiting(paths: &Paths, all: &Vec<Unwritten>) {
    if let Err(e) = file::write(&path_of_waiting(paths), json::to_string(all).as_bytes()) {
        crate::warning!("{e}");
    }
}

impl Book {
    /// Damaged, its numbers go on where none has been.
    fn load(paths: &Paths) -> Book {
        let path = path(paths);
        let is_there = path.exists();
        let loaded = state_file::load(&path, MAX_FILE, state_file::parse::<Book>, "security events are lost");
        loaded.unwrap_or_else(|| {
            let mut book = Book { next: 1, events: Vec::new() };
            if is_there {
                book.next = clock::unix_seconds().max(BUILD_EPOCH);
                book.add(What::EventsLost.name(), "the file was damaged", epoch::now());
            }
            book
        })
    }

    fn save(&self, paths: &Paths) -> bool {
        match file::replace(&path(paths), json::to_string(self).as_bytes(), 0o644) {
            Ok(()) => true,
            Err(e) => {
                crate::warning!("{e}; a security event is not kept");
                false
            }
        }
    }

    /// One that is known is counted; a new one has the next number.
    fn add(&mut self, what: &str, about: &str, time: Option<u64>) {
        if let Some(known) = self.events.iter_mut().find(|event| event.what == what && event.about == about) {
            known.times = known.times.saturating_add(1);
            known.last = time.or(known.last);
            return;
        }
        let n = self.events.iter().map(|event| event.n + 1).max().unwrap_or(1).max(self.next);
        self.next = n + 1;
        self.events.push(SecurityEvent {
            n,
            time,
            what: what.to_string(),
            about: about.to_string(),
            times: 1,
            last: None,
        });
        while self.events.len() > MAX_EVENTS {
            self.drop_one();
        }
    }

    /// The oldest of the kind of which there are most: no kind crowds out another.
    fn drop_one(&mut self) {
        let count = |what: &str| self.events.iter().filter(|event| event.what == what).count();
        let most = self.events.iter().map(|event| count(&event.what)).max().unwrap_or(0);
        if let Some(index) = self.events.iter().position(|event| count(&event.what) == most) {
            self.events.remove(index);
        }
    }

    /// What waited belongs to the newest of its kind: it came within the hour after that.
    fn count(&mut self, waiting: &Unwritten) {
        let newest = self.events.iter_mut().filter(|event| event.what == waiting.what && waiting.times > 0);
        if let Some(newest) =
            newest.max_by_key(|event| event.last.or(event.time).map_or((0, event.n), |at| (at, event.n)))
        {
            newest.times = newest.times.saturating_add(waiting.times);
            newest.last = waiting.last.or(newest.last);
        }
    }
}

#[cfg(test)]
mod tests;
