//! What the server knows, in one SQLite file: devices, their data, and what is in the content area.

mod content;
mod devices;
mod points;

pub use content::ContentRow;
pub use devices::{Activation, Device};
pub use points::{Alias, Kind, Point};

use rusqlite::Connection;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a query may fail with.
pub type Result<T> = rusqlite::Result<T>;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS device (
        sn      TEXT PRIMARY KEY,
        cik     TEXT UNIQUE,
        enabled INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS point (
        id    INTEGER PRIMARY KEY,
        sn    TEXT NOT NULL,
        alias TEXT NOT NULL,
        ts    REAL NOT NULL,
        value TEXT NOT NULL,
        kind  TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS point_latest ON point (sn, alias, ts, id);
    CREATE TABLE IF NOT EXISTS content (
        id   TEXT PRIMARY KEY,
        file TEXT NOT NULL,
        type TEXT NOT NULL,
        size INTEGER NOT NULL,
        ts   INTEGER NOT NULL,
        meta TEXT NOT NULL
    ) WITHOUT ROWID;
";

/// The database. Every call that changes it is one transaction, in the file when the call returns.
#[derive(Debug)]
pub struct Store {
    db: Mutex<Connection>,
}

impl Store {
    /// Opens the database file, and makes it where there is none.
    pub fn open(path: &Path) -> Result<Store> {
        let db = Connection::open(path)?;
        // In WAL mode a commit is written to the file, not synced: it survives a kill of this process, which is what
        // tests do to it. It need not survive a power cut, and costs no flush.
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.execute_batch(SCHEMA)?;
        Ok(Store { db: Mutex::new(db) })
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
