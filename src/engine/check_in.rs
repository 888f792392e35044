//! One check-in, start to end (spec: gateway-engine.md, "The loop").
//!
//! Invariant: one request where nothing is to be done; whatever is asked for is durable before its alias is cleared, and a
//! report is dropped only when the cloud has acknowledged it.

use std::fmt;
use std::time::Duration;

use super::cloud::Cloud;
use super::last::{self, Last};
use super::{facts, follow, last_known_time, limit, NOT_CONFIGURED};
use crate::config::problem::Problem;
use crate::config::{options, Config, ConfigError, Identity, Paths, Which};
use crate::device::{Client, DeviceError, Settings};
use crate::install::agent::Agents;
use crate::install::steps::Gateway;
use crate::install::{self, status};
use crate::supervisor::Supervisor;
use crate::sys::clock;
use crate::sys::file::FileError;
use crate::sys::log::Level;

/// How long a check-in waits for an install from the command line to end.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);

/// What the cloud asks for.
pub const ORDERS: [&str; 2] = ["engine_fetch", "update_interval"];

/// Why a check-in did not complete.
#[derive(Debug)]
pub enum CheckInError {
    /// The cloud did not do its part.
    Device(DeviceError),
    /// A setting that must be put right first.
    Setting(Problem),
    /// State could not be made durable.
    File(FileError),
    /// A setting could not be made durable.
    Config(ConfigError),
    /// An install from the command line is still running.
    Busy,
    /// A download has to go on later.
    Unfinished(String),
}

impl fmt::Display for CheckInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckInError::Device(e) => write!(f, "{e}"),
            CheckInError::Setting(e) => write!(f, "{e}; it has to be put right before anything is sent"),
            CheckInError::File(e) => write!(f, "{e}"),
            CheckInError::Config(e) => write!(f, "{e}"),
            CheckInError::Busy => f.write_str("an install from the command line is still running"),
            CheckInError::Unfinished(name) => write!(f, "{name} is still to be downloaded"),
        }
    }
}

impl std::error::Error for CheckInError {}

impl From<DeviceError> for CheckInError {
    fn from(e: DeviceError) -> Self {
        CheckInError::Device(e)
    }
}

impl From<FileError> for CheckInError {
    fn from(e: FileError) -> Self {
        CheckInError::File(e)
    }
}

impl From<ConfigError> for CheckInError {
    fn from(e: ConfigError) -> Self {
        CheckInError::Config(e)
    }
}

/// Checks in once; returns the exit status: 0 done, 1 failed, 255 not configured.
#[must_use]
pub fn run(mut config: Config) -> u8 {
    let paths = config.paths().clone();
    config.problems().iter().for_each(|problem| crate::error!("{problem}"));
    let identity = match Identity::of(&config) {
        Ok(identity) => identity,
        Err(missing) => {
            crate::log_at!(Level::Critical, "{missing}");
            return NOT_CONFIGURED;
        }
    };
    let result = check_in(&mut config, &identity);
    let (ok, message) = match &result {
        Ok(()) => (true, "completed".to_string()),
        Err(e) => (false, e.to_string()),
    };
    if ok {
        crate::debug!("check-in completed");
        keep_time(&config, &paths);
    } else {
        crate::error!("check-in failed: {message}");
    }
    last::record(&paths, &Last { time: clock::unix_seconds(), ok, message });
    u8::from(!ok)
}

fn keep_time(config: &Config, paths: &Paths) {
    if !config.keep_clock() {
        return;
    }
    let path = paths.state().join(last_known_time::FILE_NAME);
    if let Err(e) = last_known_time::keep(&path, last_known_time::Occasion::CheckIn) {
        crate::warning!("{e}");
    }
}

fn check_in(config: &mut Config, identity: &Identity) -> Result<(), CheckInError> {
    if let Some(problem) = config.obstacle() {
        return Err(CheckInError::Setting(problem));
    }
    if let Err(e) = identity.pin(config) {
        crate::warning!("{e}; the serial number is read from the interface again at the next check-in");
    }
    let begun = clock::since_boot();
    let _lock = install::lock(config.paths(), LOCK_PATIENCE)?.ok_or(CheckInError::Busy)?;
    let client = Client::new(Settings::of(config, "gwe"))?;
    // Settings that arrive in this check-in count from the next one on.
    let in_force = config.clone();
    let supervisor = Supervisor::new(in_force.supervisor_socket());
    let mut gateway = Gateway::load(&in_force, &supervisor);
    let agents = Agents::load(in_force.paths());
    gateway.deadline = begun + limit(&agents, &in_force) / 2;
    gateway.on_trial = agents.is_on_trial(in_force.paths());
    // What is on disk already needs no network: it is finished also in an outage. A disk that does not take it must not keep
    // the gateway from the cloud.
    if let Err(e) = gateway.take_factory_apps().and_then(|()| gateway.work_off()) {
        crate::warning!("{e}; going on at the next check-in");
        gateway.reload();
    }

    let mut cloud = Cloud::new(&client, identity, config)?;
    let answers = exchange(&mut cloud, &mut gateway)?;
    gateway.checked_in = true;
    take_orders(&mut cloud, &mut gateway, &answers)?;

    gateway.cloud = Some((&client, identity));
    gateway.work_off()?;
    report_installs(&mut cloud, &mut gateway)?;
    follow::bring_queue_along(in_force.paths(), &supervisor);
    if gateway.on_trial {
        return Ok(());
    }
    match gateway.journal.jobs.iter().find(|job| job.state.needs_network()) {
        Some(job) => Err(CheckInError::Unfinished(job.name.clone())),
        None => Ok(()),
    }
}

/// What the cloud had in the two aliases.
struct Answers {
    engine_fetch: Option<String>,
    update_interval: Option<String>,
}

/// The hybrid call: reports up, orders down, in one request.
fn exchange(cloud: &mut Cloud<'_>, gateway: &mut Gateway<'_>) -> Result<Answers, CheckInError> {
    let device_info = facts::device_info();
    let engine_report = facts::engine_report(gateway);
    let usage_report = facts::usage_report(gateway.config);
    let mut writes =
        vec![("device_info", &*device_info), ("engine_report", &*engine_report), ("usage_report", &*usage_report)];
    let report = gateway.journal.is_reportable().then(|| status::text(&gateway.journal));
    if let Some(report) = &report {
        writes.push(("fetch_status", report));
    }
    let values = match cloud.write_read(&writes, &ORDERS) {
        Err(CheckInError::Device(e)) if report.is_some() && e.is_permanent() => {
            writes.pop();
            let values = cloud.write_read(&writes, &ORDERS)?;
            crate::error!("the platform does not take this report: {e}");
            gateway.journal.shorten_report();
            gateway.save_journal()?;
            values
        }
        values => {
            let values = values?;
            if report.is_some() {
                gateway.journal.reported();
                gateway.save_journal()?;
            }
            values
        }
    };
    let take = |alias: &str| values.iter().find(|(name, _)| name == alias).map(|(_, value)| value.clone());
    Ok(Answers { engine_fetch: take("engine_fetch"), update_interval: take("update_interval") })
}

/// Makes the orders durable, then clears their aliases: that tells the cloud that they were taken.
fn take_orders(cloud: &mut Cloud<'_>, gateway: &mut Gateway<'_>, answers: &Answers) -> Result<(), CheckInError> {
    let mut clear = Vec::new();
    if let Some(text) = answers.update_interval.as_deref().filter(|text| !text.trim().is_empty()) {
        if let Some(refusal) = take_interval(cloud.config, text)? {
            gateway.journal.remark(&format!("[gwe] failed: {refusal}"));
            gateway.save_journal()?;
        }
        clear.push(("update_interval", ""));
    }
    let fetch = answers.engine_fetch.as_deref().unwrap_or_default();
    if gateway.journal.take_request(fetch) {
        gateway.save_journal()?;
    }
    if !fetch.is_empty() {
        clear.push(("engine_fetch", ""));
    }
    if clear.is_empty() {
        return Ok(());
    }
    cloud.write(&clear)?;
    if gateway.journal.uncleared.take().is_some() {
        gateway.save_journal()?;
    }
    Ok(())
}

/// Sets the interval that the cloud asks for. One that cannot be is refused, and who asked for it is told (cases/README.md, 09).
fn take_interval(config: &mut Config, text: &str) -> Result<Option<ConfigError>, CheckInError> {
    let text = text.trim().trim_start_matches('\u{feff}');
    let seconds = options::parse_interval(text);
    if seconds == Some(config.update_interval().as_secs()) {
        return Ok(None);
    }
    let text = seconds.map_or_else(|| text.to_string(), |seconds| seconds.to_string());
    match config.set(Which::Engine, "update_interval", &text) {
        Ok(()) => crate::info!("checking in every {} s from now on", config.update_interval().as_secs()),
        Err(refusal @ ConfigError::Value(..)) => {
            crate::warning!("{refusal}; keeping {} s", config.update_interval().as_secs());
            return Ok(Some(refusal));
        }
        Err(e) => return Err(e.into()),
    }
    Ok(None)
}

/// Tells the cloud at once how the installs went; what it does not acknowledge goes with the next check-in.
fn report_installs(cloud: &mut Cloud<'_>, gateway: &mut Gateway<'_>) -> Result<(), CheckInError> {
    if !gateway.journal.is_reportable() {
        return Ok(());
    }
    let (report, versions) = (status::text(&gateway.journal), facts::engine_report(gateway));
    cloud.write(&[("fetch_status", &report), ("engine_report", &versions)])?;
    gateway.journal.reported();
    gateway.save_journal()?;
    Ok(())
}
