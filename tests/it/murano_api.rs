//! Every row of the Device API's table, as clients really call it.

use gwe_tests::harness::{raw, End, Murano, RawReply};
use gwe_tests::murano::http::date;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
const SN: &str = "00:11:22:33:44:55";

/// Who a request says it is from.
#[derive(Clone, Copy)]
enum Cik {
    Own,
    Nobodys,
    Short,
    Missing,
}
use Cik::{Missing, Nobodys, Own, Short};

/// A request and what is to come back; `None`: the body does not matter.
type Row = (&'static str, Cik, &'static str, u16, Option<&'static str>);

fn call(murano: &Murano, cik: &str, line: &str, headers: &str, body: &str) -> RawReply {
    let (host, length) = (murano.url(), body.len());
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\n{cik}{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    raw(&murano.url(), request, PATIENCE)
}

/// Makes the calls in order, on one server.
#[track_caller]
fn check(murano: &Murano, cik: &str, rows: &[Row]) {
    for (line, who, body, status, answer) in rows {
        let header = match who {
            Own => format!("x-exosite-cik: {cik}\r\n"),
            Nobodys => format!("X-Exosite-CIK: {}\r\n", "f".repeat(40)),
            Short => format!("X-Exosite-CIK: {}\r\n", &cik[1..]),
            Missing => String::new(),
        };
        let reply = call(murano, &header, line, "", body);
        let shown = format!("{line} {body}: {:?}", String::from_utf8_lossy(&reply.bytes));
        assert_eq!((reply.status(), reply.end), (*status, End::Eof), "{shown}");
        let text = reply.decoded().expect(&shown);
        if let Some(answer) = answer {
            assert_eq!(String::from_utf8_lossy(&text), *answer, "{shown}");
        }
        if *status == 204 {
            assert_eq!(reply.header("content-length").as_deref(), Some("0"), "{shown}");
        }
    }
}

#[test]
fn activate() {
    let murano = Murano::with(|options| {
        options.open = false;
        options.product = Some("p".to_string());
    });
    let store = &murano.server().platform().store;
    for sn in ["one", "two", "three"] {
        store.add_device(sn).unwrap();
    }
    let line = "POST /provision/activate";
    check(
        &murano,
        "",
        &[
            (line, Missing, "vendor=p&model=p&sn=one", 200, None),
            (line, Missing, "vendor=p&model=p&sn=one", 409, None),
            (line, Missing, "id=two", 200, None),
            (line, Missing, "id=two", 409, None),
            (line, Missing, "sn=three", 400, None),
            (line, Missing, "vendor=p&sn=three", 400, None),
            (line, Missing, "vendor=p&model=other&sn=three", 404, None),
            (line, Missing, "vendor=other&model=p&sn=three", 404, None),
            (line, Missing, "vendor=p&model=p&sn=nobody", 404, None),
            (line, Missing, "id=nobody", 404, None),
            (line, Missing, "vendor=p&model=p&sn=", 400, None),
            (line, Missing, "", 400, None),
            (line, Missing, "sn=three&model=p&vendor=p", 200, None),
        ],
    );
    let devices = store.devices().unwrap();
    for device in devices {
        let cik = device.cik.unwrap();
        assert!(cik.len() == 40 && cik.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{cik}");
    }
}

#[test]
fn an_enabled_device_activates_again_and_its_old_cik_is_void() {
    let murano = Murano::start();
    let first = murano.activate(SN);
    let body = format!("id={SN}");
    assert_eq!(call(&murano, "", "POST /provision/activate", "", &body).status(), 409);
    murano.server().platform().store.enable_device(SN).unwrap();
    let write = "POST /onep:v1/stack/alias";
    check(&murano, &first, &[(write, Own, "a=1", 204, None)]);
    let second = murano.activate(SN);
    check(&murano, &first, &[(write, Own, "a=1", 401, None)]);
    check(&murano, &second, &[(write, Own, "a=1", 204, None)]);
}

#[test]
fn write_read_and_hybrid() {
    let murano = Murano::start();
    let cik = murano.activate(SN);
    check(
        &murano,
        &cik,
        &[
            ("GET /onep:v1/stack/alias?a", Own, "", 204, Some("")),
            ("POST /onep:v1/stack/alias", Own, "a=1&b=two%20words", 204, Some("")),
            ("GET /onep:v1/stack/alias?a", Own, "", 200, Some("a=1")),
            ("GET /onep:v1/stack/alias?b&nothing&a", Own, "", 200, Some("b=two%20words&a=1")),
            ("GET /api:v1/stack/alias?a", Own, "", 200, Some("a=1")),
            ("POST /api:v1/stack/alias", Own, "a=2", 204, Some("")),
            ("POST /onep:v1/stack/alias?a&b", Own, "a=3", 200, Some("a=3&b=two%20words")),
            ("POST /onep:v1/stack/alias?nothing", Own, "c=1", 204, Some("")),
            ("POST /onep:v1/stack/alias?a", Own, "", 200, Some("a=3")),
            // Cleared is the same as never written.
            ("POST /onep:v1/stack/alias", Own, "a=", 204, Some("")),
            ("GET /onep:v1/stack/alias?a", Own, "", 204, Some("")),
            ("GET /onep:v1/stack/alias?a&c", Own, "", 200, Some("c=1")),
            // What is no call.
            ("POST /onep:v1/stack/alias", Own, "", 400, None),
            ("POST /onep:v1/stack/alias", Own, "a", 400, None),
            ("POST /onep:v1/stack/alias", Own, "a=9&=1", 400, None),
            ("GET /onep:v1/stack/alias", Own, "", 400, None),
            ("DELETE /onep:v1/stack/alias?a", Own, "", 404, None),
            ("GET /onep:v1/stack", Own, "", 404, None),
            ("GET /nothing", Missing, "", 404, None),
        ],
    );
    assert_eq!(murano.history(SN, "a"), ["1", "2", "3", ""]);
}

#[test]
fn every_dataport_call_wants_a_cik() {
    let murano = Murano::start();
    let cik = murano.activate(SN);
    for line in [
        "POST /onep:v1/stack/alias",
        "GET /onep:v1/stack/alias?a",
        "POST /onep:v1/stack/alias?a",
        "POST /onep:v1/stack/record",
        "POST /onep:v1/stack/alias/a",
    ] {
        for who in [Nobodys, Short, Missing] {
            check(&murano, &cik, &[(line, who, "a=1", 401, None)]);
        }
    }
    assert!(murano.state()["data"].as_object().unwrap().is_empty());
}

#[test]
fn values_as_sloppy_clients_send_them() {
    let murano = Murano::start();
    let cik = murano.activate(SN);
    let header = format!("X-EXOSITE-cik:{cik}\r\n");
    for (body, value, encoded) in [
        ("v=a+b%20c", "a b c", "a%20b%20c"),
        ("v=100%", "100%", "100%25"),
        ("v=%zz", "%zz", "%25zz"),
        ("v={\"a\": [1, 2]}", "{\"a\": [1, 2]}", "%7B%22a%22%3A%20%5B1%2C%202%5D%7D"),
        ("v=a=b", "a=b", "a%3Db"),
        ("v=a%26b%3Dc%2B%25", "a&b=c+%", "a%26b%3Dc%2B%25"),
        ("v=%C3%A9\u{20ac}", "é€", "%C3%A9%E2%82%AC"),
        ("v=line%0D%0Aline%00", "line\r\nline\0", "line%0D%0Aline%00"),
        ("v=-._~", "-._~", "-._~"),
    ] {
        let reply = call(&murano, &header, "POST /onep:v1/stack/alias?v", "", body);
        assert_eq!(murano.read(SN, "v").as_deref(), Some(value), "{body}");
        assert_eq!(String::from_utf8_lossy(reply.body()), format!("v={encoded}"), "{body}");
    }
    let reply = call(&murano, &header, "POST /onep:v1/stack/alias?my%20alias", "", "my+alias=1");
    assert_eq!(reply.body(), b"my%20alias=1");
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    assert_eq!(reply.header("content-type").as_deref(), Some(form));
}

#[test]
fn record_in_both_forms() {
    let murano = Murano::start();
    let cik = murano.activate(SN);
    let (new, old) = ("POST /onep:v1/stack/record", "POST /onep:v1/stack/alias/a%20b");
    check(
        &murano,
        &cik,
        &[
            (new, Own, "alias=x&100=one&200=two&alias=y&100=other", 204, Some("")),
            (old, Own, "100=one&50=early", 204, Some("")),
            (new, Own, "alias=x&300=1&300=2&alias=y&7=1&8=2&8.25=3", 409, Some("x=300&y=8")),
            (old, Own, "5=1&5=2", 409, Some("a%20b=5")),
            (new, Own, "alias=x&yesterday=1", 400, None),
            (new, Own, "100=1", 400, None),
            (new, Own, "alias=x", 400, None),
            (old, Own, "", 400, None),
            // The point of a lost reply comes again.
            (new, Own, "alias=x&200=two", 204, Some("")),
            // The newest by its own time is what is read, not the last to come.
            ("GET /onep:v1/stack/alias?x&a%20b", Own, "", 200, Some("x=two&a%20b=one")),
        ],
    );
    let expected = serde_json::json!({
        "x": [[100, "one", "record"], [200, "two", "record"], [200, "two", "record"]],
        "y": [[100, "other", "record"]],
        "a b": [[100, "one", "record"], [50, "early", "record"]],
    });
    assert_eq!(murano.state()["data"][SN], expected);
}

#[test]
fn content_is_listed_described_and_downloaded() {
    let murano = Murano::with(|options| options.product = Some("p".to_string()));
    let list = "GET /provision/download";
    check(&murano, "", &[(list, Missing, "", 200, Some(""))]);
    murano.upload("my_app.v1.tar.gz", b"0123456789");
    murano.upload("b%20&", b"");
    check(
        &murano,
        "",
        &[
            (list, Missing, "", 200, Some("b%20&\nmy_app.v1.tar.gz\n")),
            ("GET /provision/download?vendor=p&model=p", Missing, "", 200, None),
            ("GET /provision/download?vendor=p&model=q", Missing, "", 403, None),
            ("GET /provision/download?vendor=p", Missing, "", 403, None),
            ("GET /provision/download?vendor=p&model=p&id=my_app.v1.tar.gz", Missing, "", 200, Some("0123456789")),
            ("GET /provision/download?id=my_app.v1.tar.gz", Missing, "", 200, Some("0123456789")),
            ("GET /provision/download?id=b%2520%26", Missing, "", 200, Some("")),
            ("GET /provision/download?vendor=q&model=q&id=my_app.v1.tar.gz", Missing, "", 403, None),
            ("GET /provision/download?id=nothing", Missing, "", 404, None),
            ("GET /provision/download?id=../murano.db", Missing, "", 404, None),
            ("GET /provision/download?vendor=q&model=q&id=my_app.v1.tar.gz&info=true", Missing, "", 400, None),
            ("GET /provision/download?info=true", Missing, "", 400, None),
            ("GET /provision/download?id=nothing&info=true", Missing, "", 404, None),
        ],
    );
    let info = call(&murano, "", "GET /provision/download?id=my_app.v1.tar.gz&info=true", "", "");
    let text = String::from_utf8(info.body().to_vec()).unwrap();
    let fields: Vec<&str> = text.split(',').collect();
    assert_eq!((fields[0], fields[1], fields[3], fields.len()), ("application/gzip", "10", "", 4));
    assert!((date::now() - fields[2].parse::<i64>().unwrap()).abs() < 60, "{text}");
    assert_eq!(info.header("content-type").as_deref(), Some("text/csv; charset=utf-8"));
}

#[test]
fn a_range_is_answered_with_what_it_asks_for() {
    let murano = Murano::start();
    murano.upload("digits", b"0123456789");
    for (range, status, body, content_range) in [
        ("bytes=0-3", 206, "0123", Some("bytes 0-3/10")),
        ("bytes=4-", 206, "456789", Some("bytes 4-9/10")),
        ("bytes=-3", 206, "789", Some("bytes 7-9/10")),
        ("bytes=8-99", 206, "89", Some("bytes 8-9/10")),
        ("bytes=9-9", 206, "9", Some("bytes 9-9/10")),
        ("bytes=10-", 416, "the range is past the end\n", Some("bytes */10")),
        ("bytes=nonsense", 200, "0123456789", None),
    ] {
        let header = format!("Range: {range}\r\n");
        let reply = call(&murano, "", "GET /provision/download?vendor=p&model=p&id=digits", &header, "");
        assert_eq!((reply.status(), reply.header("content-range").as_deref()), (status, content_range), "{range}");
        assert_eq!(String::from_utf8(reply.decoded().unwrap()).unwrap(), body, "{range}");
    }
}

#[test]
fn the_timestamp_is_now() {
    let murano = Murano::start();
    let reply = call(&murano, "", "GET /timestamp", "", "");
    let unix: i64 = String::from_utf8(reply.body().to_vec()).unwrap().parse().unwrap();
    assert!((date::now() - unix).abs() <= 1, "{unix}");
    assert_eq!(date::parse(&reply.header("date").unwrap()).map(|date| (date - unix).abs() <= 1), Some(true));
}

#[test]
fn a_device_that_writes_too_fast_is_told_so_where_that_is_asked_for() {
    let murano = Murano::with(|options| options.rate_limit = true);
    let (one, two) = (murano.activate("one"), murano.activate("two"));
    let write = "POST /onep:v1/stack/alias";
    check(&murano, &one, &[(write, Own, "a=1", 204, None), (write, Own, "a=2", 429, None)]);
    check(&murano, &two, &[(write, Own, "a=1", 204, None)]);
    check(&murano, &one, &[("GET /onep:v1/stack/alias?a", Own, "", 200, Some("a=1"))]);
    std::thread::sleep(Duration::from_millis(1010));
    check(&murano, &one, &[("POST /onep:v1/stack/alias?a", Own, "a=3", 200, Some("a=3"))]);
    check(&murano, &one, &[("POST /onep:v1/stack/alias?a", Own, "a=4", 429, None)]);
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let murano = Murano::start();
    let cik = murano.activate(SN);
    let header = format!("X-Exosite-CIK: {cik}\r\n");
    let most = format!("a={}", "x".repeat(4 * 1024 * 1024 - 2));
    assert_eq!(call(&murano, &header, "POST /onep:v1/stack/alias", "", &most).status(), 204);
    let more = most + "x";
    assert_eq!(call(&murano, &header, "POST /onep:v1/stack/alias", "", &more).status(), 413);
}
