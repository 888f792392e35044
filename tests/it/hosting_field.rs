//! What others made for supervisord, on ours: its own end-to-end tests, and superlance's event listeners.

use gwe::format::xmlrpc::Param;
use gwe_tests::harness::{
    agent_binary, announce_skip, call, has_program, run, wait_until, Background, Scratch, Supervisord,
};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Supervisor's own tests wait for seconds, one after the other.
const ALL_OF_THEM: Duration = Duration::from_secs(400);
const PATIENCE: Duration = Duration::from_secs(60);

/// A program of the folder that supervisor is in; why not, for who skips.
fn beside_the_real_one(name: &str) -> Result<PathBuf, String> {
    let path = Supervisord::real()?.with_file_name(name);
    if !agent_binary().with_file_name("hosting-core").is_file() {
        return Err("needs hosting-core beside the agent".to_string());
    }
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!("needs {name} in .venv: make .venv/ready"))
    }
}

fn has_module(python: &Path, name: &str) -> bool {
    run(Command::new(python).args(["-c", &format!("import {name}")]), PATIENCE).code == Some(0)
}

/// 24 of the 27; the others are about programs that are not ours.
#[test]
fn supervisors_own_end_to_end_tests_pass() {
    let python = match beside_the_real_one("python") {
        Ok(python) if has_module(&python, "pexpect") => python,
        Ok(_) => return announce_skip("needs pexpect in .venv: make .venv/ready"),
        Err(why) => return announce_skip(&why),
    };
    let root = Scratch::new();
    for name in ["supervisord", "supervisorctl"] {
        symlink(agent_binary(), root.path(name)).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("upstream/end_to_end.py");
    let ran = run(Command::new(python).arg(script).arg(root.root()).current_dir(root.root()), ALL_OF_THEM).ok();
    assert!(ran.stdout.contains("24 of 24 pass"), "{}\n{}", ran.stdout, ran.stderr);
}

/// A daemon with this listener, and programs for it to hear of.
fn with_listener(root: &Scratch, name: &str, command: &str, events: &str, programs: &str) -> Background {
    symlink(agent_binary(), root.path("supervisord")).unwrap();
    let mail = root.write("mail.sh", format!("#!/bin/sh\ncat >>{}/mail\n", root.root().display()));
    fs::set_permissions(mail, fs::Permissions::from_mode(0o755)).unwrap();
    let text = "[supervisord]\nlogfile = {root}/log\npidfile = {root}/pid\nchildlogdir = {root}\nloglevel = debug\n\
                [unix_http_server]\nfile = {root}/sock\n\
                [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n";
    let listener = format!(
        "[eventlistener:{name}]\ncommand = {command}\nevents = {events}\nstderr_logfile = {{root}}/{name}.err\n"
    );
    let text = [text, &listener, programs].concat().replace("{root}", &root.root().to_string_lossy());
    let file = root.write("conf", text);
    Background::start(Command::new(root.path("supervisord")).args(["-n", "-c"]).arg(file), root, "output")
}

fn wait_for_file(root: &Scratch, name: &str, text: &str) {
    wait_until(&format!("{text:?} in {name}"), PATIENCE, || root.has(name) && root.read(name).contains(text));
}

#[test]
fn crashmail_writes_of_a_program_that_ended_unexpectedly() {
    let program = match beside_the_real_one("crashmail") {
        Ok(program) => program,
        Err(why) => return announce_skip(&why),
    };
    let root = Scratch::new();
    let command = format!("{} -a -m ops@example.test -s {{root}}/mail.sh", program.display());
    let crasher = "[program:crasher]\ncommand = sleep 300\nstartsecs = 0\nautorestart = false\n";
    let _daemon = with_listener(&root, "crashmail", &command, "PROCESS_STATE_EXITED", crasher);
    wait_for_file(&root, "log", "crashmail: ACKNOWLEDGED -> READY");
    let kill = [Param::Text("crasher"), Param::Text("KILL")];
    call(&root.path("sock"), "supervisor.signalProcess", &kill, PATIENCE).unwrap();
    wait_for_file(&root, "mail", "crasher");
    assert!(root.read("mail").contains("To: ops@example.test"), "{}", root.read("mail"));
    wait_for_file(&root, "log", "crashmail: BUSY -> ACKNOWLEDGED");
}

#[test]
fn fatalmailbatch_writes_of_programs_that_were_given_up() {
    let program = match beside_the_real_one("fatalmailbatch") {
        Ok(program) => program,
        Err(why) => return announce_skip(&why),
    };
    let root = Scratch::new();
    let command =
        format!("{} --toEmail=ops@example.test --fromEmail=gw@example.test --interval=0.05", program.display());
    let fatal = "[program:fatal]\ncommand = false\nstartretries = 0\nstartsecs = 30\n";
    let _daemon = with_listener(&root, "fatalmailbatch", &command, "PROCESS_STATE_FATAL,TICK_5", fatal);
    // There is no mail server here; that it tried with this text is in what it says.
    wait_for_file(&root, "fatalmailbatch.err", "failed to start too many times");
}

#[test]
fn memmon_restarts_a_program_that_is_too_large() {
    let program = match beside_the_real_one("memmon") {
        // It asks ps for the size.
        Ok(program) if has_program("ps") => program,
        Ok(_) => return announce_skip("needs ps (apt-get install procps)"),
        Err(why) => return announce_skip(&why),
    };
    let root = Scratch::new();
    let command = format!("{} -p big=1KB", program.display());
    let big = "[program:big]\ncommand = sleep 300\nstartsecs = 0\n";
    let _daemon = with_listener(&root, "memmon", &command, "TICK_5", big);
    wait_for_file(&root, "memmon.err", "RSS of big:big is");
    wait_for_file(&root, "log", "stopped: big");
    wait_until("it is started again", PATIENCE, || root.read("log").matches("spawned: 'big'").count() >= 2);
}

#[test]
fn httpok_restarts_a_program_that_does_not_answer_well() {
    let program = match beside_the_real_one("httpok") {
        Ok(program) => program,
        Err(why) => return announce_skip(&why),
    };
    let root = Scratch::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let answers = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 500 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    let command = format!("{} -p web -t 10 http://{address}/", program.display());
    let web = "[program:web]\ncommand = sleep 300\nstartsecs = 0\n";
    let _daemon = with_listener(&root, "httpok", &command, "TICK_5", web);
    wait_for_file(&root, "log", "started with pid");
    wait_until("it is started again", PATIENCE, || root.read("log").matches("spawned: 'web'").count() >= 2);
    answers.join().unwrap();
}
