//! The Device API as a source of orders: one hybrid request tells the reports and brings `engine_fetch` and `update_interval`; an
//! alias is cleared once its order is durable (docs/spec/gateway-engine.md, "The loop").

use std::cell::RefCell;

use super::cloud::Cloud;
use super::{call, Client, ContentInfo, DeviceError};
use crate::config::{options, Config, ConfigError, Identity, Which};
use crate::http::{Route, Sink};
use crate::orders::{Backend, Content, Failed, Kind, Ledger, Piece, Progress};

/// What the cloud asks for.
pub const ORDERS: [&str; 2] = [FETCH, INTERVAL];
const FETCH: &str = "engine_fetch";
const INTERVAL: &str = "update_interval";

/// The Device API, as this gateway.
pub struct DeviceApi<'a> {
    client: &'a Client,
    identity: &'a Identity,
    cloud: RefCell<Cloud<'a>>,
    /// Somebody has listened, and seen an order.
    is_called: bool,
}

impl From<Box<DeviceError>> for Failed {
    fn from(e: Box<DeviceError>) -> Failed {
        let kind = if e.is_permanent() { Kind::Permanent } else { Kind::Passing };
        Failed { why: e.to_string(), kind }
    }
}

impl<'a> DeviceApi<'a> {
    /// Activates the gateway where it has no CIK yet. A new CIK and a new interval are kept in `config`.
    ///
    /// # Errors
    /// The platform did not activate it, or the CIK could not be stored.
    pub fn new(client: &'a Client, identity: &'a Identity, config: &'a mut Config) -> Result<DeviceApi<'a>, Failed> {
        let called = call::take(config.paths());
        let cloud = RefCell::new(Cloud::new(client, identity, config, called)?);
        Ok(DeviceApi { client, identity, cloud, is_called: called.is_some() })
    }

    /// The hybrid call: reports up, orders down, in one request; what is to be emptied goes with the reports.
    fn exchange(&self, ledger: &mut dyn Ledger, emptied: &[&str]) -> Result<Answers, Failed> {
        let mut cloud = self.cloud.borrow_mut();
        let [device_info, engine_report, usage_report] = ledger.reports();
        let mut writes =
            vec![("device_info", &*device_info), ("engine_report", &*engine_report), ("usage_report", &*usage_report)];
        writes.extend(emptied.iter().map(|alias| (*alias, "")));
        let report = ledger.report();
        if let Some(report) = &report {
            writes.push(("fetch_status", report));
        }
        let values = match cloud.write_read(&writes, &ORDERS) {
            Err(e) if report.is_some() && e.kind == Kind::Permanent => {
                writes.pop();
                let values = cloud.write_read(&writes, &ORDERS)?;
                crate::error!("the platform does not take this report: {e}");
                ledger.shorten_report()?;
                values
            }
            values => {
                let values = values?;
                if report.is_some() {
                    ledger.reported()?;
                }
                values
            }
        };
        Ok(Answers::of(&values))
    }

    /// Somebody waits for what an order does, and the platform takes one write a second: the order is read first, so that the one write of
    /// this check-in tells its reports and clears what was taken.
    fn answer_call(&self, ledger: &mut dyn Ledger) -> Result<(), Failed> {
        let values = self.cloud.borrow_mut().read(&ORDERS)?;
        let taken = self.take_orders(ledger, &Answers::of(&values))?;
        let is_text = taken.contains(&FETCH);
        match self.exchange(ledger, &taken) {
            Ok(_) if is_text => ledger.text_cleared(),
            Ok(_) => Ok(()),
            // One of them is refused, and must not keep the others back.
            Err(e) if e.kind == Kind::Permanent && !taken.is_empty() => {
                self.exchange(ledger, &[])?;
                self.clear(ledger, &taken)
            }
            Err(e) if is_text => ledger.text_not_cleared(e),
            Err(e) => Err(e),
        }
    }

    /// Makes the orders durable; the aliases that are then to be cleared: that tells the cloud that they were taken.
    fn take_orders(&self, ledger: &mut dyn Ledger, answers: &Answers) -> Result<Vec<&'static str>, Failed> {
        let mut clear = Vec::new();
        if let Some(text) = answers.update_interval.as_deref().filter(|text| !text.trim().is_empty()) {
            if let Some(refusal) = take_interval(self.cloud.borrow_mut().config, text)? {
                ledger.remark(&format!("[gwe] failed: {refusal}"))?;
            }
            clear.push(INTERVAL);
        }
        let fetch = answers.engine_fetch.as_deref().unwrap_or_default();
        ledger.take_text(fetch)?;
        if !fetch.is_empty() {
            clear.push(FETCH);
        }
        Ok(clear)
    }

    /// Clears aliases whose orders are durable.
    fn clear(&self, ledger: &mut dyn Ledger, aliases: &[&str]) -> Result<(), Failed> {
        let values: Vec<(&str, &str)> = aliases.iter().map(|alias| (*alias, "")).collect();
        let written = self.cloud.borrow_mut().write(&values);
        let is_text = aliases.contains(&FETCH);
        match (written, aliases) {
            (Ok(()), _) if is_text => ledger.text_cleared(),
            (Ok(()), _) => Ok(()),
            // One that is refused must not keep the other back.
            (Err(e), [one, other]) if e.kind == Kind::Permanent => {
                self.clear(ledger, &[*one])?;
                self.clear(ledger, &[*other])
            }
            (Err(e), _) if is_text => ledger.text_not_cleared(e),
            // The interval is set, and is so as often as it is read.
            (Err(e), _) if e.kind == Kind::Permanent => {
                crate::warning!("{INTERVAL} is not cleared: {e}");
                Ok(())
            }
            (Err(e), _) => Err(e),
        }
    }
}

impl Backend for DeviceApi<'_> {
    fn check_in(&self, ledger: &mut dyn Ledger) -> Result<(), Failed> {
        if self.is_called && ledger.takes_orders() {
            return self.answer_call(ledger);
        }
        let answers = self.exchange(ledger, &[])?;
        if !ledger.takes_orders() {
            return Ok(());
        }
        match self.take_orders(ledger, &answers)? {
            taken if taken.is_empty() => Ok(()),
            taken => self.clear(ledger, &taken),
        }
    }

    // Its report tells the end, and nothing before.
    fn progress(&self, _order: &str, _progress: Progress) {}

    /// Tells the cloud at once how the installs went; what it does not acknowledge goes with the next check-in.
    fn tell_ends(&self, ledger: &mut dyn Ledger) -> Result<(), Failed> {
        let Some(report) = ledger.report() else { return Ok(()) };
        let [_, engine_report, _] = ledger.reports();
        self.cloud.borrow_mut().write(&[("fetch_status", &report), ("engine_report", &engine_report)])?;
        ledger.reported()
    }

    fn content(&self, piece: &Piece<'_>) -> Result<Content, Failed> {
        let ContentInfo { size, time, .. } =
            self.client.content_info(&self.identity.vendor, &self.identity.model, piece.name)?;
        Ok(Content { size, time })
    }

    fn route(&self, _piece: &Piece<'_>) -> Option<Route> {
        self.client.route()
    }

    fn download(&self, piece: &Piece<'_>, from: u64, sink: &mut dyn Sink) -> Result<(), Failed> {
        Ok(self.client.download(&self.identity.vendor, &self.identity.model, piece.name, from, sink)?)
    }

    fn signature(&self, _piece: &Piece<'_>, name: &str, sink: &mut dyn Sink) -> Result<bool, Failed> {
        match self.client.download(&self.identity.vendor, &self.identity.model, name, 0, sink) {
            Ok(()) => Ok(true),
            Err(e) if e.is_permanent() => Ok(false),
            Err(e) => Err(e.into()),
        }
    }
}

/// What the cloud had in the two aliases.
struct Answers {
    engine_fetch: Option<String>,
    update_interval: Option<String>,
}

impl Answers {
    fn of(values: &[(String, String)]) -> Answers {
        let take = |alias: &str| values.iter().find(|(name, _)| name == alias).map(|(_, value)| value.clone());
        Answers { engine_fetch: take(FETCH), update_interval: take(INTERVAL) }
    }
}

/// Sets the interval that the cloud asks for. One that cannot be is refused, and who asked for it is told (docs/spec/failures.md, case 09).
fn take_interval(config: &mut Config, text: &str) -> Result<Option<ConfigError>, Failed> {
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
