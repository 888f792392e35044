//! Apps under a supervisord, over its socket (docs/spec/supervisord.md, "Traps"; docs/spec/failures.md, row 14).
//!
//! What a peer met in the field is cited where it is tested: Supervisor#1264 (an update with an unchanged configuration leaves
//! the old binary running), Supervisor#746 (stopping a program that cannot be started hangs for ever), Supervisor#99.

use gwe::supervisor::error::code;
use gwe::supervisor::settle::Terms;
use gwe::supervisor::{Clock, Process, ProcessState, Settled, Supervisor, SupervisorError};
use gwe_tests::harness::{wait_for, wait_until, Scratch, Supervisord};
use gwe_tests::skip;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_secs(15);
const SETTLE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(40);

/// A supervisord, and what the agent has of it. Apps end by themselves after five minutes, whatever a test leaves behind.
struct Host {
    supervisord: Supervisord,
    supervisor: Supervisor<'static>,
    root: Scratch,
}

impl Host {
    /// `None`, and said so, where there is no supervisord.
    fn start() -> Option<Host> {
        Host::start_with(Scratch::new(), Supervisord::plain_config())
    }

    fn start_with(root: Scratch, config: &str) -> Option<Host> {
        Supervisord::find().map_err(|why| gwe_tests::harness::announce_skip(&why)).ok()?;
        fs::create_dir_all(root.path("conf.d")).unwrap();
        let supervisord = Supervisord::start(&root, config);
        let supervisor = Supervisor::new(supervisord.socket());
        assert!(supervisor.wait_until_up(SHORT).unwrap());
        Some(Host { supervisord, supervisor, root })
    }

    /// Puts a binary that runs for five minutes in place, the way an installer does: a new file over the old name.
    fn binary(&self, name: &str) -> PathBuf {
        let sleep = ["/bin/sleep", "/usr/bin/sleep"].iter().find(|path| Path::new(path).exists()).unwrap();
        let path = self.root.path(&format!("bin/{name}"));
        let new = self.root.write(&format!("bin/{name}.new"), fs::read(sleep).unwrap());
        fs::set_permissions(&new, fs::metadata(sleep).unwrap().permissions()).unwrap();
        fs::rename(new, &path).unwrap();
        path
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root.write(&format!("bin/{name}"), format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    fn fragment(&self, app: &str, options: &str) {
        let log = self.root.path(&format!("{app}.log"));
        let text = format!("[program:{app}]\nstdout_logfile = {}\nredirect_stderr = true\n{options}\n", log.display());
        self.root.write(&format!("conf.d/{app}.conf"), text);
    }

    /// A fragment for [`Host::binary`] of the same name.
    fn plain_app(&self, app: &str) -> PathBuf {
        let binary = self.binary(app);
        self.fragment(app, &format!("command = {} 300", binary.display()));
        binary
    }

    fn take_out(&self, app: &str) {
        fs::remove_file(self.root.path(&format!("conf.d/{app}.conf"))).unwrap();
    }

    #[track_caller]
    fn goes_down(&self, app: &str) {
        self.take_out(app);
        self.supervisor.take_down(app).unwrap_or_else(|e| panic!("{app} is not taken down: {e}"));
        assert!(self.of(app).is_empty());
    }

    fn of(&self, app: &str) -> Vec<Process> {
        self.supervisor.processes().unwrap().into_iter().filter(|process| process.group == app).collect()
    }

    /// The only process of an app.
    #[track_caller]
    fn one(&self, app: &str) -> Process {
        let [process] = &self.of(app)[..] else { panic!("{app}: {:?}", self.of(app)) };
        process.clone()
    }

    fn settles(&self, app: &str, settle: Duration) -> Result<Settled, SupervisorError> {
        let terms = Terms { settle, patience: PATIENCE, order: Duration::ZERO, probing: Duration::ZERO };
        self.supervisor.await_settled(app, &terms, None)
    }

    #[track_caller]
    fn comes_up(&self, app: &str) -> Process {
        self.supervisor.take_up(app).unwrap_or_else(|e| panic!("{app} is not taken up: {e}"));
        let settled = self.settles(app, SETTLE).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(settled, Settled::Running);
        self.of(app)[0].clone()
    }

    #[track_caller]
    fn fails(&self, app: &str) -> String {
        self.supervisor.take_up(app).unwrap_or_else(|e| panic!("{app} is not taken up: {e}"));
        // Long enough for one that crashes when it has been up for two seconds.
        let error = self.settles(app, 5 * SETTLE).unwrap_err();
        assert!(matches!(error, SupervisorError::Failing { .. }), "{error}");
        error.to_string()
    }
}

/// Ends the apps first: supervisord's own end takes a second for each, and an app that is deaf would outlive it.
impl Drop for Host {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.root.path("conf.d"));
        for process in self.supervisor.processes().unwrap_or_default() {
            // Where one of them fails the test has failed already, or the app is gone.
            let _ = self.supervisor.stop(&process.group);
            let _ = self.supervisor.kill(&process.group);
            let _ = self.supervisor.take_down(&process.group);
        }
    }
}

macro_rules! host {
    () => {
        match Host::start() {
            Some(host) => host,
            None => return,
        }
    };
}

mod ends;

/// Whether a process runs this very file, not one that had its name before.
#[track_caller]
fn runs(process: &Process, binary: &Path) -> bool {
    let running = fs::metadata(format!("/proc/{}/exe", process.pid)).unwrap();
    let file = fs::metadata(binary).unwrap();
    (running.dev(), running.ino()) == (file.dev(), file.ino())
}

fn is_gone(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn an_app_is_added_updated_and_taken_down() {
    let host = host!();
    let neighbour = host.plain_app("neighbour");
    let neighbour = (host.comes_up("neighbour"), neighbour);

    let binary = host.plain_app("app");
    let first = host.comes_up("app");
    assert!(runs(&first, &binary));
    assert_eq!((&*first.name, &*first.group, first.state), ("app", "app", ProcessState::Running));
    assert!(first.uptime().unwrap() < SHORT);
    assert!(first.logfile.ends_with("app.log"), "{}", first.logfile);

    // Supervisor#1264: the binary is new and the fragment is not; `reread` lists nothing, `update` does nothing.
    let binary = host.binary("app");
    let changes = host.supervisor.reload().unwrap();
    assert!(changes.added.is_empty() && changes.changed.is_empty() && changes.removed.is_empty(), "{changes:?}");
    assert!(!runs(&host.one("app"), &binary), "the old binary runs on: this is the trap");
    let second = host.comes_up("app");
    assert!(runs(&second, &binary));
    assert!(second.pid != first.pid && is_gone(first.pid));

    // The fragment changes too.
    host.fragment("app", &format!("command = {} 299\nenvironment = COLOUR=\"red\"", binary.display()));
    let third = host.comes_up("app");
    let environment = fs::read_to_string(format!("/proc/{}/environ", third.pid)).unwrap();
    assert!(environment.contains("COLOUR=red"), "{environment}");
    assert!(is_gone(second.pid));

    host.supervisor.take_down("app").unwrap();
    assert_eq!(host.one("app").pid, third.pid, "what the configuration has is not taken down");
    host.goes_down("app");
    assert!(is_gone(third.pid));
    host.supervisor.take_down("app").unwrap();
    assert_eq!(host.supervisor.reload().unwrap(), Default::default(), "supervisord has forgotten it");

    assert_eq!(host.one("neighbour").pid, neighbour.0.pid, "a neighbour is left alone");
    assert!(runs(&host.one("neighbour"), &neighbour.1));
}

/// Whatever step an agent was killed after, taking the app up again ends with one copy of the new binary.
#[test]
fn an_interrupted_update_is_done_again() {
    let host = host!();
    host.plain_app("app");
    let mut before = host.comes_up("app");
    let reload: fn(&Supervisor<'_>) = |s| drop(s.reload().unwrap());
    let stop: fn(&Supervisor<'_>) = |s| s.stop("app").unwrap();
    let remove: fn(&Supervisor<'_>) = |s| {
        wait_until("the stop", SHORT, || s.processes().unwrap()[0].state == ProcessState::Stopped);
        s.remove("app").unwrap();
    };
    let add: fn(&Supervisor<'_>) = |s| s.add("app").unwrap();
    let all = [reload, stop, remove, add];
    for done in 0..=all.len() {
        let binary = host.binary("app");
        all[..done].iter().for_each(|step| step(&host.supervisor));
        let after = host.comes_up("app");
        assert!(runs(&after, &binary), "after {done} steps");
        assert!(is_gone(before.pid), "after {done} steps");
        before = after;
    }
}

/// Trap 1: a broken file makes supervisord refuse every reload. The fragment comes back out, and the others go on.
#[test]
fn a_broken_fragment_is_refused_and_the_others_go_on() {
    let host = host!();
    host.plain_app("good");
    let good = host.comes_up("good");
    for (what, text, reason) in [
        ("text without a section", "junk\n", "has text before its first [section]"),
        ("a line that is nothing", "[program:bad]\ncommand = /bin/true\njunk\n", "neither a [section] nor key = value"),
        ("no command", "[program:bad]\nautostart = true\n", "has no command"),
        ("an unknown name", "[program:bad]\ncommand = %(ENV_NO_SUCH)s\n", "uses a %(name)s"),
        ("a lone %", "[program:bad]\ncommand = echo 5%\n", "has a % that is no %(name)s"),
        ("a bad number", "[program:bad]\ncommand = a\npriority = high\n", "has an option that"),
        ("a bad boolean", "[program:bad]\ncommand = a\nautostart = perhaps\n", "neither true nor false"),
        ("a bad restart", "[program:bad]\ncommand = a\nautorestart = perhaps\n", "has an autorestart"),
        ("a bad signal", "[program:bad]\ncommand = a\nstopsignal = WAVE\n", "names a signal"),
        ("a bad exit code", "[program:bad]\ncommand = a\nexitcodes = 256\n", "has exitcodes"),
        ("a bad environment", "[program:bad]\ncommand = a\nenvironment = A\n", "has an environment"),
        ("a missing folder", "[program:bad]\ncommand = a\nstdout_logfile = /no/such/a.log\n", "names a log file"),
        ("an unknown user", "[program:bad]\ncommand = a\nuser = nobody-of-that-name\n", "names a user"),
        ("a group without numbers", "[program:bad]\ncommand = a\nnumprocs = 2\n", "has numprocs over 1"),
        ("half a kill", "[program:bad]\ncommand = a\nstopasgroup = true\nkillasgroup = false\n", "has stopasgroup"),
        ("a bad size", "[program:bad]\ncommand = a\nstdout_logfile_maxbytes = big\n", "has an option that"),
        ("an unknown event", "[eventlistener:bad]\ncommand = a\nevents = NO\n", "has an option that"),
        ("an unknown group", "[group:bad]\nprograms = a\n", "has an option that"),
        ("no UTF-8", "[program:bad]\ncommand = \u{1}\n", "is not UTF-8 text"),
    ] {
        // A byte that cannot stand in a Rust string.
        let bytes: Vec<u8> = text.bytes().map(|b| if b == 1 { 0xff } else { b }).collect();
        let file = host.root.write("conf.d/bad.conf", bytes);
        let error = host.supervisor.take_up("bad").unwrap_err();
        assert!(error.is_unreadable(), "{what}: {error}");
        let said = error.to_string();
        assert!(said.contains(reason), "{what}: {said}");
        // Trap 6: the names of supervisord's environment variables stay here.
        assert!(!said.contains("ENV_") && !format!("{error:?}").contains("ENV_"), "{what}: {error:?}");
        // What is not there can be taken down nevertheless.
        host.supervisor.take_down("bad").unwrap();
        assert_eq!(host.one("good").pid, good.pid);
        fs::remove_file(file).unwrap();
        host.supervisor.reload().unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    host.plain_app("next");
    let next = host.comes_up("next");
    // And so can what is up.
    host.root.write("conf.d/bad.conf", "junk\n");
    host.goes_down("next");
    assert!(is_gone(next.pid));
}

#[test]
fn a_file_of_somebody_else_is_told_from_ones_own() {
    let host = host!();
    host.root.write("conf.d/foreign.conf", "[program:foreign]\n");
    host.plain_app("mine");
    let error = host.supervisor.take_up("mine").unwrap_err();
    assert!(error.is_unreadable() && error.to_string().contains("[program:foreign] in "), "{error}");
    assert!(host.supervisor.reload().unwrap_err().is_unreadable());
}

#[test]
fn a_fragment_that_supervisord_does_not_see_changes_nothing() {
    let host = host!();
    host.root.write("elsewhere/app.conf", "[program:app]\ncommand = sleep 300\n");
    let error = host.supervisor.take_up("app").unwrap_err();
    assert!(matches!(&error, SupervisorError::NotIncluded { app } if app == "app"), "{error}");
    // It was there once: the one that runs is better than none.
    host.plain_app("app");
    let before = host.comes_up("app");
    host.take_out("app");
    let error = host.supervisor.take_up("app").unwrap_err();
    assert!(matches!(&error, SupervisorError::NotIncluded { .. }), "{error}");
    assert_eq!(host.one("app").pid, before.pid);
}

/// Trap 7: supervisord may be down, or come after the agent.
#[test]
fn a_supervisord_that_is_down_or_late() {
    if let Err(why) = Supervisord::find() {
        skip!("{why}");
    }
    let root = Scratch::new();
    let socket = root.path("supervisor.sock");
    let supervisor = Supervisor::new(&socket);
    assert!(supervisor.processes().unwrap_err().is_down());
    assert!(supervisor.take_up("app").unwrap_err().is_down());
    assert!(!supervisor.wait_until_up(Duration::from_millis(100)).unwrap());
    let waiting = std::thread::spawn(move || Supervisor::new(socket).wait_until_up(PATIENCE));
    std::thread::sleep(Duration::from_millis(700));
    // The fragment waits for it, too.
    root.write(
        "conf.d/app.conf",
        "[program:app]\ncommand = sleep 300\nstdout_logfile = NONE\nredirect_stderr = true\n",
    );
    let mut host = Host::start_with(root, Supervisord::plain_config()).unwrap();
    assert!(waiting.join().unwrap().unwrap(), "it was waited for");
    host.comes_up("app");
    host.supervisord.process().stop();
    assert!(host.supervisor.processes().unwrap_err().is_down(), "and it is gone");
    assert!(!host.supervisor.is_up().unwrap());
}

#[test]
fn the_faults_of_its_calls_are_the_documented_ones() {
    let host = host!();
    host.fragment("up", "command = sleep 300");
    host.supervisor.take_up("up").unwrap();
    wait_until("it to be up", SHORT, || host.one("up").state == ProcessState::Running);
    let fault = |outcome: Result<(), SupervisorError>| match outcome {
        Ok(()) => 0,
        Err(SupervisorError::Fault { code, .. }) => code,
        Err(e) => panic!("{e}"),
    };
    assert_eq!(fault(host.supervisor.add("up")), code::ALREADY_ADDED);
    assert_eq!(fault(host.supervisor.remove("up")), code::STILL_RUNNING);
    assert_eq!(fault(host.supervisor.add("unknown")), code::BAD_NAME);
    assert_eq!(fault(host.supervisor.remove("unknown")), code::BAD_NAME);
    assert_eq!(fault(host.supervisor.stop("unknown")), code::BAD_NAME);
    assert_eq!(fault(host.supervisor.kill("unknown")), code::BAD_NAME);
    host.fragment("fresh", "command = sleep 300");
    assert_eq!(fault(host.supervisor.add("fresh")), code::BAD_NAME, "before a reload it is unknown");
}

#[test]
fn an_app_of_several_processes_is_taken_as_one() {
    let host = host!();
    let binary = host.binary("pair");
    let options = "numprocs = 2\nprocess_name = %(program_name)s_%(process_num)d";
    host.fragment("pair", &format!("command = {} 300\n{options}", binary.display()));
    host.comes_up("pair");
    let names: Vec<String> = host.of("pair").iter().map(Process::namespec).collect();
    assert_eq!(names, ["pair:pair_0", "pair:pair_1"]);
    let before: Vec<u32> = host.of("pair").iter().map(|process| process.pid).collect();
    let binary = host.binary("pair");
    host.comes_up("pair");
    assert!(host.of("pair").iter().all(|process| runs(process, &binary) && !before.contains(&process.pid)));
    // One of them does not come up.
    let half = host.script("half", "[ $1 = 0 ] && exec sleep 300; exit 1");
    host.fragment("pair", &format!("command = {} %(process_num)d\nstartretries = 1\n{options}", half.display()));
    assert!(host.fails("pair").starts_with("pair:pair_1 cannot be kept up (FATAL)"));
    host.goes_down("pair");
}

#[test]
fn thirty_apps() {
    let host = host!();
    let names: Vec<String> = (0..30).map(|n| format!("app{n:02}")).collect();
    for name in &names {
        host.plain_app(name);
        host.supervisor.take_up(name).unwrap();
    }
    let all_run = || {
        Some(host.supervisor.processes().unwrap()).filter(|all| all.iter().all(|p| p.state == ProcessState::Running))
    };
    let before = wait_for("thirty apps to run", PATIENCE, all_run);
    assert_eq!(before.iter().map(|process| &process.group).collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
    let binary = host.binary("app17");
    assert!(runs(&host.comes_up("app17"), &binary));
    let after = host.supervisor.processes().unwrap();
    let restarted: Vec<_> = before.iter().zip(&after).filter(|(a, b)| a.pid != b.pid).map(|(a, _)| &*a.group).collect();
    assert_eq!(restarted, ["app17"], "the other 29 run on");
}

/// Names beyond ASCII: supervisord declares the length of some answers in characters.
#[test]
fn words_beyond_ascii() {
    let host = host!();
    let log = host.root.path("größe.log");
    let text = format!("[program:umlaut]\ncommand = /bin/grün\nstartretries = 1\nstdout_logfile = {}\n", log.display());
    host.root.write("conf.d/umlaut.conf", text);
    let said = host.fails("umlaut");
    assert!(said.contains("can't find command '/bin/grün'"), "{said}");
    assert!(host.one("umlaut").logfile.ends_with("größe.log"));
    host.goes_down("umlaut");
}

/// What a host's supervisord.conf lacks is said in so many words.
#[test]
fn a_supervisord_that_is_set_up_otherwise() {
    let without = Supervisord::plain_config().replace("[rpcinterface:supervisor]\n", "[other]\n");
    let locked = Supervisord::plain_config()
        .replace("supervisor.sock\n[rpc", "supervisor.sock\nusername = a\npassword = b\n[rpc");
    for (config, want) in
        [(without, "needs a section [rpcinterface:supervisor]"), (locked, "remove username and password")]
    {
        if let Err(why) = Supervisord::find() {
            skip!("{why}");
        }
        let root = Scratch::new();
        let supervisord = Supervisord::start(&root, &config);
        let supervisor = Supervisor::new(supervisord.socket());
        let error = supervisor.processes().unwrap_err();
        assert!(error.to_string().contains(want), "{error}");
        assert!(supervisor.wait_until_up(SHORT).is_err(), "it is no use to wait for that");
    }
}

#[test]
fn its_version_is_known() {
    let host = host!();
    let version = host.supervisor.version().unwrap();
    assert!(version.starts_with("4."), "{version}");
}
