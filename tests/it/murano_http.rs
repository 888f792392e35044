//! HTTP as the server speaks it: connections that stay open, bodies that come in pieces, and what is no HTTP.

use gwe_tests::harness::{has_program, raw, run, End, Murano, Scratch};
use gwe_tests::murano::client::read_reply;
use gwe_tests::skip;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

fn connect(murano: &Murano) -> TcpStream {
    let stream = TcpStream::connect(murano.url().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn a_connection_stays_open_until_the_client_says_otherwise() {
    let murano = Murano::start();
    let mut stream = connect(&murano);
    let mut replies = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..3 {
        stream.write_all(b"GET /timestamp HTTP/1.1\r\n\r\n").unwrap();
        let reply = read_reply(&mut replies).unwrap();
        assert_eq!((reply.status, reply.header("connection")), (200, Some("keep-alive")));
    }
    stream.write_all(b"GET /timestamp HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(read_reply(&mut replies).unwrap().header("connection"), Some("close"));
    assert_eq!(replies.read(&mut [0]).unwrap(), 0);
    assert_eq!(murano.requests()["totals"]["connections"], 1);
}

#[test]
fn requests_sent_in_one_go_are_answered_in_order() {
    let murano = Murano::start();
    let cik = murano.activate("sn");
    let write = |value| {
        format!("POST /onep:v1/stack/alias?a HTTP/1.1\r\nX-Exosite-CIK: {cik}\r\nContent-Length: 3\r\n\r\na={value}")
    };
    let mut stream = connect(&murano);
    stream.write_all((write(1) + &write(2) + &write(3)).as_bytes()).unwrap();
    let mut replies = BufReader::new(stream);
    for value in 1..=3 {
        assert_eq!(read_reply(&mut replies).unwrap().text(), format!("a={value}"));
    }
}

#[test]
fn http_1_0_closes_after_the_answer() {
    let murano = Murano::start();
    let reply = raw(&murano.url(), "GET /timestamp HTTP/1.0\r\n\r\n", PATIENCE);
    assert_eq!((reply.status(), reply.end), (200, End::Eof));
}

#[test]
fn a_body_may_come_chunked_and_in_pieces() {
    let murano = Murano::start();
    let cik = murano.activate("sn");
    let head =
        format!("POST /onep:v1/stack/alias HTTP/1.1\r\nX-Exosite-CIK: {cik}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut stream = connect(&murano);
    for piece in [head.as_str(), "3\r\na=h", "\r\n", "A;x=y\r\nello world\r\n", "0\r\nTrailer: 1\r\n", "\r\n"] {
        stream.write_all(piece.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(5));
    }
    let mut replies = BufReader::new(stream.try_clone().unwrap());
    assert_eq!(read_reply(&mut replies).unwrap().status, 204);
    assert_eq!(murano.read("sn", "a").as_deref(), Some("hello world"));
    stream.write_all(b"GET /timestamp HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(read_reply(&mut replies).unwrap().status, 200);
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it() {
    let murano = Murano::start();
    let cik = murano.activate("sn");
    let head = |cik: &str| {
        format!(
            "POST /onep:v1/stack/alias HTTP/1.1\r\nX-Exosite-CIK: {cik}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    let mut stream = connect(&murano);
    stream.write_all(head(&cik).as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"a=1").unwrap();
    assert_eq!(read_reply(&mut BufReader::new(stream)).unwrap().status, 204);
    // Without a good CIK the body is not asked for.
    let reply = raw(&murano.url(), head(&"0".repeat(40)), PATIENCE);
    assert_eq!((reply.status(), reply.end), (401, End::Eof));
}

#[test]
fn what_is_no_request_is_answered_with_400_and_a_close() {
    let murano = Murano::start();
    for request in [
        "hello\r\n\r\n",
        "GET /timestamp HTTP/3\r\n\r\n",
        "GET /timestamp HTTP/1.1\r\nno colon\r\n\r\n",
        "POST /provision/activate HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        "POST /provision/activate HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        &format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000)),
    ] {
        let reply = raw(&murano.url(), request, PATIENCE);
        assert_eq!(reply.status(), 400, "{:?}", String::from_utf8_lossy(&reply.bytes));
        assert_ne!(reply.end, End::Silence);
    }
}

#[test]
fn half_a_request_changes_nothing() {
    let murano = Murano::start();
    let cik = murano.activate("sn");
    let whole = format!("POST /onep:v1/stack/alias HTTP/1.1\r\nX-Exosite-CIK: {cik}\r\nContent-Length: 3\r\n\r\na=1");
    for length in 0..whole.len() {
        let mut stream = connect(&murano);
        stream.write_all(&whole.as_bytes()[..length]).unwrap();
        drop(stream);
    }
    // All those halves are looked at before it.
    let reply = raw(&murano.url(), whole.replacen("\r\n", "\r\nConnection: close\r\n", 1), PATIENCE);
    assert_eq!((reply.status(), reply.end), (204, End::Eof));
    assert_eq!(murano.history("sn", "a"), ["1"]);
}

#[test]
fn many_clients_at_once_lose_nothing() {
    let murano = Murano::start();
    let cik = murano.activate("sn");
    thread::scope(|scope| {
        for client in 0..16 {
            let (murano, cik) = (&murano, &cik);
            scope.spawn(move || {
                for number in 0..25 {
                    let body = format!("alias=c{client}&{number}=x");
                    let headers = [("X-Exosite-CIK", cik.as_str())];
                    let reply = murano.request("POST", "/onep:v1/stack/record", &headers, &body).unwrap();
                    assert_eq!(reply.status, 204);
                }
            });
        }
    });
    for client in 0..16 {
        assert_eq!(murano.history("sn", &format!("c{client}")).len(), 25);
    }
}

#[test]
fn curl_gets_along_with_it() {
    if !has_program("curl") {
        skip!("needs curl");
    }
    let murano = Murano::start();
    let cik = murano.activate("sn");
    let scratch = Scratch::new();
    let big = "x".repeat(1_500_000);
    scratch.write("value", format!("a={big}"));
    let curl = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--fail", "--noproxy", "*"]).args(arguments);
        run(command.current_dir(scratch.root()), Duration::from_secs(30)).ok().stdout
    };
    let header = format!("X-Exosite-CIK: {cik}");
    let alias = format!("{}/onep:v1/stack/alias", murano.url());
    // Over a megabyte curl expects 100-continue.
    curl(&["-H", &header, "--data-binary", "@value", &alias]);
    assert_eq!(murano.read("sn", "a").map(|value| value.len()), Some(big.len()));
    let chunked = ["-H", &header, "-H", "Transfer-Encoding: chunked", "-d", "b=1", &alias];
    curl(&chunked);
    assert_eq!(curl(&["-H", &header, "-d", "c=2", &format!("{alias}?b&c")]), "b=1&c=2");
}
