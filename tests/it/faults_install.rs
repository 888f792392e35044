//! Faults that lie between install, engine and reboot: docs/spec/failures.md, A1 to A14, cases 01 and 15.

use gwe_tests::harness::{scripted_app, wait_until, worker_app, Kind, Signer, Site, Tarball, PATIENCE, SN};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;

/// A site on which version 1 of `app` runs.
fn with_version_1() -> Option<Site> {
    let mut site = Site::hosted()?;
    site.set("install", "settle", "4");
    assert_eq!(site.install("app.v1.tar.gz", &worker_app("one")), "install one\n[gwe] installed app v1 in N s\n");
    Some(site)
}

/// A program that takes the whole machine down: supervisord, and the check-in whose number is in the root's `check-in`.
const TAKES_IT_DOWN: &str = "echo cut >> $GWE_ROOT/cuts\nsleep 1\nkill -9 $PPID $(cat $GWE_ROOT/check-in)\nexit 1";

fn killer(site: &Site) -> gwe_tests::harness::Tarball {
    let script = TAKES_IT_DOWN.replace("$GWE_ROOT", &site.gateway.root().root().to_string_lossy());
    scripted_app(&script, "startsecs = 1")
}

/// Boots: what supervisord starts by itself comes first, then a check-in.
fn boot(site: &mut Site) {
    site.supervisord = None;
    assert!(site.host());
    let mut check_in = site.gateway.start("gwe", &["--once"]);
    site.gateway.root().write("check-in", check_in.pid().to_string());
    check_in.wait(PATIENCE);
}

fn cuts(site: &Site) -> usize {
    let path = site.gateway.root().path("cuts");
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[test]
fn a1_an_app_that_takes_the_machine_down_is_given_up_after_its_second_try() {
    let Some(mut site) = with_version_1() else { return };
    let bad = killer(&site);
    site.deploy("app.v2.tar.gz", &bad);
    for boots in 1..=5 {
        boot(&mut site);
        if !site.gateway.root().has("var/lib/gwe/install/journal.json") {
            break;
        }
        assert!(boots < 5, "Settling for ever: {}", site.gateway.root().read("var/lib/gwe/install/journal.json"));
    }
    assert_eq!(cuts(&site), 2, "no boot started it uncounted");
    let status = site.fetch_status();
    assert!(
        status.ends_with("[gwe] rolled back app v2 to v1: the gateway went down 2 times while it settled\n"),
        "{status}"
    );
    assert!(site.ctl_status("app").contains("RUNNING"), "{}", site.ctl_status("app"));
    assert_eq!(site.reported("app")["version"], "1");
}

#[test]
fn a1_what_settled_is_for_supervisorctl_update_what_it_was() {
    let Some(site) = with_version_1() else { return };
    let pid = site.pid("app");
    let root = site.gateway.root();
    assert!(!root.read("var/lib/gwe/supervisor.d/app.conf").contains("autostart"), "a boot starts it");
    let updated = site.supervisord.as_ref().unwrap().ctl(&["update"]).stdout;
    assert_eq!((updated.as_str(), site.pid("app")), ("", pid));
    let left: Vec<_> =
        root.tree("var/lib/gwe/supervisor.d").into_iter().filter(|path| !path.ends_with("app.conf")).collect();
    assert!(left.iter().all(|path| path.ends_with('/')), "{left:?}");
}

#[test]
fn a10_an_app_that_ends_supervisord_is_not_installed() {
    let Some(mut site) = with_version_1() else { return };
    site.deploy("app.v2.tar.gz", &scripted_app("sleep 2; kill -9 $PPID", "startsecs = 1"));
    let mut engine = site.start_engine();
    // As an image's init does, whenever it is gone.
    wait_until("a verdict on version 2", 4 * PATIENCE, || {
        if !site.supervisord.as_mut().is_some_and(|hosting| hosting.process().is_running()) {
            site.supervisord = None;
            assert!(site.host());
        }
        site.fetch_status().contains("app v2")
    });
    engine.stop();
    let status = site.fetch_status();
    assert!(status.contains("[gwe] rolled back app v2 to v1: "), "{status}");
}

#[test]
fn case_15_what_ends_while_it_settles_is_no_running_app() {
    let Some(site) = with_version_1() else { return };
    let status = site.install("app.v2.tar.gz", &scripted_app("sleep 600 &\nexit 0", "startsecs = 0"));
    assert!(status.contains("[gwe] rolled back app v2 to v1: app ended while it settled, or went into"), "{status}");
    let once = scripted_app("exit 0", "startsecs = 0\nautorestart = false");
    assert!(site.install("once.v1.tar.gz", &once).contains("[gwe] installed once v1"));
}

#[test]
fn point_9_the_report_has_the_end_of_the_app_s_own_log() {
    let Some(site) = with_version_1() else { return };
    let status = site.install(
        "app.v2.tar.gz",
        &scripted_app("echo no modem at /dev/ttyUSB0 >&2; exit 7", "startsecs = 1\nstartretries = 0"),
    );
    let log = site.gateway.root().path("var/log/app.log");
    assert!(status.contains(&format!("[gwe] the end of {}:\nno modem at /dev/ttyUSB0\n", log.display())), "{status}");
    assert!(!status.contains("one\n"), "the words of version 1 are not version 2's: {status}");
}

#[test]
fn a3_a_gwe_that_was_replaced_on_disk_goes_on_checking_in() {
    let site = Site::new();
    site.bring_programs();
    let root = site.gateway.root();
    let image = root.path("usr/bin/gwe");
    let mut command = std::process::Command::new(&image);
    command.env("GWE_ROOT", root.root()).env("GWE_STAY", "1");
    let mut engine = gwe_tests::harness::Background::start(&mut command, root, "engine");
    wait_until("a check-in", PATIENCE, || site.murano.count(Endpoint::Hybrid) > 0);
    let new = root.path("usr/bin/gwe.new");
    fs::copy(&image, &new).unwrap();
    fs::rename(&new, &image).unwrap();
    site.murano.forget_requests();
    wait_until("a check-in by what stands there now", PATIENCE, || site.murano.count(Endpoint::Hybrid) > 1);
    assert!(!engine.log().contains("cannot start a check-in"), "{}", engine.log());
    engine.stop();
}

#[test]
fn a3_a_gwe_whose_file_is_gone_waits_as_it_is_and_still_checks_in() {
    let mut site = Site::new();
    site.set("engine", "update_interval", "3600");
    site.bring_programs();
    let root = site.gateway.root();
    let image = root.path("usr/bin/gwe");
    // The first check-in lasts until the file is gone: an engine that sleeps already would end, to be started anew.
    site.murano.faults(&["hybrid:delay=3000*1"]);
    let mut command = std::process::Command::new(&image);
    let mut engine = gwe_tests::harness::Background::start(command.env("GWE_ROOT", root.root()), root, "engine");
    wait_until("the first check-in to be under way", PATIENCE, || site.murano.count(Endpoint::Activate) == 1);
    fs::remove_file(&image).unwrap();
    wait_until("a check-in", PATIENCE, || site.murano.count(Endpoint::Hybrid) == 1);
    // It would become the sleeper here, and find nothing to wake up as.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let switches = || gwe_tests::harness::number_of(engine.pid(), "status", "voluntary_ctxt_switches:");
    let before = switches();
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(switches(), before, "{}", engine.log());
    engine.signal(libc::SIGHUP);
    wait_until("a check-in by signal", PATIENCE, || site.murano.count(Endpoint::Hybrid) == 2);
    assert!(engine.stop().success(), "{}", engine.log());
}

#[test]
fn a11_an_installer_that_kills_the_check_in_is_no_fault_of_the_agent() {
    let site = Site::new();
    let root = site.gateway.root();
    root.write("var/lib/gwe/agent/state.json", PROVEN);
    let slot = root.path("var/lib/gwe/apps/gwe/a");
    fs::create_dir_all(&slot).unwrap();
    fs::copy(gwe_tests::harness::agent_binary(), slot.join("gwe")).unwrap();
    site.deploy("app.v1.tar.gz", &Tarball::app("kill -9 $PPID"));
    let mut engine = site.start_engine();
    site.await_status("[gwe] failed app v1: install.sh was cut off 3 times");
    engine.stop();
    let state = root.read("var/lib/gwe/agent/state.json");
    assert!(state.contains(r#""version":"9.9.9""#) && !state.contains("three times"), "{state}");
}

/// A version of the agent that has completed its trial long ago.
const PROVEN: &str = r#"{"current":{"version":"9.9.9","slot":"a","sha256":"0"},"previous":null,"trial":false,"crashes":0,
"misses":0,"dropped":null,"note":null,"image":null}"#;

#[test]
fn a13_the_image_s_own_names_are_refused() {
    let site = Site::new();
    for app in ["gmq", "gdc", "supervisord", "supervisorctl", "gwe-helper"] {
        let name = format!("{app}.v9.tar.gz");
        let status = site.install(&name, &Tarball::app("true"));
        assert!(status.contains("is one of the image's own programs: choose another"), "{status}");
        let file = Tarball::app("true").save(site.gateway.root().path(&name));
        let ran = site.gateway.gwe(&["--install-apps", file.to_str().unwrap()]).exited(1);
        assert!(ran.stdout.contains("is one of the image's own programs"), "{}", ran.report());
        let ran = site.gateway.gwe(&["--check-tarball", file.to_str().unwrap()]).exited(1);
        assert!((ran.stdout.clone() + &ran.stderr).contains("is one of the image's own programs"), "{}", ran.report());
    }
}

#[test]
fn a14_a_download_that_stalls_withholds_no_finished_report() {
    let site = Site::new();
    site.check_in().ok();
    site.upload("good.v1.tar.gz", &Tarball::app("echo good"));
    site.upload("slow.v1.tar.gz", &Tarball::app("echo slow"));
    site.order(&["slow.v1.tar.gz", "good.v1.tar.gz"]);
    // The first one's content is asked for and never told.
    site.murano.faults(&["info:status=503*1"]);
    site.check_in();
    let status = site.fetch_status();
    assert!(status.contains("good\n[gwe] installed good v1 in N s\n") && !status.contains("slow"), "{status}");
    site.check_in().ok();
    assert!(site.fetch_status().contains("[gwe] installed slow v1"), "{}", site.fetch_status());
}

#[test]
fn a14_an_alias_whose_clearing_is_refused_for_good_blocks_no_install() {
    let site = Site::new();
    site.check_in().ok();
    site.murano.faults(&["write:status=400"]);
    site.deploy("app.v1.tar.gz", &Tarball::app("echo x >> $GWE_ROOT/marks"));
    site.murano.write(SN, "update_interval", "7");
    for _ in 0..3 {
        // Its report is refused as well, and goes with the next exchange.
        site.check_in();
    }
    let status = site.reports().concat();
    assert!(status.contains("[gwe] installed app v1 in N s\n"), "{status}");
    assert_eq!(
        status.matches("engine_fetch cannot be cleared (write: the platform answered 400").count(),
        1,
        "{status}"
    );
    assert_eq!(site.gateway.root().read("marks"), "x\n", "it stands there still, and is done once");
    assert!(site.gateway.gwe(&["--engine-conf"]).ok().stdout.contains("update_interval = 7"));
    // Once the platform takes it, the same text is a new request.
    site.murano.clear_faults();
    site.check_in().ok();
    site.order(&["app.v1.tar.gz"]);
    site.check_in().ok();
    assert_eq!(site.gateway.root().read("marks"), "x\nx\n");
}

#[test]
fn a6_what_came_with_the_image_has_a_floor_too() {
    let signer = Signer::new();
    let site = Site::new();
    let root = site.gateway.root();
    root.write("etc/gwe/trusted/oem.pub", fs::read(signer.public_key()).unwrap());
    let tarball = Tarball::app("echo five").bytes();
    let signed_at =
        |name: &str, time: u64| signer.sign(name, &tarball, Some(&format!("timestamp:{time}\tfile:{name}\thashed")));
    // One brings its signature, the other has the date of the image's build.
    root.write("usr/share/gwe/apps_to_install/a.v5.tar.gz", &tarball);
    root.write("usr/share/gwe/apps_to_install/b.v5.tar.gz", &tarball);
    root.write("usr/share/gwe/apps_to_install/b.v5.tar.gz.minisig", signed_at("b.v5.tar.gz", 1_600_000_000));
    site.check_in().ok();
    for (name, time, is_old) in [
        ("a.v1.tar.gz", 1_500_000_000, true),
        ("b.v1.tar.gz", 1_500_000_000, true),
        ("b.v6.tar.gz", 1_600_000_001, false),
        ("gwe.v0.0.1.tar.gz", 1_400_000_000, true),
        ("a.v6.tar.gz", 4_000_000_000, false),
    ] {
        site.murano.upload(name, &tarball);
        site.murano.upload(&format!("{name}.minisig"), &signed_at(name, time));
        site.order(&[name]);
        site.check_in();
        let status = site.fetch_status();
        assert_eq!(
            status.contains("its signature is older than that of the installed version"),
            is_old,
            "{name}: {status}"
        );
        assert_eq!(status.contains("[gwe] installed"), !is_old, "{name}: {status}");
    }
}

#[test]
fn a7_what_was_checked_is_what_is_unpacked() {
    let signer = Signer::new();
    let site = Site::new();
    let root = site.gateway.root();
    root.write("etc/gwe/trusted/oem.pub", fs::read(signer.public_key()).unwrap());
    // Large enough that the kill comes before its end.
    let good = Tarball::app("echo good >> $GWE_ROOT/who").entry("padding", 0o644, Kind::Zeros(200 << 20));
    let file = good.save(root.path("app.v1.tar.gz"));
    let signature = signer.sign("app.v1.tar.gz", &fs::read(&file).unwrap(), None);
    root.write("app.v1.tar.gz.minisig", signature);
    let mut install = site.gateway.start("gwe", &["-d", "DEBUG", "--install-apps", file.to_str().unwrap()]);
    // In the journal, which comes behind the log's line: a kill between the two has the file checked once more.
    let journal = root.path("var/lib/gwe/install/journal.json");
    wait_until("the check", PATIENCE, || fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"Verified\"")));
    install.kill();
    Tarball::app("echo evil >> $GWE_ROOT/who").save(&file);
    site.check_in();
    assert_eq!(root.read("who"), "good\n");
    assert!(!root.tree("var/lib/gwe").iter().any(|path| path.ends_with(".disk")), "the copy goes with the install");
}

fn waits_for(others: &str) -> Tarball {
    scripted_app("exec sleep 600", &format!("startsecs = 1\nafter = {others}"))
}

/// Whose start waits for whom is told by name: once its fragment is out again nothing on the gateway says it.
#[test]
fn apps_that_would_wait_for_each_other_are_told_so() {
    let Some(site) = Site::hosted() else { return };
    assert!(site.install("a.v1.tar.gz", &waits_for("b")).contains("[gwe] installed a v1"));
    let told = site.install("b.v1.tar.gz", &waits_for("a"));
    assert!(told.starts_with("[gwe] failed b v1: by `after`, programs start after each other in a circle: "), "{told}");
    assert!(told.contains("a after b after a") || told.contains("b after a after b"), "{told}");
    // Nobody is kept back by it.
    assert!(site.install("c.v1.tar.gz", &waits_for("a")).contains("[gwe] installed c v1"));
}
