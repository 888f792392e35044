//! One table of a hostile server: whatever comes back, `gdc` ends in time with an error that says what happened, or with the
//! whole answer. Never is a part of an answer taken for the answer (psf/requests#4956).

use gwe_tests::harness::{run, Gateway, Guest, Ran, Scripted};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

const CIK: &str = "0123456789abcdef0123456789abcdef01234567";

/// `gdc --server URL --timeout 2 WORDS`, without access to a configuration.
fn gdc(url: &str, line: &str) -> Ran {
    let gateway = Gateway::new();
    // A flood must not get into memory: 300 MB of address space are enough for anything else.
    let mut shell = gateway.command("gdc");
    let program = shell.get_program().to_owned();
    let script = format!("ulimit -v 300000; exec \"$0\" {line} --server {url}");
    shell = std::process::Command::new("sh");
    shell.args(["-c", &script]).arg(program).env("GWE_ROOT", gateway.root().root());
    for proxy in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        shell.env_remove(proxy).env_remove(proxy.to_uppercase());
    }
    run(&mut shell, Duration::from_secs(30))
}

/// The calls whose answers are taken for something, each with a whole answer and what `gdc` makes of it.
fn calls() -> Vec<(String, String, String)> {
    let long = "http/1.1 0\\r\\n\\r\\n";
    [
        ("timestamp", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1795216871", "1795216871\n"),
        ("timestamp", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1795\r\n6;a=b\r\n216871\r\n0\r\n\r\n", "1795216871\n"),
        // Chunked wins, and so its end counts.
        ("timestamp", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: Chunked\r\n\r\n3\r\n179\r\n3\r\n521\r\n0\r\nX-A: b\r\n\r\n", "179521\n"),
        // Case 11: snoyberg/http-client#521, Simple-Web-Server#117.
        ("timestamp", "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n179521", "179521\n"),
        ("timestamp", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n179\r\n3\r\n521\r\n0\r\n\r\n", "179521\n"),
        ("write CIK a 1", "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", ""),
        ("write CIK a 1", "HTTP/1.1 204 No Content\r\nDate: Fri, 20 Nov 2026 00:00:00 GMT\r\n\r\n", ""),
        ("write CIK a 1", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        ("read CIK a", "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 8\r\n\r\na=123456", "123456\n"),
        ("activate p p s", "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nCIK", &format!("{CIK}\n")),
    ]
    .map(|(line, answer, out)| (line.replace("CIK", CIK), answer.replace("CIK", CIK), out.replace(long, "")))
    .to_vec()
}

#[test]
fn a_header_in_latin_1_is_no_obstacle() {
    // Case 11. Only the body's bytes mean anything to the agent, and those stay as they are.
    for (answer, out) in [
        (&b"HTTP/1.1 200 \xd6K\r\nServer: 21 \xb0C\r\nContent-Length: 4\r\n\r\n1795"[..], "1795\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;\xb0\r\n1795\r\n0\r\nX: \xb0\r\n\r\n", "1795\n"),
    ] {
        let server = Scripted::answering(answer);
        assert_eq!(gdc(&server.url(), "timestamp").ok().stdout, out);
    }
}

#[test]
fn an_answer_cut_at_any_byte_is_never_taken_for_the_answer() {
    // psf/requests#4956; minreq takes each of these cuts for success, or for a status 503 of its own making.
    thread::scope(|scope| {
        for (line, answer, out) in calls() {
            scope.spawn(move || {
                let whole = gdc(&Scripted::answering(answer.as_str()).url(), &line).ok();
                assert_eq!(whole.stdout, out, "{answer:?}");
                for cut in 0..answer.len() {
                    let server = Scripted::answering(&answer.as_bytes()[..cut]);
                    let ran = gdc(&server.url(), &line).exited(1);
                    assert!(ran.stdout.is_empty(), "cut at {cut} of {answer:?}: {}", ran.report());
                    assert!(ran.stderr.contains("cut short"), "cut at {cut} of {answer:?}: {}", ran.report());
                }
            });
        }
    });
}

#[test]
fn a_reset_at_any_byte_is_an_error_too() {
    for (line, answer, _) in calls().into_iter().step_by(3) {
        for cut in (0..answer.len()).step_by(7) {
            let part = answer.as_bytes()[..cut].to_vec();
            let server = Scripted::start(move |guest: &mut Guest| {
                guest.say(&part);
                guest.reset();
            });
            let ran = gdc(&server.url(), &line).exited(1);
            assert!(ran.stdout.is_empty() && ran.stderr.contains("cut short"), "{cut}: {}", ran.report());
        }
    }
}

/// What a hostile server does, and words of the error that it leads to.
type Row = (&'static str, fn(&mut Guest), &'static [&'static str]);

#[test]
fn whatever_a_server_does_the_call_ends_in_time_and_says_why() {
    let rows: &[Row] = &[
        ("never answers", Guest::stay, &["2 s; will have to try again"]),
        ("closes at once", |_| {}, &["cut short", "closed"]),
        (
            "stalls in the status line",
            |g| {
                g.say(b"HTTP/1.1 2");
                g.stay()
            },
            &["2 s; will have to try again"],
        ),
        (
            "stalls in the head",
            |g| {
                g.say(b"HTTP/1.1 200 OK\r\nA: ");
                g.stay()
            },
            &["2 s; will have to try again"],
        ),
        (
            "stalls in the body",
            |g| {
                g.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12");
                g.stay()
            },
            &["2 s; will have to try again"],
        ),
        ("drips a head without end", |g| drip(g, b"HTTP/1.1 200 OK\r\nA: ", b"b"), &["no whole answer within 2 s"]),
        (
            "drips a body",
            |g| drip(g, b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"1"),
            &["no whole answer within 2 s"],
        ),
        (
            "drips empty chunk lengths",
            |g| drip(g, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
            &["no whole answer within 2 s"],
        ),
        (
            "floods with headers",
            |g| flood(g, b"HTTP/1.1 200 OK\r\n", b"Name: some value\r\n"),
            &["head", "longer than 65536"],
        ),
        (
            "floods with one header",
            |g| flood(g, b"HTTP/1.1 200 OK\r\nA: ", b"bbbbbbbbbbbbbbbb"),
            &["head", "longer than 65536"],
        ),
        ("floods with a status line", |g| flood(g, b"HTTP/1.1 200 ", b"OK OK OK OK "), &["head", "longer than 65536"]),
        (
            "floods with a body",
            |g| flood(g, b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"1111"),
            &["body", "longer than 1048576"],
        ),
        (
            "floods with chunks",
            |g| {
                flood(g, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"64\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")
            },
            &["body", "longer than 1048576"],
        ),
        ("floods until it closes", |g| flood(g, b"HTTP/1.1 200 OK\r\n\r\n", b"1111"), &["body", "longer than 1048576"]),
        (
            "floods with a chunk's length",
            |g| flood(g, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"00000000"),
            &["makes no sense"],
        ),
        (
            "floods with a chunk's extension",
            |g| flood(g, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;", b"aaaaaaaa"),
            &["makes no sense"],
        ),
        (
            "floods with trailers",
            |g| flood(g, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"Name: some value\r\n"),
            &["no HTTP"],
        ),
        (
            "speaks SSH",
            |g| {
                g.say(b"SSH-2.0-OpenSSH_9.2 200 OK\r\n\r\n");
                g.stay()
            },
            &["no HTTP"],
        ),
        (
            "speaks HTTP/2",
            |g| {
                g.say(b"HTTP/2 200\r\n\r\n");
                g.stay()
            },
            &["no HTTP"],
        ),
        ("sends zeros", |g| flood(g, b"", &[0; 16]), &["no HTTP"]),
        ("sends a status that is none", |g| g.say(b"HTTP/1.1 abc OK\r\nContent-Length: 1\r\n\r\n1"), &["no HTTP"]),
        (
            "sends a status out of range",
            |g| g.say(b"HTTP/1.1 999 OK\r\nContent-Length: 1\r\n\r\n1"),
            &["its status is 999"],
        ),
        (
            "goes on and on",
            |g| flood(g, b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            &["the head of", "is longer than 65536 bytes"],
        ),
        ("switches protocols", |g| g.say(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), &["its status is 101"]),
        (
            "contradicts itself",
            |g| g.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"),
            &["two lengths"],
        ),
        ("has a negative length", |g| g.say(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n1"), &["no HTTP"]),
        (
            "has an endless length",
            |g| g.say(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n1"),
            &["no HTTP"],
        ),
        (
            "codes without being asked",
            |g| g.say(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n1"),
            &["Content-Encoding"],
        ),
        (
            "transfers in an unknown coding",
            |g| g.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            &["Transfer-Encoding"],
        ),
        (
            "announces too much",
            |g| {
                g.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n179521687");
            },
            &["cut short", "9 of 10"],
        ),
        ("announces too little", |g| g.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1795216871"), &["more came"]),
        ("sends no number", |g| g.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsoon"), &["'soon' is no number"]),
        (
            "is overloaded",
            |g| g.say(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nlater"),
            &["answered 503", "later"],
        ),
        (
            "forges a log line",
            |g| g.say(b"HTTP/1.1 400 Bad\r\nContent-Length: 12\r\n\r\nno\r\nERROR no\x1b"),
            &["answered 400: no  ERROR no"],
        ),
    ];
    thread::scope(|scope| {
        for (what, serve, words) in rows {
            scope.spawn(move || {
                let server = Scripted::start(*serve);
                let ran = gdc(&server.url(), "timestamp --timeout 2").exited(1);
                for word in *words {
                    assert!(ran.stderr.contains(word), "{what}: no '{word}' in\n{}", ran.report());
                }
                assert!(ran.stdout.is_empty() && ran.stderr.lines().count() == 1, "{what}: {}", ran.report());
                assert!(ran.took < Duration::from_secs(10), "{what}: {}", ran.report());
                assert_eq!(server.requests().len(), 1, "{what}: it tried again by itself");
            });
        }
    });
}

/// A beginning, and then a little now and then, for ever.
fn drip(guest: &mut Guest, beginning: &[u8], drop: &[u8]) {
    guest.say(beginning);
    while guest.is_there() {
        guest.say(drop);
        thread::sleep(Duration::from_millis(100));
    }
}

/// A beginning, and then as much as the guest takes, up to 512 MB.
fn flood(guest: &mut Guest, beginning: &[u8], wave: &[u8]) {
    guest.say(beginning);
    let wave = wave.repeat(64 * 1024 / wave.len());
    for _ in 0..8192 {
        if !guest.is_there() {
            return;
        }
        let _ = guest.stream.set_write_timeout(Some(Duration::from_secs(1)));
        guest.say(&wave);
    }
}

#[test]
fn answers_that_others_send_are_understood() {
    for (line, answer, out) in [
        // Chunked wins over a length (docs/spec/device-api.md), whichever comes first.
        (
            "timestamp",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n4\r\n1795\r\n0\r\n\r\n",
            "1795\n",
        ),
        ("timestamp", "HTTP/1.0 200 OK\nCONTENT-LENGTH:4\n\n1795", "1795\n"),
        ("timestamp", "HTTP/1.1 200\r\nContent-Length: 4\r\n\r\n1795", "1795\n"),
        // A body that ends with the connection.
        ("timestamp", "HTTP/1.0 200 OK\r\n\r\n1795\r\n", "1795\n"),
        ("read CIK a", "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\na={\"b\": \"c\"}", "{\"b\": \"c\"}\n"),
        ("read CIK a b", "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\na=1+2&b=%zz", "a=1 2\nb=%zz\n"),
        ("read CIK a", "HTTP/1.1 204 No Content\r\n\r\n", ""),
        ("activate p p s", "HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\nCIK\r\n", "CIK\n"),
    ] {
        let server = Scripted::answering(answer.replace("CIK", CIK));
        let ran = gdc(&server.url(), &line.replace("CIK", CIK)).ok();
        assert_eq!(ran.stdout, out.replace("CIK", CIK), "{answer:?}");
    }
    for body in [
        "",
        "short",
        "0123456789abcdef0123456789abcdef0123456",
        "0123456789abcdef0123456789abcdef012345678",
        &"é".repeat(20),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let ran = gdc(&Scripted::answering(answer).url(), "activate p p s").exited(1);
        assert!(ran.stderr.contains("no CIK"), "{}", ran.report());
    }
}

#[test]
fn a_204_without_a_length_does_not_wait_for_a_body() {
    for answer in ["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"] {
        let server = Scripted::start(move |guest| {
            guest.say(answer.as_bytes());
            guest.stay();
        });
        let ran = gdc(&server.url(), &format!("write {CIK} a 1")).ok();
        assert!(ran.took < Duration::from_secs(5), "{}", ran.report());
    }
}

#[test]
fn a_redirection_is_not_followed_and_no_secret_goes_elsewhere() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Scripted::answering("HTTP/1.1 204 No Content\r\n\r\n");
        let to = elsewhere.url();
        let server =
            Scripted::answering(format!("HTTP/1.1 {status} Go\r\nLocation: {to}/x\r\nContent-Length: 0\r\n\r\n"));
        let ran = gdc(&server.url(), &format!("write {CIK} a 1")).exited(1);
        assert!(ran.stderr.contains(&format!("{status}")) && ran.stderr.contains(&to), "{}", ran.report());
        assert!(elsewhere.requests().is_empty(), "the CIK was sent on: {:?}", elsewhere.requests());
    }
}

#[test]
fn the_page_of_a_networks_login_is_no_acknowledgement() {
    let page = "<!DOCTYPE html>\n<html><body>Welcome to the Grand Hotel</body></html>";
    let typed = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n";
    for (head, page) in [(typed, page), (typed, "Please log in"), ("HTTP/1.1 200 OK\r\n", page)] {
        let server = Scripted::answering(format!("{head}Content-Length: {}\r\n\r\n{page}", page.len()));
        for line in ["write CIK a 1", "read CIK a", "record CIK a 1700000000=1", "wait CIK a", "content list -P p"] {
            let ran = gdc(&server.url(), &line.replace("CIK", CIK)).exited(1);
            assert!(ran.stdout.is_empty() && ran.stderr.contains("a web page answered"), "{line}: {}", ran.report());
        }
    }
}

#[test]
fn nothing_that_is_sent_can_end_its_line() {
    let server = Scripted::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let gateway = Gateway::new();
    let evil = "a\r\nX-Evil: 1\r\n\r\nGET / HTTP/1.1";
    gateway.gdc(&["read", CIK, evil, "--server", &server.url()]).ok();
    gateway.gdc(&["write", CIK, evil, evil, "--server", &server.url()]).ok();
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert!(!request.to_lowercase().contains("\nx-evil"), "{request}");
        assert!(request.contains("a%0D%0AX-Evil%3A%201"), "{request}");
    }
    let ran = gateway.gdc(&["wait", CIK, "a", "--since", evil, "--server", &server.url()]).exited(1);
    assert!(ran.stderr.contains("headers would break the protocol"), "{}", ran.report());
    assert_eq!(server.requests().len(), 2, "it was sent all the same");
}

#[test]
fn a_request_says_what_the_platform_wants_to_hear() {
    let server = Scripted::answering("HTTP/1.1 204 No Content\r\n\r\n");
    gdc(&server.url(), &format!("write {CIK} 'a b' 'c&d'")).ok();
    gdc(&server.url(), &format!("read {CIK} a b%c")).ok();
    gdc(&server.url(), &format!("wait {CIK} a --timeout 3 --since 1700000000")).exited(1);
    let requests = server.requests();
    let heads = [
        "POST /onep:v1/stack/alias HTTP/1.1\r\n",
        "GET /onep:v1/stack/alias?a&b%25c HTTP/1.1\r\n",
        "GET /onep:v1/stack/alias?a HTTP/1.1\r\n",
    ];
    for (request, head) in requests.iter().zip(heads) {
        assert!(request.starts_with(head), "{request}");
        for header in [format!("Host: 127.0.0.1:{}", server.port()), format!("X-Exosite-CIK: {CIK}")] {
            assert_eq!(request.matches(&format!("\r\n{header}\r\n")).count(), 1, "{header} in {request}");
        }
        assert!(request.contains("\r\nUser-Agent: GatewayEngine-v"), "{request}");
    }
    assert!(requests[0].contains("\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"));
    assert!(requests[0].ends_with("\r\n\r\na%20b=c%26d"), "{}", requests[0]);
    assert!(requests[1].contains("\r\nAccept: application/x-www-form-urlencoded; charset=utf-8\r\n"));
    assert!(requests[2].contains("\r\nRequest-Timeout: 3000\r\n"));
    assert!(requests[2].contains("\r\nIf-Modified-Since: 1700000000\r\n"));
}

#[test]
fn nobody_there_is_told_from_a_silent_one() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = gdc(&format!("http://{closed}"), "timestamp").exited(1);
    assert!(ran.stderr.contains("cannot connect") && ran.stderr.contains("refused"), "{}", ran.report());
    let ran = gdc("http://no-such-name.invalid", "timestamp --timeout 9").exited(1);
    assert!(ran.stderr.contains("cannot resolve no-such-name.invalid"), "{}", ran.report());
    assert!(ran.took < Duration::from_secs(20), "{}", ran.report());
}
