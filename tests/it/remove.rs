//! Apps that are taken away, and orders that are taken back: docs/spec/failures.md, F5.

use crate::ddi::unit;
use crate::killed::{at_each, kill_at, recover, JOURNAL};
use gwe_tests::harness::{worker_app, Signer, Site, Tarball, SN};
use gwe_tests::murano::endpoint::Endpoint;
use serde_json::json;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;

/// Says that it ran, by whom it is called, and whether the app runs still.
const UNINSTALL: &str = "#!/bin/sh\necho bye $GWE_APP_NAME $GWE_APP_VERSION; pwd >> $GWE_ROOT/uninstalled\n";

fn removable(greeting: &str) -> Tarball {
    worker_app(greeting).file("uninstall.sh", 0o755, UNINSTALL)
}

fn order(site: &Site, text: &str) {
    site.murano.write(SN, "engine_fetch", text);
}

/// What is there of the app: its folders, its fragment, its record.
fn traces(site: &Site) -> Vec<String> {
    let root = site.gateway.root();
    let mut traces = root.tree("var/lib/gwe");
    traces.retain(|path| path.contains("/apps/app/") || path.contains("supervisor.d/app"));
    let registry = "var/lib/gwe/install/registry.json";
    if root.has(registry) && root.read(registry).contains("\"name\":\"app\",\"version\"") {
        traces.push("its record".into());
    }
    traces
}

#[test]
fn an_app_is_stopped_undoes_what_it_did_and_is_gone_and_may_come_again() {
    let Some(site) = Site::hosted() else { return };
    site.install("app.v1.tar.gz", &removable("one"));
    site.install("app.v2.tar.gz", &removable("two"));
    let pid = site.pid("app");
    order(&site, r#"{"remove": ["app"]}"#);
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "bye app 2\n[gwe] removed app v2 in N s\n");
    assert!(!Path::new("/proc").join(pid.to_string()).exists(), "it still runs");
    assert!(site.ctl_status("app").contains("no such"), "{}", site.ctl_status("app"));
    assert_eq!(traces(&site), [""; 0]);
    let folder = site.gateway.root().path("var/lib/gwe/apps/app/b");
    assert_eq!(site.gateway.root().read("uninstalled"), format!("{}\n", folder.display()));
    site.check_in().ok();
    assert!(site.reported("app").is_null(), "{}", site.reported("app"));
    // A second order for it does nothing, and is no failure.
    order(&site, r#"{"remove": ["app"]}"#);
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "[gwe] removed app: it was not installed\n");
    // Away and anew, in one order: its folders are the new one's alone.
    assert_eq!(site.install("app.v1.tar.gz", &removable("one")), "install one\n[gwe] installed app v1 in N s\n");
    order(&site, r#"{"install": [{"name": "app.v1.tar.gz"}], "remove": ["app"]}"#);
    site.check_in().ok();
    let status = site.fetch_status();
    assert!(status.contains("[gwe] removed app v1 in N s\n== app.v1.tar.gz ==\n"), "{status}");
    assert!(status.ends_with("[gwe] installed app v1 in N s\n"), "{status}");
    assert!(site.ctl_status("app").contains("RUNNING"), "{}", site.ctl_status("app"));
}

#[test]
fn what_is_not_to_be_removed_is_refused_by_name() {
    let site = Site::new();
    let root = site.gateway.root();
    root.write("usr/share/gwe/apps_to_install/app.v1.tar.gz", Tarball::app("echo up").bytes());
    root.write("etc/gwe/supervisor.d/image.conf", "[program:of_image]\ncommand = /bin/true\n");
    site.check_in().ok();
    for (name, told) in [
        ("app", "the image brought it (app.v1.tar.gz), and would bring it again"),
        ("of_image", "the app name is that of a program in the image's own "),
        ("gwe", "it is the agent itself"),
        ("app.v1.tar.gz", "a dot"),
        ("..", "a dot"),
        ("a/b", "`/`"),
    ] {
        order(&site, &json!({ "remove": [name] }).to_string());
        site.check_in().ok();
        let status = site.fetch_status();
        assert!(status.starts_with(&format!("[gwe] failed to remove {name}: ")) && status.contains(told), "{status}");
        assert_eq!(status.lines().count(), 1, "{status}");
    }
    // Its successor over the air is the image's app, too.
    site.install("app.v2.tar.gz", &Tarball::app("echo two"));
    assert!(site.gateway.gwe(&["--remove-app", "app"]).exited(1).stdout.contains("the image brought it"));
    assert!(!traces(&site).is_empty());
}

/// To open a file is enough to do harm, such as a watchdog's device: what is no name of an app is no path either.
#[test]
fn a_name_that_is_a_path_leads_nowhere() {
    let site = Site::new();
    site.check_in().ok();
    let file = site.gateway.root().write("somewhere/else", "");
    site.gateway.root().write("var/lib/gwe/hold/other", "");
    let held = fs::File::open(&file).unwrap();
    // SAFETY: the file is open for the whole call.
    assert_eq!(unsafe { libc::flock(held.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }, 0);
    for name in [file.to_str().unwrap(), "../../../../somewhere/else"] {
        order(&site, &json!({"remove": [name]}).to_string());
        site.check_in().ok();
        let told = site.fetch_status();
        assert!(
            told.starts_with(&format!("[gwe] failed to remove {name}: ")),
            "whether it is held is looked at: {told}"
        );
    }
}

#[test]
fn an_uninstaller_that_fails_or_hangs_keeps_no_app_here() {
    let mut site = Site::new();
    site.set("install", "timeout", "2");
    for (script, told) in [
        ("echo no; exit 3", "no\n[gwe] removed app v1: uninstall.sh exited with 3\n"),
        ("sleep 600 & sleep 600", "[gwe] removed app v1: uninstall.sh took longer than 2 s and was ended\n"),
        ("kill -9 $$", "[gwe] removed app v1: uninstall.sh was ended by signal 9\n"),
    ] {
        let app = Tarball::app("true").file("uninstall.sh", 0o755, format!("#!/bin/sh\n{script}\n"));
        assert_eq!(site.install("app.v1.tar.gz", &app), "[gwe] installed app v1 in N s\n");
        order(&site, r#"{"remove": ["app"]}"#);
        site.check_in().ok();
        assert_eq!(site.fetch_status(), told);
        assert_eq!(traces(&site), [""; 0], "{script}");
    }
}

#[test]
fn by_hand_it_needs_no_network_and_the_cloud_is_not_told() {
    let Some(site) = Site::hosted() else { return };
    site.install("app.v1.tar.gz", &removable("one"));
    let reports = site.reports().len();
    site.murano.faults(&["any:refuse"]);
    let said = site.gateway.gwe(&["--remove-app", "app"]).ok().stdout;
    assert!(said.starts_with("bye app 1\n[gwe] removed app v1 in "), "{said}");
    assert_eq!((traces(&site), site.gateway.root().has(JOURNAL)), (vec![], false));
    let again = site.gateway.gwe(&["--remove-app", "app"]).ok().stdout;
    assert_eq!(again, "[gwe] removed app: it was not installed\n");
    site.murano.clear_faults();
    site.check_in().ok();
    assert_eq!(site.reports().len(), reports);
}

#[test]
fn what_was_held_against_it_is_forgotten_with_it_and_its_signature_s_age_is_not() {
    let signer = Signer::new();
    let site = Site::new();
    site.gateway.root().write("etc/gwe/trusted/oem.pub", fs::read(signer.public_key()).unwrap());
    let deploy = |name: &str, time: u64| {
        let bytes = Tarball::app("true").bytes();
        site.murano.upload(name, &bytes);
        let comment = format!("timestamp:{time}\tfile:{name}");
        site.murano.upload(&format!("{name}.minisig"), &signer.sign(name, &bytes, Some(&comment)));
        site.order(&[name]);
        site.check_in().ok();
        site.fetch_status()
    };
    assert_eq!(deploy("app.v2.tar.gz", 4_000_000_000), "[gwe] installed app v2 in N s\n");
    order(&site, r#"{"remove": ["app"]}"#);
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "[gwe] removed app v2 in N s\n");
    // Whoever may only order must not come by a removal to an old version with a hole that is known.
    assert!(deploy("app.v1.tar.gz", 3_000_000_000).contains("older than that of the installed version"));
    assert_eq!(deploy("app.v3.tar.gz", 4_000_000_000), "[gwe] installed app v3 in N s\n");
}

#[test]
fn an_order_that_has_not_begun_is_taken_back() {
    let site = Site::new();
    site.check_in().ok();
    // It does not come: so it waits.
    site.deploy("app.v2.tar.gz", &Tarball::app("echo two"));
    site.murano.faults(&["download:refuse"]);
    site.check_in().exited(1);
    assert!(site.gateway.gwe(&["--status"]).ok().stdout.contains("app.v2.tar.gz"));
    order(&site, r#"{"cancel": ["app.v2.tar.gz", "app.v3.tar.gz"]}"#);
    site.check_in().ok();
    site.murano.clear_faults();
    assert_eq!(
        site.fetch_status(),
        "[gwe] cancelled app v2\n[gwe] failed to cancel app.v3.tar.gz: nothing of that name waits here\n"
    );
    site.murano.forget_requests();
    site.check_in().ok();
    assert_eq!(site.murano.count(Endpoint::Download), 0);
    assert!(traces(&site).is_empty() && !site.gateway.root().has(JOURNAL));
    assert!(!site.tree().iter().any(|path| path.contains("/downloads/app")), "{:?}", site.tree());
    // What is cancelled can be ordered again.
    site.order(&["app.v2.tar.gz"]);
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "two\n[gwe] installed app v2 in N s\n");
}

/// What the log says when a step of a removal has been taken.
const MOMENTS: [&str; 8] = [
    "removing app",
    "app: verified → staged",
    "app: staged → installing",
    "supervisord, app: stop",
    "supervisord, app: remove",
    "app: installing → settling",
    "[gwe] removed app v1",
    "app: settling → done",
];

/// hawkbit#381, thin-edge#3149: whatever the moment of the kill, the app is gone in the end, and that is told.
#[test]
fn killed_at_any_moment_it_is_gone_and_that_is_told_once() {
    at_each(&MOMENTS, |moment| {
        let Some(site) = Site::hosted() else { return };
        site.install("app.v1.tar.gz", &removable("one"));
        order(&site, r#"{"remove": ["app"]}"#);
        assert!(kill_at(&site, moment), "{moment} was not reached");
        recover(&site);
        assert_eq!(traces(&site), [""; 0], "{moment}");
        assert!(site.ctl_status("app").contains("no such"), "{moment}: {}", site.ctl_status("app"));
        let told = |report: &String| report.contains("[gwe] removed app v1 in N s");
        let reports = site.reports();
        assert_eq!(reports.iter().filter(|report| told(report)).count(), 1, "{moment}: {reports:#?}");
    });
}

#[test]
fn an_uninstaller_that_takes_the_machine_down_is_left_out_in_the_end() {
    let site = Site::new();
    let app = Tarball::app("true").file(
        "uninstall.sh",
        0o755,
        "#!/bin/sh\necho x >> $GWE_ROOT/runs; kill -9 $PPID; sleep 5\n",
    );
    site.install("app.v1.tar.gz", &app);
    order(&site, r#"{"remove": ["app"]}"#);
    recover(&site);
    assert_eq!(site.fetch_status(), "[gwe] removed app v1: uninstall.sh was cut off 3 times\n");
    assert_eq!(site.gateway.root().read("runs"), "x\n".repeat(3));
    assert_eq!(traces(&site), [""; 0]);
}

#[test]
fn a_module_of_hawkbit_may_say_that_its_app_is_to_go() {
    let unit = unit();
    let app = unit.hawkbit.artifact("app.v1.tar.gz", &Tarball::app("true").bytes());
    unit.hawkbit.order("1", &[app]);
    unit.check_in().ok();
    assert!(unit.gateway.root().has("var/lib/gwe/apps/app"));
    let says = |key: &str, value: &str| json!({"key": key, "value": value});
    let module =
        json!({"part": "bApp", "version": "1", "name": "app", "metadata": [says("x", "y"), says("gwe", "remove")]});
    unit.hawkbit.order_exactly("2", json!({"download": "forced", "update": "forced", "chunks": [module]}));
    unit.check_in().ok();
    let told = unit.hawkbit.told("2");
    assert!(told.last().is_some_and(|end| end.starts_with("closed success")), "{told:?}");
    assert!(!unit.gateway.root().has("var/lib/gwe/apps/app"));
}
