//! supervisord and supervisorctl of our own beside those of supervisor 4.3.0: one table of commands, run by each supervisorctl on each
//! daemon. What the real pair prints and how it exits is what all four must: nothing is written down here that could be wrong.

#[path = "hosting_ctl/imported.rs"]
mod imported;

use gwe_tests::harness::{agent_binary, run_fed, wait_until, Background, Ran, Scratch, Supervisord, TWIN_HEAD};
use gwe_tests::skip;
use imported::Imported;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const START: Duration = Duration::from_secs(30);

/// Programs that end by themselves after some minutes, whatever a test leaves behind.
const CONFIGURATION: &str = "[supervisorctl]
serverurl = unix://{root}/s.sock
prompt = twin
[include]
files = {root}/conf.d/*.conf
[program:plain]
command = /bin/sh -c \"echo hello; echo problem >&2; exec sleep 300\"
startsecs = 0
stdout_logfile = {root}/plain.log
stderr_logfile = {root}/plain.err
[program:cat]
command = /bin/cat
startsecs = 0
autostart = false
priority = 5
stdout_logfile = {root}/cat.log
[program:many]
command = sleep 300
numprocs = 3
process_name = %(program_name)s_%(process_num)02d
startsecs = 0
autostart = false
[program:quick]
command = /bin/false
startretries = 0
autostart = false
[program:missing]
command = /no/such/program
autostart = false
[program:closed]
command = {root}/closed
autostart = false
[program:silent]
command = sleep 300
startsecs = 0
autostart = false
stdout_logfile = NONE
stderr_logfile = NONE
[program:one]
command = sleep 300
startsecs = 0
autostart = false
[group:pair]
programs = one
priority = 3
";

enum Step {
    /// A command, and the status that the real pair must give: so that nobody compares two failures to connect.
    Run(&'static [&'static str], i32),
    /// A shell, and what is typed.
    Typed(&'static str),
    Write(&'static str, &'static str),
    Remove(&'static str),
}

use Step::{Remove, Run, Typed, Write};

const STEPS: &[Step] = &[
    Run(&["status"], 3),
    Run(&["status", "plain"], 0),
    Run(&["status", "plain", "cat", "nope"], 3),
    Run(&["status", "nope"], 4),
    Run(&["status", "nope:*"], 4),
    Run(&["status", "pair:*", "many:"], 3),
    Run(&["status", "all"], 3),
    Run(&["avail"], 0),
    Run(&["avail", "x"], 1),
    Run(&["version"], 0),
    Run(&["version", "x"], 1),
    Run(&["pid"], 0),
    Run(&["pid", "plain"], 0),
    Run(&["pid", "cat"], 7),
    Run(&["pid", "nope"], 1),
    Run(&["pid", "all"], 0),
    Run(&["start"], 2),
    Run(&["start", "plain"], 0),
    Run(&["start", "cat"], 0),
    Run(&["start", "many:*"], 0),
    Run(&["start", "many:*"], 0),
    Run(&["start", "nope"], 1),
    Run(&["start", "nope:*"], 2),
    Run(&["start", "missing"], 1),
    Run(&["start", "closed"], 1),
    Run(&["start", "quick"], 7),
    Run(&["start", "one"], 1),
    Run(&["start", "pair:one"], 0),
    Run(&["status"], 3),
    Run(&["tail", "plain"], 0),
    Run(&["tail", "plain", "stderr"], 0),
    Run(&["tail", "-3", "plain"], 0),
    Run(&["tail", "-3", "plain", "STDERR"], 0),
    Run(&["tail", "-x", "plain"], 1),
    Run(&["tail", "plain", "stdwhat"], 1),
    Run(&["tail"], 1),
    Run(&["tail", "-3"], 1),
    Run(&["tail", "a", "b", "c", "d"], 1),
    Run(&["tail", "nope"], 1),
    Run(&["tail", "silent"], 1),
    Run(&["maintail", "x"], 1),
    Run(&["maintail", "-x"], 1),
    Run(&["maintail", "-1", "-2"], 1),
    Run(&["signal"], 1),
    Run(&["signal", "HUP"], 1),
    Run(&["signal", "CONT", "plain"], 0),
    Run(&["signal", "18", "plain", "cat"], 0),
    Run(&["signal", "sigcont", "many:*"], 0),
    Run(&["signal", "NOPE", "plain"], 1),
    Run(&["signal", "CONT", "nope"], 1),
    Run(&["signal", "CONT", "nope:*"], 1),
    Run(&["signal", "CONT", "silent"], 7),
    Run(&["signal", "CONT", "all"], 0),
    Run(&["clear"], 1),
    Run(&["clear", "plain"], 0),
    Run(&["tail", "plain"], 0),
    Run(&["clear", "nope"], 1),
    Run(&["clear", "many:*"], 1),
    Run(&["clear", "all"], 0),
    Run(&["restart"], 1),
    Run(&["restart", "cat"], 0),
    Run(&["restart", "silent"], 0),
    Run(&["restart", "nope"], 1),
    Run(&["restart", "pair:*"], 0),
    Run(&["stop"], 1),
    Run(&["stop", "cat"], 0),
    Run(&["stop", "cat"], 0),
    Run(&["stop", "nope"], 1),
    Run(&["stop", "nope:*"], 1),
    Run(&["stop", "many:many_01"], 0),
    Run(&["status", "many:*"], 3),
    Run(&["reread"], 0),
    Run(&["reread", "x"], 1),
    Write("conf.d/new.conf", "[program:new]\ncommand = sleep 300\nstartsecs = 0\n"),
    Run(&["reread"], 0),
    Run(&["reread"], 0),
    Run(&["avail"], 0),
    Run(&["add", "nope"], 1),
    Run(&["add", "new"], 0),
    Run(&["add", "new"], 0),
    Run(&["remove", "new"], 1),
    Run(&["remove", "nope"], 1),
    Write("conf.d/new.conf", "[program:new]\ncommand = sleep 301\nstartsecs = 0\nautostart = false\n"),
    Run(&["reread"], 0),
    Run(&["update"], 0),
    Run(&["status", "new"], 3),
    Run(&["update"], 0),
    Write("conf.d/newer.conf", "[program:newer]\ncommand = sleep 300\nautostart = false\n"),
    Run(&["update", "nope"], 1),
    Run(&["update", "newer"], 0),
    Remove("conf.d/newer.conf"),
    Run(&["update", "all"], 0),
    Write("conf.d/bad.conf", "[program:bad]\ncommand = sleep 300\nstartsecs = soon\n"),
    Run(&["reread"], 1),
    Run(&["update"], 1),
    Write("conf.d/bad.conf", "just words\n"),
    Run(&["reread"], 1),
    Remove("conf.d/bad.conf"),
    Remove("conf.d/new.conf"),
    Run(&["update"], 0),
    Run(&["status", "new"], 4),
    Run(&["nope"], 1),
    Run(&["status-x"], 4),
    Run(&["help"], 0),
    Run(&["help", "start"], 0),
    Run(&["help", "nope"], 0),
    Run(&["open", "nope"], 1),
    Run(&["fg"], 1),
    Run(&["fg", "nope"], 1),
    Run(&["fg", "cat"], 1),
    Run(&["fg", "a", "b"], 1),
    Run(&["shutdown", "x"], 1),
    Run(&["reload", "x"], 1),
    Run(&["-s", "unix:///no/such/socket", "status"], 4),
    Run(&["-s", "unix:///no/such/socket", "start", "x"], 7),
    Run(&["-s", "unix:///no/such/socket", "shutdown"], 1),
    Run(&["-s", "unix:///no/such/socket", "reread"], 1),
    Run(&["-s", "http://127.0.0.1:1", "status"], 4),
    Run(&["-s", "http://127.0.0.1:1", "version"], 4),
    Run(&["-s", "nope", "status"], 2),
    Run(&["-x"], 2),
    Run(&["-u"], 2),
    Typed("help start\nversion\nnope\n\n  status   plain \n?pid\nstart nope\nshutdown\nn\nreload\nno\nexit\nnever\n"),
    Typed("version\n"),
    Typed("quit"),
    Run(&["stop", "all"], 0),
    Run(&["status"], 3),
    Run(&["shutdown"], 0),
];

/// A supervisorctl on a daemon of its own.
struct Pair {
    title: &'static str,
    root: Scratch,
    ctl: Ctl,
    daemon: Background,
}

enum Ctl {
    Own(PathBuf),
    Real(Imported),
}

impl Pair {
    fn start(title: &'static str, own_daemon: bool, own_ctl: bool) -> Pair {
        let root = Scratch::new();
        let real = Supervisord::real().expect("somebody looked");
        fs::create_dir_all(root.path("conf.d")).unwrap();
        root.write("closed", "nobody may start this");
        for name in ["supervisord", "supervisorctl"] {
            symlink(agent_binary(), root.path(name)).unwrap();
        }
        let text = [TWIN_HEAD, CONFIGURATION].concat().replace("{root}", &root.root().to_string_lossy());
        let file = root.write("twin.conf", text);
        let daemon = if own_daemon { root.path("supervisord") } else { real.clone() };
        let ctl = if own_ctl {
            Ctl::Own(root.path("supervisorctl"))
        } else {
            Ctl::Real(Imported::start(&real.with_file_name("supervisorctl"), root.root()))
        };
        let mut command = Command::new(daemon);
        command.args(["-n", "-c"]).arg(file).current_dir(root.root()).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        let mut daemon = Background::start(&mut command, &root, "daemon");
        wait_until("the daemon's socket", START, || {
            assert!(daemon.is_running(), "{title} did not start\n{}", daemon.log());
            UnixStream::connect(root.path("s.sock")).is_ok()
        });
        wait_until("the first program's output", START, || {
            root.has("plain.err") && root.read("plain.err") == "problem\n"
        });
        Pair { title, root, ctl, daemon }
    }

    fn run(&mut self, arguments: &[&str], typed: &str) -> Ran {
        let configuration = self.root.path("twin.conf");
        let configuration = configuration.to_string_lossy();
        let arguments: Vec<&str> = ["-c", &configuration].into_iter().chain(arguments.iter().copied()).collect();
        match &mut self.ctl {
            Ctl::Real(imported) => imported.run(&arguments, typed),
            Ctl::Own(program) => {
                let mut command = Command::new(program);
                command.args(arguments).current_dir(self.root.root()).env("LC_ALL", "C.UTF-8");
                run_fed(&mut command, typed.as_bytes(), LIMIT)
            }
        }
    }

    /// What was printed, without what is different each time.
    fn shown(&self, ran: &Ran) -> String {
        let text = ran.stdout.replace(&*self.root.root().to_string_lossy(), "{root}");
        let error = ran.stderr.lines().find(|line| line.starts_with("Error: ")).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(plain).collect();
        if ran.command.ends_with(" all") {
            // Of several that stop at once, who is first is chance.
            lines.sort();
        }
        format!("{}\n{error}\nstatus {:?}", lines.join("\n"), ran.code)
    }
}

/// A line without process numbers, times and places in Python's files.
fn plain(line: &str) -> String {
    let line = match line.find(": file: /") {
        Some(at) if line.starts_with("error: ") => &line[..at],
        _ => line,
    };
    if !line.is_empty() && line.chars().all(|c| c.is_ascii_digit()) {
        return if line == "0" { "0".into() } else { "N".into() };
    }
    if let Some((before, behind)) = line.split_once("pid ").filter(|(_, behind)| behind.contains(", uptime ")) {
        let _ = behind;
        return format!("{before}pid N, uptime T");
    }
    let months = ["Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ", "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec "];
    match months.iter().find_map(|month| line.find(month)).filter(|_| line.ends_with(" AM") || line.ends_with(" PM")) {
        Some(at) => format!("{}DATE", &line[..at]),
        None => line.to_string(),
    }
}

#[test]
fn every_command_prints_the_same_on_every_daemon() {
    if let Err(why) = Supervisord::real() {
        skip!("{why}");
    }
    let mut pairs = [
        Pair::start("the real one on the real one", false, false),
        Pair::start("our supervisorctl on the real daemon", false, true),
        Pair::start("the real supervisorctl on our daemon", true, false),
        Pair::start("ours on ours", true, true),
    ];
    let mut wrong = Vec::new();
    for step in STEPS {
        let (arguments, typed, status): (&[&str], &str, Option<i32>) = match step {
            Run(arguments, status) => (arguments, "", Some(*status)),
            Typed(text) => (&[], text, None),
            Write(name, text) => {
                pairs.iter().for_each(|pair| drop(pair.root.write(name, text)));
                continue;
            }
            Remove(name) => {
                pairs.iter().for_each(|pair| fs::remove_file(pair.root.path(name)).unwrap());
                continue;
            }
        };
        // Each on a daemon of its own: beside each other they take a quarter of the time.
        let ran: Vec<Ran> = thread::scope(|scope| {
            let running = pairs.each_mut().map(|pair| scope.spawn(|| pair.run(arguments, typed)));
            running.into_iter().map(|one| one.join().expect("a command that does not end is told of")).collect()
        });
        let wanted = pairs[0].shown(&ran[0]);
        if status.is_some_and(|status| ran[0].code != Some(status)) {
            wrong.push(format!("{arguments:?}: the real pair gives {:?}\n{wanted}", ran[0].code));
        }
        for (pair, ran) in pairs.iter().zip(&ran).skip(1) {
            let shown = pair.shown(ran);
            if shown != wanted {
                wrong.push(format!("{arguments:?} {typed:?}: {}\n--- wanted\n{wanted}\n--- got\n{shown}", pair.title));
            }
        }
    }
    for pair in &mut pairs {
        // The last step asked for it.
        let ended = pair.daemon.wait(START).and_then(|status| status.code());
        assert_eq!(ended, Some(0), "{} ends in order", pair.title);
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n\n"));
}
