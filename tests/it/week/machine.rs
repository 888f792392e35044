//! The gateway: an image as `make install` makes it, under supervisord with the configuration that it ships, booted and cut off.

use gwe::supervisor::{Process, ProcessState, Supervisor};
use gwe_tests::harness::{
    agent_binary, run, start_process, wait_for, wait_until, Murano, Site, Supervisord, PATIENCE, SN,
};
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// The longest check-in: a stall is noticed within a minute, a download is tried a few times.
const LONGEST: Duration = Duration::from_secs(300);
/// So old is an engine that minds its signals.
const YOUNG: Duration = Duration::from_millis(500);
/// A check-in every ten minutes, which the simulation does not wait for.
const INTERVAL: &str = "UPDATE_INTERVAL=600";

const SOCKET: &str = "run/supervisor.sock";

/// A booted gateway, and the platform that it talks to.
pub struct Machine {
    /// Both, and supervisord.
    pub site: Site,
    supervisor: Supervisor<'static>,
    /// The engine's process as last known, and since when.
    engine: Cell<(u32, Instant)>,
}

impl Machine {
    /// Makes the image, and boots it. `None`, and said so, where there is no supervisord or no make.
    pub fn boot() -> Option<Machine> {
        let has_make = Command::new("make").arg("--version").output().is_ok();
        let supervisord = if has_make { Supervisord::find().map(drop) } else { Err("needs make".to_string()) };
        supervisord.map_err(|why| gwe_tests::harness::announce_skip(&why)).ok()?;
        let site = Site::of(Murano::start());
        install(&site);
        let supervisor = Supervisor::new(site.gateway.root().path(SOCKET));
        let mut machine = Machine { site, supervisor, engine: Cell::new((0, Instant::now())) };
        machine.up();
        Some(machine)
    }

    /// What the init script does.
    fn up(&mut self) {
        let root = self.site.gateway.root();
        let mut prepare = Command::new(root.path("usr/libexec/gwe/prepare"));
        run(prepare.env("GWE_ROOT", root.root()).env("GWE_SERIAL", "file:/etc/serial"), PATIENCE).ok();
        self.site.supervisord = Some(Supervisord::start(root, &root.read("etc/gwe/supervisord.conf")));
    }

    /// Ends every process at once, empties the volatile folder, and boots.
    pub fn cut_power(&mut self) {
        if let Some(supervisord) = &mut self.site.supervisord {
            supervisord.process().kill();
        }
        let root = self.site.gateway.root();
        wait_until("everything to be dead", PATIENCE, || {
            let left = alive(root.root());
            left.iter().for_each(|pid| signal(*pid, libc::SIGKILL));
            left.is_empty()
        });
        for entry in fs::read_dir(root.path("run")).expect("the folder is there").flatten() {
            let path = entry.path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.unwrap_or_else(|error| panic!("cannot remove {}: {error}", path.display()));
        }
        self.up();
    }

    /// All that supervisord hosts.
    pub fn hosted(&self) -> Vec<Process> {
        wait_for("supervisord", PATIENCE, || self.supervisor.processes().ok())
    }

    /// The process of a program that has only one, and is up.
    pub fn pid(&self, program: &str) -> u32 {
        wait_for(&format!("{program} to be up"), PATIENCE, || {
            let hosted = self.hosted();
            hosted.iter().find(|process| process.group == program).map(|process| process.pid).filter(|pid| *pid > 0)
        })
    }

    /// The same of supervisord itself.
    pub fn supervisord_pid(&mut self) -> u32 {
        self.site.supervisord.as_mut().expect("the gateway is up").process().pid()
    }

    /// SIGKILL, and another process in its place.
    pub fn kill(&self, program: &str) {
        let before = self.pid(program);
        signal(before, libc::SIGKILL);
        wait_until("another process", PATIENCE, || self.pid(program) != before);
    }

    /// What `supervisorctl restart` does.
    pub fn restart(&self, program: &str) {
        wait_until("the stop", PATIENCE, || {
            let state = self.hosted().iter().find(|process| process.group == program).map(|process| process.state);
            // One that ended by itself a moment ago is started first, and then stopped.
            if !matches!(state, Some(ProcessState::Stopped | ProcessState::Stopping)) {
                self.supervisor.stop(program).expect("supervisord stops it");
            }
            state == Some(ProcessState::Stopped)
        });
        start_process(&self.site.gateway.root().path(SOCKET), program);
    }

    /// Has the engine check in now, and waits for the end of it.
    pub fn check_in(&self, what: &str) {
        let (before, begun) = (self.last_check_in(), Instant::now());
        let mut asked = None::<Instant>;
        while self.last_check_in() == before {
            assert!(begun.elapsed() < LONGEST, "{what}: the check-in has no end\n{}", self.log_tail());
            // One that comes while a check-in runs is not heard.
            if asked.is_none_or(|asked| asked.elapsed() > Duration::from_millis(50)) {
                self.hurry();
                asked = Some(Instant::now());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// SIGHUP to the engine, but not in its first moments, in which that would end it.
    fn hurry(&self) {
        let (pid, since) = self.engine.get();
        if !is_of(pid, &mark(self.site.gateway.root().root())) {
            self.engine.set((self.pid("gwe"), Instant::now()));
        } else if since.elapsed() > YOUNG {
            signal(pid, libc::SIGHUP);
        }
    }

    /// When the last check-in ended.
    fn last_check_in(&self) -> Option<SystemTime> {
        fs::metadata(self.site.gateway.root().path("run/gwe/last_check_in.json")).and_then(|meta| meta.modified()).ok()
    }

    /// The end of the engine's log.
    pub fn log_tail(&self) -> String {
        let log = self.site.gateway.root().read("var/log/gwe.log");
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

/// The image's files, with every path below the gateway's root.
fn install(site: &Site) {
    let root = site.gateway.root();
    for folder in ["run", "var/log", "etc"] {
        fs::create_dir_all(root.path(folder)).expect("a folder can be made");
    }
    symlink("../run", root.path("var/run")).expect("a link can be made");
    root.write("etc/serial", SN);
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut make = Command::new("make");
    make.args([
        "--silent",
        "install",
        "PREFIX=/usr",
        "INIT=none",
        "DOCS=no",
        "PRODUCT_ID=p",
        "SERIAL=file:/etc/serial",
    ]);
    make.arg(INTERVAL).arg(format!("SERVER={}", site.murano.url()));
    make.arg(format!("DESTDIR={}", root.root().display())).arg(format!("BINARY={}", agent_binary().display()));
    // What this test's own make was given is not for that one.
    make.env_remove("MAKEFLAGS").env_remove("MAKEOVERRIDES").current_dir(project);
    run(&mut make, PATIENCE).ok();
    // Quick to settle, and never the one who sets this machine's clock.
    let settings = root.read("etc/gwe/Engine.config").replace("[engine]\n", "[engine]\nkeep_clock = no\n");
    root.write("etc/gwe/Engine.config", settings + "\n[install]\nsettle = 1\n");
    root.write("etc/gwe/gmq.cfg", "[unq]\nbatch_record_period = 0.2\n[http]\nport = 0\n");
    for conf in ["supervisord.conf", "supervisor.d/gwe.conf", "supervisor.d/gmq.conf"] {
        let conf = format!("etc/gwe/{conf}");
        let text = ["/var/", "/etc/", "/usr/"]
            .iter()
            .fold(root.read(&conf), |text, folder| text.replace(folder, &format!("{{root}}{folder}")));
        // Who is not root cannot become it.
        let text = text.replace("user = root\n", "");
        let environment = "[supervisord]\nenvironment = GWE_ROOT=\"{root}\"\n";
        let text = text.replace("[supervisord]\n", environment);
        root.write(&conf, text.replace("{root}", &root.root().to_string_lossy()));
    }
}

/// Every process of the gateway below this root.
fn alive(root: &Path) -> Vec<u32> {
    let mark = mark(root);
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_of(*pid, &mark)).collect()
}

/// What every process of a gateway has in its environment.
fn mark(root: &Path) -> Vec<u8> {
    format!("GWE_ROOT={}", root.display()).into_bytes()
}

fn is_of(pid: u32, mark: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark)
}

fn signal(pid: u32, number: i32) {
    // SAFETY: kill(2) touches no memory; the process is of this test's gateway.
    unsafe { libc::kill(pid as i32, number) };
}
