//! The content area: large uploads, broken ones, and downloads while something changes.

use gwe_tests::harness::{raw, MuranoChild, Scratch};
use gwe_tests::murano::client::{Client, Sent};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const MEGABYTE: usize = 1024 * 1024;

/// Bytes that are not all the same, and the same every time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut step = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| step()).collect()
}

/// Peak resident memory of a process, in kB.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_large_upload_goes_to_disk_and_comes_back() {
    let mut murano = MuranoChild::start(&["--open"]);
    let scratch = Scratch::new();
    let bytes = noise(48 * MEGABYTE);
    let file = scratch.write("large", &bytes);
    let said = murano.command(&["content", "upload", file.to_str().unwrap(), "large"]).ok().stdout;
    assert_eq!(said, format!("uploaded large ({} bytes)\n", bytes.len()));
    let reply = Client::new(&murano.url()).unwrap().get("/provision/download?vendor=p&model=p&id=large").unwrap();
    assert!(reply.body == bytes);
    let peak = peak_memory(murano.process().pid());
    assert!(peak < 32 * 1024, "{peak} kB for an upload of 48 MiB: it is not streamed");
}

#[test]
fn an_upload_that_breaks_off_leaves_the_old_content() {
    let murano = MuranoChild::start(&["--open"]);
    let scratch = Scratch::new();
    let file = scratch.write("old", "old bytes");
    murano.command(&["content", "upload", file.to_str().unwrap(), "app"]).ok();
    let address = murano.url().trim_start_matches("http://").to_string();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"PUT /admin/content/app HTTP/1.1\r\nContent-Length: 100000\r\n\r\nnew").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    let client = Client::new(&murano.url()).unwrap();
    assert_eq!(client.get("/provision/download?id=app").unwrap().text(), "old bytes");
    assert_eq!(murano.scratch().tree("data/content").len(), 1);
}

#[test]
fn an_upload_that_is_too_large_is_refused_before_it_fills_the_disk() {
    let murano = MuranoChild::start(&["--open"]);
    let head = format!("PUT /admin/content/app HTTP/1.1\r\nContent-Length: {}\r\n\r\n", 513 * MEGABYTE);
    let reply = raw(&murano.url(), head, PATIENCE);
    assert_eq!(reply.status(), 413);
    assert!(murano.scratch().tree("data/content").is_empty());
}

#[test]
fn a_download_keeps_what_it_began_with() {
    let murano = MuranoChild::start(&["--open"]);
    let scratch = Scratch::new();
    let client = Client::new(&murano.url()).unwrap();
    let old = scratch.write("old", "a".repeat(20 * MEGABYTE));
    let new = scratch.write("new", "b");
    client.send("PUT", "/admin/content/app", &[], Sent::File(&old)).unwrap();
    // The socket's buffers are smaller than the file: the server is in the middle of it.
    let mut stream = TcpStream::connect(murano.url().trim_start_matches("http://")).unwrap();
    stream.write_all(b"GET /provision/download?id=app HTTP/1.0\r\n\r\n").unwrap();
    let mut first = [0; 1000];
    stream.read_exact(&mut first).unwrap();
    client.send("PUT", "/admin/content/app", &[], Sent::File(&new)).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.len() > 20 * MEGABYTE - 1000 && rest.iter().all(|byte| *byte == b'a'));
    assert_eq!(client.get("/provision/download?id=app").unwrap().text(), "b");
    assert_eq!(murano.scratch().tree("data/content").len(), 1);
}

#[test]
fn a_restart_removes_what_a_kill_left_behind() {
    let mut murano = MuranoChild::start(&["--open"]);
    let file = murano.scratch().write("app", "bytes");
    murano.command(&["content", "upload", file.to_str().unwrap(), "app"]).ok();
    murano.scratch().write("data/content/half-an-upload", "byt");
    murano.kill();
    murano.restart();
    let left = murano.scratch().tree("data/content");
    assert!(left.len() == 1 && left[0].ends_with("-app"), "{left:?}");
    murano.command(&["content", "delete", "app"]).ok();
    assert!(murano.scratch().tree("data/content").is_empty());
    assert_eq!(murano.command(&["content", "list"]).ok().stdout, "");
}
