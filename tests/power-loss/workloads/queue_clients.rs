//! gmq with several apps at a time and the real server: they send points while the platform is away, then while it is back.
//! Acknowledged is each point that was answered with 204, and what the platform has.

use super::queue_clients_check::QueueClientsChecker;
use super::queue_clients_points::{self as points, device_of, CIK_DEVICE, CLIENTS, VMS_DEVICE};
use crate::gateway::{lay_out, Agent, Boot, Server};
use crate::trouble::{Doing, Outcome};
use crate::witness::{Witness, HORIZON};
use crate::workload::{Checker, Workload};
use gwe_tests::harness::{Background, Murano, Scratch};
use gwe_tests::murano::client::{Client, Sent};
use serde_json::{json, Value};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The CIK that apps name.
pub const CIK: &str = "0123456789abcdef0123456789abcdef01234567";
/// How many points each client sends while the platform is away, while it comes back, and after that.
const AWAY: u64 = 90;
const BACK: u64 = 30;
const AFTER: u64 = 10;
/// How long the start and the forwarding of all may take.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// The workload.
pub struct QueueClients;

impl Workload for QueueClients {
    fn name(&self) -> &'static str {
        "queue-clients"
    }

    /// They mostly wait: for the next upload.
    fn checks_at_a_time(&self) -> u64 {
        8
    }

    fn prepare(&self, root: &Path, notes: &Path) -> Outcome<()> {
        lay_out(root)?;
        let settings = root.join("etc/gwe/gmq.cfg");
        fs::write(&settings, "[unq]\nbatch_record_period = 0.1\nbatch_qty = 20\n").doing("write", &settings)?;
        let server = Server::on(&server_data(notes));
        let is_set = server.murano().server().platform().store.set_cik(CIK_DEVICE, CIK);
        is_set.map(drop).map_err(|error| error.to_string())
    }

    fn work(&self, root: &Path, notes: &Path, witness: &Witness) -> Outcome<()> {
        let server = Server::on_copy(&server_data(notes), &notes.join("server-at-work"))?;
        let server = server.watched(witness, |murano| Platform::now(murano).as_fact())?;
        let _boot = Boot::up(root, &server.source(), None)?;
        server.murano().faults(&["any:refuse"]);
        let mut gmq = Gmq::start(root)?;
        send_all(&gmq, 0..AWAY, witness)?;
        witness.note(HORIZON);
        gmq.process.kill();
        drop(gmq);
        server.murano().clear_faults();
        let gmq = Gmq::start(root)?;
        send_all(&gmq, AWAY..AWAY + BACK, witness)?;
        gmq.await_empty(root)?;
        send_all(&gmq, AWAY + BACK..AWAY + BACK + AFTER, witness)?;
        gmq.await_empty(root)?;
        drop(gmq);
        let data = server.murano().state()["data"].to_string();
        let path = platform_data(notes);
        fs::write(&path, data).doing("write", &path)
    }

    fn checker(&self, notes: &Path) -> Outcome<Box<dyn Checker>> {
        Ok(Box::new(QueueClientsChecker::new(notes)?))
    }
}

/// Where the server's data from before the work is.
pub fn server_data(notes: &Path) -> PathBuf {
    notes.join("server")
}

/// Where all is that the platform had in the end.
pub fn platform_data(notes: &Path) -> PathBuf {
    notes.join("platform.json")
}

/// What the platform has at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Platform {
    /// How many points of each client.
    pub counts: Vec<u64>,
    /// The CIK that it has given to the device that gmq provisions.
    pub cik: Option<String>,
}

impl Platform {
    /// What it has now.
    pub fn now(murano: &Murano) -> Platform {
        let state = murano.state();
        let count = |client| {
            let points = &state["data"][device_of(client)][points::alias(client)];
            points.as_array().map_or(0, |points| points.len() as u64)
        };
        let devices = state["devices"].as_object();
        let cik = devices.and_then(|devices| devices.iter().find(|(_, sn)| *sn == VMS_DEVICE));
        Platform { counts: (0..CLIENTS).map(count).collect(), cik: cik.map(|(cik, _)| cik.clone()) }
    }

    fn as_fact(&self) -> String {
        format!("platform {}", json!({"counts": self.counts, "cik": self.cik}))
    }

    /// What a fact says of it.
    pub fn of_fact(text: &str) -> Option<Platform> {
        let value: Value = serde_json::from_str(text.strip_prefix("platform ")?).ok()?;
        let counts = value["counts"].as_array()?.iter().filter_map(Value::as_u64).collect();
        Some(Platform { counts, cik: value["cik"].as_str().map(str::to_string) })
    }
}

/// A running gmq; it ends when dropped.
pub struct Gmq {
    process: Background,
    url: String,
    _log: Scratch,
}

impl Gmq {
    /// Starts it.
    pub fn start(root: &Path) -> Outcome<Gmq> {
        let log = Scratch::new();
        let mut process = Background::start(&mut Agent::on(root)?.command("gmq", &["--port", "0"]), &log, "gmq");
        let until = Instant::now() + LIMIT;
        loop {
            let text = process.log();
            let url = text.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:"));
            if let Some(url) = url {
                let url = url.to_string();
                return Ok(Gmq { process, url, _log: log });
            }
            if !process.is_running() || Instant::now() > until {
                return Err(format!("gmq did not start\n{}", process.log()));
            }
            thread::sleep(POLL);
        }
    }

    /// Waits until it has nothing left to forward.
    pub fn await_empty(&self, root: &Path) -> Outcome<()> {
        let agent = Agent::on(root)?;
        let until = Instant::now() + LIMIT;
        loop {
            let ran = agent.run("gmq", &["status", "--json"]);
            let status: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
            if status["queued"] == 0 && status["set_aside"] == 0 {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("the queue is not emptied\n{}\n{}", ran.report(), self.process.log()));
            }
            thread::sleep(POLL);
        }
    }

    /// What it has said.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// All clients send their points of these indexes, each one after the other, all at the same time.
fn send_all(gmq: &Gmq, indexes: Range<u64>, witness: &Witness) -> Outcome<()> {
    thread::scope(|scope| {
        let client = |client| {
            let indexes = indexes.clone();
            scope.spawn(move || {
                indexes.into_iter().try_for_each(|index| send(gmq, points::number(client, index), witness))
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().unwrap_or_else(|_| Err("a client panicked".to_string())))
    })
}

fn send(gmq: &Gmq, number: u64, witness: &Witness) -> Outcome<()> {
    let (target, body) = points::request(number);
    let vms = format!("p p {VMS_DEVICE}");
    let identity = match device_of(number % CLIENTS) {
        VMS_DEVICE => ("X-Exosite-VMS", vms.as_str()),
        _ => ("X-Exosite-CIK", CIK),
    };
    let headers = [identity, ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")];
    witness.note(format!("began {number}"));
    let reply =
        Client::new(&gmq.url).and_then(|client| client.send("POST", &target, &headers, Sent::Bytes(body.as_bytes())));
    let reply = reply.map_err(|error| format!("{error}\n{}", gmq.log()))?;
    if reply.status != 204 {
        return Err(format!("{target} was answered with {}: {}", reply.status, reply.text()));
    }
    witness.note(format!("acknowledged {number}"));
    Ok(())
}
