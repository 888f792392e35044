//! A fault of our own supervisord's core: it begins again with all that is, a few times, and then is no more. Nothing in it is known to have one, so
//! the size of its shared memory is taken away on its stack, which it notices at its next step.

use super::hosting_listen::Hosted;
use super::hosting_probe::{awaited, is_alive};
use gwe_tests::harness::{wait_for, wait_until, PATIENCE};
use std::fs::{self, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// So often it goes on all the same: MAX_FAULTS of src/hosting/core/renew.rs.
const FAULTS: usize = 8;

/// The addresses of a mapping of the process, by the end of its line.
fn mapping(pid: u32, name: &str) -> Range<u64> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let line = maps
        .lines()
        .find(|line| line.trim_end_matches(" (deleted)").ends_with(name))
        .unwrap_or_else(|| panic!("no {name}: {maps}"));
    let (from, until) = line.split(' ').next().unwrap().split_once('-').unwrap();
    u64::from_str_radix(from, 16).unwrap()..u64::from_str_radix(until, 16).unwrap()
}

/// Where the core keeps address and size of its memory, it finds a size of nothing.
fn cause(hosted: &mut Hosted) {
    let pid = hosted.daemon.pid();
    let (memory, stack) = (mapping(pid, "memfd:gwe-hosting"), mapping(pid, "[stack]"));
    let own = OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem")).unwrap();
    let mut bytes = vec![0; (stack.end - stack.start) as usize];
    own.read_exact_at(&mut bytes, stack.start).unwrap();
    let (word, base, size) = (size_of::<usize>(), memory.start as usize, (memory.end - memory.start) as usize);
    let words: Vec<usize> =
        bytes.chunks_exact(word).map(|word| usize::from_ne_bytes(word.try_into().unwrap())).collect();
    let mut found = 0;
    for (at, pair) in words.windows(2).enumerate() {
        let place = match *pair {
            [one, other] if one == base && other == size => at + 1,
            [one, other] if one == size && other == base => at,
            _ => continue,
        };
        own.write_all_at(&[0; size_of::<usize>()], stack.start + (place * word) as u64).unwrap();
        found += 1;
    }
    assert!(found > 0, "its memory is known by address and size");
    hosted.daemon.signal(libc::SIGUSR2);
}

#[test]
fn a_fault_is_survived_with_all_that_is_a_few_times() {
    let text = "[program:p]\ncommand = sleep 300\nstartsecs = 0\nprobe = sh {root}/probe.sh\nprobe_interval = 1\nprobe_timeout = 300\n";
    let probe = "echo $$ >{root}/asking.new; mv {root}/asking.new {root}/asking; exec sleep 300\n";
    let Some(mut hosted) = Hosted::start(text, &[("probe.sh", probe)]) else { return };
    let pid_of =
        |info: &str| info.split("(\"pid\", Int(").nth(1).and_then(|rest| rest.split(')').next()).map(str::to_string);
    let program = pid_of(&hosted.call("supervisor.getProcessInfo", "p")).unwrap();
    let mut asking = awaited(&hosted, "asking");
    for times in 1..=FAULTS {
        cause(&mut hosted);
        let goes_on = || hosted.root.read("log").matches("goes on with all that was there").count();
        wait_until("the core goes on", PATIENCE, || goes_on() == times);
        // Nobody would end it at its time-out any more.
        wait_until("the probe of the core before is ended", PATIENCE, || !is_alive(&asking));
        let before = asking.clone();
        asking = wait_for("another probe", PATIENCE, || Some(awaited(&hosted, "asking")).filter(|pid| *pid != before));
        assert_eq!(
            pid_of(&hosted.call("supervisor.getProcessInfo", "p")).as_ref(),
            Some(&program),
            "no program notices"
        );
    }
    let log = hosted.root.read("log");
    assert!(!log.contains("missed") && !log.contains("exited: p"), "{log}");
    cause(&mut hosted);
    assert_eq!(hosted.daemon.wait(PATIENCE).expect("it ends").code(), Some(70));
    wait_until("its programs and its probe end with it", PATIENCE, || !is_alive(&program) && !is_alive(&asking));
}
