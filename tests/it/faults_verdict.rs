//! What is held against a content, and how it is tried again: docs/spec/failures.md, case 01 (Supervisor#120, #545, elastic-agent#693).

use gwe_tests::harness::{scripted_app, worker_app, Site, Tarball, SN};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;

#[test]
fn case_01_the_log_s_disk_that_is_not_there_yet_is_not_held_against_the_content() {
    let Some(site) = Site::hosted() else { return };
    let root = site.gateway.root();
    // Where the disk is to be mounted there is something else as yet.
    let _ = fs::remove_dir_all(root.path("var/log"));
    root.write("var/log", "");
    let app = worker_app("one");
    let status = site.install("app.v1.tar.gz", &app);
    assert!(status.contains("[gwe] failed app v1: ") && status.contains("/var/log"), "{status}");
    fs::remove_file(root.path("var/log")).unwrap();
    // The same tarball, from the cloud, and by hand.
    site.order(&["app.v1.tar.gz"]);
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "install one\n[gwe] installed app v1 in N s\n");
    let file = app.save(root.path("app.v1.tar.gz"));
    site.gateway.gwe(&["--install-apps", file.to_str().unwrap()]).ok();
}

#[test]
fn case_01_what_one_app_s_fragment_breaks_is_not_held_against_another_s_content() {
    let Some(site) = Site::hosted() else { return };
    let root = site.gateway.root();
    // supervisord reads all fragments or none.
    root.write("var/lib/gwe/supervisor.d/of-the-image.conf", "[program:x]\n");
    let status = site.install("app.v1.tar.gz", &worker_app("one"));
    assert!(status.contains("[gwe] failed app v1: "), "{status}");
    fs::remove_file(root.path("var/lib/gwe/supervisor.d/of-the-image.conf")).unwrap();
    site.order(&["app.v1.tar.gz"]);
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "install one\n[gwe] installed app v1 in N s\n");
}

/// An app that ends where there is no modem.
fn wants_modem(site: &Site) -> Tarball {
    let modem = site.gateway.root().path("modem").display().to_string();
    scripted_app(&format!("[ -e {modem} ] || exit 7\nexec sleep 600"), "startsecs = 1\nstartretries = 0")
}

/// A site whose app has ended for want of a modem; that it did is held against its content.
fn without_modem() -> Option<(Site, Tarball)> {
    let site = Site::hosted()?;
    let app = wants_modem(&site);
    assert!(site.install("app.v1.tar.gz", &app).contains("[gwe] failed app v1: app cannot be kept up (FATAL)"));
    site.gateway.root().write("modem", "");
    site.order(&["app.v1.tar.gz"]);
    site.check_in().ok();
    let status = site.fetch_status();
    assert!(status.contains("this very content failed before") && status.contains("\"force\": true"), "{status}");
    Some((site, app))
}

#[test]
fn case_01_an_order_by_force_tries_again_what_failed_for_a_reason_of_its_own() {
    let Some((site, _)) = without_modem() else { return };
    site.murano.write(SN, "engine_fetch", r#"{"install": [{"name": "app.v1.tar.gz", "force": true}]}"#);
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n");
    // What is installed is not held against itself.
    site.order(&["app.v1.tar.gz"]);
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n");
}

#[test]
fn case_01_force_is_no_loop_and_overrules_nothing_but_failures() {
    let site = Site::new();
    let tarball = Tarball::app("echo x");
    site.upload("app.v1.tar.gz", &tarball);
    let hash = "0".repeat(64);
    let order = format!(r#"{{"install": [{{"name": "app.v1.tar.gz", "force": true, "sha256": "{hash}"}}]}}"#);
    site.murano.write(SN, "engine_fetch", &order);
    site.check_in().ok();
    assert!(site.fetch_status().contains("not that of the request"), "{}", site.fetch_status());
    site.murano.forget_requests();
    site.check_in().ok();
    assert_eq!(site.murano.count(Endpoint::Download), 0, "an order is tried once");
}

#[test]
fn case_01_gwe_forget_tries_again_what_failed_and_says_what_that_was() {
    let Some((site, app)) = without_modem() else { return };
    let root = site.gateway.root();
    let file = app.save(root.path("app.v1.tar.gz"));
    let by_hand = ["--install-apps", file.to_str().unwrap()];
    assert!(site.gateway.gwe(&by_hand).exited(1).stdout.contains("this very content failed before"));
    assert_eq!(site.gateway.gwe(&["--forget", "other"]).ok().stdout, "nothing is held against other\n");
    let forgotten = site.gateway.gwe(&["--forget", "app"]).ok().stdout;
    assert!(forgotten.starts_with("forgotten: app.v1.tar.gz: app cannot be kept up (FATAL)"), "{forgotten}");
    assert_eq!(forgotten.lines().count(), 1, "{forgotten}");
    assert!(site.gateway.gwe(&by_hand).ok().stdout.contains("[gwe] installed app v1 in "));
}

#[test]
fn case_01_what_the_image_brought_and_could_not_be_installed_is_tried_again_once_it_is_forgotten() {
    let site = Site::new();
    let root = site.gateway.root();
    let needs = format!("[ -e {} ] && echo up", root.path("modem").display());
    root.write("usr/share/gwe/apps_to_install/app.v1.tar.gz", Tarball::app(&needs).bytes());
    for _ in 0..2 {
        site.check_in().ok();
    }
    assert!(
        site.fetch_status().ends_with("[gwe] failed app v1: install.sh exited with 1\n"),
        "{}",
        site.fetch_status()
    );
    root.write("modem", "");
    let forgotten = site.gateway.gwe(&["--forget", "all"]).ok().stdout;
    assert_eq!(forgotten, "forgotten: app.v1.tar.gz: the image's, not installed\n");
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "up\n[gwe] installed app v1 in N s\n");
    assert_eq!(site.gateway.gwe(&["--forget", "all"]).ok().stdout, "nothing is held against all\n");
}
