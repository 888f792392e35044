//! Everything that the connections share.

use super::content::ContentArea;
use super::fault::FaultBook;
use super::http::date;
use super::journal::Journal;
use super::store::Store;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How a server is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address and port of the HTTP listener; loopback only; port 0: the system picks one.
    pub listen: String,
    /// The same for HTTPS; `None`: no HTTPS.
    pub tls_listen: Option<String>,
    /// The folder that holds everything that must survive a restart.
    pub data: PathBuf,
    /// Any serial number may activate.
    pub open: bool,
    /// The product id that vendor and model must be; `None`: any.
    pub product: Option<String>,
    /// More names for the TLS certificate, beside localhost and `*.m2.exosite.io`.
    pub tls_names: Vec<String>,
    /// Unix seconds from which, and until which, the TLS certificate is valid; `None`: 2020 to 2099.
    pub tls_valid: Option<(u64, u64)>,
    /// One write a second per device, else 429.
    pub rate_limit: bool,
    /// Every answer comes so much later.
    pub latency: Duration,
    /// What the page and the admin API ask for; `None`: nothing, and then all listeners are on loopback.
    pub token: Option<String>,
}

impl Options {
    /// Plain HTTP on a port that the system picks, with its data in this folder.
    pub fn new(data: impl Into<PathBuf>) -> Options {
        Options {
            listen: "127.0.0.1:0".to_string(),
            tls_listen: None,
            data: data.into(),
            open: false,
            product: None,
            tls_names: Vec::new(),
            tls_valid: None,
            rate_limit: false,
            latency: Duration::ZERO,
            token: None,
        }
    }
}

/// The state of a running server.
#[derive(Debug)]
pub struct Platform {
    /// As it was started.
    pub options: Options,
    /// The database.
    pub store: Store,
    /// The files of the content area.
    pub content: ContentArea,
    /// What goes wrong on purpose.
    pub faults: FaultBook,
    /// What was asked.
    pub journal: Journal,
    /// Set once, when the server stops.
    pub stop: AtomicBool,
    /// Counts changes of data; long polls wait for it.
    changes: Mutex<u64>,
    changed: Condvar,
    last_write: Mutex<HashMap<String, Instant>>,
    last_contact: Mutex<HashMap<String, i64>>,
}

impl Platform {
    /// Opens, or makes, the data folder.
    pub fn open(options: Options) -> io::Result<Platform> {
        fs::create_dir_all(&options.data)?;
        let store = Store::open(&options.data.join("murano.db")).map_err(io::Error::other)?;
        let content = ContentArea::open(options.data.join("content"), &store)?;
        Ok(Platform {
            options,
            store,
            content,
            faults: FaultBook::default(),
            journal: Journal::default(),
            stop: AtomicBool::new(false),
            changes: Mutex::new(0),
            changed: Condvar::new(),
            last_write: Mutex::new(HashMap::new()),
            last_contact: Mutex::default(),
        })
    }

    /// Wakes whoever waits for a change.
    pub fn announce_change(&self) {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// The number of the last change, for [`Platform::wait_for_change`].
    pub fn last_change(&self) -> u64 {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is a change after `seen`, at most so long.
    pub fn wait_for_change(&self, seen: u64, at_most: Duration) {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.changed.wait_timeout_while(changes, at_most, |now| *now == seen);
    }

    /// A request came with the CIK of this serial number.
    pub fn contacted(&self, sn: &str) {
        let mut contacts = self.last_contact.lock().unwrap_or_else(PoisonError::into_inner);
        contacts.insert(sn.to_string(), date::now());
    }

    /// Unix seconds of the last one; `None`: none since this server was started.
    pub fn last_contact(&self, sn: &str) -> Option<i64> {
        self.last_contact.lock().unwrap_or_else(PoisonError::into_inner).get(sn).copied()
    }

    /// Whether a device may write now: once a second, where that is asked for.
    pub fn may_write(&self, sn: &str) -> bool {
        if !self.options.rate_limit {
            return true;
        }
        let mut last = self.last_write.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if last.get(sn).is_some_and(|then| now.duration_since(*then) < Duration::from_secs(1)) {
            return false;
        }
        last.insert(sn.to_string(), now);
        true
    }
}
