//! What has to wait is read through before it does: docs/spec/failures.md, F1. One that is no good is told by the check-in that fetched it, and
//! not at two in the morning, when nobody is there to send another.

use crate::ddi::unit;
use crate::ddi_hosted::ordered_by_hawkbit;
use crate::delta;
use crate::killed::{kill_at, killed_at, JOURNAL};
use crate::waiting::{boot, held, order, pending};
use gwe_tests::harness::{damage, noise, worker_app, Kind, Site, Tarball};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;

const KEPT: &str = "var/lib/gwe/downloads/app.v2.tar.gz";

fn app(word: &str) -> Tarball {
    Tarball::app(&format!("echo {word} >> $GWE_ROOT/ran"))
}

/// Archives that are no good, and what is said of each.
fn bad() -> Vec<(Vec<u8>, &'static str)> {
    let noisy = app("two").file("noise", 0o644, noise(9000)).bytes();
    vec![
        (Tarball::new().file("readme", 0o644, "x").bytes(), "neither install.sh nor setup.py stands at its root"),
        (app("two").file("../out", 0o644, "x").bytes(), "../out: a path with .. in it"),
        (app("two").entry("tty", 0o644, Kind::Device(5, 0)).bytes(), "tty: a device file"),
        (
            app("two").entry("zeros", 0o644, Kind::Zeros(2 << 30)).bytes(),
            "zeros: the tarball unpacks to more than 1073741824 bytes",
        ),
        (noisy[..noisy.len() / 2].to_vec(), "truncated"),
        (damage(&noisy, -6), "the checksum at its end is not that of its data"),
        (b"no archive".to_vec(), "not a gzip file"),
    ]
}

#[test]
fn what_is_no_good_is_told_by_the_check_in_that_fetched_it() {
    let site = Site::new();
    site.check_in().ok();
    let root = site.gateway.root();
    for ((bytes, why), apply) in bad().into_iter().zip(["window", "reboot", "consent"].into_iter().cycle()) {
        site.murano.upload("app.v2.tar.gz", &bytes);
        order(&site, "app.v2.tar.gz", apply);
        site.check_in().ok();
        let status = site.fetch_status();
        assert!(status.starts_with("[gwe] failed app v2: ") && status.contains(why), "{why}: {status}");
        assert_eq!(status.lines().count(), 1, "{status}");
        assert!(!root.has(KEPT) && !root.has(JOURNAL) && !root.has("var/lib/gwe/apps/app"), "{why}");
    }
    // Each was told once, and a good one of that name waits.
    assert_eq!(site.reports().len(), bad().len());
    site.upload("app.v2.tar.gz", &app("two"));
    order(&site, "app.v2.tar.gz", "consent");
    site.check_in().ok();
    assert_eq!((pending(&site)[0]["waits_for"].as_str(), root.has("var/lib/gwe/apps/app")), (Some("consent"), false));
    site.gateway.gwe(&["--install-now"]).ok();
    assert_eq!(root.read("ran"), "two\n");
}

/// A power cut in the download left a part as long as the whole, which only reading it tells (found by `power-loss --workload otau-held`).
#[test]
fn what_is_torn_is_fetched_anew_before_it_waits() {
    let site = Site::new();
    site.check_in().ok();
    let tarball = app("two");
    site.upload("app.v2.tar.gz", &tarball);
    site.murano.faults(&["download:refuse"]);
    order(&site, "app.v2.tar.gz", "consent");
    site.check_in().exited(1);
    site.gateway.root().write("var/lib/gwe/downloads/app.v2.tar.gz.part", vec![0; tarball.bytes().len()]);
    site.murano.clear_faults();
    site.check_in().ok();
    assert_eq!(pending(&site)[0]["waits_for"], "consent");
    assert!(fs::read(site.gateway.root().path(KEPT)).unwrap() == tarball.bytes());
    // All of it is here: no network is needed.
    site.murano.faults(&["any:refuse"]);
    site.gateway.gwe(&["--install-now", "app"]).ok();
    assert_eq!(site.gateway.root().read("ran"), "two\n");
}

/// It is made of what its base is now; the tarball is fetched at once, and nothing more at its moment.
#[test]
fn a_delta_that_is_of_no_use_gives_way_before_it_waits() {
    for is_of_use in [true, false] {
        let case = delta::Case::new();
        if !is_of_use {
            fs::write(case.slot("a").join("program"), "another").unwrap();
        }
        let status = case.status_of(&[delta::OFFER, r#", "apply": "consent""#].concat());
        assert!(status.contains("[gwe] waiting app v2"), "{status}");
        let downloads: &[&str] = if is_of_use { &[delta::DELTA] } else { &[delta::DELTA, delta::NEW] };
        assert_eq!(case.downloads(), downloads);
        case.site.murano.faults(&["any:refuse"]);
        case.site.gateway.gwe(&["--install-now", "app"]).ok();
        case.site.murano.clear_faults();
        case.site.check_in().ok();
        let status = case.site.fetch_status();
        let changed = "was not used: files of the version that the delta needs were changed or removed";
        assert_eq!(
            (status.contains("[gwe] installed app v2"), status.contains(changed)),
            (true, !is_of_use),
            "{status}"
        );
        case.is_installed();
    }
}

/// What waits for a window of hawkBit's, or was only to be downloaded, is read as well.
#[test]
fn hawkbit_s_order_ends_at_once_where_its_archive_is_no_good() {
    let unit = unit();
    unit.check_in().ok();
    for (id, update, window, bytes) in [
        ("1", "skip", Some("unavailable"), Tarball::new().file("readme", 0o644, "x").bytes()),
        ("2", "skip", None, Tarball::new().file("readme", 0o644, "y").bytes()),
    ] {
        let artifact = unit.hawkbit.artifact("app.v1.tar.gz", &bytes);
        unit.hawkbit.order_as(id, &[artifact], "forced", update, window);
        unit.check_in().ok();
        assert_eq!(unit.hawkbit.told(id), ["download none", "closed failure 1"], "{id}");
        let details = unit.hawkbit.details(id);
        assert!(details[0].starts_with("[gwe] failed app v1: neither install.sh nor setup.py"), "{details:?}");
    }
    assert!(!unit.gateway.root().has(JOURNAL));
}

/// By hand, too, and whoever it is that has it wait.
#[test]
fn what_an_app_would_hold_off_is_read_before_that() {
    let Some(site) = Site::hosted() else { return };
    site.install("app.v1.tar.gz", &worker_app("one"));
    let (pid, _lock) = (site.pid("app"), held(&site));
    let bytes = Tarball::new().file("readme", 0o644, "x").bytes();
    let by_hand = site.gateway.root().write("tmp/app.v3.tar.gz", &bytes);
    let said = site.gateway.gwe(&["--install-apps", by_hand.to_str().unwrap()]).exited(1).stdout;
    assert!(said.starts_with("[gwe] failed app v3: neither install.sh nor setup.py"), "{said}");
    site.murano.upload("app.v2.tar.gz", &bytes);
    site.order(&["app.v2.tar.gz"]);
    site.check_in().ok();
    assert!(site.fetch_status().contains("[gwe] failed app v2: neither install.sh"), "{}", site.fetch_status());
    assert_eq!((site.pid("app"), site.gateway.root().has(JOURNAL)), (pid, false));
}

/// Killed while it is read, it is read again: what is no good is told once, and what is good waits and has lost none of its tries.
#[test]
fn killed_while_it_is_read_it_is_read_again() {
    // So large that the kill comes while it is read.
    let large = |tarball: Tarball| tarball.entry("zeros", 0o644, Kind::Zeros(100_000_000)).bytes();
    let verified = "app.v2.tar.gz: downloading → verified";
    for is_good in [true, false] {
        let site = Site::new();
        site.check_in().ok();
        site.murano.upload("app.v2.tar.gz", &large(if is_good { app("two") } else { Tarball::new() }));
        order(&site, "app.v2.tar.gz", "reboot");
        assert!(kill_at(&site, verified), "it was not reached");
        site.murano.forget_requests();
        site.check_in().ok();
        assert_eq!(site.murano.count(Endpoint::Download), 0, "what is here is not fetched again");
        let all = site.reports().concat();
        if !is_good {
            assert_eq!(all.matches("[gwe] failed app v2: neither install.sh").count(), 1, "{all}");
            assert!(!site.gateway.root().has(JOURNAL));
            continue;
        }
        assert_eq!(all.matches("[gwe] waiting app v2").count(), 1, "{all}");
        assert!(site.gateway.root().read(JOURNAL).contains(r#""tries":null"#));
        boot(&site);
        site.check_in().ok();
        assert_eq!(site.gateway.root().read("ran"), "two\n");
    }
    // What hawkBit holds back is not looked at any more once it is here: unless it was not yet read.
    let mut site = Site::new();
    let hawkbit = ordered_by_hawkbit(&mut site);
    let artifact = hawkbit.artifact("app.v2.tar.gz", &large(Tarball::new()));
    hawkbit.order_as("1", &[artifact], "forced", "skip", Some("unavailable"));
    assert!(killed_at(&site, verified), "it was not reached");
    site.check_in().ok();
    assert_eq!(hawkbit.told("1"), ["download none", "closed failure 1"]);
}
