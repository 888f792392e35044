//! Our own supervisord over thousands of starts and stops: what it has of memory, descriptors and processes is what it had (Supervisor/supervisor
//! 89, 1101).

use super::hosting_listen::Hosted;
use gwe::format::xmlrpc::{MethodResponse, Param};
use gwe_tests::harness::{call, child_pids, number_of, wait_until};
use std::fs;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const PROGRAMS: usize = 10;
const ROUNDS: usize = 1000;
/// Before that, pages are still touched for the first time.
const WARM: usize = 20;

/// A page may be touched late; a byte for each start would be more.
const MAX_GROWTH_KB: u64 = 8;

/// Kilobytes that are its own, and descriptors.
fn holdings(pid: u32) -> (u64, usize) {
    let dirty = number_of(pid, "smaps_rollup", "Private_Dirty:").expect("the kernel says so");
    (dirty, fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count())
}

#[test]
#[ignore = "make test-long"]
fn ten_thousand_starts_and_stops_leave_nothing_behind() {
    let text = format!(
        "[program:p]\ncommand = sleep 300\nstartsecs = 0\nautostart = false\nnumprocs = {PROGRAMS}\n\
         process_name = %(program_name)s_%(process_num)d\nstdout_logfile = {{root}}/p.log\nstderr_logfile = NONE\n"
    );
    let Some(hosted) = Hosted::start(&text, &[]) else { return };
    let pid = hosted.daemon.pid();
    let all = |method: &str| {
        let answer = call(&hosted.root.path("sock"), method, &[Param::Text("p"), Param::Bool(true)], PATIENCE);
        let Ok(MethodResponse::Value(value)) = answer else { panic!("{method}: {answer:?}") };
        assert_eq!(value.as_array().map(<[_]>::len), Some(PROGRAMS), "{method} reaches each of them");
    };
    let mut before = (0, 0);
    for round in 0..ROUNDS {
        all("supervisor.startProcessGroup");
        all("supervisor.stopProcessGroup");
        if round == WARM {
            wait_until("its children have gone", PATIENCE, || child_pids(pid).is_empty());
            before = holdings(pid);
        }
    }
    wait_until("its children have gone", PATIENCE, || child_pids(pid).is_empty());
    // The last front end's connection is closed a moment after it has gone.
    wait_until("its descriptors are as many as before", PATIENCE, || holdings(pid).1 <= before.1);
    let after = holdings(pid);
    assert!(after.0 <= before.0 + MAX_GROWTH_KB, "{} kB of its own, {} kB before", after.0, before.0);
    let spawned = hosted.root.read("log").matches("spawned: ").count();
    assert_eq!(spawned, PROGRAMS * ROUNDS);
}
