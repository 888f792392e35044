//! Links that cost by the byte, beside their neighbours: sets of keys, the agent's own update, deltas, hawkBit, the month's turn (docs/spec/failures.md, F7:
//! rauc-hawkbit-updater#209, hawkbit#652).

use crate::ddi::unit;
use crate::delta::{self, Case, DELTA, NEW, OFFER};
use crate::key_sets::{key, Fleet};
use crate::metered::{check_in_quietly, ran, used, ACCOUNT};
use crate::self_update::{good, Field};
use gwe_tests::harness::{
    noise, run, wait_until, Background, Gateway, Scratch, Signer, Site, Tarball, WrongClock, PATIENCE,
};
use gwe_tests::murano::endpoint::Endpoint;
use gwe_tests::skip;
use serde_json::json;
use std::fs;

/// A month of so many bytes, of which so many are left: what was used since the boot counts, too.
fn month(site: &Site, setting: &str, bytes: u64, left: u64) {
    site.gateway.gwe(&["--set-monthly-bytes", setting]).ok();
    write_account(&site.gateway, bytes - left - used(site, None));
    assert_eq!(used(site, None), bytes - left);
}

fn write_account(gateway: &Gateway, used: u64) {
    let account = json!({"month": 0, "used": used, "boot": "", "seen": 0, "at": 0, "age": 0});
    gateway.root().write(ACCOUNT, account.to_string());
}

/// Whatever a download has to wait for, a set of keys comes, and its signature: it is small, and may be urgent.
#[test]
fn a_set_of_keys_waits_for_no_link_and_no_month() {
    for is_month in [true, false] {
        let (fleet, signer) = (Fleet::new(), Signer::new());
        let site = &fleet.site;
        site.check_in().ok();
        match is_month {
            true => month(site, "1M", 1_000_000, 0),
            false => drop(site.gateway.gwe(&["--set-no-downloads-on", "lo"]).ok()),
        }
        let (app, set) = (fleet.upload_app(1, &signer), fleet.upload_set(1, json!({"keys": [key(&signer)]})));
        let told = fleet.told(&[&app, &set]);
        let object = if is_month { "the next month" } else { "a link that is none of lo" };
        let wait = format!("[gwe] waiting app v1: its download waits for {object}");
        assert!(told.iter().any(|line| line.starts_with(&wait)), "{told:?}");
        assert!(told.iter().any(|line| line == "[gwe] installed gwe-keys v1 in N s"), "{told:?}");
        // The set and its signature, and nothing of what waits.
        assert_eq!(site.murano.count(Endpoint::Download), 2);
        site.gateway.gwe(&["--set-no-downloads-on", "''", "--set-monthly-bytes", "''"]).ok();
        site.check_in().ok();
        assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n");
    }
}

/// It is no more urgent than any app: hours of a thin link, or what is left of a month.
#[test]
fn the_agent_s_own_update_waits_for_a_link_and_for_a_month() {
    let Some(field) = Field::with(&[("network", "no_downloads_on", "lo")]) else { return };
    let name = "gwe.v0.1.7.tar.gz";
    field.site.deploy(name, &good("0.1.7"));
    field.await_status("[gwe] waiting gwe v0.1.7: its download waits for a link that is none of lo");
    write_account(&field.site.gateway, 500_000_000);
    field.image("gwe", &["--set-monthly-bytes", "500M", "--set-no-downloads-on", "''"]).ok();
    field.await_status("[gwe] waiting gwe v0.1.7: its download waits for the next month");
    field.site.murano.forget_requests();
    wait_until("further check-ins", PATIENCE, || field.site.murano.count(Endpoint::Hybrid) >= 2);
    assert_eq!((field.site.murano.count(Endpoint::Info), field.site.murano.count(Endpoint::Download)), (0, 0));
    field.image("gwe", &["--set-monthly-bytes", "600M"]).ok();
    field.await_status("[gwe] installed gwe v0.1.7 in N s\n");
    field.runs("0.1.7", &field.slot("a"));
}

#[test]
fn a_month_with_room_for_a_delta_alone_takes_the_delta() {
    let case = Case::new();
    month(&case.site, "1M", 1_000_000, 100_000);
    let status = case.status_of(OFFER);
    assert!(status.ends_with("[gwe] installed app v2 in N s\n"), "{status}");
    assert_eq!(case.downloads(), [DELTA]);
    assert!(used(&case.site, None) < 1_000_000);
    case.is_installed();
}

/// The tarball that comes in a delta's place waits in its turn, and takes nothing from the month that it does not have.
#[test]
fn a_delta_of_no_use_does_not_break_the_month() {
    let case = Case::new();
    fs::write(case.slot("a").join("program"), "another").unwrap();
    month(&case.site, "1M", 1_000_000, 100_000);
    let status = case.status_of(OFFER);
    assert!(status.contains("[gwe] waiting app v2: its download waits for the next month"), "{status}");
    assert_eq!(case.downloads(), [DELTA]);
    let after = used(&case.site, None);
    assert!((900_000 + case.delta_size()..1_000_000).contains(&after), "{after}");
    check_in_quietly(&case.site, || case.site.check_in());
    case.site.gateway.gwe(&["--set-monthly-bytes", "2M"]).ok();
    case.site.check_in().ok();
    let status = case.site.fetch_status();
    assert!(status.contains(&format!("[gwe] {DELTA} was not used: ")), "{status}");
    assert!(status.ends_with("[gwe] installed app v2 in N s\n"), "{status}");
    case.is_installed();
}

/// A tarball that fits in no month is refused; its delta fits, and is what such a gateway lives by.
#[test]
fn where_only_a_delta_fits_in_any_month_the_tarball_is_refused() {
    let app = |word: &str| {
        Tarball::app(&format!("echo {word} >> $GWE_ROOT/ran"))
            .file("noise", 0o644, delta::noise(1, 1_200_000))
            .file("version", 0o644, word)
    };
    for is_of_use in [true, false] {
        let site = Site::new();
        site.install("app.v1.tar.gz", &app("one"));
        let (old, new) = (app("one").bytes(), app("two").bytes());
        site.upload(NEW, &app("two"));
        site.murano.upload(DELTA, &delta::delta(("app.v1.tar.gz", &old), (NEW, &new)));
        if !is_of_use {
            fs::write(site.gateway.root().path("var/lib/gwe/apps/app/a/version"), "another").unwrap();
        }
        // What was used before it was set is nobody's fault here.
        fs::remove_dir_all(site.gateway.root().path("run")).unwrap();
        site.gateway.gwe(&["--set-monthly-bytes", "1M"]).ok();
        delta::order(&site, OFFER);
        site.check_in();
        let (status, want) = (site.fetch_status(), if is_of_use { "one two" } else { "one" });
        assert_eq!(ran(&site), want, "{status}");
        if !is_of_use {
            assert!(status.contains(&format!("[gwe] {DELTA} was not used: ")), "{status}");
            assert!(status.contains("[gwe] failed app v2: its download of 12"), "{status}");
        }
        assert!(used(&site, None) < 100_000, "nothing of the tarball came");
    }
}

/// What comes after the turn is the new month's, what came before it the old one's; and the download does not notice.
#[test]
fn the_month_turns_while_a_download_runs() {
    let Some(clock) = WrongClock::new() else { skip!("needs a C compiler") };
    clock.synchronise();
    let site = Site::new();
    run(clock.wear(site.gateway.command("gwe").arg("--once")), PATIENCE).ok();
    site.gateway.gwe(&["--set-monthly-bytes", "1M", "--set-max-rate", "100k"]).ok();
    let app = Tarball::app("echo one >> $GWE_ROOT/ran").file("noise", 0o644, noise(600_000));
    site.deploy("app.v1.tar.gz", &app);
    let (mut command, logs) = (site.gateway.command("gwe"), Scratch::new());
    let mut check_in = Background::start(clock.wear(command.arg("--once")), &logs, "gwe");
    let part = site.gateway.root().path("var/lib/gwe/downloads/app.v1.tar.gz.part");
    let here = || fs::metadata(&part).map_or(0, |part| part.len());
    wait_until("a third of it", PATIENCE, || here() >= 200_000);
    clock.turn(32 * 86_400);
    let before = here();
    assert!(check_in.wait(PATIENCE).is_some_and(|status| status.success()), "{}", check_in.log());
    assert_eq!(ran(&site), "one");
    let after = used(&site, Some(&clock));
    // It is told in parts, and the turn is seen at the next of them that is kept.
    let rest = 600_000 - before;
    assert!((rest.saturating_sub(50_000)..rest + 50_000).contains(&after), "{after}, and {rest} came after the turn");
}

/// hawkBit's order waits for a month as it does for a link, says so, and goes on.
#[test]
fn hawkbit_s_order_waits_for_a_month() {
    let unit = unit();
    unit.check_in().ok();
    unit.gateway.gwe(&["--set-monthly-bytes", "1M"]).ok();
    write_account(&unit.gateway, 1_000_000);
    let artifact = unit.hawkbit.artifact("app.v1.tar.gz", &Tarball::app("echo one >> $GWE_ROOT/ran").bytes());
    unit.hawkbit.order("1", &[artifact]);
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.told("1"), ["download none", "download none"]);
    let details = unit.hawkbit.details("1");
    assert!(details[0].starts_with("[gwe] waiting app v1: its download waits for the next month"), "{details:?}");
    unit.hawkbit.take_log();
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.take_log(), ["GET  200"]);
    unit.gateway.gwe(&["--set-monthly-bytes", "2M"]).ok();
    unit.check_in().ok();
    assert_eq!(unit.hawkbit.told("1").last().map(String::as_str), Some("closed success 0"));
    assert_eq!(unit.gateway.root().read("ran"), "one\n");
}
