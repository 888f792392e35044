//! Updates by delta from hawkBit: what lies beside a tarball in its module is known by its name, has a hash and perhaps a signature of its
//! own, and gives way to the tarball where it is of no use.

use crate::ddi::{unit, Unit};
use crate::delta::{delta, noise};
use gwe_tests::harness::{Signer, Tarball};
use serde_json::{json, Value};

const OLD: &str = "app.v1.tar.gz";
const NEW: &str = "app.v2.tar.gz";
const DELTA: &str = "app.v2.from.v1.delta";

fn app(version: &str) -> Vec<u8> {
    Tarball::app("true").file("program", 0o755, noise(1, 50_000)).file("version", 0o644, version).bytes()
}

/// An order of one module with all these files.
fn order(unit: &Unit, id: &str, artifacts: &[Value]) {
    let chunk = json!({"part": "bApp", "version": "1", "name": "x", "artifacts": artifacts});
    unit.hawkbit.order_exactly(id, json!({"download": "forced", "update": "forced", "chunks": [chunk]}));
}

/// What was downloaded since the log was taken last.
fn downloads(unit: &Unit) -> Vec<String> {
    let log = unit.hawkbit.take_log();
    let name = |line: &String| line.split_once("/artifacts/")?.1.split(' ').next().map(str::to_string);
    log.iter().filter_map(name).collect()
}

#[test]
fn deltas_among_a_module_s_artifacts_are_found_by_their_names() {
    // What is made of the module's files, what is downloaded, and why the delta is not used where one is tried.
    type Change = fn(&mut Vec<Value>);
    let rows: [(&str, Change, &[&str], Option<&str>); 7] = [
        ("as it should be", |_| {}, &[DELTA], None),
        (
            "its own hash is another",
            |files| files[1]["hashes"]["sha256"] = "0".repeat(64).into(),
            &[DELTA, NEW],
            Some("its SHA-256 is "),
        ),
        (
            "it is known by its MD5 alone, and has another",
            |files| files[1]["hashes"] = json!({"md5": "0".repeat(32)}),
            &[DELTA, NEW],
            Some("its MD5 is "),
        ),
        ("it has no hash", |files| files[1]["hashes"] = json!({}), &[NEW], None),
        ("it has no link", |files| files[1]["_links"] = json!({}), &[NEW], None),
        ("it is to another version", |files| files[1]["filename"] = "app.v3.from.v1.delta".into(), &[NEW], None),
        (
            "it is from a version that is not here",
            |files| files[1]["filename"] = "app.v2.from.v0.delta".into(),
            &[NEW],
            None,
        ),
    ];
    let (old, new) = (app("1"), app("2"));
    let bytes = delta((OLD, &old), (NEW, &new));
    for (what, change, loads, reason) in rows {
        let unit = unit();
        order(&unit, "7", &[unit.hawkbit.artifact(OLD, &old)]);
        unit.check_in().ok();
        assert_eq!(unit.hawkbit.told("7").last().unwrap(), "closed success 0", "{what}");
        unit.hawkbit.take_log();
        let stray = unit.hawkbit.artifact("other.v2.from.v1.delta", &bytes);
        let mut files = vec![unit.hawkbit.artifact(NEW, &new), unit.hawkbit.artifact(DELTA, &bytes), stray];
        change(&mut files);
        order(&unit, "8", &files);
        unit.check_in().ok();
        assert_eq!(downloads(&unit), loads, "{what}");
        assert_eq!(unit.hawkbit.told("8").last().unwrap(), "closed success 0", "{what}");
        assert_eq!(unit.gateway.root().read("var/lib/gwe/apps/app/b/version"), "2", "{what}");
        let details = unit.hawkbit.details("8").join("\n");
        assert_eq!(details.contains("was not used"), reason.is_some(), "{what}: {details}");
        assert!(reason.is_none_or(|reason| details.contains(reason)), "{what}: {details}");
        let received = format!("[gwe] received {} bytes for {DELTA}", bytes.len());
        assert_eq!(details.contains(&received), loads == [DELTA], "{what}: {details}");
    }
}

#[test]
fn with_a_trusted_key_the_delta_needs_the_signature_beside_it() {
    let signer = Signer::new();
    let (old, new) = (app("1"), app("2"));
    let bytes = delta((OLD, &old), (NEW, &new));
    for is_signed in [true, false] {
        let unit = unit();
        unit.gateway.root().write("etc/gwe/trusted/oem.pub", std::fs::read(signer.public_key()).unwrap());
        let with_signature = |name: &str, bytes: &[u8]| {
            let signature = signer.sign(name, bytes, None);
            [unit.hawkbit.artifact(name, bytes), unit.hawkbit.artifact(&format!("{name}.minisig"), &signature)]
        };
        order(&unit, "7", &with_signature(OLD, &old));
        unit.check_in().ok();
        unit.hawkbit.take_log();
        let mut files = with_signature(NEW, &new).to_vec();
        files.extend(with_signature(DELTA, &bytes).into_iter().take(if is_signed { 2 } else { 1 }));
        order(&unit, "8", &files);
        unit.check_in().ok();
        let signature = if is_signed { DELTA } else { NEW }.to_string() + ".minisig";
        let want = if is_signed { vec![DELTA, &signature] } else { vec![DELTA, NEW, &signature] };
        assert_eq!(downloads(&unit), want);
        assert_eq!(unit.hawkbit.told("8").last().unwrap(), "closed success 0");
        assert_eq!(unit.gateway.root().read("var/lib/gwe/apps/app/b/version"), "2");
        let details = unit.hawkbit.details("8").join("\n");
        assert_eq!(details.contains("it is not signed"), !is_signed, "{details}");
    }
}

#[test]
fn a_delta_without_its_tarball_is_no_order() {
    let unit = unit();
    let bytes = delta((OLD, &app("1")), (NEW, &app("2")));
    order(&unit, "8", &[unit.hawkbit.artifact(DELTA, &bytes)]);
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.told("8").last().unwrap(), "closed failure 2");
    assert!(
        unit.hawkbit.details("8")[0].contains("the order names no app to install"),
        "{:?}",
        unit.hawkbit.details("8")
    );
    assert!(downloads(&unit).is_empty());
}

#[test]
fn what_a_server_did_not_give_at_once_is_still_the_delta() {
    // Where the delta is stands in the journal: the next check-in does not read the order again.
    let unit = unit();
    let (old, new) = (app("1"), app("2"));
    let bytes = delta((OLD, &old), (NEW, &new));
    order(&unit, "7", &[unit.hawkbit.artifact(OLD, &old)]);
    unit.check_in().ok();
    order(&unit, "8", &[unit.hawkbit.artifact(NEW, &new), unit.hawkbit.artifact(DELTA, &bytes)]);
    unit.hawkbit.answer_with("GET /softwaremodules", 5, 503, "");
    unit.check_in();
    assert!(!unit.hawkbit.is_closed("8"));
    unit.hawkbit.take_log();
    unit.check_in().ok();
    let loads = downloads(&unit);
    assert!(!loads.is_empty() && loads.iter().all(|name| name == DELTA), "{loads:?}");
    assert_eq!(unit.hawkbit.told("8").last().unwrap(), "closed success 0");
}
