//! gmq on the disk under test, and an app that uses it.

use super::agent::Agent;
use super::boot::{Boot, Source};
use crate::trouble::{Doing, Outcome};
use gwe_tests::harness::{Background, Scratch};
use gwe_tests::murano::client::{Client, Sent};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Small, so that the work goes through many segments.
const CFG: &str = "[unq]\nbatch_record_period = 0\nbatch_qty = 100\n[db]\nmax_bytes = 1572864\n";
const START_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// A running gmq.
#[derive(Debug)]
pub struct Queue {
    server: Background,
    client: Client,
    _agent: Agent,
    _logs: Scratch,
    _boot: Boot,
}

impl Queue {
    /// Starts it on the gateway whose disk is mounted at `root`, for a platform at `url`.
    pub fn start(root: &Path, url: &str) -> Outcome<Queue> {
        let boot = Boot::up(root, &Source::DeviceApi(url.to_string()), None)?;
        let cfg = root.join("etc/gwe/gmq.cfg");
        fs::write(&cfg, CFG).doing("write", &cfg)?;
        let (agent, logs) = (Agent::on(root)?, Scratch::new());
        let mut server = Background::start(&mut agent.command("gmq", &["--port", "0"]), &logs, "gmq");
        let port = boot.volatile("gwe/gmq.port");
        let until = Instant::now() + START_LIMIT;
        let port = loop {
            if let Some(port) = fs::read_to_string(&port).ok().filter(|text| !text.is_empty()) {
                break port;
            }
            if Instant::now() > until || !server.is_running() {
                return Err(format!("gmq does not listen: {}", server.log()));
            }
            thread::sleep(POLL);
        };
        let client = Client::new(&format!("http://127.0.0.1:{}", port.trim())).map_err(|error| error.to_string())?;
        Ok(Queue { server, client, _agent: agent, _logs: logs, _boot: boot })
    }

    /// A request of the device `p p <serial>`; it must be accepted.
    pub fn post(&self, serial: &str, target: &str, body: &str) -> Outcome<()> {
        let headers = [("X-Exosite-VMS", format!("p p {serial}"))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let reply = self.client.send("POST", target, &headers, Sent::Bytes(body.as_bytes()));
        match reply {
            Ok(reply) if reply.status == 204 => Ok(()),
            Ok(reply) => Err(format!("{} {}", reply.status, reply.text())),
            Err(error) => Err(format!("{error}: {}", self.server.log())),
        }
    }

    /// How many points wait.
    pub fn queued(&self) -> Outcome<u64> {
        let reply = self.client.get("/status").map_err(|error| format!("{error}: {}", self.server.log()))?;
        let status: serde_json::Value = serde_json::from_str(&reply.text()).map_err(|error| error.to_string())?;
        status["queued"].as_u64().ok_or(format!("no status: {status}"))
    }

    /// Waits until no more than so many points wait; whether that came about.
    pub fn drains_within(&self, limit: Duration, rest: u64) -> Outcome<bool> {
        let until = Instant::now() + limit;
        while self.queued()? > rest {
            if Instant::now() > until {
                return Ok(false);
            }
            thread::sleep(POLL);
        }
        Ok(true)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.server.kill();
    }
}
