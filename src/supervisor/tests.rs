//! Against listeners that answer what a table says; the real supervisord is in the tests crate.

use super::settle::Terms;
use super::*;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

/// Time that passes only where somebody sleeps.
#[derive(Default)]
struct TurnedClock(AtomicU64);

impl Clock for TurnedClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, duration: Duration) {
        self.0.fetch_add(duration.as_millis() as u64, Ordering::Relaxed);
    }
}

fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("gwe-supervisor-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// A server that gives one answer to each connection and then is gone; it returns what it was asked.
fn serve(name: &str, answers: Vec<Vec<u8>>) -> (PathBuf, JoinHandle<Vec<String>>) {
    let socket = scratch(name);
    let listener = UnixListener::bind(&socket).unwrap();
    let path = socket.clone();
    let server = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            asked.push(read_request(&mut stream));
            // A client that has had enough hangs up.
            let _ = stream.write_all(&answer);
        }
        std::fs::remove_file(path).unwrap();
        asked
    });
    (socket, server)
}

fn read_request(stream: &mut impl Read) -> String {
    let mut request = Vec::new();
    let mut chunk = [0; 512];
    while !request.ends_with(b"</methodCall>\n") {
        let len = stream.read(&mut chunk).unwrap();
        assert!(len > 0, "the request is cut off");
        request.extend_from_slice(&chunk[..len]);
    }
    String::from_utf8(request).unwrap()
}

fn answer(value: &str) -> Vec<u8> {
    let body = format!("<methodResponse><params><param><value>{value}</value></param></params></methodResponse>");
    format!("HTTP/1.0 200 OK\r\nServer: Medusa/1.12\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn fault(code: i64, text: &str) -> Vec<u8> {
    let body = format!(
        "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>{code}</int></value></member>\
         <member><name>faultString</name><value><string>{text}</string></value></member></struct></value></fault></methodResponse>"
    );
    format!("HTTP/1.0 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

const REREAD_NOTHING: &str =
    "<array><data><value><array><data><value><array><data/></array></value><value><array><data/></array>\
    </value><value><array><data/></array></value></data></array></value></data></array>";

fn status(group: &str, state: i64, pid: i64) -> String {
    format!(
        "<array><data><value><struct><member><name>name</name><value><string>{group}</string></value></member>\
         <member><name>group</name><value><string>{group}</string></value></member><member><name>state</name><value><int>{state}</int>\
         </value></member><member><name>pid</name><value><int>{pid}</int></value></member></struct></value></data></array>"
    )
}

#[test]
fn a_request_is_one_that_supervisord_takes() {
    let (socket, server) = serve("request", vec![answer("4.2.5")]);
    assert_eq!(Supervisor::new(&socket).version().unwrap(), "4.2.5");
    let request = &server.join().unwrap()[0];
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(head, format!("POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {}", body.len()));
    assert!(body.contains("<methodName>supervisor.getSupervisorVersion</methodName><params></params>"));
}

/// Every way in which an answer can be bad, and what is said of it.
#[test]
fn bad_answers() {
    let good = String::from_utf8(answer("x")).unwrap();
    let huge = [b"HTTP/1.0 200 OK\r\n\r\n".to_vec(), vec![b' '; 2 << 20]].concat();
    for (index, (bytes, want)) in [
        (vec![], "did not answer supervisor.getSupervisorVersion: the answer is no whole HTTP answer"),
        (b"HTTP/1.0 200 OK\r\nContent-".to_vec(), "no whole HTTP answer"),
        (b"SSH-2.0-x\r\n\r\n".to_vec(), "the answer is no HTTP answer"),
        (b"HTTP/1.0 \r\n\r\n".to_vec(), "the answer is no HTTP answer"),
        (b"HTTP/1.0 2\xc3\xa90 \r\n\r\n".to_vec(), "the answer is no HTTP answer"),
        (good.as_bytes()[..good.len() - 1].to_vec(), "unexpected end of file"),
        (b"HTTP/1.0 200 OK\r\n\r\n<html/>".to_vec(), "cannot be read: it is no whole methodResponse"),
        (b"HTTP/1.0 401 Unauthorized\r\n\r\n".to_vec(), "wants a password"),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n".to_vec(), "with HTTP status 500"),
        (answer("<int>1</int>"), "one of its values cannot be read"),
        (vec![b'a'; 6000], "the answer is no whole HTTP answer"),
        (huge, "larger than its limit"),
    ]
    .into_iter()
    .enumerate()
    {
        let (socket, server) = serve(&format!("bad{index}"), vec![bytes]);
        let error = Supervisor::new(&socket).version().unwrap_err();
        assert!(error.to_string().contains(want), "{index}: {error}");
        assert!(!error.is_down());
        server.join().unwrap();
    }
}

/// A supervisord that is stuck (a stopped process, a dead card), and one that drips: the deadline is for the whole call.
#[test]
fn a_call_ends_in_time_whatever_comes() {
    let socket = scratch("stuck");
    let listener = UnixListener::bind(&socket).unwrap();
    for dripping in [false, true] {
        let begun = clock::since_boot();
        let caller = socket.clone();
        let call = std::thread::spawn(move || transport::post(&caller, "m", "x", Duration::from_millis(300)));
        let (mut stream, _) = listener.accept().unwrap();
        while !call.is_finished() && clock::since_boot() - begun < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
            if dripping {
                // Refused as soon as the caller has gone.
                let _ = stream.write_all(b"H");
            }
        }
        let error = call.join().unwrap().unwrap_err();
        assert!(
            matches!(&error, SupervisorError::Broken { source, .. } if source.kind() == std::io::ErrorKind::TimedOut),
            "{error}"
        );
        assert!(clock::since_boot() - begun < Duration::from_secs(10));
    }
    std::fs::remove_file(socket).unwrap();
}

#[test]
fn an_answer_longer_than_declared_is_read_whole() {
    // supervisord declares the number of characters where it answers later (its DeferredXMLRPCResponse), not of bytes.
    let text = String::from_utf8(answer("é€")).unwrap();
    let declared = text.split_once("\r\n\r\n").unwrap().1;
    let text = text.replace(&format!("Length: {}", declared.len()), &format!("Length: {}", declared.chars().count()));
    let (socket, server) = serve("characters", vec![text.into_bytes()]);
    assert_eq!(Supervisor::new(&socket).version().unwrap(), "é€");
    server.join().unwrap();
}

#[test]
fn nobody_there_is_told_with_the_socket_and_what_to_do() {
    let socket = scratch("nobody");
    let error = Supervisor::new(&socket).processes().unwrap_err();
    assert!(error.is_down());
    assert!(error.to_string().contains(&socket.display().to_string()), "{error}");
    assert!(error.to_string().contains("start it, or set [supervisor] socket"), "{error}");
}

#[test]
fn processes_are_read_and_odd_members_are_not_fatal() {
    let (socket, server) = serve(
        "processes",
        vec![
            answer(&status("a", 20, 77)),
            answer("<array><data><value><struct><member><name>name</name><value>b</value></member><member><name>pid</name><value><int>-5</int></value></member></struct></value></data></array>"),
            answer("<array><data><value><struct/></value></data></array>"),
        ],
    );
    let supervisor = Supervisor::new(&socket);
    let a = &supervisor.processes().unwrap()[0];
    assert_eq!((&*a.group, a.state, a.pid), ("a", ProcessState::Running, 77));
    let b = &supervisor.processes().unwrap()[0];
    assert_eq!((&*b.group, b.state, b.pid, b.uptime()), ("b", ProcessState::Unknown, 0, None));
    assert!(matches!(supervisor.processes(), Err(SupervisorError::Answer { .. })));
    server.join().unwrap();
}

#[test]
fn uptime_is_never_negative() {
    let mut process = take::tests::process("a", "a", ProcessState::Running, 1);
    assert_eq!(process.uptime(), Some(Duration::from_secs(60)));
    // The clock was set back, or stands at the end of 32 bits.
    process.now = 50;
    assert_eq!(process.uptime(), Some(Duration::ZERO));
    process.state = ProcessState::Exited;
    assert_eq!(process.uptime(), None);
    (process.state, process.now, process.start) = (ProcessState::Running, i64::MAX, i64::MIN);
    assert!(process.uptime().is_some());
}

#[test]
fn a_reload_over_which_supervisord_stumbles_is_unreadable_too() {
    let (socket, server) = serve("stumbles", vec![b"HTTP/1.0 500 Internal Server Error\r\n\r\n".to_vec()]);
    assert!(Supervisor::new(&socket).reload().unwrap_err().is_unreadable());
    server.join().unwrap();
}

#[test]
fn an_unchanged_app_is_stopped_removed_and_added_anew() {
    let (socket, server) = serve(
        "unchanged",
        vec![
            answer(REREAD_NOTHING),
            answer(&status("a", 20, 77)),
            answer("<array><data/></array>"),
            answer(&status("a", 40, 77)),
            answer(&status("a", 0, 0)),
            fault(91, "STILL_RUNNING: a"),
            answer(&status("a", 0, 0)),
            answer("<boolean>1</boolean>"),
            answer("<boolean>1</boolean>"),
        ],
    );
    let clock = TurnedClock::default();
    Supervisor::with_clock(&socket, &clock).take_up("a").unwrap();
    let called: Vec<String> = server
        .join()
        .unwrap()
        .iter()
        .map(|request| request.split("supervisor.").nth(1).unwrap().split('<').next().unwrap().to_string())
        .collect();
    assert_eq!(
        called.join(" "),
        "reloadConfig getAllProcessInfo stopProcessGroup getAllProcessInfo getAllProcessInfo removeProcessGroup \
         getAllProcessInfo removeProcessGroup addProcessGroup"
    );
    assert_eq!(clock.now(), Duration::from_millis(50 + 100 + 200));
}

#[test]
fn one_that_does_not_end_is_killed_and_then_told() {
    let looks = 400;
    let removed = "<array><data><value>a</value></data></array>";
    let (before, after) = REREAD_NOTHING.rsplit_once("<array><data/></array>").unwrap();
    let mut answers = vec![answer(&[before, removed, after].concat())];
    answers.extend((0..looks).map(|_| answer(&status("a", 40, 77))));
    let (socket, server) = serve("immortal", answers);
    let clock = TurnedClock::default();
    let error = Supervisor::with_clock(&socket, &clock).take_down("a").unwrap_err();
    assert!(
        matches!(&error, SupervisorError::StillRunning { app, waited } if app == "a" && waited.as_secs() == 130),
        "{error}"
    );
    // The rest of the answers: let the server end.
    while Supervisor::new(&socket).is_up().is_ok_and(|_| socket.exists()) {}
    let asked = server.join().unwrap();
    let kills =
        asked.iter().filter(|request| request.contains("signalProcessGroup") && request.contains("KILL")).count();
    assert!((5..=11).contains(&kills), "{kills}");
}

#[test]
fn a_supervisord_that_never_comes_is_not_waited_for_for_ever() {
    let clock = TurnedClock::default();
    let socket = scratch("never");
    let supervisor = Supervisor::with_clock(&socket, &clock);
    assert!(!supervisor.wait_until_up(Duration::from_secs(60)).unwrap());
    assert!((60..62).contains(&clock.now().as_secs()));
    let (settle, patience) = (Duration::from_secs(5), Duration::from_secs(60));
    let terms = Terms { settle, patience, order: Duration::ZERO, probing: Duration::ZERO };
    let error = supervisor.await_settled("a", &terms, None).unwrap_err();
    assert!(error.is_down());
    assert!(supervisor.take_up("a").unwrap_err().is_down());
}

#[test]
fn one_that_is_shutting_down_is_down() {
    let (socket, server) = serve("shutdown", vec![fault(6, "SHUTDOWN_STATE"), fault(6, "SHUTDOWN_STATE")]);
    let supervisor = Supervisor::new(&socket);
    assert!(!supervisor.is_up().unwrap());
    assert!(supervisor.take_up("a").unwrap_err().is_down());
    server.join().unwrap();
}
