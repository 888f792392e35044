//! State files after a power loss (docs/spec/failures.md, row 8; rauc#1758, viamrobotics/rdk#3754, aws-greengrass-nucleus#1168): whichever
//! is empty, zeroed, torn, garbage or gone, the agent starts, says so, and goes on with what is safe.

use gwe_tests::harness::{run, wait_until, Site, Tarball, PATIENCE, SN};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;

/// What a file may look like afterwards.
const DAMAGES: [&str; 6] = ["empty", "zeroed", "torn", "garbage", "huge", "missing"];

/// The state files, below `/var/lib/gwe`.
const FILES: [&str; 7] = [
    "Gateway.cfg",
    "Engine.config",
    "install/journal.json",
    "install/registry.json",
    "agent/state.json",
    "last_known_time",
    "boots.json",
];

fn damage(content: &[u8], how: &str) -> Option<Vec<u8>> {
    match how {
        "empty" => Some(Vec::new()),
        "zeroed" => Some(vec![0; content.len()]),
        // In the middle of a word of the last line, so that what is left is no whole file of its own.
        "torn" => Some(content[..content.len().saturating_sub(content.len() / 3).max(1)].to_vec()),
        "garbage" => Some(b"\xff\xfe{[\x00=\x80".repeat(9)),
        "huge" => Some(vec![b'['; 9 << 20]),
        _ => None,
    }
}

/// A gateway on which every state file is there: an app installed, another that waits for the network, an interval of its own.
fn with_everything() -> Site {
    let mut site = Site::new();
    site.set("engine", "keep_clock", "yes");
    site.murano.write(SN, "update_interval", "5");
    assert_eq!(site.install("app.v1.tar.gz", &Tarball::app("true")), "[gwe] installed app v1 in N s\n");
    site.deploy("next.v1.tar.gz", &Tarball::app("true"));
    site.murano.faults(&["info:status=503"]);
    site.check_in().exited(1);
    site.murano.clear_faults();
    let factory = r#"{"current":null,"previous":null,"trial":false,"crashes":0,"misses":0,"dropped":null,"note":null,"image":null}"#;
    site.gateway.root().write("var/lib/gwe/agent/state.json", factory);
    // Only the engine itself writes it.
    let boots = r#"{"boot":"00000000-0000-0000-0000-000000000000","ended":true,"why":"unknown","since":1900000000,"orderly":3,"lost":1,"watchdog":0,"factory_reset":0,"unknown":1}"#;
    site.gateway.root().write("var/lib/gwe/boots.json", boots);
    for file in FILES {
        assert!(site.gateway.root().has(&format!("var/lib/gwe/{file}")), "{file} is not there");
    }
    site
}

#[test]
fn every_state_file_may_be_empty_zeroed_torn_garbage_huge_or_gone() {
    for file in FILES {
        let site = with_everything();
        let path = site.gateway.root().path(&format!("var/lib/gwe/{file}"));
        let whole = fs::read(&path).unwrap();
        for how in DAMAGES {
            match damage(&whole, how) {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap_or_default(),
            }
            if file == "Gateway.cfg" {
                // The CIK is gone with it: its owner has to let the gateway in again.
                site.murano.server().platform().store.revoke_device(SN).unwrap();
            }
            site.murano.forget_requests();
            let ran = site.check_in();
            assert!(ran.signal.is_none() && ran.code != Some(255), "{file} {how}: {}", ran.report());
            assert!(site.murano.count(Endpoint::Hybrid) >= 1, "{file} {how}: it does not check in\n{}", ran.report());
            let name = file.rsplit('/').next().unwrap();
            // An empty INI file is a good one: nothing is set in it.
            let is_legal =
                how == "missing" || (how == "empty" && (file.ends_with(".cfg") || file.ends_with(".config")));
            // A torn INI file is one whose last option is short; what it says is checked by itself.
            let says_so = ran.stderr.contains(name) || ran.stderr.contains(" cannot be '");
            assert!(is_legal || how == "torn" || says_so, "{file} {how}: it does not say so\n{}", ran.stderr);
            // Whatever the damage was, the next check-ins need nobody.
            site.check_in().ok();
        }
        assert_eq!(
            site.install("after.v1.tar.gz", &Tarball::app("true")),
            "[gwe] installed after v1 in N s\n",
            "{file}"
        );
        assert_eq!(site.reported("after")["version"], "1", "{file}");
    }
}

#[test]
fn a_folder_in_the_place_of_a_state_file_stops_nobody() {
    for file in ["Engine.config", "install/registry.json", "agent/state.json", "last_known_time"] {
        let site = with_everything();
        let path = site.gateway.root().path(&format!("var/lib/gwe/{file}"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        site.murano.forget_requests();
        let ran = site.check_in();
        assert!(ran.signal.is_none() && site.murano.count(Endpoint::Hybrid) == 1, "{file}: {}", ran.report());
        assert!(ran.stderr.contains(file.rsplit('/').next().unwrap()), "{file}: it says so\n{}", ran.stderr);
    }
}

#[test]
fn the_engine_starts_with_every_state_file_zeroed_at_once() {
    let site = with_everything();
    for file in FILES {
        let path = site.gateway.root().path(&format!("var/lib/gwe/{file}"));
        let length = fs::metadata(&path).unwrap().len();
        fs::write(&path, vec![0; length as usize]).unwrap();
    }
    site.murano.server().platform().store.revoke_device(SN).unwrap();
    site.murano.forget_requests();
    let mut engine = site.start_engine();
    wait_until("a check-in", PATIENCE, || site.murano.count(Endpoint::Hybrid) >= 2);
    assert!(engine.is_running());
    site.deploy("after.v1.tar.gz", &Tarball::app("true"));
    site.await_status("[gwe] installed after v1");
    assert!(engine.stop().success());
}

#[test]
fn a_torn_part_of_a_download_is_fetched_anew_once() {
    // A power cut keeps the length of a file and loses its end: zeros.
    let site = Site::new();
    site.check_in().ok();
    let mut state = 3_u32;
    let step = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let noise: Vec<u8> = std::iter::repeat_with(step).take(300_000).collect();
    let tarball = Tarball::app("cksum noise > $GWE_ROOT/cksum").file("noise", 0o644, noise);
    site.deploy("app.v1.tar.gz", &tarball);
    site.murano.faults(&["download:drop=body+200000,fin*1", "download:refuse"]);
    site.check_in().exited(1);
    let part = site.gateway.root().path("var/lib/gwe/downloads/app.v1.tar.gz.part");
    let mut bytes = fs::read(&part).unwrap();
    let length = bytes.len();
    assert!(length > 150_000, "{length}");
    bytes[length - 50_000..].fill(0);
    fs::write(&part, bytes).unwrap();
    site.murano.clear_faults();
    let ran = run(site.gateway.command("gwe").arg("--once"), PATIENCE).ok();
    assert!(ran.stderr.contains("fetching all of it anew"), "{}", ran.stderr);
    assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n");
    assert!(site.gateway.root().read("cksum").ends_with(" 300000 noise\n"));
}

#[test]
fn a_part_that_is_as_long_as_the_whole_is_not_taken_for_it() {
    // Found by cutting the power: the length reached the medium in the moment before the download was synced, the bytes did not.
    let site = Site::new();
    site.check_in().ok();
    let tarball = Tarball::app("true");
    site.deploy("app.v1.tar.gz", &tarball);
    site.murano.faults(&["download:refuse"]);
    site.check_in().exited(1);
    site.gateway.root().write("var/lib/gwe/downloads/app.v1.tar.gz.part", vec![0; tarball.bytes().len()]);
    site.murano.clear_faults();
    let ran = run(site.gateway.command("gwe").arg("--once"), PATIENCE).ok();
    assert!(ran.stderr.contains("fetching all of it anew"), "{}", ran.stderr);
    assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n");
}

#[test]
fn an_app_whose_record_is_lost_keeps_running_and_is_updated_beside_itself() {
    // The registry is gone, and both folders are there: the one that the app runs from must not be unpacked over.
    let Some(site) = Site::hosted() else { return };
    let status = site.install("app.v1.tar.gz", &gwe_tests::harness::worker_app("one"));
    assert_eq!(status, "install one\n[gwe] installed app v1 in N s\n", "{}", site.ctl_status("app"));
    let root = site.gateway.root();
    let (running, pid) = (root.path("var/lib/gwe/apps/app/a"), site.pid("app"));
    root.write("var/lib/gwe/apps/app/b/left", "over");
    root.write("var/lib/gwe/install/registry.json", [0; 50]);
    site.check_in().ok();
    assert_eq!(site.pid("app"), pid, "it was left alone");
    let status =
        site.install("app.v2.tar.gz", &Tarball::app("test -e $GWE_ROOT/var/lib/gwe/apps/app/a/worker; exit $?"));
    assert!(status.contains("[gwe] installed app v2"), "{status}");
    assert!(!running.exists() || !root.has("var/lib/gwe/apps/app/b/left"), "what is not in use is gone");
}

#[test]
fn a_lost_record_is_no_reason_to_put_the_image_s_old_version_over_a_newer_one() {
    let site = Site::new();
    let root = site.gateway.root();
    let factory = Tarball::app("echo 1 >> $GWE_ROOT/runs").bytes();
    root.write("usr/share/gwe/apps_to_install/app.v1.tar.gz", factory);
    site.check_in().ok();
    assert_eq!(
        site.install("app.v2.tar.gz", &Tarball::app("echo 2 >> $GWE_ROOT/runs")),
        "[gwe] installed app v2 in N s\n"
    );
    for damage in ["", "\0\0\0\0", "{\"apps\":["] {
        root.write("var/lib/gwe/install/registry.json", damage);
        site.check_in().ok();
        site.check_in().ok();
        assert_eq!(root.read("runs"), "1\n2\n", "{damage:?}");
    }
    // What the image brings and this gateway has never had is installed all the same.
    root.write("var/lib/gwe/install/registry.json", "");
    root.write("usr/share/gwe/apps_to_install/other.v1.tar.gz", Tarball::app("echo other >> $GWE_ROOT/runs").bytes());
    site.check_in().ok();
    assert_eq!(root.read("runs"), "1\n2\nother\n");
}
