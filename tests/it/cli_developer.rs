//! The developer's tools from outside: a whole development cycle with the commands of the original's documents, by a person at
//! a terminal and by a script with piped answers.

use gwe_tests::harness::{
    gunzip, in_terminal, murano_binary, run, run_fed, wait_until, Gateway, Kind, MuranoChild, Ran, Scratch, Tarball,
};
use serde_json::Value;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const SHORT: Duration = Duration::from_secs(30);

/// A developer's folder, and a shell in it that finds `gwe` and `murano`.
struct Laptop {
    folder: Scratch,
    gateway: Gateway,
}

impl Laptop {
    fn new() -> Laptop {
        let laptop = Laptop { folder: Scratch::new(), gateway: Gateway::new() };
        laptop.script("install.sh", "#!/bin/sh\necho \"greetings from $PWD\"\n");
        laptop
    }

    fn script(&self, name: &str, text: &str) {
        let path = self.folder.write(name, text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn shell(&self, line: &str) -> Command {
        let gwe = PathBuf::from(self.gateway.command("gwe").get_program());
        let murano = murano_binary();
        let own = [gwe.parent().unwrap().to_path_buf(), murano.parent().unwrap().to_path_buf()];
        let path = env::var_os("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(self.folder.root()).env("GWE_ROOT", self.gateway.root().root());
        shell.env("PATH", env::join_paths(own.into_iter().chain(env::split_paths(&path))).unwrap());
        shell
    }

    fn run(&self, line: &str) -> Ran {
        run(&mut self.shell(line), SHORT)
    }

    fn full_path(&self, name: &str) -> String {
        format!("{}\n", self.folder.root().canonicalize().unwrap().join(name).display())
    }
}

#[test]
fn a_development_cycle_with_the_documented_commands() {
    let murano = MuranoChild::start(&["--open"]);
    let laptop = Laptop::new();
    let cloud = |line: &str| run(laptop.shell(line).env("MURANO_URL", murano.url()), SHORT).ok();

    // 1. Create/fix custom gateway application.
    let ran = run_fed(&mut laptop.shell("gwe --create-buildfile"), b"build.json\nyour_app\n1.2.3\n", SHORT).ok();
    let asked = ran.stdout.split('[').skip(1).filter_map(|part| part.split_once(']')).map(|(default, _)| default);
    let asked: Vec<&str> = asked.collect();
    assert_eq!((asked.len(), asked[0], asked[2]), (3, "build.json", "0.1.0"), "{}", ran.report());
    assert!(
        ran.stdout.ends_with("\nwrote build.json; edit it, then: gwe --build-app build.json\n"),
        "{}",
        ran.report()
    );
    assert_eq!(laptop.run("gwe --check-buildfile build.json").ok().stdout, "[PASS]\n");
    let built = laptop.run("gwe --build-app build.json").ok();
    assert_eq!((built.stdout, built.stderr), (laptop.full_path("your_app.v1.2.3.tar.gz"), String::new()));
    assert_eq!(laptop.run("gwe --check-tarball your_app.v1.2.3.tar.gz").ok().stdout, "[PASS]\n");

    // "You can view the output by adding the optional debug flags on the command line"
    let shown = laptop.run("gwe -d DEBUG --build-app build.json").ok();
    assert_eq!(shown.stdout, laptop.full_path("your_app.v1.2.3.tar.gz"), "only the path is on stdout");
    for part in ["DEBUG    buildfile build.json: [PASS]\n", "your_app.v1.2.3.tar.gz: [PASS]\n"] {
        assert!(shown.stderr.contains(part), "{}", shown.report());
    }

    // 2. Upload, deploy to gateway.
    let sn = "00:11:22:33:44:55";
    laptop.gateway.gwe(&["--set-server", &murano.url(), "-P", "p", "-u", sn, "-t", "1"]).ok();
    let mut engine = laptop.gateway.start("gwe", &[]);
    wait_until("the activation", SHORT, || cloud("murano product device list").stdout.contains("activated"));
    cloud("murano content upload your_app.v1.2.3.tar.gz your_app.v1.2.3.tar.gz");
    assert_eq!(cloud("murano content list").stdout, "your_app.v1.2.3.tar.gz\n");
    cloud(&format!(
        "murano product device write {sn} engine_fetch '{{\"install\": [{{\"name\": \"your_app.v1.2.3.tar.gz\"}}]}}'"
    ));

    // 3. Check status of installation.
    let fetch_status = || cloud(&format!("murano product device read {sn} fetch_status")).stdout;
    wait_until("the installation", SHORT, || fetch_status().contains("[gwe] installed your_app v1.2.3"));
    assert!(fetch_status().starts_with("greetings from /"), "{}", fetch_status());
    assert_eq!(cloud(&format!("murano product device read {sn} engine_fetch")).stdout.trim(), "", "it was cleared");

    // 5. If application still isn't working right, go to Step 1.
    laptop.script("install.sh", "#!/bin/sh\necho broken >&2\nexit 3\n");
    let again = laptop.run("gwe --build-app-tarball build.json -s 1.2.4").ok();
    assert_eq!(again.stdout, laptop.full_path("your_app.v1.2.4.tar.gz"));
    cloud("murano content upload your_app.v1.2.4.tar.gz your_app.v1.2.4.tar.gz");
    cloud(&format!(
        "murano product device write {sn} engine_fetch '{{\"install\": [{{\"name\": \"your_app.v1.2.4.tar.gz\"}}]}}'"
    ));
    wait_until("the failure", SHORT, || fetch_status().contains("[gwe] failed your_app v1.2.4"));
    assert!(fetch_status().starts_with("broken\n"), "{}", fetch_status());
    let report = cloud(&format!("murano product device read {sn} engine_report")).stdout;
    assert!(report.contains(r#""version":"1.2.3""#) && !report.contains(r#""version":"1.2.4""#), "{report}");
    assert!(engine.stop().success());
}

#[test]
fn a_person_at_a_terminal_is_asked_with_defaults_in_brackets() {
    let laptop = Laptop::new();
    laptop.folder.write("supervisor.conf", "[supervisord]\ncommand = /bin/true\n");
    let ran = in_terminal(&mut laptop.shell("gwe -x"), "my build.json\n\n2.0\n", SHORT).ok();
    assert!(ran.stdout.contains("buildfile name [build.json]: "), "{}", ran.report());
    assert!(ran.stdout.contains("wrote my build.json"), "{}", ran.report());
    let json: Value = serde_json::from_str(&laptop.folder.read("my build.json")).unwrap();
    assert_eq!((&json["version"], &json["includes"][0]), (&Value::from("2.0"), &Value::from("install.sh")));
    assert_eq!(json["includes"][1], Value::from("supervisor.conf"), "what is there already is included");

    // Wrong answers are asked for again; an existing file is kept.
    let typed = "my build.json\nother.json\na.b\ngood_name\nv 1\n1\n";
    let ran = in_terminal(&mut laptop.shell("gwe --create-buildfile"), typed, SHORT).ok();
    assert!(ran.stdout.contains("that file exists; choose another name"), "{}", ran.report());
    let json: Value = serde_json::from_str(&laptop.folder.read("other.json")).unwrap();
    assert_eq!((&json["name"], &json["version"]), (&Value::from("good_name"), &Value::from("1")));
}

#[test]
fn answers_that_never_come_end_it_without_a_file() {
    let laptop = Laptop::new();
    laptop.folder.write("build.json", "{}");
    let ran = laptop.run("gwe -x < /dev/null").exited(1);
    assert!(ran.stderr.starts_with("gwe: no buildfile is written: "), "{}", ran.report());
    let ran = run_fed(&mut laptop.shell("gwe -x"), &b"a b/c d\n".repeat(100), SHORT).exited(1);
    assert!(ran.stdout.len() < 2000, "{}", ran.report());
    assert_eq!(laptop.folder.tree(""), ["build.json", "install.sh"]);
}

#[test]
fn name_and_version_of_the_command_line_count() {
    let laptop = Laptop::new();
    laptop.folder.write("build.json", r#"{"name": "a", "version": "1", "includes": ["install.sh"]}"#);
    for (line, name) in [
        ("gwe -y build.json", "a.v1.tar.gz"),
        ("gwe -n b -y build.json", "b.v1.tar.gz"),
        ("gwe --app-version 1-4-13 -y build.json", "a.v1-4-13.tar.gz"),
        ("gwe --build-app=build.json -s 1_8d09124 -n c", "c.v1_8d09124.tar.gz"),
    ] {
        assert_eq!(laptop.run(line).ok().stdout, laptop.full_path(name), "{line}");
        assert_eq!(laptop.run(&format!("gwe -z {name}")).ok().stdout, "[PASS]\n");
    }
    let ran = laptop.run("gwe -y build.json -n 'a b' -s ''").exited(1);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("[FAIL] `name` ") && ran.stderr.contains("[FAIL] `version` "), "{}", ran.report());
}

#[test]
fn a_tarball_lands_where_the_command_runs_and_the_same_files_give_the_same_bytes() {
    let laptop = Laptop::new();
    laptop.folder.write("app/build.json", r#"{"name": "a", "version": "1", "includes": ["install.sh", "data"]}"#);
    laptop.script("app/install.sh", "#!/bin/sh\n");
    laptop.folder.write("app/data/x", "x");
    laptop.folder.write("out/.keep", "");
    let first = laptop.run("gwe -y app/build.json").ok();
    assert_eq!(first.stdout, laptop.full_path("a.v1.tar.gz"));
    let second = laptop.run("cd out && sleep 1 && touch ../app/install.sh && gwe -y ../app/build.json").ok();
    assert_eq!(second.stdout, laptop.full_path("out/a.v1.tar.gz"));
    assert_eq!(
        fs::read(laptop.folder.path("a.v1.tar.gz")).unwrap(),
        fs::read(laptop.folder.path("out/a.v1.tar.gz")).unwrap()
    );
    let listed = laptop.run("tar tf a.v1.tar.gz").ok().stdout;
    assert!(listed.contains("install.sh\n") && listed.contains("data/x\n"), "{listed}");
}

#[test]
fn build_commands_keep_the_terminal_and_stdout_stays_clean() {
    let laptop = Laptop::new();
    laptop.folder.write(
        "build.json",
        r#"{"name": "a", "version": "1", "includes": ["install.sh", "key"],
            "pre_build_cmds": ["printf 'which key? '; read -r key; echo \"$key\" > key; echo got $key"],
            "post_build_cmds": ["echo built $GWE_TARBALL"]}"#,
    );
    let piped = run_fed(&mut laptop.shell("gwe -y build.json"), b"secret\n", SHORT).ok();
    assert_eq!(piped.stdout, laptop.full_path("a.v1.tar.gz"), "only the path is on stdout");
    assert!(piped.stderr.contains("which key? got secret\n") && piped.stderr.contains("built /"), "{}", piped.report());
    assert_eq!(laptop.folder.read("key"), "secret\n");
    let typed = in_terminal(&mut laptop.shell("gwe -y build.json"), "typed\n", SHORT).ok();
    assert!(typed.stdout.contains("got typed\r\n"), "{}", typed.report());
    assert_eq!(laptop.folder.read("key"), "typed\n");
}

#[test]
fn every_fault_is_named_at_once_and_nothing_is_left_behind() {
    let laptop = Laptop::new();
    let build = |json: &str| {
        laptop.folder.write("build.json", json);
        let ran = laptop.run("gwe -y build.json").exited(1);
        assert_eq!(ran.stdout, "", "{}", ran.report());
        assert!(ran.stderr.ends_with("gwe: build.json is not built\n"), "{}", ran.report());
        ran.stderr
    };
    for (json, faults) in [
        ("{", &["[FAIL] the buildfile is not JSON"][..]),
        ("{}", &["[FAIL] `name` is missing", "[FAIL] `version` is missing", "[FAIL] `includes` is missing"]),
        (
            r#"{"name": "a", "version": "1", "includes": ["install.sh", "gone", "*.none"]}"#,
            &["[FAIL] `includes`: there is no file that matches gone", "matches *.none"],
        ),
        (
            r#"{"name": "a", "version": "1", "includes": ["install.sh"], "pre_build_cmds": ["true", "exit 7"]}"#,
            &["[FAIL] `pre_build_cmds`: exited with 7: exit 7"],
        ),
        (
            r#"{"name": "a", "version": "1", "includes": ["install.sh"], "post_build_cmds": ["kill -9 $$"]}"#,
            &["[FAIL] `post_build_cmds`: was ended by a signal"],
        ),
        (r#"{"name": "a", "version": "1", "includes": ["build.json"]}"#, &["[FAIL] "]),
    ] {
        let told = build(json);
        for fault in faults {
            assert!(told.contains(fault), "{fault} is not in {told}");
        }
        assert_eq!(laptop.folder.tree(""), ["build.json", "install.sh"], "{json}");
    }
    laptop.folder.write("build.json", r#"{"name": "a.b", "version": "", "includes": "x"}"#);
    let ran = laptop.run("gwe --check-buildfile build.json").exited(1);
    assert_eq!((ran.stdout.lines().count(), ran.stderr.as_str()), (3, ""), "{}", ran.report());
    assert!(ran.stdout.lines().all(|line| line.starts_with("[FAIL] `")), "{}", ran.report());
}

#[test]
fn a_bad_tarball_is_told_fault_by_fault() {
    let laptop = Laptop::new();
    let good = Tarball::app("true").bytes();
    for (name, bytes) in [
        ("no_version.tar.gz", good.clone()),
        ("a b.v1.tar.gz", good.clone()),
        ("a.v1.tar.gz", good[..good.len() - 4].to_vec()),
        ("b.v1.tar.gz", Tarball::new().file("readme", 0o644, "x").bytes()),
        ("c.v1.tar.gz", Tarball::new().file("install.sh", 0o644, "no shebang").bytes()),
        ("d.v1.tar.gz", Tarball::app("true").file("../out", 0o644, "x").bytes()),
        ("e.v1.tar.gz", b"no gzip".to_vec()),
        ("f.v1.tar.gz", Vec::new()),
    ] {
        laptop.folder.write(name, bytes);
        let ran = laptop.run(&format!("gwe -z '{name}'")).exited(1);
        assert!(!ran.stdout.is_empty() && ran.stderr.is_empty(), "{}", ran.report());
        assert!(ran.stdout.lines().all(|line| line.starts_with("[FAIL] ")), "{}", ran.report());
        if name.starts_with("c.") {
            assert_eq!(ran.stdout.lines().count(), 2, "the x bit and the shebang: {}", ran.report());
        }
        // What does not pass is not installed either, with the same words.
        let install = laptop.run(&format!("gwe -I '{name}'")).exited(1);
        assert!(install.stdout.contains("[gwe] failed "), "{}", install.report());
    }
    assert!(!laptop.folder.has("out"));
}

/// The desk's side of a delta, by the command line alone: made, checked, and applied to the old tarball and to what it unpacks to.
#[test]
fn a_delta_is_made_checked_and_applied_by_hand() {
    const DELTA: &str = "app.v2.from.v1.delta";
    let (desk, gateway) = (Scratch::new(), Gateway::new());
    for version in ["1", "2"] {
        let app = Tarball::app("true").file("version", 0o644, version).file("same", 0o755, vec![7; 100_000]);
        desk.write(&format!("app.v{version}.tar.gz"), app.bytes());
    }
    let gwe =
        |arguments: &[&str]| run(gateway.command("gwe").args(arguments).current_dir(desk.root()), SHORT).ok().stdout;
    assert_eq!(gwe(&["--build-delta", "app.v1.tar.gz", "app.v2.tar.gz"]), format!("{}\n", desk.path(DELTA).display()));
    gwe(&["--check-tarball", DELTA]);
    let wanted = fs::read(desk.path("app.v2.tar.gz")).unwrap();
    let unpack = "mkdir old && tar -xpzf app.v1.tar.gz -C old";
    run(Command::new("sh").args(["-c", unpack]).current_dir(desk.root()), SHORT).ok();
    for old in ["app.v1.tar.gz", "old"] {
        fs::remove_file(desk.path("app.v2.tar.gz")).unwrap();
        assert_eq!(gwe(&["--apply-delta", DELTA, old]), format!("{}\n", desk.path("app.v2.tar.gz").display()), "{old}");
        assert!(gunzip(&fs::read(desk.path("app.v2.tar.gz")).unwrap()) == gunzip(&wanted), "{old}");
    }
}

/// A set of keys is no app (docs/security.md, "Keys that age"): it is checked as what it is, by the code that the gateway has.
#[test]
fn a_set_of_keys_is_checked_as_one() {
    let (desk, gateway) = (Scratch::new(), Gateway::new());
    let revoked = r#"{"version": 3, "keys": [{"name": "lost", "id": "00000000000000AA", "revoked": true}]}"#;
    for (name, text, said, code) in [
        ("gwe-keys.v3.tar.gz", revoked, "[PASS]\na set of keys, v3: 1 keys, 1 of them revoked\n", 0),
        (
            "gwe-keys.v4.tar.gz",
            revoked,
            "[FAIL] it is no set of keys: keys.json says version 3, and its name another\n",
            1,
        ),
        ("gwe-keys.v3.tar.gz", "{\"version\": 3", "[FAIL] it is no set of keys: keys.json is not JSON", 1),
        ("my-keys.v3.tar.gz", revoked, "[FAIL] ", 1),
    ] {
        let file = Tarball::new().file("keys.json", 0o644, text).save(desk.path(name));
        let ran = gateway.gwe(&["--check-tarball", file.to_str().unwrap()]).exited(code);
        assert!(ran.stdout.starts_with(said), "{name}: {}", ran.report());
    }
}

/// A probe that nobody brings rolls every install back; `install.sh` may make it, so that it is said and no fault (rauc-hawkbit-updater#161).
#[test]
fn a_probe_that_is_not_in_the_tarball_is_warned_of() {
    let (desk, gateway) = (Scratch::new(), Gateway::new());
    let conf = |probe: &str| format!("[supervisord]\ncommand = ./run.sh\nprobe = {probe}\n");
    for (probe, missing) in [
        ("./probe.sh --all", None),
        ("./bin//./ask", None),
        ("'%(here)s/probe.sh'", None),
        ("./tools/ask", None),
        ("./%(program_name)s", None),
        ("/usr/bin/wget -q http://127.0.0.1/", None),
        ("test -e pid", None),
        ("./Probe.sh", Some("Probe.sh")),
        ("'%(here)s/bin/ask this'", Some("bin/ask this")),
        ("%(here)s/bin/asks", Some("bin/asks")),
    ] {
        let app = Tarball::app("true").file("probe.sh", 0o755, "#!/bin/sh\n").file("bin/ask", 0o755, "#!/bin/sh\n");
        let app = app.entry("tools", 0o777, Kind::Symlink("bin".into())).file("supervisor.conf", 0o644, conf(probe));
        let ran = gateway.gwe(&["--check-tarball", app.save(desk.path("app.v1.tar.gz")).to_str().unwrap()]).ok();
        let warning = missing.map(|file| format!("supervisor.conf: probe: {file} is not in the tarball"));
        assert_eq!(ran.stdout, "[PASS]\n", "{probe}");
        match warning {
            Some(warning) => assert!(ran.stderr.contains(&warning), "{probe}: {}", ran.stderr),
            None => assert_eq!(ran.stderr, "", "{probe}"),
        }
    }
}

/// It is run when the app is taken away, perhaps years later, and by nobody who could put it right.
#[test]
fn an_uninstall_sh_that_cannot_run_is_warned_of() {
    let (desk, gateway) = (Scratch::new(), Gateway::new());
    for (mode, text, why) in [
        (0o755, "#!/bin/sh\ntrue\n", ""),
        (0o644, "#!/bin/sh\ntrue\n", "uninstall.sh: not executable"),
        (0o755, "#!/bin/sh\r\ntrue\r\n", "uninstall.sh: its first line ends with a carriage return"),
        (0o755, "true\n", "uninstall.sh: "),
    ] {
        let app = Tarball::app("true").file("uninstall.sh", mode, text).save(desk.path("app.v1.tar.gz"));
        let ran = gateway.gwe(&["--check-tarball", app.to_str().unwrap()]).ok();
        assert_eq!((ran.stdout.as_str(), ran.stderr.is_empty()), ("[PASS]\n", why.is_empty()), "{}", ran.stderr);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
}
