//! Every fault: switched on, it does to an answer what the table in tests/README.md says, and nothing else.

use gwe_tests::harness::{raw, End, Murano, MuranoChild, RawReply};
use gwe_tests::murano::client::read_reply;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);
/// For answers after which the server waits for the next request.
const BRIEF: Duration = Duration::from_secs(1);
const SIZE: usize = 10_000;

fn content() -> Vec<u8> {
    (0..SIZE).map(|at| (at % 251) as u8).collect()
}

/// A server with content `c` and a device.
struct Stage {
    murano: Murano,
    cik: String,
}

impl Stage {
    fn new() -> Stage {
        let murano = Murano::start();
        murano.upload("c", &content());
        let cik = murano.activate("sn");
        murano.forget_requests();
        Stage { murano, cik }
    }

    fn with(fault: &str) -> Stage {
        let stage = Stage::new();
        stage.murano.faults(&[fault]);
        stage
    }

    fn send(&self, line: &str, headers: &str, body: &str) -> RawReply {
        let length = body.len();
        let request = format!("{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        let patience = if headers.contains("Connection: close") { PATIENCE } else { BRIEF };
        raw(&self.murano.url(), request, patience)
    }

    fn download(&self, headers: &str) -> RawReply {
        let headers = format!("{headers}Connection: close\r\n");
        self.send("GET /provision/download?vendor=p&model=p&id=c", &headers, "")
    }

    fn write(&self, body: &str) -> RawReply {
        let headers = format!("X-Exosite-CIK: {}\r\nConnection: close\r\n", self.cik);
        self.send("POST /onep:v1/stack/alias", &headers, body)
    }
}

/// A download under `fault`.
fn download(fault: &str) -> RawReply {
    Stage::with(&format!("download:{fault}")).download("")
}

#[test]
fn refuse_closes_before_the_request_is_read() {
    for (fault, end) in [("any:refuse", End::Reset), ("any:refuse=rst", End::Reset), ("any:refuse=fin", End::Eof)] {
        let stage = Stage::with(fault);
        let reply = stage.write("a=1");
        assert_eq!((reply.bytes.len(), reply.end), (0, end), "{fault}");
        assert_eq!(stage.murano.read("sn", "a"), None);
        let requests = stage.murano.requests();
        assert_eq!((&requests["totals"]["refused"], &requests["totals"]["requests"]), (&1.into(), &0.into()));
    }
}

#[test]
fn refuse_of_one_call_leaves_the_others() {
    let stage = Stage::with("download:refuse=fin");
    let reply = stage.download("");
    assert_eq!((reply.bytes.len(), reply.end), (0, End::Eof));
    assert_eq!(stage.write("a=1").status(), 204);
}

#[test]
fn refuse_spares_the_admin_api() {
    let murano = MuranoChild::start(&["--open"]);
    let list = murano.command(&["fault", "set", "any:refuse"]).ok().stdout;
    assert_eq!(list, "any:refuse (applied 0 times)\n");
    assert_eq!(raw(&murano.url(), "GET /timestamp HTTP/1.0\r\n\r\n", PATIENCE).end, End::Reset);
    // A client that connects and says nothing is refused all the same.
    assert_eq!(raw(&murano.url(), "", PATIENCE).end, End::Reset);
    assert_eq!(murano.command(&["fault", "list"]).ok().stdout, "any:refuse (applied 2 times)\n");
    murano.command(&["fault", "clear"]).ok();
    assert_eq!(raw(&murano.url(), "GET /timestamp HTTP/1.0\r\n\r\n", PATIENCE).status(), 200);
}

#[test]
fn drop_breaks_the_answer_off() {
    for (how, end) in [("", End::Reset), (",rst", End::Reset), (",fin", End::Eof)] {
        for at in [0, 1, 10, 60] {
            let reply = download(&format!("drop={at}{how}"));
            assert_eq!((reply.bytes.len(), reply.end), (at, end), "drop={at}{how}");
        }
        for (at, bytes) in [("body+0", 0), ("body+77", 77), ("80%", 8000), ("100%", SIZE)] {
            let reply = download(&format!("drop={at}{how}"));
            assert_eq!((reply.status(), reply.end), (200, end), "drop={at}{how}");
            assert_eq!(reply.body(), &content()[..bytes], "drop={at}{how}");
            assert_eq!(reply.header("content-length").unwrap(), SIZE.to_string());
        }
    }
    let past_the_end = download("drop=body+10001");
    assert_eq!((past_the_end.body().len(), past_the_end.end), (SIZE, End::Eof));
}

#[test]
fn a_reset_takes_nothing_back_from_a_slow_reader() {
    let murano = Murano::start();
    murano.upload("large", &vec![b'x'; 8_000_000]);
    murano.faults(&["download:drop=body+7000000,rst"]);
    let mut stream = TcpStream::connect(murano.url().trim_start_matches("http://")).unwrap();
    stream.write_all(b"GET /provision/download?id=large HTTP/1.1\r\n\r\n").unwrap();
    let mut received = Vec::new();
    let mut block = [0; 256 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut block) {
        received.extend_from_slice(&block[..count]);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(received.iter().filter(|byte| **byte == b'x').count(), 7_000_000);
}

#[test]
fn an_answer_cut_at_any_byte_is_not_a_whole_one() {
    let stage = Stage::new();
    stage.murano.write("sn", "a", "a value");
    let read = || {
        let headers = format!("X-Exosite-CIK: {}\r\nConnection: close\r\n", stage.cik);
        stage.send("GET /onep:v1/stack/alias?a", &headers, "")
    };
    let whole = read();
    assert_eq!(whole.body(), b"a=a%20value");
    for at in 0..whole.bytes.len() {
        stage.murano.faults(&[&format!("read:drop={at},fin")]);
        let cut = read();
        assert_eq!(cut.bytes.len(), at);
        read_reply(&mut &cut.bytes[..]).expect_err("a strict client notices");
    }
}

#[test]
fn truncate_announces_more_than_comes() {
    let reply = download("truncate=9");
    assert_eq!((reply.status(), reply.body().len(), reply.end), (200, 9, End::Eof));
    assert_eq!(reply.header("content-length").unwrap(), SIZE.to_string());
}

#[test]
fn stall_drip_and_delay_take_their_time_and_change_nothing() {
    for (fault, at_least) in [
        ("stall=0,1", 1000),
        ("stall=body+5000,1", 1000),
        ("stall=50%,1", 1000),
        ("drip=1000,30", 300),
        ("delay=400", 400),
    ] {
        let reply = download(fault);
        assert_eq!((reply.status(), reply.body()), (200, &content()[..]), "{fault}");
        let (least, most) = (Duration::from_millis(at_least), PATIENCE);
        assert!(reply.took >= least && reply.took < most, "{fault} took {:?}", reply.took);
    }
}

#[test]
fn a_stall_comes_at_its_place() {
    let stage = Stage::with("download:stall=body+5000,4");
    let reply = stage.send("GET /provision/download?id=c", "", "");
    assert_eq!((reply.body().len(), reply.end), (5000, End::Silence));
}

#[test]
fn status_answers_without_doing_the_work() {
    let stage = Stage::with("write:status=503,120*1");
    let reply = stage.write("a=1");
    assert_eq!((reply.status(), reply.header("retry-after").as_deref()), (503, Some("120")));
    assert_eq!(stage.murano.read("sn", "a"), None);
    assert_eq!(stage.write("a=2").status(), 204);
    assert_eq!(stage.murano.history("sn", "a"), ["2"]);
}

#[test]
fn a_401_once_is_followed_by_success() {
    let stage = Stage::with("write+hybrid:status=401*1");
    assert_eq!((stage.write("a=1").status(), stage.write("a=1").status()), (401, 204));
}

#[test]
fn a_lost_reply_is_work_done() {
    for (fault, end) in [("write:lost-reply*1", End::Eof), ("write:lost-reply=rst*1", End::Reset)] {
        let stage = Stage::with(fault);
        let reply = stage.write("a=1");
        assert_eq!((reply.bytes.len(), reply.end), (0, end), "{fault}");
        assert_eq!(stage.murano.history("sn", "a"), ["1"], "{fault}");
    }
}

#[test]
fn length_is_off_and_the_connection_stays_open() {
    for (fault, announced) in [("length=-5", SIZE - 5), ("length=+5", SIZE + 5)] {
        let stage = Stage::with(&format!("download:{fault}"));
        let reply = stage.send("GET /provision/download?id=c", "", "");
        assert_eq!(reply.header("content-length").unwrap(), announced.to_string(), "{fault}");
        assert_eq!((reply.body().len(), reply.end), (SIZE, End::Silence), "{fault}");
    }
}

#[test]
fn chunked_answers_hold_together() {
    for (fault, length) in [("chunked", None), ("chunked=7", None), ("chunked-length", Some("10000"))] {
        let reply = download(fault);
        assert_eq!(reply.header("transfer-encoding").as_deref(), Some("chunked"), "{fault}");
        assert_eq!(reply.header("content-length").as_deref(), length, "{fault}");
        assert_eq!(reply.decoded().unwrap(), content(), "{fault}");
        assert_eq!(reply.end, End::Eof);
    }
    assert!(download("chunked=7").body().starts_with(b"7\r\n\x00\x01\x02\x03\x04\x05\x06\r\n7\r\n"));
}

#[test]
fn chunked_cut_ends_between_two_chunks() {
    let reply = download("chunked-cut=2,10");
    assert_eq!((reply.body().len(), reply.end), (2 * (10 + 5), End::Eof));
    assert!(reply.body().ends_with(b"\r\n"));
    reply.decoded().expect_err("the last chunk is missing");
    let almost = download("chunked-cut=10,1000");
    assert_eq!(almost.end, End::Eof);
    almost.decoded().expect_err("the last chunk is missing");
}

#[test]
fn ranges_come_otherwise_than_asked() {
    let range = "Range: bytes=100-109\r\n";
    let all = content();
    for (fault, status, content_range, body) in [
        ("pass", 206, Some("bytes 100-109/10000"), &all[100..110]),
        ("range-200", 200, Some("bytes 100-109/10000"), &all[100..110]),
        ("range-ignored", 200, None, &all[..]),
        ("range-shifted=-20", 206, Some("bytes 80-109/10000"), &all[80..110]),
        ("range-shifted=+5", 206, Some("bytes 105-109/10000"), &all[105..110]),
    ] {
        let reply = Stage::with(&format!("download:{fault}")).download(range);
        assert_eq!((reply.status(), reply.header("content-range").as_deref()), (status, content_range), "{fault}");
        assert_eq!(reply.decoded().unwrap(), body, "{fault}");
    }
}

#[test]
fn no_length_ends_with_the_connection() {
    let reply = Stage::with("download:no-length").send("GET /provision/download?id=c", "", "");
    assert_eq!((reply.header("content-length"), reply.header("connection").as_deref()), (None, Some("close")));
    assert_eq!((reply.body(), reply.end), (&content()[..], End::Eof));
    let reply = Stage::with("write:no-length").write("a=1");
    assert_eq!((reply.status(), reply.header("content-length")), (204, None));
}

#[test]
fn headers_come_in_a_flood() {
    let reply = download("headers=1000,100");
    let flood = reply.head().lines().filter(|line| line.starts_with("X-Flood-") && line.len() >= 110).count();
    assert_eq!((flood, reply.body()), (1000, &content()[..]));
    let reply = download("headers=1,1000000");
    assert!(reply.head().len() > 1_000_000 && reply.decoded().unwrap() == content());
}

#[test]
fn redirect_points_elsewhere() {
    let reply = download("redirect=http://127.0.0.1:1/else?a=b,c*d");
    assert_eq!(reply.status(), 302);
    assert_eq!(reply.header("location").as_deref(), Some("http://127.0.0.1:1/else?a=b,c*d"));
}

#[test]
fn garbage_is_no_http() {
    for (fault, length) in [("garbage", 256), ("garbage=5000", 5000)] {
        let reply = download(fault);
        assert_eq!((reply.bytes.len(), reply.end, reply.status()), (length, End::Eof, 0), "{fault}");
        assert!(reply.bytes.iter().all(|byte| *byte >= 0x80));
    }
}

#[test]
fn corrupt_changes_one_byte() {
    for (fault, place) in [("corrupt=body+7", 7), ("corrupt=100%", SIZE), ("corrupt=99%", 9900)] {
        let reply = download(fault);
        let differing: Vec<usize> = (0..SIZE).filter(|at| reply.body()[*at] != content()[*at]).collect();
        let expected: Vec<usize> = (0..SIZE).filter(|at| *at == place).collect();
        assert_eq!((reply.body().len(), differing), (SIZE, expected), "{fault}");
    }
}

#[test]
fn faults_in_a_row_take_turns_and_are_used_up() {
    let stage = Stage::new();
    stage.murano.faults(&["download:drop=30%,fin*2", "any:pass*1", "download:status=404*1"]);
    let statuses: Vec<_> = (0..5).map(|_| stage.download("")).map(|r| (r.status(), r.body().len())).collect();
    let not_found = "a fault was set: 404\n".len();
    assert_eq!(statuses, [(200, 3000), (200, 3000), (200, SIZE), (404, not_found), (200, SIZE)]);
    stage.murano.faults(&["download:status=500"]);
    assert_eq!(stage.download("").status(), 500);
    stage.murano.clear_faults();
    assert_eq!(stage.download("").status(), 200);
}

#[test]
fn latency_holds_up_every_answer() {
    let murano = Murano::with(|options| options.latency = Duration::from_millis(200));
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(raw(&murano.url(), "GET /timestamp HTTP/1.0\r\n\r\n", PATIENCE).status(), 200);
    }
    assert!(start.elapsed() >= Duration::from_millis(600));
}

#[test]
fn the_request_log_tells_what_happened() {
    let stage = Stage::with("download:drop=body+100,fin*1");
    let cut = stage.download("");
    let whole = stage.download("");
    let write = stage.write("a=1");
    let requests = stage.murano.requests();
    let log = requests["log"].as_array().unwrap();
    let shown: Vec<_> = log.iter().map(|r| (r["endpoint"].as_str().unwrap(), r["status"].as_u64().unwrap())).collect();
    assert_eq!(shown, [("download", 200), ("download", 200), ("write", 204)]);
    assert_eq!(log[0]["fault"], "download:drop=body+100,fin*1");
    assert_eq!(log[1]["fault"], serde_json::Value::Null);
    assert_eq!(log[2]["target"], "/onep:v1/stack/alias");
    for (entry, reply) in log.iter().zip([&cut, &whole, &write]) {
        assert_eq!(entry["response_bytes"], reply.bytes.len());
    }
    let head = format!(
        "POST /onep:v1/stack/alias HTTP/1.1\r\nX-Exosite-CIK: {}\r\nConnection: close\r\nContent-Length: 3\r\n\r\n",
        stage.cik
    );
    assert_eq!(log[2]["request_bytes"], head.len() + 3);
    let totals = &requests["totals"];
    assert_eq!((&totals["requests"], &totals["by_endpoint"]["download"]), (&3.into(), &2.into()));
    assert_eq!(totals["response_bytes"], cut.bytes.len() + whole.bytes.len() + write.bytes.len());
    // Plain HTTP: what is on the wire is what was said.
    assert_eq!((&totals["wire_sent"], &totals["wire_received"]), (&totals["response_bytes"], &totals["request_bytes"]));
    stage.murano.forget_requests();
    assert_eq!(stage.murano.requests()["totals"]["requests"], 0);
}
