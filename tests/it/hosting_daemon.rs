//! The daemon as a whole beside supervisor 4.3.0, the same played on both: put into the background by its flags, looking for its configuration, told to end
//! and to begin anew. What its socket answers: `hosting_bytes`.

use gwe_tests::harness::{
    agent_binary, announce_skip, run, wait_until, Background, Ran, Scratch, Supervisord, TWIN_HEAD,
};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub const PATIENCE: Duration = Duration::from_secs(60);

/// One of the two, with a folder of its own in which it is `bin/supervisord`.
pub struct Twin {
    pub root: Scratch,
    pub is_ours: bool,
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

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path(name)
    }

    /// `{root}` stands for its folder.
    pub fn filled(&self, text: &str) -> String {
        text.replace("{root}", &self.root.root().to_string_lossy())
    }

    /// The other way round.
    pub fn shown(&self, text: &str) -> String {
        text.replace(&*self.root.root().to_string_lossy(), "{root}")
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("bin").join(name));
        command.args(arguments.iter().map(|argument| self.filled(argument)));
        command.current_dir(self.root.root()).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        command
    }

    pub fn run(&self, name: &str, arguments: &[&str]) -> String {
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
    pub fn host(&self, configuration: &str, more: &[&str]) -> Background {
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
pub fn compare(play: fn(&Twin) -> String) {
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
