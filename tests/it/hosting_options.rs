//! Options that few configurations use, on our own supervisord: each does what it says.

use super::hosting_listen::Hosted;
use gwe_tests::harness::{announce_skip, child_pids, wait_until, Background};
use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);

/// 85, 531: colours, and where a read cuts them the rest is text, as in 4.3.0.
#[test]
fn colours_are_taken_out_of_logs_where_that_is_asked_for() {
    let text = "[supervisord]\nstrip_ansi = true\n\
                [program:p]\ncommand = sh {root}/p.sh\nstartsecs = 0\nstdout_logfile = {root}/p.log\n";
    let script = "printf 'a\\033[1;31mred\\033[0mb\\033[2Jc\\n'; exec sleep 300\n";
    let Some(hosted) = Hosted::start(text, &[("p.sh", script)]) else { return };
    hosted.wait_for("p.log", "aredbc\n");
    assert_eq!(hosted.root.read("p.log"), "aredbc\n");
}

/// A token in pieces, one that only begins like one, more than is kept, and the end of a program within one (4.3.0 loses the last).
#[test]
fn what_stands_between_the_tokens_is_an_event_and_not_in_the_log() {
    let text = "[program:p]\ncommand = sh {root}/p.sh\nstartsecs = 0\nstdout_logfile = {root}/p.log\nstdout_capture_maxbytes = 10\n\
                autorestart = false\n\
                [eventlistener:l]\ncommand = sh {root}/l.sh\nevents = PROCESS_COMMUNICATION\nstartsecs = 0\n";
    let program = "while [ ! -e {root}/go ]; do sleep 0.05; done\n\
                   printf 'before<!--XSUPER'; sleep 0.2; printf 'VISOR:BEGIN-->one<!--XSUPERVISOR:END-->after<!--XSUPERVISOR:BEG'; sleep 0.2\n\
                   printf 'ONE<<!--XSUPERVISOR:BEGIN-->0123456789abcde<!--XSUPERVISOR:END-->'; sleep 0.2; printf 'end<!--XSUPER'\n";
    let listener = "while :; do hear {root}/heard; printf 'RESULT 2\\nOK'; done\n";
    let Some(hosted) = Hosted::start(text, &[("p.sh", program), ("l.sh", listener)]) else { return };
    hosted.root.write("go", "");
    hosted.wait_for("heard", "56789abcde");
    hosted.wait_for("log", "exited: p");
    assert_eq!(hosted.root.read("p.log"), "beforeafter<!--XSUPERVISOR:BEGONE<end<!--XSUPER");
    let heard = hosted.root.read("heard");
    let names = heard.matches("eventname:PROCESS_COMMUNICATION_STDOUT").count();
    assert_eq!(names, 2, "{heard}");
    assert!(heard.contains("|processname:p groupname:p pid:") && heard.contains("\none\n"), "{heard}");
}

#[test]
fn lines_go_to_the_systems_log_where_that_is_asked_for() {
    let log = match UnixDatagram::bind("/dev/log") {
        Ok(log) => log,
        Err(why) => return announce_skip(&format!("needs a free /dev/log: {why}")),
    };
    log.set_read_timeout(Some(PATIENCE)).unwrap();
    let text = "[program:told]\ncommand = sh {root}/p.sh\nstartsecs = 0\nstdout_syslog = true\nstdout_logfile = {root}/p.log\n";
    let script = "echo one; echo two; exec sleep 300\n";
    let hosted = Hosted::start(text, &[("p.sh", script)]);
    let mut said = String::new();
    while hosted.is_some() && !said.contains("told two") {
        let mut message = [0; 4096];
        let count = log.recv(&mut message).expect("a message");
        said += &String::from_utf8_lossy(&message[..count]);
        said += "\n";
    }
    let main = hosted.as_ref().map(|hosted| main_log(hosted, &log));
    fs::remove_file("/dev/log").unwrap();
    let Some(hosted) = hosted else { return };
    assert!(said.contains("<14>supervisord: told one\n"), "{said}");
    hosted.wait_for("p.log", "one\ntwo\n");
    let main = main.unwrap_or_default();
    assert!(main.contains(" INFO supervisord started with pid "), "{main}");
}

/// What a daemon whose own log is the system's says there, up to its start.
fn main_log(hosted: &Hosted, log: &UnixDatagram) -> String {
    let root = hosted.root.root().to_string_lossy();
    let text = format!("[supervisord]\nlogfile = syslog\npidfile = {root}/pid2\nchildlogdir = {root}\n");
    let file = hosted.root.write("conf2", text);
    let mut command = Command::new(hosted.root.path("supervisord"));
    let mut daemon = Background::start(command.args(["-n", "-c"]).arg(file), &hosted.root, "output2");
    let mut said = String::new();
    while !said.contains("started with pid") {
        let mut message = [0; 4096];
        let count = log.recv(&mut message).expect("a message");
        said += &String::from_utf8_lossy(&message[..count]);
        said += "\n";
    }
    assert!(daemon.stop().success());
    said
}

/// One socket for all processes of it, as their standard input, bound while one of them lives and over a renewal of the core.
#[test]
fn an_fcgi_program_has_its_socket() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        "[fcgi-program:f]\ncommand = sleep 300\nsocket = unix://{{root}}/f.sock\nsocket_mode = 0750\nnumprocs = 2\n\
         process_name = %(program_name)s_%(process_num)d\nstartsecs = 0\n\
         [fcgi-program:t]\ncommand = sleep 300\nsocket = tcp://127.0.0.1:{port}\nstartsecs = 0\n\
         [fcgi-program:bad]\ncommand = sleep 300\nsocket = unix:///no/such/folder/s\nstartsecs = 0\nstartretries = 0\n"
    );
    let Some(mut hosted) = Hosted::start(&text, &[]) else { return };
    ["f_0", "f_1", "t"].iter().for_each(|name| hosted.wait_for("log", &format!("spawned: '{name}'")));
    hosted.wait_for("log", "spawnerr: unknown error making dispatchers for 'bad': ENOENT");
    let socket = hosted.root.path("f.sock");
    let inputs = |hosted: &Hosted| {
        let children = child_pids(hosted.daemon.pid()).into_iter();
        // Who answers a call is a child, too, and gone in the next moment.
        let mut inputs: Vec<_> = children.filter_map(|pid| fs::read_link(format!("/proc/{pid}/fd/0")).ok()).collect();
        inputs.sort();
        inputs
    };
    wait_until("the programs run", PATIENCE, || {
        let children = child_pids(hosted.daemon.pid());
        let is_program = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with("sleep"));
        children.len() == 3 && children.iter().all(is_program)
    });
    let before = inputs(&hosted);
    assert!(before.iter().all(|input| input.to_string_lossy().starts_with("socket:")), "{before:?}");
    assert_eq!(before.windows(2).filter(|two| two[0] == two[1]).count(), 1, "two of the three share one: {before:?}");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o750);
    UnixStream::connect(&socket).unwrap();
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    hosted.daemon.signal(libc::SIGUSR1);
    hosted.wait_for("log", "goes on with all that was there");
    // Whoever is left keeps it; the next process gets the same one.
    assert!(hosted.call("supervisor.stopProcess", "f:f_0").contains("true"));
    assert!(hosted.call("supervisor.startProcess", "f:f_0").contains("true"));
    wait_until("the same sockets", PATIENCE, || inputs(&hosted) == before);
    hosted.call("supervisor.stopProcessGroup", "f");
    hosted.wait_for("log", &format!("Closing socket unix://{}", socket.display()));
    assert_eq!(UnixStream::connect(&socket).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let log = hosted.root.read("log");
    assert_eq!(log.matches("Creating socket unix:///no").count(), log.matches("spawnerr").count(), "{log}");
    assert_eq!(log.matches(&format!("Creating socket tcp://127.0.0.1:{port}")).count(), 1, "{log}");
}

/// Its address space, for whoever has no cgroups.
#[test]
fn a_program_has_no_more_memory_than_it_may() {
    let text =
        "[program:small]\ncommand = sh {root}/p.sh\nstartsecs = 0\nstdout_logfile = {root}/p.log\nmemory_max = 64MB\n";
    let script = "ulimit -v; exec sleep 300\n";
    let Some(hosted) = Hosted::start(text, &[("p.sh", script)]) else { return };
    hosted.wait_for("p.log", "65536\n");
    hosted.wait_for("log", "memory_max of 'small': its address space has 67108864 bytes");
}

/// Root is gone for good: all four of its ids and groups are the user's, no capability is left, and it cannot go back.
#[test]
fn a_program_of_a_user_has_nothing_of_root() {
    // SAFETY: only asks.
    if unsafe { libc::geteuid() } != 0 {
        return announce_skip("needs root, to give it up");
    }
    let text = "[program:p]\ncommand = sh {root}/p.sh\nstartsecs = 0\nstdout_logfile = {root}/p.log\nuser = daemon\n";
    let script = "grep -E '^(Uid|Gid|Groups|CapPrm|CapEff|CapAmb):' /proc/self/status\nsetpriv --reuid 0 true 2>/dev/null && echo back\n\
                  echo end\nexec sleep 300\n";
    let Some(hosted) = Hosted::start(text, &[("p.sh", script)]) else { return };
    fs::set_permissions(hosted.root.root(), fs::Permissions::from_mode(0o755)).unwrap();
    hosted.wait_for("p.log", "end\n");
    let id = |flag: &str| {
        let told = Command::new("id").args([flag, "daemon"]).output().expect("id is there");
        String::from_utf8(told.stdout).unwrap().trim().to_string()
    };
    let said = hosted.root.read("p.log");
    let row = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {said}"));
        line.split_whitespace().map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(row("Uid:"), vec![id("-u"); 4]);
    assert_eq!(row("Gid:"), vec![id("-g"); 4]);
    let (mut groups, mut want) = (row("Groups:"), id("-G").split(' ').map(str::to_string).collect::<Vec<_>>());
    groups.sort();
    want.sort();
    assert_eq!(groups, want);
    for set in ["CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(row(set), ["0000000000000000"], "{set}");
    }
    assert!(!said.contains("back"), "{said}");
}

/// Fed while the loop turns, over a renewal, too; told in order at the end; and not at all when it is killed.
#[test]
fn the_watchdog_is_fed_and_disarmed_at_an_end_that_was_asked_for() {
    for is_killed in [false, true] {
        let text = "[supervisord]\nwatchdog = {root}/watchdog\n";
        let scripts = [("watchdog", "")];
        let Some(mut hosted) = Hosted::start(text, &scripts) else { return };
        hosted.wait_for("log", "feeding the watchdog");
        let fed = |hosted: &Hosted| fs::read_to_string(hosted.root.path("watchdog")).unwrap();
        wait_until("it is fed", PATIENCE, || fed(&hosted).starts_with('1'));
        hosted.daemon.signal(libc::SIGUSR1);
        hosted.wait_for("log", "goes on with all that was there");
        wait_until("it is fed by the new one, too", PATIENCE, || fed(&hosted).starts_with("11"));
        hosted.daemon.signal(if is_killed { libc::SIGKILL } else { libc::SIGTERM });
        hosted.daemon.wait(PATIENCE).unwrap();
        assert_eq!(fed(&hosted).contains('V'), !is_killed);
    }
}

#[test]
fn a_watchdog_that_is_not_there_keeps_nothing_down() {
    let text = "[supervisord]\nwatchdog = /dev/no-such-watchdog\n[program:p]\ncommand = sleep 300\nstartsecs = 0\n";
    let Some(hosted) = Hosted::start(text, &[]) else { return };
    hosted.wait_for("log", "no watchdog at /dev/no-such-watchdog: ENOENT");
    hosted.wait_for("log", "success: p entered RUNNING state");
}
