//! The documents say what is true: their ```sh blocks are run, in order and as one script, on a gateway with its supervisord
//! and a local cloud; and what they say of flags, settings and log lines is compared with the program.

use gwe_tests::harness::{
    has_minisign, murano_binary, run, wait_until, worker_app, Ran, Scratch, Site, Tarball, PATIENCE, SN,
};
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A document's commands take so long at the most.
const LIMIT: Duration = Duration::from_secs(240);

/// The documents whose commands are run here, as functions below say. tidy.rs looks for their names.
const APPS: &str = include_str!("../../docs/apps.md");
const OPERATORS: &str = include_str!("../../docs/operators.md");
const HAWKBIT: &str = include_str!("../../docs/hawkbit.md");
const README: &str = include_str!("../../README.md");
/// Read only.
const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");

/// The lines of the fenced blocks that are marked ```sh, as one script.
fn script(document: &str) -> String {
    let blocks = document.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let script = blocks.collect::<Vec<_>>().join("\n");
    assert!(script.lines().count() >= 3, "no commands found");
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
    // As an image has them: one program, and its other names beside it.
    let real = fs::canonicalize(gwe.get_program()).unwrap();
    let program = tools.path("gwe");
    fs::hard_link(&real, &program).or_else(|_| fs::copy(&real, &program).map(|_| ())).unwrap();
    for name in ["gdc", "gmq"] {
        std::os::unix::fs::symlink("gwe", tools.path(name)).unwrap();
    }
    let own = [tools.root(), murano_binary().parent().unwrap()].map(Path::to_path_buf);
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
fn the_commands_for_hawkbit_run_in_order() {
    let Some(site) = Site::hosted() else { return };
    let folder = Scratch::new();
    let said = run_script(&site, &folder, &script(HAWKBIT)).ok().stdout;
    assert!(
        said.contains("orders from     hawkBit, as 00:11:22:33:44:55") && !said.contains("0123456789abcdef"),
        "{said}"
    );
}

#[test]
fn the_commands_for_app_developers_run_in_order() {
    let Some(site) = Site::hosted() else { return };
    let folder = Scratch::new();
    let text = if has_minisign() {
        script(APPS)
    } else {
        gwe_tests::harness::announce_skip("needs minisign, for the part of docs/apps.md that signs");
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
        "load_report.v1.0.2.from.v1.0.1.delta\n[gwe] installed load_report v1.0.2 in ",
        "[gwe] installed disk_check v1 in ",
        "[gwe] removed disk_check v1 in ",
        "[gwe] removed disk_check: it was not installed",
        "[gwe] failed to cancel load_report.v9.tar.gz: nothing of that name waits here",
        "Filesystem",
    ] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    assert!(site.ctl_status("load_report").contains("RUNNING"));
    assert_eq!(site.reported("load_report")["version"], "1.0.2");
    assert!(site.murano.history(SN, "fetch_status").iter().any(|text| text == "looking at the disk"));
    assert!(site.gateway.gwe(&["-e"]).ok().stdout.contains("update_interval = 5\n"), "the interval was taken");
    if has_minisign() {
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

#[test]
fn the_commands_for_operators_run_in_order() {
    let Some(site) = Site::hosted() else { return };
    let folder = Scratch::new();
    // What the document reads was written by a check-in before.
    site.check_in().ok();
    let ran = run_script(&site, &folder, &script(OPERATORS)).ok();
    for part in [
        "\"uname\":\"Linux ",
        "{\"apps\":[{\"gwe\":",
        "\"top_consumer\":\"gwe\"",
        "\n  last check-in   ",
        "update_interval = 3600\n",
        "DEBUG    check-in completed",
        "uuid = site-1\n",
    ] {
        assert!((ran.stdout.clone() + &ran.stderr).contains(part), "{part:?} is not in\n{}", ran.report());
    }
}

/// The rows of a document's tables whose first cell is code: each code span of it.
fn first_cells(document: &str) -> Vec<&str> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    rows.flat_map(|cell| cell.trim_end_matches('`').split("`, `")).collect()
}

/// The agent's source, file by file, without those that its tests read.
fn source_files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../src")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    files
}

fn source() -> String {
    source_files().into_iter().map(|(_, text)| text).collect()
}

/// Where a function is that is called `Type::name`, or `file::name`, on a point's way.
fn place_of(files: &[(PathBuf, String)], owner: &str, name: &str) -> Option<PathBuf> {
    let is_there =
        |text: &str| [["fn ", name, "("], ["fn ", name, "<"]].iter().any(|start| text.contains(&start.concat()));
    let is_its = |path: &Path, text: &str| {
        let is_type = owner.starts_with(char::is_uppercase);
        let starts = [["impl ", owner, " "], ["impl ", owner, "<"]].map(|start| start.concat());
        if is_type {
            starts.iter().any(|start| text.contains(start))
        } else {
            path.file_stem().is_some_and(|stem| stem == owner)
        }
    };
    let rooms = ["/src/queue/", "/src/device/", "/src/format/http/"];
    let is_of_the_way =
        |path: &Path| rooms.iter().any(|room| path.to_string_lossy().contains(room)) && !path.ends_with("tests.rs");
    let found = files.iter().find(|(path, text)| is_of_the_way(path) && is_there(text) && is_its(path, text));
    found.map(|(path, _)| path.clone())
}

#[test]
fn each_function_on_a_points_way_is_there_and_they_are_as_many_as_is_said() {
    let (_, way) = ARCHITECTURE.split_once("Function by function").unwrap();
    let (said, way) = way.split_once("\n\n1. ").unwrap();
    let (way, _) = way.split_once("\n\n").unwrap();
    let files = source_files();
    let steps: Vec<(&str, &str)> = way.split('`').filter_map(|word| word.split_once("::")).collect();
    let place = |(owner, name): &(&str, &str)| {
        place_of(&files, owner, name).unwrap_or_else(|| panic!("{owner}::{name} is nowhere on a point's way"))
    };
    let places: BTreeSet<PathBuf> = steps.iter().map(place).collect();
    let count = format!(" {} in {} files", steps.len(), places.len());
    assert!(said.contains(&count), "{said}: it is{count}");
}

#[test]
fn the_lines_that_operators_are_told_of_are_those_of_the_program() {
    let source = source();
    let lines: Vec<&str> =
        first_cells(OPERATORS).into_iter().filter(|cell| cell.contains(' ') || cell.contains('…')).collect();
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.starts_with('/')).collect();
    assert!(lines.len() > 20, "{lines:?}");
    for line in lines {
        let line =
            ["CRITICAL ", "ERROR    ", "WARNING  "].iter().fold(line, |line, level| line.trim_start_matches(level));
        // The numbers that stand in a line are the program's own; what stands for others is left out.
        for part in line.split('…').flat_map(|part| part.split("404").flat_map(|part| part.split("409"))) {
            let part = part.trim();
            let is_of_the_system = part == "No space left on device";
            assert!(
                part.len() < 4 || is_of_the_system || source.contains(part),
                "the program never says '{part}' ({line})"
            );
        }
    }
}

#[test]
fn the_files_that_operators_are_told_of_are_those_that_are_written() {
    let mut site = Site::new();
    if !site.host() {
        return;
    }
    site.set("engine", "keep_clock", "yes");
    site.install("my_app.v1.tar.gz", &worker_app("one"));
    site.gateway.gwe(&["--set-update-interval", "7", "--set-monthly-bytes", "1M"]).ok();
    let mut queue = site.gateway.start("gmq", &["--port", "0"]);
    wait_until("the queue", PATIENCE, || site.gateway.root().has("run/gwe/gmq.port"));
    assert!(queue.stop().success());
    let told: Vec<String> = first_cells(OPERATORS)
        .into_iter()
        .filter(|cell| cell.starts_with('/'))
        .map(|cell| cell.trim_start_matches('/').replace("<app>", "my_app").replace("*.log", "my_app.log"))
        .collect();
    let root = site.gateway.root();
    // Not on an idle gateway, or not before something arrives over the air.
    let rare = ["journal.json", "agent/state.json", "*.pub", "keys.json", "security/key_set.json", "events.json"];
    // The agent that stays writes why the machine booted.
    let mut engine = site.start_engine();
    wait_until("the boots", PATIENCE, || site.gateway.root().has("var/lib/gwe/boots.json"));
    assert!(engine.stop().success());
    let is_rare = |path: &str| rare.iter().any(|rare| path.ends_with(rare));
    for path in told.iter().filter(|path| !is_rare(path)) {
        assert!(root.has(path), "there is no {path} in {:#?}", root.tree(""));
    }
    for path in root.tree("var/lib/gwe").iter().chain(&root.tree("run")) {
        let path = path.trim_end_matches('/');
        let is_told = told.iter().any(|told| path.starts_with(told.as_str()) || told.starts_with(path));
        assert!(is_told, "nobody is told of {path}");
    }
}
