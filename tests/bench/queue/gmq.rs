//! gmq itself, from the side of its apps.

use super::disk::{Bare, LoopDisk};
use super::table::{median, Row};
use gwe_tests::harness::{Gmq, MuranoChild};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

/// The limits, from the design.
const FLUSHES: f64 = 1.0;
const LONE_BYTES: f64 = 4500.0;
const TOGETHER_BYTES: f64 = 400.0;
const RATIO: f64 = 1.3;

/// Nobody listens there: everything stays queued.
const NOBODY: &str = "http://127.0.0.1:1";
const ALIAS: &str = "sensor";

/// An app with a connection that it keeps.
pub struct App {
    stream: TcpStream,
    record: usize,
    next: u64,
}

impl App {
    /// Connects.
    pub fn new(port: u16, record: usize) -> App {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("gmq listens");
        stream.set_nodelay(true).expect("a socket option");
        App { stream, record, next: 1_700_000_000 }
    }

    fn body(&mut self, points: usize) -> String {
        let value = "v".repeat(self.record - ALIAS.len());
        let mut body = String::new();
        for _ in 0..points {
            body.push_str(if body.is_empty() { "" } else { "&" });
            body.push_str(&format!("{}={value}", self.next));
            self.next += 1;
        }
        body
    }

    fn request(&mut self, points: usize) -> Vec<u8> {
        let body = self.body(points);
        let head = "HTTP/1.1\r\nHost: localhost\r\nX-Exosite-VMS: p p 1";
        let length = body.len();
        format!("POST /onep:v1/stack/alias/{ALIAS} {head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    /// Records so many points in one request; how long that took, in microseconds.
    pub fn put(&mut self, points: usize) -> f64 {
        let request = self.request(points);
        let begun = Instant::now();
        self.stream.write_all(&request).expect("gmq takes a request");
        let mut answer = [0; 512];
        let got = self.stream.read(&mut answer).expect("gmq answers");
        let took = begun.elapsed().as_secs_f64() * 1e6;
        let answer = String::from_utf8_lossy(&answer[..got]);
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        took
    }
}

/// A gmq whose state is on the disk, and that reaches nobody.
fn on(disk: &LoopDisk, name: &str) -> Gmq {
    let mut gmq = Gmq::not_running(NOBODY, "[unq]\nbatch_record_period = 3600\n[db]\nmax_bytes = 268435456\n");
    let lib = gmq.gateway().root().path("var/lib");
    std::fs::create_dir_all(&lib).expect("a folder");
    symlink(disk.folder(name), lib.join("gwe")).expect("a link");
    gmq.run();
    // What is made once: identity, segments.
    App::new(gmq.port(), 100).put(1);
    gmq
}

/// Lone records, one after the other.
pub fn lone(disk: &LoopDisk, count: usize, record: usize) -> Vec<Row> {
    let gmq = on(disk, "lone");
    let mut app = App::new(gmq.port(), record);
    let traffic = disk.count(|| {
        (0..count).for_each(|_| {
            app.put(1);
        })
    });
    let mut bare = Bare::new(&disk.folder("bare"), record + 33);
    let (mut accepts, mut syncs) = (Vec::new(), Vec::new());
    // In turns, so that both meet the same moments of the machine.
    for _ in 0..count / 50 {
        syncs.push(bare.median(50));
        accepts.extend((0..50).map(|_| app.put(1)));
    }
    let (accept, sync) = (median(accepts), median(syncs));
    vec![
        Row::limited("gmq: flushes, lone record", traffic.flushes as f64 / count as f64, "", FLUSHES),
        Row::limited("gmq: device bytes, lone record", traffic.bytes as f64 / count as f64, "B", LONE_BYTES),
        Row::plain("bare write and fdatasync, p50", sync, "us"),
        Row::plain("gmq: accept of a lone record, p50", accept, "us"),
        Row::limited("gmq: the same against the bare one", accept / sync, "", RATIO),
    ]
}

/// Records a hundred at a sync.
pub fn together(disk: &LoopDisk, requests: usize, record: usize) -> Row {
    let gmq = on(disk, "together");
    let mut app = App::new(gmq.port(), record);
    let traffic = disk.count(|| {
        (0..requests).for_each(|_| {
            app.put(100);
        })
    });
    let bytes = traffic.bytes as f64 / (requests * 100) as f64;
    Row::limited("gmq: device bytes per record, 100 a sync", bytes, "B", TOGETHER_BYTES)
}

/// Records a second, with one app and with sixteen.
pub fn at_once(disk: &LoopDisk, each: usize, record: usize) -> Vec<Row> {
    let gmq = on(disk, "at-once");
    [1, 16]
        .map(|apps| {
            let rate = rate(apps, each, |_| {
                let mut app = App::new(gmq.port(), record);
                move || {
                    app.put(1);
                }
            });
            Row::plain(&format!("gmq: records a second, {apps} apps"), rate, "1/s")
        })
        .into()
}

/// What so many workers at once do in a second.
pub fn rate<W: FnMut() + Send>(workers: usize, each: usize, make: impl Fn(usize) -> W) -> f64 {
    let workers: Vec<W> = (0..workers).map(make).collect();
    let count = workers.len() * each;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for mut work in workers {
            scope.spawn(move || (0..each).for_each(|_| work()));
        }
    });
    count as f64 / begun.elapsed().as_secs_f64()
}

/// How long it takes until so many queued records are at a platform whose every answer comes late.
pub fn drain(records: usize, latency: Duration) -> Row {
    let latency = latency.as_millis().to_string();
    let murano = MuranoChild::start(&["--open", "--latency-ms", &latency]);
    let mut gmq = Gmq::with(NOBODY, "[unq]\nbatch_record_period = 3600\n[db]\nmax_bytes = 268435456\n");
    let mut app = App::new(gmq.port(), 100);
    (0..records / 1000).for_each(|_| {
        app.put(1000);
    });
    assert_eq!(gmq.count("queued"), records as u64);
    gmq.stop();
    gmq.gateway().root().write("etc/gwe/Engine.config", format!("[engine]\nserver = {}\n", murano.url()));
    gmq.gateway().root().write("etc/gwe/gmq.cfg", "[unq]\nbatch_record_period = 0\n[db]\nmax_bytes = 268435456\n");
    let begun = Instant::now();
    gmq.run();
    gmq.drained(Duration::from_secs(600));
    Row::plain("gmq: 100,000 records through a platform of 100 ms", begun.elapsed().as_secs_f64(), "s")
}
