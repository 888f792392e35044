//! What is held against a content, and how it is tried again: cases/README.md, 01 (Supervisor#120, #545, elastic-agent#693).

use gwe_tests::harness::{worker_app, Site};
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
