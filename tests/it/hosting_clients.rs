//! Clients of our own supervisord that do not wait for their answer: an agent that was killed has a next one, whose calls are the last word.

use super::hosting_listen::Hosted;
use gwe_tests::harness::{wait_until, PATIENCE};
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

const PROGRAMS: &str = "[program:up]\ncommand = sleep 600\nstartsecs = 0\n\
                        [program:down]\ncommand = sleep 600\nstartsecs = 0\nautostart = false\n";

fn children(pid: u32) -> usize {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    listed.split_whitespace().count()
}

fn state(hosted: &Hosted, name: &str) -> &'static str {
    let info = hosted.call("supervisor.getProcessInfo", name);
    ["RUNNING", "STOPPED"].into_iter().find(|state| info.contains(state)).unwrap_or_else(|| panic!("{info}"))
}

/// Connects and asks while the daemon does not turn, so that what `leave` does comes before anything of it is looked at.
fn ask(hosted: &mut Hosted, method: &str, name: &str, leave: impl FnOnce(&UnixStream)) -> UnixStream {
    let body = format!("<methodCall><methodName>supervisor.{method}</methodName><params><param><value><string>{name}</string></value></param></params></methodCall>");
    hosted.daemon.signal(libc::SIGSTOP);
    let mut stream = UnixStream::connect(hosted.root.path("sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all([head, body].concat().as_bytes()).unwrap();
    leave(&stream);
    stream
}

/// The agent's killed::killed_at_random met it: a stop of the one before came behind a start of the next one, and an app's update was rolled back.
#[test]
fn what_a_client_that_is_gone_asked_for_is_not_done() {
    let Some(mut hosted) = Hosted::start(PROGRAMS, &[]) else { return };
    let pid = hosted.daemon.pid();
    for (method, name, stays) in [("stopProcess", "up", "RUNNING"), ("startProcess", "down", "STOPPED")] {
        drop(ask(&mut hosted, method, name, |_| ()));
        hosted.daemon.signal(libc::SIGCONT);
        // Whoever connected before has its front end when this is answered.
        assert_eq!(state(&hosted, name), stays, "{method}");
        wait_until("only the program is there", PATIENCE, || children(pid) <= 1);
        assert_eq!(state(&hosted, name), stays, "{method}");
    }
}

#[test]
fn a_client_that_only_has_no_more_to_say_gets_its_answer() {
    let Some(mut hosted) = Hosted::start(PROGRAMS, &[]) else { return };
    for (method, name, becomes) in [("stopProcess", "up", "STOPPED"), ("startProcess", "down", "RUNNING")] {
        let mut stream = ask(&mut hosted, method, name, |stream| stream.shutdown(Shutdown::Write).unwrap());
        hosted.daemon.signal(libc::SIGCONT);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(state(&hosted, name), becomes, "{method}: {answer}");
    }
}
