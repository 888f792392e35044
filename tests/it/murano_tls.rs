//! HTTPS: the certificate holds up against its own CA, and faults reach through TLS.

use gwe_tests::harness::{has_program, run, Murano, MuranoChild};
use gwe_tests::murano::client::{read_reply, Reply};
use gwe_tests::murano::http::date;
use gwe_tests::skip;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{crypto, ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// One GET over TLS, by a client that trusts `ca` alone and asks for `name`.
fn get(
    url: &str,
    ca: &Path,
    name: &str,
    versions: &[&'static SupportedProtocolVersion],
    target: &str,
) -> io::Result<Reply> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).map_err(io::Error::other)?).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_string()).map_err(io::Error::other)?;
    let session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let tcp = TcpStream::connect(url.trim_start_matches("https://"))?;
    tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut stream = StreamOwned::new(session, tcp);
    write!(stream, "GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n")?;
    read_reply(&mut BufReader::new(stream))
}

fn timestamp(murano: &Murano, name: &str, versions: &[&'static SupportedProtocolVersion]) -> io::Result<Reply> {
    get(&murano.tls_url(), &murano.ca_certificate(), name, versions, "/timestamp")
}

#[test]
fn the_certificate_is_good_for_its_names_and_no_others() {
    let murano = Murano::with(|options| {
        options.tls_listen = Some("127.0.0.1:0".to_string());
        options.tls_names = vec!["platform.example".to_string()];
    });
    for name in ["localhost", "127.0.0.1", "::1", "dubhxzv0r4e1m7vj.m2.exosite.io", "platform.example"] {
        assert_eq!(timestamp(&murano, name, BOTH).expect(name).status, 200);
    }
    for name in ["example.com", "m2.exosite.io", "127.0.0.2"] {
        let error = timestamp(&murano, name, BOTH).expect_err(name).to_string();
        assert!(error.contains("not valid for name"), "{name}: {error}");
    }
}

#[test]
fn tls_1_2_and_1_3_are_spoken() {
    let murano = Murano::with_tls();
    for versions in [&[&TLS12], &[&TLS13]] {
        assert_eq!(timestamp(&murano, "localhost", versions).unwrap().status, 200);
    }
}

#[test]
fn another_ca_does_not_do() {
    let (murano, other) = (Murano::with_tls(), Murano::with_tls());
    let url = murano.tls_url();
    get(&url, &other.ca_certificate(), "localhost", BOTH, "/timestamp").expect_err("signed by another CA");
}

#[test]
fn a_certificate_of_the_past_or_the_future_does_not_do() {
    let now = date::now() as u64;
    for (valid, good) in
        [((now - 1000, now + 1000), true), ((now - 2000, now - 1000), false), ((now + 1000, now + 2000), false)]
    {
        let murano = Murano::with(|options| {
            options.tls_listen = Some("127.0.0.1:0".to_string());
            options.tls_valid = Some(valid);
        });
        assert_eq!(timestamp(&murano, "localhost", BOTH).is_ok(), good, "{valid:?}");
    }
}

#[test]
fn faults_reach_through_tls() {
    let murano = Murano::with_tls();
    murano.upload("c", &[b'x'; 10_000]);
    let download = || get(&murano.tls_url(), &murano.ca_certificate(), "localhost", BOTH, "/provision/download?id=c");
    assert_eq!(download().unwrap().body.len(), 10_000);
    for fault in ["any:refuse", "any:refuse=fin", "any:drop=body+5000", "any:drop=50%,fin", "any:truncate=9"] {
        murano.faults(&[fault]);
        download().expect_err(fault);
        let applied: u32 = murano.server().platform().faults.list().iter().map(|(_, applied)| applied).sum();
        assert_eq!(applied, 1, "{fault}");
    }
    murano.faults(&["any:status=503"]);
    assert_eq!(download().unwrap().status, 503);
    // The end of a body without a length is told by TLS itself; this client takes nothing else for an end.
    murano.faults(&["any:no-length"]);
    assert_eq!(download().unwrap().body.len(), 10_000);
}

#[test]
fn the_wire_carries_more_than_the_answer() {
    let murano = Murano::with_tls();
    timestamp(&murano, "localhost", BOTH).unwrap();
    let totals = &murano.requests()["totals"];
    let (said, sent) = (totals["response_bytes"].as_u64().unwrap(), totals["wire_sent"].as_u64().unwrap());
    assert!(sent > said + 500, "{sent} bytes on the wire for {said} of HTTP: the handshake is missing");
}

#[test]
fn the_certificate_survives_a_restart() {
    let mut murano = MuranoChild::start(&["--tls-listen", "127.0.0.1:0"]);
    let ca = murano.scratch().path("data/tls/ca.pem");
    let before = std::fs::read(&ca).unwrap();
    murano.stop();
    murano.restart();
    assert_eq!(std::fs::read(&ca).unwrap(), before);
    assert_eq!(get(murano.tls_url().unwrap(), &ca, "localhost", BOTH, "/timestamp").unwrap().status, 200);
}

#[test]
fn openssl_accepts_it_too() {
    let asked = || run(Command::new("curl").arg("--version"), Duration::from_secs(10)).stdout;
    if !has_program("curl") || !asked().contains("OpenSSL") {
        skip!("needs curl with OpenSSL");
    }
    let murano = Murano::with_tls();
    murano.upload("c", &[b'x'; 10_000]);
    let get = |fault: &str| {
        murano.faults(&[fault]);
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--noproxy", "*", "--cacert"]).arg(murano.ca_certificate());
        command.arg(format!("{}/provision/download?id=c", murano.tls_url()));
        run(&mut command, Duration::from_secs(30))
    };
    assert_eq!(get("any:pass").ok().stdout.len(), 10_000);
    assert_eq!(get("any:no-length").ok().stdout.len(), 10_000);
    let cut = get("any:drop=50%,fin");
    assert_ne!(cut.code, Some(0), "{}", cut.report());
}
