//! A check-in with hawkBit's DDI, and what is told of orders.

use std::path::PathBuf;

use miniserde::json::Value;

use super::client::{self, Controller};
use super::interval::Interval;
use super::wire::{self, Cancel, Deployment, Poll};
use super::{address, clean, logs};
use crate::config::Config;
use crate::format::hex;
use crate::http::{self, Answer, Method, Route, Settings, Sink, TransportError};
use crate::orders::{Backend, Content, Failed, Ledger, Piece, Progress, Stage, Standing, Until};
use crate::sys::clock;
use crate::sys::file;

/// Polls in one check-in: after a cancel was answered, or consent given, the next order shows at the next poll.
const MAX_POLLS: usize = 3;
/// What an order by another source names, or by nobody.
const NO_LINK: &str = "this server knows nothing of it";
/// The largest note of this module, in bytes.
const MAX_NOTE: u64 = 256;

/// hawkBit, as this gateway's source of orders.
pub struct HawkBit {
    client: Controller,
    confirms: bool,
    /// The digest of the attributes that the server knows.
    told: PathBuf,
    /// How long the server wants to be left alone.
    interval: Interval,
    /// The link of the deployment that was read last: volatile.
    link: PathBuf,
    /// What the digest counts for: another server or another id knows nothing of it.
    who: String,
}

impl HawkBit {
    /// As the gateway is configured.
    ///
    /// # Errors
    /// The settings cannot work.
    pub fn new(config: &Config) -> Result<HawkBit, Failed> {
        let ddi = config.ddi().map_err(Failed::permanent)?;
        let client = Controller::new(&ddi, Settings::of(config, "gwe"))?;
        Ok(HawkBit {
            client,
            confirms: ddi.confirms,
            told: config.paths().state().join("ddi_attributes"),
            interval: Interval::of(config, &ddi.url),
            link: config.paths().run().join("ddi_deployment"),
            who: [&ddi.url, " ", &ddi.tenant, " ", &ddi.id].concat(),
        })
    }

    fn poll(&self) -> Result<Poll, Failed> {
        let answer = self.client.get(&self.client.path(""))?;
        let poll = read("poll", &answer, Poll::of)?;
        self.interval.note(&poll.sleep);
        Ok(poll)
    }

    /// Follows what a poll links to; `true` where the next poll brings more.
    fn follow(&self, poll: &Poll, ledger: &mut dyn Ledger) -> Result<bool, Failed> {
        if let Some(link) = poll.link("cancelAction") {
            return self.cancel(link, ledger);
        }
        if let Some(link) = poll.link("confirmationBase") {
            return self.confirm(link);
        }
        match poll.link("deploymentBase") {
            Some(link) => self.take(link, ledger)?,
            None => drop_closed(ledger)?,
        }
        Ok(false)
    }

    fn take(&self, link: &str, ledger: &mut dyn Ledger) -> Result<(), Failed> {
        let path = path_of("deploymentBase", link)?;
        // The link changes with what it leads to, and each look writes one of the action's thousand status entries (hawkbit#1249).
        let last = file::read(&self.link, address::MAX_LINK as u64).ok().flatten();
        let is_open = |order: &Standing| Some(order.id.as_str()) == id_in(&path);
        if last.as_deref() == Some(path.as_bytes()) && ledger.orders().iter().any(is_open) {
            return Ok(());
        }
        let answer = self.client.get(&path)?;
        if answer.head.status == 404 {
            // Cancelled in between.
            return Ok(());
        }
        if let Some(order) = read("deployment", &answer, Deployment::of)?.order {
            ledger.take(logs::understood(&self.client, order, ledger)?)?;
        }
        if let Err(e) = file::write(&self.link, path.as_bytes()) {
            crate::debug!("{e}");
        }
        Ok(())
    }

    /// Answers a cancel: "closed" where nothing was begun, "rejected" where it was, and nothing else (hawkbit#952: any other word
    /// leaves the gateway stuck for good).
    fn cancel(&self, link: &str, ledger: &mut dyn Ledger) -> Result<bool, Failed> {
        let answer = self.client.get(&path_of("cancelAction", link)?)?;
        if answer.head.status == 404 {
            return Ok(false);
        }
        let cancel = read("cancel", &answer, Cancel::of)?;
        let is_known = ledger.orders().iter().any(|order| order.id == cancel.stops);
        let is_dropped = !is_known || ledger.cancel(&cancel.stops)?;
        let (execution, finished, line) = match is_dropped {
            true => ("closed", "success", "[gwe] cancelled: nothing was begun"),
            false => (
                "rejected",
                "failure",
                "[gwe] too late to be cancelled: the install has begun, and its end will be told",
            ),
        };
        crate::info!("cancel of order {}: {execution}", cancel.stops);
        let body = wire::remark(execution, finished, now_ms(), line);
        let path = self.client.path(&["/cancelAction/", &cancel.id, "/feedback"].concat());
        let answer = self.client.send(Method::Post, &path, &body)?;
        match answer.head.status {
            200..=299 | 404 | 405 | 410 => Ok(true),
            _ => Err(client::refusal("feedback of a cancel", &answer)),
        }
    }

    fn confirm(&self, link: &str) -> Result<bool, Failed> {
        if !self.confirms {
            crate::info!("an order waits for consent; give it at the server, or set: gwe --set-ddi-confirm auto");
            return Ok(false);
        }
        let path = path_of("confirmationBase", link)?;
        let path = path.split('?').next().unwrap_or(&path);
        let body = r#"{"confirmation":"confirmed","details":["[gwe] confirmed by the gateway's setting"]}"#;
        let answer = self.client.send(Method::Post, &[path, "/feedback"].concat(), body)?;
        match answer.head.status {
            200..=299 | 404 | 410 => Ok(true),
            _ => Err(client::refusal("consent", &answer)),
        }
    }

    /// Tells the attributes where the server asks for them or they have changed (hawkbit#389, goosebit#415).
    fn tell_attributes(&self, is_asked: bool, ledger: &dyn Ledger) -> Result<(), Failed> {
        let body = wire::config_data(&clean::attributes(&ledger.attributes()));
        let digest = digest(&[&self.who, "\n", &body].concat());
        let known = file::read(&self.told, MAX_NOTE).ok().flatten();
        if !is_asked && known.as_deref() == Some(digest.as_bytes()) {
            return Ok(());
        }
        let answer = self.client.send(Method::Put, &self.client.path("/configData"), &body)?;
        if !(200..300).contains(&answer.head.status) {
            return Err(client::refusal("attributes", &answer));
        }
        if known.as_deref() != Some(digest.as_bytes()) {
            file::replace(&self.told, digest.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    /// Tells one order's end; where the server does not take it as it is, bare (hawkbit#1321).
    fn tell_end(&self, order: &Standing, ledger: &mut dyn Ledger) -> Result<(), Failed> {
        let (execution, finished, end) = match &order.stage {
            Stage::Ended(end) => ("closed", if end.success { "success" } else { "failure" }, Some(end)),
            Stage::Downloaded(told) if !told || order.until == Until::Downloaded => ("downloaded", "none", None),
            Stage::Open | Stage::Downloaded(_) => return Ok(()),
        };
        let body = wire::feedback(execution, finished, now_ms(), end);
        let mut answer = self.feed_back(&order.id, &body)?;
        if end.is_some() && matches!(answer.head.status, 400 | 403 | 413 | 422 | 429) {
            crate::warning!("{}; telling the end without its details", client::refusal("feedback", &answer));
            answer = self.feed_back(&order.id, &wire::feedback(execution, finished, now_ms(), None))?;
        }
        match answer.head.status {
            200..=299 | 404 | 405 | 410 => {}
            _ => return Err(client::refusal("feedback", &answer)),
        }
        match order.stage {
            Stage::Downloaded(_) if order.until == Until::DownloadedForNow => ledger.told_downloaded(&order.id),
            _ => ledger.end_is_known(&order.id),
        }
    }

    /// What need not arrive.
    fn tell_by_the_way(&self, order: &str, body: &str) {
        match self.feed_back(order, body) {
            Ok(answer) if (200..300).contains(&answer.head.status) => {}
            Ok(answer) => crate::debug!("{}", client::refusal("feedback", &answer)),
            Err(e) => crate::debug!("{e}"),
        }
    }

    fn feed_back(&self, id: &str, body: &str) -> Result<Answer, Failed> {
        let path = self.client.path(&["/deploymentBase/", id, "/feedback"].concat());
        self.client.send(Method::Post, &path, body)
    }
}

impl Backend for HawkBit {
    fn check_in(&self, ledger: &mut dyn Ledger) -> Result<(), Failed> {
        self.tell_ends(ledger)?;
        for _ in 0..MAX_POLLS {
            let poll = self.poll()?;
            if !ledger.takes_orders() {
                return Ok(());
            }
            let goes_on = self.follow(&poll, ledger)?;
            self.tell_attributes(poll.link("configData").is_some(), ledger)?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn progress(&self, order: &str, progress: Progress) {
        let execution = match progress {
            Progress::Downloading => "download",
            Progress::Proceeding => "proceeding",
            // Told with the ends, since it may be one.
            Progress::Downloaded => return,
        };
        self.tell_by_the_way(order, &wire::feedback(execution, "none", now_ms(), None));
    }

    fn remark(&self, order: &str, line: &str) {
        self.tell_by_the_way(order, &wire::remark("download", "none", now_ms(), line));
    }

    fn route(&self, piece: &Piece<'_>) -> Option<Route> {
        self.client.route(&piece.link?.href)
    }

    fn tell_ends(&self, ledger: &mut dyn Ledger) -> Result<(), Failed> {
        for order in ledger.orders() {
            self.tell_end(&order, ledger)?;
        }
        Ok(())
    }

    fn content(&self, piece: &Piece<'_>) -> Result<Content, Failed> {
        let link = piece.link.ok_or_else(|| Failed::permanent(NO_LINK))?;
        let size = piece.size.ok_or_else(|| Failed::permanent("its order does not say its size"))?;
        let hash = piece.sha256.or(link.sha1.as_deref()).or(link.md5.as_deref()).unwrap_or_default();
        // No time, but as good for what it is for: other bytes have another.
        let time = u64::from_str_radix(hash.get(..12).unwrap_or_default(), 16).unwrap_or_default();
        Ok(Content { size, time })
    }

    fn download(&self, piece: &Piece<'_>, from: u64, sink: &mut dyn Sink) -> Result<(), Failed> {
        match piece.link {
            Some(link) => self.client.download(&link.href, from, sink),
            None => Err(Failed::permanent(NO_LINK)),
        }
    }

    fn signature(&self, piece: &Piece<'_>, _name: &str, sink: &mut dyn Sink) -> Result<bool, Failed> {
        match piece.link.and_then(|link| link.signature.as_ref()) {
            Some(href) => self.client.download(href, 0, sink).map(|()| true),
            None => Ok(false),
        }
    }
}

/// A server that offers nothing has closed what it offered before: of that, what was not begun is not done.
fn drop_closed(ledger: &mut dyn Ledger) -> Result<(), Failed> {
    for order in ledger.orders() {
        let is_open = !matches!(order.stage, Stage::Ended(_));
        if is_open && ledger.cancel(&order.id)? {
            crate::warning!("order {} does not stand at the server any more; nothing of it was begun", order.id);
        }
    }
    Ok(())
}

/// The answer to a call, read; anything else is a failed call, and no order (zephyr#48863).
fn read<T>(call: &'static str, answer: &Answer, of: fn(&Value) -> Option<T>) -> Result<T, Failed> {
    if !(200..300).contains(&answer.head.status) {
        return Err(client::refusal(call, answer));
    }
    if http::is_page(answer.head.header("content-type"), &answer.body) {
        return Err(Failed::passing(TransportError::LoginPage("the server".to_string())));
    }
    wire::parse(&answer.body, of).ok_or_else(|| {
        Failed::passing(format!("{call}: the server's answer makes no sense: '{}'", http::excerpt(&answer.body)))
    })
}

/// The path that a link of the API leads to.
fn path_of(name: &str, link: &str) -> Result<String, Failed> {
    let why = || Failed::passing(format!("the link {name} leads nowhere: '{}'", http::excerpt(link.as_bytes())));
    address::api_path(link).ok_or_else(why)
}

/// The number of the action that a deployment's path leads to.
fn id_in(path: &str) -> Option<&str> {
    path.split('?').next()?.rsplit('/').next()
}

fn digest(text: &str) -> String {
    hex::encode(&crate::sys::sha256::Hash::of(text.as_bytes()))
}

fn now_ms() -> u64 {
    clock::unix_seconds().saturating_mul(1000)
}
