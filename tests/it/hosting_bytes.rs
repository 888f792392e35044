//! What the daemon answers on its socket beside supervisor 4.3.0, the same played on both: to bytes that no client would send, to who follows a log, to
//! who has no password.

use super::hosting_daemon::{compare, Twin, PATIENCE};
use gwe_tests::harness::TWIN_HEAD;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// Sends it, and gives of all that comes back until the end what a client goes by.
fn raw(twin: &Twin, request: &str) -> String {
    let mut stream = UnixStream::connect(twin.path("s.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer).is_ok();
    let text = twin.shown(&String::from_utf8_lossy(&answer));
    let is_meant = |line: &&str| {
        let line = line.to_ascii_lowercase();
        ["http/1", "content-type:", "www-authenticate:", "<value>"]
            .iter()
            .any(|start| line.trim_start().starts_with(start))
    };
    let lines: Vec<String> =
        text.lines().map(str::trim).filter(is_meant).map(|line| line.to_ascii_lowercase()).collect();
    format!("{}\nended {ended}\n", lines.join("\n"))
}

fn post(path: &str, version: &str, more: &str, body: &str) -> String {
    format!("POST {path} HTTP/{version}\r\nHost: x\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len())
}

const STATE: &str = "<?xml version='1.0'?><methodCall><methodName>supervisor.getState</methodName></methodCall>";

#[test]
fn what_no_client_sends_is_answered_alike() {
    compare(|twin| {
        let mut daemon = twin.host(TWIN_HEAD, &[]);
        let close = "Connection: close\r\n";
        let mut seen = String::new();
        for request in [
            post("/RPC2", "1.1", "", STATE) + &post("/RPC2/", "1.1", close, STATE),
            post("/RPC2", "1.0", "", STATE),
            post("/RPC2", "1.0", "Connection: Keep-Alive\r\n", STATE) + &post("/RPC2", "1.0", "", STATE),
            post("/RPC2", "1.1", "cOnNeCtIoN: close\r\n", STATE),
            format!("GET /nope HTTP/1.1\r\nHost: x\r\n{close}\r\n"),
            post("/RPC2", "1.1", close, "<methodCall></methodCall>"),
            post("/RPC2", "1.1", close, "no markup"),
            format!("GET /RPC2 HTTP/1.1\r\nHost: x\r\n{close}\r\n"),
            format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\n{close}\r\n"),
            format!("GET /logtail/nope HTTP/1.1\r\nHost: x\r\n{close}\r\n"),
            format!("GET /logtail/a/b/c HTTP/1.1\r\nHost: x\r\n{close}\r\n"),
        ] {
            let shown = raw(twin, &request);
            seen += &format!("{}\n{shown}", request.lines().next().unwrap_or_default());
        }
        daemon.stop();
        seen
    });
}

/// What `tail -f` reads: the last of the file, what comes, what a rotation or a cut leaves.
#[test]
fn a_log_is_followed_over_rotation_and_cut() {
    compare(|twin| {
        let text = [TWIN_HEAD, "[program:p]\ncommand = sleep 300\nautostart = false\nstdout_logfile = {root}/p.log\n"]
            .concat();
        twin.root.write("p.log", [&"x".repeat(2000), "\none\n"].concat());
        let mut daemon = twin.host(&text, &[]);
        let mut stream = UnixStream::connect(twin.path("s.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /logtail/p HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let mut read_until = |text: &str| {
            while !String::from_utf8_lossy(&answer).contains(text) {
                let mut piece = [0; 4096];
                let count = stream.read(&mut piece).unwrap_or(0);
                assert!(count > 0, "no {text:?} in {}", String::from_utf8_lossy(&answer));
                answer.extend_from_slice(piece.get(..count).unwrap_or_default());
            }
        };
        let append = |text: &str| {
            OpenOptions::new().append(true).open(twin.path("p.log")).unwrap().write_all(text.as_bytes()).unwrap()
        };
        read_until("one\n");
        append("two\n");
        read_until("two\n");
        fs::rename(twin.path("p.log"), twin.path("p.log.1")).unwrap();
        twin.root.write("p.log", "three\n");
        read_until("three\n");
        append("and a longer line behind it\n");
        read_until("behind it\n");
        // 4.3.0 says nothing any more after a cut: its own sentence on that is no bytes.
        if twin.is_ours {
            File::create(twin.path("p.log")).unwrap();
            read_until("==> File truncated <==\n");
            append("four\n");
            read_until("four\n");
        }
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        // Each piece has its size in front; how it is cut is nobody's business.
        let mut rest = body;
        let mut whole = String::new();
        while let Some((size, after)) = rest.split_once("\r\n") {
            let size = usize::from_str_radix(size, 16).unwrap_or(0);
            whole += after.get(..size).unwrap_or_default();
            rest = after.get(size..).unwrap_or_default().trim_start_matches("\r\n");
        }
        daemon.stop();
        let is_meant =
            |line: &&str| !["Date:", "Server:", "Last-Modified:"].iter().any(|start| line.starts_with(start));
        let mut head: Vec<String> = head.lines().filter(is_meant).map(str::to_ascii_lowercase).collect();
        head.sort();
        let end = whole.find("behind it\n").map_or(0, |at| at + "behind it\n".len());
        format!("{}\n{}", head.join("\n"), whole.get(..end).unwrap_or_default())
    });
}

/// A password, its absence, and a daemon without the interface.
#[test]
fn who_may_not_and_what_is_not_there_is_told_alike() {
    compare(|twin| {
        let mut seen = String::new();
        let locked = TWIN_HEAD.replace("[rpcinterface", "username = u\npassword = {SHA}8cb2237d0679ca88db6464eac60da96345513964\n[rpcinterface")
            + "[supervisorctl]\nserverurl = unix://{root}/s.sock\n[program:p]\ncommand = sleep 300\nautostart = false\nstartsecs = 0\n";
        let mut daemon = twin.host(&locked, &[]);
        for action in ["status", "version", "pid", "start", "reread"] {
            for login in [&[] as &[&str], &["-u", "u", "-p", "wrong"], &["-u", "u", "-p", "12345"]] {
                let mut arguments = [&["-c", "{root}/root.conf"], login, &[action]].concat();
                arguments.extend((action == "start").then_some("p"));
                let told = twin.run("supervisorctl", &arguments);
                let told = if action == "pid" { told.replace(&daemon.pid().to_string(), "PID") } else { told };
                seen += &format!("{action} {login:?}: {told}\n");
            }
        }
        let refused = raw(twin, "GET /logtail/p HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let mut refused: Vec<&str> = refused.lines().collect();
        refused.sort_unstable();
        seen += &format!("{}\n", refused.join("\n"));
        daemon.stop();
        fs::remove_file(twin.path("main.log")).unwrap();
        let head = TWIN_HEAD.split("[rpcinterface").next().unwrap();
        let mut daemon = twin.host(&[head, "[supervisorctl]\nserverurl = unix://{root}/s.sock\n"].concat(), &[]);
        for action in ["status", "version", "shutdown"] {
            seen += &format!(
                "without the interface, {action}: {}\n",
                twin.run("supervisorctl", &["-c", "{root}/root.conf", action])
            );
        }
        daemon.stop();
        twin.root.write("root.conf", twin.filled(TWIN_HEAD));
        seen + &format!("without its section: {}\n", twin.run("supervisorctl", &["-c", "{root}/root.conf", "status"]))
    });
}
