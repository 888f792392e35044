//! `gwe --status`: identity, activation, last check-in, pending installs, apps; for a person or as JSON.

use miniserde::{json, Serialize};

use super::operator;
use crate::config::{Config, VERSION};
use crate::engine::last::{self, Last};
use crate::engine::{facts, source};
use crate::format::utc;
use crate::http::month::Budget;
use crate::install::agent::Agents;
use crate::install::gateway::Gateway;
use crate::install::journal::{self, Journal};
use crate::install::security::SecurityEvent;
use crate::install::{key_set, own_options, security, trust, waiting};
use crate::report::engine_report::AppFacts;
use crate::supervisor::Supervisor;
use crate::sys::log;

#[derive(Serialize)]
struct GatewayStatus {
    version: String,
    resident: String,
    on_trial: Option<String>,
    dropped: Option<String>,
    vendor: String,
    model: String,
    serial: String,
    problem: Option<String>,
    settings: Vec<String>,
    server: String,
    backend: String,
    controller_id: Option<String>,
    activated: bool,
    cik: Option<String>,
    update_interval: u64,
    last_check_in: Option<Last>,
    signatures: String,
    trusted_keys: Vec<String>,
    key_set: Option<u64>,
    security_events: Vec<SecurityEvent>,
    pending: Vec<Pending>,
    apps: Vec<StatusApp>,
    hosting: Option<String>,
    month: Option<Month>,
}

#[derive(Serialize)]
struct Month {
    name: Option<String>,
    used: u64,
    limit: u64,
}

#[derive(Serialize)]
struct Pending {
    tarball: String,
    state: String,
    received: u64,
    size: Option<u64>,
    waits_for: Option<String>,
}

#[derive(Serialize)]
struct StatusApp {
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

/// The status as people read it.
#[must_use]
pub fn for_people(config: &Config) -> String {
    text(&gather(config))
}

fn gather(config: &Config) -> GatewayStatus {
    let supervisor = Supervisor::new(config.supervisor_socket());
    let gateway = Gateway::load(config, &supervisor);
    let identity = source::identity(config);
    let keys = trust::keys(config);
    let agents = Agents::load(config.paths());
    let journal = Journal::read(&journal::path(&config.paths().state()));
    let pending = journal.jobs.iter().map(|job| Pending {
        tarball: job.name.to_string(),
        state: job.state_name().to_string(),
        received: job.received,
        size: job.content.map(|content| content.size),
        waits_for: job.waits_for().filter(|_| job.is_waiting()).map(|reason| waiting::object(reason, config)),
    });
    GatewayStatus {
        version: VERSION.to_string(),
        resident: agents.resident().map_or_else(|| "image".to_string(), |version| version.version.clone()),
        on_trial: agents.current.as_ref().filter(|_| agents.trial).map(|version| version.version.clone()),
        dropped: agents.dropped.as_ref().map(|dropped| format!("v{}: {}", dropped.version.version, dropped.why)),
        vendor: config.vendor().to_string(),
        model: config.model().to_string(),
        serial: identity.as_ref().map_or_else(|_| config.uuid().to_string(), |identity| identity.serial.clone()),
        problem: identity.err().map(|missing| missing.to_string()),
        settings: operator::problems(config),
        server: source::server(config),
        backend: source::name(config).to_string(),
        controller_id: config.ddi().ok().filter(|_| config.is_ddi()).map(|ddi| ddi.id),
        activated: config.cik().is_some(),
        // Masked: the status is what people paste into tickets.
        cik: config.cik().map(|cik| cik.to_string()),
        update_interval: config.check_in_interval().as_secs(),
        last_check_in: last::load(config.paths()),
        signatures: keys.summary(),
        trusted_keys: keys.names(),
        key_set: key_set::in_force(config.paths()).ok().flatten().map(|in_force| in_force.set.version),
        security_events: security::events(config.paths()),
        pending: pending.collect(),
        apps: facts::apps(&gateway).into_iter().map(app).collect(),
        hosting: own_options::in_vain(&gateway),
        month: Budget::of(config).map(|budget| month(&budget)),
    }
}

fn month(budget: &Budget) -> Month {
    let account = budget.account();
    let name = (account.month != 0).then(|| format!("{:04}-{:02}", account.month / 100, account.month % 100));
    Month { name, used: account.used, limit: budget.limit }
}

fn app(facts: AppFacts) -> StatusApp {
    let process = facts.process();
    StatusApp {
        status: process.status,
        name: facts.name,
        version: facts.version,
        pid: process.pid,
        uptime: process.uptime_s,
        rss_kb: facts.rss_kb,
        note: facts.note,
    }
}

fn text(status: &GatewayStatus) -> String {
    let mut out = "Gateway\n".to_string();
    // What comes from servers and files may hold anything.
    let mut line = |name: &str, value: &str| out.push_str(&format!("  {name:<16}{}\n", log::one_line(value)));
    let or_not_set = |text: &str| if text.is_empty() { "not set".to_string() } else { text.to_string() };
    line("agent", &agent(status));
    line("product id", &or_not_set(&status.vendor));
    if status.model != status.vendor {
        line("model", &or_not_set(&status.model));
    }
    line("serial number", &or_not_set(&status.serial));
    line("server", &or_not_set(&status.server));
    if let Some(id) = &status.controller_id {
        line("orders from", &format!("hawkBit, as {id}"));
    }
    line("activated", &status.cik.as_ref().map_or("no".to_string(), |cik| format!("yes, as {cik}")));
    if let Some(problem) = &status.problem {
        line("to do", problem);
    }
    for problem in &status.settings {
        line("to put right", problem);
    }
    line("checks in", &format!("every {} s", status.update_interval));
    let last = status.last_check_in.as_ref();
    line(
        "last check-in",
        &last.map_or("none since boot".to_string(), |last| {
            format!("{}: {}{}", utc::date(last.time), if last.ok { "" } else { "failed: " }, last.message)
        }),
    );
    line("packages", &status.signatures);
    for key in &status.trusted_keys {
        line("trusted key", key);
    }
    if let Some(version) = &status.key_set {
        line("set of keys", &format!("v{version}"));
    }
    if !status.security_events.is_empty() {
        line("security events", &format!("{} kept, see --json", status.security_events.len()));
    }
    if let Some(month) = &status.month {
        let name = month.name.as_deref().unwrap_or("no clock is known");
        line("this month", &format!("{} of {} bytes ({name})", month.used, month.limit));
    }
    if let Some(hosting) = &status.hosting {
        line("hosting", hosting);
    }
    if !status.pending.is_empty() {
        out.push_str("\nPending installs\n");
        out.push_str(&table(status.pending.iter().map(pending_row).collect()));
    }
    out.push_str("\nApps\n");
    let head = ["NAME", "VERSION", "STATUS", "PID", "UPTIME", "MEMORY", ""].map(str::to_string).to_vec();
    out.push_str(&table(std::iter::once(head).chain(status.apps.iter().map(app_row)).collect()));
    out
}

fn agent(status: &GatewayStatus) -> String {
    let mut out = format!("v{}", status.version);
    if status.resident != "image" {
        out.push_str(&format!(", came over the air: v{}", status.resident));
    }
    if let Some(trial) = &status.on_trial {
        out.push_str(&format!(", on trial: v{trial}"));
    }
    if let Some(dropped) = &status.dropped {
        out.push_str(&format!(", dropped {dropped}"));
    }
    out
}

fn pending_row(pending: &Pending) -> Vec<String> {
    let received = match (pending.size, &pending.waits_for) {
        (_, Some(object)) => ["waits for ", object].concat(),
        (Some(size), None) => format!("{} of {size} bytes", pending.received),
        (None, None) => String::new(),
    };
    vec![pending.tarball.clone(), pending.state.clone(), received]
}

fn app_row(app: &StatusApp) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_string());
    vec![
        app.name.clone(),
        or_dash(app.version.clone()),
        app.status.clone(),
        or_dash(app.pid.map(|pid| pid.to_string())),
        or_dash(app.pid.map(|_| utc::duration(app.uptime))),
        or_dash(app.rss_kb.map(|kb| format!("{kb} kB"))),
        app.note.clone().unwrap_or_default(),
    ]
}

/// Rows in columns, two blanks apart.
fn table(mut rows: Vec<Vec<String>>) -> String {
    for cell in rows.iter_mut().flatten() {
        *cell = log::one_line(cell);
    }
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        for (index, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(index) {
                Some(known) => *known = width.max(*known),
                None => widths.push(width),
            }
        }
    }
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str("  ");
            line.push_str(cell);
            line.extend(std::iter::repeat(' ').take(width - cell.chars().count()));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
