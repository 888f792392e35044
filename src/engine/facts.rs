//! What the reports tell, gathered from the rooms below.

use super::boots;
use crate::config::{Config, Paths, VERSION};
use crate::http::usage;
use crate::install::agent::{self, Agents};
use crate::install::gateway::Gateway;
use crate::report::{device_info as device, engine_report as engine, usage_report as usage_text};
use crate::supervisor::Process;
use crate::sys::block;
use crate::sys::host;
use crate::sys::process_memory::ProcessTable;
use engine::{AppFacts, ProcessFacts};

/// Programs of the image whose version is the agent's own.
const OWN_PROGRAMS: [&str; 2] = ["gwe", "gmq"];
/// So many that have fallen are attributes: there is room for others beside.
const MAX_FALLEN: usize = 20;

/// The `device_info` of this machine.
#[must_use]
pub fn device_info(paths: &Paths) -> String {
    device::device_info(&device::DeviceFacts {
        boots: boots::now(paths),
        disk: block::disk_under(&paths.state(), &paths.below_root("/sys/dev/block")),
        ..device::DeviceFacts::gather()
    })
}

/// The `usage_report` from the account of requests.
#[must_use]
pub fn usage_report(config: &Config) -> String {
    let rows = usage::read(&config.paths().usage_log()).unwrap_or_else(|e| {
        crate::warning!("{e}; reporting without it");
        Vec::new()
    });
    usage_text::usage_report(&rows)
}

/// The `engine_report`: every app that is installed or that supervisord knows.
#[must_use]
pub fn engine_report(gateway: &Gateway<'_>) -> String {
    engine::engine_report(&apps(gateway))
}

/// The gateway's attributes: what it is, which versions it has, which of them have fallen and how, and nothing that changes all the time.
#[must_use]
pub fn attributes(gateway: &Gateway<'_>, fallen: &[(String, String)]) -> Vec<(String, String)> {
    let config = gateway.config;
    let uname = host::uname().unwrap_or_default();
    let os = host::os_release(&config.paths().below_root("/etc/os-release"));
    let own = |key: &str, value: &str| (key.to_string(), value.to_string());
    // goosebit orders a version until this names it; told of the image's, it orders the same again at each poll.
    let last = gateway.registry.apps.last().map_or(&os.version, |app| &app.version);
    let mut all = vec![
        own("gwe", VERSION),
        own("product", config.vendor()),
        own("hw_boardname", config.model()),
        own("os", &os.name),
        own("os_version", &os.version),
        own("sw_version", last),
        own("kernel", &uname.release),
        own("arch", &uname.machine),
    ];
    let told = fallen.iter().take(MAX_FALLEN);
    all.extend(told.map(|(name, how)| (["fallen.", name].concat(), how.clone())));
    for app in gateway.registry.apps.iter().filter(|app| app.name != agent::APP) {
        all.push((["app.", &app.name].concat(), app.version.clone()));
        all.extend(app.note.as_ref().map(|note| (["note.", &app.name].concat(), note.clone())));
    }
    for (name, refused) in gateway.registry.rolled_back() {
        if gateway.registry.app(name.app()).is_none() {
            let why = refused.why.as_deref().unwrap_or_default();
            all.push((["note.", name.app()].concat(), ["v", name.version(), " failed: ", why].concat()));
        }
    }
    let of_agent = Agents::load(config.paths()).note;
    all.extend(of_agent.map(|note| ("note.gwe".to_string(), note)));
    all.retain(|(_, value)| !value.is_empty());
    all
}

/// The same as facts, for `gwe --status`.
#[must_use]
pub fn apps(gateway: &Gateway<'_>) -> Vec<AppFacts> {
    let processes = gateway.supervisor.processes().unwrap_or_else(|e| {
        crate::warning!("{e}; reporting without it");
        Vec::new()
    });
    let memory = if processes.is_empty() { None } else { ProcessTable::read().ok() };
    let rss = |pid: u32| memory.as_ref().and_then(|table| table.rss_kb(pid));
    let mut apps: Vec<AppFacts> = processes.iter().map(|process| of_process(gateway, process, &rss)).collect();
    for app in &gateway.registry.apps {
        if app.name != agent::APP && !processes.iter().any(|process| process.group == app.name) {
            let (version, note) = (Some(app.version.clone()), app.note.clone());
            apps.push(AppFacts { name: app.name.clone(), version, note, ..AppFacts::default() });
        }
    }
    if !processes.iter().any(|process| process.group == agent::APP) {
        apps.push(AppFacts { name: agent::APP.to_string(), version: Some(VERSION.to_string()), ..AppFacts::default() });
    }
    let of_agent = Agents::load(gateway.config.paths()).note;
    apps.iter_mut().filter(|app| app.name == agent::APP).for_each(|app| app.note.clone_from(&of_agent));
    push_rolled_back(gateway, &mut apps);
    gateway.seen.replace(processes);
    apps
}

/// An app whose first version did not settle is not there, and the report says why.
fn push_rolled_back(gateway: &Gateway<'_>, apps: &mut Vec<AppFacts>) {
    for (name, refused) in gateway.registry.rolled_back() {
        if !apps.iter().any(|app| app.name == name.app() || app.name.starts_with(&[name.app(), ":"].concat())) {
            let why = refused.why.as_deref().unwrap_or_default();
            let note = Some(["v", name.version(), " failed: ", why].concat());
            apps.push(AppFacts { name: name.app().to_string(), note, ..AppFacts::default() });
        }
    }
}

fn of_process(gateway: &Gateway<'_>, process: &Process, rss: &dyn Fn(u32) -> Option<u64>) -> AppFacts {
    let app = gateway.registry.app(&process.group);
    let own = OWN_PROGRAMS.contains(&&*process.group).then(|| VERSION.to_string());
    let pid = (process.pid != 0).then_some(process.pid);
    AppFacts {
        name: process.namespec(),
        version: own.or_else(|| app.map(|app| app.version.clone())),
        note: app.and_then(|app| app.note.clone()),
        process: Some(ProcessFacts {
            status: process.state.name().to_string(),
            exitstatus: process.exitstatus,
            pid,
            uptime_s: process.uptime().unwrap_or_default().as_secs(),
            probe_restarts: process.probe_restarts,
        }),
        rss_kb: pid.and_then(rss),
    }
}
