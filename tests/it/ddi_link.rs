//! How hawkBit is spoken to: which origin links lead to, who gets the token, and how often it is asked. One test for each field failure.

use super::ddi::{unit, MARK};
use gwe_tests::harness::{answer, Gateway, Scripted, Tarball, DDI_ID, DDI_TOKEN};

#[test]
fn r14_links_of_a_server_behind_a_proxy_lead_to_the_configured_origin() {
    // hawkbit#1696, #879, #1724: the strict server links to http://inner:8080, which nobody can reach.
    let unit = unit();
    let mut app = unit.app("one.v1.tar.gz", MARK);
    app["_links"]["download-http"]["href"] =
        format!("/DEFAULT/controller/v1/{DDI_ID}/softwaremodules/1/artifacts/one.v1.tar.gz").into();
    unit.hawkbit.order("8", &[app]);
    unit.check_in().ok();
    assert_eq!(unit.marks(), "one 1\n");
    // hawkbit#618: a redirection of the API is not followed.
    unit.hawkbit.answer_exactly("GET ", 1, answer(301, b"", &["Location: http://127.0.0.1:1/"]));
    assert_eq!(unit.check_in().code, Some(1));
}

#[test]
fn r15_the_token_goes_to_the_configured_origin_alone() {
    // hawkbit#941, rauc-hawkbit-updater#174, #199.
    let unit = unit();
    let bytes = Tarball::app(MARK).bytes();
    let store = Scripted::answering(answer(200, &bytes, &[]));
    let far =
        Scripted::answering(answer(302, b"", &[&format!("Location: {}/far?sig={}", store.url(), "s".repeat(600))]));
    let mut app = unit.hawkbit.artifact("one.v1.tar.gz", &bytes);
    app["_links"]["download-http"]["href"] = format!("{}/cdn/one", far.url()).into();
    unit.hawkbit.order("8", &[app]);
    unit.check_in().ok();
    assert_eq!(unit.marks(), "one 1\n");
    let asked = [far.requests(), store.requests()].concat();
    assert!(asked.len() == 2 && asked[1].contains(&"s".repeat(600)), "a signed address arrives whole");
    assert!(asked.iter().all(|request| !request.to_lowercase().contains("authorization")), "{asked:?}");
    // More than three redirections lead nowhere.
    let unit = self::unit();
    let circle = Scripted::answering(answer(302, b"", &["Location: /again"]));
    let mut app = unit.app("one.v1.tar.gz", MARK);
    app["_links"]["download-http"]["href"] = format!("{}/x", circle.url()).into();
    unit.hawkbit.order("8", &[app]);
    unit.check_in();
    assert_eq!((unit.marks().as_str(), circle.requests().len() % 4), ("", 0));
}

#[test]
fn r16_the_polling_time_is_kept_in_every_form() {
    // hawkbit#2533, zephyr#71026.
    let unit = unit();
    let told = || unit.interval();
    for (text, want) in
        [("00:01:00", 60), ("P1D", 86_400), ("1:00:00:10", 86_410), ("00:00:00", 86_410), ("soon", 86_410)]
    {
        unit.hawkbit.set_sleep(text);
        unit.check_in().ok();
        assert_eq!(told(), Some(want), "{text}");
    }
    unit.gateway.gwe(&["--set-ddi-interval", "7"]).ok();
    assert_eq!(told(), Some(7), "a setting of the gateway's own counts for more");
}

/// A district that is told to come once a day, and boots at once, is spread as one that comes once a day (docs/scale.md).
#[test]
fn r16_roughly_what_was_told_survives_a_power_cut_and_costs_flash_only_where_it_has_changed() {
    let unit = unit();
    let poll = |text: &str| {
        unit.hawkbit.set_sleep(text);
        unit.check_in().ok();
        unit.flash()
    };
    let reboot = || std::fs::remove_dir_all(unit.gateway.root().path("run")).expect("there is a /run");
    let before = poll("00:05:00");
    for text in ["00:05:00", "00:05:20", "23:00:00", "00:00:30", "23:00:00", "00:05:00"] {
        assert!(poll(text) == before, "{text}");
    }
    poll("23:00:00");
    let after = poll("22:00:00");
    assert!(after != before, "twice in a row");
    for text in ["23:00:00", "P1D", "P9D", "20:00:00"] {
        assert!(poll(text) == after, "{text}");
    }
    reboot();
    assert_eq!(unit.interval(), Some(79_200));
    unit.hawkbit.answer_with("GET ", 1, 503, "");
    assert_eq!(unit.check_in().code, Some(1));
    assert_eq!(unit.interval(), Some(79_200), "until it is told again");
    poll("00:01:00");
    assert_eq!(unit.interval(), Some(60));
    reboot();
    unit.gateway.gwe(&["--set-ddi-url", "http://127.0.0.1:1"]).ok();
    assert_eq!(unit.interval(), Some(300), "another server has told nothing");
}

#[test]
fn a_wrong_token_costs_nothing_but_the_check_in() {
    let unit = unit();
    unit.gateway.gwe(&["--set-ddi-token", "another"]).ok();
    let ran = unit.check_in();
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("401") && ran.stderr.contains("--set-ddi-token"), "{}", ran.stderr);
    assert_eq!(unit.hawkbit.take_log().len(), 1, "no hammering");
}

#[test]
fn the_token_is_shown_nowhere_and_kept_where_only_root_reads() {
    use std::os::unix::fs::PermissionsExt;
    let unit = unit();
    let shown = [["--gateway-cfg"].as_slice(), &["--status"], &["--status", "--json"], &["--set-ddi-tenant", "T"]];
    for arguments in shown {
        let ran = unit.gateway.gwe(arguments);
        assert!(!ran.stdout.contains(DDI_TOKEN) && !ran.stderr.contains(DDI_TOKEN), "{arguments:?}: {}", ran.stdout);
    }
    let mode = std::fs::metadata(unit.gateway.root().path("var/lib/gwe/Gateway.cfg")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let plain = Gateway::configured("http://127.0.0.1:1", "sn");
    assert!(!plain.gwe(&["--gateway-cfg"]).ok().stdout.contains("ddi"), "who does not use it does not see it");
}
