//! A site: a local cloud, a gateway that talks to it, and the supervisord that hosts the gateway's apps.

use super::background::Background;
use super::command::Ran;
use super::gateway::{agent_binary, Gateway};
use super::murano::Murano;
use super::supervisord::Supervisord;
use super::tarball::Tarball;
use super::wait::{wait_for, wait_until};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

/// The gateway's serial number.
pub const SN: &str = "site-1";
/// What a test waits for at the most, unless it says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// A check-in has limits of its own, which tests look at; this one ends what hangs. On a machine that is starved of processors an install took
/// longer than a minute, and was cut off in the middle of its settling.
const CHECK_IN: Duration = Duration::from_secs(300);

/// A cloud, a gateway and, where a test wants one, a supervisord. The gateway is quick: a settling time of a second, an update
/// interval of one, and it logs every step.
#[derive(Debug)]
pub struct Site {
    /// Ended before what it hosts loses its folder.
    pub supervisord: Option<Supervisord>,
    /// The cloud.
    pub murano: Murano,
    /// The gateway.
    pub gateway: Gateway,
    options: Vec<(&'static str, &'static str, String)>,
}

impl Site {
    /// Without supervisord: for what brings no `supervisor.conf`.
    #[track_caller]
    #[allow(clippy::new_without_default, reason = "it does I/O")]
    pub fn new() -> Site {
        Site::of(Murano::start())
    }

    /// The same with a cloud of other options.
    #[track_caller]
    pub fn of(murano: Murano) -> Site {
        let url = murano.url();
        let mut site = Site { supervisord: None, murano, gateway: Gateway::new(), options: Vec::new() };
        site.gateway.root().write("etc/gwe/Gateway.cfg", format!("[device]\nmodel = p\nvendor = p\nuuid = {SN}\n"));
        for (section, key, value) in [
            ("engine", "server", url.as_str()),
            ("engine", "update_interval", "1"),
            ("engine", "activation_retry_interval", "1"),
            ("engine", "log_level", "DEBUG"),
            ("engine", "keep_clock", "no"),
            ("supervisor", "socket", "/supervisor.sock"),
            ("install", "settle", "1"),
            ("install", "timeout", "20"),
        ] {
            site.set(section, key, value);
        }
        site
    }

    /// With supervisord; `None`, and said so, where there is none.
    #[track_caller]
    pub fn hosted() -> Option<Site> {
        let mut site = Site::new();
        site.host().then_some(site)
    }

    /// Starts a supervisord for the gateway's apps, or says why there is none.
    #[track_caller]
    pub fn host(&mut self) -> bool {
        self.host_with("")
    }

    /// The same, with more text in its configuration, in which `{root}` stands for the gateway's root.
    #[track_caller]
    pub fn host_with(&mut self, more: &str) -> bool {
        if let Err(why) = Supervisord::find() {
            super::announce_skip(&why);
            return false;
        }
        let config = Supervisord::plain_config().replace("/conf.d/", "/var/lib/gwe/supervisor.d/") + more;
        self.supervisord = Some(Supervisord::start(self.gateway.root(), &config));
        true
    }

    /// Puts the image's `gwe`, `gmq` and `gdc` into `usr/bin`, and makes the folder of the logs.
    #[track_caller]
    pub fn bring_programs(&self) {
        let root = self.gateway.root();
        for folder in ["usr/bin", "var/log"] {
            fs::create_dir_all(root.path(folder)).expect("a scratch folder takes folders");
        }
        fs::copy(agent_binary(), root.path("usr/bin/gwe")).expect("the agent can be copied");
        for name in ["gmq", "gdc"] {
            symlink("gwe", root.path("usr/bin").join(name)).expect("a scratch folder takes links");
        }
    }

    /// Sets one of the image's factory settings.
    #[track_caller]
    pub fn set(&mut self, section: &'static str, key: &'static str, value: &str) {
        self.options.retain(|(s, k, _)| (*s, *k) != (section, key));
        self.options.push((section, key, value.to_string()));
        self.options.sort_by_key(|(section, ..)| *section);
        let mut text = String::new();
        let mut last = "";
        for (section, key, value) in &self.options {
            if *section != last {
                let _ = writeln!(text, "[{section}]");
                last = section;
            }
            let _ = writeln!(text, "{key} = {value}");
        }
        self.gateway.root().write("etc/gwe/Engine.config", text);
    }

    /// Uploads a tarball under its own name.
    #[track_caller]
    pub fn upload(&self, name: &str, tarball: &Tarball) {
        self.murano.upload(name, &tarball.bytes());
    }

    /// Tells the gateway to install these.
    #[track_caller]
    pub fn order(&self, names: &[&str]) {
        let entries: Vec<String> = names.iter().map(|name| format!(r#"{{"name": "{name}"}}"#)).collect();
        self.murano.write(SN, "engine_fetch", &format!(r#"{{"install": [{}]}}"#, entries.join(", ")));
    }

    /// Uploads and orders.
    #[track_caller]
    pub fn deploy(&self, name: &str, tarball: &Tarball) {
        self.upload(name, tarball);
        self.order(&[name]);
    }

    /// One check-in, whatever comes of it.
    #[track_caller]
    pub fn check_in(&self) -> Ran {
        super::run(self.gateway.command("gwe").arg("--once"), CHECK_IN)
    }

    /// Uploads, orders, checks in, and gives `fetch_status` with its times replaced by `N`.
    #[track_caller]
    pub fn install(&self, name: &str, tarball: &Tarball) -> String {
        self.deploy(name, tarball);
        let ran = self.check_in();
        let status = self.fetch_status();
        assert!(!status.is_empty() && !ran.timed_out, "fetch_status: '{status}'\n{}", ran.report());
        status
    }

    /// The gateway's engine beside the test.
    #[track_caller]
    pub fn start_engine(&self) -> Background {
        self.gateway.start("gwe", &[])
    }

    /// `fetch_status` with its times replaced by `N`; empty where there is none.
    #[track_caller]
    pub fn fetch_status(&self) -> String {
        without_times(&self.murano.read(SN, "fetch_status").unwrap_or_default())
    }

    /// Every `fetch_status` so far.
    #[track_caller]
    pub fn reports(&self) -> Vec<String> {
        self.murano.history(SN, "fetch_status").iter().map(|text| without_times(text)).collect()
    }

    /// Waits until `fetch_status` has this text in it, and gives the whole of it.
    #[track_caller]
    pub fn await_status(&self, wanted: &str) -> String {
        let begun = std::time::Instant::now();
        loop {
            let status = self.fetch_status();
            if status.contains(wanted) {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "waited in vain for '{wanted}' in fetch_status, which is '{status}'");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What `engine_report` says of an app, or null.
    #[track_caller]
    pub fn reported(&self, app: &str) -> Value {
        let report = self.murano.read(SN, "engine_report").unwrap_or_default();
        let report: Value = serde_json::from_str(&report).unwrap_or_else(|e| panic!("{e}: {report}"));
        let apps = report["apps"].as_array().cloned().unwrap_or_default();
        apps.into_iter().find_map(|entry| entry.get(app).cloned()).unwrap_or(Value::Null)
    }

    /// Everything below the gateway's root but what the supervisord of the test, logs and /run hold.
    pub fn tree(&self) -> Vec<String> {
        let mut tree = self.gateway.root().tree("");
        tree.retain(|path| {
            !path.starts_with("run/") && !path.starts_with("var/log/") && !path.starts_with("supervisor")
        });
        tree
    }

    /// Whether it is Python's supervisord that hosts.
    pub fn hosts_by_python(&self) -> bool {
        Supervisord::find().is_ok_and(|path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"#!")))
    }

    /// What supervisorctl says of an app: a line for each process.
    #[track_caller]
    pub fn ctl_status(&self, app: &str) -> String {
        self.supervisord.as_ref().expect("a supervisord").ctl(&["status", app]).stdout
    }

    /// The pid of an app's only process.
    #[track_caller]
    pub fn pid(&self, app: &str) -> u32 {
        wait_for(&format!("{app} to be up"), PATIENCE, || {
            let status = self.ctl_status(app);
            status.split_once("pid ")?.1.split_once(',')?.0.parse().ok()
        })
    }

    /// Waits until supervisorctl's line of an app has this text in it.
    #[track_caller]
    pub fn await_ctl(&self, app: &str, wanted: &str) {
        wait_until(&format!("{app} {wanted}"), PATIENCE, || self.ctl_status(app).contains(wanted));
    }
}

/// Ends the gateway's apps before supervisord, which takes a second for each.
impl Drop for Site {
    fn drop(&mut self) {
        if let Some(supervisord) = &self.supervisord {
            let _ = fs::remove_dir_all(self.gateway.root().path("var/lib/gwe/supervisor.d"));
            if !std::thread::panicking() {
                supervisord.ctl(&["stop", "all"]);
            }
        }
    }
}

/// `in 3.2 s` becomes `in N s`.
fn without_times(text: &str) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        match line.trim_end().strip_suffix(" s").and_then(|rest| rest.rsplit_once(" in ")) {
            Some((head, time)) if line.starts_with("[gwe] ") && time.parse::<f64>().is_ok() => {
                let _ = writeln!(out, "{head} in N s");
            }
            _ => out.push_str(line),
        }
    }
    out
}

/// A long-running app: a `worker` of its own, which is a real binary, and a greeting in its log.
pub fn worker_app(greeting: &str) -> Tarball {
    let sleep = std::fs::read("/bin/sleep").or_else(|_| std::fs::read("/usr/bin/sleep")).expect("there is a sleep");
    Tarball::app(&format!("echo install {greeting}"))
        .file("worker", 0o755, sleep)
        .file("run.sh", 0o755, format!("#!/bin/sh\necho {greeting}\nexec ./worker 600\n"))
        .file("supervisor.conf", 0o644, "[supervisord]\ncommand = ./run.sh\nstartsecs = 1\n")
}

/// An app whose program is this script, run by supervisord; `install.sh` does nothing.
pub fn scripted_app(script: &str, options: &str) -> Tarball {
    Tarball::app("true").file("run.sh", 0o755, format!("#!/bin/sh\n{script}\n")).file(
        "supervisor.conf",
        0o644,
        format!("[supervisord]\ncommand = ./run.sh\n{options}\n"),
    )
}
