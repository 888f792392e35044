//! SQLite in WAL mode with synchronous=FULL: what one would use instead.

use super::disk::LoopDisk;
use super::gmq::rate;
use super::table::{median, Row};
use rusqlite::Connection;
use std::path::Path;
use std::time::{Duration, Instant};

fn open(path: &Path) -> Connection {
    let database = Connection::open(path).expect("a database");
    database.busy_timeout(Duration::from_secs(60)).expect("a setting");
    database.pragma_update(None, "journal_mode", "wal").expect("WAL");
    database.pragma_update(None, "synchronous", "full").expect("a setting");
    database.execute_batch("CREATE TABLE IF NOT EXISTS points (at INTEGER, record TEXT)").expect("a table");
    database
}

fn put(database: &Connection, record: &str) -> f64 {
    let begun = Instant::now();
    database
        .prepare_cached("INSERT INTO points VALUES (1, ?)")
        .and_then(|mut s| s.execute([record]))
        .expect("an insert");
    begun.elapsed().as_secs_f64() * 1e6
}

/// The same as gmq.
pub fn rows(disk: &LoopDisk, lone: usize, each: usize, record: usize) -> Vec<Row> {
    let path = disk.folder("sqlite").join("queue.db");
    let database = open(&path);
    let record = "v".repeat(record);
    put(&database, &record);
    let mut times = Vec::new();
    let traffic = disk.count(|| times = (0..lone).map(|_| put(&database, &record)).collect());
    drop(database);
    let mut rows = vec![
        Row::plain("SQLite WAL FULL: flushes, lone record", traffic.flushes as f64 / lone as f64, ""),
        Row::plain("SQLite WAL FULL: device bytes, lone record", traffic.bytes as f64 / lone as f64, "B"),
        Row::plain("SQLite WAL FULL: lone record, p50", median(times), "us"),
    ];
    for workers in [1, 16] {
        let each = if workers == 1 { each } else { each / 8 };
        let rate = rate(workers, each, |_| {
            let (database, record) = (open(&path), record.clone());
            move || {
                put(&database, &record);
            }
        });
        rows.push(Row::plain(&format!("SQLite WAL FULL: records a second, {workers} threads"), rate, "1/s"));
    }
    rows
}
