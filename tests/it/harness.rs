//! The harness itself: what the other tests take for granted.

use gwe_tests::harness::{
    damage, gunzip, run, wait_until, Background, Gateway, Kind, Murano, Scratch, Supervisord, Tarball,
};
use gwe_tests::murano::endpoint::Endpoint;
use gwe_tests::skip;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

const SHORT: Duration = Duration::from_secs(10);

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn a_program_is_run_and_its_output_collected() {
    let ran = run(&mut sh("echo out; echo err >&2; exit 3"), SHORT).exited(3);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"));
    assert!(!ran.timed_out);
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let scratch = Scratch::new();
    let script = format!("sleep 60 & echo $! > {}; wait", scratch.path("pid").display());
    let ran = run(&mut sh(&script), Duration::from_millis(300));
    assert!(ran.timed_out && ran.signal == Some(libc::SIGKILL), "{}", ran.report());
    let pid = scratch.read("pid").trim().to_string();
    wait_until("the child to be gone", SHORT, || {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
    });
}

#[test]
fn a_survivor_that_holds_the_pipe_holds_nobody_up() {
    let ran = run(&mut sh("sleep 5 & echo done"), SHORT).ok();
    assert_eq!(ran.stdout, "done\n");
    assert!(ran.took < Duration::from_secs(4), "{}", ran.report());
}

#[test]
fn a_background_program_can_be_read_signalled_and_stopped() {
    let scratch = Scratch::new();
    // Not SIGHUP: under nohup it is ignored, and no shell can trap what was ignored when it began.
    let script = "trap 'echo usr1' USR1; trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done";
    let mut process = Background::start(&mut sh(script), &scratch, "shell");
    wait_until("its first line", SHORT, || process.log().contains("up"));
    process.signal(libc::SIGUSR1);
    wait_until("the signal", SHORT, || process.log().contains("usr1"));
    assert!(process.stop().success());
    assert!(!process.is_running());
}

#[test]
fn a_scratch_folder_lists_itself_and_is_removed() {
    let scratch = Scratch::new();
    scratch.write("/a/b/c", "text");
    assert_eq!(scratch.tree(""), ["a/", "a/b/", "a/b/c"]);
    assert_eq!(scratch.read("a/b/c"), "text");
    let root = scratch.root().to_path_buf();
    drop(scratch);
    assert!(!root.exists());
}

#[test]
fn a_good_tarball_is_one_that_tar_unpacks() {
    let scratch = Scratch::new();
    let long = format!("folder/{}", "n".repeat(150));
    let path = Tarball::app("echo hello")
        .entry("folder", 0o755, Kind::Folder)
        .file(&long, 0o644, "long name")
        .entry("link", 0o777, Kind::Symlink(b"install.sh".to_vec()))
        .save(scratch.path("app.tar.gz"));
    let mut tar = Command::new("tar");
    run(tar.arg("xzf").arg(path).arg("-C").arg(scratch.root()), SHORT).ok();
    assert_eq!(scratch.read(&long), "long name");
    let hello = run(&mut Command::new(scratch.path("link")), SHORT).ok();
    assert_eq!(hello.stdout, "hello\n");
}

#[test]
fn a_hostile_tarball_has_the_names_and_types_it_was_given() {
    let bytes = Tarball::new()
        .entry("../../escape", 0o4755, Kind::File(b"x".to_vec()))
        .entry("/absolute", 0o644, Kind::Hardlink(b"/etc/passwd".to_vec()))
        .entry(b"\xff\xfe", 0o644, Kind::Fifo)
        .entry("null", 0o666, Kind::Device(1, 3))
        .bytes();
    let tar = gunzip(&bytes);
    let mut archive = tar::Archive::new(&tar[..]);
    let entries: Vec<_> = archive.entries().unwrap().map(Result::unwrap).collect();
    let names: Vec<_> = entries.iter().map(|entry| entry.path_bytes().to_vec()).collect();
    assert_eq!(names, [&b"../../escape"[..], b"/absolute", b"\xff\xfe", b"null"]);
    assert_eq!(entries[0].header().mode().unwrap(), 0o4755);
    assert_eq!(entries[1].link_name_bytes().as_deref(), Some(&b"/etc/passwd"[..]));
    assert!(entries[2].header().entry_type().is_fifo());
    assert_eq!(entries[3].header().device_minor().unwrap(), Some(3));
}

#[test]
fn a_bomb_is_small_and_damage_is_one_byte() {
    let bomb = Tarball::new().entry("zeros", 0o644, Kind::Zeros(50_000_000)).bytes();
    assert!(bomb.len() < 1_000_000, "{} bytes", bomb.len());
    let damaged = damage(&bomb, -8);
    let differing = bomb.iter().zip(&damaged).filter(|(a, b)| a != b).count();
    assert_eq!((differing, damaged.len()), (1, bomb.len()));
}

#[test]
fn a_server_in_the_test_serves_and_tells_what_it_was_asked() {
    let murano = Murano::start();
    let cik = murano.activate("00:11:22");
    murano.write("00:11:22", "engine_fetch", "{}");
    let target = "/onep:v1/stack/alias?engine_fetch";
    let reply = murano.request("POST", target, &[("X-Exosite-CIK", &cik)], "a=1").unwrap();
    assert_eq!(reply.text(), "engine_fetch=%7B%7D");
    assert_eq!(murano.read("00:11:22", "a").as_deref(), Some("1"));
    assert_eq!(murano.history("00:11:22", "engine_fetch"), ["{}"]);
    assert_eq!((murano.count(Endpoint::Activate), murano.count(Endpoint::Hybrid)), (1, 1));
}

#[test]
fn a_real_supervisord_runs_a_program() {
    if let Err(why) = Supervisord::find() {
        skip!("{why}");
    }
    let root = Scratch::new();
    root.write("conf.d/sleeper.conf", "[program:sleeper]\ncommand = sleep 1000\nstartsecs = 0\n");
    let mut supervisord = Supervisord::start(&root, Supervisord::plain_config());
    wait_until("the program to run", SHORT, || supervisord.ctl(&["status"]).stdout.contains("RUNNING"));
    assert!(supervisord.process().stop().success());
    assert!(!supervisord.socket().exists());
}

#[test]
fn a_gateway_has_a_root_and_the_agent_under_its_three_names() {
    let scratch = Scratch::new();
    let agent = scratch.write("agent", "#!/bin/sh\necho \"$(basename \"$0\") $GWE_ROOT $http_proxy $*\"\n");
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).unwrap();
    let gateway = Gateway::of(&agent);
    let root = gateway.root().root().display().to_string();
    assert_eq!(gateway.gwe(&["--once"]).ok().stdout, format!("gwe {root}  --once\n"));
    assert_eq!(gateway.gmq(&[]).ok().stdout, format!("gmq {root}  \n"));
    assert_eq!(gateway.gdc(&["timestamp"]).ok().stdout, format!("gdc {root}  timestamp\n"));
    assert!(gateway.root().tree("").is_empty(), "the root of a new gateway is empty");
    let mut engine = gateway.start("gwe", &["-l", "5"]);
    assert!(engine.wait(SHORT).unwrap().success());
    assert_eq!(engine.log(), format!("gwe {root}  -l 5\n"));
}
