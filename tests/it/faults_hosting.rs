//! What an app may name of the supervisord that will host it, and which names are the image's own: docs/spec/failures.md, case 02 and A13.

use gwe_tests::harness::{run, scripted_app, Gateway, Scratch, Site, Supervisord, Tarball, PATIENCE};
use std::time::Duration;

/// An app that wants a variable of supervisord's environment.
fn wants(variable: &str) -> Tarball {
    let conf = format!("[supervisord]\ncommand = ./run.sh\nstartsecs = 1\nenvironment = SITE=\"%(ENV_{variable})s\"\n");
    Tarball::app("true").file("run.sh", 0o755, "#!/bin/sh\necho \"$SITE\"\nexec sleep 600\n").file(
        "supervisor.conf",
        0o644,
        conf,
    )
}

#[test]
fn case_02_what_supervisord_has_and_who_installs_has_not_is_there() {
    // Supervisor#599, #1038, #1177: an install over ssh.
    let Some(site) = Site::hosted() else { return };
    let file = wants("PATH").save(site.gateway.root().path("app.v1.tar.gz"));
    let mut command = site.gateway.command("gwe");
    let ran = run(command.arg("--install-apps").arg(&file).env_remove("PATH"), PATIENCE).ok();
    assert!(ran.stdout.contains("[gwe] installed app v1 in "), "{}", ran.report());
    assert_eq!(site.gateway.root().read("var/log/app.log").trim_end(), std::env::var("PATH").unwrap());
}

#[test]
fn case_02_what_supervisord_s_configuration_adds_is_there() {
    let mut site = Site::new();
    if let Err(why) = Supervisord::find() {
        gwe_tests::harness::announce_skip(&why);
        return;
    }
    let config = Supervisord::plain_config()
        .replace("/conf.d/", "/var/lib/gwe/supervisor.d/")
        .replace("[supervisord]\n", "[supervisord]\nenvironment = GWE_TEST_SITE=\"north\"\n");
    site.supervisord = Some(Supervisord::start(site.gateway.root(), &config));
    let status = site.install("app.v1.tar.gz", &wants("GWE_TEST_SITE"));
    assert_eq!(status, "[gwe] installed app v1 in N s\n");
    assert_eq!(site.gateway.root().read("var/log/app.log"), "north\n");
}

#[test]
fn case_02_what_only_who_installs_has_is_refused_and_supervisord_starts_all_the_same() {
    let Some(mut site) = Site::hosted() else { return };
    site.supervisord = None;
    let file = wants("GWE_TEST_SITE").save(site.gateway.root().path("app.v1.tar.gz"));
    let mut command = site.gateway.command("gwe");
    let ran = run(command.arg("--install-apps").arg(&file).env("GWE_TEST_SITE", "mine"), 2 * PATIENCE);
    assert!(ran.stdout.contains("app.v1.tar.gz is settling; the engine goes on with it"), "{}", ran.report());
    assert!(site.host(), "it starts");
    site.check_in().ok();
    let status = site.fetch_status();
    assert!(
        status.starts_with("[gwe] failed app v1: supervisor.conf: ") && status.contains("ENV_GWE_TEST_SITE"),
        "{status}"
    );
}

#[test]
fn a13_names_in_the_image_s_own_fragments_are_refused() {
    let site = Site::new();
    let root = site.gateway.root();
    let program = |name: &str| format!("[program:{name}]\ncommand = /bin/true\n");
    root.write("etc/gwe/supervisor.d/own.conf", program("modem"));
    root.write("etc/supervisord.conf", "[supervisord]\n[group:pair]\nprograms = modem\n");
    for (app, file) in [("modem", "etc/gwe/supervisor.d/own.conf"), ("pair", "etc/supervisord.conf")] {
        let status = site.install(&format!("{app}.v1.tar.gz"), &Tarball::app("echo x"));
        let why = format!("that of a program in the image's own {}: choose another", root.path(file).display());
        assert!(status.starts_with(&format!("[gwe] failed {app} v1: ")) && status.contains(&why), "{status}");
    }
    // Its own fragment, and others' that only sound like it, are no hindrance.
    root.write("var/lib/gwe/supervisor.d/modem2.conf", program("modem2"));
    root.write("etc/gwe/supervisor.d/torn.conf", "[program:modem2");
    assert_eq!(site.install("modem2.v1.tar.gz", &Tarball::app("true")), "[gwe] installed modem2 v1 in N s\n");
}

#[test]
fn a13_in_a_folder_that_the_image_shares_an_app_s_own_fragment_is_its_own() {
    let mut site = Site::new();
    site.set("supervisor", "fragments", "/etc/supervisor/conf.d");
    let root = site.gateway.root();
    root.write("etc/supervisor/conf.d/sensor.conf", "[program:sensor]\ncommand = /bin/true\n");
    let status = site.install("sensor.v1.tar.gz", &Tarball::app("echo x"));
    assert!(status.contains("image's own"), "{status}");
    let slot = root.path("var/lib/gwe/apps/sensor/a").display().to_string();
    root.write("etc/supervisor/conf.d/sensor.conf", format!("[program:sensor]\ncommand = {slot}/run.sh\n"));
    assert_eq!(site.install("sensor.v2.tar.gz", &Tarball::app("true")), "[gwe] installed sensor v2 in N s\n");
}

fn after(others: &str) -> Tarball {
    scripted_app("exec sleep 600", &format!("startsecs = 1\nafter = {others}"))
}

/// Told at the laptop, and only of the app itself: one named `app` is as good as any other.
#[test]
fn an_app_that_would_wait_for_itself_is_a_fault_of_its_tarball() {
    let (desk, gateway) = (Scratch::new(), Gateway::new());
    for (name, others, is_fine) in
        [("me", "me", false), ("me", "app", true), ("app", "me", true), ("app", "app", false)]
    {
        let file = after(others).save(desk.path(&format!("{name}.v1.tar.gz")));
        let checked = gateway.gwe(&["--check-tarball", file.to_str().unwrap()]).exited(i32::from(!is_fine)).stdout;
        let want = if is_fine { "[PASS]\n" } else { "[FAIL] supervisor.conf: after: names the app itself" };
        assert!(checked.starts_with(want), "{name} after {others}: {checked}");
    }
}

/// What `startsecs` says is how long supervisord takes until it calls an app RUNNING: no fault of the app.
#[test]
#[ignore = "make test-long"]
fn an_app_that_is_long_in_starting_is_given_its_time() {
    let Some(site) = Site::hosted() else { return };
    site.deploy("slow.v1.tar.gz", &scripted_app("exec sleep 600", "startsecs = 75"));
    run(site.gateway.command("gwe").arg("--once"), Duration::from_secs(180)).ok();
    assert_eq!(site.fetch_status(), "[gwe] installed slow v1 in N s\n");
}
