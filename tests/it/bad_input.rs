//! Bad input: each is discarded with one clear line in `fetch_status` and in the log, nothing of it is left on disk, and the
//! loop goes on. (Archives in all their badness are the subject of the unit tests of `src/app`; here is what a gateway makes of
//! them.)

use gwe_tests::harness::{damage, gunzip, gzip, scripted_app, wait_until, Kind, Murano, Site, Tarball, PATIENCE, SN};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// A gateway with one good app, so that what the agent keeps is there before the bad one comes.
struct Stage {
    site: Site,
    tree: Vec<String>,
}

impl Stage {
    fn new() -> Stage {
        Stage::of(Site::new())
    }

    fn hosted() -> Option<Stage> {
        Site::hosted().map(Stage::of)
    }

    fn of(mut site: Site) -> Stage {
        site.set("install", "timeout", "3");
        assert_eq!(site.install("good.v1.tar.gz", &Tarball::app("true")), "[gwe] installed good v1 in N s\n");
        fs::create_dir_all(site.gateway.root().path("var/lib/gwe/downloads")).unwrap();
        let tree = site.tree();
        Stage { site, tree }
    }

    /// What `fetch_status` says of a tarball of these bytes, after everything else was checked too.
    #[track_caller]
    fn refuses(&self, name: &str, bytes: &[u8]) -> String {
        self.site.murano.upload(name, bytes);
        self.order_fails(&format!(r#"{{"install": [{{"name": "{name}"}}]}}"#))
    }

    /// The same for the text of a request.
    #[track_caller]
    fn order_fails(&self, request: &str) -> String {
        self.site.murano.write(SN, "engine_fetch", request);
        let reports = self.site.reports().len();
        let ran = self.site.check_in().ok();
        let status = self.site.fetch_status();
        assert_eq!(self.site.reports().len(), reports + 1, "one report\n{}", ran.report());
        assert_eq!(self.site.murano.read(SN, "engine_fetch"), None, "the alias is cleared");
        let line = status.lines().last().unwrap_or_default();
        assert!(line.starts_with("[gwe] "), "{status}");
        assert!(line.len() < 1200, "{line}");
        let told = line.trim_start_matches("[gwe] failed: ").chars().take(100).collect::<String>();
        assert!(ran.stderr.contains(&told), "the log says it too: {told}\n{}", ran.stderr);
        assert_eq!(self.site.tree(), self.tree, "nothing of it is left: {status}");
        // The loop goes on.
        self.site.check_in().ok();
        assert_eq!(self.site.reports().len(), reports + 1, "told once");
        status
    }

    #[track_caller]
    fn refuses_app(&self, name: &str, tarball: &Tarball) -> String {
        self.refuses(name, &tarball.bytes())
    }
}

#[test]
fn what_is_no_request() {
    let stage = Stage::new();
    let form =
        "[gwe] failed: engine_fetch is not of the form {\"install\": [{\"name\": \"<APP>.v<VERSION>.tar.gz\"}]}, nor {\"remove\": [\"<APP>\"]}, nor {\"cancel\": [\"<APP>.v<VERSION>.tar.gz\"]}\n";
    for text in ["[]", "{}", r#"{"install": {"name": "a.v1.tar.gz"}}"#] {
        assert_eq!(stage.order_fails(text), form, "{text}");
    }
    // docs/spec/failures.md, case 13: where a text stops being JSON.
    for (text, place) in [
        ("{", "line 1, column 2"),
        ("install my app", "line 1, column 1"),
        ("{\"install\": [\n{\"name\": \"a.v1.tar.gz\"},\n]}", "line 3, column 1"),
        (&"[".repeat(60_000), "line 1, column 1001"),
    ] {
        assert_eq!(stage.order_fails(text), format!("[gwe] failed: engine_fetch is not JSON: see {place}\n"));
    }
    assert_eq!(stage.order_fails(&"x".repeat(70_000)), "[gwe] failed: engine_fetch is longer than 64 KiB\n");
    assert_eq!(stage.order_fails(r#"{"install": []}"#), "[gwe] failed: engine_fetch names no app\n");
    for (entry, told) in [
        (r#"{"name": "a.v1.tar.gz", "sha256": "beef"}"#, "a sha256 that is not 64 hexadecimal digits"),
        (r#"{"nam": 1}"#, "entry 1 of engine_fetch's install has no \"name\""),
    ] {
        assert!(stage.order_fails(&format!(r#"{{"install": [{entry}]}}"#)).contains(told), "{entry}");
    }
}

/// docs/spec/failures.md, case 13 (hive#398, kukuri#646): a byte order mark, a size with a point, and a bad neighbour.
#[test]
fn an_order_is_taken_as_far_as_it_can_be_understood() {
    let stage = Stage::new();
    let bytes = Tarball::app("echo good\n").bytes();
    stage.site.murano.upload("good.v1.tar.gz", &bytes);
    let order = format!(
        "\u{feff}{{\"install\": [{{\"name\": \"bad.v1.tar.gz\", \"size\": -1}}, {{\"name\": \"good.v1.tar.gz\", \"size\": {}.0}}]}}",
        bytes.len()
    );
    stage.site.murano.write(SN, "engine_fetch", &order);
    stage.site.check_in().ok();
    let status = stage.site.fetch_status();
    assert!(status.contains("[gwe] installed good v1"), "{status}");
    let told =
        "[gwe] failed: entry 1 of engine_fetch's install (bad.v1.tar.gz) has a size that is no whole number of bytes\n";
    assert!(status.ends_with(told), "{status}");
}

#[test]
fn what_asks_for_nothing_is_cleared_and_not_told() {
    let stage = Stage::new();
    let reports = stage.site.reports().len();
    for text in ["null", "\"\"", "  \n "] {
        stage.site.murano.write(SN, "engine_fetch", text);
        stage.site.check_in().ok();
        assert_eq!(stage.site.murano.read(SN, "engine_fetch"), None, "{text:?}");
    }
    assert_eq!((stage.site.reports().len(), stage.site.tree()), (reports, stage.tree));
}

#[test]
fn what_is_no_tarball_s_name() {
    let stage = Stage::new();
    for name in [
        "readme.txt",
        "app.tar.gz",
        "app.v.tar.gz",
        ".v1.tar.gz",
        "my app.v1.tar.gz",
        "../x.v1.tar.gz",
        "/etc/x.v1.tar.gz",
        "a/b.v1.tar.gz",
        "app.v1.zip",
        "",
    ] {
        let status = stage.order_fails(&format!(r#"{{"install": [{{"name": "{name}"}}]}}"#));
        assert!(status.starts_with(&format!("[gwe] failed {name}")) && status.lines().count() == 1, "{status}");
    }
    // A name that would forge a line of the report.
    let forged = r#"{"install": [{"name": "x\n[gwe] installed evil v1 in 0.1 s"}]}"#;
    assert_eq!(stage.order_fails(forged).lines().count(), 1);
    assert_eq!(stage.site.murano.count(gwe_tests::murano::endpoint::Endpoint::Info), 1, "none of them was asked for");
}

#[test]
fn a_tarball_that_is_not_there() {
    let stage = Stage::new();
    let status = stage.order_fails(r#"{"install": [{"name": "gone.v1.tar.gz"}]}"#);
    assert!(
        status.starts_with("[gwe] failed gone v1: content info: the platform answered 404 (there is no such content"),
        "{status}"
    );
}

#[test]
fn a_truncated_or_corrupt_tarball() {
    let stage = Stage::new();
    let good = Tarball::app("echo ran >> $GWE_ROOT/ran").bytes();
    for (name, bytes, reason) in [
        ("cut.v1.tar.gz", &good[..good.len() / 2], "truncated"),
        ("cut.v2.tar.gz", &good[..good.len() - 1], "truncated"),
        ("cut.v3.tar.gz", &good[..0], "truncated"),
        ("crc.v1.tar.gz", &damage(&good, -8), "checksum"),
        ("len.v1.tar.gz", &damage(&good, -1), "length"),
        ("head.v1.tar.gz", &damage(&good, 0), "gzip"),
        ("html.v1.tar.gz", b"<html>no such page</html>", "gzip"),
        ("tar.v1.tar.gz", &gunzip(&good), "gzip"),
        ("junk.v1.tar.gz", &gzip(&[0x41; 5000]), "tar"),
    ] {
        let status = stage.refuses(name, bytes);
        assert!(status.lines().count() == 1 && status.contains(reason), "{name}: {status}");
    }
}

#[test]
fn a_tarball_of_another_size_or_hash_than_the_request_says() {
    let stage = Stage::new();
    let bytes = Tarball::app("echo ran >> $GWE_ROOT/ran").bytes();
    stage.site.murano.upload("app.v1.tar.gz", &bytes);
    let with = |more: &str| stage.order_fails(&format!(r#"{{"install": [{{"name": "app.v1.tar.gz", {more}}}]}}"#));
    let size = bytes.len();
    assert_eq!(with(r#""size": 7"#), format!("[gwe] failed app v1: it has {size} bytes, but the request says 7\n"));
    let status = with(&format!(r#""sha256": "{}""#, "0".repeat(64)));
    assert!(status.contains(", not that of the request"), "{status}");
}

#[test]
fn a_tarball_that_unpacks_to_a_gigabyte() {
    let stage = Stage::new();
    let bomb = Tarball::app("true").entry("zeros", 0o644, Kind::Zeros(1 << 30));
    let status = stage.refuses_app("bomb.v1.tar.gz", &bomb);
    assert_eq!(status, "[gwe] failed bomb v1: zeros: the tarball unpacks to more than 1073741824 bytes\n");
}

#[test]
fn a_tarball_that_leads_out() {
    let stage = Stage::new();
    let evil = std::env::temp_dir().join(format!("gwe-evil-{}", std::process::id()));
    let absolute = evil.to_str().unwrap().as_bytes().to_vec();
    let up = [b"../../../../../../../../".as_slice(), &absolute[1..]].concat();
    let file = || Kind::File(b"evil".to_vec());
    let app = || Tarball::app("true");
    for (name, tarball, reason) in [
        ("up.v1.tar.gz", app().entry(&up, 0o644, file()), ".."),
        ("abs.v1.tar.gz", app().entry(&absolute, 0o644, file()), "absolute"),
        (
            "link.v1.tar.gz",
            app().entry("l", 0o777, Kind::Symlink(b"/tmp".to_vec())).entry("l/x", 0o644, file()),
            "absolute path",
        ),
        ("out.v1.tar.gz", app().entry("l", 0o777, Kind::Symlink(b"../../x".to_vec())), "out of the tarball"),
        ("hard.v1.tar.gz", app().entry("l", 0o644, Kind::Hardlink(b"/etc/passwd".to_vec())), "hard link"),
        ("dev.v1.tar.gz", app().entry("null", 0o666, Kind::Device(1, 3)), "device"),
        ("suid.v1.tar.gz", app().file("su", 0o4755, "x"), "setuid"),
    ] {
        let status = stage.refuses_app(name, &tarball);
        assert!(status.lines().count() == 1 && status.contains(reason), "{name}: {status}");
        assert!(!evil.exists() && !Path::new("/x").exists(), "{name}");
    }
}

#[test]
fn a_script_that_cannot_be_run() {
    let stage = Stage::new();
    let script = |mode: u32, text: &str| Tarball::new().file("install.sh", mode, text);
    for (name, tarball, reason) in [
        ("mode.v1.tar.gz", script(0o644, "#!/bin/sh\ntrue\n"), "install.sh: not executable: chmod +x install.sh"),
        (
            "bang.v1.tar.gz",
            script(0o755, "echo hello\n"),
            "install.sh: its first line is no shebang; begin it with #!/bin/sh",
        ),
        ("empty.v1.tar.gz", Tarball::new(), "neither install.sh nor setup.py stands at its root"),
        (
            "no.v1.tar.gz",
            script(0o755, "#!/no/such/shell\n"),
            "install.sh could not be started: this gateway does not have what its first line names: #!/no/such/shell",
        ),
    ] {
        let (app, _) = name.split_once(".v").unwrap();
        assert_eq!(stage.refuses_app(name, &tarball), format!("[gwe] failed {app} v1: {reason}\n"));
    }
}

#[test]
fn a_script_that_fails() {
    let stage = Stage::new();
    assert_eq!(
        stage.refuses_app("bad.v1.tar.gz", &Tarball::app("echo out; echo err >&2; touch here; exit 3")),
        "out\nerr\n[gwe] failed bad v1: install.sh exited with 3\n"
    );
    assert_eq!(
        stage.refuses_app("dead.v1.tar.gz", &Tarball::app("kill -SEGV $$")),
        "[gwe] failed dead v1: install.sh was ended by signal 11\n"
    );
}

#[test]
fn a_script_that_hangs_with_all_that_it_started() {
    // MagnaCapax/PMSS#527 (a lock held for six days), cimian#127: the loop goes on within the time limit and ten seconds.
    let stage = Stage::new();
    // A time of sleeping by which its processes are found, whoever else sleeps on this machine.
    let mark = format!("{}", 40_000 + std::process::id() % 10_000);
    for (kind, script) in [
        ("plain", "sleep MARK"),
        ("deaf", "trap '' TERM HUP INT; sleep MARK & wait; sleep MARK"),
        ("session", "setsid sh -c \"trap '' TERM; sleep MARK; sleep MARK\" & sleep MARK"),
        ("daemon", "(setsid sleep MARK </dev/null >/dev/null 2>&1 &); sleep MARK"),
        ("stopped", "kill -STOP $$"),
    ] {
        let begun = Instant::now();
        let status = stage.refuses_app(&format!("hang.v{kind}.tar.gz"), &Tarball::app(&script.replace("MARK", &mark)));
        let line = format!("[gwe] failed hang v{kind}: install.sh took longer than 3 s and was ended\n");
        assert!(status.ends_with(&line), "{status}");
        assert!(begun.elapsed() < Duration::from_secs(3 + 10), "{kind}: {:?}", begun.elapsed());
        assert_eq!(sleepers(&mark), 0, "{kind}: nothing survives");
    }
    // One that ends in time, and leaves somebody holding its output.
    let begun = Instant::now();
    let status = stage.site.install("leaves.v1.tar.gz", &Tarball::app(&format!("setsid sleep {mark} & echo done")));
    assert_eq!(status, "done\n[gwe] installed leaves v1 in N s\n");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(sleepers(&mark), 0, "what is to run for long belongs in supervisor.conf");
}

/// Processes that were started as `sleep <mark>`.
fn sleepers(mark: &str) -> usize {
    let wanted = format!("sleep\0{mark}\0");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter(|p| fs::read(p.path().join("cmdline")).is_ok_and(|line| line == wanted.as_bytes())).count()
}

#[test]
fn a_script_that_floods_its_output() {
    let stage = Stage::new();
    let flood = "i=0; while [ $i -lt 20000 ]; do echo \"line $i of a script that does not stop to talk\"; i=$((i+1)); done; exit 9";
    stage.site.deploy("flood.v1.tar.gz", &Tarball::app(flood));
    let ran = stage.site.check_in().ok();
    let status = stage.site.fetch_status();
    assert!(status.len() <= 64 * 1024, "{}", status.len());
    assert!(status.starts_with("line 0 of") && status.contains("bytes cut"), "{status:.200}");
    assert!(status.ends_with(
        "line 19999 of a script that does not stop to talk\n[gwe] failed flood v1: install.sh exited with 9\n"
    ));
    assert!(ran.stderr.len() < 10_000, "the log does not have it: {}", ran.stderr.len());
    // Bytes that are no text.
    let status = stage.refuses_app("bin.v1.tar.gz", &Tarball::app("head -c 100000 /dev/urandom; exit 9"));
    assert!(status.ends_with("[gwe] failed bin v1: install.sh exited with 9\n") && status.len() <= 64 * 1024);
}

#[test]
fn many_talkative_apps_are_all_told_of() {
    // The report is bounded, and its middle is cut: no app's verdict may be in the cut.
    let site = Site::new();
    let names: Vec<String> = (0..32).map(|n| format!("app{n}.v1.tar.gz")).collect();
    for name in &names {
        site.upload(name, &Tarball::app("yes 0123456789 | head -n 4000; exit 4"));
    }
    site.order(&names.iter().map(String::as_str).collect::<Vec<_>>());
    site.check_in().ok();
    let status = site.fetch_status();
    assert!(status.len() <= 64 * 1024, "{}", status.len());
    for n in 0..32 {
        assert!(status.contains(&format!("\n[gwe] failed app{n} v1: install.sh exited with 4\n")), "app{n}");
    }
}

#[test]
fn a_bad_supervisor_conf_blocks_nobody() {
    let Some(stage) = Stage::hosted() else { return };
    let app = |conf: &str| {
        Tarball::app("true").file("run.sh", 0o755, "#!/bin/sh\nexec sleep 600\n").file("supervisor.conf", 0o644, conf)
    };
    for (version, conf, reason) in [
        ("1", "command = x\n", "supervisor.conf"),
        ("2", "[supervisord]\ncommand = ./run.sh\nnumprocs = many\n", "numprocs"),
        ("3", "[supervisord]\ncommand = ./run.sh\n[include]\nfiles = /etc/*\n", "[include]"),
        ("4", "[supervisord]\ncommand = %(ENV_HOME_SWEET)s\n", "ENV_HOME_SWEET"),
        ("5", "[supervisord]\ncommand = ./run.sh\nuser = nobody-of-that-name\n", "nobody-of-that-name"),
        ("6", "[supervisord]\ncommand = ./run.sh\nstdout_logfile = /no/such/folder/x.log\n", "/no/such/folder"),
    ] {
        let status = stage.refuses_app(&format!("conf.v{version}.tar.gz"), &app(conf));
        assert!(status.contains(&format!("[gwe] failed conf v{version}: ")) && status.contains(reason), "{status}");
    }
    assert!(stage.site.ctl_status("conf").contains("no such process"));
    assert_eq!(
        stage.site.install("next.v1.tar.gz", &scripted_app("exec sleep 600", "")),
        "[gwe] installed next v1 in N s\n"
    );
}

#[test]
fn a_fragment_that_somebody_else_broke_is_not_the_next_app_s_fault_for_ever() {
    let Some(site) = Site::hosted() else { return };
    let broken =
        site.gateway.root().write("var/lib/gwe/supervisor.d/other.conf", "[program:other]\ncommand = %(nonsense)s\n");
    let status = site.install("app.v1.tar.gz", &scripted_app("exec sleep 600", ""));
    assert!(status.contains("[gwe] failed app v1: "), "{status}");
    assert!(!status.contains("ENV_"), "supervisord's words list environment variables: {status}");
    fs::remove_file(broken).unwrap();
    let other = scripted_app("exec sleep 601", "");
    assert_eq!(site.install("app.v1.tar.gz", &other), "[gwe] installed app v1 in N s\n");
}

#[test]
fn the_engine_outlives_all_of_it() {
    let site = Site::of(Murano::start());
    let mut engine = site.start_engine();
    for (n, text) in ["{", "nonsense", r#"{"install": [{"name": "none.v1.tar.gz"}]}"#].iter().enumerate() {
        site.murano.write(SN, "engine_fetch", text);
        wait_until("a report", PATIENCE, || site.reports().len() > n);
    }
    site.deploy("good.v1.tar.gz", &Tarball::app("true"));
    site.await_status("[gwe] installed good v1 in N s");
    assert!(engine.is_running());
    assert!(engine.stop().success());
}
