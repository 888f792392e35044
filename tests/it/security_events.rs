//! Security events from outside: numbered, kept, and bounded in what they write (docs/security.md, "Security events"; docs/spec/failures.md,
//! F8).

use gwe_tests::harness::{Signer, Site, Tarball};
use serde_json::{json, Value};
use std::fs;

const BOOK: &str = "var/lib/gwe/security/events.json";

fn events(site: &Site) -> Value {
    let status: Value = serde_json::from_str(&site.gateway.gwe(&["--status", "--json"]).ok().stdout).unwrap();
    status["security_events"].clone()
}

#[test]
fn who_sends_bad_signatures_all_day_wears_no_flash_out() {
    let (trusted, stranger) = (Signer::new(), Signer::new());
    let site = Site::new();
    site.gateway.root().write("etc/gwe/trusted/oem.pub", fs::read(trusted.public_key()).unwrap());
    site.check_in().ok();
    assert_eq!(events(&site), json!([]));
    assert!(!site.gateway.root().has("var/lib/gwe/security"), "a gateway to which nothing happens writes nothing");
    assert!(!site.gateway.gwe(&["--status"]).ok().stdout.contains("security events"));

    let tarball = Tarball::app("true").bytes();
    let send = |version: u64, signer: &Signer| {
        let name = format!("app.v{version}.tar.gz");
        site.murano.upload(&name, &tarball);
        site.murano.upload(&format!("{name}.minisig"), &signer.sign(&name, &tarball, None));
        site.order(&[&name]);
        site.check_in().ok();
    };
    send(1, &stranger);
    let first = site.gateway.root().read(BOOK);
    for version in 2..8 {
        send(version, &stranger);
    }
    assert_eq!(site.gateway.root().read(BOOK), first, "one write an hour");
    let told = events(&site);
    assert_eq!((told.as_array().unwrap().len(), &told[0]["n"], &told[0]["times"]), (1, &json!(1), &json!(7)), "{told}");
    assert_eq!(told[0]["what"], "signature_refused");
    assert!(told[0]["about"].as_str().unwrap().starts_with("app.v1.tar.gz: it is signed with the key "), "{told}");
    assert!(told[0]["time"].as_u64().unwrap() > 1_700_000_000, "{told}");
    assert!(site.gateway.gwe(&["--status"]).ok().stdout.contains("security events 1 kept, see --json"));

    // Another kind has an hour of its own, and what is good is no event.
    let at =
        |name: &str, time: u64| trusted.sign(name, &tarball, Some(&format!("timestamp:{time}\tfile:{name}\thashed")));
    for (name, time) in [("b.v2.tar.gz", 2_000), ("b.v1.tar.gz", 1_000)] {
        site.murano.upload(name, &tarball);
        site.murano.upload(&format!("{name}.minisig"), &at(name, time));
        site.order(&[name]);
        site.check_in().ok();
    }
    let told = events(&site);
    assert_eq!((&told[1]["n"], &told[1]["what"]), (&json!(2), &json!("downgrade_refused")), "{told}");
    // A quiet check-in changes nothing.
    let before = site.gateway.root().read(BOOK);
    site.check_in().ok();
    assert_eq!(site.gateway.root().read(BOOK), before);
}

#[test]
fn everybody_may_read_them_and_root_alone_writes() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new();
    site.gateway.root().write("etc/gwe/trusted/oem.pub", "no key");
    site.upload("app.v1.tar.gz", &Tarball::app("true"));
    site.order(&["app.v1.tar.gz"]);
    site.check_in().ok();
    let mode = |path: &str| fs::metadata(site.gateway.root().path(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(BOOK), mode("var/lib/gwe/security") & 0o022), (0o644, 0));
}
