//! Programs that hang, on our own supervisord: asked again and again by their own probe, and started again where they do not answer (ochinchina/supervisord
//! 300, 343; openwrt/openwrt 15993).

use super::hosting_listen::Hosted;
use gwe_tests::harness::{wait_for, wait_until};
use std::fs;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);

fn info(hosted: &Hosted, name: &str) -> String {
    hosted.call("supervisor.getProcessInfo", name)
}

fn restarts(hosted: &Hosted, name: &str) -> Option<u32> {
    let info = info(hosted, name);
    let count = info.split("(\"probe_restarts\", Int(").nth(1)?;
    count.split(')').next()?.parse().ok()
}

pub fn is_alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

pub fn awaited(hosted: &Hosted, file: &str) -> String {
    let read = || fs::read_to_string(hosted.root.path(file)).ok().filter(|text| text.ends_with('\n'));
    wait_for(file, PATIENCE, read).trim().to_string()
}

/// So many misses in a row, and no fewer; counted where engine_report finds it.
#[test]
fn a_program_that_does_not_answer_is_started_again() {
    let text = "[program:p]\ncommand = sleep 300\nstartsecs = 0\nautorestart = false\nprobe = sh {root}/probe.sh %(program_name)s\n\
                probe_interval = 1\nprobe_retries = 2\nenvironment = SITE=\"here\"\n\
                [program:quiet]\ncommand = sleep 300\nstartsecs = 0\nprobe = sh {root}/probe.sh quiet\n";
    let probe = "echo \"$1 $SITE\" >>{root}/asked; [ -e {root}/good ]\n";
    let Some(hosted) = Hosted::start(text, &[("probe.sh", probe), ("good", "")]) else { return };
    hosted.wait_for("asked", "p here\np here\np here\n");
    assert_eq!((restarts(&hosted, "p"), restarts(&hosted, "quiet")), (Some(0), None));
    let log = hosted.root.read("log");
    assert!(!log.contains("missed") && !log.contains("reaped unknown"), "{log}");
    fs::remove_file(hosted.root.path("good")).unwrap();
    hosted.wait_for("log", "WARN 'p' does not answer its probe, and is started again");
    hosted.root.write("good", "");
    wait_until("it is up again", PATIENCE, || {
        hosted.root.read("log").matches("success: p entered RUNNING").count() >= 2
    });
    let log = hosted.root.read("log");
    let count = restarts(&hosted, "p").unwrap();
    assert_eq!(log.matches("is started again").count() as u32, count, "{log}");
    for said in
        ["the probe of 'p' missed: 1 of 2", "the probe of 'p' missed: 2 of 2", "stopped: p (terminated by SIGTERM)"]
    {
        assert!(log.contains(said), "{log}");
    }
    assert!(!hosted.root.read("asked").contains("quiet"), "without an interval nothing asks");
}

/// A probe that hangs is ended with all that it started; one that cannot be run says nothing about its program.
#[test]
fn a_probe_that_hangs_or_cannot_be_run() {
    let text = "[program:p]\ncommand = sleep 300\nstartsecs = 0\nprobe = sh {root}/probe.sh\nprobe_interval = 1\nprobe_timeout = 1\nprobe_retries = 1\n\
                [program:q]\ncommand = sleep 300\nstartsecs = 0\nprobe = /no/such/probe\nprobe_interval = 1\nprobe_retries = 1\n";
    let probe =
        "[ -e {root}/child ] && exit 0; sleep 300 & echo $! >{root}/child.new; mv {root}/child.new {root}/child; wait\n";
    let Some(hosted) = Hosted::start(text, &[("probe.sh", probe)]) else { return };
    let child = awaited(&hosted, "child");
    hosted.wait_for("log", "'p' does not answer its probe");
    wait_until("what it started is ended with it", PATIENCE, || !is_alive(&child));
    hosted.wait_for("log", "the probe of 'q' cannot be started");
    assert_eq!(restarts(&hosted, "q"), Some(0));
    assert!(info(&hosted, "q").contains("RUNNING"));
}

/// Stopped, renewed or ended while a probe runs: the probe is gone, and another core asks on.
#[test]
fn a_probe_ends_with_what_it_asks_and_with_the_core_that_asks() {
    let text = "[program:p]\ncommand = sleep 300\nstartsecs = 0\nprobe = sh {root}/probe.sh\nprobe_interval = 1\nprobe_timeout = 300\n\
                [program:waits]\ncommand = sleep 300\nstartsecs = 0\nafter = p\n";
    let probe = "[ -e {root}/good ] && exit 0; echo $$ >{root}/asking.new; mv {root}/asking.new {root}/asking; exec sleep 300\n";
    let Some(mut hosted) = Hosted::start(text, &[("probe.sh", probe)]) else { return };
    let asked_anew = |hosted: &Hosted, before: &str| {
        wait_for("another probe", PATIENCE, || Some(awaited(hosted, "asking")).filter(|pid| pid != before))
    };
    let first = awaited(&hosted, "asking");
    assert!(info(&hosted, "waits").contains("waits for p"), "RUNNING, and not yet proven");
    hosted.daemon.signal(libc::SIGUSR1);
    hosted.wait_for("log", "goes on with all that was there");
    let second = asked_anew(&hosted, &first);
    assert!(!is_alive(&first));
    assert!(hosted.call("supervisor.stopProcess", "p").contains("true"));
    wait_until("the probe is gone", PATIENCE, || !is_alive(&second));
    assert!(hosted.call("supervisor.startProcess", "p").contains("true"));
    let third = asked_anew(&hosted, &second);
    let log = hosted.root.read("log");
    assert!(!log.contains("missed"), "{log}");
    hosted.daemon.signal(libc::SIGKILL);
    hosted.daemon.wait(PATIENCE).unwrap();
    wait_until("the probe is gone with its core", PATIENCE, || !is_alive(&third));
}

/// RUNNING is not enough where a program says more of itself.
#[test]
fn a_start_that_waits_goes_on_with_the_first_good_answer() {
    let text = "[program:p]\ncommand = sleep 300\nstartsecs = 0\nprobe = test -e {root}/good\nprobe_interval = 1\nprobe_retries = 100\n\
                [program:waits]\ncommand = sleep 300\nstartsecs = 0\nafter = p\n";
    let Some(hosted) = Hosted::start(text, &[]) else { return };
    hosted.wait_for("log", "the probe of 'p' missed: 2 of 100");
    assert!(info(&hosted, "waits").contains("waits for p"));
    hosted.root.write("good", "");
    wait_until("it runs", PATIENCE, || info(&hosted, "waits").contains("RUNNING"));
}
