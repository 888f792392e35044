//! The environment's proxy: whatever it does, an error that names it, never a crash (FlowFuse/device-agent#268).

use gwe_tests::harness::{run, Gateway, Guest, Murano, Ran, Scripted};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

const GOOD: &str = "HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n";

/// `gdc timestamp` with these variables in its environment.
fn timestamp(server: &str, variables: &[(&str, &str)]) -> Ran {
    let gateway = Gateway::new();
    let mut command = gateway.command("gdc");
    command.args(["timestamp", "--timeout", "2", "--server", server]);
    run(command.envs(variables.iter().copied()), Duration::from_secs(30))
}

/// A proxy that answers CONNECT and passes everything on to `server`.
fn proxy_to(server: &str, answer: &'static str) -> Scripted {
    let there = server.trim_start_matches("http://").to_string();
    Scripted::start(move |guest| {
        guest.say(answer.as_bytes());
        guest.pass_on(&there);
    })
}

#[test]
fn a_proxy_is_used_where_one_is_set_and_not_where_it_is_exempt() {
    let murano = Murano::start();
    let proxy = proxy_to(&murano.url(), GOOD);
    let url = proxy.url();
    let authority = murano.url().replace("http://", "");
    let port = proxy.port();
    let with_user = format!("http://user:p%40ss@127.0.0.1:{port}/");
    for (variables, used) in [
        (vec![("http_proxy", url.as_str())], true),
        (vec![("all_proxy", &url)], true),
        (vec![("ALL_PROXY", &with_user)], true),
        (vec![("https_proxy", "http://127.0.0.1:1"), ("HTTP_PROXY", "http://127.0.0.1:1")], false),
        (vec![("http_proxy", "http://127.0.0.1:1"), ("no_proxy", "10.0.0.1, 127.0.0.0/8")], false),
        (vec![("http_proxy", "http://127.0.0.1:1"), ("NO_PROXY", "*")], false),
        (vec![("http_proxy", "")], false),
    ] {
        let before = proxy.requests().len();
        timestamp(&murano.url(), &variables).ok();
        let requests = proxy.requests();
        assert_eq!(requests.len() - before, usize::from(used), "{variables:?}");
        if used {
            let request = requests.last().unwrap();
            assert!(
                request.starts_with(&format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n")),
                "{request}"
            );
            let has_credentials = request.contains("\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n");
            assert_eq!(has_credentials, variables[0].1.contains('@'), "{request}");
        }
    }
}

#[test]
fn a_proxy_that_closes_at_any_byte_is_an_error() {
    thread::scope(|scope| {
        for step in 0..4 {
            scope.spawn(move || {
                for cut in (step..GOOD.len()).step_by(4) {
                    let proxy = Scripted::answering(&GOOD.as_bytes()[..cut]);
                    let ran = timestamp("http://127.0.0.1:9", &[("http_proxy", &proxy.url())]).exited(1);
                    let named = format!("the proxy 127.0.0.1:{} closed the connection", proxy.port());
                    assert!(ran.stderr.contains(&named), "{cut}: {}", ran.report());
                }
            });
        }
    });
}

/// What a proxy does, and words of the error that it leads to.
type Row = (&'static str, fn(&mut Guest), &'static [&'static str]);

#[test]
fn whatever_a_proxy_does_is_an_error_that_names_it() {
    let rows: &[Row] = &[
        (
            "wants credentials",
            |g| g.say(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n"),
            &["wants credentials", "user:password@"],
        ),
        ("forbids", |g| g.say(b"HTTP/1.1 403 Forbidden\r\n\r\n"), &["403 Forbidden", "must allow CONNECT to port 9"]),
        ("has no gateway", |g| g.say(b"HTTP/1.0 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nno\n"), &["the proxy"]),
        ("is silent", Guest::stay, &["did not answer in time"]),
        (
            "drips",
            |g| {
                while g.is_there() {
                    g.say(b"H");
                    thread::sleep(Duration::from_millis(50))
                }
            },
            &["no HTTP"],
        ),
        (
            "drips a head",
            |g| {
                g.say(b"HTTP/1.1 200 OK\r\nA: ");
                while g.is_there() {
                    g.say(b"a");
                    thread::sleep(Duration::from_millis(50))
                }
            },
            &["did not answer in time"],
        ),
        (
            "floods",
            |g| {
                g.say(b"HTTP/1.1 200 OK\r\n");
                for _ in 0..1000 {
                    g.say(&b"A: b\r\n".repeat(100))
                }
            },
            &["no HTTP"],
        ),
        ("speaks something else", |g| g.say(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), &["no HTTP"]),
        (
            "speaks before its turn",
            |g| {
                g.say(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
                g.stay()
            },
            &["no HTTP"],
        ),
        ("resets", Guest::reset, &["closed the connection"]),
        ("closes the tunnel at once", |g| g.say(GOOD.as_bytes()), &["cut short"]),
        (
            "is silent in the tunnel",
            |g| {
                g.say(GOOD.as_bytes());
                g.stay()
            },
            &["2 s"],
        ),
    ];
    thread::scope(|scope| {
        for (what, serve, words) in rows {
            scope.spawn(move || {
                let proxy = Scripted::start(*serve);
                let ran = timestamp("http://127.0.0.1:9", &[("http_proxy", &proxy.url())]).exited(1);
                for word in *words {
                    assert!(ran.stderr.contains(word), "{what}: no '{word}' in {}", ran.report());
                }
                assert!(ran.stdout.is_empty() && ran.stderr.lines().count() == 1, "{what}: {}", ran.report());
                assert!(ran.took < Duration::from_secs(8), "{what}: {}", ran.report());
            });
        }
    });
}

#[test]
fn a_proxy_that_cannot_be_used_is_named() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for (name, value, words) in [
        ("http_proxy", closed.as_str(), [closed.as_str(), "cannot be connected to"]),
        ("http_proxy", "http://no-such-name.invalid:3128", ["no-such-name.invalid:3128", "cannot be resolved"]),
        ("all_proxy", "socks5://127.0.0.1:1080", ["variable all_proxy", "only http://"]),
        ("http_proxy", "http://127.0.0.1:port", ["variable http_proxy", "port"]),
    ] {
        let ran = timestamp("http://127.0.0.1:9", &[(name, value)]).exited(1);
        assert!(words.iter().all(|word| ran.stderr.contains(word)), "{}", ran.report());
    }
    let ran = timestamp("http://127.0.0.1:9", &[("http_proxy", "http://user:secret@127.0.0.1:1")]).exited(1);
    assert!(!ran.stderr.contains("secret"), "{}", ran.report());
}
