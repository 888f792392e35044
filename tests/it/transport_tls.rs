//! HTTPS: who is trusted, what is said when somebody is not, and that an answer inside TLS is judged as one without.

use gwe_tests::harness::{has_program, run, Background, Gateway, Murano, Ran, Scratch, Scripted, Secured};
use gwe_tests::skip;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const CIK: &str = "0123456789abcdef0123456789abcdef01234567";

/// A gateway whose image trusts this CA bundle alone.
fn gateway_trusting(bundle: &Path) -> Gateway {
    let gateway = Gateway::new();
    gateway.root().write("etc/gwe/Engine.config", format!("[engine]\ncacert = {}\n", bundle.display()));
    gateway
}

/// `gdc` in an environment without any of this machine's CA settings.
fn gdc(gateway: &Gateway, url: &str, line: &str) -> Ran {
    let mut command = gateway.command("gdc");
    command.args(line.split_whitespace()).args(["--server", url]);
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    run(&mut command, Duration::from_secs(60))
}

/// Whether the agent under test was built with TLS.
fn has_tls() -> bool {
    let ran = gdc(&Gateway::new(), "https://127.0.0.1:1", "timestamp");
    !ran.stderr.contains("built without TLS")
}

macro_rules! needs_tls {
    () => {
        if !has_tls() {
            skip!("needs an agent with TLS");
        }
    };
}

fn tls(change: impl FnOnce(&mut gwe_tests::murano::Options)) -> Murano {
    Murano::with(|options| {
        options.tls_listen = Some("127.0.0.1:0".to_string());
        change(options);
    })
}

#[test]
fn a_server_with_a_good_certificate_is_talked_to() {
    needs_tls!();
    let murano = tls(|_| {});
    let gateway = gateway_trusting(&murano.ca_certificate());
    let local = murano.tls_url().replace("127.0.0.1", "localhost");
    for url in [murano.tls_url(), local] {
        gdc(&gateway, &url, "timestamp").ok();
    }
    let cik = gdc(&gateway, &murano.tls_url(), "activate p p sn").ok().stdout.trim().to_string();
    gdc(&gateway, &murano.tls_url(), &format!("write {cik} a 1")).ok();
    assert_eq!(gdc(&gateway, &murano.tls_url(), &format!("read {cik} a")).ok().stdout, "1\n");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i * 7 % 251) as u8).collect();
    murano.upload("c", &bytes);
    let to = gateway.root().path("got");
    gdc(&gateway, &murano.tls_url(), &format!("content download c -P p -O {}", to.display())).ok();
    assert!(std::fs::read(&to).unwrap() == bytes);
}

#[test]
fn a_proxy_passes_tls_on() {
    needs_tls!();
    let murano = tls(|_| {});
    let there = murano.tls_url().replace("https://", "");
    let proxy = Scripted::start(move |guest| {
        guest.say(b"HTTP/1.1 200 OK\r\n\r\n");
        guest.pass_on(&there);
    });
    let gateway = gateway_trusting(&murano.ca_certificate());
    let mut command = gateway.command("gdc");
    command.args(["timestamp", "--server", &murano.tls_url()]).env("https_proxy", proxy.url());
    run(&mut command, Duration::from_secs(20)).ok();
    assert!(proxy.requests()[0].starts_with("CONNECT 127.0.0.1:"), "{:?}", proxy.requests());
}

#[test]
fn a_server_with_a_bad_certificate_is_not_talked_to() {
    needs_tls!();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let day = 24 * 3600;
    let other = tls(|_| {});
    // What is wrong with it, its server, whose CA is trusted, and whether it may be the clock's fault (swupd-client#195,
    // magma#5612, thin-edge#3786).
    type Change = Box<dyn Fn(&mut gwe_tests::murano::Options)>;
    let rows: [(&str, Change, bool, bool); 4] = [
        ("signed by another CA", Box::new(|_| {}), true, false),
        ("for another host", Box::new(|o| o.tls_listen = Some("127.0.0.2:0".to_string())), false, false),
        ("expired", Box::new(move |o| o.tls_valid = Some((now - 9 * day, now - day))), false, true),
        ("not valid yet", Box::new(move |o| o.tls_valid = Some((now + day, now + 9 * day))), false, true),
    ];
    for (what, change, is_other, is_clock) in rows {
        let murano = tls(change);
        let gateway = gateway_trusting(&if is_other { other.ca_certificate() } else { murano.ca_certificate() });
        let ran = gdc(&gateway, &murano.tls_url(), &format!("write {CIK} a 1")).exited(1);
        assert!(ran.stderr.contains("no TLS with"), "{what}: {}", ran.report());
        assert_eq!(ran.stderr.contains("clock"), is_clock, "{what}: {}", ran.report());
        assert!(ran.took < Duration::from_secs(5), "{what}: {}", ran.report());
        assert_eq!(murano.requests()["log"].as_array().unwrap().len(), 0, "{what}: the CIK went out");
    }
    // Without a setting, the system's roots count, and this CA is not among them.
    let ran = gdc(&Gateway::new(), &other.tls_url(), "timestamp").exited(1);
    assert!(ran.stderr.contains("no TLS with"), "{}", ran.report());
}

#[test]
fn the_bundle_of_the_setting_is_the_only_one_that_counts() {
    needs_tls!();
    let (murano, other) = (tls(|_| {}), tls(|_| {}));
    let gateway = gateway_trusting(&other.ca_certificate());
    let mut command = gateway.command("gdc");
    command.args(["timestamp", "--server", &murano.tls_url()]).env("SSL_CERT_FILE", murano.ca_certificate());
    run(&mut command, Duration::from_secs(20)).exited(1);
    // Without the setting, the environment's counts.
    let plain = Gateway::new();
    let mut command = plain.command("gdc");
    command.args(["timestamp", "--server", &murano.tls_url()]).env("SSL_CERT_FILE", murano.ca_certificate());
    run(&mut command, Duration::from_secs(20)).ok();
    let gateway = gateway_trusting(Path::new("/no/such/bundle.pem"));
    let ran = gdc(&gateway, &murano.tls_url(), "timestamp").exited(1);
    assert!(ran.stderr.contains("/no/such/bundle.pem") && ran.stderr.contains("cacert"), "{}", ran.report());
}

#[test]
fn a_bundle_that_is_none_is_named_with_what_is_wrong() {
    needs_tls!();
    // Case 10: iotedge#2531, #6296. It was the loopback interface that was blamed.
    let murano = tls(|_| {});
    let good = std::fs::read_to_string(murano.ca_certificate()).unwrap();
    let scratch = Scratch::new();
    let file = |name: &str, bytes: &[u8]| {
        let path = scratch.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    for (bundle, why) in [
        (file("empty", b""), "it is empty"),
        (file("der", b"\x30\x82\x02\xff\xff"), "it is in DER"),
        (file("bom", &[b"\xef\xbb\xbf", good.as_bytes()].concat()), "it begins with a byte order mark"),
        (file("cut", &good.as_bytes()[..good.len() / 2]), "its certificate number 1 has no end"),
        (scratch.path(""), "it is a folder"),
    ] {
        let gateway = gateway_trusting(&bundle);
        let ran = gdc(&gateway, &murano.tls_url(), "timestamp").exited(1);
        let is_named = |text: &str| text.contains(&bundle.display().to_string()) && text.contains(why);
        assert!(is_named(&ran.stderr) && !ran.stderr.contains("loopback"), "{}", ran.report());
        // Who builds the image sees it, with the line.
        let ran = run(gateway.command("gwe").arg("--check-config"), Duration::from_secs(20)).exited(1);
        assert!(is_named(&ran.stdout) && ran.stdout.contains("Engine.config, line 2"), "{}", ran.report());
        // And so does who looks at a check-in.
        let engine = format!("[engine]\ncacert = {}\nserver = {}\n", bundle.display(), murano.tls_url());
        gateway.root().write("etc/gwe/Engine.config", engine);
        gateway.root().write("etc/gwe/Gateway.cfg", "[device]\nvendor = p\nmodel = p\nuuid = sn\n");
        let ran = run(gateway.command("gwe").arg("--once"), Duration::from_secs(60));
        assert!(is_named(&ran.stderr) && !ran.stderr.contains("loopback"), "{}", ran.report());
    }
}

#[test]
fn a_cut_inside_tls_is_never_taken_for_the_answer() {
    needs_tls!();
    // psf/requests#4956
    let murano = tls(|_| {});
    let gateway = gateway_trusting(&murano.ca_certificate());
    let url = murano.tls_url();
    let time = gdc(&gateway, &url, "timestamp").ok();
    let length = murano.requests()["log"][0]["response_bytes"].as_u64().unwrap();
    for how in ["fin", "rst"] {
        for at in (0..length).step_by(if how == "fin" { 1 } else { 9 }) {
            murano.faults(&[&format!("timestamp:drop={at},{how}")]);
            let ran = gdc(&gateway, &url, "timestamp").exited(1);
            assert!(ran.stdout.is_empty(), "{how} at {at} of {length}: {}", ran.report());
            assert!(
                ran.stderr.contains("cut short") || ran.stderr.contains("makes no sense"),
                "{how} at {at}: {}",
                ran.report()
            );
        }
    }
    assert_eq!(time.stdout.len(), 11);
    // Case 11: what comes before the answer is not the answer, also when that is cut.
    murano.faults(&["any:interim"]);
    assert_eq!(gdc(&gateway, &url, "timestamp").ok().stdout.len(), 11);
    murano.upload("c", &[7; 50_000]);
    for fault in ["download:truncate=9", "download:drop=50%,fin", "download:chunked-cut=3", "download:garbage"] {
        murano.faults(&[fault]);
        gdc(&gateway, &url, "content download c -P p -O -").exited(1);
    }
    for fault in ["download:chunked", "download:no-length", "download:chunked-length", "download:interim"] {
        murano.faults(&[fault]);
        assert_eq!(gdc(&gateway, &url, "content download c -P p -O -").ok().stdout.len(), 50_000, "{fault}");
    }
}

/// The first call of `gdc` to a server that answers with these bytes inside TLS, and ends TLS properly.
fn timestamp_inside_tls(answer: &[u8]) -> (Ran, Secured, Gateway) {
    let server = Scripted::answering(answer);
    let secured = Secured::before(&server);
    let gateway = gateway_trusting(&secured.ca_certificate());
    (gdc(&gateway, &secured.url(), "timestamp --timeout 5"), secured, gateway)
}

#[test]
fn an_answer_inside_tls_is_judged_as_one_without() {
    needs_tls!();
    let long_head = [&b"HTTP/1.1 200 OK\r\n"[..], &b"Name: some value\r\n".repeat(5000), b"\r\n"].concat();
    let endless = [b"HTTP/1.1 100 Continue\r\n\r\n".repeat(5000), b"HTTP/1.1 204 N\r\n\r\n".to_vec()].concat();
    let trailers = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let trailers = [&trailers[..], &b"Name: some value\r\n".repeat(5000), b"\r\n"].concat();
    // What is printed, or what is said of it.
    let rows: [(&[u8], Result<&str, &str>); 13] = [
        // Case 11.
        (b"HTTP/1.1 200 \xd6K\r\nServer: 21 \xb0C\r\nContent-Length: 4\r\n\r\n1795", Ok("1795\n")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;\xb0\r\n1795\r\n0\r\nX: \xb0\r\n\r\n",
            Ok("1795\n"),
        ),
        (
            b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 \xb0\r\n\r\nHTTP/1.1 200 OK\r\nX: \xb0\r\nContent-Length: 4\r\n\r\n1795",
            Ok("1795\n"),
        ),
        (b"HTTP/1.0 200 OK\r\n\r\n1795\r\n", Ok("1795\n")),
        (b"HTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\n", Err("cut short")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1795", Err("cut short")),
        // A server, or the balancer before it, that closes properly in the middle of its answer.
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1795\r\n",
            Err("cut short"),
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1795", Err("more came")),
        (b"SSH-2.0-OpenSSH_9.2 200 OK\r\n\r\n", Err("no HTTP")),
        (&long_head, Err("longer than 65536 bytes")),
        (&endless, Err("longer than 65536 bytes")),
        (&trailers, Err("no HTTP")),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Err("its status is 101")),
    ];
    for (answer, want) in rows {
        let start = String::from_utf8_lossy(&answer[..answer.len().min(90)]).into_owned();
        let (ran, _, _) = timestamp_inside_tls(answer);
        match want {
            Ok(out) => assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), out), "{start}: {}", ran.report()),
            Err(words) => assert!(ran.code == Some(1) && ran.stderr.contains(words), "{start}: {}", ran.report()),
        }
    }
}

#[test]
fn the_account_is_of_the_bytes_on_the_wire() {
    needs_tls!();
    let (ran, secured, gateway) = timestamp_inside_tls(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1795");
    ran.ok();
    let account = gateway.root().read("run/gwe/usage");
    let words: Vec<&str> = account.split_whitespace().collect();
    let (received, sent): (u64, u64) = (words[2].parse().unwrap(), words[4].parse().unwrap());
    let (from_gwe, to_gwe) = secured.bytes();
    assert_eq!(sent, from_gwe, "{account}");
    // The last record says that the server has no more to say; whoever has the whole answer need not wait for it.
    let end = to_gwe - received;
    assert!(end < 100 && received > 700, "{end} {account}");
}

#[test]
fn what_is_no_tls_ends_in_time() {
    needs_tls!();
    let murano = tls(|_| {});
    let gateway = gateway_trusting(&murano.ca_certificate());
    // A plain server behind an https URL, one that never answers the handshake, and heads without end inside TLS.
    let plain = Scripted::start(|guest| guest.say(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let silent = Scripted::start(|guest| guest.stay());
    let ran = gdc(&gateway, &plain.url().replace("http:", "https:"), "timestamp --timeout 2").exited(1);
    assert!(ran.took < Duration::from_secs(8), "{}", ran.report());
    let ran = gdc(&gateway, &silent.url().replace("http:", "https:"), "timestamp --timeout 2").exited(1);
    assert!(ran.stderr.contains("2 s") && ran.took < Duration::from_secs(8), "{}", ran.report());
    murano.faults(&["timestamp:headers=5000,100"]);
    let ran = gdc(&gateway, &murano.tls_url(), "timestamp").exited(1);
    assert!(ran.stderr.contains("head") && ran.took < Duration::from_secs(25), "{}", ran.report());
    murano.faults(&["timestamp:stall=20,300"]);
    let ran = gdc(&gateway, &murano.tls_url(), "timestamp --timeout 2").exited(1);
    assert!(ran.stderr.contains("2 s") && ran.took < Duration::from_secs(8), "{}", ran.report());
}

/// `openssl s_server` with these protocol flags; the port it listens on.
fn old_server(scratch: &Scratch, certificate: &Path, key: &Path, flags: &[&str]) -> Option<(Background, u16)> {
    let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
    let mut command = Command::new("openssl");
    command.args(["s_server", "-quiet", "-www", "-accept", &format!("127.0.0.1:{port}")]).args(flags);
    command.arg("-cert").arg(certificate).arg("-key").arg(key);
    let mut server = Background::start(&mut command, scratch, "s_server");
    for _ in 0..200 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some((server, port));
        }
        if !server.is_running() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

#[test]
fn tls_1_1_is_refused_even_where_the_library_would_take_it() {
    needs_tls!();
    let scratch = Scratch::new();
    let (certificate, key) = (scratch.path("c.pem"), scratch.path("k.pem"));
    let mut make = Command::new("openssl");
    make.args("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext".split(' '));
    make.args(["subjectAltName=IP:127.0.0.1", "-keyout"]).arg(&key).arg("-out").arg(&certificate);
    if !has_program("openssl") || run(&mut make, Duration::from_secs(30)).code != Some(0) {
        skip!("needs the openssl program");
    }
    // What an OEM's old configuration may do to the system's library.
    let lax = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMinProtocol = TLSv1\nCipherString = DEFAULT@SECLEVEL=0\n";
    let lax = scratch.write("openssl.cnf", lax);
    let gateway = gateway_trusting(&certificate);
    let timestamp = |port: u16| {
        let mut command = gateway.command("gdc");
        command.args(["timestamp", "--timeout", "5", "--server", &format!("https://127.0.0.1:{port}")]);
        run(command.env("OPENSSL_CONF", &lax), Duration::from_secs(20)).exited(1)
    };
    for flags in [&["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], &["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"]] {
        let Some((mut server, port)) = old_server(&scratch, &certificate, &key, flags) else {
            skip!("the openssl program has no old TLS");
        };
        let ran = timestamp(port);
        // OpenSSL offers the old versions and is held back; rustls does not, and the server says so.
        let is_told = ["TLS 1.2 is the least", "alert"].iter().any(|word| ran.stderr.contains(word));
        assert!(ran.stderr.contains("no TLS with") && is_told, "{}", ran.report());
        server.kill();
    }
    // The same server with TLS 1.2 is talked to: what is wrong then is its web page, which is no timestamp, or for rustls its
    // certificate, which is a CA's own. Either comes behind the version.
    let Some((mut server, port)) = old_server(&scratch, &certificate, &key, &["-tls1_2"]) else { panic!("no TLS 1.2") };
    let ran = timestamp(port);
    let is_past_the_version = ran.stderr.contains("certificate") || !ran.stderr.contains("no TLS with");
    assert!(is_past_the_version && !ran.stderr.contains("alert"), "{}", ran.report());
    server.kill();
}
