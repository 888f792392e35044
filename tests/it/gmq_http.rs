//! gmq's server, byte by byte: what clients send, what hostile ones send, and that none of them is in another's way.

use gwe_tests::harness::{raw, wait_until, End, Gmq, Murano};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);
const VMS: &str = "X-Exosite-VMS: p p 1\r\n";

fn write_request(value: &str) -> String {
    let body = format!("a={value}");
    format!("POST /onep:v1/stack/alias HTTP/1.1\r\n{VMS}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn record_request(time: u64, more: &str) -> String {
    let body = format!("{time}=v");
    format!("POST /onep:v1/stack/alias/a HTTP/1.1\r\n{VMS}{more}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Reads answers until there are `count`, and returns all of it.
fn answers(stream: &mut TcpStream, count: usize) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut text, mut buffer) = (Vec::new(), [0; 65536]);
    while String::from_utf8_lossy(&text).matches("HTTP/1.1 ").count() < count || !text.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(n @ 1..) => text.extend_from_slice(&buffer[..n]),
            other => panic!("{other:?} behind {}", String::from_utf8_lossy(&text)),
        }
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn one_connection_serves_many_requests_one_after_the_other_and_all_at_once() {
    let murano = Murano::start();
    let gmq = Gmq::start(&murano.url());
    let mut stream = TcpStream::connect(("127.0.0.1", gmq.port())).unwrap();
    for n in 0..5 {
        stream.write_all(write_request(&n.to_string()).as_bytes()).unwrap();
        assert!(answers(&mut stream, 1).starts_with("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n"));
    }
    let many: String = (0..300).map(|n| record_request(1_700_000_000 + n, "")).collect();
    stream.write_all(many.as_bytes()).unwrap();
    let text = answers(&mut stream, 300);
    assert_eq!(text.matches("HTTP/1.1 204").count(), 300);
    assert_eq!(text.matches("Content-Length: 0\r\n").count(), 300);
    gmq.drained(PATIENCE);
    assert_eq!(murano.history("1", "a").len(), 305);
}

#[test]
fn a_client_that_waits_for_100_continue_and_one_that_sends_chunks_are_served() {
    let murano = Murano::start();
    let gmq = Gmq::start(&murano.url());
    let mut stream = TcpStream::connect(("127.0.0.1", gmq.port())).unwrap();
    let head = format!("POST /onep:v1/stack/alias HTTP/1.1\r\n{VMS}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(answers(&mut stream, 1), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"a=1").unwrap();
    assert!(answers(&mut stream, 1).starts_with("HTTP/1.1 204"));
    let chunks = format!(
        "POST /onep:v1/stack/alias HTTP/1.1\r\n{VMS}Transfer-Encoding: chunked\r\n\r\n2\r\na=\r\n5;x=y\r\n2%263\r\n0\r\n\r\n"
    );
    stream.write_all(chunks.as_bytes()).unwrap();
    assert!(answers(&mut stream, 1).starts_with("HTTP/1.1 204"));
    assert_eq!(murano.history("1", "a"), ["1", "2&3"]);
}

#[test]
fn both_names_of_the_loopback_are_served_and_nothing_else_listens() {
    let murano = Murano::start();
    let gmq = Gmq::start(&murano.url());
    let port = format!(":{:04X}", gmq.port());
    let mut addresses = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        // Address, peer, 0A: listening.
        let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let listening = lines.filter(|f| f.len() > 3 && f[1].ends_with(&port) && f[3] == "0A");
        addresses.extend(listening.map(|f| f[1].split(':').next().unwrap_or_default().to_string()));
    }
    assert!(!addresses.is_empty());
    for address in &addresses {
        assert!(["0100007F", "00000000000000000000000001000000"].contains(&address.as_str()), "{addresses:?}");
    }
    if addresses.len() == 2 {
        let mut stream = TcpStream::connect(("::1", gmq.port())).unwrap();
        stream.write_all(write_request("six").as_bytes()).unwrap();
        assert!(answers(&mut stream, 1).starts_with("HTTP/1.1 204"));
    }
}

#[test]
fn whatever_a_client_sends_it_gets_an_answer_or_is_closed_and_the_next_is_served() {
    let murano = Murano::start();
    let mut gmq = Gmq::start(&murano.url());
    let large = "x".repeat(200_000);
    let long_head = format!("POST / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(20_000));
    let many_headers = format!("POST / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(3000));
    let post = |headers: &str, body: &str| format!("POST /onep:v1/stack/alias HTTP/1.1\r\n{headers}\r\n{body}");
    let rows: Vec<(String, u16)> = vec![
        ("\r\n".repeat(10_000), 431),
        (long_head, 431),
        (many_headers, 431),
        ("\u{16}\u{3}\u{1}\u{0}\r\n\r\n".to_string(), 400),
        ("GET\r\n\r\n".to_string(), 400),
        ("GET / HTTP/9.9\r\n\r\n".to_string(), 505),
        ("GET / HTTP/1.0\r\n\r\n".to_string(), 404),
        ("GET /onep:v1/stack/alias?a HTTP/1.0\r\n\r\n".to_string(), 405),
        (post("Content-Length: 3\r\nConnection: close\r\n", "a=1"), 400),
        (post("X-Exosite-VMS: p p\r\nContent-Length: 3\r\nConnection: close\r\n", "a=1"), 400),
        (post(&format!("{VMS}Connection: close\r\n"), ""), 400),
        (post(&format!("{VMS}Content-Length: 1000000000000\r\n"), "a=1"), 413),
        (post(&format!("{VMS}Content-Length: 200000\r\n"), &large), 413),
        (post(&format!("{VMS}Content-Length: one\r\n"), "a=1"), 400),
        (post(&format!("{VMS}Content-Length: 3\r\nContent-Length: 4\r\n"), "a=1"), 400),
        (post(&format!("{VMS}Transfer-Encoding: gzip\r\n"), "a=1"), 501),
        (post(&format!("{VMS}Transfer-Encoding: chunked\r\n"), "zz\r\n"), 400),
        (post(&format!("{VMS}Transfer-Encoding: chunked\r\n"), "ffffffffff\r\n"), 413),
        (post(&format!("{VMS}Content-Length: 4\r\nConnection: close\r\n"), "=1&2"), 400),
        (post(&format!("{VMS}Content-Length: 6\r\nConnection: close\r\n"), "a=\u{0}%zz"), 204),
        (post(&format!("{VMS}Content-Length: 5\r\nConnection: close\r\n"), "&&a&="), 415),
    ];
    for (request, status) in rows {
        let reply = raw(&gmq.url(), &request, PATIENCE);
        let shown: String = request.chars().take(120).collect();
        assert_eq!(reply.status(), status, "{shown:?}: {}", reply.head());
        assert!(reply.head().contains("\r\nContent-Length: "), "{shown:?}");
        assert_ne!(reply.end, End::Silence, "{shown:?}");
        if status != 204 {
            assert!(reply.body().len() > 10, "{shown:?} is told why: {}", String::from_utf8_lossy(reply.body()));
        }
    }
    assert_eq!(gmq.write("1", "a=after"), 204);
    assert!(gmq.server().is_running());
}

#[test]
fn no_bytes_make_it_panic() {
    let murano = Murano::start();
    let mut gmq = Gmq::start(&murano.url());
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let seed = record_request(1_700_000_000, "Expect: 100-continue\r\n") + &write_request("%41&b=");
    for round in 0..400 {
        let mut bytes = seed.clone().into_bytes();
        for _ in 0..=draw() % 8 {
            let at = draw() as usize % bytes.len();
            match draw() % 4 {
                0 => bytes[at] = draw() as u8,
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, draw() as u8),
                _ => bytes.extend_from_within(at..),
            }
        }
        if round % 10 == 0 {
            bytes = (0..draw() % 3000).map(|_| draw() as u8).collect();
        }
        let mut stream = TcpStream::connect(("127.0.0.1", gmq.port())).unwrap();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = Vec::new();
        // The end of the connection is enough, in order or by a reset.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "{}", String::from_utf8_lossy(&bytes));
        }
    }
    assert!(gmq.server().is_running(), "{}", gmq.log());
    assert_eq!(gmq.write("1", "a=after"), 204);
}

#[test]
fn slow_and_silent_clients_hold_nobody_up() {
    let murano = Murano::start();
    let gmq = Gmq::start(&murano.url());
    assert_eq!(gmq.write("1", "a=0"), 204);
    // Many more than gmq keeps, each with a request that never ends.
    let mut slow: Vec<TcpStream> = Vec::new();
    for n in 0..200 {
        let mut stream = TcpStream::connect(("127.0.0.1", gmq.port())).unwrap();
        let _ = stream.write_all(b"POST /onep:v1/stack/alias HTTP/1.1\r\nContent-Le");
        slow.push(stream);
        if n % 20 == 0 {
            let begun = Instant::now();
            assert_eq!(gmq.record("1", "a", &format!("{}=v", 1_700_000_000 + n)), 204);
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?} beside {n} slow clients", begun.elapsed());
            for stream in &mut slow {
                let _ = stream.write_all(b"n");
            }
        }
    }
    // Those that take no answers: they are not read for ever.
    let flood = record_request(1_700_000_000, "").repeat(100);
    let mut deaf: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(("127.0.0.1", gmq.port())).unwrap()).collect();
    for stream in &mut deaf {
        stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        for _ in 0..20 {
            let _ = stream.write_all(flood.as_bytes());
        }
    }
    let begun = Instant::now();
    assert_eq!(gmq.record("1", "b", "1700000000=v"), 204);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn an_app_that_keeps_its_connection_is_not_closed_while_it_waits_for_the_platform() {
    let murano = Murano::start();
    let gmq = Gmq::start(&murano.url());
    assert_eq!(gmq.write("1", "a=0"), 204);
    murano.faults(&["write:delay=1500*1"]);
    let mut waiting = TcpStream::connect(("127.0.0.1", gmq.port())).unwrap();
    waiting.write_all(write_request("late").as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let others: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(("127.0.0.1", gmq.port())).unwrap()).collect();
    assert!(answers(&mut waiting, 1).starts_with("HTTP/1.1 204"));
    drop(others);
    wait_until("the write is at the platform", PATIENCE, || murano.history("1", "a") == ["0", "late"]);
}
