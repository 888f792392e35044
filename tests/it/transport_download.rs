//! Downloads over bad links: what is kept is always a true beginning of the content, and goes on where it ended (rauc#1517).

use gwe_tests::harness::{run, Gateway, Murano, Ran, Scratch, Scripted};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;
use std::path::Path;
use std::time::Duration;

const SHORT: Duration = Duration::from_secs(60);

fn content(size: usize) -> Vec<u8> {
    (0..size as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

fn download(url: &str, to: &Path, more: &[&str]) -> Ran {
    let gateway = Gateway::new();
    let to = to.to_str().unwrap();
    let common = ["content", "download", "c", "-P", "p", "--timeout", "2", "--server", url, "-O", to];
    gateway.gdc(&[&common[..], more].concat())
}

#[test]
fn whatever_goes_wrong_what_is_kept_is_a_true_beginning() {
    let murano = Murano::start();
    let bytes = content(200_000);
    murano.upload("c", &bytes);
    // The fault, and a word of the error; without one it is no fault to us.
    for (fault, word) in [
        ("download:refuse=rst", "cut short"),
        ("download:refuse=fin", "cut short"),
        ("download:drop=10,fin", "cut short"),
        ("download:drop=body+0,fin", "0 of 200000 bytes"),
        ("download:drop=body+1", "cut short"),
        ("download:drop=50%,fin", "100000 of 200000 bytes"),
        ("download:drop=body+199999,fin", "199999 of 200000 bytes"),
        ("download:truncate=9", "9 of 200000 bytes"),
        ("download:stall=50%,300", "silent for 2 s"),
        ("download:stall=0,300", "silent for 2 s"),
        ("download:lost-reply=fin", "cut short"),
        // The connection stays open: what is missing never comes.
        ("download:length=+5", "silent for 2 s"),
        ("download:length=-5", "more came"),
        ("download:chunked", ""),
        ("download:chunked-length=777", ""),
        ("download:chunked-cut=50", "cut short"),
        ("download:chunked-cut=0", "cut short"),
        ("download:no-length", ""),
        ("download:redirect=http://127.0.0.1:1/", "redirections are not followed"),
        ("download:garbage", "no HTTP"),
        ("download:headers=2000,100", "head"),
        ("download:status=503,7", "answered 503"),
        ("download:status=404", "answered 404"),
    ] {
        let scratch = Scratch::new();
        let to = scratch.path("got");
        murano.faults(&[fault]);
        let ran = download(&murano.url(), &to, &[]);
        if word.is_empty() {
            ran.ok();
            assert!(fs::read(&to).unwrap() == bytes, "{fault}");
            continue;
        }
        let ran = ran.exited(1);
        assert!(ran.stderr.contains(word), "{fault}: no '{word}' in {}", ran.report());
        assert!(ran.took < Duration::from_secs(15), "{fault}: {}", ran.report());
        assert!(!to.exists(), "{fault}: a part got the whole's name");
        let part = fs::read(scratch.path("got.part")).unwrap();
        assert!(bytes.starts_with(&part), "{fault}: {} bytes that are no beginning", part.len());
        murano.clear_faults();
        // What came with a wrong length is all there is; it is taken for whole only when the server says so.
        download(&murano.url(), &to, &["--continue"]).ok();
        assert!(fs::read(&to).unwrap() == bytes, "{fault}: continued to something else");
    }
}

#[test]
fn a_download_goes_on_behind_what_is_there() {
    let murano = Murano::start();
    let bytes = content(100_000);
    murano.upload("c", &bytes);
    for (fault, word) in [
        ("download:pass", ""),
        ("download:range-200", ""),
        ("download:range-ignored", ""),
        // It begins before the byte that was asked for, and says so.
        ("download:range-shifted=-500", ""),
        // It begins behind it: there would be a hole.
        ("download:range-shifted=+500", "begins behind"),
        ("download:chunked", ""),
        ("download:chunked-cut=3", "cut short"),
        ("download:no-length", ""),
    ] {
        for already in [1, 4096, 60_000, 99_999] {
            let scratch = Scratch::new();
            let to = scratch.path("got");
            scratch.write("got.part", &bytes[..already]);
            murano.faults(&[fault]);
            let ran = download(&murano.url(), &to, &["-c"]);
            let is_last_byte = already == 99_999 && fault != "download:pass";
            if word.is_empty() || (is_last_byte && ran.code == Some(0)) {
                ran.ok();
                assert!(fs::read(&to).unwrap() == bytes, "{fault} behind {already}");
            } else {
                let ran = ran.exited(1);
                assert!(ran.stderr.contains(word), "{fault} behind {already}: {}", ran.report());
                assert!(bytes.starts_with(&fs::read(scratch.path("got.part")).unwrap()), "{fault} behind {already}");
            }
        }
    }
}

#[test]
fn what_is_whole_already_is_not_downloaded_again_and_what_is_too_long_is() {
    let murano = Murano::start();
    let bytes = content(50_000);
    murano.upload("c", &bytes);
    for (part, requests) in [(bytes.clone(), 1), ([&bytes[..], b"more"].concat(), 2)] {
        let scratch = Scratch::new();
        let to = scratch.path("got");
        scratch.write("got.part", &part);
        murano.forget_requests();
        download(&murano.url(), &to, &["-c"]).ok();
        assert!(fs::read(&to).unwrap() == bytes);
        assert_eq!(murano.count(Endpoint::Download), requests);
    }
}

#[test]
fn thirty_disconnects_cost_a_twentieth_more_at_most() {
    // rauc#1517: fails at 80 % after an hour, and begins again.
    let murano = Murano::start();
    let bytes = content(2_000_000);
    murano.upload("c", &bytes);
    let scratch = Scratch::new();
    let to = scratch.path("got");
    murano.faults(&["download:drop=body+65000,fin*15", "download:drop=body+60000*15"]);
    murano.forget_requests();
    let mut attempts = 1;
    while download(&murano.url(), &to, &["-c"]).code != Some(0) {
        attempts += 1;
        assert!(attempts < 40, "it does not end");
    }
    assert!(fs::read(&to).unwrap() == bytes);
    assert_eq!(attempts, 31);
    let sent = murano.requests()["totals"]["wire_sent"].as_u64().unwrap();
    assert!(sent <= bytes.len() as u64 * 105 / 100, "{sent} bytes for {}", bytes.len());
}

#[test]
fn a_permanent_answer_is_final() {
    // rauc-hawkbit-updater#158, #223: retried for ever.
    let murano = Murano::start();
    let scratch = Scratch::new();
    for (fault, permanent) in [
        ("download:status=403", true),
        ("download:status=404", true),
        ("download:status=500", false),
        ("download:status=429,5", false),
    ] {
        murano.faults(&[fault]);
        murano.forget_requests();
        let ran = download(&murano.url(), &scratch.path("got"), &["--json"]).exited(1);
        assert!(ran.stdout.contains(&format!("\"permanent\":{permanent}")), "{fault}: {}", ran.report());
        assert_eq!(murano.count(Endpoint::Download), 1, "{fault}");
    }
}

#[test]
fn a_slow_reader_is_no_stall_of_the_server() {
    let murano = Murano::start();
    murano.upload("c", &content(30_000_000));
    let gateway = Gateway::new();
    let gdc = gateway.command("gdc");
    let line = format!(
        "{} content download c -P p --timeout 1 --server {} -O - | (sleep 4; wc -c)",
        Path::new(gdc.get_program()).display(),
        murano.url()
    );
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &line]).env("GWE_ROOT", gateway.root().root());
    assert_eq!(run(&mut shell, SHORT).ok().stdout.trim(), "30000000");
}

#[test]
fn answers_to_a_range_that_contradict_themselves_are_refused() {
    let scratch = Scratch::new();
    scratch.write("got.part", "0123456789");
    for (answer, word) in [
        ("206 Partial\r\nContent-Length: 5\r\n\r\nabcde", "does not say which"),
        ("206 Partial\r\nContent-Range: bytes 10-14/15\r\nContent-Length: 4\r\n\r\nabcd", "not that of its range"),
        ("206 Partial\r\nContent-Range: bytes 11-15/16\r\nContent-Length: 5\r\n\r\nabcde", "begins behind"),
        ("206 Partial\r\nContent-Range: bytes 14-10/15\r\nContent-Length: 5\r\n\r\nabcde", "cannot be read"),
        ("200 OK\r\nContent-Range: chapter 3\r\nContent-Length: 5\r\n\r\nabcde", "cannot be read"),
        ("206 Partial\r\nContent-Range: bytes 10-14/20\r\nContent-Length: 5\r\n\r\nabcde", "goes on at byte 15"),
        ("206 Partial\r\nContent-Range: bytes 10-14/15\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "3 of 5 bytes"),
        ("206 Partial\r\nContent-Range: bytes 10-14/15\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n", "longer than 5 bytes"),
    ] {
        scratch.write("got.part", "0123456789");
        let server = Scripted::answering(format!("HTTP/1.1 {answer}"));
        let ran = download(&server.url(), &scratch.path("got"), &["-c"]).exited(1);
        assert!(ran.stderr.contains(word), "{answer:?}: no '{word}' in {}", ran.report());
        assert!(server.requests()[0].contains("\r\nRange: bytes=10-\r\n"));
        let part = scratch.read("got.part");
        assert!("0123456789abcdef".starts_with(&part), "{answer:?} left {part}");
    }
}
