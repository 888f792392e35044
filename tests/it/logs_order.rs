//! Logs on request (Azure/iotedge#1596, #2596 and #3356, elastic-agent's diagnostics): an order brings the ends of logs, once, bounded and
//! clean, and the same bytes again where an answer is lost.

use crate::ddi::unit;
use crate::killed::{killed_when, recover, JOURNAL};
use gwe_tests::harness::{Site, Tarball, SN};
use gwe_tests::murano::endpoint::Endpoint;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

const MAX_ANSWER: usize = 32 * 1024;

fn write_log(site: &Site, name: &str, text: &str) {
    site.gateway.root().write(&format!("var/log/{name}"), text);
}

fn ask(site: &Site, order: &str) {
    site.murano.write(SN, "engine_fetch", order);
}

fn raw_status(site: &Site) -> String {
    site.murano.read(SN, "fetch_status").unwrap_or_default()
}

#[test]
fn an_order_brings_the_newest_lines_beside_an_install_or_alone() {
    let site = Site::new();
    write_log(&site, "gwe.log", "one\ntwo\nthree\n");
    write_log(&site, "secrets.log", "what no program of ours has written\n");
    ask(&site, r#"{"logs": {"gwe": 2, "secrets": 5, "../gwe": 1}}"#);
    site.check_in().ok();
    let path = site.gateway.root().path("var/log/gwe.log");
    let gwe = format!("== log of gwe: {} ==\n| two\n| three\n", path.display());
    let refused =
        ["../gwe", "secrets"].map(|name| format!("[gwe] no log of {name}: there is no such app here\n")).to_vec();
    assert_eq!(raw_status(&site), [refused[0].as_str(), &gwe, &refused[1]].concat());
    assert_eq!(site.murano.read(SN, "engine_fetch"), None, "it is cleared");
    // What is told is told once.
    let before = site.reports().len();
    site.check_in().ok();
    assert_eq!(site.reports().len(), before);
    assert!(!site.gateway.root().has("var/lib/gwe/install/journal.json"));
    site.upload("app.v1.tar.gz", &Tarball::app("echo hello"));
    write_log(&site, "app.log", "the app's own\n");
    ask(&site, r#"{"install": [{"name": "app.v1.tar.gz"}], "logs": {"gwe": 1}}"#);
    site.check_in().ok();
    let status = raw_status(&site);
    let expected =
        format!("== log of gwe: {} ==\n| three\n== app.v1.tar.gz ==\nhello\n[gwe] installed", path.display());
    assert!(status.starts_with(&expected), "{status}");
    ask(&site, r#"{"logs": {"app": 1000}}"#);
    site.check_in().ok();
    assert!(raw_status(&site).ends_with("| the app's own\n"), "{}", raw_status(&site));
    ask(&site, r#"{"logs": {"app": "all"}}"#);
    site.check_in().ok();
    assert!(raw_status(&site).starts_with("[gwe] failed: logs has a number of lines"), "{}", raw_status(&site));
}

#[test]
fn the_answer_is_bounded_and_clean_whatever_the_logs_hold() {
    let site = Site::new();
    site.check_in().ok();
    let cik = site.gateway.gwe(&["--gateway-cik"]).ok().stdout.trim().to_string();
    let noise: String = (0..60_000).map(|n| format!("\u{1b}[2J{n} {cik}\u{202e}\n")).collect();
    write_log(&site, "gwe.log", &noise);
    // No line end at all, and the key wherever it may be cut.
    write_log(&site, "gmq.log", &format!("{cik} ").repeat(10_000));
    symlink("/etc/passwd", site.gateway.root().path("var/log/supervisord.log")).unwrap();
    ask(&site, r#"{"logs": {"gwe": 1000, "gmq": 1000, "supervisord": 1000}}"#);
    site.check_in().ok();
    let status = raw_status(&site);
    assert!(status.len() <= MAX_ANSWER && status.len() > MAX_ANSWER / 2, "{}", status.len());
    assert!(!status.contains(&cik) && !status.contains("root:"), "{status}");
    assert!(status.chars().all(|c| !c.is_control() || c == '\n'), "{status}");
    assert!(status.contains("[2J59999 "), "the newest line is there");
    assert!(status.contains("[gwe] no log of supervisord: "), "{status}");
}

#[test]
fn an_answer_that_is_not_acknowledged_is_sent_again_as_it_was() {
    let site = Site::new();
    write_log(&site, "gwe.log", "before\n");
    ask(&site, r#"{"logs": {"gwe": 9}}"#);
    // Taken and cleared; its report does not arrive.
    site.murano.faults(&["write:pass*1", "write:status=500"]);
    site.check_in();
    site.murano.clear_faults();
    write_log(&site, "gwe.log", "after\n");
    let journal = site.gateway.root().path("var/lib/gwe/install/journal.json");
    assert!(fs::read_to_string(&journal).unwrap().contains("| before"), "it is kept");
    site.check_in().ok();
    let status = raw_status(&site);
    assert!(status.ends_with("| before\n") && !status.contains("after"), "{status}");
    assert_eq!(site.reports().len(), 1);
    // The alias cannot be cleared: the same text is the same order.
    ask(&site, r#"{"logs": {"gwe": 8}}"#);
    site.murano.faults(&["write:status=500"]);
    site.check_in();
    site.murano.clear_faults();
    write_log(&site, "gwe.log", "much later\n");
    site.check_in().ok();
    site.check_in().ok();
    assert!(raw_status(&site).ends_with("| after\n"), "{}", raw_status(&site));
    assert_eq!(site.reports().len(), 2);
}

#[test]
fn killed_at_any_moment_an_order_for_logs_is_answered_once() {
    let is_cleared = |site: &Site| site.murano.read(SN, "engine_fetch").is_none();
    // What is seen when it is killed, the faults that keep it there, and how often the same bytes may arrive.
    type Moment = (&'static str, &'static [&'static str], fn(&Site) -> bool, usize);
    let moments: [Moment; 4] = [
        ("ordered", &["hybrid:stall=0,60"], |site| site.murano.count(Endpoint::Hybrid) == 2, 1),
        ("kept", &["write:stall=0,60"], |site| site.gateway.root().has(JOURNAL), 1),
        ("cleared", &["write:pass*1", "write:stall=0,60"], |site| site.murano.read(SN, "engine_fetch").is_none(), 1),
        ("told", &["write:pass*1", "write:lost-reply"], |site| !site.reports().is_empty(), 2),
    ];
    for (moment, faults, is_so, at_most) in moments {
        let site = Site::new();
        site.check_in().ok();
        write_log(&site, "gmq.log", "before\n");
        ask(&site, r#"{"logs": {"gmq": 9}}"#);
        site.murano.faults(faults);
        let reached = killed_when(&site, moment, |_| is_so(&site));
        assert!(reached || moment == "told", "{moment} was not reached");
        site.murano.clear_faults();
        recover(&site);
        site.check_in().ok();
        let reports = site.reports();
        assert!((1..=at_most).contains(&reports.len()), "{moment}: {reports:?}");
        assert!(reports.iter().all(|report| report.ends_with("| before\n") && *report == reports[0]), "{reports:?}");
        assert!(is_cleared(&site) && !site.gateway.root().has(JOURNAL), "{moment}");
    }
}

#[test]
fn hawkbit_s_module_that_is_only_logs_json_is_answered_in_messages() {
    let unit = unit();
    unit.gateway.root().write("var/log/gwe.log", "one <b>\ntwo\nthree\n");
    let file = unit.hawkbit.artifact("logs.json", br#"{"gwe": 2}"#);
    unit.hawkbit.order("8", std::slice::from_ref(&file));
    // Its end is lost once, and told again as it was.
    unit.hawkbit.answer_with("/feedback", 2, 503, "");
    unit.check_in();
    unit.gateway.root().write("var/log/gwe.log", "later\n");
    unit.check_in();
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.told("8"), ["closed success 0"]);
    let details = unit.hawkbit.details("8").join("\n");
    assert!(details.starts_with("== log of gwe: ") && details.ends_with("| two | three"), "{details}");
    // What is no order for logs ends as a failure that says why.
    for (id, body, why) in [
        ("9", &br#"{"gwe": 0}"#[..], "number of lines"),
        ("10", b"no JSON", "is not of the form"),
        ("11", &[b' '; 20_000], "larger than 16 KiB"),
    ] {
        let file = unit.hawkbit.artifact("logs.json", body);
        unit.hawkbit.order(id, &[file]);
        unit.check_in().ok();
        assert_eq!(unit.hawkbit.told(id), ["closed failure 2"], "{id}");
        assert!(unit.hawkbit.details(id)[0].contains(why), "{:?}", unit.hawkbit.details(id));
    }
    let mut other = unit.hawkbit.artifact("logs.json", br#"{"gwe": 1}"#);
    other["hashes"] = json!({"sha256": "0".repeat(64)});
    unit.hawkbit.order("12", &[other]);
    unit.check_in().ok();
    assert!(unit.hawkbit.details("12")[0].contains("its SHA-256 is another"));
}
