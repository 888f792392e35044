//! The command line of gmq, signals, and what the server costs while it idles.

use gwe_tests::harness::{wait_until, Gmq, Murano};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn settings_are_shown_set_and_checked() {
    let gmq = Gmq::not_running("http://127.0.0.1:1", "[unq]\nbatch_qty = 60\n");
    let root = gmq.gateway().root().root().display().to_string();
    assert_eq!(gmq.gmq(&["-g"]).ok().stdout, format!("{root}/var/lib/gwe/gmq.cfg\n"));
    assert_eq!(gmq.gmq(&["--log-cfg-path"]).ok().stdout, format!("{root}/var/lib/gwe/logging.cfg\n"));
    assert_eq!(gmq.gmq(&["cfg", "get", "unq", "batch_record_period"]).ok().stdout, "10.0\n");
    assert_eq!(gmq.gmq(&["cfg", "get"]).ok().stdout, "unq\ndb\nhttp\n");
    assert_eq!(gmq.gmq(&["cfg", "get", "db"]).ok().stdout, "max_bytes = 33554432\nwhen_full = refuse\n");
    let set = gmq.gmq(&["cfg", "set", "unq", "batch_record_period", "300.0"]).ok().stdout;
    assert!(set.starts_with("[unq]\nbatch_record_period = 300.0\nbatch_qty = 60\n"), "{set}");
    assert_eq!(gmq.gmq(&["cfg"]).ok().stdout, set);
    assert!(gmq.gmq(&["log", "set", "logger_root", "level", "debug"]).ok().stdout.contains("level = debug"));
    assert_eq!(gmq.gmq(&["log"]).ok().stdout, "[logger_root]\nlevel = debug\n");
    for (words, status, says) in [
        (&["cfg", "set", "unq", "batch_qty", "many"][..], 1, "batch_qty cannot be 'many'"),
        (&["cfg", "set", "db", "nothing", "1"], 1, "one that `gmq cfg`"),
        (&["cfg", "get", "nothing"], 2, "no section"),
        (&["cfg", "get", "db", "nothing"], 2, "no option"),
        (&["cfg", "put"], 2, "cfg and log take"),
        (&["fetch"], 2, "no such command"),
        (&["--nonsense"], 2, "--nonsense"),
        (&["--port", "many"], 2, "--port"),
        (&["reread"], 1, "gmq does not run"),
        (&["--forward"], 2, "stdin"),
    ] {
        let ran = gmq.gmq(words).exited(status);
        let said = ran.stderr.clone() + &ran.stdout;
        assert!(said.contains(says), "{}", ran.report());
    }
    let status = gmq.gmq(&["status"]).ok().stdout;
    assert!(status.contains("not running") && status.contains("queued      0"), "{status}");
    assert!(gmq.gmq(&["-v"]).ok().stdout.trim().starts_with(char::is_numeric));
    let help = gmq.gmq(&["--help"]).ok().stdout;
    for word in ["cfg|log set SECTION OPTION VALUE", "set-aside requeue", "--log-cfg-path"] {
        assert!(help.contains(word), "{help}");
    }
}

#[test]
fn a_running_server_takes_new_settings_by_command_and_by_signal() {
    let murano = Murano::start();
    let mut gmq = Gmq::with(&murano.url(), "[unq]\nbatch_record_period = 3600\n");
    assert_eq!(gmq.record("1", "a", "1700000000=x"), 204);
    assert_eq!(gmq.count("max_bytes"), 33_554_432);
    gmq.gmq(&["cfg", "set", "db", "max_bytes", "2097152"]).ok();
    gmq.gmq(&["reread"]).ok();
    assert_eq!(gmq.count("max_bytes"), 2_097_152);
    gmq.gmq(&["cfg", "set", "db", "when_full", "drop_oldest"]).ok();
    gmq.server().signal(libc::SIGHUP);
    wait_until("the signal is heeded", LIMIT, || gmq.status()["when_full"] == "drop_oldest");
}

#[test]
fn a_second_server_says_so_and_ends() {
    let gmq = Gmq::start("http://127.0.0.1:1");
    let ran = gmq.gmq(&["--port", "0"]).exited(1);
    assert!(ran.stderr.contains("another gmq is running"), "{}", ran.report());
    let taken = gmq.port().to_string();
    let other = Gmq::not_running("http://127.0.0.1:1", "");
    let ran = other.gmq(&["--port", &taken]).exited(1);
    assert!(ran.stderr.contains("cannot listen on 127.0.0.1:"), "{}", ran.report());
}

#[test]
fn sigterm_ends_it_cleanly_and_what_waited_is_stored() {
    let murano = Murano::start();
    let mut gmq = Gmq::start(&murano.url());
    assert_eq!(gmq.write("1", "a=1"), 204);
    murano.faults(&["write:delay=2000*1"]);
    let url = gmq.url();
    let app = std::thread::spawn(move || {
        let client = gwe_tests::murano::client::Client::new(&url).unwrap();
        let body = gwe_tests::murano::client::Sent::Bytes(b"a=2");
        client.send("POST", "/onep:v1/stack/alias", &[("X-Exosite-VMS", "p p 1")], body).map(|reply| reply.status)
    });
    std::thread::sleep(Duration::from_millis(500));
    gmq.stop();
    assert_eq!(app.join().unwrap().unwrap(), 204, "the app got its answer");
    gmq.run();
    gmq.drained(LIMIT);
    assert!(murano.history("1", "a").contains(&"2".to_string()));
    // Stopped in idleness, it is gone at once.
    let begun = std::time::Instant::now();
    gmq.stop();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn an_idle_server_never_wakes_and_has_no_tls_in_memory() {
    let murano = Murano::start();
    let mut gmq = Gmq::start(&murano.url());
    for n in 0..20 {
        assert_eq!(gmq.write("1", &format!("a={n}")), 204);
    }
    assert_eq!(gmq.record("1", "r", "1700000000=x"), 204);
    gmq.drained(LIMIT);
    // Two seconds after the last request it tidies up, once.
    std::thread::sleep(Duration::from_millis(3500));
    let pid = gmq.server().pid();
    let switches = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
        lines.map(|line| line.split_whitespace().last().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    let before = switches();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(switches(), before, "not once in five seconds");
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count();
    assert_eq!(threads, 1);
}

#[test]
fn what_an_app_sends_does_not_speak_to_the_terminal_of_whoever_looks() {
    let murano = Murano::start();
    let gmq = Gmq::start(&murano.url());
    murano.faults(&["record:status=400"]);
    assert_eq!(gmq.record("1", "a%1b%5b2Jb%0ac", "1700000000=%1b%5bx"), 204);
    wait_until("it is set aside", LIMIT, || gmq.count("set_aside") == 1);
    for words in [&["set-aside", "list"][..], &["status"]] {
        let shown = gmq.gmq(words).ok().stdout;
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
    }
    assert_eq!(gmq.gmq(&["set-aside", "list"]).ok().stdout.lines().count(), 2, "the point, and the reason");
}
