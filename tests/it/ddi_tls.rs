//! hawkBit behind a proxy that ends TLS: the server then links to what it believes it is, in the clear, and what is asked over TLS stays there
//! (hawkbit#1696, #879, #1724, #618, #1367).

use crate::ddi::{unit, Unit, MARK};
use gwe_tests::harness::{answer, Scripted, Secured, Tarball, DDI_ID};
use gwe_tests::skip;
use std::fs;
use std::path::PathBuf;

/// A gateway that asks its hawkBit over TLS, and trusts nobody else than these.
fn behind_tls(others: &[&Secured]) -> (Unit, Secured) {
    let unit = unit();
    let front = Secured::before(unit.hawkbit.server());
    let roots: Vec<PathBuf> = others.iter().copied().chain([&front]).map(Secured::ca_certificate).collect();
    let bundle: String = roots.iter().map(|root| fs::read_to_string(root).expect("a CA is there")).collect();
    let path = unit.gateway.root().path("etc/roots.pem");
    unit.gateway.root().write("etc/roots.pem", bundle);
    unit.gateway.root().write("etc/gwe/Engine.config", format!("[engine]\ncacert = {}\n", path.display()));
    unit.gateway.gwe(&["--set-ddi-url", &front.url()]).ok();
    (unit, front)
}

/// Whether the agent under test was built with TLS.
fn has_tls() -> bool {
    let (unit, _front) = behind_tls(&[]);
    !unit.check_in().stderr.contains("built without TLS")
}

#[test]
fn links_in_the_clear_are_followed_over_tls_to_the_configured_host_and_to_no_other() {
    if !has_tls() {
        skip!("needs an agent with TLS");
    }
    let bytes = Tarball::app(MARK).bytes();
    let path = format!("/DEFAULT/controller/v1/{DDI_ID}/softwaremodules/1/artifacts/one.v1.tar.gz");
    // Nobody may come here: it is where links in the clear lead.
    let clear = Scripted::answering(answer(200, &bytes, &[]));
    let elsewhere = clear.url().replace("127.0.0.1", "localhost");
    let store = Scripted::answering(answer(200, &bytes, &[]));
    let cdn = Secured::before(&store);
    let to_clear = Scripted::answering(answer(302, b"", &[&format!("Location: {}/x", clear.url())]));
    let to_clear_tls = Secured::before(&to_clear);
    let to_cdn = Scripted::answering(answer(302, b"", &[&format!("Location: {}/x?sig=1", cdn.url())]));
    let to_cdn_tls = Secured::before(&to_cdn);
    for (what, link, is_installed) in [
        ("the configured host, as the server sees itself", format!("{}{path}", clear.url()), true),
        ("a path", path.clone(), true),
        ("another host in the clear", format!("{elsewhere}{path}"), false),
        ("another host over TLS", format!("{}/one", cdn.url()), true),
        ("one that redirects within TLS", format!("{}/one", to_cdn_tls.url()), true),
        ("one that redirects out of TLS", format!("{}/one", to_clear_tls.url()), false),
    ] {
        let (unit, _front) = behind_tls(&[&cdn, &to_clear_tls, &to_cdn_tls]);
        let mut app = unit.hawkbit.artifact("one.v1.tar.gz", &bytes);
        app["_links"]["download-http"]["href"] = link.into();
        unit.hawkbit.order("8", &[app]);
        let ran = unit.check_in();
        assert_eq!(unit.marks() == "one 1\n", is_installed, "{what}: {}", ran.stderr);
        assert_eq!(clear.requests(), Vec::<String>::new(), "{what}");
    }
    let asked = [store.requests(), to_clear.requests(), to_cdn.requests()].concat();
    assert!(asked.len() >= 4, "{asked:?}");
    assert!(asked.iter().all(|request| !request.to_lowercase().contains("authorization")), "{asked:?}");
}

#[test]
fn a_redirection_of_the_api_leads_nowhere_over_tls_either() {
    if !has_tls() {
        skip!("needs an agent with TLS");
    }
    let other = Scripted::answering(answer(200, br#"{"config":{"polling":{"sleep":"00:05:00"}}}"#, &[]));
    let other_tls = Secured::before(&other);
    for target in [other.url(), other_tls.url()] {
        let (unit, _front) = behind_tls(&[&other_tls]);
        unit.hawkbit.answer_exactly("GET ", 1, answer(301, b"", &[&format!("Location: {target}/")]));
        assert_eq!(unit.check_in().code, Some(1), "{target}");
        assert_eq!(other.requests(), Vec::<String>::new(), "{target}");
        unit.check_in().ok();
    }
}
