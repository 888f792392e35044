//! One daemon of the two, the calls that it gets, and what is seen of it.

use super::shown;
use gwe::format::xmlrpc::{MethodResponse, Param, Value};
use gwe_tests::harness::{agent_binary, call, wait_until, Background, Scratch, TWIN_HEAD};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(25);

/// Places in reloadConfig's answer.
const ADDED: usize = 0;
const REMOVED: usize = 2;

const INCLUDE: &str = "[include]\nfiles = {root}/conf.d/*.conf\n";

pub struct Twin {
    program: PathBuf,
    root: Scratch,
    daemon: Background,
}

impl Twin {
    /// Of this program; of none: ours.
    pub fn start(program: Option<&Path>) -> Twin {
        let root = Scratch::new();
        let program = program.map(Path::to_path_buf).unwrap_or_else(|| {
            symlink(agent_binary(), root.path("supervisord")).unwrap();
            root.path("supervisord")
        });
        fs::create_dir_all(root.path("conf.d")).unwrap();
        fs::create_dir_all(root.path("logs")).unwrap();
        root.write("root.conf", [TWIN_HEAD, INCLUDE].concat().replace("{root}", &root.root().to_string_lossy()));
        let mut daemon = launch(&program, &root, "output");
        wait_until("the daemon's socket", PATIENCE, || {
            assert!(daemon.is_running(), "it did not start\n{}", daemon.log());
            UnixStream::connect(root.path("s.sock")).is_ok() && root.read("main.log").contains("started with pid")
        });
        Twin { program, root, daemon }
    }

    /// A fragment with its calls. `@boot`: it is a whole configuration of a daemon of its own.
    pub fn behave(&mut self, text: &str) -> String {
        let (text, steps) = text.split_once("\n> ").map_or((text, ""), |(text, steps)| (text, steps));
        if let Some(text) = text.strip_prefix("@boot\n") {
            return self.boot(text, steps);
        }
        let mut texts = text.split("\n---\n");
        let mut seen = String::new();
        let mark = self.log().len();
        self.write("conf.d/case.conf", texts.next().unwrap_or_default());
        for step in steps.split("\n> ").map(str::trim_end) {
            let result = match step {
                "next" => {
                    self.write("conf.d/case.conf", texts.next().expect("another text"));
                    continue;
                }
                step => self.step(step, mark),
            };
            seen += &format!("> {step}\n{result}\n");
        }
        let lines = self.lines(mark);
        self.forget();
        seen + &lines
    }

    fn step(&self, step: &str, mark: usize) -> String {
        let mut words = step.split(' ');
        let (verb, words) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>());
        let rest = words.get(1..).unwrap_or_default().join(" ");
        match verb {
            "until" => self.until(words[0], &rest),
            "says" => self.says(words[0], &rest.replace("\\n", "\n")),
            "logged" => {
                let wanted = words.join(" ");
                wait_until(&format!("{wanted:?} in the log"), PATIENCE, || {
                    self.log().get(mark..).is_some_and(|log| log.contains(&wanted))
                });
                String::new()
            }
            "written" => {
                let path = self.root.path(words[0]);
                wait_until(&format!("{rest:?} in {path:?}"), PATIENCE, || {
                    fs::read_to_string(&path).unwrap_or_default().contains(&rest)
                });
                String::new()
            }
            "file" => format!("{:?}", String::from_utf8_lossy(&fs::read(self.root.path(words[0])).unwrap_or_default())),
            method => self.call(method, &words),
        }
    }

    /// A process until it is so; how it is then.
    fn until(&self, name: &str, state: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = ask(&self.root, "supervisor.getProcessInfo", &[Param::Text(name)]);
            let is_there = match &answer {
                Ok(MethodResponse::Value(value)) => value.get("statename").and_then(Value::as_text) == Some(state),
                _ => false,
            };
            if is_there || Instant::now() > until {
                return self.shown(answer);
            }
            std::thread::sleep(STEP);
        }
    }

    fn says(&self, name: &str, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let params = [Param::Text(name), Param::Int(0), Param::Int(0)];
            let answer = ask(&self.root, "supervisor.readProcessStdoutLog", &params);
            let is_there = matches!(&answer, Ok(MethodResponse::Value(Value::Text(said))) if said.contains(text));
            if is_there || Instant::now() > until {
                return self.shown(answer);
            }
            std::thread::sleep(STEP);
        }
    }

    fn call(&self, method: &str, words: &[&str]) -> String {
        let method = if method.contains('.') { method.to_string() } else { format!("supervisor.{method}") };
        let words: Vec<String> = words.iter().map(|word| word.replace("\\n", "\n").replace("\\s", " ")).collect();
        let params = words.iter().map(|word| match (word.as_str(), word.parse::<i32>()) {
            ("true", _) => Param::Bool(true),
            ("false", _) => Param::Bool(false),
            (_, Ok(number)) => Param::Int(number),
            (text, _) => Param::Text(text),
        });
        self.shown(ask(&self.root, &method, &params.collect::<Vec<_>>()))
    }

    fn shown(&self, answer: Result<MethodResponse, String>) -> String {
        let text = answer.map_or_else(|why| why, |answer| shown::answer(&answer));
        text.replace(&*self.root.root().to_string_lossy(), "{root}")
    }

    fn write(&self, name: &str, text: &str) {
        self.root.write(name, text.replace("{root}", &self.root.root().to_string_lossy()));
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.root.path("main.log")).unwrap_or_default()).into_owned()
    }

    /// What the log has since then.
    fn lines(&self, mark: usize) -> String {
        let log = self.log();
        // How often somebody looks whether it has stopped is chance.
        let is_chance = |line: &str| line.contains("INFO waiting for ") && line.ends_with(" to stop");
        // Python's own traces are no lines of the log.
        let is_chance = |line: &str| is_chance(line) || !line.starts_with("20");
        let lines = log.get(mark..).unwrap_or_default().lines().filter(|line| !is_chance(line)).map(shown::plain);
        let text = lines.collect::<Vec<_>>().join("\n");
        text.replace(&*self.root.root().to_string_lossy(), "{root}")
    }

    /// Everything of a case goes: its groups stopped and taken out, its files.
    fn forget(&self) {
        let _ = fs::remove_dir_all(self.root.path("conf.d"));
        fs::create_dir_all(self.root.path("conf.d")).unwrap();
        self.write("root.conf", &[TWIN_HEAD, INCLUDE].concat());
        let _ = ask(&self.root, "supervisor.stopAllProcesses", &[Param::Bool(false)]);
        // One without processes is seen in no other list.
        let groups = named(&ask(&self.root, "supervisor.reloadConfig", &[]), REMOVED);
        for group in groups {
            wait_until(&format!("group {group:?} is taken out"), PATIENCE, || {
                let removed = ask(&self.root, "supervisor.removeProcessGroup", &[Param::Text(&group)]);
                // One that restarts by itself, and one that has not heard it.
                let _ = ask(&self.root, "supervisor.stopProcessGroup", &[Param::Text(&group), Param::Bool(false)]);
                let _ = ask(&self.root, "supervisor.signalProcessGroup", &[Param::Text(&group), Param::Text("KILL")]);
                matches!(removed, Ok(MethodResponse::Value(_)) | Ok(MethodResponse::Fault { code: 10, .. }))
            });
        }
        let is_own =
            |name: &str| ["main.log", "main.pid", "s.sock", "root.conf", "output", "supervisord"].contains(&name);
        for entry in fs::read_dir(self.root.root()).unwrap().flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            if !is_own(&name.to_string_lossy()) && path.is_file() {
                fs::remove_file(path).unwrap();
            }
        }
    }

    /// A daemon of its own for a whole configuration: how it starts, or why it does not; what it says.
    fn boot(&self, text: &str, steps: &str) -> String {
        let root = Scratch::new();
        let place = root.root().to_string_lossy().into_owned();
        fs::create_dir_all(root.path("conf.d")).unwrap();
        fs::create_dir_all(root.path("logs")).unwrap();
        for (index, part) in text.split("\n---\n").enumerate() {
            let name = if index == 0 { "root.conf".to_string() } else { format!("conf.d/{index}.conf") };
            root.write(&name, part.replace("{head}\n", TWIN_HEAD).replace("{root}", &place));
        }
        let daemon = launch(&self.program, &root, "output");
        let mut own = Twin { program: self.program.clone(), root, daemon };
        wait_until("it runs or has ended", PATIENCE, || {
            own.log().contains("supervisord started with pid") || !own.daemon.is_running()
        });
        let mut seen = String::new();
        if own.daemon.is_running() {
            for step in steps.split("\n> ").map(str::trim_end).filter(|step| !step.is_empty()) {
                seen += &format!("> {step}\n{}\n", own.step(step, 0));
            }
            // Else it is on its way down already.
            if !steps.contains("shutdown") {
                own.daemon.signal(libc::SIGTERM);
            }
        }
        let code = own.daemon.wait(PATIENCE).and_then(|status| status.code());
        let error: String =
            own.daemon.log().lines().filter(|line| line.starts_with("Error: ")).map(str::to_string).collect();
        seen += &format!("{}\nstatus {code:?}\n{}", error.replace(&place, "{root}"), own.lines(0));
        seen
    }

    /// A text for parsers as the new configuration of this daemon: `--- name` before each file but the first.
    pub fn reread(&mut self, text: &str) -> String {
        let place = self.root.root().to_string_lossy().into_owned();
        for (index, file) in text.split("\n--- ").enumerate() {
            let (name, text) = if index == 0 { ("root.conf", file) } else { file.split_once('\n').unwrap() };
            let needs_head = index == 0 && !text.contains("[supervisord") && !text.contains("@BARE@");
            let head = if needs_head { "[supervisord]\n" } else { "" };
            let text = [head, text].concat().replace("@BARE@", "").replace("@DIR@", &place);
            let text =
                text.replace("@CR@", "\r").replace("@BOM@", "\u{feff}").replace("@TAB@", "\t").replace("@BLANK@", " ");
            let parts: Vec<&[u8]> = text.split("@FF@").map(str::as_bytes).collect();
            self.root.write(name, parts.join(&b"\xff"[..]));
        }
        let reread = ask(&self.root, "supervisor.reloadConfig", &[]);
        let mut seen = format!("reloadConfig: {}\n", self.shown_ref(&reread));
        let known = ask(&self.root, "supervisor.getAllConfigInfo", &[]);
        let known = known.as_ref().map_or_else(Clone::clone, shown::configurations);
        seen += &known.replace(&place, "{root}");
        seen += "\n";
        for group in named(&reread, ADDED) {
            seen += &format!("add {group}: {}\n", self.call("addProcessGroup", &[&group]));
        }
        seen += &self.processes();
        self.forget();
        seen
    }

    fn shown_ref(&self, answer: &Result<MethodResponse, String>) -> String {
        let text = answer.as_ref().map_or_else(Clone::clone, shown::answer);
        text.replace(&*self.root.root().to_string_lossy(), "{root}")
    }

    /// The names and the logs of all; how they are is chance here.
    fn processes(&self) -> String {
        let Ok(MethodResponse::Value(all)) = ask(&self.root, "supervisor.getAllProcessInfo", &[]) else {
            return String::new();
        };
        let field = |one: &Value, name: &str| one.get(name).and_then(Value::as_text).unwrap_or_default().to_string();
        let line = |one: &Value| {
            let fields = ["group", "name", "logfile", "stderr_logfile"].map(|name| shown::plain(&field(one, name)));
            format!("process {}\n", fields.join(" "))
        };
        let text: String = all.as_array().unwrap_or_default().iter().map(line).collect();
        text.replace(&*self.root.root().to_string_lossy(), "{root}")
    }
}

/// The groups in one of the three lists of reloadConfig.
fn named(answer: &Result<MethodResponse, String>, list: usize) -> Vec<String> {
    let Ok(MethodResponse::Value(value)) = answer else { return Vec::new() };
    let lists = value.as_array().and_then(|outer| outer.first()).and_then(Value::as_array);
    let names = lists.and_then(|lists| lists.get(list)).and_then(Value::as_array).unwrap_or_default();
    names.iter().filter_map(|name| name.as_text().map(str::to_string)).collect()
}

fn launch(program: &Path, root: &Scratch, name: &str) -> Background {
    let mut command = Command::new(program);
    command.args(["-n", "-c"]).arg(root.path("root.conf")).current_dir(root.root());
    let variables = [("LC_ALL", "C.UTF-8"), ("TZ", "UTC"), ("COLOUR", "red"), ("PERCENT", "50%")];
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/root").envs(variables);
    Background::start(&mut command, root, name)
}

fn ask(root: &Scratch, method: &str, params: &[Param<'_>]) -> Result<MethodResponse, String> {
    call(&root.path("s.sock"), method, params, PATIENCE)
}
