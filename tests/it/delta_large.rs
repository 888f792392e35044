//! A delta of a large program, as a laptop makes it: within 2 GB of memory, with a bar that says how far it is, and the same each time.

use crate::delta::noise;
use gwe_tests::harness::{agent_binary, has_program, run, Scratch, Tarball};
use gwe_tests::skip;
use std::process::Command;
use std::time::Duration;

/// The program's size in bytes.
const SIZE: usize = 100_000_000;
/// What the tool may take for it, in KiB of address space: no page of memory is without.
const MEMORY_KIB: usize = 2 * 1024 * 1024;
/// A debug build sorts for minutes.
const LONG: Duration = Duration::from_secs(3600);

/// A program that was compiled anew: functions that move, and addresses in them that all shift.
fn program(shift: u32) -> Vec<u8> {
    let function = noise(5, 1 << 20);
    let mut program = Vec::with_capacity(SIZE + function.len());
    let mut seed = 1_u32;
    while program.len() < SIZE {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let begin = (seed >> 13) as usize % (function.len() - 512);
        program.extend_from_slice(&function[begin..begin + 500]);
        program.extend_from_slice(&(seed.wrapping_add(shift)).to_le_bytes());
    }
    program.truncate(SIZE);
    program
}

#[test]
#[ignore = "make test-long"]
fn a_program_of_100_mb_is_diffed_in_2_gb_and_the_same_each_time() {
    if !has_program("script") {
        skip!("needs script, of util-linux, for a terminal");
    }
    let desk = Scratch::new();
    for (name, shift) in [("app.v1.tar.gz", 0), ("app.v2.tar.gz", 4096)] {
        desk.write(name, Tarball::app("true").file("program", 0o755, program(shift)).bytes());
    }
    let delta = desk.path("app.v2.from.v1.delta");
    let mut made = Vec::new();
    for _ in 0..2 {
        let tool = agent_binary();
        let line = format!("ulimit -v {MEMORY_KIB}; exec {} --build-delta app.v1.tar.gz app.v2.tar.gz", tool.display());
        let ran = run(Command::new("script").args(["-qefc", &line, "/dev/null"]).current_dir(desk.root()), LONG);
        let shown = ran.ok().stdout;
        assert!(shown.contains("[#######") && shown.contains("100 %"), "{shown}");
        made.push(std::fs::read(&delta).expect("the delta is there"));
        std::fs::remove_file(&delta).expect("the delta goes");
    }
    assert!(made[0] == made[1], "the same each time");
    assert!(made[0].len() < SIZE / 20, "{} bytes", made[0].len());
}
