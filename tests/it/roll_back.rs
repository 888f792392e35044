//! Roll back: a version that does not stay up is replaced by the one before, the cloud is told, and the bad one is not taken
//! again unless it comes with other content (docs/decisions.md, "An install is a visible table").

use gwe_tests::harness::{scripted_app, worker_app, Site, Tarball, SN};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;
use std::time::Duration;

/// A site on which version 1 of `app` runs.
fn with_version_1() -> Option<Site> {
    let mut site = Site::hosted()?;
    site.set("install", "settle", "4");
    let status = site.install("app.v1.tar.gz", &worker_app("one"));
    assert_eq!(status, "install one\n[gwe] installed app v1 in N s\n");
    Some(site)
}

/// Version 1 is up, from its own files, and known as such.
#[track_caller]
fn version_1_is_back(site: &Site, note: &str) {
    assert!(site.ctl_status("app").contains("RUNNING"), "{}", site.ctl_status("app"));
    let exe = fs::read_link(format!("/proc/{}/exe", site.pid("app"))).unwrap();
    assert_eq!(exe, site.gateway.root().path("var/lib/gwe/apps/app/a/worker"));
    site.check_in().ok();
    let report = site.reported("app");
    assert_eq!((&report["version"], &report["status"]), (&"1".into(), &"RUNNING".into()), "{report}");
    assert!(report["note"].as_str().unwrap_or_default().contains(note), "{report}");
    let tree = site.gateway.root().tree("var/lib/gwe");
    assert!(!tree.iter().any(|path| path.contains("/apps/app/b") || path.contains("/downloads/app")), "{tree:?}");
}

#[test]
fn one_that_never_comes_up() {
    let Some(site) = with_version_1() else { return };
    let status = site.install("app.v2.tar.gz", &scripted_app("exit 7", "startsecs = 1\nstartretries = 1"));
    assert_eq!(
        status.lines().last().unwrap_or_default(),
        "[gwe] rolled back app v2 to v1: app cannot be kept up (FATAL): Exited too quickly (process log may have details)",
        "{status}"
    );
    version_1_is_back(&site, "rolled back from v2");
    assert_eq!(site.gateway.root().read("var/log/app.log").matches("one").count(), 2, "it was started again");
}

#[test]
fn one_that_dies_while_it_settles() {
    let Some(site) = with_version_1() else { return };
    let status = site.install("app.v2.tar.gz", &scripted_app("sleep 3; exit 0", "startsecs = 1\nautorestart = true"));
    assert!(status.contains("[gwe] rolled back app v2 to v1: app ended by itself while it settled"), "{status}");
    version_1_is_back(&site, "rolled back from v2: app ended by itself");
    let status = site.install("app.v3.tar.gz", &scripted_app("sleep 3; exit 9", "startsecs = 1\nautorestart = false"));
    assert!(status.contains("[gwe] rolled back app v3 to v1: app exited with status 9"), "{status}");
    version_1_is_back(&site, "rolled back from v3: app exited with status 9");
}

#[test]
fn one_whose_installer_fails_leaves_version_1_untouched() {
    let Some(site) = with_version_1() else { return };
    let pid = site.pid("app");
    let status = site.install("app.v2.tar.gz", &Tarball::app("echo trying; exit 5"));
    assert_eq!(status, "trying\n[gwe] failed app v2: install.sh exited with 5\n");
    assert_eq!(site.pid("app"), pid, "it was not even started again");
    version_1_is_back(&site, "");
    // What its installer needed is there now: the same content may try again.
    site.murano.forget_requests();
    site.order(&["app.v2.tar.gz"]);
    site.check_in().ok();
    assert_eq!(site.murano.count(Endpoint::Download), 1);
}

#[test]
fn a_first_install_that_does_not_settle_is_gone_and_reported() {
    let Some(site) = Site::hosted() else { return };
    let bad = scripted_app("exit 7", "startsecs = 1\nstartretries = 0");
    let status = site.install("new.v1.tar.gz", &bad);
    assert!(status.starts_with("[gwe] failed new v1: new cannot be kept up (FATAL)"), "{status}");
    assert!(site.ctl_status("new").contains("no such process"), "{}", site.ctl_status("new"));
    let tree = site.gateway.root().tree("var/lib/gwe");
    let left: Vec<_> = tree.iter().filter(|path| path.contains("new")).collect();
    assert!(left.is_empty(), "{left:?}");
    site.check_in().ok();
    let report = site.reported("new");
    assert_eq!(report["status"], "NOT INSTALLED", "{report}");
    assert!(report["note"].as_str().unwrap_or_default().starts_with("v1 failed: new cannot be kept up"), "{report}");
    // A corrected one makes good for it.
    assert_eq!(site.install("new.v2.tar.gz", &worker_app("new")), "install new\n[gwe] installed new v2 in N s\n");
    let report = site.reported("new");
    assert_eq!((&report["status"], report.get("note")), (&"RUNNING".into(), None), "{report}");
}

#[test]
fn what_was_rolled_back_is_refused_without_a_download_until_its_content_changes() {
    // trmnl-firmware#307: the same bad update again and again.
    let Some(site) = with_version_1() else { return };
    let bad = scripted_app("exit 7", "startsecs = 1\nstartretries = 0");
    assert!(site.install("app.v2.tar.gz", &bad).contains("[gwe] rolled back app v2 to v1"));
    let pid = site.pid("app");
    for _ in 0..2 {
        site.murano.forget_requests();
        site.order(&["app.v2.tar.gz"]);
        site.check_in().ok();
        let status = site.fetch_status();
        assert!(
            status.starts_with("[gwe] failed app v2: this very content failed before (app cannot be kept up"),
            "{status}"
        );
        assert!(status.ends_with("upload a corrected one\n"), "{status}");
        assert_eq!(site.murano.count(Endpoint::Download), 0, "nothing is downloaded");
    }
    // Uploaded again, so that its time is another: told by its hash.
    std::thread::sleep(Duration::from_millis(1100));
    let status = site.install("app.v2.tar.gz", &bad);
    assert!(status.contains("this very content failed before"), "{status}");
    assert_eq!(site.pid("app"), pid, "version 1 was left alone");
    // From disk, too.
    let file = bad.save(site.gateway.root().path("app.v2.tar.gz"));
    let ran = site.gateway.gwe(&["--install-apps", file.to_str().unwrap()]).exited(1);
    assert!(ran.stdout.contains("this very content failed before"), "{}", ran.stdout);
    // Other content under the same name.
    assert_eq!(site.install("app.v2.tar.gz", &worker_app("two")), "install two\n[gwe] installed app v2 in N s\n");
    let report = site.reported("app");
    assert_eq!((&report["version"], report.get("note")), (&"2".into(), None), "{report}");
}

#[test]
fn bad_bytes_are_downloaded_twice_and_no_more() {
    // trmnl-firmware#307. Twice, since the first time they may have been damaged on the way.
    let site = Site::new();
    let mut bytes = Tarball::app("true").bytes();
    bytes.truncate(bytes.len() - 9);
    site.murano.upload("app.v1.tar.gz", &bytes);
    site.check_in().ok();
    let mut downloads = Vec::new();
    for _ in 0..4 {
        site.murano.forget_requests();
        site.order(&["app.v1.tar.gz"]);
        site.check_in().ok();
        assert!(site.fetch_status().starts_with("[gwe] failed app v1: "), "{}", site.fetch_status());
        downloads.push(site.murano.count(Endpoint::Download));
    }
    assert_eq!(downloads, [1, 1, 0, 0]);
    assert!(site.fetch_status().contains("this very content failed before"), "{}", site.fetch_status());
    assert_eq!(site.install("app.v1.tar.gz", &Tarball::app("true")), "[gwe] installed app v1 in N s\n");
}

#[test]
fn damage_on_the_way_is_not_held_against_the_content() {
    let site = Site::new();
    site.check_in().ok();
    site.murano.faults(&["download:corrupt=body+40*1"]);
    let tarball = Tarball::app("echo well");
    assert!(site.install("app.v1.tar.gz", &tarball).starts_with("[gwe] failed app v1: "));
    site.order(&["app.v1.tar.gz"]);
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "well\n[gwe] installed app v1 in N s\n");
}

#[test]
fn version_1_runs_its_installer_again_for_what_version_2_s_replaced() {
    let Some(site) = Site::hosted() else { return };
    let place = site.gateway.root().path("etc/app.setting");
    let app = |version: &str, script: &str| {
        Tarball::app(&format!("echo setting-{version} > $GWE_ROOT/etc/app.setting"))
            .file("run.sh", 0o755, format!("#!/bin/sh\n{script}\n"))
            .file("supervisor.conf", 0o644, "[supervisord]\ncommand = ./run.sh\nstartsecs = 1\nstartretries = 0\n")
    };
    site.install("app.v1.tar.gz", &app("1", "exec sleep 600"));
    assert!(site.install("app.v2.tar.gz", &app("2", "exit 1")).contains("[gwe] rolled back app v2 to v1"));
    assert_eq!(fs::read_to_string(place).unwrap(), "setting-1\n");
}

#[test]
fn an_update_that_is_not_hosted_any_more_can_be_rolled_forward_and_back() {
    // A long-running app becomes a one-off app: its process goes. Then it becomes a bad long-running one: back to the one-off.
    let Some(site) = with_version_1() else { return };
    let status = site.install("app.v2.tar.gz", &Tarball::app("echo x >> $GWE_ROOT/marks"));
    assert_eq!(status, "[gwe] installed app v2 in N s\n");
    assert!(site.ctl_status("app").contains("no such process"), "{}", site.ctl_status("app"));
    assert_eq!(site.reported("app")["status"], "INSTALLED");
    let status = site.install("app.v3.tar.gz", &scripted_app("exit 1", "startsecs = 1\nstartretries = 0"));
    assert!(status.contains("[gwe] rolled back app v3 to v2"), "{status}");
    assert!(site.ctl_status("app").contains("no such process"), "{}", site.ctl_status("app"));
    assert_eq!(site.gateway.root().read("marks"), "x\n", "a one-off app has done its work");
    assert_eq!(site.murano.read(SN, "engine_fetch"), None);
}
