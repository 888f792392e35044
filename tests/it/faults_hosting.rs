//! What an app may name of the supervisord that will host it, and which names are the image's own: cases/README.md, 02 and A13.

use gwe_tests::harness::{run, Site, Supervisord, Tarball, PATIENCE};

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
