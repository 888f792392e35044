//! Our own supervisord where the machine gives it little: memory, processes, a log that is slower than what is written (Supervisor/supervisor 89, 1311).

use super::hosting_listen::Hosted;
use gwe::format::xmlrpc::Param;
use gwe_tests::harness::{agent_binary, announce_skip, call, number_of, run, wait_until, Background, Scratch};
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{chown, symlink, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);
/// Kilobytes with three programs and their logs: in all, of its own, and of its stack. What a start of a program leaves on that is 40.
const MOST: [(&str, u64); 2] = [("Pss:", 120), ("Private_Dirty:", 60)];
const MOST_STACK: u64 = 24;

/// Kilobytes of the stack that are there.
fn stack(pid: u32) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let lines = maps.lines().skip_while(|line| !line.ends_with("[stack]"));
    let rss = lines.filter_map(|line| line.strip_prefix("Rss:")).next().expect("the kernel says so");
    rss.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn what_starting_and_answering_took_is_given_back() {
    let text = "[program:p]\ncommand = sh -c 'echo line; exec sleep 300'\nnumprocs = 3\nprocess_name = p%(process_num)d\nstartsecs = 0\n\
                stdout_logfile = {root}/%(process_num)d.log\nredirect_stderr = true\n";
    let Some(hosted) = Hosted::start(text, &[]) else { return };
    (0..3).for_each(|number| hosted.wait_for(&format!("{number}.log"), "line"));
    assert!(hosted.call("supervisor.getProcessInfo", "p:p0").contains("RUNNING"));
    // Pages of a file that was just built count as its own until they are on the disk.
    File::open(agent_binary().with_file_name("hosting-core")).and_then(|file| file.sync_all()).unwrap();
    let pid = hosted.daemon.pid();
    let figures = || MOST.map(|(what, _)| number_of(pid, "smaps_rollup", what).expect("the kernel says so"));
    wait_until("it rests", PATIENCE, || {
        stack(pid) <= MOST_STACK && figures().iter().zip(MOST).all(|(figure, (_, most))| *figure <= most)
    });
}

/// A pipe or terminal whose reader has stopped keeps nobody waiting but once.
#[test]
fn a_log_whose_reader_has_stopped_holds_nobody_up() {
    let text = "[program:flood]\ncommand = sh {root}/flood.sh\nstartsecs = 0\nstdout_logfile = {root}/fifo\n\
                [program:p]\ncommand = sh {root}/p.sh\nstartsecs = 0\nstdout_logfile = {root}/p.log\n";
    let flood = "while [ ! -p {root}/fifo ]; do sleep 0.05; done; head -c 4000000 /dev/zero; touch {root}/written\n\
                 while [ ! -e {root}/go ]; do sleep 0.05; done; echo more; exec sleep 300\n";
    let other = "while [ ! -e {root}/written ]; do echo still here; sleep 0.05; done; echo last; exec sleep 300\n";
    let root = Scratch::new();
    let fifo = root.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let text = text.replace("{root}/fifo", &fifo.to_string_lossy());
    let flood = flood.replace("{root}/fifo", &fifo.to_string_lossy());
    let mut reader = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&fifo).unwrap();
    let Some(hosted) = Hosted::start(&text, &[("flood.sh", &flood), ("p.sh", other)]) else { return };
    wait_until("the program wrote all it had", PATIENCE, || hosted.root.has("written"));
    hosted.wait_for("p.log", "last");
    assert!(hosted.call("supervisor.getProcessInfo", "flood").contains("RUNNING"));
    hosted.wait_for("log", "takes nothing (EAGAIN), output is dropped");
    // Somebody reads again.
    let mut heard = Vec::new();
    let mut read = || {
        let mut chunk = [0; 65536];
        while let Ok(count @ 1..) = reader.read(&mut chunk) {
            heard.extend_from_slice(&chunk[..count]);
        }
        heard.ends_with(b"more\n")
    };
    read();
    hosted.root.write("go", "");
    wait_until("what comes then", PATIENCE, read);
    hosted.wait_for("log", "is written again; bytes dropped: ");
}

/// Much more than its log may hold, as fast as it can: the bound is kept, the last line is there, and who asks is answered.
#[test]
fn a_flood_is_kept_within_its_bound_and_the_daemon_within_call() {
    let text = "[program:flood]\ncommand = sh {root}/flood.sh\nstartsecs = 0\nstdout_logfile = {root}/flood.log\n\
                stdout_logfile_maxbytes = 100KB\nstdout_logfile_backups = 1\n";
    let flood = "head -c 40000000 /dev/zero | tr '\\0' x; echo; echo last; touch {root}/written; exec sleep 300\n";
    let Some(hosted) = Hosted::start(text, &[("flood.sh", flood)]) else { return };
    wait_until("all is written, and who asks is answered", PATIENCE, || {
        assert!(hosted.call("supervisor.getProcessInfo", "flood").contains("RUNNING"));
        hosted.root.has("written")
    });
    hosted.wait_for("flood.log", "x\nlast\n");
    for name in ["flood.log", "flood.log.1"] {
        assert!(fs::metadata(hosted.root.path(name)).unwrap().len() <= 100 << 10, "{name}");
    }
    assert!(!hosted.root.has("flood.log.2"));
    let dirty = number_of(hosted.daemon.pid(), "smaps_rollup", "Private_Dirty:").expect("the kernel says so");
    assert!(dirty <= MOST[1].1, "{dirty} kB of its own");
}

/// As many processes as its user may have, told by that user: root may not where it is not quite root.
fn limit_processes(user: u32, pid: u32, most: &str) {
    let mut command = Command::new("prlimit");
    command.arg("--pid").arg(pid.to_string()).arg(format!("--nproc={most}:")).uid(user).gid(user);
    run(&mut command, PATIENCE).ok();
}

/// What it may raise it to.
fn most_processes(pid: u32) -> String {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max processes")).expect("the kernel says so");
    line.split_whitespace().nth(3).unwrap().to_string()
}

/// No process can be had, for a program or a front end: it is said, tried again, and nothing else happens (975, 1600).
#[test]
fn a_machine_without_processes_is_waited_out() {
    // SAFETY: no memory.
    if unsafe { libc::geteuid() } != 0 {
        return announce_skip("needs root, to have a user of its own");
    }
    if Command::new("prlimit").arg("--version").output().is_err() {
        return announce_skip("needs prlimit");
    }
    let core = agent_binary().with_file_name("hosting-core");
    if !core.is_file() {
        return announce_skip("needs hosting-core beside the agent");
    }
    // A user that nobody else is.
    let user = 61_000 + std::process::id() % 4000;
    let root = Scratch::new();
    fs::set_permissions(root.root(), fs::Permissions::from_mode(0o755)).unwrap();
    for (from, to) in [(agent_binary(), "gwe"), (core, "hosting-core")] {
        fs::copy(from, root.path(to)).unwrap();
    }
    symlink("gwe", root.path("supervisord")).unwrap();
    let here = root.root().to_string_lossy().into_owned();
    let text = format!(
        "[supervisord]\nlogfile = {here}/log\npidfile = {here}/pid\nchildlogdir = {here}\n[unix_http_server]\nfile = {here}/sock\n\
         [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
         [program:p]\ncommand = sh {here}/p.sh\nstartsecs = 0\nautorestart = true\nstartretries = 1000\n"
    );
    root.write("p.sh", format!("while [ ! -e {here}/go ]; do sleep 0.05; done; rm {here}/go\n"));
    let file = root.write("conf", text);
    chown(root.root(), Some(user), Some(user)).unwrap();
    let mut command = Command::new(root.path("supervisord"));
    let mut daemon = Background::start(command.args(["-n", "-c"]).arg(file).uid(user).gid(user), &root, "output");
    let log = || if root.has("log") { root.read("log") } else { String::new() };
    wait_until("it runs", PATIENCE, || log().contains("success: p entered RUNNING state"));
    let most = most_processes(daemon.pid());
    limit_processes(user, daemon.pid(), "1");
    root.write("go", "");
    wait_until("it says so", PATIENCE, || log().contains("spawnerr: Too many processes in process table to spawn 'p'"));
    let info = || call(&root.path("sock"), "supervisor.getProcessInfo", &[Param::Text("p")], PATIENCE);
    assert!(info().is_err(), "nobody can answer");
    assert!(log().contains("a front end cannot be started: EAGAIN"), "{}", log());
    limit_processes(user, daemon.pid(), &most);
    wait_until("it runs again", PATIENCE, || log().matches("spawned: 'p'").count() == 2);
    assert!(format!("{:?}", info()).contains("RUNNING"));
    assert!(daemon.stop().success());
}
