//! `make bench-queue`: what gmq costs, beside SQLite, mosquitto and a bare fdatasync measured in the same run.
//!
//! Counts are taken on an ext4 of its own, in a file on a loop device: `/sys/block/loopN/stat` counts every write and flush that
//! reaches it, the file system's journal included. What cannot be measured here (no root, no loop device, no mosquitto) is named and
//! left out. Times are of this machine, so they are printed as ratios to a bare fdatasync on the same file system, taken in turns.

mod day;
mod disk;
mod gmq;
mod memory;
mod mqtt;
mod sqlite;
mod table;

use disk::LoopDisk;
use gwe_tests::harness::announce_skip;
use std::time::Duration;
use table::Row;

/// Lone records of each kind.
const LONE: usize = 2000;
/// A record: alias and value, in bytes.
const RECORD: usize = 100;
/// From each of the clients at once.
const PER_CLIENT: usize = 1500;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|w| w == part);
    let mut rows = Vec::new();
    if wants("flash") {
        rows.extend(flash());
    }
    if wants("day") {
        match LoopDisk::new(1 << 30) {
            Some(disk) => rows.extend(day::rows(&disk)),
            None => announce_skip("day: needs root and a loop device"),
        }
    }
    if wants("memory") {
        rows.extend(memory::rows());
    }
    if wants("drain") {
        rows.push(gmq::drain(100_000, Duration::from_millis(100)));
    }
    table::print(&rows);
    if rows.iter().any(Row::is_over) {
        println!("\nover its limit: {}", rows.iter().filter(|r| r.is_over()).count());
        std::process::exit(1);
    }
}

/// What reaches the flash, and how fast.
fn flash() -> Vec<Row> {
    let Some(disk) = LoopDisk::new(1 << 30) else {
        announce_skip("flash: needs root and a loop device");
        return Vec::new();
    };
    let mut rows = Vec::new();
    rows.extend(gmq::lone(&disk, LONE, RECORD));
    rows.push(gmq::together(&disk, 100, RECORD));
    rows.extend(gmq::at_once(&disk, PER_CLIENT, RECORD));
    rows.extend(sqlite::rows(&disk, LONE, PER_CLIENT, RECORD));
    match mqtt::rows(&disk, LONE, PER_CLIENT, RECORD) {
        Some(more) => rows.extend(more),
        None => announce_skip("mosquitto: needs mosquitto"),
    }
    rows
}
