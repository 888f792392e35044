//! What a day writes to flash: an idle gateway at the default interval, and gmq at a record a second.

use super::disk::LoopDisk;
use super::gmq::App;
use super::table::Row;
use gwe_tests::harness::{announce_skip, run, Gateway, Gmq, MuranoChild, WrongClock};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

/// Days of check-ins that are counted, after the first, which activates.
const DAYS: u64 = 5;
const CHECK_INS_A_DAY: u64 = 6;
/// Seconds of records that are counted.
const SECONDS: u64 = 60;
const DAY: u64 = 86_400;
const RECORD: usize = 100;
const LIMIT: Duration = Duration::from_secs(60);
const NOBODY: &str = "http://127.0.0.1:1";

/// All rows.
pub fn rows(disk: &LoopDisk) -> Vec<Row> {
    let mut rows: Vec<Row> = idle(disk).into_iter().collect();
    rows.push(queue(disk, "day-online", &MuranoChild::start(&["--open"]).url(), "gmq, a record a second"));
    rows.push(queue(disk, "day-outage", NOBODY, "gmq, a record a second in an outage"));
    rows
}

/// Check-ins four hours apart, by a clock that is turned in between.
fn idle(disk: &LoopDisk) -> Option<Row> {
    let Some(clock) = WrongClock::new() else {
        announce_skip("a day of check-ins: needs a C compiler");
        return None;
    };
    let murano = MuranoChild::start(&["--open"]);
    let gateway = Gateway::configured(&murano.url(), "1");
    let (state, folder) = (gateway.root().path("var/lib/gwe"), disk.folder("day-idle"));
    // Its settings come along.
    run(Command::new("cp").arg("-r").arg(state.join(".")).arg(&folder), LIMIT).ok();
    std::fs::remove_dir_all(&state).expect("a folder that this test made");
    symlink(folder, &state).expect("a link");
    let check_in = || {
        run(clock.wear(&mut gateway.command("gwe")).arg("--once"), LIMIT).ok();
    };
    check_in();
    let traffic = disk.count(|| {
        for number in 1..=DAYS * CHECK_INS_A_DAY {
            clock.turn((number * DAY / CHECK_INS_A_DAY) as i64);
            check_in();
        }
    });
    Some(Row::plain(
        "an idle gateway, a check-in every 4 h: device bytes a day",
        traffic.bytes as f64 / DAYS as f64,
        "B",
    ))
}

fn queue(disk: &LoopDisk, name: &str, server: &str, what: &str) -> Row {
    let mut gmq = Gmq::not_running(server, "");
    let lib = gmq.gateway().root().path("var/lib");
    std::fs::create_dir_all(&lib).expect("a folder");
    symlink(disk.folder(name), lib.join("gwe")).expect("a link");
    gmq.run();
    let mut app = App::new(gmq.port(), RECORD);
    // What is made once: identity, segments.
    app.put(1);
    std::thread::sleep(Duration::from_secs(2));
    let traffic = disk.count(|| {
        for _ in 0..SECONDS {
            app.put(1);
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    let a_day = traffic.bytes as f64 / SECONDS as f64 * DAY as f64;
    Row::plain(&format!("{what}: device MB a day"), a_day / 1e6, "MB")
}
