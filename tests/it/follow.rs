//! The image's `gwe`, `gmq` and `gdc` go on as the agent that arrived over the air: a queue that runs already, a version that dies as
//! soon as it stays resident, a supervisord that is started again at any moment, a newer image, links on the way (docs/decisions.md, "The engine is a timer").

use gwe_tests::harness::{agent_binary, agent_of, exe, is_asleep, run, wait_until, Site, Tarball, PATIENCE, SN};
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The version of the image's own agent.
const FACTORY: &str = env!("CARGO_PKG_VERSION");
/// What a busy machine may need for an update and all that follows.
const LONG: Duration = Duration::from_secs(150);

fn packed(agent: impl Into<Vec<u8>>) -> Tarball {
    Tarball::app("./gwe --version").file("gwe", 0o755, agent)
}

/// A gateway with the image's programs in `usr/bin`, not yet hosted.
fn image() -> Site {
    let site = Site::new();
    site.bring_programs();
    site
}

/// The programs of the shipped fragments.
fn programs(names: &[(&str, &str)]) -> String {
    let program = |(name, arguments): &(&str, &str)| {
        format!(
            "[program:{name}]\ncommand = {{root}}/usr/bin/{name} {arguments}\nenvironment = GWE_ROOT=\"{{root}}\"\n\
             redirect_stderr = true\nstdout_logfile = {{root}}/var/log/{name}.log\nstartsecs = 1\nstartretries = 1000000\n"
        )
    };
    names.iter().map(program).collect()
}

fn slot(site: &Site, slot: &str) -> PathBuf {
    site.gateway.root().path("var/lib/gwe/apps/gwe").join(slot).join("gwe")
}

/// Puts a program in a slot and in charge, as if it had completed its check-in under this image.
fn in_charge(site: &Site, program: impl AsRef<[u8]>, version: &str, image: Option<&str>) {
    let path = site.gateway.root().write("var/lib/gwe/apps/gwe/a/gwe", program);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    let image = image.map_or("null".to_string(), |image| format!("\"{image}\""));
    let state = format!(
        r#"{{"current":{{"version":"{version}","slot":"a","sha256":"h{version}"}},"previous":null,"trial":false,"crashes":0,"misses":0,"dropped":null,"note":null,"image":{image}}}"#
    );
    site.gateway.root().write("var/lib/gwe/agent/state.json", state);
}

/// What the image's program of this name says of its version.
#[track_caller]
fn version_of(site: &Site, name: &str) -> String {
    let mut command = Command::new(site.gateway.root().path("usr/bin").join(name));
    let ran = run(command.arg("-v").env("GWE_ROOT", site.gateway.root().root()), PATIENCE).ok();
    ran.stdout.trim().to_string()
}

#[test]
fn a_queue_that_runs_is_started_again_to_follow_and_to_come_back() {
    let mut site = image();
    if !site.host_with(&programs(&[("gwe", ""), ("gmq", "--port 0")])) {
        return;
    }
    site.await_ctl("gmq", "RUNNING");
    let factory = site.gateway.root().path("usr/bin/gwe");
    assert_eq!(exe(site.pid("gmq")), factory);
    site.deploy("gwe.v0.1.8.tar.gz", &packed(agent_of("0.1.8")));
    site.await_status("[gwe] installed gwe v0.1.8 in N s");
    wait_until("gmq to follow", LONG, || exe(site.pid("gmq")) == slot(&site, "a"));
    let follower = site.pid("gmq");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(site.pid("gmq"), follower, "once is enough");
    // The version turns bad, and is dropped: the queue goes back with the engine.
    let broken = slot(&site, "a").with_file_name("gwe.new");
    fs::write(&broken, "#!/bin/sh\nexit 134\n").unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&broken, slot(&site, "a")).unwrap();
    wait_until("gmq to come back", LONG, || exe(site.pid("gmq")) == factory);
}

#[test]
fn a_queue_that_sleeps_is_left_alone_and_wakes_up_as_the_new_version() {
    let mut site = image();
    let hosted =
        programs(&[("gwe", ""), ("gmq", "--port 0")]).replace("environment = ", "environment = GWE_NAP_AFTER=\"5\",");
    if !site.host_with(&hosted) {
        return;
    }
    site.await_ctl("gmq", "RUNNING");
    let queue = site.pid("gmq");
    let sleeps = || is_asleep(queue);
    wait_until("gmq to sleep", LONG, sleeps);
    site.deploy("gwe.v0.1.8.tar.gz", &packed(agent_of("0.1.8")));
    site.await_status("[gwe] installed gwe v0.1.8 in N s");
    wait_until("the engine to follow", LONG, || exe(site.pid("gwe")) == slot(&site, "a"));
    std::thread::sleep(Duration::from_secs(4));
    assert!(sleeps(), "a check-in or two of the new version do not disturb it");
    let ran = site.gateway.gmq(&["status"]).ok();
    assert!(ran.stdout.contains("0.1.8"), "{}", ran.report());
    assert_eq!(exe(queue), slot(&site, "a"));
    wait_until("gmq to sleep again", LONG, sleeps);
    assert_eq!(site.pid("gmq"), queue, "it was never started anew");
}

#[test]
fn a_gateway_without_a_queue_under_supervisord_misses_none() {
    let mut site = image();
    if !site.host_with(&programs(&[("gwe", "")])) {
        return;
    }
    site.deploy("gwe.v0.1.8.tar.gz", &packed(agent_of("0.1.8")));
    site.await_status("[gwe] installed gwe v0.1.8 in N s");
    wait_until("the engine to follow", LONG, || exe(site.pid("gwe")) == slot(&site, "a"));
    assert!(!site.gateway.root().read("var/log/gwe.log").contains("gmq"));
}

#[test]
fn a_version_that_dies_as_soon_as_it_stays_is_followed_three_times_and_no_more() {
    let mut site = image();
    // Its check-ins are good; only what stays resident dies.
    let marks = site.gateway.root().path("deaths");
    let script = format!(
        "#!/bin/sh\n[ $# -gt 0 ] && exec {} \"$@\"\necho x >> {}\nkill -SEGV $$\n",
        agent_binary().display(),
        marks.display()
    );
    in_charge(&site, script, "0.1.8", Some(FACTORY));
    if !site.host_with(&programs(&[("gwe", "")])) {
        return;
    }
    let factory = site.gateway.root().path("usr/bin/gwe");
    wait_until("the image's own to go on", LONG, || {
        site.gateway.root().has("run/gwe/starts.gwe")
            && site.gateway.root().read("run/gwe/starts.gwe").ends_with(" never")
            && site.ctl_status("gwe").contains("RUNNING")
    });
    let engine = site.pid("gwe");
    let begun = site.murano.count(gwe_tests::murano::endpoint::Endpoint::Hybrid);
    wait_until("check-ins", PATIENCE, || site.murano.count(gwe_tests::murano::endpoint::Endpoint::Hybrid) >= begun + 3);
    assert_eq!((site.pid("gwe"), exe(engine)), (engine, factory), "it stays");
    assert_eq!(fs::read_to_string(marks).unwrap(), "x\n".repeat(3));
    assert!(site.gateway.root().read("var/log/gwe.log").contains("gwe v0.1.8 died 3 times at its start"));
}

#[test]
fn orderly_restarts_are_not_held_against_a_version() {
    let mut site = image();
    in_charge(&site, agent_of("0.1.8"), "0.1.8", Some(FACTORY));
    if !site.host_with(&programs(&[("gwe", "")])) {
        return;
    }
    for _ in 0..5 {
        wait_until("the newer version", LONG, || exe(site.pid("gwe")) == slot(&site, "a"));
        // As long as supervisord wants a program to be up.
        site.await_ctl("gwe", "RUNNING");
        site.supervisord.as_ref().unwrap().ctl(&["restart", "gwe"]).ok();
    }
    wait_until("the newer version", LONG, || exe(site.pid("gwe")) == slot(&site, "a"));
}

#[test]
fn supervisord_may_be_started_again_in_every_phase_of_an_update() {
    for phase in ["app gwe is ordered", "installing gwe v0.1.8", "is on trial from the next check-in on", "going on as"]
    {
        let mut site = image();
        let programs = programs(&[("gwe", "")]);
        if !site.host_with(&programs) {
            return;
        }
        site.deploy("gwe.v0.1.8.tar.gz", &packed(agent_of("0.1.8")));
        let log = site.gateway.root().path("var/log/gwe.log");
        if !phase.contains("ordered") {
            wait_until(phase, LONG, || fs::read_to_string(&log).unwrap_or_default().contains(phase));
        }
        // All that it hosts dies with it, as at a power cut; the kernel sees to the check-in.
        let engine = site.pid("gwe");
        site.supervisord.as_mut().unwrap().process().kill();
        // SAFETY: kill(2) touches no memory; the process is one that this test's supervisord started.
        unsafe { libc::kill(engine as i32, libc::SIGKILL) };
        site.supervisord = None;
        assert!(site.host_with(&programs));
        site.await_status("[gwe] installed gwe v0.1.8 in N s");
        // A kill in the middle of unpacking leaves one folder to be swept, and the other is taken.
        wait_until("the new version to stay", LONG, || {
            let runs = exe(site.pid("gwe"));
            runs == slot(&site, "a") || runs == slot(&site, "b")
        });
        assert_eq!(site.reports().len(), 1, "{phase}: {:?}", site.reports());
        assert_eq!(version_of(&site, "gdc"), "0.1.8", "{phase}");
    }
}

#[test]
fn a_newer_image_s_agent_counts_over_one_that_came_for_the_image_before() {
    let mut site = image();
    in_charge(&site, agent_of("0.0.9"), "0.0.9", Some("0.0.1"));
    // Another image than the one that it arrived under: not even the commands follow.
    for name in ["gwe", "gmq", "gdc"] {
        assert_eq!(version_of(&site, name), FACTORY, "{name}");
    }
    if !site.host_with(&programs(&[("gwe", "")])) {
        return;
    }
    wait_until("a check-in", PATIENCE, || site.murano.read(SN, "engine_report").is_some());
    assert_eq!(exe(site.pid("gwe")), site.gateway.root().path("usr/bin/gwe"));
    assert_eq!(site.reported("gwe")["version"], FACTORY);
    assert!(site.gateway.root().read("var/log/gwe.log").contains("it counts instead of v0.0.9"));
}

#[test]
fn a_state_folder_behind_links_is_no_loop() {
    let mut site = image();
    let root = site.gateway.root();
    fs::create_dir_all(root.path("data/state")).unwrap();
    fs::create_dir_all(root.path("var/lib")).unwrap();
    symlink("../../data/state", root.path("var/lib/gwe")).unwrap();
    if !site.host_with(&programs(&[("gwe", "")])) {
        return;
    }
    site.deploy("gwe.v0.1.8.tar.gz", &packed(agent_of("0.1.8")));
    site.await_status("[gwe] installed gwe v0.1.8 in N s");
    let real = site.gateway.root().path("data/state/apps/gwe/a/gwe");
    wait_until("the new version to stay", LONG, || exe(site.pid("gwe")) == real);
    let log = || site.gateway.root().read("var/log/gwe.log").matches("going on as").count();
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(log(), 1, "{}", site.gateway.root().read("var/log/gwe.log"));
    assert_eq!(version_of(&site, "gdc"), "0.1.8");
}

#[test]
fn what_cannot_be_followed_is_not() {
    let site = image();
    // Nothing there, and no program: the image's own goes on, and says so where it tried.
    in_charge(&site, "no program at all", "0.1.8", Some(FACTORY));
    assert_eq!(version_of(&site, "gdc"), FACTORY);
    fs::remove_file(slot(&site, "a")).unwrap();
    assert_eq!(version_of(&site, "gdc"), FACTORY);
    // A link back to the image itself.
    symlink(site.gateway.root().path("usr/bin/gwe"), slot(&site, "a")).unwrap();
    assert_eq!(version_of(&site, "gdc"), FACTORY);
    assert!(Path::new(&site.gateway.root().path("usr/bin/gwe")).exists());
}
