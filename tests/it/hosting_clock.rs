//! Our own supervisord while somebody turns the wall clock by years (Supervisor/supervisor 281, 458, 802, 895, 1043, 1047, 912). Its core has no library
//! that a clock could be put under, so the kernel's answers are changed on their way to it: a tracer adds the seconds.

#![cfg(target_arch = "x86_64")]

use gwe::format::xmlrpc::Param;
use gwe_tests::harness::{agent_binary, announce_skip, call, wait_until, Scratch};
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::mpsc::{channel, Sender};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);
const YEAR: i64 = 365 * 86_400;

/// One request to the kernel about the traced process.
fn ptrace(request: libc::c_uint, pid: i32, address: usize, data: usize) -> io::Result<i64> {
    // SAFETY: callers give what the request wants.
    match unsafe { libc::ptrace(request, pid, address, data) } {
        -1 => Err(io::Error::last_os_error()),
        word => Ok(word),
    }
}

/// Adds the seconds to each answer about the wall clock.
fn turn(pid: i32, seconds: i64) -> io::Result<()> {
    // SAFETY: numbers, all of which may be zero.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    ptrace(libc::PTRACE_GETREGS, pid, 0, &mut registers as *mut _ as usize)?;
    let is_answer = registers.rax == 0 && registers.orig_rax == libc::SYS_clock_gettime as u64;
    if is_answer && registers.rdi == libc::CLOCK_REALTIME as u64 {
        let now = ptrace(libc::PTRACE_PEEKDATA, pid, registers.rsi as usize, 0)?;
        ptrace(libc::PTRACE_POKEDATA, pid, registers.rsi as usize, (now + seconds) as usize)?;
    }
    Ok(())
}

/// Starts the program and stands between it and the kernel until it ends. Its number is sent, or why it cannot be traced.
fn trace(command: &mut Command, offset: &AtomicI64, started: &Sender<io::Result<i32>>) {
    // SAFETY: one system call.
    unsafe { command.pre_exec(|| ptrace(libc::PTRACE_TRACEME, 0, 0, 0).map(drop)) };
    let mut child = match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(why) => return started.send(Err(why)).unwrap(),
    };
    let pid = child.id() as i32;
    let mut is_set_up = false;
    let mut status = 0;
    // SAFETY: room for the status.
    while unsafe { libc::waitpid(pid, &mut status, libc::__WALL) } == pid && libc::WIFSTOPPED(status) {
        let mut signal = libc::WSTOPSIG(status);
        if !is_set_up {
            let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
            ptrace(libc::PTRACE_SETOPTIONS, pid, 0, options as usize).expect("the kernel knows these");
            (is_set_up, signal) = (true, 0);
            started.send(Ok(pid)).unwrap();
        } else if signal == libc::SIGTRAP | 0x80 {
            // Where it has gone meanwhile, the next wait says so.
            let _ = turn(pid, offset.load(SeqCst));
            signal = 0;
        } else if signal == libc::SIGTRAP {
            // It has become another program.
            signal = 0;
        }
        let _ = ptrace(libc::PTRACE_SYSCALL, pid, 0, signal as usize);
    }
    let _ = child.wait();
}

#[test]
fn a_clock_that_is_turned_by_years_in_any_state_changes_nothing() {
    if !agent_binary().with_file_name("hosting-core").is_file() {
        return announce_skip("needs hosting-core beside the agent");
    }
    let root = Scratch::new();
    symlink(agent_binary(), root.path("supervisord")).unwrap();
    let text = "[supervisord]\nlogfile = {root}/log\npidfile = {root}/pid\nchildlogdir = {root}\n[unix_http_server]\nfile = {root}/sock\n\
                [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
                [program:up]\ncommand = sleep 300\nstartsecs = 3\nautostart = false\n\
                [program:fails]\ncommand = false\nstartretries = 2\nautostart = false\n\
                [program:stubborn]\ncommand = sh -c \"trap '' TERM; touch {root}/trapped; while :; do sleep 0.2; done\"\nstopwaitsecs = 3\nstartsecs = 0\nautostart = false\n\
                [program:asked]\ncommand = sleep 300\nstartsecs = 0\nprobe = sh -c \"echo x >>{root}/asked\"\nprobe_interval = 1\nprobe_timeout = 300\n\
                [program:slow]\ncommand = sleep 300\nstartsecs = 0\nprobe = sleep 300\nprobe_interval = 1\nprobe_timeout = 300\n";
    let file = root.write("conf", text.replace("{root}", &root.root().to_string_lossy()));
    let mut command = Command::new(root.path("supervisord"));
    command.args(["-n", "-c"]).arg(file);
    let offset = Arc::new(AtomicI64::new(0));
    let (sender, started) = channel();
    let tracer = std::thread::spawn({
        let offset = Arc::clone(&offset);
        move || trace(&mut command, &offset, &sender)
    });
    let pid = match started.recv().unwrap() {
        Ok(pid) => pid,
        Err(why) => return announce_skip(&format!("needs to trace a process: {why}")),
    };
    let log = || if root.has("log") { root.read("log") } else { String::new() };
    let wait_for = |text: &str, times: usize| {
        wait_until(&format!("{text:?} for the {times}. time"), PATIENCE, || log().matches(text).count() == times);
    };
    let ask = |method: &str, name: &str| {
        let answer = call(&root.path("sock"), method, &[Param::Text(name), Param::Bool(false)], PATIENCE);
        assert!(answer.is_ok(), "{method} {name}: {answer:?}");
    };
    wait_for("supervisord started with pid", 1);
    let asked = || if root.has("asked") { root.read("asked").lines().count() } else { 0 };
    for (times, years) in [10, -20, 30].into_iter().enumerate().map(|(index, years)| (index + 1, years)) {
        let turned = offset.load(SeqCst);
        ["up", "fails", "stubborn"].iter().for_each(|name| ask("supervisor.startProcess", name));
        wait_until("it takes no notice of SIGTERM", PATIENCE, || root.has("trapped"));
        // STARTING, BACKOFF and STOPPING.
        ask("supervisor.stopProcess", "stubborn");
        offset.store(turned + years * YEAR, SeqCst);
        wait_for("success: up entered RUNNING state", times);
        wait_for("gave up: fails entered FATAL state", times);
        wait_for("killing 'stubborn'", times);
        wait_for("stopped: stubborn (terminated by SIGKILL)", times);
        // RUNNING, and asked whether it works.
        let before = asked();
        wait_until("it is asked on", PATIENCE, || asked() >= before + 2);
        offset.store(turned, SeqCst);
        ask("supervisor.stopProcess", "up");
        wait_for("stopped: up", times);
        offset.store(turned + years * YEAR, SeqCst);
        std::fs::remove_file(root.path("trapped")).unwrap();
    }
    let log = log();
    assert!(!log.contains("missed"), "no probe's time is over: {log}");
    let years: Vec<i64> = log.lines().filter_map(|line| line.get(..4)?.parse().ok()).collect();
    let (first, last) = (years.iter().min().unwrap(), years.iter().max().unwrap());
    assert!(last - first >= 19, "the clock was turned: {log}");
    // SAFETY: no memory.
    unsafe { libc::kill(pid, libc::SIGTERM) };
    tracer.join().unwrap();
    assert!(!root.has("pid"), "an orderly end");
}
