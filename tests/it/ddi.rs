//! hawkBit's DDI as a source of orders, against a strict server: one test for each field failure, which cites its thread, and what
//! a crash and a change of the source do with it.

use gwe_tests::harness::{answer, wait_until, Gateway, Hawkbit, Ran, Tarball, DDI_ID, DDI_TOKEN, PATIENCE};
use serde_json::{json, Value};

/// A gateway whose orders come from `server`, with an empty root.
pub struct Unit {
    pub hawkbit: Hawkbit,
    pub gateway: Gateway,
}

pub fn unit() -> Unit {
    let hawkbit = Hawkbit::start();
    let gateway = Gateway::new();
    let set =
        ["--set-backend", "ddi", "--set-ddi-url", &hawkbit.url(), "--set-ddi-id", DDI_ID, "--set-ddi-token", DDI_TOKEN];
    gateway.gwe(&set).ok();
    gateway.gwe(&["--set-product-id", "p", "--set-uuid", "00:11"]).ok();
    Unit { hawkbit, gateway }
}

impl Unit {
    pub fn check_in(&self) -> Ran {
        self.gateway.gwe(&["--once"])
    }

    /// A check-in that has told the attributes, so that the next one is as quiet as can be.
    pub fn settle(&self) {
        self.check_in().ok();
        self.hawkbit.take_log();
    }

    /// From one check-in to the next, as `gwe --status` says it.
    pub fn interval(&self) -> Option<u64> {
        let status = self.gateway.gwe(&["--status", "--json"]).ok().stdout;
        serde_json::from_str::<Value>(&status).expect("it is JSON")["update_interval"].as_u64()
    }

    pub fn app(&self, name: &str, script: &str) -> Value {
        self.hawkbit.artifact(name, &Tarball::app(script).bytes())
    }

    /// Orders an app whose download breaks off in the middle, once.
    pub fn order_cut_off(&self, bytes: &[u8]) {
        self.hawkbit.order("8", &[self.hawkbit.artifact("one.v1.tar.gz", bytes)]);
        let whole = answer(200, bytes, &[]);
        self.hawkbit.answer_exactly("/artifacts/", 1, whole[..whole.len() / 2].to_vec());
    }

    /// What lies on flash, file by file, and which of its versions: a rewritten one is another.
    pub fn flash(&self) -> Vec<(String, u64, i64, i64)> {
        use std::os::unix::fs::MetadataExt;
        let version = |path: String| {
            let file = std::fs::metadata(self.gateway.root().path(&path)).expect("it was listed");
            (path, file.ino(), file.ctime(), file.ctime_nsec())
        };
        self.gateway.root().tree("var/lib/gwe").into_iter().map(version).collect()
    }

    pub fn marks(&self) -> String {
        std::fs::read_to_string(self.gateway.root().path("marks")).unwrap_or_default()
    }
}

pub const MARK: &str = "echo $GWE_APP_NAME $GWE_APP_VERSION >> $GWE_ROOT/marks";

/// A tarball that does not shrink.
pub fn large() -> Vec<u8> {
    let noise: Vec<u8> = (0..300_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    Tarball::app(MARK).file("noise", 0o644, noise).bytes()
}

#[test]
fn r1_attributes_are_told_when_asked_for_and_when_they_changed_and_a_quiet_poll_is_one_request() {
    // hawkbit#389, goosebit#415.
    let unit = unit();
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.take_log(), ["GET  200", "PUT /configData 200"]);
    assert_eq!(unit.hawkbit.attributes()["product"], "p");
    let before = unit.flash();
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.take_log(), ["GET  200"]);
    assert_eq!(unit.flash(), before);
    unit.hawkbit.ask_for_attributes();
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.take_log(), ["GET  200", "PUT /configData 200"]);
    unit.gateway.gwe(&["--set-product-id", "q\u{e4}"]).ok();
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.attributes()["product"], "q_", "hawkbit#1083: what a server refuses is not sent");
}

#[test]
fn r2_several_modules_are_one_order_in_order() {
    // rauc-hawkbit-updater#222, #103.
    let unit = unit();
    let apps = ["one.v1.tar.gz", "two.v2.tar.gz"].map(|name| unit.app(name, MARK));
    unit.hawkbit.order("8", &apps);
    unit.check_in().ok();
    assert_eq!(unit.marks(), "one 1\ntwo 2\n");
    assert_eq!(
        unit.hawkbit.told("8"),
        ["download none", "proceeding none", "closed success 0"],
        "rhu: R12, few feedbacks"
    );
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.attributes()["app.two"], "2");
    assert_eq!(unit.hawkbit.attributes()["sw_version"], "2", "goosebit orders a version until this is it");
}

#[test]
fn r3_success_is_told_only_of_what_stands_and_a_failure_has_its_reason() {
    // rauc-hawkbit-updater#161, hawkbit#3185.
    let unit = unit();
    let apps = [unit.app("good.v1.tar.gz", MARK), unit.app("bad.v1.tar.gz", "echo '<b>why</b>'; exit 3")];
    unit.hawkbit.order("8", &apps);
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.told("8").last().unwrap(), "closed failure 1");
    let details = unit.hawkbit.details("8");
    assert!(
        details[0].starts_with("[gwe] installed good") && details[1].contains("install.sh exited with 3"),
        "{details:?}"
    );
    assert!(details.contains(&"(b>why(/b>".to_string()) || details.contains(&"(b)why(/b)".to_string()), "{details:?}");
}

#[test]
fn r4_an_end_is_told_until_it_is_acknowledged_and_nothing_is_installed_twice() {
    // hawkbit#381, zephyr#71750.
    let unit = unit();
    let app = unit.app("one.v1.tar.gz", MARK);
    unit.hawkbit.order("8", &[app]);
    unit.hawkbit.answer_with("/feedback", 4, 503, "");
    unit.check_in();
    unit.check_in();
    assert_eq!((unit.marks().as_str(), unit.hawkbit.is_closed("8")), ("one 1\n", false));
    unit.check_in().ok();
    assert_eq!((unit.marks().as_str(), unit.hawkbit.told("8")), ("one 1\n", vec!["closed success 0".to_string()]));
    unit.check_in().ok();
    assert_eq!(unit.marks(), "one 1\n");
}

#[test]
fn r5_a_cancel_is_answered_by_the_words_that_end_it() {
    // hawkbit#952, #950, zephyr#89530, zephyr#71691.
    let unit = unit();
    let app = unit.app("one.v1.tar.gz", MARK);
    unit.hawkbit.order("8", std::slice::from_ref(&app));
    unit.hawkbit.answer_with("GET /softwaremodules", 9, 503, "");
    unit.check_in();
    unit.hawkbit.cancel("8");
    unit.check_in().ok();
    assert_eq!((unit.hawkbit.told("cancel 8"), unit.marks().as_str()), (vec!["closed success".to_string()], ""));
    assert!(!unit.gateway.root().has("var/lib/gwe/install/journal.json"));
    // Too late: it was installed, and its end did not arrive.
    let unit = self::unit();
    let app = unit.app("one.v1.tar.gz", MARK);
    unit.hawkbit.order("9", &[app]);
    unit.hawkbit.answer_with("POST /deploymentBase/9/feedback", 99, 503, "");
    unit.check_in();
    unit.hawkbit.cancel("9");
    unit.check_in();
    assert!(!unit.hawkbit.is_closed("9"), "the end comes first, and does not arrive");
    assert_eq!(unit.marks(), "one 1\n");
}

#[test]
fn r6_windows_and_download_only() {
    // rauc-hawkbit-updater#111, #159, #160, hawkbit#2026.
    let unit = unit();
    let app = unit.app("one.v1.tar.gz", MARK);
    unit.hawkbit.order_as("8", std::slice::from_ref(&app), "forced", "skip", Some("unavailable"));
    for _ in 0..3 {
        unit.check_in().ok();
    }
    assert_eq!(
        (unit.hawkbit.told("8"), unit.marks().as_str()),
        (vec!["download none".into(), "downloaded none".to_string()], "")
    );
    let loads = |log: Vec<String>| log.iter().filter(|line| line.contains("/artifacts/")).count();
    let log = unit.hawkbit.take_log();
    let looks = log.iter().filter(|line| line.contains("GET /deploymentBase")).count();
    assert_eq!((loads(log), looks), (1, 1), "a look at what has not changed costs a status entry");
    unit.hawkbit.set_window("8", "forced", "available");
    unit.check_in().ok();
    assert_eq!(
        (unit.hawkbit.told("8").last().unwrap().as_str(), unit.marks().as_str()),
        ("closed success 0", "one 1\n")
    );
    // A window that closes before all is here is waited for again.
    let late = unit.app("late.v1.tar.gz", MARK);
    unit.hawkbit.order_as("7", std::slice::from_ref(&late), "forced", "forced", Some("available"));
    unit.hawkbit.answer_with("/artifacts/", 9, 503, "");
    unit.check_in();
    unit.hawkbit.set_window("7", "skip", "unavailable");
    for _ in 0..9 {
        unit.check_in();
    }
    assert_eq!(
        (unit.hawkbit.told("7").last().unwrap().as_str(), unit.marks().as_str()),
        ("downloaded none", "one 1\n")
    );
    unit.hawkbit.set_window("7", "forced", "available");
    unit.check_in().ok();
    assert_eq!(unit.marks(), "one 1\nlate 1\n");
    // Download only: that is its end; the order that installs it finds it there.
    let two = unit.app("two.v1.tar.gz", MARK);
    unit.hawkbit.order_as("9", std::slice::from_ref(&two), "forced", "skip", None);
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.told("9"), ["download none", "downloaded none"]);
    assert!(unit.hawkbit.is_closed("9"));
    unit.check_in().ok();
    unit.hawkbit.take_log();
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.take_log(), ["GET  200"], "what is kept makes no noise");
    unit.hawkbit.order("10", &[two]);
    unit.check_in().ok();
    assert_eq!(loads(unit.hawkbit.take_log()), 0);
    assert_eq!(unit.marks(), "one 1\nlate 1\ntwo 1\n");
    // The API allows it, and no server was seen to say it.
    let skipped = unit.app("three.v1.tar.gz", MARK);
    unit.hawkbit.order_as("11", &[skipped], "skip", "skip", None);
    unit.check_in().ok();
    assert!(unit.hawkbit.told("11").is_empty());
}

#[test]
fn r11_an_end_that_is_refused_is_told_bare() {
    // hawkbit#1321.
    for status in [400, 403, 413, 422, 429] {
        let unit = unit();
        let app = unit.app("bad.v1.tar.gz", "for i in $(seq 99); do echo \"<new $i>\"; done; exit 1");
        unit.hawkbit.order("8", &[app]);
        // Two of its progress, then the end: a 429 is first repeated as it is.
        unit.hawkbit.answer_with("POST /deploymentBase/8/feedback", 2, 200, "");
        unit.hawkbit.answer_with("POST /deploymentBase/8/feedback", if status == 429 { 3 } else { 1 }, status, "<x>");
        unit.check_in().ok();
        assert_eq!(unit.hawkbit.told("8"), ["closed failure"], "{status}");
    }
}

#[test]
fn r12_an_action_has_few_feedbacks_whatever_happens() {
    // hawkbit#1249, #1190.
    let unit = unit();
    unit.order_cut_off(&large());
    unit.hawkbit.answer_with("/artifacts/", 9, 503, "");
    let mut check_ins = 1;
    while unit.check_in().code != Some(0) {
        check_ins += 1;
        assert!(check_ins < 9, "it ends");
    }
    assert!(check_ins > 2, "it took but {check_ins}");
    assert_eq!(
        unit.hawkbit.told("8"),
        ["download none", "proceeding none", "closed success 0"],
        "whoever tried how often"
    );
    assert_eq!(unit.marks(), "one 1\n");
}

#[test]
fn r13_what_is_no_answer_is_a_failed_check_in_and_no_order() {
    // zephyr#48863, rauc-hawkbit-updater#85.
    let unit = unit();
    unit.settle();
    for body in
        ["", "null", "{}", "[", "<html>log in</html>", "{\"config\":{\"polling\":{\"sleep\":\"00:0", "\u{0}\u{1}"]
    {
        unit.hawkbit.answer_with("GET ", 1, 200, body);
        let ran = unit.check_in();
        assert_eq!(ran.code, Some(1), "{body:?}: {}", ran.stderr);
    }
    let app = unit.app("one.v1.tar.gz", MARK);
    unit.hawkbit.order("8", &[app]);
    for body in ["null", "{}", "{\"id\":8}", "{\"id\":\"8/..\",\"deployment\":{}}"] {
        unit.hawkbit.answer_with("GET /deploymentBase", 1, 200, body);
        unit.check_in();
        assert_eq!(unit.marks(), "", "{body:?}");
    }
    unit.check_in().ok();
    assert_eq!(unit.marks(), "one 1\n");
}

#[test]
fn r17_a_number_that_comes_again_after_its_end_is_a_new_order() {
    // goosebit: the action's id is the software's.
    let unit = unit();
    let app = unit.app("one.v1.tar.gz", MARK);
    unit.hawkbit.order("8", std::slice::from_ref(&app));
    unit.check_in().ok();
    unit.hawkbit.order("8", std::slice::from_ref(&app));
    unit.check_in().ok();
    assert_eq!(unit.marks(), "one 1\none 1\n");
}

#[test]
fn r18_what_cannot_be_done_is_refused_with_its_reason() {
    // rauc-hawkbit-updater#149, hawkbit#1843.
    for (name, word) in [("image.raucb", "image.raucb"), ("../x.v1.tar.gz", "failed"), ("my app.v1.tar.gz", "failed")] {
        let unit = unit();
        let mut app = unit.app("one.v1.tar.gz", MARK);
        app["filename"] = name.into();
        unit.hawkbit.order("8", &[app]);
        unit.check_in().ok();
        assert_eq!(unit.hawkbit.told("8").last().unwrap(), "closed failure 2", "{name}");
        assert!(unit.hawkbit.details("8")[0].contains(word), "{:?}", unit.hawkbit.details("8"));
    }
    let unit = unit();
    unit.hawkbit.order("8", &[]);
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.told("8"), ["closed failure 2"]);
}

#[test]
fn r18_modules_and_links_of_every_form_are_understood_or_refused_with_the_reason() {
    let unit = unit();
    let good = unit.app("one.v1.tar.gz", MARK);
    let href = good["_links"]["download-http"]["href"].clone();
    let links = |rels: &[&str]| -> Value { rels.iter().map(|rel| (rel.to_string(), json!({"href": href}))).collect() };
    let with = |key: &str, value: Value| {
        let mut app = good.clone();
        app[key] = value;
        json!([{"artifacts": [app]}])
    };
    let two = |name: &str| {
        let mut beside = good.clone();
        beside["filename"] = name.into();
        json!([{"artifacts": [beside, good]}])
    };
    let elsewhere = json!({"download": {"href": href}, "download-http": {"href": "http://127.0.0.1:1/x"}});
    // The modules; installed, or what the first message says.
    for (number, (chunks, refused)) in [
        (with("_links", links(&["https", "md5sum"])), None),
        (with("_links", elsewhere), None),
        (with("_links", links(&["one", "two"])), Some("no link")),
        (with("_links", links(&["md5sum-http"])), Some("no link")),
        (with("_links", Value::Null), Some("no link")),
        (with("_links", json!([])), Some("no link")),
        (with("size", Value::Null), Some("no size")),
        (with("size", "12".into()), Some("no size")),
        (with("hashes", json!({"sha256": "short"})), Some("no hash")),
        (with("filename", "a".repeat(201).into()), Some("too long")),
        (two("one.v1.tar.gz.minisig"), None),
        (two("one.v1.tar.gz.MD5SUM"), None),
        (json!([{"part": "os", "artifacts": []}, {"artifacts": [good]}, {"name": "x"}, {"artifacts": null}]), None),
        (json!([{"artifacts": [], "metadata": [{"key": "note", "value": "x"}]}]), Some("names no app")),
    ]
    .into_iter()
    .enumerate()
    {
        let id = number.to_string();
        let before = unit.marks();
        unit.hawkbit.order_exactly(&id, json!({"download": "forced", "update": "forced", "chunks": chunks}));
        unit.check_in().ok();
        let (said, end) = (unit.hawkbit.details(&id), unit.hawkbit.told(&id).last().cloned());
        let is_installed = unit.marks() != before;
        match refused {
            None => assert!(is_installed && end.as_deref() == Some("closed success 0"), "{number}: {end:?} {said:?}"),
            Some(why) => assert!(
                !is_installed && end.as_deref() == Some("closed failure 2") && said[0].contains(why),
                "{number}: {end:?} {said:?}"
            ),
        }
    }
}

#[test]
fn r19_attributes_tell_what_is_there_and_a_refused_content_is_refused_again() {
    // hawkbit#446, #3185.
    let unit = unit();
    let app = unit.app("one.v1.tar.gz", MARK);
    unit.hawkbit.order("8", &[app]);
    unit.check_in().ok();
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.attributes()["app.one"], "1");
    let bad = unit.hawkbit.artifact("one.v2.tar.gz", b"no tarball");
    unit.hawkbit.order("9", &[bad]);
    unit.check_in().ok();
    unit.check_in().ok();
    assert!(unit.hawkbit.told("9").last().unwrap().starts_with("closed failure"));
    assert_eq!(unit.hawkbit.attributes()["app.one"], "1");
}

#[test]
fn r20_a_network_that_was_late_is_found_and_an_order_without_consent_is_not_begun() {
    // rauc-hawkbit-updater#117, #208, hawkbit#1667.
    let unit = unit();
    unit.hawkbit.answer_with("GET ", 1, 503, "");
    let app = unit.app("one.v1.tar.gz", MARK);
    unit.hawkbit.order("8", &[app]);
    unit.hawkbit.wait_for_consent("8");
    unit.gateway.gwe(&["--set-ddi-interval", "1"]).ok();
    let engine = unit.gateway.start("gwe", &[]);
    wait_until("a poll after the failed one", PATIENCE, || unit.hawkbit.take_log().contains(&"GET  200".to_string()));
    drop(engine);
    assert_eq!(unit.marks(), "", "no consent yet");
    unit.gateway.gwe(&["--set-ddi-confirm", "auto"]).ok();
    unit.check_in().ok();
    assert_eq!(unit.marks(), "one 1\n");
}

#[test]
fn a_kill_in_any_state_neither_loses_an_order_nor_installs_it_twice() {
    // Killed at each request and in the script: what comes next is the same check-in again.
    for at in ["GET /deploymentBase", "/artifacts/", "POST /deploymentBase", "script"] {
        let unit = unit();
        let pause = "[ -e $GWE_ROOT/once ] || { touch $GWE_ROOT/once; kill -9 $PPID; sleep 1; }";
        let script = if at == "script" { format!("{pause}; {MARK}") } else { MARK.to_string() };
        let app = unit.app("one.v1.tar.gz", &script);
        unit.hawkbit.order("8", &[app]);
        if at != "script" {
            unit.hawkbit.get_stuck_at(at);
        }
        let mut first = unit.gateway.start("gwe", &["--once"]);
        wait_until("its moment", PATIENCE, || {
            unit.gateway.root().has("once") || unit.hawkbit.take_log().iter().any(|line| line.contains(at))
        });
        first.kill();
        for _ in 0..3 {
            unit.check_in();
        }
        assert_eq!(unit.marks().lines().last(), Some("one 1"), "{at}");
        assert!(unit.marks().lines().count() == 1, "{at}: {}", unit.marks());
        assert!(unit.hawkbit.is_closed("8"), "{at}");
        assert_eq!(unit.hawkbit.told("8").iter().filter(|told| told.starts_with("closed")).count(), 1, "{at}");
    }
}
