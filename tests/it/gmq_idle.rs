//! What gmq is while nothing happens: a program of two kilobytes under the same process number (docs/gmq.md), which whoever connects wakes
//! up. Nothing is lost by it, nobody is turned away, and no second gmq gets in.

use gwe_tests::harness::{self, exe, number_of, wait_until, Background, Gmq, Murano, Scratch, PATIENCE};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// So many seconds without anything to do, in place of a minute and a half.
const SOON: (&str, &str) = ("GWE_NAP_AFTER", "1");

fn fact(gmq: &mut Gmq, file: &str) -> String {
    fs::read_to_string(format!("/proc/{}/{file}", gmq.server().pid())).expect("gmq is alive")
}

/// How often it got a processor, and lost it.
fn switches(gmq: &mut Gmq) -> Vec<String> {
    let status = fact(gmq, "status");
    status.lines().filter(|line| line.contains("ctxt_switches")).map(str::to_string).collect()
}

fn is_asleep(gmq: &mut Gmq) -> bool {
    harness::is_asleep(gmq.server().pid())
}

#[track_caller]
fn await_sleep(gmq: &mut Gmq) {
    wait_until("gmq sleeps", PATIENCE, || is_asleep(gmq));
}

/// A gmq that has nothing to do, with a device that has its CIK.
fn asleep(murano: &Murano) -> Gmq {
    let mut gmq = Gmq::not_running(&murano.url(), "[unq]\nbatch_record_period = 0.2\n");
    gmq.environment(&[SOON]);
    gmq.run();
    assert_eq!(gmq.write("1", "a=first"), 204);
    await_sleep(&mut gmq);
    gmq
}

/// What the platform has of `a`.
fn values(murano: &Murano) -> Vec<String> {
    let state = murano.state();
    let points = state["data"]["1"]["a"].as_array().cloned().unwrap_or_default();
    points.iter().map(|point| point[1].as_str().unwrap_or_default().to_string()).collect()
}

#[test]
fn while_nothing_happens_next_to_nothing_is_resident() {
    let murano = Murano::start();
    let mut gmq = asleep(&murano);
    let rss = number_of(gmq.server().pid(), "status", "VmRSS:").expect("gmq is alive");
    assert!(rss < 64, "{rss} kB");
    assert_eq!(fact(&mut gmq, "comm"), "gmq\n");
    let before = switches(&mut gmq);
    thread::sleep(Duration::from_secs(3));
    assert_eq!(switches(&mut gmq), before, "it does not wake up for nothing");
    gmq.stop();
}

#[test]
fn whoever_connects_is_served_and_all_is_known_as_before() {
    let murano = Murano::start();
    let mut gmq = asleep(&murano);
    let pid = gmq.server().pid();
    for turn in 0..3 {
        assert_eq!(gmq.write("1", &format!("a=again+{turn}")), 204);
        assert!(!is_asleep(&mut gmq), "it is awake");
        assert_eq!(fact(&mut gmq, "comm"), "gmq\n");
        await_sleep(&mut gmq);
    }
    // Asking for its status wakes it too. What it never had to store it counts all the same.
    assert_eq!(gmq.count("forwarded"), 4);
    assert_eq!(values(&murano), ["first", "again 0", "again 1", "again 2"]);
    assert_eq!(gmq.server().pid(), pid);
    assert_eq!(gmq.log().matches("listening on").count(), 1, "it says once where it listens\n{}", gmq.log());
    let queue = gmq.gateway().root().tree("var/lib/gwe/queue");
    await_sleep(&mut gmq);
    assert_eq!(gmq.gateway().root().tree("var/lib/gwe/queue"), queue, "no file comes by it");
    gmq.stop();
}

#[test]
fn many_at_once_are_all_served() {
    let murano = Murano::start();
    let mut gmq = asleep(&murano);
    for _ in 0..3 {
        let gmq = &gmq;
        thread::scope(|scope| {
            for n in 0..20 {
                scope.spawn(move || assert_eq!(gmq.write("1", &format!("b{n}=1")), 204));
            }
        });
    }
    await_sleep(&mut gmq);
    gmq.stop();
}

#[test]
fn what_waits_is_sent_before_it_sleeps() {
    let murano = Murano::start();
    let mut gmq = asleep(&murano);
    murano.faults(&["any:refuse"]);
    assert_eq!(gmq.write("1", "a=in+the+outage"), 204);
    thread::sleep(Duration::from_secs(4));
    assert!(!is_asleep(&mut gmq), "something waits");
    murano.clear_faults();
    await_sleep(&mut gmq);
    assert_eq!(values(&murano), ["first", "in the outage"]);
    // Killed in its sleep, as by a power cut.
    gmq.kill();
    gmq.run();
    assert_eq!(gmq.write("1", "a=after"), 204);
    assert_eq!(values(&murano), ["first", "in the outage", "after"]);
    gmq.stop();
}

#[test]
fn no_other_gets_in_while_it_sleeps() {
    let murano = Murano::start();
    let mut gmq = asleep(&murano);
    let second = gmq.gmq(&["--port", "0"]).exited(1);
    assert!(second.stderr.contains("another gmq is running"), "{}", second.report());
    assert!(is_asleep(&mut gmq), "and it is not disturbed by it");
    gmq.stop();
}

#[test]
fn it_stops_in_its_sleep_and_by_a_hang_up_it_wakes() {
    let murano = Murano::start();
    let mut gmq = asleep(&murano);
    gmq.server().signal(libc::SIGHUP);
    wait_until("it is awake", PATIENCE, || !is_asleep(&mut gmq));
    await_sleep(&mut gmq);
    let begun = Instant::now();
    gmq.stop();
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_open_connection_keeps_it_awake() {
    let murano = Murano::start();
    let mut gmq = asleep(&murano);
    let mut client = TcpStream::connect(("127.0.0.1", gmq.port())).unwrap();
    let request =
        "POST /onep:v1/stack/alias HTTP/1.1\r\nHost: localhost\r\nX-Exosite-VMS: p p 1\r\nContent-Length: 3\r\n\r\na=";
    client.write_all(request.as_bytes()).unwrap();
    thread::sleep(Duration::from_secs(3));
    assert!(!is_asleep(&mut gmq), "half a request is being sent");
    client.write_all(b"b").unwrap();
    let mut answer = [0; 64];
    let length = client.read(&mut answer).unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 204"), "{:?}", String::from_utf8_lossy(&answer));
    drop(client);
    await_sleep(&mut gmq);
    gmq.stop();
}

/// Serves, and does not sleep in all the time in which it would have.
#[track_caller]
fn assert_stays_itself(mut gmq: Gmq) {
    gmq.run();
    assert_eq!(gmq.write("1", "a=first"), 204);
    thread::sleep(Duration::from_secs(5));
    assert!(!is_asleep(&mut gmq), "{}", exe(gmq.server().pid()).display());
    let before = switches(&mut gmq);
    thread::sleep(Duration::from_secs(3));
    assert_eq!(switches(&mut gmq), before, "it does not try again and again");
    assert_eq!(gmq.write("1", "a=second"), 204);
    gmq.stop();
}

#[test]
fn whoever_asks_for_it_has_one_that_stays_itself() {
    let murano = Murano::start();
    let mut gmq = Gmq::not_running(&murano.url(), "");
    gmq.environment(&[SOON, ("GWE_STAY", "1")]);
    assert_stays_itself(gmq);
}

#[test]
fn where_the_kernel_refuses_it_it_serves_on() {
    for (call, error) in [(libc::SYS_memfd_create, libc::ENOSYS), (libc::SYS_execveat, libc::EACCES)] {
        // A device of its own: one that cannot be activated keeps a queue awake, too.
        let murano = Murano::start();
        let mut gmq = Gmq::not_running(&murano.url(), "");
        gmq.environment(&[SOON]);
        gmq.refuse(call, error);
        assert_stays_itself(gmq);
    }
}

/// The platform gives a CIK once: what the disk did not take is in this process alone.
#[test]
fn what_the_disk_did_not_take_keeps_it_awake() {
    let murano = Murano::start();
    murano.faults(&["any:refuse"]);
    let mut gmq = Gmq::not_running(&murano.url(), "[unq]\nbatch_record_period = 0.2\n");
    gmq.environment(&[SOON]);
    gmq.run();
    assert_eq!(gmq.write("1", "a=first"), 204);
    let identities = gmq.gateway().root().path("var/lib/gwe/queue/identities");
    let before = fs::read(&identities).unwrap();
    // Nothing can be renamed onto a folder that is not empty.
    fs::remove_file(&identities).unwrap();
    gmq.gateway().root().write("var/lib/gwe/queue/identities/in-the-way", "");
    murano.clear_faults();
    gmq.drained(PATIENCE * 2);
    assert!(gmq.log().contains("the CIK is lost at the next restart"), "{}", gmq.log());
    thread::sleep(Duration::from_secs(4));
    assert!(!is_asleep(&mut gmq), "the CIK is nowhere else");
    assert_eq!(gmq.write("1", "a=second"), 204);
    assert_eq!(values(&murano), ["first", "second"]);
    // What is there is an older state: the same.
    fs::remove_dir_all(&identities).unwrap();
    fs::write(&identities, before).unwrap();
    assert_eq!(gmq.write("1", "a=third"), 204);
    thread::sleep(Duration::from_secs(3));
    assert!(!is_asleep(&mut gmq));
    assert_eq!(values(&murano), ["first", "second", "third"]);
    gmq.stop();
}

#[test]
fn who_comes_in_the_very_moment_of_the_change_is_answered() {
    let murano = Murano::start();
    thread::scope(|scope| {
        for n in 0..20_u32 {
            let murano = &murano;
            scope.spawn(move || {
                let mut gmq = Gmq::not_running(&murano.url(), "[unq]\nbatch_record_period = 0.2\n");
                gmq.environment(&[SOON]);
                gmq.run();
                let sn = n.to_string();
                for turn in 0..3 {
                    assert_eq!(gmq.write(&sn, "b=1"), 204);
                    await_sleep(&mut gmq);
                    gmq.status();
                    // Its memory is tidied up after two seconds, and it sleeps a second later: from 10 ms before to 30 after.
                    thread::sleep(Duration::from_millis(2990) + Duration::from_millis(2) * n);
                    assert_eq!(gmq.record(&sn, "a", &format!("{}=1", 1_700_000_000 + turn)), 204);
                    gmq.drained(PATIENCE);
                }
                assert_eq!(murano.history(&sn, "a").len(), 3);
            });
        }
    });
}

/// The environment is anybody's: what it says was handed over must be what it says.
#[test]
fn a_made_up_nap_is_not_believed() {
    for (handed, numbers) in [
        ("", "77,78,79"),
        ("3<run/gwe/other 4</dev/null", "3,4"),
        ("3</dev/null 4<>/dev/null 5</dev/null", "3,4,5"),
        ("", "0,1,2"),
        ("3</dev/null", "3,3,3"),
        ("", "-1,-1,-1"),
    ] {
        let gmq = Gmq::not_running("http://127.0.0.1:1", "");
        let root = gmq.gateway().root();
        root.write("run/gwe/other", "");
        let command = gmq.gateway().command("gmq");
        let script = format!("export GWE_DOZE=T,$$,1,0,0,0,,{numbers}; exec \"$0\" --port 0 {handed}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).arg(command.get_program()).current_dir(root.root());
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let logs = Scratch::new();
        let mut server = Background::start(&mut shell, &logs, "gmq");
        wait_until("gmq listens", PATIENCE, || root.has("run/gwe/gmq.port"));
        gmq.gmq(&["status"]).ok();
        let second = gmq.gmq(&["--port", "0"]).exited(1);
        assert!(second.stderr.contains("another gmq is running"), "{numbers}: {}", second.report());
        assert!(server.stop().success());
    }
}
