//! Links that cost by the byte: docs/spec/failures.md, F7 (rauc-hawkbit-updater#209, hawkbit#652).

use crate::ddi::unit;
use crate::killed::{killed_when, recover, JOURNAL};
use gwe_tests::harness::{has_program, noise, run, wait_until, Murano, Ran, Site, Tarball, WrongClock, PATIENCE, SN};
use gwe_tests::murano::endpoint::Endpoint;
use gwe_tests::skip;
use serde_json::{json, Value};
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);
pub const ACCOUNT: &str = "var/lib/gwe/month.json";
const PART: &str = "var/lib/gwe/downloads/app.v1.tar.gz.part";

/// An app with so many bytes in it that no compression makes smaller.
fn app(word: &str, length: usize) -> Tarball {
    Tarball::app(&format!("echo {word} >> $GWE_ROOT/ran")).file("noise", 0o644, noise(length))
}

#[test]
fn a_download_takes_the_time_that_its_rate_leaves_it() {
    for is_tls in [false, true] {
        let murano = if is_tls { Murano::with_tls() } else { Murano::start() };
        let (url, bundle) = if is_tls { (murano.tls_url(), murano.ca_certificate()) } else { Default::default() };
        let mut site = Site::of(murano);
        if is_tls {
            site.set("engine", "server", &url);
            site.set("engine", "cacert", bundle.to_str().unwrap());
        }
        site.check_in().ok();
        let tarball = app("paced", 60_000);
        site.gateway.gwe(&["--set-max-rate", "20k"]).ok();
        let begun = Instant::now();
        assert_eq!(site.install("app.v1.tar.gz", &tarball), "[gwe] installed app v1 in N s\n");
        // A lower bound, which no slow machine breaks: all but the first quarter of a second's bytes, and a record of TLS.
        let least = (tarball.bytes().len() - 5000 - 16_384) as f64 / 20_000.0;
        assert!(begun.elapsed() >= Duration::from_secs_f64(least), "TLS: {is_tls}: {:?}", begun.elapsed());
    }
}

/// What has run, one word each.
pub fn ran(site: &Site) -> String {
    let root = site.gateway.root();
    let text = if root.has("ran") { root.read("ran") } else { String::new() };
    text.replace('\n', " ").trim().to_string()
}

fn status(site: &Site, clock: Option<&WrongClock>) -> Value {
    let mut command = site.gateway.command("gwe");
    command.args(["--status", "--json"]);
    let ran = match clock {
        Some(clock) => run(clock.wear(&mut command), LIMIT),
        None => run(&mut command, LIMIT),
    };
    serde_json::from_str(&ran.ok().stdout).expect("JSON")
}

/// What a check-in must not have written.
fn written(site: &Site) -> Vec<(String, std::time::SystemTime)> {
    let root = site.gateway.root();
    let files = site.tree().into_iter().filter(|path| path.starts_with("var/lib/gwe"));
    files.map(|path| (path.clone(), fs::symlink_metadata(root.path(&path)).unwrap().modified().unwrap())).collect()
}

/// A check-in that waits is a quiet one: one request, and no byte written.
pub fn check_in_quietly(site: &Site, check_in: impl Fn() -> Ran) {
    let before = (written(site), site.reports().len());
    site.murano.forget_requests();
    check_in().ok();
    assert_eq!((site.murano.count(Endpoint::Hybrid), site.murano.count(Endpoint::Write)), (1, 0));
    assert_eq!((site.murano.count(Endpoint::Info), site.murano.count(Endpoint::Download)), (0, 0));
    assert_eq!((written(site), site.reports().len()), before);
}

const LINK: &str = "[gwe] waiting app v1: its download waits for a link that is none of wwan* lo (no_downloads_on); \
                    gwe --install-now app lets it begin";

#[test]
fn nothing_is_downloaded_over_a_link_that_is_named_and_all_else_goes_on() {
    let site = Site::new();
    site.gateway.gwe(&["--set-no-downloads-on", "wwan* lo"]).ok();
    site.check_in().ok();
    assert_eq!(site.install("app.v1.tar.gz", &app("one", 9_000)), format!("{LINK}\n"));
    assert_eq!(site.murano.count(Endpoint::Download), 0);
    let pending = &status(&site, None)["pending"][0];
    let object = "a link that is none of wwan* lo (no_downloads_on)";
    assert_eq!((&pending["state"], &pending["waits_for"]), (&json!("downloading"), &json!(object)), "{pending}");
    let people = site.gateway.gwe(&["--status"]).ok().stdout;
    assert!(people.contains(&format!("app.v1.tar.gz  downloading  waits for {object}")), "{people}");
    check_in_quietly(&site, || site.check_in());
    // What comes by hand does not wait, and is not kept back. Orders go on, and can be taken back.
    let by_hand = site.gateway.root().write("tmp/hand.v1.tar.gz", app("hand", 10).bytes());
    site.gateway.gwe(&["--install-apps", by_hand.to_str().unwrap()]).ok();
    site.deploy("other.v1.tar.gz", &app("other", 10));
    site.check_in().ok();
    site.murano.write(SN, "engine_fetch", r#"{"cancel": ["other.v1.tar.gz"]}"#);
    site.check_in().ok();
    assert!(site.fetch_status().contains("[gwe] cancelled other v1"), "{}", site.fetch_status());
    // Another link; a setting says so here.
    site.gateway.gwe(&["--set-no-downloads-on", "wwan*"]).ok();
    site.check_in().ok();
    assert_eq!((ran(&site).as_str(), site.gateway.root().has(JOURNAL)), ("hand one", false));
    assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n");
}

#[test]
fn somebody_s_word_at_the_gateway_is_enough() {
    let site = Site::new();
    site.gateway.gwe(&["--set-no-downloads-on", "lo"]).ok();
    site.install("app.v1.tar.gz", &app("one", 10));
    let said = site.gateway.gwe(&["--install-now", "app"]).exited(1).stdout;
    assert_eq!(said, "[gwe] app.v1.tar.gz is downloading; the engine goes on with it\n");
    site.check_in().ok();
    assert_eq!(ran(&site), "one");
}

#[test]
fn hawkbit_is_told_what_its_order_waits_for() {
    let unit = unit();
    unit.check_in().ok();
    unit.gateway.gwe(&["--set-no-downloads-on", "wwan* lo"]).ok();
    let artifact = unit.hawkbit.artifact("app.v1.tar.gz", &app("one", 10).bytes());
    unit.hawkbit.order("1", &[artifact]);
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.told("1"), ["download none", "download none"]);
    assert_eq!(unit.hawkbit.details("1"), [LINK]);
    unit.hawkbit.take_log();
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.take_log(), ["GET  200"]);
    unit.gateway.gwe(&["--set-no-downloads-on", "''"]).ok();
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.told("1").last().map(String::as_str), Some("closed success 0"));
    assert_eq!(unit.gateway.root().read("ran"), "one\n");
}

#[test]
fn a_download_whose_way_changes_ends_and_goes_on_where_it_was() {
    if !has_program("ip") {
        skip!("needs ip (apt-get install iproute2)");
    }
    let ip = |arguments: &str| run(Command::new("ip").args(arguments.split(' ')), LIMIT).code == Some(0);
    // A network of this thread's own, and of what it starts.
    let test = thread::spawn(move || {
        // SAFETY: it changes nothing but where this thread's sockets are made.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Some("needs root, for a network of its own");
        }
        let steps = ["link set lo up", "link add wwan9 type veth peer name wwan8", "addr add 10.9.1.1/32 dev wwan9"];
        if !steps.iter().all(|step| ip(step)) {
            return Some("needs a kernel with virtual links (veth)");
        }
        let site = Site::new();
        site.gateway.gwe(&["--set-no-downloads-on", "wwan*", "--set-max-rate", "16k"]).ok();
        site.check_in().ok();
        site.deploy("app.v1.tar.gz", &app("one", 600_000));
        let mut check_in = site.gateway.start("gwe", &["--once"]);
        wait_until("some of it to be here", PATIENCE, || size(&site, PART) > 0);
        // The server is where it was, and from now on the way there is another.
        assert!(ip("route replace local 127.0.0.1 dev lo proto kernel scope host src 10.9.1.1 table local"));
        assert!(check_in.wait(LIMIT).is_some_and(|status| status.success()), "{}", check_in.log());
        let here = size(&site, PART);
        assert!(here > 0 && here < 600_000, "{here}");
        assert!(site.fetch_status().contains("a link that is none of wwan*"), "{}", site.fetch_status());
        check_in_quietly(&site, || site.check_in());
        assert!(ip("route replace local 127.0.0.1 dev lo proto kernel scope host src 127.0.0.1 table local"));
        site.gateway.gwe(&["--set-max-rate", ""]).ok();
        site.check_in().ok();
        assert_eq!(ran(&site), "one");
        None
    });
    match test.join() {
        Ok(Some(why)) => skip!("{why}"),
        Ok(None) => {}
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn size(site: &Site, path: &str) -> u64 {
    fs::metadata(site.gateway.root().path(path)).map_or(0, |file| file.len())
}

fn check_in_by(site: &Site, clock: &WrongClock) -> Ran {
    run(clock.wear(site.gateway.command("gwe").arg("--once")), LIMIT)
}

pub fn used(site: &Site, clock: Option<&WrongClock>) -> u64 {
    status(site, clock)["month"]["used"].as_u64().expect("a number")
}

#[test]
fn a_download_waits_for_a_month_in_which_it_fits() {
    const DAY: i64 = 86_400;
    let Some(clock) = WrongClock::new() else { skip!("needs a C compiler") };
    let site = Site::new();
    check_in_by(&site, &clock).ok();
    site.gateway.gwe(&["--set-monthly-bytes", "1M"]).ok();
    // Before a clock is known the bytes count all the same.
    site.deploy("app.v1.tar.gz", &app("one", 600_000));
    check_in_by(&site, &clock).ok();
    assert_eq!((ran(&site).as_str(), &status(&site, Some(&clock))["month"]["name"]), ("one", &Value::Null));
    clock.synchronise();
    check_in_by(&site, &clock).ok();
    let first = used(&site, Some(&clock));
    assert!((600_000..650_000).contains(&first), "{first}");
    site.deploy("app.v2.tar.gz", &app("two", 600_000));
    check_in_by(&site, &clock).ok();
    let line = "[gwe] waiting app v2: its download waits for the next month: it needs more than is left of this one \
                (monthly_bytes = 1M); gwe --install-now app lets it begin\n";
    assert_eq!(site.fetch_status(), line);
    assert_eq!(site.murano.count(Endpoint::Download), 1);
    check_in_quietly(&site, || check_in_by(&site, &clock));
    // A clock that goes back gives nothing back, nor does one that nobody knows to be right.
    clock.turn(-40 * DAY);
    check_in_by(&site, &clock).ok();
    assert_eq!(ran(&site), "one");
    assert!(used(&site, Some(&clock)) >= first);
    clock.turn(0);
    // The month's turn; what is larger than any month is told so at once.
    clock.turn(32 * DAY);
    check_in_by(&site, &clock).ok();
    assert_eq!(ran(&site), "one two");
    site.deploy("large.v1.tar.gz", &app("large", 1_100_000));
    check_in_by(&site, &clock).ok();
    let said = site.fetch_status();
    assert!(
        said.starts_with("[gwe] failed large v1: its download of 11") && said.contains("monthly_bytes = 1M"),
        "{said}"
    );
    site.gateway.gwe(&["--set-monthly-bytes", "5M"]).ok();
    site.order(&["large.v1.tar.gz"]);
    check_in_by(&site, &clock).ok();
    assert_eq!(ran(&site), "one two large");
}

#[test]
fn what_waits_for_a_month_is_refused_once_no_month_has_as_much() {
    let site = Site::new();
    site.gateway.gwe(&["--set-monthly-bytes", "2M"]).ok();
    site.install("app.v1.tar.gz", &app("one", 1_200_000));
    assert!(site.install("app.v2.tar.gz", &app("two", 1_200_000)).contains("waits for the next month"));
    site.gateway.gwe(&["--set-monthly-bytes", "1M"]).ok();
    site.check_in().ok();
    assert!(site.fetch_status().contains("[gwe] failed app v2: its download of 12"), "{}", site.fetch_status());
    assert_eq!((ran(&site).as_str(), site.gateway.root().has(JOURNAL)), ("one", false));
}

/// Five parts of a hundred, as the requirement has it.
const TOLERANCE: u64 = 50_000;

#[test]
fn the_account_of_a_month_survives_a_kill_and_a_power_cut() {
    let site = Site::new();
    site.gateway.gwe(&["--set-monthly-bytes", "1M"]).ok();
    site.check_in().ok();
    site.deploy("app.v1.tar.gz", &app("one", 700_000));
    site.murano.faults(&["download:stall=500000,60"]);
    assert!(killed_when(&site, "half of it", |_| size(&site, PART) >= 490_000));
    // By the kill alone at most what was not yet told is lost, which is one part.
    let killed = used(&site, None);
    assert!((470_000..520_000).contains(&killed), "{killed}");
    // What was in memory is gone, and it is another boot.
    let root = site.gateway.root();
    fs::remove_dir_all(root.path("run")).unwrap();
    let now = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let account = root.read(ACCOUNT);
    assert!(account.contains(now.trim()), "{account}");
    root.write(ACCOUNT, account.replace(now.trim(), "00000000-0000-0000-0000-000000000000"));
    let after = used(&site, None);
    assert!(after + TOLERANCE >= killed && after <= killed, "{after} of {killed}");
    // It goes on where it was, and no byte is counted twice.
    site.murano.clear_faults();
    recover(&site);
    assert_eq!(ran(&site), "one");
    let whole = used(&site, None);
    assert!((700_000 - TOLERANCE..=700_000 + TOLERANCE).contains(&whole), "{whole}");
    // Zeros, or nothing, in its place: said, and begun anew.
    for bytes in [&b"\0\0\0\0"[..], b"", b"{\"month\":"] {
        root.write(ACCOUNT, bytes);
        let checked = site.check_in().ok();
        assert!(checked.stderr.contains("the account of the month begins anew"), "{}", checked.report());
    }
}
