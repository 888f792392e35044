//! Every child that has ended is taken, known or not: as process 1 all orphans come here (Supervisor/supervisor 936).

use super::arch::number;
use super::life::{happens, life_of, note_end};
use super::log::{line, DEBG, INFO, WARN};
use super::output;
use super::own::Core;
use super::spawn_error::Number;
use super::state::ProcessRecord;
use super::store::Place;
use super::system::{ask, kill, now_ms};
use super::table::{Event, Sent, State};
use super::text::Text;

const WNOHANG: usize = 1;
const SIGKILL: u32 = 9;

pub fn reap_all(core: &mut Core) {
    while let Some((pid, status)) = next_ended() {
        if let Some(place) = core.store.find(|process| process.pid == pid) {
            ended(core, place, status);
        } else if !super::probes::ended(core, pid, code_of(status) == Some(0)) && !super::front::ended(core, pid) {
            let mut said = Text::<96>::of(&[b"reaped unknown pid ", Number::of(pid).digits(), b" ("]);
            describe(status, &mut said);
            line(&core.store, INFO, &[said.bytes(), b")"]);
        }
    }
}

fn next_ended() -> Option<(i32, i32)> {
    let mut status = 0_i32;
    // SAFETY: room for the status.
    let pid = unsafe { ask(number::WAIT4, &[usize::MAX, &mut status as *mut i32 as usize, WNOHANG, 0]) };
    pid.ok().filter(|pid| *pid > 0).map(|pid| (pid as i32, status))
}

/// The exit code; `None` for a signal.
fn code_of(status: i32) -> Option<u8> {
    (status & 0x7f == 0).then_some((status >> 8) as u8)
}

fn ended(core: &mut Core, place: Place, status: i32) {
    output::drain(core, place);
    super::capture::ended(core, place);
    // Behind what it wrote last, as who reads the log of 4.3.0 is used to.
    line(&core.store, DEBG, &[b"received SIGCHLD indicating a child quit"]);
    output::close_pipes(core, place);
    output::close_logs(core, place);
    let (Some((_, program)), Some(process)) = (core.store.program(place), core.store.process(place)) else { return };
    let life = life_of(process);
    if life.sent == Sent::Kill && program.killasgroup {
        // What is left of the group after its leader.
        let _ = kill(-process.pid, SIGKILL);
    }
    let code = code_of(status);
    let expected = code.is_some_and(|code| program.expects(code));
    process.stopped_ms = now_ms();
    let pid = core::mem::take(&mut process.pid);
    super::pool::listener_ended(core, place);
    super::fcgi::released(core, place);
    super::cgroup::left(&program);
    core.ended_pid = pid;
    happens(core, place, Event::Ended { expected });
    let Some(process) = core.store.process(place) else { return };
    core.store.changing(|| note_end(process, code.map_or(-1, i32::from), expected, life.state));
    say(core, process, program.name, status, expected, life.state);
}

fn say(core: &Core, process: &ProcessRecord, name: &[u8], status: i32, expected: bool, before: State) {
    let mut said = Text::<96>::new();
    describe(status, &mut said);
    let level = if expected && process.state != State::Backoff as u32 { INFO } else { WARN };
    match before {
        State::Stopping => line(&core.store, level, &[b"stopped: ", name, b" (", said.bytes(), b")"]),
        _ => {
            let verdict: &[u8] = if level == INFO { b"; expected)" } else { b"; not expected)" };
            line(&core.store, level, &[b"exited: ", name, b" (", said.bytes(), verdict]);
        }
    }
}

fn describe(status: i32, out: &mut Text<96>) {
    match code_of(status) {
        Some(code) => {
            out.push(b"exit status ");
            out.number(i64::from(code));
        }
        None => {
            out.push(b"terminated by ");
            match NAMES.get((status & 0x7f) as usize).filter(|name| !name.is_empty()) {
                Some(name) => out.push(name.as_bytes()),
                None => {
                    out.push(b"signal ");
                    out.number(i64::from(status & 0x7f));
                }
            }
            if status & 0x80 != 0 {
                out.push(b" (core dumped)");
            }
        }
    }
}

const NAMES: [&str; 32] = [
    "",
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];
