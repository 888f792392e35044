//! What comes between an order and its moment: another word on the moment, another image, other keys. Faults that no room has by itself (docs/spec/failures.md,
//! "Between the rooms").

use crate::ddi;
use crate::waiting::{boot, order, pending};
use gwe_tests::harness::{is_asleep, wait_until, Background, Scratch, Signer, Site, Tarball, PATIENCE, SN};
use serde_json::json;
use std::fs;

fn app() -> Tarball {
    Tarball::app("echo two >> $GWE_ROOT/ran")
}

fn has_run(site: &Site) -> bool {
    site.gateway.root().has("ran")
}

/// It lies here since an earlier boot, for something else: the next boot is the one after the word that asks for it.
#[test]
fn the_next_boot_is_the_one_after_the_word_that_asks_for_it() {
    for by_setting in [false, true] {
        let mut site = Site::new();
        site.set("install", "apply", "consent");
        site.check_in().ok();
        site.upload("app.v2.tar.gz", &app());
        site.order(&["app.v2.tar.gz"]);
        site.check_in().ok();
        assert_eq!(pending(&site)[0]["waits_for"], "consent");
        boot(&site);
        if by_setting {
            site.set("install", "apply", "reboot");
        } else {
            order(&site, "app.v2.tar.gz", "reboot");
        }
        site.check_in().ok();
        assert!(!has_run(&site), "by a setting: {by_setting}");
        assert_eq!(pending(&site)[0]["waits_for"], "the next boot");
        assert!(site.fetch_status().contains("waits for the next boot"), "{}", site.fetch_status());
        boot(&site);
        site.check_in().ok();
        assert!(has_run(&site), "by a setting: {by_setting}");
    }
}

/// docs/spec/failures.md, row 6: a district whose power comes back while a fleet's orders wait for hawkBit's window is no reason to come at once.
#[test]
fn what_is_kept_for_hawkbit_s_window_does_not_hurry_the_first_check_in_after_a_boot() {
    let unit = ddi::unit();
    unit.gateway.gwe(&["--set-ddi-interval", "86400"]).ok();
    let tarball = unit.hawkbit.artifact("app.v2.tar.gz", &app().bytes());
    unit.hawkbit.order_as("8", &[tarball], "forced", "skip", Some("unavailable"));
    unit.hawkbit.answer_with("POST /deploymentBase/8/feedback", 2, 503, "");
    for (is_told, what) in [(false, "that it is here is to be told"), (true, "nothing is to be done")] {
        unit.check_in();
        assert_eq!(unit.hawkbit.told("8").contains(&"downloaded none".to_string()), is_told);
        unit.hawkbit.take_log();
        let _ = fs::remove_dir_all(unit.gateway.root().path("run/gwe"));
        let logs = Scratch::new();
        let mut engine = Background::start(&mut unit.gateway.command("gwe"), &logs, "gwe");
        wait_until("the engine sleeps", PATIENCE, || is_asleep(engine.pid()));
        assert_eq!(unit.hawkbit.take_log().is_empty(), is_told, "{what}");
        engine.stop();
    }
}

/// hawkbit#952: one part of an order has failed before anything was begun, and the others are no reason to say that it is too late.
#[test]
fn an_order_that_has_failed_in_part_before_anything_was_begun_can_be_taken_back() {
    for by_another in [false, true] {
        let unit = ddi::unit();
        let mut bad = unit.hawkbit.artifact("bad.v1.tar.gz", &app().bytes());
        bad["hashes"]["sha256"] = "0".repeat(64).into();
        let good = unit.hawkbit.artifact("good.v1.tar.gz", &app().bytes());
        unit.hawkbit.order("8", &[bad, good]);
        unit.hawkbit.answer_with("/artifacts/good", 9, 503, "");
        unit.check_in();
        assert!(unit.gateway.root().read(crate::killed::JOURNAL).contains("[gwe] failed bad v1"));
        if by_another {
            unit.hawkbit.force_quit("8");
            let other = unit.hawkbit.artifact("other.v1.tar.gz", &Tarball::app("true").bytes());
            unit.hawkbit.order("9", &[other]);
        } else {
            unit.hawkbit.cancel("8");
        }
        (0..20).for_each(|_| drop(unit.check_in()));
        assert!(!unit.gateway.root().has("ran"), "by another order: {by_another}");
        assert!(!unit.gateway.root().has(crate::killed::JOURNAL), "by another order: {by_another}");
        let told = if by_another { unit.hawkbit.told("9") } else { unit.hawkbit.told("cancel 8") };
        assert!(told.last().unwrap().starts_with("closed success"), "{told:?}");
    }
}

/// What was taken without a signature waits for hawkBit's window, and the image that comes meanwhile wants one.
#[test]
fn what_came_before_signatures_counted_needs_one_once_they_do() {
    let signer = Signer::new();
    for is_signed in [false, true] {
        let unit = ddi::unit();
        let bytes = app().bytes();
        let tarball = unit.hawkbit.artifact("app.v2.tar.gz", &bytes);
        let signature = unit.hawkbit.artifact("app.v2.tar.gz.minisig", &signer.sign("app.v2.tar.gz", &bytes, None));
        let files = if is_signed { vec![tarball, signature] } else { vec![tarball] };
        let chunk = json!({"part": "bApp", "version": "1", "name": "x", "artifacts": files});
        let chunks = json!([chunk]);
        let closed =
            json!({"download": "forced", "update": "skip", "maintenanceWindow": "unavailable", "chunks": chunks});
        unit.hawkbit.order_exactly("8", closed);
        unit.check_in().ok();
        unit.check_in().ok();
        assert_eq!(unit.hawkbit.told("8").last().unwrap(), "downloaded none");
        unit.gateway.root().write("etc/gwe/trusted/fleet.pub", fs::read(signer.public_key()).unwrap());
        unit.hawkbit.set_window("8", "forced", "available");
        unit.check_in().ok();
        let details = unit.hawkbit.details("8").join("\n");
        assert_eq!(unit.gateway.root().has("ran"), is_signed, "{details}");
        let end = if is_signed { "closed success 0" } else { "closed failure 4" };
        assert_eq!(unit.hawkbit.told("8").last().unwrap(), end, "{details}");
    }
}

/// The root of the image before may be in the hands of a thief, who can sign a set of any version.
#[test]
fn a_set_of_a_root_that_the_image_trusts_no_more_opens_nothing() {
    let (old, new, thief, release) = (Signer::new(), Signer::new(), Signer::new(), Signer::new());
    let site = Site::new();
    let root = site.gateway.root();
    let key = |signer: &Signer| {
        let text = fs::read_to_string(signer.public_key()).unwrap();
        json!({"key": text.lines().nth(1).unwrap()})
    };
    let upload = |name: &str, bytes: &[u8], signer: &Signer| {
        site.murano.upload(name, bytes);
        site.murano.upload(&format!("{name}.minisig"), &signer.sign(name, bytes, None));
    };
    let told = |name: &str| {
        site.order(&[name]);
        site.check_in().ok();
        site.fetch_status()
    };
    let set = |version: u64, signer: &Signer| {
        let text = json!({"version": version, "keys": [key(signer)]}).to_string();
        Tarball::new().file("keys.json", 0o644, text).bytes()
    };
    root.write("etc/gwe/trusted-root/root.pub", fs::read(old.public_key()).unwrap());
    upload("gwe-keys.v9000.tar.gz", &set(9000, &thief), &old);
    assert!(told("gwe-keys.v9000.tar.gz").contains("[gwe] installed gwe-keys v9000"));
    // The image that comes has another root, and a set of its own.
    root.write("etc/gwe/trusted-root/root.pub", fs::read(new.public_key()).unwrap());
    root.write("etc/gwe/keys.json", json!({"version": 2, "keys": [key(&release)]}).to_string());
    upload("app.v1.tar.gz", &Tarball::app("true").bytes(), &thief);
    let said = told("app.v1.tar.gz");
    assert!(said.contains("[gwe] failed app v1: "), "{said}");
    let problems = site.gateway.gwe(&["--check-config"]).exited(1).stdout;
    assert!(problems.contains("key_set.json") && problems.contains("root"), "{problems}");
    upload("gwe-keys.v3.tar.gz", &set(3, &release), &new);
    let said = told("gwe-keys.v3.tar.gz");
    assert!(said.contains("[gwe] installed gwe-keys v3"), "{said}");
    upload("app.v2.tar.gz", &Tarball::app("true").bytes(), &release);
    assert!(told("app.v2.tar.gz").contains("[gwe] installed app v2"));
    assert!(site.murano.read(SN, "engine_fetch").unwrap_or_default().is_empty());
}
