//! What is here and waits for its moment: docs/spec/failures.md, F1 (balena-supervisor#1624, Azure/iot-hub-device-update#691,
//! rauc-hawkbit-updater#155).

use crate::killed::{at_each, kill_at, recover, JOURNAL};
use gwe_tests::harness::{
    run, wait_until, worker_app, Background, Ran, Signer, Site, Tarball, WrongClock, PATIENCE, SN,
};
use gwe_tests::murano::endpoint::Endpoint;
use gwe_tests::skip;
use serde_json::{json, Value};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

const KEPT: &str = "var/lib/gwe/downloads/app.v2.tar.gz";
const LIMIT: Duration = Duration::from_secs(60);

fn app(word: &str) -> Tarball {
    Tarball::app(&format!("echo {word}; echo {word} >> $GWE_ROOT/ran"))
}

pub fn order(site: &Site, name: &str, apply: &str) {
    let text = json!({"install": [{"name": name, "apply": apply}]}).to_string();
    site.murano.write(SN, "engine_fetch", &text);
}

/// What has run, one word each.
fn ran(site: &Site) -> String {
    let root = site.gateway.root();
    let text = if root.has("ran") { root.read("ran") } else { String::new() };
    text.replace('\n', " ").trim().to_string()
}

/// A gateway with version 2 of an app here, waiting for that.
fn waiting_for(apply: &str) -> Site {
    let site = Site::new();
    site.check_in().ok();
    site.upload("app.v2.tar.gz", &app("two"));
    order(&site, "app.v2.tar.gz", apply);
    site.check_in().ok();
    assert_eq!(ran(&site), "", "it waits");
    assert!(site.gateway.root().has(KEPT), "it is here");
    site
}

pub fn pending(site: &Site) -> Value {
    let status: Value = serde_json::from_str(&site.gateway.gwe(&["--status", "--json"]).ok().stdout).expect("JSON");
    status["pending"].clone()
}

/// Its journal says that it came in another boot.
pub fn boot(site: &Site) {
    let root = site.gateway.root();
    let journal = root.read(JOURNAL);
    let now = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(journal.contains(now.trim()), "{journal}");
    root.write(JOURNAL, journal.replace(now.trim(), "00000000-0000-0000-0000-000000000000"));
}

#[test]
fn it_waits_for_consent_and_that_is_told_once_and_shown() {
    let site = waiting_for("consent");
    let line = "[gwe] waiting app v2: it is here, and waits for consent; gwe --install-now app installs it at once\n";
    assert_eq!(site.fetch_status(), line);
    let of_it = &pending(&site)[0];
    assert_eq!((&of_it["tarball"], &of_it["waits_for"]), (&json!("app.v2.tar.gz"), &json!("consent")), "{of_it}");
    let people = site.gateway.gwe(&["--status"]).ok().stdout;
    assert!(people.contains("app.v2.tar.gz  verified  waits for consent"), "{people}");
    // A quiet check-in: one request, and no byte written.
    let before = site.gateway.root().read(JOURNAL);
    let written = fs::metadata(site.gateway.root().path(JOURNAL)).unwrap().modified().unwrap();
    site.murano.forget_requests();
    site.check_in().ok();
    assert_eq!((site.murano.count(Endpoint::Hybrid), site.murano.count(Endpoint::Write)), (1, 0));
    assert_eq!(fs::metadata(site.gateway.root().path(JOURNAL)).unwrap().modified().unwrap(), written);
    assert_eq!((site.reports().len(), site.gateway.root().read(JOURNAL)), (1, before));
    // Others are not kept back.
    assert_eq!(site.install("other.v1.tar.gz", &app("other")), "other\n[gwe] installed other v1 in N s\n");
    assert_eq!(site.gateway.gwe(&["--install-now", "none"]).ok().stdout, "nothing waits\n");
    site.murano.faults(&["any:refuse"]);
    let said = site.gateway.gwe(&["--install-now", "app"]).ok().stdout;
    assert!(said.starts_with("two\n[gwe] installed app v2 in "), "{said}");
    site.murano.clear_faults();
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "two\n[gwe] installed app v2 in N s\n");
    assert_eq!((ran(&site).as_str(), site.gateway.root().has(KEPT)), ("other two", false));
    assert!(!site.gateway.root().has(JOURNAL));
    assert_eq!(site.gateway.gwe(&["--install-now"]).ok().stdout, "nothing waits\n");
}

#[test]
fn the_setting_counts_for_orders_that_do_not_say_and_for_nothing_by_hand() {
    let mut site = Site::new();
    site.set("install", "apply", "consent");
    site.gateway.root().write("usr/share/gwe/apps_to_install/factory.v1.tar.gz", app("factory").bytes());
    site.check_in().ok();
    assert_eq!(ran(&site), "factory");
    let by_hand = site.gateway.root().write("tmp/hand.v1.tar.gz", app("hand").bytes());
    site.gateway.gwe(&["--install-apps", by_hand.to_str().unwrap()]).ok();
    assert_eq!(ran(&site), "factory hand");
    // Two of one order, in different ways.
    site.upload("app.v1.tar.gz", &app("waits"));
    site.upload("now.v1.tar.gz", &app("now"));
    let both = json!({"install": [{"name": "app.v1.tar.gz"}, {"name": "now.v1.tar.gz", "apply": "now"}]});
    site.murano.write(SN, "engine_fetch", &both.to_string());
    site.check_in().ok();
    assert_eq!(ran(&site), "factory hand now");
    let status = site.fetch_status();
    assert!(status.contains("[gwe] waiting app v1") && status.contains("[gwe] installed now v1"), "{status}");
    // What is set otherwise counts for what waits already.
    site.set("install", "apply", "now");
    site.check_in().ok();
    assert_eq!(ran(&site), "factory hand now waits");
}

#[test]
fn it_is_installed_at_the_next_boot() {
    let site = waiting_for("reboot");
    site.check_in().ok();
    assert_eq!(ran(&site), "", "it is the same boot");
    boot(&site);
    // Without a network.
    site.murano.faults(&["any:refuse"]);
    site.check_in().exited(1);
    assert_eq!(ran(&site), "two");
    site.murano.clear_faults();
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "two\n[gwe] installed app v2 in N s\n");
}

/// A wall clock that shows this time of the day, in UTC, and is known to be right. Never before the build of the agent.
fn turn_to(clock: &WrongClock, hours: u64, minutes: u64, seconds: u64) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let ahead = (hours * 3600 + minutes * 60 + seconds + 86_400 - now % 86_400) % 86_400;
    clock.turn(i64::try_from(ahead).unwrap());
}

fn check_in_by(site: &Site, clock: &WrongClock, zone: &str) -> Ran {
    run(clock.wear(site.gateway.command("gwe").arg("--once")).env("TZ", zone), LIMIT)
}

#[test]
fn it_waits_for_the_window_of_the_day_by_a_clock_that_is_known() {
    let Some(clock) = WrongClock::new() else { skip!("needs a C compiler") };
    let mut site = Site::new();
    site.set("install", "window", "23:30-01:00");
    turn_to(&clock, 0, 10, 0);
    check_in_by(&site, &clock, "UTC").ok();
    site.upload("app.v2.tar.gz", &app("two"));
    order(&site, "app.v2.tar.gz", "window");
    // In the window, but who knows.
    check_in_by(&site, &clock, "UTC").ok();
    assert!(site.fetch_status().contains("waits for the window 23:30-01:00 UTC, once the clock is known;"));
    clock.synchronise();
    // 00:10 is two hours later in a zone to the east: local time counts.
    turn_to(&clock, 0, 10, 0);
    check_in_by(&site, &clock, "EAST-2").ok();
    turn_to(&clock, 1, 0, 0);
    check_in_by(&site, &clock, "UTC").ok();
    turn_to(&clock, 23, 29, 30);
    check_in_by(&site, &clock, "UTC").ok();
    assert_eq!((ran(&site).as_str(), site.reports().len()), ("", 1));
    turn_to(&clock, 0, 59, 0);
    check_in_by(&site, &clock, "UTC").ok();
    assert_eq!(ran(&site), "two");
}

#[test]
fn a_clock_of_the_hardware_that_says_the_same_makes_it_known() {
    let Some(clock) = WrongClock::new() else { skip!("needs a C compiler") };
    let mut site = Site::new();
    site.set("install", "window", "02:00-04:00");
    site.set("install", "apply", "window");
    site.deploy("app.v2.tar.gz", &app("two"));
    turn_to(&clock, 3, 0, 0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let hardware = "sys/class/rtc/rtc0/since_epoch";
    // Its battery is empty.
    site.gateway.root().write(hardware, "1234\n");
    check_in_by(&site, &clock, "UTC").ok();
    assert_eq!(ran(&site), "");
    let shown = now.checked_add_signed(clock.offset()).unwrap();
    site.gateway.root().write(hardware, format!("{shown}\n"));
    check_in_by(&site, &clock, "UTC").ok();
    assert_eq!(ran(&site), "two");
}

#[test]
fn the_engine_wakes_when_the_window_opens() {
    let Some(clock) = WrongClock::new() else { skip!("needs a C compiler") };
    let mut site = Site::new();
    for (section, key, value) in
        [("install", "window", "02:00-02:01"), ("install", "apply", "window"), ("engine", "update_interval", "14400")]
    {
        site.set(section, key, value);
    }
    clock.synchronise();
    turn_to(&clock, 1, 59, 45);
    site.deploy("app.v2.tar.gz", &app("two"));
    let mut command = site.gateway.command("gwe");
    let logs = gwe_tests::harness::Scratch::new();
    let mut engine = Background::start(clock.wear(command.env("TZ", "UTC")), &logs, "gwe");
    site.await_status("[gwe] waiting app v2: it is here, and waits for the window 02:00-02:01 UTC;");
    site.await_status("[gwe] installed app v2");
    engine.stop();
}

#[test]
fn a_newer_order_replaces_it_and_one_of_the_same_says_when() {
    let site = waiting_for("consent");
    site.upload("app.v3.tar.gz", &app("three"));
    order(&site, "app.v3.tar.gz", "reboot");
    site.check_in().ok();
    assert!(!site.gateway.root().has(KEPT), "it is not wanted any more");
    assert_eq!(pending(&site)[0]["waits_for"], "the next boot");
    site.murano.forget_requests();
    order(&site, "app.v3.tar.gz", "now");
    site.check_in().ok();
    assert_eq!((ran(&site).as_str(), site.murano.count(Endpoint::Download)), ("three", 0));
    assert_eq!(site.fetch_status(), "three\n[gwe] installed app v3 in N s\n");
}

#[test]
fn what_comes_later_and_is_begun_first_ends_it() {
    let site = waiting_for("consent");
    let by_hand = site.gateway.root().write("tmp/app.v3.tar.gz", app("three").bytes());
    site.gateway.gwe(&["--install-apps", by_hand.to_str().unwrap()]).ok();
    assert_eq!((ran(&site).as_str(), site.gateway.root().has(KEPT)), ("three", false));
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "[gwe] failed app v2: while it waited, app.v3.tar.gz was begun\n");
    // Taken away by hand.
    order(&site, "app.v2.tar.gz", "consent");
    site.check_in().ok();
    site.gateway.gwe(&["--remove-app", "app"]).ok();
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "[gwe] failed app v2: while it waited, app was taken away\n");
    // The same of one order.
    site.upload("app.v4.tar.gz", &app("four"));
    site.upload("app.v5.tar.gz", &app("five"));
    let both = json!({"install": [{"name": "app.v4.tar.gz", "apply": "window"}, {"name": "app.v5.tar.gz"}]});
    site.murano.write(SN, "engine_fetch", &both.to_string());
    site.check_in().ok();
    assert_eq!(ran(&site), "three five");
    assert!(!site.gateway.root().has(JOURNAL), "{}", site.gateway.root().read(JOURNAL));
}

#[test]
fn it_is_taken_back_and_its_tarball_goes_with_it() {
    for taken_back in [json!({"cancel": ["app.v2.tar.gz"]}), json!({"remove": ["app"]})] {
        let site = waiting_for("consent");
        site.murano.write(SN, "engine_fetch", &taken_back.to_string());
        site.check_in().ok();
        let status = site.fetch_status();
        let told = ["[gwe] cancelled app v2\n", "[gwe] removed app: it was not installed\n"];
        assert!(told.contains(&status.as_str()), "{status}");
        assert!(!site.gateway.root().has(KEPT) && !site.gateway.root().has(JOURNAL));
        assert_eq!(site.gateway.gwe(&["--install-now", "all"]).ok().stdout, "nothing waits\n");
    }
}

#[test]
fn what_was_checked_is_what_is_used() {
    // Its bytes change on the disk: it is fetched anew.
    let site = waiting_for("consent");
    site.gateway.root().write(KEPT, app("evil").bytes());
    site.gateway.gwe(&["--install-now"]).exited(1);
    assert_eq!(ran(&site), "");
    site.check_in().ok();
    assert_eq!((ran(&site).as_str(), site.fetch_status().contains("[gwe] installed app v2")), ("two", true));
    // It is gone.
    let site = waiting_for("reboot");
    fs::remove_file(site.gateway.root().path(KEPT)).unwrap();
    boot(&site);
    site.check_in().ok();
    assert_eq!(ran(&site), "two");
}

#[test]
fn a_key_that_counts_no_more_when_its_moment_comes_counts_no_more() {
    let (old, new) = (Signer::new(), Signer::new());
    for (is_there, verdict) in [(true, "two\n[gwe] installed app v2 in N s\n"), (false, "[gwe] failed app v2: ")] {
        let site = Site::new();
        let root = site.gateway.root();
        root.write("etc/gwe/trusted/old.pub", fs::read(old.public_key()).unwrap());
        let bytes = app("two").bytes();
        site.murano.upload("app.v2.tar.gz", &bytes);
        let comment = "timestamp:4000000000\tfile:app.v2.tar.gz";
        site.murano.upload("app.v2.tar.gz.minisig", &old.sign("app.v2.tar.gz", &bytes, Some(comment)));
        order(&site, "app.v2.tar.gz", "consent");
        site.check_in().ok();
        if !is_there {
            root.write("etc/gwe/trusted/new.pub", fs::read(new.public_key()).unwrap());
            fs::remove_file(root.path("etc/gwe/trusted/old.pub")).unwrap();
        }
        // What came with it is enough: no network is needed.
        site.murano.faults(&["any:refuse"]);
        site.gateway.gwe(&["--install-now", "app"]);
        site.murano.clear_faults();
        site.check_in().ok();
        assert!(site.fetch_status().starts_with(verdict), "{}", site.fetch_status());
        assert_eq!(ran(&site), if is_there { "two" } else { "" });
    }
}

const HOLD: &str = "var/lib/gwe/hold/app";

/// Holds what the app would.
pub fn held(site: &Site) -> fs::File {
    let file = fs::File::open(site.gateway.root().path(HOLD)).expect("the agent has made it");
    // SAFETY: the file is open for the whole call.
    assert_eq!(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }, 0);
    file
}

#[test]
fn an_app_holds_off_what_would_stop_it_and_nobody_else_does() {
    let Some(site) = Site::hosted() else { return };
    site.install("app.v1.tar.gz", &worker_app("one"));
    let (root, pid) = (site.gateway.root(), site.pid("app"));
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let told = format!("GWE_HOLD={}\0", root.path(HOLD).display());
    assert!(String::from_utf8_lossy(&environment).contains(&told), "{}", String::from_utf8_lossy(&environment));
    let mode = |path: &str| fs::metadata(root.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(HOLD), mode("var/lib/gwe/hold") & 0o022), (0o600, 0), "nobody else can lock or replace it");
    let lock = held(&site);
    site.deploy("app.v2.tar.gz", &worker_app("two"));
    site.check_in().ok();
    let line = "[gwe] waiting app v2: it is here, and waits for the app, which holds it off; ";
    assert!(site.fetch_status().starts_with(line), "{}", site.fetch_status());
    assert_eq!(pending(&site)[0]["waits_for"], "the app, which holds it off");
    site.check_in().ok();
    // Others are not kept back, and what comes by hand, or takes it away, waits as well.
    assert_eq!(site.install("other.v1.tar.gz", &app("other")), "other\n[gwe] installed other v1 in N s\n");
    let by_hand = root.write("tmp/app.v3.tar.gz", worker_app("three").bytes());
    let said = site.gateway.gwe(&["--install-apps", by_hand.to_str().unwrap()]).exited(1).stdout;
    assert!(said.contains("[gwe] waiting app v3: ") && said.contains("the engine goes on with it"), "{said}");
    let said = site.gateway.gwe(&["--remove-app", "app"]).exited(1).stdout;
    assert!(said.contains("[gwe] waiting to remove app, for the app, which holds it off"), "{said}");
    assert_eq!((site.pid("app"), site.reports().len()), (pid, 3));
    drop(lock);
    recover(&site);
    let all = site.reports().concat();
    assert!(all.contains("[gwe] installed app v2") && all.contains("[gwe] removed app v3"), "{all}");
    assert!(!root.has(HOLD), "it goes with the app");
}

#[test]
fn a_hold_ends_by_somebody_s_word_or_after_the_longest_time() {
    for by_hand in [true, false] {
        let Some(mut site) = Site::hosted() else { return };
        site.install("app.v1.tar.gz", &worker_app("one"));
        let _lock = held(&site);
        site.set("install", "max_hold", if by_hand { "86400" } else { "3" });
        site.deploy("app.v2.tar.gz", &worker_app("two"));
        site.check_in().ok();
        assert!(site.fetch_status().starts_with("[gwe] waiting app v2"), "{}", site.fetch_status());
        if by_hand {
            site.gateway.gwe(&["--install-now", "app"]).ok();
        }
        wait_until("the end of the hold", PATIENCE, || {
            site.check_in();
            site.fetch_status().contains("[gwe] installed app v2")
        });
    }
}

#[test]
fn a_word_that_says_no_moment_is_refused() {
    let site = Site::new();
    site.check_in().ok();
    order(&site, "app.v2.tar.gz", "tonight");
    site.check_in().ok();
    let told = "entry 1 of engine_fetch's install (app.v2.tar.gz) has an apply that is none of now, window, reboot and consent";
    assert_eq!(site.fetch_status(), format!("[gwe] failed: {told}\n"));
}

/// What the log says when a step of the wait has been taken.
const MOMENTS: [&str; 4] = [
    "app.v2.tar.gz: downloading → verified",
    "[gwe] waiting app v2",
    "app.v2.tar.gz: verified → staged",
    "app.v2.tar.gz: settling → done",
];

/// hawkbit#381, thin-edge#3149: whatever the moment of the kill, it waits, is installed once and told once.
#[test]
fn killed_at_any_moment_it_is_installed_once_and_not_before() {
    at_each(&MOMENTS, |moment| {
        let site = Site::new();
        site.check_in().ok();
        site.upload("app.v2.tar.gz", &app("two"));
        order(&site, "app.v2.tar.gz", "reboot");
        let waits = moment.contains("waiting") || moment.contains("→ verified");
        if waits {
            assert!(kill_at(&site, moment), "{moment} was not reached");
            site.check_in().ok();
            assert_eq!(ran(&site), "", "{moment}");
            boot(&site);
        } else {
            site.check_in().ok();
            boot(&site);
            assert!(kill_at(&site, moment), "{moment} was not reached");
        }
        recover(&site);
        assert!(ran(&site).starts_with("two"), "{moment}: {}", ran(&site));
        let all = site.reports().concat();
        assert_eq!(all.matches("[gwe] installed app v2").count(), 1, "{moment}: {all}");
    });
}
