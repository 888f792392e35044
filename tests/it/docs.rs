//! The documents say what is true: their ```sh blocks are run, in order and as one script, on a gateway with its supervisord
//! and a local cloud; and what they say of flags, settings and log lines is compared with the program.

use gwe_tests::harness::{murano_binary, run, Ran, Scratch, Site, Tarball, PATIENCE, SN};
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A document's commands take so long at the most.
const LIMIT: Duration = Duration::from_secs(240);

/// The documents whose commands are run here, as functions below say. tidy.rs looks for their names.
const APPS: &str = include_str!("../../docs/apps.md");
const README: &str = include_str!("../../README.md");

/// The lines of the fenced blocks that are marked ```sh, as one script.
fn script(document: &str) -> String {
    let blocks = document.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let script = blocks.collect::<Vec<_>>().join("\n");
    assert!(script.lines().count() >= 5, "no commands found");
    script
}

/// Runs a script in `folder` as somebody who has the gateway and the cloud at hand.
fn run_script(site: &Site, folder: &Scratch, script: &str) -> Ran {
    let supervisord = site.supervisord.as_ref().expect("a supervisord");
    let ctl = supervisord.ctl_command();
    let words = std::iter::once(ctl.get_program()).chain(ctl.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let tools = Scratch::new();
    let wrapper = tools.write("supervisorctl", format!("#!/bin/sh\nexec {} \"$@\" 2>/dev/null\n", words.join(" ")));
    fs::set_permissions(wrapper, fs::Permissions::from_mode(0o755)).unwrap();

    let gwe = site.gateway.command("gwe");
    let own = [Path::new(gwe.get_program()).parent().unwrap(), tools.root(), murano_binary().parent().unwrap()]
        .map(Path::to_path_buf);
    let path = env::join_paths(own.into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap()))).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-eux", "-c", script]).current_dir(folder.root());
    for (key, value) in gwe.get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    }
    shell.env("PATH", path).env("MURANO_URL", site.murano.url()).env("SERIAL", SN);
    run(&mut shell, LIMIT)
}

#[test]
fn the_commands_for_app_developers_run_in_order() {
    let Some(site) = Site::hosted() else { return };
    let folder = Scratch::new();
    let has_minisign = run(Command::new("minisign").arg("-v"), PATIENCE).code == Some(0);
    let text = if has_minisign {
        script(APPS)
    } else {
        gwe_tests::harness::announce_skip("the signing part of docs/apps.md needs minisign");
        script(APPS.split("\n## Sign").next().unwrap())
    };
    let ran = run_script(&site, &folder, &text).ok();
    let said = format!("{}\n{}", ran.stdout, ran.stderr);
    for part in [
        "buildfile name [build.json]: ",
        "[PASS]\n",
        "/load_report/load_report.v1.0.0.tar.gz\n",
        "installing load_report 1.0.0 in /",
        "[gwe] installed load_report v1.0.0 in ",
        "[gwe] installed load_report v1.0.1 in ",
        "[gwe] installed disk_check v1 in ",
        "Filesystem",
    ] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    assert!(site.ctl_status("load_report").contains("RUNNING"));
    assert_eq!(site.reported("load_report")["version"], "1.0.1");
    assert!(site.murano.history(SN, "fetch_status").iter().any(|text| text == "looking at the disk"));
    assert!(site.gateway.gwe(&["-e"]).ok().stdout.contains("update_interval = 5\n"), "the interval was taken");
    if has_minisign {
        let signature = "load_report.v1.0.1.tar.gz.minisig";
        assert!(site.murano.server().platform().store.content(signature).unwrap().is_some());
    }
}

#[test]
fn the_commands_on_the_gateway_in_the_readme_run() {
    let Some(site) = Site::hosted() else { return };
    let folder = Scratch::new();
    Tarball::app("echo hello").save(folder.path("my_app.v1.2.3.tar.gz"));
    let text = script(README).replace("<PRODUCT_ID>", "readme-product");
    let ran = run_script(&site, &folder, &text).ok();
    for part in [
        "vendor = readme-product\n",
        "iface = eth0\n",
        "\n  product id      readme-product\n",
        "[gwe] installed my_app v1.2.3 in ",
    ] {
        assert!(ran.stdout.contains(part), "{part:?} is not in\n{}", ran.report());
    }
}
