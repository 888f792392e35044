//! Disk or inodes full (docs/spec/failures.md, row 13; streborn#239: a stale `.new` breaks every retry; aktualizr#1520): whichever write
//! fails, partials are removed, check-ins go on, and nothing has to be restarted once there is room.

use gwe_tests::harness::{Kind, Site, SmallDisk, Tarball, SN};
use gwe_tests::murano::endpoint::Endpoint;
use gwe_tests::skip;
use std::fs;

/// Bytes that no compression makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let step = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(step).take(length).collect()
}

/// An activated gateway whose state folder is a disk of these options.
fn on_disk(options: &str) -> Option<(SmallDisk, Site)> {
    let site = Site::new();
    let disk = SmallDisk::mount(&site.gateway.root().path("var/lib/gwe"), options)?;
    Some((disk, site))
}

/// What a full disk may leave: nothing partial.
#[track_caller]
fn is_tidy(site: &Site, what: &str) {
    let tree = site.gateway.root().tree("var/lib/gwe");
    let is_partial = |path: &&String| path.ends_with(".new") || path.ends_with(".part") || path.ends_with(".probe");
    let left: Vec<_> = tree.iter().filter(is_partial).collect();
    assert!(left.is_empty(), "{what}: {left:?}");
}

/// Under each of these limits an app is ordered, whatever comes of it; then there is room, and it must be installed by itself or
/// by the next order.
fn each_limit(limits: &[String], roomy: &str) -> bool {
    let app = Tarball::app("echo x >> $GWE_ROOT/runs").file("noise", 0o644, noise(30_000));
    let mut outcomes = [0, 0, 0];
    for limit in limits {
        let Some((disk, site)) = on_disk(roomy) else { return false };
        site.check_in().ok();
        disk.remount(limit);
        site.murano.forget_requests();
        site.deploy("app.v1.tar.gz", &app);
        for _ in 0..2 {
            let ran = site.check_in();
            assert!(ran.signal.is_none() && !ran.timed_out, "{limit}: {}", ran.report());
        }
        is_tidy(&site, limit);
        let requests = site.murano.requests()["totals"]["by_endpoint"]["hybrid"].as_u64().unwrap_or(0);
        assert!(requests >= 2, "{limit}: check-ins go on, {requests} of 2");
        let status = site.fetch_status();
        let is_taken = site.murano.read(SN, "engine_fetch").is_none();
        assert!(is_taken || status.is_empty(), "{limit}: told of an order that was not taken: {status}");
        outcomes[usize::from(is_taken) + usize::from(status.contains("[gwe] installed"))] += 1;
        if status.contains("[gwe] failed") {
            // One line that says why: ours, or that of an installer that had no room itself.
            assert!(
                status.contains("full") || status.contains("No space") || status.contains("inodes"),
                "{limit}: {status}"
            );
            assert!(!site.gateway.root().has("var/lib/gwe/apps/app/a"), "{limit}");
        }
        // There is room: no restart, no cleaning up by hand.
        disk.remount(roomy);
        if status.contains("[gwe] failed") {
            site.order(&["app.v1.tar.gz"]);
        }
        for _ in 0..3 {
            site.check_in();
        }
        assert!(site.fetch_status().contains("[gwe] installed app v1"), "{limit}: {}", site.fetch_status());
        assert_eq!(site.reported("app")["version"], "1", "{limit}");
        is_tidy(&site, limit);
    }
    println!("not taken, taken and failed, installed: {outcomes:?}");
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "the limits do not reach every kind of outcome: {outcomes:?}");
    true
}

#[test]
fn no_space_at_any_write() {
    // 4 MiB is what a download leaves free for others, so that most small disks are refused before the first byte: up to the
    // request itself, which does not fit; from there on to the download.
    let mut limits: Vec<String> = (1..=12).map(|pages| format!("size={}k", pages * 4)).collect();
    limits.extend([64, 256, 4000, 4160].map(|k| format!("size={k}k")));
    if !each_limit(&limits, "size=16m") {
        skip!("needs root, to mount a small disk");
    }
}

#[test]
fn no_inodes_at_any_write() {
    let limits: Vec<String> = (3..=20).chain([40, 70, 74]).map(|n| format!("nr_inodes={n}")).collect();
    if !each_limit(&limits, "nr_inodes=4000") {
        skip!("needs root, to mount a small disk");
    }
}

#[test]
fn an_unpacked_app_that_does_not_fit_leaves_nothing() {
    let Some((disk, site)) = on_disk("size=16m") else { skip!("needs root, to mount a small disk") };
    site.check_in().ok();
    assert_eq!(site.install("app.v1.tar.gz", &Tarball::app("true")), "[gwe] installed app v1 in N s\n");
    let before = site.tree();
    // The tarball fits with ease; what is in it does not.
    let large = Tarball::app("true").entry("zeros", 0o644, Kind::Zeros(64 << 20));
    let status = site.install("app.v2.tar.gz", &large);
    assert!(status.starts_with("[gwe] failed app v2: the disk is full while unpacking: "), "{status}");
    let folders =
        |tree: Vec<String>| tree.into_iter().filter(|path| !path.ends_with("/downloads/")).collect::<Vec<_>>();
    assert_eq!(folders(site.tree()), folders(before), "nothing of it is left, and version 1 is");
    disk.remount("size=256m");
    assert_eq!(site.install("app.v2.tar.gz", &large), "[gwe] installed app v2 in N s\n", "nothing is held against it");
}

#[test]
fn a_delta_that_makes_more_than_fits_gives_way_to_its_tarball_once() {
    // What the delta makes does not fit, so neither does the tarball's content: each is tried once, and the report says both.
    let Some((disk, site)) = on_disk("size=8m") else { skip!("needs root, to mount a small disk") };
    let old = Tarball::app("true").file("noise", 0o644, noise(30_000));
    let new = Tarball::app("true").file("noise", 0o644, noise(30_000)).entry("zeros", 0o644, Kind::Zeros(9 << 20));
    site.check_in().ok();
    assert_eq!(site.install("app.v1.tar.gz", &old), "[gwe] installed app v1 in N s\n");
    let before = site.tree();
    site.upload("app.v2.tar.gz", &new);
    let (old, new) = (old.bytes(), new.bytes());
    let delta = crate::delta::delta(("app.v1.tar.gz", &old), ("app.v2.tar.gz", &new));
    site.murano.upload("app.v2.from.v1.delta", &delta);
    let order = r#"{"install": [{"name": "app.v2.tar.gz", "delta_from": ["1"]}]}"#;
    site.murano.write(SN, "engine_fetch", order);
    site.murano.forget_requests();
    site.check_in();
    let status = site.fetch_status();
    let is_told = |line: &str| status.lines().filter(|told| told.starts_with(line)).count() == 1;
    assert!(
        is_told("[gwe] app.v2.from.v1.delta was not used: the disk is full while unpacking: cannot write "),
        "{status}"
    );
    assert!(status.contains("No space left on device (os error 28); took app.v2.tar.gz instead\n"), "{status}");
    assert!(is_told("[gwe] failed app v2: the disk is full while unpacking: "), "{status}");
    assert_eq!(site.murano.count(Endpoint::Download), 2, "the delta once, the tarball once");
    let folders =
        |tree: Vec<String>| tree.into_iter().filter(|path| !path.ends_with("/downloads/")).collect::<Vec<_>>();
    assert_eq!(folders(site.tree()), folders(before), "nothing of it is left, and version 1 is");
    // With room, the next order is by delta again: nothing is held against it.
    disk.remount("size=256m");
    site.murano.write(SN, "engine_fetch", order);
    site.check_in();
    let status = site.fetch_status();
    let received = format!("[gwe] received {} bytes for app.v2.from.v1.delta\n", delta.len());
    assert!(status.contains(&received) && status.ends_with("[gwe] installed app v2 in N s\n"), "{status}");
}

#[test]
fn work_that_cannot_be_noted_does_not_keep_the_gateway_from_the_cloud() {
    let Some((disk, site)) = on_disk("size=16m") else { skip!("needs root, to mount a small disk") };
    site.check_in().ok();
    let factory = Tarball::app("echo x >> $GWE_ROOT/runs").bytes();
    site.gateway.root().write("usr/share/gwe/apps_to_install/app.v1.tar.gz", factory);
    disk.remount("size=4k");
    site.murano.forget_requests();
    let ran = site.check_in();
    assert!(ran.stderr.contains("No space left on device"), "{}", ran.stderr);
    assert_eq!(site.murano.count(Endpoint::Hybrid), 1, "{}", ran.report());
    assert!(site.reports().is_empty(), "nothing is told that is not kept");
    disk.remount("size=16m");
    site.check_in().ok();
    assert_eq!(site.reports(), ["[gwe] installed app v1 in N s\n"]);
    assert_eq!(site.gateway.root().read("runs"), "x\n");
}

#[test]
fn a_cik_is_not_asked_for_that_could_not_be_kept() {
    // The platform gives it once: lost, the gateway is locked out until somebody enables it again.
    let Some((disk, site)) = on_disk("size=4k") else { skip!("needs root, to mount a small disk") };
    fs::write(site.gateway.root().path("var/lib/gwe/full"), [0; 4096]).unwrap();
    for _ in 0..2 {
        let ran = site.check_in().exited(1);
        assert!(ran.stderr.contains("No space left on device"), "{}", ran.stderr);
    }
    assert_eq!(site.murano.count(Endpoint::Activate), 0);
    disk.remount("size=1m");
    site.check_in().ok();
    assert_eq!(site.murano.count(Endpoint::Activate), 1);
}

#[test]
fn a_stale_temporary_breaks_no_retry() {
    // streborn#239.
    let site = Site::new();
    site.check_in().ok();
    for file in ["Gateway.cfg.new", "Engine.config.new", "install/journal.json.new", "install/registry.json.new"] {
        site.gateway.root().write(&format!("var/lib/gwe/{file}"), "torn");
    }
    site.murano.write(SN, "update_interval", "9");
    assert_eq!(site.install("app.v1.tar.gz", &Tarball::app("true")), "[gwe] installed app v1 in N s\n");
    assert!(site.gateway.gwe(&["--engine-conf"]).ok().stdout.contains("update_interval = 9\n"));
    assert_eq!(site.reported("app")["version"], "1");
}

#[test]
fn a_state_folder_that_turned_read_only_stops_nothing_else() {
    // What the kernel does with an ext4 that has errors.
    let Some((disk, site)) = on_disk("size=1m") else { skip!("needs root, to mount a small disk") };
    site.check_in().ok();
    disk.remount("ro");
    site.murano.forget_requests();
    site.check_in().ok();
    site.deploy("app.v1.tar.gz", &Tarball::app("true"));
    let ran = site.check_in().exited(1);
    assert!(ran.stderr.contains("Read-only file system"), "{}", ran.stderr);
    assert!(site.murano.read(SN, "engine_fetch").is_some(), "what is not durable is not acknowledged");
    disk.remount("rw,size=16m");
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n");
}
