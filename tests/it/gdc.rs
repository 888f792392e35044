//! `gdc`, call by call, against a server of the whole Device API.

use gwe_tests::harness::{run, Gateway, Murano, Ran, Scratch};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_secs(20);

/// A gateway whose image knows the server, its product and its serial number.
fn gateway_of(server: &str, sn: &str) -> Gateway {
    let gateway = Gateway::new();
    gateway.root().write("etc/gwe/Engine.config", format!("[engine]\nserver = {server}\n"));
    gateway.root().write("etc/gwe/Gateway.cfg", format!("[device]\nmodel = p\nvendor = p\nuuid = {sn}\n"));
    gateway
}

/// A server, a gateway that talks to it, and the CIK of a device.
fn parts() -> (Murano, Gateway, String) {
    let murano = Murano::start();
    let gateway = gateway_of(&murano.url(), "sn-1");
    let cik = murano.activate("sn-1");
    (murano, gateway, cik)
}

/// `gdc` with the words of one string.
fn gdc(gateway: &Gateway, line: &str) -> Ran {
    gateway.gdc(&line.split_whitespace().collect::<Vec<_>>())
}

/// The same with a file as its stdin.
fn gdc_fed(gateway: &Gateway, line: &str, stdin: &Path) -> Ran {
    let gdc = gateway.command("gdc");
    let mut shell = Command::new("sh");
    let program = Path::new(gdc.get_program()).display();
    shell.args(["-c", &format!("exec {program} {line} < {}", stdin.display())]);
    shell.env("GWE_ROOT", gateway.root().root());
    run(&mut shell, SHORT)
}

#[test]
fn what_is_written_is_read() {
    let (murano, gateway, cik) = parts();
    for value in ["on", "a&b=c%d+e f", "é\n\"{}\"", "-5", "-0.25", "#", ""] {
        gateway.gdc(&["write", &cik, "alias one", value]).ok();
        let read = gateway.gdc(&["read", &cik, "alias one"]).ok();
        // An empty value is none (docs/spec/device-api.md).
        let want = if value.is_empty() { String::new() } else { format!("{value}\n") };
        assert_eq!(read.stdout, want, "{value:?}");
    }
    gateway.gdc(&["write", &cik, "a", "--", "--json"]).ok();
    assert_eq!(murano.read("sn-1", "a").as_deref(), Some("--json"));
    gdc(&gateway, &format!("write {cik} b 2")).ok();
    assert_eq!(gdc(&gateway, &format!("read {cik} a b none")).ok().stdout, "a=--json\nb=2\n");
    assert_eq!(gdc(&gateway, &format!("read {cik} b --json")).ok().stdout, "{\"b\":\"2\"}\n");
}

#[test]
fn a_value_comes_from_stdin() {
    let (murano, gateway, cik) = parts();
    let scratch = Scratch::new();
    let long = "x".repeat(100_000);
    for (text, want) in [("one line\n", "one line"), ("two\nlines\n\n", "two\nlines\n"), (&*long, &*long)] {
        let file = scratch.write("value", text);
        gdc_fed(&gateway, &format!("write {cik} piped -"), &file).ok();
        assert_eq!(murano.read("sn-1", "piped").as_deref(), Some(want));
    }
    let large = scratch.path("large");
    File::create(&large).unwrap().set_len(600_000).unwrap();
    let ran = gdc_fed(&gateway, &format!("write {cik} piped -"), &large).exited(1);
    assert!(ran.stderr.contains("more than 524288 bytes"), "{}", ran.report());
}

#[test]
fn points_are_recorded_at_their_times_and_conflicts_are_named() {
    let (murano, gateway, cik) = parts();
    gdc(&gateway, &format!("record {cik} t 1000=1 2000=a=b 5=old")).ok();
    let mut points = murano.state()["data"]["sn-1"]["t"].as_array().unwrap().clone();
    points.sort_by_key(|point| point[0].as_f64().unwrap() as i64);
    let told: Vec<_> = points.iter().map(|p| (p[0].as_f64().unwrap() as i64, p[1].as_str().unwrap())).collect();
    assert_eq!(told, [(5, "old"), (1000, "1"), (2000, "a=b")]);
    let ran = gdc(&gateway, &format!("record {cik} u 1000=1 1000=2 3000=3 --json")).exited(1);
    assert!(ran.stderr.contains("u=1000"), "{}", ran.report());
    assert!(ran.stdout.contains("\"status\":409"), "{}", ran.report());
    gdc(&gateway, &format!("record {cik} u soon=1")).exited(2);
}

#[test]
fn a_long_poll_ends_with_the_write_or_with_its_time() {
    let (murano, gateway, cik) = parts();
    let ran = gdc(&gateway, &format!("wait {cik} a b --timeout 1 --json")).exited(1);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("null\n", ""));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| gdc(&gateway, &format!("wait {cik} a --timeout 30")));
        thread::sleep(Duration::from_millis(500));
        let begun = Instant::now();
        murano.write("sn-1", "a", "now");
        assert_eq!(waiting.join().unwrap().ok().stdout, "now\n");
        assert!(begun.elapsed() < Duration::from_secs(5));
    });
    let begun = Instant::now();
    assert_eq!(gdc(&gateway, &format!("wait {cik} a --since 1000 --timeout 30")).ok().stdout, "now\n");
    assert!(begun.elapsed() < Duration::from_secs(5), "it was written after that time");
}

#[test]
fn content_is_listed_told_and_downloaded() {
    let (murano, gateway, _) = parts();
    assert_eq!(gdc(&gateway, "content list").ok().stdout, "");
    let bytes: Vec<u8> = (0..300_000_u32).map(|i| (i * 7 % 251) as u8).collect();
    murano.upload("app.v1.tar.gz", &bytes);
    murano.upload("b c", b"2");
    assert_eq!(gdc(&gateway, "content list").ok().stdout, "app.v1.tar.gz\nb c\n");
    assert_eq!(gdc(&gateway, "content list --json").ok().stdout, "[\"app.v1.tar.gz\",\"b c\"]\n");
    let info = gdc(&gateway, "content info app.v1.tar.gz").ok();
    assert!(info.stdout.contains("\nsize 300000\n"), "{}", info.report());
    let scratch = Scratch::new();
    let to = scratch.path("got");
    gateway.gdc(&["content", "download", "app.v1.tar.gz", "-O", to.to_str().unwrap()]).ok();
    assert_eq!(std::fs::read(&to).unwrap(), bytes);
    assert!(!scratch.has("got.part"));
    assert_eq!(gateway.gdc(&["content", "download", "b c", "-O", "-"]).ok().stdout, "2");
    let mut here = gateway.command("gdc");
    run(here.args(["content", "download", "app.v1.tar.gz"]).current_dir(scratch.root()), SHORT).ok();
    assert_eq!(scratch.read("app.v1.tar.gz").len(), scratch.read("got").len());
    for (line, status) in [("content info none", 1), ("content download none -O -", 1), ("content download ../x", 2)] {
        gdc(&gateway, line).exited(status);
    }
    let ran = gdc(&gateway, "content download none --json -O -").exited(1);
    assert!(ran.stdout.contains("\"status\":404,\"permanent\":true"), "{}", ran.report());
}

#[test]
fn a_serial_number_is_activated_once() {
    let murano = Murano::with(|options| options.open = false);
    let gateway = gateway_of(&murano.url(), "sn-7");
    let ran = gdc(&gateway, "activate").exited(1);
    assert!(ran.stderr.contains("answered 404 (this serial number is not on the system)"), "{}", ran.report());
    murano.server().platform().store.add_device("sn-7").unwrap();
    let cik = gdc(&gateway, "activate").ok().stdout.trim().to_string();
    assert_eq!(murano.state()["devices"][&cik], "sn-7");
    let ran = gdc(&gateway, "activate p p sn-7 --json").exited(1);
    assert!(ran.stdout.contains("\"status\":409"), "{}", ran.report());
    gdc(&gateway, &format!("write {cik} a 1")).ok();
    assert_eq!(murano.read("sn-7", "a").as_deref(), Some("1"));
}

#[test]
fn a_wrong_cik_is_told_and_never_shown_whole() {
    let (_murano, gateway, cik) = parts();
    let wrong: String = cik.chars().rev().collect();
    let ran = gdc(&gateway, &format!("write {wrong} a 1")).exited(1);
    assert!(ran.stderr.contains("401") && ran.stderr.contains("CIK"), "{}", ran.report());
    for line in ["write short a 1", "read"] {
        let ran = gdc(&gateway, line).exited(2);
        assert!(!ran.stderr.is_empty(), "{}", ran.report());
    }
    // What `gwe --gateway-cik` prints before the gateway is activated.
    let ran = gateway.gdc(&["write", "''", "a", "1"]).exited(255);
    assert!(ran.stderr.contains("not activated"), "{}", ran.report());
    let output = gdc(&gateway, &format!("read {wrong} a --json"));
    assert!(!output.stderr.contains(&wrong) && !output.stdout.contains(&wrong), "{}", output.report());
}

#[test]
fn the_platforms_time_is_told() {
    let (_murano, gateway, _) = parts();
    let told: u64 = gdc(&gateway, "timestamp").ok().stdout.trim().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(told) <= 5);
}

#[test]
fn usage_and_configuration_have_their_exit_statuses() {
    let gateway = Gateway::new();
    let help = gdc(&gateway, "-h").ok().stdout;
    for word in ["gdc write CIK ALIAS VALUE", "--json", "--server URL", "Exit status"] {
        assert!(help.contains(word), "{help}");
    }
    assert_eq!(gdc(&gateway, "--version").ok().stdout, format!("{}\n", env!("CARGO_PKG_VERSION")));
    assert!(Path::new(gdc(&gateway, "-p").ok().stdout.trim()).is_file());
    for line in ["", "dance", "write", "timestamp x", "--what", "timestamp --timeout 0", "content", "activate p p"] {
        let ran = gdc(&gateway, line).exited(2);
        assert!(ran.stderr.starts_with("gdc: "), "{}", ran.report());
    }
    for line in ["timestamp", "content list --server http://127.0.0.1:1", "activate --server http://127.0.0.1:1"] {
        let ran = gdc(&gateway, line).exited(255);
        assert!(ran.stderr.contains("gwe --set-product-id"), "{}", ran.report());
    }
    for server in ["h", "ftp://h", "http://h\r\nX: y", "http://[::1]:80", "http://u@h"] {
        let ran = gateway.gdc(&["timestamp", "--server", server]).exited(1);
        assert!(ran.stderr.contains("server URL"), "{}", ran.report());
    }
}

#[test]
fn every_request_is_accounted_for() {
    let (murano, gateway, cik) = parts();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10).for_each(|_| drop(gdc(&gateway, &format!("write {cik} a 1")).ok())));
        }
    });
    let lines = gateway.root().read("run/gwe/usage");
    assert_eq!(lines.lines().filter(|line| line.starts_with("lo gdc ")).count(), 40, "{lines}");
    // Whatever is in the way of the account is not in the way of the request.
    let other = Gateway::new();
    other.root().write("run", "a file, no folder");
    gdc(&other, &format!("write {cik} a 2 --server {}", murano.url())).ok();
}

#[test]
fn the_commands_of_its_document_run() {
    let (murano, gateway, cik) = parts();
    murano.upload("manual.txt", b"read me");
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/gdc.md")).unwrap();
    let blocks: Vec<&str> =
        text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n")).collect();
    assert!(blocks.len() >= 4, "{text}");
    let scratch = Scratch::new();
    let gdc = gateway.command("gdc");
    let names = Path::new(gdc.get_program()).parent().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &format!("gwe() {{ echo {cik}; }}\n{}", blocks.concat())]).current_dir(scratch.root());
    shell.env("PATH", format!("{}:/usr/bin:/bin", names.display())).env("GWE_ROOT", gateway.root().root());
    let ran = run(&mut shell, Duration::from_secs(60)).ok();
    let said: Vec<&str> = ran.stdout.lines().collect();
    let want = [
        "21.5",
        "{\"temperature\":\"21.5\",\"note\":\"many\\nlines\"}",
        "refused",
        "nothing new",
        "21.5",
        "manual.txt",
    ];
    assert_eq!(said[..want.len()], want, "{}", ran.report());
    assert_eq!(scratch.read("manual.txt"), "read me");
    assert_eq!(murano.read("sn-1", "offset").as_deref(), Some("-v"));
}
