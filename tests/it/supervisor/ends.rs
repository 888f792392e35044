//! How an app ends, and when it has settled.

use super::*;

/// A clock on which two minutes pass in three seconds.
struct FastClock(Instant, Mutex<Vec<Duration>>);

impl FastClock {
    const FACTOR: u32 = 40;

    fn new() -> FastClock {
        FastClock(Instant::now(), Mutex::default())
    }
}

impl Clock for FastClock {
    fn now(&self) -> Duration {
        self.0.elapsed() * FastClock::FACTOR
    }

    fn sleep(&self, duration: Duration) {
        self.1.lock().unwrap().push(duration);
        std::thread::sleep(duration / FastClock::FACTOR);
    }
}

/// Trap 5, and the end of all patience: an app that ignores its stop signal, with a `stopwaitsecs` beyond any check-in.
#[test]
fn an_app_that_ignores_its_stop_signal_is_killed() {
    let host = host!();
    let script = host.script("deaf", "trap '' TERM\nn=0; while [ $n -lt 300 ]; do sleep 1; n=$((n + 1)); done");
    host.fragment("deaf", &format!("command = {}\nstopwaitsecs = 600", script.display()));
    let before = host.comes_up("deaf");
    let clock = FastClock::new();
    let fast = Supervisor::with_clock(host.supervisord.socket(), &clock);
    fast.take_up("deaf").unwrap();
    assert!(is_gone(before.pid));
    let pauses = clock.1.lock().unwrap().clone();
    let waited: Duration = pauses.iter().sum();
    let count = u32::try_from(pauses.len()).unwrap();
    assert!(count < 150 && waited >= Duration::from_millis(500) * count, "{count} pauses, {waited:?}");
    assert_eq!(host.settles("deaf", SETTLE).unwrap(), Settled::Running);
    let after = host.one("deaf");
    assert!(after.pid != before.pid);
    host.take_out("deaf");
    fast.take_down("deaf").unwrap();
    assert!(is_gone(after.pid) && host.of("deaf").is_empty());
}

/// Its own `stopwaitsecs` counts where it is short.
#[test]
fn a_stop_right_after_an_add_ends() {
    let host = host!();
    let script = host.script("slow", "trap '' TERM\nn=0; while [ $n -lt 300 ]; do sleep 1; n=$((n + 1)); done");
    host.fragment("slow", &format!("command = {}\nstopwaitsecs = 2\nstopasgroup = true", script.display()));
    for _ in 0..3 {
        host.supervisor.take_up("slow").unwrap();
    }
    let begun = Instant::now();
    host.goes_down("slow");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// Supervisor#746: stopping a program that cannot be started, with the waiting call, never returned.
#[test]
fn an_app_in_backoff_is_stopped_at_once() {
    let host = host!();
    host.fragment("never", "command = /no/such/program\nstartretries = 1000000");
    host.supervisor.take_up("never").unwrap();
    let process = wait_for("BACKOFF", SHORT, || Some(host.one("never")).filter(|p| p.state == ProcessState::Backoff));
    assert_eq!(process.spawnerr, "can't find command '/no/such/program'");
    let begun = Instant::now();
    host.supervisor.take_up("never").unwrap();
    host.goes_down("never");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let error = host.settles("never", SETTLE).unwrap_err();
    assert_eq!(error.to_string(), "never is not hosted by supervisord");
}

#[test]
fn apps_that_do_not_stay_up_are_told_with_the_reason() {
    let host = host!();
    host.fragment("quick", "command = /bin/false\nstartretries = 1");
    assert_eq!(
        host.fails("quick"),
        "quick cannot be kept up (FATAL): Exited too quickly (process log may have details)"
    );
    host.fragment("missing", "command = /no/such/program --flag\nstartretries = 1");
    assert_eq!(host.fails("missing"), "missing cannot be kept up (FATAL): can't find command '/no/such/program'");
    let plain = host.root.write("bin/plain", "no program");
    host.fragment("plain", &format!("command = {}\nstartretries = 1", plain.display()));
    assert_eq!(
        host.fails("plain"),
        format!("plain cannot be kept up (FATAL): command at '{}' is not executable", plain.display())
    );
    let crash = host.script("crash", "sleep 2; exit 7");
    host.fragment("crash", &format!("command = {}\nautorestart = false", crash.display()));
    assert_eq!(host.fails("crash"), "crash exited with status 7");
    host.fragment("again", &format!("command = {}\nautorestart = true", crash.display()));
    let said = host.fails("again");
    assert!(said.starts_with("again ended by itself") || said == "again exited with status 7", "{said}");
    // The next version is better.
    let binary = host.plain_app("quick");
    assert!(runs(&host.comes_up("quick"), &binary));
}

#[test]
fn apps_that_run_once_or_not_at_all_settle() {
    let host = host!();
    // They end when they have been up for one second.
    let longer = 4 * SETTLE;
    let once = host.script("once", "sleep 2");
    host.fragment("once", &format!("command = {}", once.display()));
    host.supervisor.take_up("once").unwrap();
    assert_eq!(host.settles("once", longer).unwrap(), Settled::Finished);
    host.fragment(
        "expected",
        &format!("command = {}\nexitcodes = 3", host.script("three", "sleep 2; exit 3").display()),
    );
    host.supervisor.take_up("expected").unwrap();
    assert_eq!(host.settles("expected", longer).unwrap(), Settled::Finished);
    host.fragment("manual", "command = sleep 300\nautostart = false");
    host.supervisor.take_up("manual").unwrap();
    assert_eq!(host.settles("manual", SETTLE).unwrap(), Settled::Stopped);
    // One that comes up at its second try has used no more than its own allowance.
    let second = host
        .script("second", &format!("f={}; [ -e $f ] && exec sleep 300; touch $f", host.root.path("tried").display()));
    host.fragment("second", &format!("command = {}", second.display()));
    host.comes_up("second");
}
