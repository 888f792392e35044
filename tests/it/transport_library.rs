//! The device client as a Rust app uses it: hybrid calls, errors that can be acted on, and that nothing is left behind by
//! requests that fail (docs/spec/failures.md, row 2: "flat memory"; minreq leaks a thread at each timeout of its own).

use gwe::config::Cik;
use gwe::device::{Client, DeviceError, Settings, Sink};
use gwe::http::{usage, TransportError};
use gwe_tests::harness::{alone, Guest, Murano, Scratch, Scripted};
use std::fs;
use std::io;
use std::time::Duration;

/// A client with little patience, whose account is in a scratch folder.
fn client(url: &str, scratch: &Scratch) -> Client {
    let mut settings = Settings::new(url, "app");
    settings.usage_log = scratch.path("run/usage");
    settings.stall_limit = Duration::from_millis(300);
    settings.total_limit = Duration::from_millis(600);
    Client::new(settings).unwrap()
}

fn cik_of(murano: &Murano, sn: &str) -> Cik {
    Cik::parse(&murano.activate(sn)).unwrap()
}

#[test]
fn the_hybrid_call_writes_and_reads_in_one_request() {
    let (murano, scratch) = (Murano::start(), Scratch::new());
    let client = client(&murano.url(), &scratch);
    let cik = cik_of(&murano, "sn");
    murano.write("sn", "engine_fetch", "{\"install\": [{\"name\": \"a.v1.tar.gz\"}]}");
    murano.forget_requests();
    let report = "{\"df\": \"100% & more\"}";
    let read = client.write_read(&cik, &[("device_info", report)], &["engine_fetch", "update_interval"]).unwrap();
    assert_eq!(read, [("engine_fetch".to_string(), "{\"install\": [{\"name\": \"a.v1.tar.gz\"}]}".to_string())]);
    assert_eq!(murano.read("sn", "device_info").as_deref(), Some(report));
    assert_eq!(murano.requests()["log"].as_array().unwrap().len(), 1);
    assert!(client.write_read(&cik, &[("a", "")], &["none"]).unwrap().is_empty());
}

#[test]
fn errors_say_what_to_do_with_them() {
    let (murano, scratch) = (Murano::start(), Scratch::new());
    let client = client(&murano.url(), &scratch);
    let cik = cik_of(&murano, "sn");
    for (fault, is_permanent, is_unauthorized, retry_after) in [
        ("any:status=401*1", false, true, None),
        ("any:status=400*1", true, false, None),
        ("any:status=404*1", true, false, None),
        ("any:status=408*1", false, false, None),
        ("any:status=429,17*1", false, false, Some(17)),
        ("any:status=503,99999999*1", false, false, Some(24 * 3600)),
        ("any:drop=5,fin*1", false, false, None),
    ] {
        murano.faults(&[fault]);
        let error = client.write(&cik, &[("a", "1")]).unwrap_err();
        let told = (error.is_permanent(), error.unauthorized(), error.retry_after().map(|time| time.as_secs()));
        assert_eq!(told, (is_permanent, is_unauthorized, retry_after), "{fault}: {error}");
    }
    let points = [("a", &[(1000, "1"), (1000, "2")][..]), ("b", &[(5, "x")][..])];
    match client.record(&cik, &points).map_err(|e| *e) {
        Err(DeviceError::Conflict(conflicts)) => assert_eq!(conflicts, [("a".to_string(), 1000)]),
        other => panic!("{other:?}"),
    }
    client.record(&cik, &points[1..]).unwrap();
    let refused = Client::new(Settings::new("h", "app")).map(|_| ()).unwrap_err();
    assert!(matches!(*refused, DeviceError::Transport(e) if matches!(*e, TransportError::Server(..))));
}

/// Takes so many bytes, and then no more: a disk that is full.
struct Full(usize);

impl Sink for Full {
    fn start(&mut self, offset: u64, total: Option<u64>) -> io::Result<()> {
        assert_eq!((offset, total), (0, Some(1_000_000)));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::Error::from_raw_os_error(libc::ENOSPC))?;
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_ends_the_download_with_its_own_error() {
    let (murano, scratch) = (Murano::start(), Scratch::new());
    murano.upload("c", &[1; 1_000_000]);
    let client = client(&murano.url(), &scratch);
    let DeviceError::Transport(error) = *client.download("p", "p", "c", 0, &mut Full(300_000)).unwrap_err() else {
        panic!("the sink's error is the transport's");
    };
    assert!(matches!(*error, TransportError::Sink(e) if e.raw_os_error() == Some(libc::ENOSPC)));
    client.download("p", "p", "c", 0, &mut Full(1_000_000)).unwrap();
}

/// Threads, open files and resident KiB of this process.
fn held() -> (usize, usize, usize) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let number = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap()
    };
    (number("Threads:"), fs::read_dir("/proc/self/fd").unwrap().count(), number("VmRSS:"))
}

#[test]
fn requests_that_fail_leave_nothing_behind() {
    let path = concat!(module_path!(), "::requests_that_fail_leave_nothing_behind");
    alone(path, Duration::from_secs(120), thousands_of_requests_fail);
}

fn thousands_of_requests_fail() {
    let scratch = Scratch::new();
    let server = Scripted::start(|guest: &mut Guest| match guest.number % 6 {
        0 => {}
        1 => guest.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"),
        2 => guest.reset(),
        3 => guest.say(b"garbage"),
        4 => guest.say(&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n".repeat(100)),
        _ if guest.number < 60 => guest.stay(),
        _ => guest.say(b"HTTP/1.1 302 Go\r\nLocation: /x\r\n\r\n"),
    });
    let client = client(&server.url(), &scratch);
    let rounds = |count: usize| (0..count).for_each(|_| assert!(client.timestamp().is_err()));
    rounds(300);
    let (_, _, before) = held();
    rounds(3000);
    let (threads, files, after) = held();
    assert!(threads < 20 && files < 40, "{threads} threads, {files} files");
    assert!(after < before + 2048, "{before} KiB became {after} KiB");
    let rows = usage::read(&scratch.path("run/usage")).unwrap();
    assert_eq!((rows.len(), rows[0].num, rows[0].consumer.as_str(), rows[0].iface.as_str()), (1, 3300, "app", "lo"));
    assert!(fs::metadata(scratch.path("run/usage")).unwrap().len() <= usage::MAX_BYTES);
}
