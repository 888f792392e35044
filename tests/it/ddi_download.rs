//! hawkBit's artifacts: downloads that are cut off, hashes, sizes, and servers that are sick or say wait. One test for each field failure.

use super::ddi::{large, unit, MARK};
use gwe::format::hex;
use gwe::format::old_hash::{Md5, OldHash, Sha1};
use gwe_tests::harness::{answer, Tarball};
use serde_json::json;

#[test]
fn r7_a_download_goes_on_over_restarts_and_copes_with_servers_that_cannot() {
    // rauc-hawkbit-updater#101, #223, rauc#1517.
    let unit = unit();
    let bytes = large();
    unit.order_cut_off(&bytes);
    unit.hawkbit.answer_with("/artifacts/", 4, 503, "");
    unit.check_in();
    unit.hawkbit.take_log();
    unit.check_in().ok();
    assert_eq!(unit.marks(), "one 1\n");
    let log = unit.hawkbit.take_log();
    assert!(log.iter().any(|line| line.contains("/artifacts/") && line.ends_with(" 206")), "{log:?}");
    // A server that answers a range with the whole, and with another range.
    for bad in [answer(200, &bytes, &[]), answer(206, &bytes[5..], &["Content-Range: bytes 5-9/10"])] {
        let unit = self::unit();
        unit.order_cut_off(&bytes);
        unit.hawkbit.answer_exactly("/artifacts/", 1, bad);
        unit.check_in().ok();
        assert_eq!(unit.marks(), "one 1\n");
    }
}

#[test]
fn r8_the_strongest_hash_and_the_size_count_before_anything_is_unpacked() {
    // zephyr#37272; goosebit gives SHA-1 alone.
    for (hashes, size, is_good) in [
        (json!({"sha256": "0".repeat(64), "sha1": "a"}), None, false),
        (json!({"sha1": "0".repeat(40)}), None, false),
        (json!({"md5": "0".repeat(32)}), None, false),
        (json!({}), None, false),
        (json!({"sha1": "SHA1"}), None, true),
        (json!({"md5": "MD5"}), None, true),
        (json!({"sha1": "SHA1"}), Some(17), false),
    ] {
        let unit = unit();
        let mut app = unit.app("one.v1.tar.gz", MARK);
        let bytes = Tarball::app(MARK).bytes();
        app["hashes"] = hashes;
        for (word, hash) in [("sha1", sha1(&bytes)), ("md5", md5(&bytes))] {
            if app["hashes"][word] == word.to_uppercase() {
                app["hashes"][word] = hash.into();
            }
        }
        if let Some(size) = size {
            app["size"] = size.into();
        }
        unit.hawkbit.order("8", &[app]);
        unit.check_in();
        unit.check_in();
        let end = unit.hawkbit.told("8").last().cloned().unwrap_or_default();
        assert_eq!((end.starts_with("closed success"), unit.marks().is_empty()), (is_good, !is_good), "{end}");
    }
}

fn sha1(bytes: &[u8]) -> String {
    hex::encode(&{
        let mut hash = OldHash::<Sha1>::new();
        hash.update(bytes);
        hash.finish()
    })
}

fn md5(bytes: &[u8]) -> String {
    hex::encode(&{
        let mut hash = OldHash::<Md5>::new();
        hash.update(bytes);
        hash.finish()
    })
}

#[test]
fn r9_a_missing_artifact_is_an_end_after_a_few_check_ins_and_a_sick_server_is_none() {
    // rauc-hawkbit-updater#158.
    let unit = unit();
    let app = unit.app("one.v1.tar.gz", MARK);
    unit.hawkbit.order("8", std::slice::from_ref(&app));
    unit.hawkbit.answer_with("/artifacts/", 99, 404, "");
    unit.check_in();
    unit.check_in();
    assert!(!unit.hawkbit.is_closed("8"));
    unit.check_in();
    assert_eq!(unit.hawkbit.told("8").last().unwrap(), "closed failure 3");
    let polls = unit.hawkbit.take_log().iter().filter(|line| line.as_str() == "GET  200").count();
    assert!(polls >= 3, "between its tries it asks whether the order still stands");
    // What the operator takes back without asking is not done.
    let unit = self::unit();
    let app = unit.app("one.v1.tar.gz", MARK);
    unit.hawkbit.order("8", &[app]);
    unit.hawkbit.answer_with("/artifacts/", 1, 404, "");
    unit.check_in();
    unit.hawkbit.force_quit("8");
    unit.check_in().ok();
    assert!(!unit.gateway.root().has("var/lib/gwe/install/journal.json"));
}

#[test]
fn r10_a_server_that_says_wait_is_asked_again() {
    // rauc-hawkbit-updater#102, hawkbit#2834.
    let unit = unit();
    unit.settle();
    for status in [409, 429] {
        unit.hawkbit.answer_with("GET ", 1, status, "");
        unit.check_in().ok();
    }
    unit.hawkbit.answer_with("GET ", 3, 429, "");
    assert_ne!(unit.check_in().code, Some(0));
    let log = unit.hawkbit.take_log();
    assert_eq!(log.iter().filter(|line| line.ends_with(" 429")).count(), 4, "{log:?}");
}

/// `make hawkbit-load` saw one 500 among thousands of polls: whatever it meets costs that check-in and nothing else.
#[test]
fn r10_an_error_of_the_server_costs_a_check_in_and_no_order() {
    let error = r#"{"timestamp":"2026-11-28T22:06:55.445+00:00","status":500,"error":"Internal Server Error"}"#;
    for wanted in ["GET ", "GET /deploymentBase", "PUT /configData", "POST /deploymentBase"] {
        let unit = unit();
        let app = unit.app("one.v1.tar.gz", MARK);
        unit.hawkbit.order("8", &[app]);
        unit.hawkbit.answer_with(wanted, 1, 500, error);
        let code = unit.check_in().code;
        let log = unit.hawkbit.take_log();
        assert_eq!(log.iter().filter(|line| line.ends_with(" 500")).count(), 1, "{log:?}");
        // Progress is a courtesy, which nobody repeats.
        assert_eq!(code, Some(if wanted.starts_with("POST") { 0 } else { 1 }), "{wanted}");
        unit.check_in().ok();
        assert_eq!(unit.marks(), "one 1\n", "{wanted}");
        assert_eq!(unit.hawkbit.told("8").last().unwrap(), "closed success 0", "{wanted}");
        unit.settle();
        unit.check_in().ok();
        assert_eq!(unit.hawkbit.take_log(), ["GET  200"], "{wanted}");
    }
}
