//! A running gmq, and an app that uses it.

use super::background::Background;
use super::command::Ran;
use super::gateway::Gateway;
use super::refusing::refusing;
use super::wait::wait_for;
use crate::murano::client::{Client, Reply, Sent};
use serde_json::Value;
use std::time::Duration;

const START_WAIT: Duration = Duration::from_secs(20);

/// A gateway whose gmq runs on a port that the system picked.
#[derive(Debug)]
pub struct Gmq {
    // Dropped before the gateway's root.
    server: Option<Background>,
    gateway: Gateway,
    port: u16,
    environment: Vec<(String, String)>,
    refused: Option<(libc::c_long, i32)>,
}

impl Gmq {
    /// One that forwards to this server, in batches every 0.2 s.
    #[track_caller]
    pub fn start(server: &str) -> Gmq {
        Gmq::with(server, "[unq]\nbatch_record_period = 0.2\n")
    }

    /// One with this gmq.cfg.
    #[track_caller]
    pub fn with(server: &str, cfg: &str) -> Gmq {
        let mut gmq = Gmq::not_running(server, cfg);
        gmq.run();
        gmq
    }

    /// One that is still to be started with [`Gmq::run`].
    pub fn not_running(server: &str, cfg: &str) -> Gmq {
        let gateway = Gateway::new();
        gateway.root().write("etc/gwe/Engine.config", format!("[engine]\nserver = {server}\n"));
        gateway.root().write("etc/gwe/Gateway.cfg", "[device]\nmodel = p\nvendor = p\nuuid = gateway\n");
        gateway.root().write("etc/gwe/gmq.cfg", cfg);
        Gmq { server: None, gateway, port: 0, environment: Vec::new(), refused: None }
    }

    /// Variables that the server gets from now on.
    pub fn environment(&mut self, variables: &[(&str, &str)]) {
        self.environment.extend(variables.iter().map(|(key, value)| (key.to_string(), value.to_string())));
    }

    /// The kernel refuses the server this system call from now on, with this error.
    pub fn refuse(&mut self, call: libc::c_long, error: i32) {
        self.refused = Some((call, error));
    }

    /// Starts the server, and waits until it listens.
    #[track_caller]
    pub fn run(&mut self) {
        let port = self.gateway.root().path("run/gwe/gmq.port");
        let _ = std::fs::remove_file(&port);
        let mut command = self.gateway.command("gmq");
        command.args(["--port", "0"]).envs(self.environment.iter().map(|(key, value)| (key, value)));
        if let Some((call, error)) = self.refused {
            refusing(&mut command, call, error);
        }
        let mut server = Background::start(&mut command, self.gateway.root(), "gmq");
        self.port = wait_for("gmq listens", START_WAIT, || {
            assert!(server.is_running(), "gmq ended: {}", server.log());
            std::fs::read_to_string(&port).ok()?.trim().parse().ok()
        });
        self.server = Some(server);
    }

    /// The server's process.
    #[track_caller]
    pub fn server(&mut self) -> &mut Background {
        self.server.as_mut().expect("gmq was started")
    }

    /// SIGKILL, to its forwarding processes too: they die with it.
    pub fn kill(&mut self) {
        if let Some(server) = &mut self.server {
            server.kill();
        }
        self.server = None;
    }

    /// SIGTERM, and its end.
    #[track_caller]
    pub fn stop(&mut self) {
        let status = self.server().stop();
        assert!(status.success(), "gmq ended with {status}: {}", self.log());
        self.server = None;
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.server.as_ref().map(Background::log).unwrap_or_default()
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Such as `http://127.0.0.1:40000`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// One request.
    #[track_caller]
    pub fn post(&self, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.try_post(target, headers, body).unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// One request that may fail.
    pub fn try_post(&self, target: &str, headers: &[(&str, &str)], body: &str) -> std::io::Result<Reply> {
        Client::new(&self.url())?.send("POST", target, headers, Sent::Bytes(body.as_bytes()))
    }

    /// A write of the device `p p <sn>`; the answer's status.
    #[track_caller]
    pub fn write(&self, sn: &str, body: &str) -> u16 {
        self.post("/onep:v1/stack/alias", &[("X-Exosite-VMS", &format!("p p {sn}"))], body).status
    }

    /// A record of the device `p p <sn>`; the answer's status.
    #[track_caller]
    pub fn record(&self, sn: &str, alias: &str, body: &str) -> u16 {
        let target = format!("/onep:v1/stack/alias/{alias}");
        self.post(&target, &[("X-Exosite-VMS", &format!("p p {sn}"))], body).status
    }

    /// What `gmq status --json` prints.
    #[track_caller]
    pub fn status(&self) -> Value {
        let ran = self.gateway.gmq(&["status", "--json"]).ok();
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{}", ran.report()))
    }

    /// A number of the status.
    #[track_caller]
    pub fn count(&self, key: &str) -> u64 {
        let status = self.status();
        status[key].as_u64().unwrap_or_else(|| panic!("no number {key} in {status}"))
    }

    /// Waits until nothing is queued: for as long as less and less is, on however busy a machine. Nothing may stand still for `limit`.
    #[track_caller]
    pub fn drained(&self, limit: Duration) {
        let mut left = u64::MAX;
        while left > 0 {
            left = wait_for(&format!("fewer than {left} points in the queue"), limit, || {
                Some(self.count("queued")).filter(|count| *count < left)
            });
        }
    }

    /// Runs a command of gmq.
    #[track_caller]
    pub fn gmq(&self, arguments: &[&str]) -> Ran {
        self.gateway.gmq(arguments)
    }
}
