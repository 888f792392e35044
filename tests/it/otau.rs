//! Over-the-air installs as they go on a good day: the real agent, a local cloud, a supervisord (docs/spec/gateway-engine.md).

use gwe_tests::harness::{wait_until, worker_app, Site, Tarball, PATIENCE, SN};
use gwe_tests::murano::endpoint::Endpoint;
use gwe_tests::skip;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The program that a process runs.
fn exe(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_else(|e| panic!("process {pid}: {e}"))
}

/// The endpoints of all requests so far, in order.
fn endpoints(site: &Site) -> Vec<String> {
    let log = site.murano.requests();
    let log = log["log"].as_array().cloned().unwrap_or_default();
    log.iter().map(|entry| entry["endpoint"].as_str().unwrap_or_default().to_string()).collect()
}

#[test]
fn a_long_running_app_is_installed_hosted_and_reported() {
    let Some(site) = Site::hosted() else { return };
    let status = site.install("my_app.v1.2.3.tar.gz", &worker_app("one"));
    assert_eq!(status, "install one\n[gwe] installed my_app v1.2.3 in N s\n");
    assert_eq!(site.murano.read(SN, "engine_fetch"), None, "the alias is cleared");
    assert!(site.ctl_status("my_app").contains("RUNNING"));
    let root = site.gateway.root();
    assert_eq!(exe(site.pid("my_app")), root.path("var/lib/gwe/apps/my_app/a/worker"));
    assert_eq!(root.read("var/log/my_app.log"), "one\n");
    let report = site.reported("my_app");
    assert_eq!((&report["status"], &report["version"]), (&"RUNNING".into(), &"1.2.3".into()), "{report}");
    assert_eq!(report["pid"], site.pid("my_app"), "{report}");
    assert!(!root.has("var/lib/gwe/install/journal.json"), "nothing is pending");
    assert!(root.tree("var/lib/gwe/downloads").len() <= 1, "no tarball is kept");
}

#[test]
fn a_one_off_app_runs_once_and_is_tracked() {
    let site = Site::new();
    let script = "echo here in $PWD; echo $GWE_APP_NAME $GWE_APP_VERSION >&2; echo x >> $GWE_ROOT/marks; [ \"$GWE_APP_DIR\" = \"$PWD\" ]";
    let status = site.install("repair.v7.tar.gz", &Tarball::app(script));
    let folder = site.gateway.root().path("var/lib/gwe/apps/repair/a");
    assert_eq!(status, format!("here in {}\nrepair 7\n[gwe] installed repair v7 in N s\n", folder.display()));
    let report = site.reported("repair");
    assert_eq!((&report["status"], &report["version"]), (&"INSTALLED".into(), &"7".into()), "{report}");
    site.check_in().ok();
    site.check_in().ok();
    assert_eq!(site.gateway.root().read("marks"), "x\n", "it ran once");
    assert_eq!(site.reports().len(), 1);
}

#[test]
fn a_library_brings_a_setup_py() {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        skip!("needs python3");
    }
    let site = Site::new();
    let setup = "import sys\nprint('setup', sys.argv[1:])\nopen('installed', 'w').write('yes')\n";
    let tarball = Tarball::new().file("setup.py", 0o644, setup);
    let status = site.install("my_lib.v0.1.tar.gz", &tarball);
    assert_eq!(status, "setup ['install']\n[gwe] installed my_lib v0.1 in N s\n");
    assert_eq!(site.gateway.root().read("var/lib/gwe/apps/my_lib/a/installed"), "yes");
}

#[test]
fn two_apps_in_one_request_are_installed_in_order_each_with_its_heading() {
    let site = Site::new();
    site.upload("base.v1.tar.gz", &Tarball::app("echo base > $GWE_ROOT/base; echo first"));
    site.upload("top.v2.tar.gz", &Tarball::app("cat $GWE_ROOT/base; exit 3"));
    site.upload("last.v3.tar.gz", &Tarball::app("printf 'no line end'"));
    site.order(&["base.v1.tar.gz", "top.v2.tar.gz", "last.v3.tar.gz"]);
    site.check_in().ok();
    assert_eq!(
        site.fetch_status(),
        "== base.v1.tar.gz ==\nfirst\n[gwe] installed base v1 in N s\n\
         == top.v2.tar.gz ==\nbase\n[gwe] failed top v2: install.sh exited with 3\n\
         == last.v3.tar.gz ==\nno line end\n[gwe] installed last v3 in N s\n"
    );
    assert_eq!(site.reported("base")["version"], "1");
    assert!(site.reported("top").is_null(), "a failure is never recorded as a success (rauc#1554)");
}

#[test]
fn an_update_runs_the_new_binary_although_the_fragment_is_unchanged() {
    // Supervisor#1264: reloadConfig does not see that another file lies under the same name.
    let Some(site) = Site::hosted() else { return };
    let place = site.gateway.root().path("opt/worker");
    let app = |name: &str| {
        let install = format!("mkdir -p $GWE_ROOT/opt && cp worker $GWE_ROOT/opt/worker.new && mv $GWE_ROOT/opt/worker.new $GWE_ROOT/opt/worker; echo {name}");
        let program = fs::read("/bin/sleep").expect("there is a sleep");
        let conf = format!("[supervisord]\ncommand = {} 600\ndirectory = /\nstartsecs = 1\n", place.display());
        Tarball::app(&install).file("worker", 0o755, program).file("supervisor.conf", 0o644, conf)
    };
    site.install("app.v1.tar.gz", &app("one"));
    let fragment = site.gateway.root().read("var/lib/gwe/supervisor.d/app.conf");
    let (first, inode) = (site.pid("app"), fs::metadata(&place).unwrap());
    let status = site.install("app.v2.tar.gz", &app("two"));
    assert_eq!(status, "two\n[gwe] installed app v2 in N s\n");
    assert_eq!(site.gateway.root().read("var/lib/gwe/supervisor.d/app.conf"), fragment, "the fragment is the same");
    let second = site.pid("app");
    use std::os::unix::fs::MetadataExt;
    let runs = fs::metadata(format!("/proc/{second}/exe")).unwrap();
    assert_ne!(second, first);
    assert_ne!(runs.ino(), inode.ino());
    assert_eq!(runs.ino(), fs::metadata(&place).unwrap().ino(), "the process runs what lies there now");
    assert_eq!(site.reported("app")["version"], "2");
}

#[test]
fn an_update_leaves_one_folder_and_no_tarball() {
    let Some(site) = Site::hosted() else { return };
    for version in 1..=3 {
        let status = site.install(&format!("app.v{version}.tar.gz"), &worker_app(&format!("v{version}")));
        assert!(status.ends_with(&format!("[gwe] installed app v{version} in N s\n")), "{status}");
    }
    let tree = site.gateway.root().tree("var/lib/gwe/apps/app");
    let slots: Vec<_> = tree.iter().filter(|path| path.ends_with("/a/") || path.ends_with("/b/")).collect();
    assert_eq!(slots, ["var/lib/gwe/apps/app/a/"], "{tree:?}");
    assert_eq!(exe(site.pid("app")), site.gateway.root().path("var/lib/gwe/apps/app/a/worker"));
    assert_eq!(site.gateway.root().read("var/log/app.log"), "v1\nv2\nv3\n");
}

#[test]
fn an_app_of_several_processes_settles_as_one() {
    let Some(site) = Site::hosted() else { return };
    let conf = "[supervisord]\ncommand = ./run.sh\nstartsecs = 1\nnumprocs = 3\nprocess_name = %(program_name)s_%(process_num)d\n";
    let app = |exit: &str| {
        Tarball::app("true").file("run.sh", 0o755, format!("#!/bin/sh\n{exit}\nexec sleep 600\n")).file(
            "supervisor.conf",
            0o644,
            conf,
        )
    };
    assert_eq!(site.install("many.v1.tar.gz", &app("")), "[gwe] installed many v1 in N s\n");
    for number in 0..3 {
        assert_eq!(site.reported(&format!("many:many_{number}"))["status"], "RUNNING");
        assert_eq!(site.reported(&format!("many:many_{number}"))["version"], "1");
    }
    // One of three that does not stay is enough.
    let status = site.install("many.v2.tar.gz", &app("case $SUPERVISOR_PROCESS_NAME in *_1) exit 7;; esac"));
    assert!(status.contains("[gwe] rolled back many"), "{status}");
    assert_eq!(site.ctl_status("many:*").matches("RUNNING").count(), 3, "{}", site.ctl_status("many:*"));
}

#[test]
fn a_quiet_check_in_is_one_request_and_writes_no_state() {
    let site = Site::new();
    site.check_in().ok();
    assert_eq!(endpoints(&site), ["activate", "hybrid"]);
    let before = site.tree();
    let stamps = |site: &Site| {
        let files = site.tree().into_iter().filter(|path| path.starts_with("var/lib/gwe/") && !path.ends_with('/'));
        files.map(|file| fs::metadata(site.gateway.root().path(&file)).unwrap().modified().unwrap()).collect::<Vec<_>>()
    };
    let written = stamps(&site);
    site.murano.forget_requests();
    for _ in 0..3 {
        site.check_in().ok();
    }
    assert_eq!(endpoints(&site), ["hybrid"; 3]);
    assert_eq!(site.murano.requests()["totals"]["connections"], 3);
    assert_eq!((site.tree(), stamps(&site)), (before, written), "flash is not written on a quiet day");
}

#[test]
fn the_alias_is_cleared_before_the_work_begins() {
    let site = Site::new();
    site.check_in().ok();
    site.murano.forget_requests();
    site.install("app.v1.tar.gz", &Tarball::app("true"));
    assert_eq!(endpoints(&site), ["hybrid", "write", "info", "download", "write"]);
    assert_eq!(site.murano.history(SN, "engine_fetch").len(), 2, "the order, and its clearing");
}

/// docs/spec/failures.md, case 09 (sdk-nrf#8224): a bad one is cleared, and whoever wrote it is told.
#[test]
fn update_interval_is_taken_and_cleared_and_a_bad_one_is_told() {
    let mut site = Site::new();
    site.set("engine", "update_interval", "3600");
    let interval = |site: &Site| {
        let text = site.gateway.gwe(&["--engine-conf"]).ok().stdout;
        text.lines().find_map(|line| line.strip_prefix("update_interval = ")).unwrap_or_default().to_string()
    };
    // What the cloud writes, and what counts from then on.
    for (written, counts) in [
        ("7200", "7200"),
        (" 300\n", "300"),
        ("0", "300"),
        ("-5", "300"),
        ("soon", "300"),
        ("1.5", "300"),
        ("1h", "300"),
        ("0.5", "300"),
        ("1e9", "300"),
        ("99999999999999999999", "300"),
        ("60.0", "60"),
        ("1", "1"),
        ("86400", "86400"),
    ] {
        site.murano.write(SN, "update_interval", written);
        let ran = site.check_in().ok();
        assert_eq!(interval(&site), counts, "{written:?}");
        assert_eq!(site.murano.read(SN, "update_interval"), None, "{written:?} is cleared");
        let told = format!("[gwe] failed: update_interval cannot be '{}': it must be a whole number", written.trim());
        let is_refused = counts == "300" && written.trim() != counts;
        assert_eq!(site.reports().last().is_some_and(|report| report.starts_with(&told)), is_refused, "{written:?}");
        assert_eq!(ran.stderr.contains("; keeping 300 s"), is_refused, "{written:?}: {}", ran.stderr);
    }
    site.murano.forget_requests();
    site.check_in().ok();
    assert_eq!(endpoints(&site), ["hybrid"], "what is cleared is not read again");
}

#[test]
fn both_orders_at_once_are_cleared_in_one_write() {
    let site = Site::new();
    site.check_in().ok();
    site.murano.forget_requests();
    site.murano.write(SN, "update_interval", "5");
    site.install("app.v1.tar.gz", &Tarball::app("true"));
    assert_eq!(endpoints(&site), ["hybrid", "write", "info", "download", "write"]);
    assert_eq!((site.murano.read(SN, "update_interval"), site.murano.read(SN, "engine_fetch")), (None, None));
}

#[test]
fn the_engine_checks_in_by_its_interval_and_stops_when_told() {
    let site = Site::new();
    let mut engine = site.start_engine();
    wait_until("five check-ins", PATIENCE, || site.murano.count(Endpoint::Hybrid) >= 5);
    let begun = Instant::now();
    let before = site.murano.count(Endpoint::Hybrid);
    std::thread::sleep(Duration::from_secs(4));
    let count = site.murano.count(Endpoint::Hybrid) - before;
    let most = begun.elapsed().as_secs() + 1;
    assert!((2..=most).contains(&count), "{count} check-ins in 4 s at an interval of 1 s\n{}", engine.log());
    // The cloud sets another interval, which counts without a restart.
    site.murano.write(SN, "update_interval", "3600");
    wait_until("the new interval to be taken", PATIENCE, || site.murano.read(SN, "update_interval").is_none());
    std::thread::sleep(Duration::from_secs(1));
    let before = site.murano.count(Endpoint::Hybrid);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(site.murano.count(Endpoint::Hybrid), before, "{}", engine.log());
    // SIGHUP: check in now.
    engine.signal(libc::SIGHUP);
    wait_until("a check-in out of turn", PATIENCE, || site.murano.count(Endpoint::Hybrid) == before + 1);
    assert!(engine.stop().success());
}

#[test]
fn the_engine_under_supervisord_installs_and_survives_a_restart_by_supervisorctl() {
    let mut site = Site::new();
    let program = format!(
        "[program:gwe]\ncommand = {}\nenvironment = GWE_ROOT=\"{{root}}\"\nredirect_stderr = true\nstdout_logfile = {{root}}/var/log/gwe.log\n\
         startsecs = 1\nkillasgroup = true\n",
        gwe_tests::harness::agent_binary().display()
    );
    fs::create_dir_all(site.gateway.root().path("var/log")).unwrap();
    if !site.host_with(&program) {
        return;
    }
    site.deploy("my_app.v1.tar.gz", &worker_app("one"));
    site.await_status("[gwe] installed my_app v1 in N s");
    let engine = site.pid("gwe");
    site.supervisord.as_ref().unwrap().ctl(&["restart", "gwe"]).ok();
    assert_ne!(site.pid("gwe"), engine);
    site.deploy("my_app.v2.tar.gz", &worker_app("two"));
    site.await_status("[gwe] installed my_app v2 in N s");
    wait_until("a report with both", PATIENCE, || {
        site.reported("my_app")["version"] == "2" && site.reported("gwe")["status"] == "RUNNING"
    });
    assert_eq!(site.reports().len(), 2, "one report for each install");
}

#[test]
fn activation_is_tried_until_it_succeeds() {
    let murano = gwe_tests::harness::Murano::with(|options| options.open = false);
    let site = Site::of(murano);
    let mut engine = site.start_engine();
    wait_until("some tries", PATIENCE, || site.murano.count(Endpoint::Activate) >= 3);
    assert!(engine.log().contains("this serial number is not on the system"), "{}", engine.log());
    assert_eq!(site.murano.count(Endpoint::Hybrid), 0);
    // Its owner adds it.
    site.murano.write(SN, "engine_fetch", "");
    wait_until("a check-in", PATIENCE, || site.murano.count(Endpoint::Hybrid) >= 1);
    let state = site.murano.state();
    let (cik, sn) = state["devices"].as_object().and_then(|devices| devices.iter().next()).expect("a device");
    assert_eq!(sn, SN);
    assert_eq!(site.gateway.gwe(&["--gateway-cik"]).ok().stdout.trim(), cik);
    let log = engine.log();
    assert!(!log.contains(cik.as_str()) && log.contains(&cik[..8]), "a CIK is never logged whole: {log}");
    engine.stop();
}

#[test]
fn a_cik_that_is_void_is_replaced_within_the_check_in() {
    let site = Site::new();
    site.check_in().ok();
    let old = site.gateway.gwe(&["--gateway-cik"]).ok().stdout;
    site.murano.server().platform().store.revoke_device(SN).unwrap();
    site.murano.forget_requests();
    site.check_in().ok();
    assert_eq!(endpoints(&site), ["hybrid", "activate", "hybrid"]);
    assert_ne!(site.gateway.gwe(&["--gateway-cik"]).ok().stdout, old);
    // A platform that errs, and does not let it activate again, costs the gateway nothing but that check-in.
    let kept = site.gateway.gwe(&["--gateway-cik"]).ok().stdout;
    site.murano.faults(&["hybrid:status=401*1"]);
    let ran = site.check_in().exited(1);
    assert!(ran.stderr.contains("already activated"), "{}", ran.stderr);
    assert_eq!(site.gateway.gwe(&["--gateway-cik"]).ok().stdout, kept);
    site.check_in().ok();
}

#[test]
fn the_image_s_own_apps_are_installed_once_in_order_and_again_after_a_factory_reset() {
    let site = Site::new();
    let root = site.gateway.root();
    fs::create_dir_all(root.path("usr/share/gwe/apps_to_install")).unwrap();
    for (name, script) in [
        ("20-second.v1.tar.gz", "echo second >> $GWE_ROOT/order"),
        ("10-first.v1.tar.gz", "echo first >> $GWE_ROOT/order"),
        ("30-bad.v1.tar.gz", "echo bad >> $GWE_ROOT/order; exit 1"),
    ] {
        Tarball::app(script).save(root.path(&format!("usr/share/gwe/apps_to_install/{name}")));
    }
    site.check_in().ok();
    assert_eq!(root.read("order"), "first\nsecond\nbad\n");
    let status = site.fetch_status();
    assert_eq!(
        status,
        "== 10-first.v1.tar.gz ==\n[gwe] installed 10-first v1 in N s\n\
         == 20-second.v1.tar.gz ==\n[gwe] installed 20-second v1 in N s\n\
         == 30-bad.v1.tar.gz ==\n[gwe] failed 30-bad v1: install.sh exited with 1\n"
    );
    site.check_in().ok();
    assert_eq!(root.read("order"), "first\nsecond\nbad\n", "once, a failure too");
    assert_eq!(root.tree("usr/share/gwe").len(), 4, "the image's files are only read");
    fs::remove_dir_all(root.path("var/lib/gwe")).unwrap();
    site.murano.server().platform().store.revoke_device(SN).unwrap();
    site.check_in().ok();
    assert_eq!(root.read("order"), "first\nsecond\nbad\n".repeat(2));
}

#[test]
fn factory_apps_need_no_network() {
    let site = Site::new();
    let root = site.gateway.root();
    fs::create_dir_all(root.path("usr/share/gwe/apps_to_install")).unwrap();
    Tarball::app("echo here > $GWE_ROOT/mark").save(root.path("usr/share/gwe/apps_to_install/app.v1.tar.gz"));
    site.murano.faults(&["any:refuse"]);
    site.check_in().exited(1);
    assert_eq!(root.read("mark"), "here\n");
    site.murano.clear_faults();
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n", "told as soon as there is somebody to tell");
}

#[test]
fn install_apps_is_the_same_code_and_tells_who_ran_it() {
    let Some(site) = Site::hosted() else { return };
    let tarball = worker_app("from disk").save(site.gateway.root().path("my_app.v1.tar.gz"));
    let bad = Tarball::new().file("readme", 0o644, "x").save(site.gateway.root().path("bad.v1.tar.gz"));
    let path = |path: &PathBuf| path.to_str().unwrap().to_string();
    let ran = site.gateway.gwe(&["--install-apps", &path(&tarball)]).ok();
    assert!(ran.stdout.starts_with("install from disk\n[gwe] installed my_app v1 in "), "{}", ran.report());
    assert!(site.ctl_status("my_app").contains("RUNNING"));
    assert!(tarball.exists(), "the file is its owner's");
    let ran = site.gateway.gwe(&[&path(&bad), "-I", &path(&tarball)]).exited(1);
    assert!(
        ran.stdout.contains("[gwe] failed bad v1: neither install.sh nor setup.py stands at its root"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("[gwe] installed my_app v1 in "), "{}", ran.stdout);
    let ran = site.gateway.gwe(&["-I", "none.v1.tar.gz"]).exited(1);
    assert!(ran.stderr.contains("there is no file none.v1.tar.gz"), "{}", ran.stderr);
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "", "the cloud did not ask");
    assert_eq!(site.reported("my_app")["version"], "1");
}

#[test]
fn an_app_settles_when_supervisord_is_there_and_not_before() {
    // docs/spec/failures.md, A10: not knowing is not success.
    let mut site = Site::new();
    site.set("install", "settle", "1");
    if gwe_tests::harness::Supervisord::find().is_err() {
        skip!("needs supervisord");
    }
    site.deploy("my_app.v1.tar.gz", &worker_app("late"));
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "", "nobody knows yet");
    assert!(site.host());
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "install late\n[gwe] installed my_app v1 in N s\n");
    let report = site.reported("my_app");
    assert_eq!((&report["version"], &report["status"]), (&"1".into(), &"RUNNING".into()), "{report}");
}
