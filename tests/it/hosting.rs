//! Our own supervisord's core, from outside: what broke supervisord in the field, each with its thread (Supervisor/supervisor unless another is named).

use gwe::supervisor::{ProcessState, Supervisor};
use gwe_tests::harness::{agent_binary, announce_skip, run, start_process, wait_for, wait_until, Background, Scratch};
use std::fs;
use std::os::unix::fs::{symlink, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);

/// A daemon of our own with its files in a folder.
struct Own {
    daemon: Background,
    supervisor: Supervisor<'static>,
    root: Scratch,
    program: PathBuf,
}

/// Its program under its own name; `None`, and said so, where the agent was built without the core.
fn program(root: &Scratch) -> Option<PathBuf> {
    let agent = agent_binary();
    if !agent.with_file_name("hosting-core").is_file() {
        announce_skip("needs hosting-core beside the agent");
        return None;
    }
    let path = root.path("supervisord");
    symlink(agent, &path).ok()?;
    Some(path)
}

fn configuration(root: &Scratch, programs: &str) -> PathBuf {
    let text = "[supervisord]\nlogfile = {root}/log\npidfile = {root}/pid\nchildlogdir = {root}\nuser = root\n\
                [unix_http_server]\nfile = {root}/sock\n\
                [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n";
    root.write("conf", [text, programs].concat().replace("{root}", &root.root().to_string_lossy()))
}

impl Own {
    fn start(programs: &str) -> Option<Own> {
        Own::start_through(&[], programs)
    }

    /// Through other programs, as `unshare`.
    fn start_through(before: &[&str], programs: &str) -> Option<Own> {
        let root = Scratch::new();
        let program = program(&root)?;
        configuration(&root, programs);
        let daemon = Own::launch(&root, &program, before);
        let supervisor = Supervisor::new(root.path("sock"));
        let own = Own { daemon, supervisor, root, program };
        own.is_up();
        Some(own)
    }

    fn launch(root: &Scratch, program: &Path, before: &[&str]) -> Background {
        let words = before.iter().map(PathBuf::from).chain([program.to_path_buf()]).collect::<Vec<_>>();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["-n", "-c"]).arg(root.path("conf"));
        Background::start(&mut command, root, "output")
    }

    fn is_up(&self) {
        assert!(self.supervisor.wait_until_up(PATIENCE).unwrap(), "{}", self.daemon.log());
    }

    fn wait_for_log(&self, text: &str) {
        let what = format!("{text:?} in the log");
        wait_until(&what, PATIENCE, || self.root.has("log") && self.root.read("log").contains(text));
    }

    fn process(&self, name: &str) -> gwe::supervisor::Process {
        let all = self.supervisor.processes().unwrap();
        all.into_iter().find(|process| process.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn wait_for_state(&self, name: &str, state: ProcessState) -> gwe::supervisor::Process {
        wait_for("a state", PATIENCE, || Some(self.process(name)).filter(|process| process.state == state))
    }

    fn pid(&self) -> i32 {
        self.root.read("pid").trim().parse().unwrap()
    }
}

fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// 936; ochinchina/supervisord 60: as process 1 every orphan comes here.
#[test]
fn as_process_1_every_orphan_is_taken_and_nothing_else_happens() {
    orphans_are_taken(1000);
}

#[test]
#[ignore = "make test-long"]
fn as_process_1_ten_thousand_orphans_are_taken() {
    orphans_are_taken(10_000);
}

fn orphans_are_taken(count: usize) {
    let unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let may = run(Command::new(unshare[0]).args(&unshare[1..]).arg("true"), PATIENCE);
    if may.code != Some(0) {
        announce_skip("needs pid namespaces");
        return;
    }
    let orphans = format!(
        "[program:orphans]\ncommand = sh -c \"i=0; while [ $i -lt {count} ]; do (true &); i=$((i+1)); done; touch {{root}}/made; exec sleep 300\"\n"
    );
    let Some(own) = Own::start_through(&unshare, &orphans) else { return };
    wait_until("all orphans are made", PATIENCE, || own.root.has("made"));
    wait_until("all are taken", PATIENCE, || own.root.read("log").matches("reaped unknown pid").count() >= count);
    assert_eq!(own.pid(), 1);
    own.wait_for_state("orphans", ProcessState::Running);
    let zombie = |entry: fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = stat.rsplit(") ").next()?.split(' ').nth(1)?.parse::<u32>().ok()?;
        let core = fs::read_to_string(format!("/proc/{parent}/cmdline")).ok()?;
        (stat.contains(") Z ") && core.contains(&*own.root.root().to_string_lossy())).then_some(stat)
    };
    // The front end that answered last may have ended in this very moment.
    let zombies = || fs::read_dir("/proc").unwrap().flatten().find_map(zombie);
    wait_until("no zombie stays", PATIENCE, || zombies().is_none());
}

/// 807, 1612, 581: a descriptor that is at its end must not wake anybody again and again.
#[test]
fn a_program_that_closes_its_outputs_goes_on_and_costs_nothing() {
    let Some(own) = Own::start("[program:quiet]\ncommand = sh -c \"exec >&- 2>&-; sleep 300\"\nstartsecs = 0\n") else {
        return;
    };
    own.wait_for_state("quiet", ProcessState::Running);
    let switches = || {
        let status = fs::read_to_string(format!("/proc/{}/status", own.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap().to_string();
        line.rsplit('\t').next().unwrap().parse::<u64>().unwrap()
    };
    let before = switches();
    std::thread::sleep(Duration::from_secs(2));
    let woken = switches() - before;
    assert!(woken < 5, "woken {woken} times in two idle seconds");
    assert_eq!(own.process("quiet").state, ProcessState::Running);
}

/// 480, 851, 1084, 1311: something cleans /tmp.
#[test]
fn a_socket_whose_file_is_removed_is_there_again() {
    let Some(own) = Own::start("[program:p]\ncommand = sleep 300\n") else { return };
    for _ in 0..3 {
        fs::remove_file(own.root.path("sock")).unwrap();
        wait_until("the socket is there again", PATIENCE, || own.root.path("sock").exists());
        own.is_up();
    }
    assert_eq!(fs::metadata(own.root.path("sock")).unwrap().mode() & 0o777, 0o700);
    own.wait_for_log("had gone; it is there again");
}

/// 459, 121: after a kill -9 socket and pid file are stale; 168, 199: and no program runs twice.
#[test]
fn after_a_kill_the_next_one_starts_and_nothing_runs_twice() {
    let Some(mut own) = Own::start("[program:p]\ncommand = sleep 300\nstartsecs = 0\n") else { return };
    let pid = own.wait_for_state("p", ProcessState::Running).pid;
    // Not its group: that is what ends a program in the field.
    own.daemon.signal(libc::SIGKILL);
    own.daemon.wait(PATIENCE).unwrap();
    wait_until("the program went with it", PATIENCE, || !is_alive(pid));
    assert!(own.root.path("sock").exists() && own.root.has("pid"));
    own.daemon = Own::launch(&own.root, &own.program, &[]);
    own.is_up();
    assert_ne!(own.wait_for_state("p", ProcessState::Running).pid, pid);
    assert!(own.daemon.log().contains("Unlinking stale socket"), "{}", own.daemon.log());
}

/// The change log of 3.3.2: a second one that fails must not take the first one's pid file away.
#[test]
fn a_second_daemon_is_refused_and_takes_nothing_away() {
    let Some(own) = Own::start("[program:p]\ncommand = sleep 300\n") else { return };
    let pid = own.pid();
    let mut second = Command::new(&own.program);
    let ran = run(second.args(["-n", "-c"]).arg(own.root.path("conf")), PATIENCE).exited(2);
    assert!(ran.stderr.contains("Error: Another program is already listening on a port"), "{}", ran.stderr);
    assert_eq!(own.pid(), pid);
    own.is_up();
}

/// 935, 1078, 1224, 1602: what cannot be rotated is not, whatever its bound.
#[test]
fn output_to_standard_output_is_passed_on_beyond_any_bound() {
    let text = "[program:p]\ncommand = sh -c \"i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done; exec sleep 300\"\n\
                stdout_logfile = /dev/fd/1\nstdout_logfile_maxbytes = 100\n";
    let Some(own) = Own::start(text) else { return };
    wait_until("the last line", PATIENCE, || own.daemon.log().contains("line 299"));
    let log = own.daemon.log();
    let missing = (0..300).find(|number| !log.lines().any(|line| line == format!("line {number}")));
    assert_eq!(missing, None);
}

/// 89, 1311, and every full disk: the pipe is read, what finds no room is dropped and counted, the program does not notice.
#[test]
fn a_log_that_takes_nothing_stops_no_program() {
    let text = "[program:p]\ncommand = sh -c \"head -c 1000000 /dev/zero; touch {root}/written; exec sleep 300\"\n\
                stdout_logfile = /dev/full\nredirect_stderr = true\n";
    let Some(own) = Own::start(text) else { return };
    wait_until("the program wrote all it had", PATIENCE, || own.root.has("written"));
    own.wait_for_log("takes nothing (ENOSPC), output is dropped");
    assert_eq!(own.root.read("log").matches("takes nothing").count(), 1, "said once, not for each read");
    own.wait_for_state("p", ProcessState::Running);
}

/// 445, 1648, 87, 629: a log that is a folder is a failed start that says why, and no end of the daemon.
#[test]
fn a_log_that_cannot_be_opened_is_a_failed_start() {
    let Some(own) = Own::start("[program:p]\ncommand = sleep 300\nstdout_logfile = {root}\nstartretries = 0\n") else {
        return;
    };
    let process = own.wait_for_state("p", ProcessState::Fatal);
    assert_eq!(process.spawnerr, "unknown error making dispatchers for 'p': EISDIR");
    assert_eq!(process.pid, 0);
}

/// 322, 402, 1701: a bound is a bound, and no line is lost between rename and reopen.
#[test]
fn rotated_logs_keep_their_bound_and_every_line() {
    let text = "[program:p]\ncommand = sh -c \"i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); done; touch {root}/written; exec sleep 300\"\n\
                stdout_logfile = {root}/p.log\nstdout_logfile_maxbytes = 20000\nstdout_logfile_backups = 40\n";
    let Some(own) = Own::start(text) else { return };
    wait_until("all is written", PATIENCE, || own.root.has("written"));
    let logs = || {
        let mut all: Vec<PathBuf> =
            fs::read_dir(own.root.root()).unwrap().flatten().map(|entry| entry.path()).collect();
        all.retain(|path| path.to_string_lossy().contains("/p.log"));
        all
    };
    wait_until("the last line", PATIENCE, || {
        logs().iter().any(|path| fs::read_to_string(path).unwrap().contains("line 399\n"))
    });
    let sizes: Vec<u64> = logs().iter().map(|path| fs::metadata(path).unwrap().len()).collect();
    assert!(sizes.iter().all(|size| *size <= 20_000), "{sizes:?}");
    let text: String = logs().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert_eq!((0..400).find(|number| !text.lines().any(|line| line == format!("line {number}"))), None);
}

/// 602, 729, 1267: a bad file at SIGHUP stops nothing; a good one is taken up, in the same process.
#[test]
fn a_restart_with_a_bad_file_is_refused_and_with_a_good_one_done() {
    let Some(mut own) = Own::start("[program:p]\ncommand = sleep 300\n") else { return };
    let (daemon, before) = (own.pid(), own.wait_for_state("p", ProcessState::Running).pid);
    configuration(&own.root, "[program:p]\ncommand = sleep 300\nautorestart = perhaps\n");
    own.daemon.signal(libc::SIGHUP);
    own.wait_for_log("perhaps");
    assert_eq!(own.process("p").pid, before);
    configuration(&own.root, "[program:q]\ncommand = sleep 300\n");
    own.daemon.signal(libc::SIGHUP);
    wait_until("the program of the old file has ended", PATIENCE, || !is_alive(before));
    own.is_up();
    own.wait_for_state("q", ProcessState::Running);
    assert_eq!(own.supervisor.processes().unwrap().len(), 1);
    assert_eq!(own.pid(), daemon);
}

/// 1101, 1396, 1502: what a program started ends with it where its configuration says so.
#[test]
fn a_stop_of_the_group_reaches_grandchildren() {
    let text = "[program:p]\ncommand = sh -c \"sleep 301 & echo $! >{root}/child; wait\"\nstopasgroup = true\n";
    let Some(own) = Own::start(text) else { return };
    own.wait_for_state("p", ProcessState::Running);
    let child = own.root.read("child").trim().parse().unwrap();
    assert!(is_alive(child));
    own.supervisor.stop("p").unwrap();
    own.wait_for_state("p", ProcessState::Stopped);
    wait_until("the grandchild has ended", PATIENCE, || !is_alive(child));
}

/// 638, 565, 1231: bytes are bytes.
#[test]
fn output_that_is_no_text_is_kept_byte_by_byte() {
    let text = "[program:p]\ncommand = sh -c 'printf \"\\\\377\\\\000\\\\033[1mx\\\\n\"; exec sleep 300'\nstdout_logfile = {root}/p.log\n";
    let Some(own) = Own::start(text) else { return };
    wait_until("the log", PATIENCE, || fs::read(own.root.path("p.log")).unwrap_or_default() == b"\xff\0\x1b[1mx\n");
}

/// 260, 578, 916: the line says which rule; 1285, 574: without startsecs it has run.
#[test]
fn programs_that_end_at_once_are_told_apart_by_startsecs() {
    let text = "[program:early]\ncommand = true\nstartretries = 0\n[program:once]\ncommand = true\nstartsecs = 0\n";
    let Some(own) = Own::start(text) else { return };
    own.wait_for_state("early", ProcessState::Fatal);
    own.wait_for_log("exited: early (exit status 0; not expected)");
    own.wait_for_log("gave up: early entered FATAL state, too many start retries too quickly");
    own.wait_for_state("once", ProcessState::Exited);
    own.wait_for_log("exited: once (exit status 0; expected)");
}

/// Two hundred programs: all start, all stop, and their descriptors and processes are gone.
#[test]
fn two_hundred_programs() {
    let text = "[program:p]\ncommand = sleep 300\nnumprocs = 200\nprocess_name = %(program_name)s_%(process_num)03d\nstdout_logfile = NONE\nstderr_logfile = NONE\n";
    let Some(mut own) = Own::start(text) else { return };
    let running =
        || own.supervisor.processes().unwrap().iter().filter(|process| process.state == ProcessState::Running).count();
    wait_until("all run", PATIENCE, || running() == 200);
    let pids: Vec<u32> = own.supervisor.processes().unwrap().iter().map(|process| process.pid).collect();
    assert!(own.daemon.stop().success());
    assert!(pids.iter().all(|pid| !is_alive(*pid)));
    assert!(!own.root.path("sock").exists() && !own.root.path("pid").exists(), "its files go with it");
}

/// No peer does that: the core becomes another one, and no program is stopped for it.
#[test]
fn a_core_is_renewed_and_no_program_notices() {
    let text =
        "[program:p]\ncommand = sh -c \"while read line; do echo got $line; done\"\nstdout_logfile = {root}/p.log\n\
                [program:failed]\ncommand = false\nstartretries = 0\n[program:b]\ncommand = sleep 300\n";
    let Some(mut own) = Own::start(text) else { return };
    let before = own.wait_for_state("p", ProcessState::Running);
    own.wait_for_state("failed", ProcessState::Fatal);
    let core = own.pid();
    for times in 1..=3 {
        own.daemon.signal(libc::SIGUSR1);
        wait_until("it says that it goes on", PATIENCE, || {
            own.root.read("log").matches("goes on with all that was there").count() == times
        });
    }
    assert!(own.daemon.is_running());
    assert_eq!(own.pid(), core);
    let after = own.process("p");
    assert_eq!((after.pid, after.state), (before.pid, ProcessState::Running));
    // What is told is the clock now without the age: the two seconds need not change in the same moment.
    assert!(after.start.abs_diff(before.start) <= 1, "{} was {}", after.start, before.start);
    assert_eq!(own.process("failed").state, ProcessState::Fatal);
    // Its timers, its children and its sockets are the new one's.
    own.supervisor.stop("b").unwrap();
    own.wait_for_state("b", ProcessState::Stopped);
    start_process(&own.root.path("sock"), "b");
    own.wait_for_state("b", ProcessState::Running);
    assert_eq!(own.process("p").pid, before.pid);
    assert!(own.daemon.stop().success());
    assert!(!is_alive(before.pid));
}
