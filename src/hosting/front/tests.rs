//! One connection, with a core that is played: what a client sends, what the core is asked, and what the client hears.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::connection::{serve, FrontLogin};
use super::{Gone, ResidentCore};
use crate::format::xmlrpc::{method_call, Param};
use crate::hosting::definition::{Configuration, Group, Program, Settings, MAGIC};
use crate::hosting::encode::Bytes;
use crate::hosting::protocol::{CoreRequest, Refusal, Reply};
use crate::hosting::table::State;
use crate::hosting::{config, image};

fn configuration() -> Vec<u8> {
    let bytes = |write: &dyn Fn(&mut Bytes) -> bool| {
        let mut out = Bytes::default();
        assert!(write(&mut out));
        out.0
    };
    let program = Program { name: b"p", command: b"sleep 9", argv: b"/bin/sh\0", startsecs: 1, ..Program::default() };
    let programs = bytes(&|out| program.encode(out));
    let groups = bytes(&|out| Group { name: b"p", programs: &programs, ..Group::default() }.encode(out));
    let settings = Settings { identifier: b"played", has_rpc: true, ..Settings::default() };
    let settings = bytes(&|out| settings.encode(out));
    bytes(&|out| {
        Configuration { magic: MAGIC, settings: &settings, groups: &groups, ..Configuration::default() }.encode(out)
    })
}

/// How the core answers what it is asked for.
#[derive(Clone, Copy, PartialEq)]
enum Temper {
    /// A start is RUNNING after one wait.
    Good,
    Refuses(Refusal),
    /// It is no more.
    Gone,
    /// It answers, and nothing ever comes of it, until the client has gone.
    Idle,
}

struct Played {
    image: Vec<u8>,
    temper: Temper,
    asked: Vec<String>,
}

impl Played {
    fn new(temper: Temper) -> Played {
        Played { image: image::of(&configuration()).unwrap(), temper, asked: Vec::new() }
    }

    fn state_of(&mut self, id: u32, state: State) {
        assert!(image::change(&mut self.image, id, |process| {
            process.state = state as u32;
            process.runs += u32::from(state == State::Running);
        }));
    }
}

impl ResidentCore for Played {
    fn state(&mut self) -> Result<Vec<u8>, Gone> {
        if self.temper == Temper::Gone {
            return Err(Gone);
        }
        Ok(self.image.clone())
    }

    fn configuration(&mut self) -> Result<Vec<u8>, Gone> {
        Ok(configuration())
    }

    fn ask(&mut self, request: &CoreRequest<'_>, _: Option<&[u8]>) -> Result<Reply, Gone> {
        self.asked.push(format!("{request:?}").split([' ', '{']).next().unwrap_or_default().to_string());
        match (self.temper, request) {
            (Temper::Gone, _) => return Err(Gone),
            (Temper::Refuses(why), CoreRequest::Start { .. } | CoreRequest::Stop { .. } | CoreRequest::Shutdown) => {
                return Ok(Reply::Refused { why, errno: 11 })
            }
            (_, CoreRequest::Start { id }) => self.state_of(*id, State::Starting),
            _ => {}
        }
        Ok(Reply::Done)
    }

    fn wait(&mut self, _: Duration) -> Result<(), Gone> {
        self.asked.push("wait".to_string());
        if self.temper != Temper::Good {
            return Err(Gone);
        }
        self.state_of(2, State::Running);
        Ok(())
    }

    fn read_again(&mut self, _: &Settings<'_>) -> Result<config::Configuration, String> {
        Err("the file is bad".to_string())
    }

    fn clocks(&mut self) -> (i64, u64) {
        (1_700_000_000, 5000)
    }
}

/// What a client hears that sends this and then no more.
fn heard(core: &mut Played, login: &FrontLogin, sent: &[u8]) -> String {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let stream = TcpStream::from(OwnedFd::from(ours));
    let sent = sent.to_vec();
    let client = std::thread::spawn(move || {
        let _ = theirs.write_all(&sent).and_then(|()| theirs.shutdown(Shutdown::Write));
        let mut heard = Vec::new();
        let _ = theirs.read_to_end(&mut heard);
        String::from_utf8_lossy(&heard).into_owned()
    });
    let _ = serve(core, &stream, login);
    // A refusal may come before all has been sent.
    let _ = stream.shutdown(Shutdown::Both);
    drop(stream);
    client.join().unwrap()
}

fn post(body: &str, more: &str) -> Vec<u8> {
    format!("POST /RPC2 HTTP/1.1\r\nContent-Length: {}\r\n{more}\r\n{body}", body.len()).into_bytes()
}

fn call(method: &str, params: &[Param<'_>]) -> Vec<u8> {
    post(&method_call(method, params), "")
}

fn anybody() -> FrontLogin {
    FrontLogin::default()
}

#[test]
fn every_request_is_answered_by_its_status() {
    let long = [b"GET /".as_slice(), &[b'x'; 20_000]].concat();
    let cases: [(&[u8], &str); 20] = [
        (b"", ""),
        (b"\r\n\r\n\r\n", ""),
        (b"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n"),
        (b"HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n"),
        (b"GET /nowhere HTTP/1.0\r\n\r\n", "HTTP/1.0 404 Not Found\r\n"),
        (b"GET /RPC2 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"),
        (b"nonsense\r\n\r\n", "HTTP/1.0 400 Bad Request\r\n"),
        (b"POST /RPC2 HTTP/1.1\r\n\r\n", "HTTP/1.1 411 Length Required\r\n"),
        (b"POST /RPC2 HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 413 Request Entity Too Large\r\n"),
        (b"POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.0 400 Bad Request\r\n"),
        (b"POST /RPC2 HTTP/1.1\r\nContent-Length: 4\r\n\r\n<a/>", "HTTP/1.1 400 Bad Request\r\n"),
        (b"POST /logtail/p HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"),
        (b"GET /logtail/nobody HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"),
        (b"GET /x%3Ay HTTP/1.2\r\nConnection: foo, close\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"),
        (b"GET / HTTP/1.0\nHost: x\n\n", "HTTP/1.0 400 Bad Request\r\n"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", "HTTP/1.0 400 Bad Request\r\n"),
        (b"GET / HTTP/2.0\r\n\r\n", "HTTP/1.0 400 Bad Request\r\n"),
        (b"POST /RPC2 HTTP/1.1\r\nContent-Length : 4\r\n\r\n<a/>", "HTTP/1.0 400 Bad Request\r\n"),
        (b"POST /RPC2 HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", "HTTP/1.1 413 "),
        (&long, "HTTP/1.0 431 Request Header Fields Too Large\r\n"),
    ];
    for (sent, expected) in cases {
        let answer = heard(&mut Played::new(Temper::Good), &anybody(), sent);
        let is_it = if expected.is_empty() { answer.is_empty() } else { answer.starts_with(expected) };
        assert!(is_it, "{:?}: {answer:?}", String::from_utf8_lossy(sent));
    }
}

#[test]
fn requests_of_one_connection_are_answered_in_their_order_and_none_is_made_of_a_body() {
    let two = [call("supervisor.getIdentification", &[]), call("supervisor.getPID", &[])].concat();
    let answer = heard(&mut Played::new(Temper::Good), &anybody(), &two);
    let (first, second) = (answer.find("played").unwrap(), answer.find("<int>1</int>").unwrap());
    assert!(first < second && answer.matches("HTTP/1.1 200 OK").count() == 2, "{answer}");
    // What looks like a request behind one that is refused with its body unread.
    let inner = call("supervisor.shutdown", &[]);
    let outer = format!("GET / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", inner.len()).into_bytes();
    let mut core = Played::new(Temper::Good);
    let answer = heard(&mut core, &anybody(), &[outer, inner].concat());
    assert_eq!((core.asked, answer.matches("HTTP/1.1").count()), (Vec::new(), 1));
}

#[test]
fn a_request_that_is_cut_asks_the_core_for_nothing() {
    let whole = call("supervisor.startProcess", &[Param::Text("p"), Param::Bool(false)]);
    for end in 0..whole.len() {
        let mut core = Played::new(Temper::Good);
        let answer = heard(&mut core, &anybody(), &whole[..end]);
        assert_eq!((core.asked.len(), answer.as_str()), (0, ""), "cut at {end}");
    }
    let mut core = Played::new(Temper::Good);
    heard(&mut core, &anybody(), &whole);
    assert_eq!(core.asked, ["Start"]);
}

#[test]
fn who_may_not_ask_reaches_nothing() {
    let plain = || FrontLogin { username: b"u".to_vec(), password: b"secret".to_vec() };
    // The SHA-1 of "secret".
    let digest =
        || FrontLogin { username: b"u".to_vec(), password: b"{SHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4".to_vec() };
    let cases = [
        (plain(), "", 401),
        (plain(), "Authorization: Basic dTpzZWNyZXQ=\r\n", 200),
        (plain(), "Authorization: basic dTpzZWNyZXQ=\r\n", 200),
        (plain(), "Authorization: Basic dTpzZWNyZXQx\r\n", 401),
        (plain(), "Authorization: Basic dTo=\r\n", 401),
        (plain(), "Authorization: Basic ***\r\n", 400),
        (plain(), "Authorization: Bearer dTpzZWNyZXQ=\r\n", 401),
        (digest(), "Authorization: Basic dTpzZWNyZXQ=\r\n", 200),
        (digest(), "Authorization: Basic dTp7U0hBfWU1ZTlmYTFiYTMx\r\n", 401),
    ];
    for (login, header, status) in cases {
        let mut core = Played::new(Temper::Good);
        let answer = heard(&mut core, &login, &post(&method_call("supervisor.shutdown", &[]), header));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{header}: {answer}");
        assert_eq!(core.asked.contains(&"Shutdown".to_string()), status == 200, "{header}");
    }
}

#[test]
fn what_the_core_says_is_what_the_client_hears() {
    let start = |waits| call("supervisor.startProcess", &[Param::Text("p"), Param::Bool(waits)]);
    let refused = Temper::Refuses;
    let cases: [(Temper, Vec<u8>, &str, &[&str]); 12] = [
        (Temper::Good, start(true), "<boolean>1</boolean>", &["Watch", "Start", "wait"]),
        (Temper::Good, start(false), "<boolean>1</boolean>", &["Start"]),
        (refused(Refusal::AlreadyStarted), start(false), "ALREADY_STARTED: p", &["Start"]),
        (refused(Refusal::Gone), start(false), "BAD_NAME: p", &["Start"]),
        (refused(Refusal::ShuttingDown), start(false), "SHUTDOWN_STATE", &["Start"]),
        (refused(Refusal::Failed), start(false), "FAILED: p (EAGAIN)", &["Start"]),
        (refused(Refusal::Malformed), start(false), "the core did not understand", &["Start"]),
        (Temper::Idle, start(true), "the core does not answer", &["Watch", "Start", "wait"]),
        (Temper::Gone, start(true), "the core does not answer", &[]),
        (Temper::Good, call("supervisor.stopProcess", &[Param::Text("p")]), "NOT_RUNNING: p", &["Watch"]),
        (Temper::Good, call("supervisor.reloadConfig", &[]), "CANT_REREAD: the file is bad", &[]),
        (Temper::Good, call("supervisor.nothing", &[]), "UNKNOWN_METHOD", &[]),
    ];
    for (temper, sent, expected, asked) in cases {
        let mut core = Played::new(temper);
        let answer = heard(&mut core, &anybody(), &sent);
        assert!(answer.contains(expected), "{expected}: {answer}");
        assert_eq!(core.asked, asked, "{expected}");
    }
}
