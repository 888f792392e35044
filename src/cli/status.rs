//! `gwe --status`: identity, activation, last check-in, pending installs, apps; for a person or as JSON.

use miniserde::{json, Serialize};

use super::operator;
use crate::app::TrustedKeys;
use crate::config::{Config, Identity, VERSION};
use crate::engine::facts;
use crate::engine::last::{self, Last};
use crate::install::agent::Agents;
use crate::install::steps::Gateway;
use crate::report::engine_report::AppFacts;
use crate::supervisor::Supervisor;

#[derive(Serialize)]
struct Status {
    version: String,
    resident: String,
    vendor: String,
    model: String,
    serial: String,
    problem: Option<String>,
    server: String,
    activated: bool,
    cik: Option<String>,
    update_interval: u64,
    last_check_in: Option<Last>,
    signatures: String,
    trusted_keys: Vec<String>,
    pending: Vec<Pending>,
    apps: Vec<App>,
}

#[derive(Serialize)]
struct Pending {
    tarball: String,
    state: String,
    received: u64,
    size: Option<u64>,
}

#[derive(Serialize)]
struct App {
    name: String,
    version: Option<String>,
    status: String,
    pid: Option<u32>,
    uptime: u64,
    rss_kb: Option<u64>,
    note: Option<String>,
}

/// Prints the status.
#[must_use]
pub fn print(config: &Config, as_json: bool) -> u8 {
    let status = gather(config);
    operator::print(&if as_json { json::to_string(&status) + "\n" } else { text(&status) })
}

fn gather(config: &Config) -> Status {
    let supervisor = Supervisor::new(config.supervisor_socket());
    let gateway = Gateway::load(config, &supervisor);
    let identity = Identity::of(config);
    let keys = TrustedKeys::load(&config.paths().trusted_keys());
    let agents = Agents::load(config.paths());
    let pending = gateway.journal.jobs.iter().map(|job| Pending {
        tarball: job.name.clone(),
        state: job.state.name().to_string(),
        received: job.received,
        size: job.content.map(|content| content.size),
    });
    Status {
        version: VERSION.to_string(),
        resident: agents.resident().map_or_else(|| "image".to_string(), |version| version.version.clone()),
        vendor: config.vendor().to_string(),
        model: config.model().to_string(),
        serial: identity.as_ref().map_or_else(|_| config.uuid().to_string(), |identity| identity.serial.clone()),
        problem: identity.err().map(|missing| missing.to_string()),
        server: config.server(),
        activated: config.cik().is_some(),
        // Masked: the status is what people paste into tickets.
        cik: config.cik().map(|cik| cik.to_string()),
        update_interval: config.update_interval().as_secs(),
        last_check_in: last::load(config.paths()),
        signatures: keys.summary(),
        trusted_keys: keys.names(),
        pending: pending.collect(),
        apps: facts::apps(&gateway).into_iter().map(app).collect(),
    }
}

fn app(facts: AppFacts) -> App {
    let process = facts.process.unwrap_or_default();
    App {
        status: if process.status.is_empty() { "INSTALLED".to_string() } else { process.status },
        name: facts.name,
        version: facts.version,
        pid: process.pid,
        uptime: process.uptime_s,
        rss_kb: facts.rss_kb,
        note: facts.note,
    }
}

fn text(status: &Status) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        out.push_str(&format!("{name:<16} {value}\n"));
    };
    line("agent", &format!("v{} (resident: {})", status.version, status.resident));
    line("product id", if status.vendor.is_empty() { "not set" } else { &status.vendor });
    line("serial number", if status.serial.is_empty() { "not set" } else { &status.serial });
    if let Some(problem) = &status.problem {
        line("problem", problem);
    }
    line("server", &status.server);
    line("activated", status.cik.as_deref().unwrap_or("no"));
    line("update interval", &format!("{} s", status.update_interval));
    let last = match &status.last_check_in {
        None => "none since boot".to_string(),
        Some(last) => format!("unix time {}: {}", last.time, last.message),
    };
    line("last check-in", &last);
    line("signatures", &status.signatures);
    for pending in &status.pending {
        line("pending", &format!("{} ({})", pending.tarball, pending.state));
    }
    for app in &status.apps {
        let version = app.version.as_ref().map_or(String::new(), |version| format!("v{version} "));
        let note = app.note.as_ref().map_or(String::new(), |note| format!(" ({note})"));
        line("app", &format!("{} {version}{}{note}", app.name, app.status));
    }
    out
}
