//! `murano` as a process: its command line, and that a kill loses nothing.

use gwe_tests::harness::{murano_binary, run, MuranoChild, Scratch};
use gwe_tests::murano::client::{Client, Sent};
use serde_json::{json, Value};
use std::process::Command;
use std::time::Duration;

const SHORT: Duration = Duration::from_secs(10);

fn post(murano: &MuranoChild, target: &str, cik: &str, body: &str) -> (u16, String) {
    let client = Client::new(&murano.url()).unwrap();
    let headers = [("X-Exosite-CIK", cik)];
    let reply = client.send("POST", target, &headers, Sent::Bytes(body.as_bytes())).unwrap();
    (reply.status, reply.text())
}

fn json_of(murano: &MuranoChild, command: &str) -> Value {
    serde_json::from_str(&murano.command(&[command, "--json"]).ok().stdout).unwrap()
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let mut murano = MuranoChild::start(&["--open"]);
    let scratch = Scratch::new();
    let file = scratch.write("app", "some bytes");
    murano.command(&["content", "upload", file.to_str().unwrap(), "app.v1.tar.gz"]).ok();
    let mut ciks = Vec::new();
    for round in 0..5 {
        let sn = format!("sn-{round}");
        let (status, cik) = post(&murano, "/provision/activate", "", &format!("id={sn}"));
        assert_eq!(status, 200, "{cik}");
        ciks.push((sn, cik.clone()));
        assert_eq!(post(&murano, "/onep:v1/stack/alias", &cik, "a=1&a=2").0, 204);
        assert_eq!(post(&murano, "/onep:v1/stack/record", &cik, "alias=r&5=x&6=y").0, 204);
        murano.kill();
        murano.restart();
    }
    let state = json_of(&murano, "state");
    for (sn, cik) in ciks {
        assert_eq!(state["devices"][&cik], json!(sn));
        let points = &state["data"][&sn];
        assert_eq!(points["a"].as_array().unwrap().len(), 2, "{state}");
        assert_eq!(points["a"][1][1], "2");
        assert_eq!(points["r"], json!([[5, "x", "record"], [6, "y", "record"]]));
        assert_eq!(post(&murano, "/onep:v1/stack/alias?r", &cik, "").1, "r=y");
    }
    assert_eq!(murano.command(&["content", "list"]).ok().stdout, "app.v1.tar.gz\n");
    murano.stop();
}

#[test]
fn an_address_that_is_not_loopback_is_refused() {
    let data = Scratch::new();
    for listen in ["--listen", "--tls-listen"] {
        let mut command = Command::new(murano_binary());
        command.args(["serve", listen, "0.0.0.0:0", "--for", "5", "--data"]).arg(data.root());
        let ran = run(&mut command, SHORT).exited(1);
        assert!(ran.stderr.contains("this machine alone"), "{}", ran.report());
    }
}

#[test]
fn its_life_is_bounded() {
    let data = Scratch::new();
    let mut command = Command::new(murano_binary());
    command.args(["serve", "--listen", "127.0.0.1:0", "--for", "1", "--data"]).arg(data.root());
    let ran = run(&mut command, SHORT).ok();
    assert!(ran.stdout.starts_with("listening on http://127.0.0.1:"), "{}", ran.report());
    assert!(ran.took >= Duration::from_secs(1));
}

#[test]
fn wrong_usage_is_told_from_failure() {
    let murano = MuranoChild::start(&[]);
    for words in [&["dance"][..], &["content", "upload", "x"], &["state", "--jason"], &["fault", "set"]] {
        let ran = murano.command(words).exited(2);
        assert!(ran.stderr.contains("murano serve"), "{}", ran.report());
    }
    for words in [
        &["content", "upload", "/no/such/file", "x"][..],
        &["content", "delete", "x"],
        &["product", "device", "enable", "x"],
        &["product", "device", "write", "x", "a", "b"],
        &["product", "device", "read", "x", "a"],
        &["fault", "set", "any:explode"],
        &["--url", "http://127.0.0.1:1", "state"],
    ] {
        murano.command(words).exited(1);
    }
}

#[test]
fn devices_are_added_activated_enabled_and_revoked() {
    let murano = MuranoChild::start(&[]);
    let activate = || post(&murano, "/provision/activate", "", "vendor=p&model=p&sn=a b");
    assert_eq!(activate().0, 404);
    murano.command(&["product", "device", "add", "a b"]).ok();
    let (_, first) = activate();
    assert_eq!(activate().0, 409);
    murano.command(&["product", "device", "enable", "a b"]).ok();
    assert_eq!(post(&murano, "/onep:v1/stack/alias", &first, "a=1").0, 204);
    let (_, second) = activate();
    assert_ne!(first, second);
    assert_eq!(post(&murano, "/onep:v1/stack/alias", &first, "a=1").0, 401);
    murano.command(&["product", "device", "revoke", "a b"]).ok();
    assert_eq!(post(&murano, "/onep:v1/stack/alias", &second, "a=1").0, 401);
    let mine = "0123456789abcdef0123456789ABCDEF01234567";
    murano.command(&["product", "device", "add", "other", mine]).ok();
    assert_eq!(post(&murano, "/onep:v1/stack/alias", mine, "a=1").0, 204);
    let list = murano.command(&["product", "device", "list"]).ok().stdout;
    assert_eq!(list, format!("a b - enabled\nother {mine} activated\n"));
}

#[test]
fn a_value_comes_back_as_it_was_written() {
    let murano = MuranoChild::start(&["--open"]);
    for value in ["{\"install\": [{\"name\": \"a.v1.tar.gz\"}]}", "a&b=c%20+\nd", "--", "é", "-5"] {
        murano.command(&["product", "device", "write", "sn/1", "engine_fetch", "--", value]).ok();
        let read = murano.command(&["product", "device", "read", "sn/1", "engine_fetch"]).ok();
        assert_eq!(read.stdout, format!("{value}\n"));
    }
    murano.command(&["product", "device", "write", "sn/1", "engine_fetch", ""]).ok();
    assert_eq!(murano.command(&["product", "device", "read", "sn/1", "engine_fetch"]).ok().stdout, "");
}
