//! What murano's page asks for, without a browser; tests/page/test has the browser's side.

use gwe_tests::harness::{Murano, Scratch, Tarball};
use gwe_tests::murano::client::{Client, Reply, Sent};
use gwe_tests::murano::{Options, Server};
use serde_json::{json, Value};

const SN: &str = "00:11:22:33:44:55";
const PAGE: (&str, &str) = ("X-Murano", "page");

fn ask(murano: &Murano, method: &str, target: &str, body: &[u8]) -> Reply {
    let client = Client::new(&murano.url()).unwrap();
    client.send(method, target, &[PAGE], Sent::Bytes(body)).unwrap()
}

#[track_caller]
fn json_of(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_else(|_| panic!("{} {}", reply.status, reply.text()))
}

fn get(murano: &Murano, target: &str) -> Value {
    json_of(&ask(murano, "GET", target, b""))
}

#[test]
fn the_root_is_the_page_or_says_that_it_is_not_built_in() {
    let murano = Murano::start();
    let reply = ask(&murano, "GET", "/", b"");
    assert_eq!(reply.status, 200);
    let text = reply.text();
    assert!(text.contains("/page/page.js") || text.contains("not built into this murano"), "{text}");
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(ask(&murano, "GET", "/page/../murano.db", b"").status, 404);
    assert_eq!(ask(&murano, "GET", "/page/nothing.js", b"").status, 404);
}

#[test]
fn a_good_tarball_is_taken_and_a_bad_one_is_not() {
    let murano = Murano::start();
    let good = Tarball::app("true").bytes();
    assert_eq!(ask(&murano, "PUT", "/page/api/tarballs/x.v1.tar.gz", &good).status, 200);
    assert_eq!(ask(&murano, "PUT", "/page/api/tarballs/x.v1.tar.gz.minisig", b"any").status, 200);
    for (name, bytes) in
        [("y.v1.tar.gz", &b"no tarball"[..]), ("y.v1.tar.gz", &good[..good.len() / 2]), ("y.zip", &good[..])]
    {
        let reply = ask(&murano, "PUT", &format!("/page/api/tarballs/{name}"), bytes);
        assert_eq!(reply.status, 422, "{}", reply.text());
        assert!(!json_of(&reply)["faults"].as_array().unwrap().is_empty(), "{}", reply.text());
    }
    let list = get(&murano, "/page/api/tarballs");
    let names: Vec<&str> =
        list["tarballs"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["x.v1.tar.gz"], "signatures are no apps, and nothing is left of the bad ones");
}

#[test]
fn an_order_stays_behind_what_the_gateway_has_not_taken() {
    let murano = Murano::start();
    murano.upload("a.v1.tar.gz", b"a");
    murano.upload("b.v1.tar.gz", b"b");
    murano.write(SN, "engine_fetch", r#"{"install": [{"name": "a.v1.tar.gz", "size": 1}], "other": true}"#);
    let order = |gateways: &[&str], names: &[&str]| {
        let body = json!({ "gateways": gateways, "install": names }).to_string();
        ask(&murano, "POST", "/page/api/orders", body.as_bytes()).status
    };
    assert_eq!(order(&[SN], &["b.v1.tar.gz", "a.v1.tar.gz"]), 200);
    let written: Value = serde_json::from_str(&murano.read(SN, "engine_fetch").unwrap()).unwrap();
    assert_eq!(
        written,
        json!({"install": [{"name": "a.v1.tar.gz", "size": 1}, {"name": "b.v1.tar.gz"}], "other": true})
    );
    assert_eq!(order(&[SN], &["missing.v1.tar.gz"]), 404);
    assert_eq!(order(&[SN, "nobody"], &["a.v1.tar.gz"]), 404);
    assert_eq!(order(&[], &["a.v1.tar.gz"]), 400);
    let row = get(&murano, "/page/api/gateways")["gateways"][0].clone();
    assert_eq!(row["orders"][0]["state"], "requested", "{row}");
}

#[test]
fn logs_are_asked_for_beside_what_the_gateway_has_not_taken() {
    let murano = Murano::start();
    murano.write(SN, "engine_fetch", r#"{"install": [{"name": "a.v1.tar.gz"}]}"#);
    let ask_for =
        |sn: &str, body: &str| ask(&murano, "POST", &format!("/page/api/gateways/{sn}/logs"), body.as_bytes()).status;
    for body in ["{}", r#"{"logs": {}}"#, r#"{"logs": {"gwe": 0}}"#, r#"{"logs": ["gwe"]}"#] {
        assert_eq!(ask_for(SN, body), 400, "{body}");
    }
    assert_eq!(ask_for("nobody", r#"{"logs": {"gwe": 7}}"#), 404);
    assert_eq!(ask_for(SN, r#"{"logs": {"gwe": 7}}"#), 204);
    let written: Value = serde_json::from_str(&murano.read(SN, "engine_fetch").unwrap()).unwrap();
    assert_eq!(written, json!({"install": [{"name": "a.v1.tar.gz"}], "logs": {"gwe": 7}}));
}

#[test]
fn who_changes_something_names_the_page() {
    let murano = Murano::start();
    murano.write(SN, "a", "1");
    let client = Client::new(&murano.url()).unwrap();
    let interval = format!("/page/api/gateways/{SN}/interval");
    let post = |headers: &[(&str, &str)], body: &str| {
        client.send("POST", &interval, headers, Sent::Bytes(body.as_bytes())).unwrap().status
    };
    assert_eq!(post(&[], r#"{"seconds": 5}"#), 403);
    assert_eq!(post(&[PAGE, ("Origin", "http://evil.example")], r#"{"seconds": 5}"#), 403);
    for body in ["{}", r#"{"seconds": 0}"#, r#"{"seconds": 1.5}"#, r#"{"seconds": "5"}"#, "no JSON"] {
        assert_eq!(post(&[PAGE], body), 400, "{body}");
    }
    assert_eq!(murano.read(SN, "update_interval"), None);
    assert_eq!(post(&[PAGE], r#"{"seconds": 5}"#), 204);
    assert_eq!(murano.read(SN, "update_interval").as_deref(), Some("5"));
}

#[test]
fn a_gateway_is_told_with_its_points_and_without_its_cik() {
    let murano = Murano::start();
    let cik = murano.activate(SN);
    let body = "alias=t&100=1&200=2&300=x";
    let record = murano.request("POST", "/onep:v1/stack/record", &[("X-Exosite-CIK", &cik)], body).unwrap();
    assert_eq!(record.status, 204);
    let gateway = get(&murano, &format!("/page/api/gateways/{SN}"));
    assert_eq!(gateway["aliases"][0], json!({"alias": "t", "ts": 300.0, "value": "x", "points": 3}));
    let points = get(&murano, &format!("/page/api/gateways/{SN}/points/t?from=150"));
    assert_eq!(points["points"], json!([[200.0, "2"], [300.0, "x"]]));
    let bundle = get(&murano, &format!("/page/api/gateways/{SN}/bundle"));
    assert_eq!(bundle["aliases"]["t"].as_array().unwrap().len(), 3);
    for told in [gateway, bundle] {
        assert!(!told.to_string().contains(&cik), "the CIK is told");
    }
}

#[test]
fn a_change_is_told_to_whoever_waits_for_it() {
    let murano = Murano::start();
    let seen = get(&murano, "/page/api/gateways")["change"].clone();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| get(&murano, &format!("/page/api/changes?seen={seen}")));
        murano.write(SN, "a", "1");
        assert_ne!(waiting.join().unwrap()["change"], seen);
    });
}

#[test]
fn only_tls_with_a_token_leaves_this_machine() {
    let data = Scratch::new();
    let start = |listen: &str, tls: Option<&str>, token: Option<&str>| {
        let mut options = Options::new(data.path("murano"));
        options.listen = listen.to_string();
        options.tls_listen = tls.map(str::to_string);
        options.token = token.map(str::to_string);
        Server::start(options).map(drop).map_err(|error| error.to_string())
    };
    // 192.0.2.1 is nobody's address: what is not refused for its reach fails to bind.
    for (listen, tls, token) in
        [("192.0.2.1:0", None, None), ("192.0.2.1:0", None, Some("t")), ("127.0.0.1:0", Some("192.0.2.1:0"), None)]
    {
        let why = start(listen, tls, token).unwrap_err();
        assert!(why.contains("--tls-listen") && why.contains("--token"), "{why}");
    }
    let why = start("127.0.0.1:0", Some("192.0.2.1:0"), Some("t")).unwrap_err();
    assert!(!why.contains("--token"), "with TLS and a token it is tried: {why}");
}
