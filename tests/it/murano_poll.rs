//! Long polling: a read that waits.

use gwe_tests::harness::{wait_until, Murano};
use gwe_tests::murano::client::Reply;
use gwe_tests::murano::http::date;
use std::thread;
use std::time::{Duration, Instant};

const SN: &str = "sn";

fn poll(murano: &Murano, cik: &str, aliases: &str, ms: &str, since: Option<&str>) -> (Reply, Duration) {
    let mut headers = vec![("X-Exosite-CIK", cik), ("Request-Timeout", ms)];
    headers.extend(since.map(|since| ("If-Modified-Since", since)));
    let start = Instant::now();
    let target = format!("/onep:v1/stack/alias?{aliases}");
    let reply = murano.request("GET", &target, &headers, "").unwrap();
    (reply, start.elapsed())
}

/// Writes again and again: nobody can tell from outside when a poll has begun to wait.
fn write_until_finished(murano: &Murano, alias: &str, value: &str, is_finished: impl Fn() -> bool) {
    while !is_finished() {
        murano.write(SN, alias, value);
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn nothing_written_is_304_when_the_time_is_up() {
    let murano = Murano::start();
    let cik = murano.activate(SN);
    murano.write(SN, "a", "old");
    let (reply, took) = poll(&murano, &cik, "a", "300", None);
    assert_eq!((reply.status, reply.text().as_str()), (304, ""));
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_write_in_the_meantime_is_the_answer() {
    let murano = Murano::start();
    let cik = murano.activate(SN);
    murano.write(SN, "c", "there");
    for (writer_of, aliases, expected) in [("a", "a", "a=new"), ("b", "a&b&c", "a=new&b=new&c=there")] {
        let (reply, took) = thread::scope(|scope| {
            let waiting = scope.spawn(|| poll(&murano, &cik, aliases, "20000", None));
            thread::sleep(Duration::from_millis(300));
            // Another alias, and another device's, wake nobody.
            murano.write(SN, "unrelated", "x");
            murano.write("other", writer_of, "x");
            thread::sleep(Duration::from_millis(200));
            assert!(!waiting.is_finished());
            write_until_finished(&murano, writer_of, "new", || waiting.is_finished());
            waiting.join().unwrap()
        });
        assert_eq!((reply.status, reply.text().as_str()), (200, expected));
        assert!(took < Duration::from_secs(10), "{took:?}");
        let modified = date::parse(reply.header("last-modified").unwrap()).unwrap();
        assert!((date::now() - modified).abs() <= 2);
    }
}

#[test]
fn what_was_written_since_is_the_answer_at_once() {
    let murano = Murano::start();
    let cik = murano.activate(SN);
    let record = "alias=a&1000=x&2000=y";
    murano.request("POST", "/onep:v1/stack/record", &[("X-Exosite-CIK", &cik)], record).unwrap();
    let http_date = date::format(1999);
    for since in ["1999", http_date.as_str(), "0"] {
        let (reply, took) = poll(&murano, &cik, "a", "20000", Some(since));
        assert_eq!((reply.status, reply.text().as_str()), (200, "a=y"), "{since}");
        assert_eq!(reply.header("last-modified"), Some(date::format(2000).as_str()), "{since}");
        assert!(took < Duration::from_secs(5), "{since} took {took:?}");
    }
    let last = date::format(2000);
    for since in ["2000", last.as_str()] {
        assert_eq!(poll(&murano, &cik, "a", "100", Some(since)).0.status, 304, "{since}");
    }
}

#[test]
fn an_alias_that_was_cleared_has_changed_and_is_empty() {
    let murano = Murano::start();
    let cik = murano.activate(SN);
    murano.write(SN, "a", "x");
    let reply = thread::scope(|scope| {
        let waiting = scope.spawn(|| poll(&murano, &cik, "a", "20000", None));
        write_until_finished(&murano, "a", "", || waiting.is_finished());
        waiting.join().unwrap().0
    });
    assert_eq!(reply.status, 204);
}

#[test]
fn headers_that_are_no_times_are_refused() {
    let murano = Murano::start();
    let cik = murano.activate(SN);
    assert_eq!(poll(&murano, &cik, "a", "soon", None).0.status, 400);
    assert_eq!(poll(&murano, &cik, "a", "100", Some("yesterday")).0.status, 400);
    assert_eq!(poll(&murano, &"0".repeat(40), "a", "100", None).0.status, 401);
}

#[test]
fn a_server_that_stops_keeps_nobody_waiting() {
    let murano = Murano::start();
    let cik = murano.activate(SN);
    let url = murano.url();
    let start = Instant::now();
    let waiting = thread::spawn(move || {
        let client = gwe_tests::murano::client::Client::new(&url).unwrap();
        let headers = [("X-Exosite-CIK", cik.as_str()), ("Request-Timeout", "300000")];
        let body = gwe_tests::murano::client::Sent::Bytes(b"");
        client.send("GET", "/onep:v1/stack/alias?a", &headers, body).map(|reply| reply.status)
    });
    thread::sleep(Duration::from_millis(200));
    drop(murano);
    wait_until("the poll to end", Duration::from_secs(5), || waiting.is_finished());
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(!matches!(waiting.join().unwrap(), Ok(200)));
}
