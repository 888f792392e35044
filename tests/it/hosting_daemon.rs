//! The daemon as a whole beside supervisor 4.3.0, the same played on both: put into the background by its flags, looking for its configuration, told to end
//! and to begin anew, asked by bytes that no client would send.

use gwe_tests::harness::{
    agent_binary, announce_skip, run, wait_until, Background, Ran, Scratch, Supervisord, TWIN_HEAD,
};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// One of the two, with a folder of its own in which it is `bin/supervisord`.
struct Twin {
    root: Scratch,
    is_ours: bool,
}

impl Twin {
    fn of(real: Option<&Path>) -> Twin {
        let root = Scratch::new();
        for folder in ["bin", "sub", "children"] {
            fs::create_dir(root.path(folder)).unwrap();
        }
        for name in ["supervisord", "supervisorctl"] {
            let program = real.map_or_else(agent_binary, |real| real.with_file_name(name));
            symlink(program, root.path("bin").join(name)).unwrap();
        }
        Twin { root, is_ours: real.is_none() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path(name)
    }

    /// `{root}` stands for its folder.
    fn filled(&self, text: &str) -> String {
        text.replace("{root}", &self.root.root().to_string_lossy())
    }

    /// The other way round.
    fn shown(&self, text: &str) -> String {
        text.replace(&*self.root.root().to_string_lossy(), "{root}")
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("bin").join(name));
        command.args(arguments.iter().map(|argument| self.filled(argument)));
        command.current_dir(self.root.root()).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        command
    }

    fn run(&self, name: &str, arguments: &[&str]) -> String {
        self.told(&run(&mut self.command(name, arguments), PATIENCE))
    }

    /// Without places in a source file, which ours has not, and without the advice for which it has no place.
    fn told(&self, ran: &Ran) -> String {
        let text = self.shown(&[ran.stdout.as_str(), &ran.stderr].concat());
        let is_meant = |line: &&str| !line.contains("UserWarning: ") && !line.contains("self.warnings.warn(");
        let place = |line: &str| match line.find(": file: /") {
            Some(at) if line.starts_with("error: ") => line.get(..at).unwrap_or_default().to_string(),
            _ => line.to_string(),
        };
        let lines: Vec<String> = text.lines().filter(is_meant).map(place).collect();
        format!("{}\nstatus {:?}", lines.join("\n"), ran.code)
    }

    fn has(&self, file: &str, text: &str) -> bool {
        fs::read_to_string(self.path(file)).is_ok_and(|found| found.contains(&self.filled(text)))
    }

    fn wait_for(&self, file: &str, text: &str) {
        wait_until(&format!("{text:?} in {file} of {}", self.name()), PATIENCE, || self.has(file, text));
    }

    fn name(&self) -> &'static str {
        if self.is_ours {
            "ours"
        } else {
            "theirs"
        }
    }

    /// In the foreground, until it is there.
    fn host(&self, configuration: &str, more: &[&str]) -> Background {
        self.root.write("root.conf", self.filled(configuration));
        let arguments: Vec<&str> = ["-n", "-c", "{root}/root.conf"].iter().chain(more).copied().collect();
        let daemon = Background::start(&mut self.command("supervisord", &arguments), &self.root, "output");
        wait_until("the daemon's socket", PATIENCE, || UnixStream::connect(self.path("s.sock")).is_ok());
        self.wait_for("main.log", "started with pid");
        daemon
    }

    /// What its log says, each line once, without times and numbers, in the order of the alphabet: what comes between two others may come
    /// a moment sooner or later.
    fn log(&self) -> String {
        let text = self.shown(&self.root.read("main.log"));
        let bare = |line: &str| -> String {
            let digits = line.get(24..).unwrap_or_default().chars();
            digits.map(|c| if c.is_ascii_digit() { '9' } else { c }).collect::<String>()
        };
        // Ours says in every stop that it waits for a process, 4.3.0 in those alone that a client waits for.
        let is_meant = |line: &&str| !line.ends_with(" to stop");
        let mut lines: Vec<String> = text
            .lines()
            .filter(is_meant)
            .map(bare)
            .map(|line| line.replace("99", "9").replace("99", "9").replace("99", "9"))
            .collect();
        lines.sort();
        lines.dedup();
        lines.join("\n")
    }
}

/// The same on both, at the same time.
fn compare(play: fn(&Twin) -> String) {
    let real = match Supervisord::real() {
        Ok(real) => real,
        Err(why) => return announce_skip(&why),
    };
    if !agent_binary().with_file_name("hosting-core").is_file() {
        return announce_skip("needs hosting-core beside the agent");
    }
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| play(&Twin::of(Some(&real))));
        let ours = play(&Twin::of(None));
        (theirs.join().unwrap(), ours)
    });
    assert!(theirs == ours, "theirs:\n{theirs}\n\nours:\n{ours}");
}

/// A daemon that has gone into the background; it does not outlive the test.
struct Away(i32);

impl Drop for Away {
    fn drop(&mut self) {
        signal(self.0, libc::SIGKILL);
    }
}

fn signal(pid: i32, number: i32) {
    // SAFETY: kill touches no memory; the process is one that this test started.
    unsafe { libc::kill(pid, number) };
}

/// A line of a file of the kernel's about a process.
fn of_process(pid: i32, file: &str, key: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Flags win over the file; what is said only where it goes into the background; what its programs inherit; both signals for logs and end.
#[test]
fn in_the_background_it_is_what_its_flags_say() {
    compare(|twin| {
        let program = "{ umask; ulimit -Sn; pwd; env | grep ^SUPERVISOR | sort; } >{root}/seen.new; mv {root}/seen.new {root}/seen; echo out; exec sleep 300\n";
        twin.root.write("p.sh", twin.filled(program));
        for left in
            ["p-stdout---named-abc123.log", "p-stdout---named-abc123.log.3", "p-stdout---other-abc123.log", "own.log"]
        {
            twin.root.write(&format!("children/{left}"), "left");
        }
        let text =
            [TWIN_HEAD, "[program:p]\ncommand = sh {root}/p.sh\nstartsecs = 0\nstderr_logfile = NONE\n"].concat();
        twin.root.write("root.conf", twin.filled(&text));
        let line = twin.filled(
            "ulimit -Sn 600; exec {root}/bin/supervisord -c {root}/root.conf -l {root}/other.log -e debug -j {root}/other.pid \
             -d {root}/sub -m 027 -i named -q {root}/children -a 700 -y 1MB -z 2",
        );
        let mut shell = Command::new("sh");
        let started = run(shell.args(["-c", &line]).current_dir(twin.root.root()).env("LC_ALL", "C.UTF-8"), PATIENCE);
        let mut seen = twin.told(&started);
        twin.wait_for("other.pid", "\n");
        let pid: i32 = twin.root.read("other.pid").trim_end_matches('\n').parse().expect("a number and a line's end");
        let _away = Away(pid);
        twin.wait_for("seen", "SUPERVISOR_SERVER_URL");
        seen += &twin.shown(&twin.root.read("seen"));
        seen += &format!(
            "{}\n{}\n",
            of_process(pid, "status", "Umask:"),
            of_process(pid, "limits", "Max open files").split(' ').nth(3).unwrap_or_default()
        );
        let link = |name: &str| twin.shown(&fs::read_link(format!("/proc/{pid}/{name}")).unwrap().to_string_lossy());
        for name in ["cwd", "fd/0", "fd/1", "fd/2"] {
            seen += &format!("{name} {}\n", link(name));
        }
        // SAFETY: no memory.
        seen += &format!("leads its session: {}\n", unsafe { libc::getsid(pid) } == pid);
        let mut children: Vec<String> = fs::read_dir(twin.path("children"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        children.sort();
        let own = children.iter().find(|name| name.starts_with("p-stdout---named-")).cloned().unwrap_or_default();
        seen += &format!("{}\n", children.join(" ").replace(own.get(17..).unwrap_or_default(), "RANDOM"));
        twin.wait_for(&format!("children/{own}"), "out");
        // Moved away by somebody who then says so.
        fs::rename(twin.path("other.log"), twin.path("moved.log")).unwrap();
        fs::rename(twin.path("children").join(&own), twin.path("moved.out")).unwrap();
        signal(pid, libc::SIGUSR2);
        wait_until("the log", PATIENCE, || twin.path("other.log").exists());
        wait_until("the program's log", PATIENCE, || twin.path("children").join(&own).exists());
        signal(pid, libc::SIGTERM);
        wait_until("its end", PATIENCE, || !twin.path("other.pid").exists());
        wait_until("its last line", PATIENCE, || {
            of_process(pid, "status", "State:").split(' ').nth(1).is_none_or(|state| state == "Z")
        });
        let log = twin.root.read("moved.log") + &twin.root.read("other.log");
        for said in [
            "daemonizing the supervisord process",
            "supervisord started with pid",
            "spawned: 'p' with pid",
            "p entered RUNNING state",
            "received SIGUSR2 indicating log reopen request",
            "supervisord logreopen",
            "received SIGTERM indicating exit request",
            "waiting for p to die",
            "stopped: p (terminated by SIGTERM)",
            "without any HTTP authentication checking",
        ] {
            seen += &format!("{said}: {}\n", log.contains(said));
        }
        seen + &format!("main.log {} socket {}\n", twin.path("main.log").exists(), twin.path("s.sock").exists())
    });
}

/// Where it looks without `-c`, and what it says of flags that make no sense.
#[test]
fn it_looks_for_its_configuration_where_4_3_0_does() {
    compare(|twin| {
        let mut seen = String::new();
        let places = ["etc/supervisord.conf", "supervisord.conf", "cwd/supervisord.conf", "cwd/etc/supervisord.conf"];
        for place in places {
            twin.root.write(place, "just words\n");
        }
        for place in places {
            let mut command = twin.command("supervisord", &[]);
            seen += &twin.told(&run(command.current_dir(twin.path("cwd")), PATIENCE));
            seen += "\n";
            fs::remove_file(twin.path(place)).unwrap();
        }
        twin.root.write("root.conf", twin.filled(TWIN_HEAD));
        for flags in [
            ["-e", "loud"],
            ["-u", "no-such-user"],
            ["-m", "9"],
            ["-y", "1XB"],
            ["-z", "x"],
            ["-a", "many"],
            ["-d", "/no/such"],
            ["-q", "/no/such"],
            ["-l", "/no/such/x"],
            ["--nope", "x"],
            ["-c", "/no/such"],
            ["more", "words"],
        ] {
            let arguments =
                if flags[0] == "-c" { flags.to_vec() } else { [&["-c", "{root}/root.conf"], &flags[..]].concat() };
            seen += &format!("{flags:?}: {}\n", twin.run("supervisord", &arguments));
        }
        seen + &twin.run("supervisord", &["-v"])
    });
}

/// Told to end more than once, and to begin anew meanwhile; `-n` shows the log, `-s` does not.
#[test]
fn its_end_is_not_hurried_nor_taken_back() {
    compare(|twin| {
        let text = [
            TWIN_HEAD,
            "[program:stubborn]\ncommand = sh -c \"trap '' TERM; touch {root}/trapped; while :; do sleep 0.2; done\"\nstartsecs = 0\nstopwaitsecs = 4\n\
             [program:willing]\ncommand = sleep 300\nstartsecs = 0\npriority = 1\n",
        ]
        .concat();
        let mut seen = String::new();
        for (end, more) in [(libc::SIGINT, &[] as &[&str]), (libc::SIGQUIT, &["-s"])] {
            let mut daemon = twin.host(&text, more);
            twin.wait_for("main.log", "willing entered RUNNING");
            wait_until("it takes no notice of SIGTERM", PATIENCE, || twin.path("trapped").exists());
            daemon.signal(end);
            twin.wait_for("main.log", "waiting for");
            daemon.signal(libc::SIGHUP);
            twin.wait_for("main.log", "ignored SIGHUP");
            daemon.signal(libc::SIGTERM);
            let status = daemon.wait(PATIENCE).expect("it ends");
            seen += &format!("status {:?}\n{}\n", status.code(), twin.log());
            seen += &format!("shown: {}\n", twin.root.read("output.log").contains("killing 'stubborn'"));
            for file in ["main.log", "trapped", "output.log"] {
                fs::remove_file(twin.path(file)).unwrap();
            }
        }
        seen
    });
}

/// Sends it, and gives of all that comes back until the end what a client goes by.
fn raw(twin: &Twin, request: &str) -> String {
    let mut stream = UnixStream::connect(twin.path("s.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer).is_ok();
    let text = twin.shown(&String::from_utf8_lossy(&answer));
    let is_meant = |line: &&str| {
        let line = line.to_ascii_lowercase();
        ["http/1", "content-type:", "www-authenticate:", "<value>"]
            .iter()
            .any(|start| line.trim_start().starts_with(start))
    };
    let lines: Vec<String> =
        text.lines().map(str::trim).filter(is_meant).map(|line| line.to_ascii_lowercase()).collect();
    format!("{}\nended {ended}\n", lines.join("\n"))
}

fn post(path: &str, version: &str, more: &str, body: &str) -> String {
    format!("POST {path} HTTP/{version}\r\nHost: x\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len())
}

const STATE: &str = "<?xml version='1.0'?><methodCall><methodName>supervisor.getState</methodName></methodCall>";

#[test]
fn what_no_client_sends_is_answered_alike() {
    compare(|twin| {
        let mut daemon = twin.host(TWIN_HEAD, &[]);
        let close = "Connection: close\r\n";
        let mut seen = String::new();
        for request in [
            post("/RPC2", "1.1", "", STATE) + &post("/RPC2/", "1.1", close, STATE),
            post("/RPC2", "1.0", "", STATE),
            post("/RPC2", "1.0", "Connection: Keep-Alive\r\n", STATE) + &post("/RPC2", "1.0", "", STATE),
            post("/RPC2", "1.1", "cOnNeCtIoN: close\r\n", STATE),
            format!("GET /nope HTTP/1.1\r\nHost: x\r\n{close}\r\n"),
            post("/RPC2", "1.1", close, "<methodCall></methodCall>"),
            post("/RPC2", "1.1", close, "no markup"),
            format!("GET /RPC2 HTTP/1.1\r\nHost: x\r\n{close}\r\n"),
            format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\n{close}\r\n"),
            format!("GET /logtail/nope HTTP/1.1\r\nHost: x\r\n{close}\r\n"),
            format!("GET /logtail/a/b/c HTTP/1.1\r\nHost: x\r\n{close}\r\n"),
        ] {
            let shown = raw(twin, &request);
            seen += &format!("{}\n{shown}", request.lines().next().unwrap_or_default());
        }
        daemon.stop();
        seen
    });
}

/// What `tail -f` reads: the last of the file, what comes, what a rotation or a cut leaves.
#[test]
fn a_log_is_followed_over_rotation_and_cut() {
    compare(|twin| {
        let text = [TWIN_HEAD, "[program:p]\ncommand = sleep 300\nautostart = false\nstdout_logfile = {root}/p.log\n"]
            .concat();
        twin.root.write("p.log", [&"x".repeat(2000), "\none\n"].concat());
        let mut daemon = twin.host(&text, &[]);
        let mut stream = UnixStream::connect(twin.path("s.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /logtail/p HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let mut read_until = |text: &str| {
            while !String::from_utf8_lossy(&answer).contains(text) {
                let mut piece = [0; 4096];
                let count = stream.read(&mut piece).unwrap_or(0);
                assert!(count > 0, "no {text:?} in {}", String::from_utf8_lossy(&answer));
                answer.extend_from_slice(piece.get(..count).unwrap_or_default());
            }
        };
        let append = |text: &str| {
            OpenOptions::new().append(true).open(twin.path("p.log")).unwrap().write_all(text.as_bytes()).unwrap()
        };
        read_until("one\n");
        append("two\n");
        read_until("two\n");
        fs::rename(twin.path("p.log"), twin.path("p.log.1")).unwrap();
        twin.root.write("p.log", "three\n");
        read_until("three\n");
        append("and a longer line behind it\n");
        read_until("behind it\n");
        // 4.3.0 says nothing any more after a cut: its own sentence on that is no bytes.
        if twin.is_ours {
            File::create(twin.path("p.log")).unwrap();
            read_until("==> File truncated <==\n");
            append("four\n");
            read_until("four\n");
        }
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        // Each piece has its size in front; how it is cut is nobody's business.
        let mut rest = body;
        let mut whole = String::new();
        while let Some((size, after)) = rest.split_once("\r\n") {
            let size = usize::from_str_radix(size, 16).unwrap_or(0);
            whole += after.get(..size).unwrap_or_default();
            rest = after.get(size..).unwrap_or_default().trim_start_matches("\r\n");
        }
        daemon.stop();
        let is_meant =
            |line: &&str| !["Date:", "Server:", "Last-Modified:"].iter().any(|start| line.starts_with(start));
        let mut head: Vec<String> = head.lines().filter(is_meant).map(str::to_ascii_lowercase).collect();
        head.sort();
        let end = whole.find("behind it\n").map_or(0, |at| at + "behind it\n".len());
        format!("{}\n{}", head.join("\n"), whole.get(..end).unwrap_or_default())
    });
}

/// A password, its absence, and a daemon without the interface.
#[test]
fn who_may_not_and_what_is_not_there_is_told_alike() {
    compare(|twin| {
        let mut seen = String::new();
        let locked = TWIN_HEAD.replace("[rpcinterface", "username = u\npassword = {SHA}8cb2237d0679ca88db6464eac60da96345513964\n[rpcinterface")
            + "[supervisorctl]\nserverurl = unix://{root}/s.sock\n[program:p]\ncommand = sleep 300\nautostart = false\nstartsecs = 0\n";
        let mut daemon = twin.host(&locked, &[]);
        for action in ["status", "version", "pid", "start", "reread"] {
            for login in [&[] as &[&str], &["-u", "u", "-p", "wrong"], &["-u", "u", "-p", "12345"]] {
                let mut arguments = [&["-c", "{root}/root.conf"], login, &[action]].concat();
                arguments.extend((action == "start").then_some("p"));
                let told = twin.run("supervisorctl", &arguments);
                let told = if action == "pid" { told.replace(&daemon.pid().to_string(), "PID") } else { told };
                seen += &format!("{action} {login:?}: {told}\n");
            }
        }
        let refused = raw(twin, "GET /logtail/p HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let mut refused: Vec<&str> = refused.lines().collect();
        refused.sort_unstable();
        seen += &format!("{}\n", refused.join("\n"));
        daemon.stop();
        fs::remove_file(twin.path("main.log")).unwrap();
        let head = TWIN_HEAD.split("[rpcinterface").next().unwrap();
        let mut daemon = twin.host(&[head, "[supervisorctl]\nserverurl = unix://{root}/s.sock\n"].concat(), &[]);
        for action in ["status", "version", "shutdown"] {
            seen += &format!(
                "without the interface, {action}: {}\n",
                twin.run("supervisorctl", &["-c", "{root}/root.conf", action])
            );
        }
        daemon.stop();
        twin.root.write("root.conf", twin.filled(TWIN_HEAD));
        seen + &format!("without its section: {}\n", twin.run("supervisorctl", &["-c", "{root}/root.conf", "status"]))
    });
}
