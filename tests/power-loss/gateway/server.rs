//! The source of orders as one gateway sees it, as it was at a moment: the local platform, or hawkBit.

use super::boot::Source;
use super::hawkbit::Orders;
use super::watch::Watch;
use crate::trouble::{Doing, Outcome};
use crate::witness::{Fact, Witness};
use gwe_tests::harness::Murano;
use serde_json::{json, Value};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The gateway's serial number.
pub const SERIAL: &str = "power-loss-1";
/// How a fact about the server begins.
const WORD: &str = "server ";
/// How the platform breaks off a download.
const FAULT: &str = "download:drop=body+60000*1";

/// What the server knows: what the gateway has told it, and what is still asked of the gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// `engine_fetch`, or what hawkBit orders; empty once the gateway has cleared it, or told of it.
    pub engine_fetch: String,
    /// All that ever came as `fetch_status`, or as the end of what hawkBit orders.
    pub reports: Vec<String>,
}

impl Told {
    /// What it knew at the end of these facts; `None` where they say nothing of it.
    pub fn at(past: &[Fact]) -> Option<Told> {
        let last = past.iter().rev().find_map(|fact| fact.text.strip_prefix(WORD))?;
        let value: Value = serde_json::from_str(last).ok()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let reports = value["reports"].as_array().map(|list| list.iter().map(text).collect());
        Some(Told { engine_fetch: text(&value["engine_fetch"]), reports: reports.unwrap_or_default() })
    }

    fn as_fact(&self) -> String {
        format!("{WORD}{}", json!({"engine_fetch": self.engine_fetch, "reports": self.reports}))
    }
}

/// A running server with its data in a folder.
pub struct Server {
    // The first is dropped first.
    watch: Option<Watch>,
    cloud: Cloud,
}

/// Which one.
#[derive(Clone)]
enum Cloud {
    Platform(Arc<Murano>),
    Hawkbit(Arc<Orders>),
}

impl Server {
    /// Starts it on the data of `folder`, which it makes where there is none.
    pub fn on(folder: &Path) -> Server {
        let orders = Orders::folder(folder);
        let cloud = match orders.exists() {
            true => Cloud::Hawkbit(Arc::new(Orders::on(orders))),
            false => Cloud::Platform(Arc::new(Murano::with(|options| options.data = folder.to_path_buf()))),
        };
        Server { watch: None, cloud }
    }

    /// Has the server on that data be a hawkBit; then starts it.
    pub fn hawkbit_on(folder: &Path) -> Outcome<Server> {
        let orders = Orders::folder(folder);
        fs::create_dir_all(&orders).doing("create", &orders)?;
        Ok(Server::on(folder))
    }

    /// Starts it on a copy of the data.
    pub fn on_copy(folder: &Path, copy: &Path) -> Outcome<Server> {
        if copy.exists() {
            fs::remove_dir_all(copy).doing("remove", copy)?;
        }
        crate::recording::copy_folder(folder, copy)?;
        Ok(Server::on(copy))
    }

    /// From now on the witness notes what the server knows, before each of its answers reaches the gateway.
    pub fn watched_by(self, witness: &Witness) -> Outcome<Server> {
        let cloud = self.cloud.clone();
        self.watched_as(witness, move || cloud.told().as_fact())
    }

    /// The same of a platform with other facts: what `known` says of it is noted whenever it changes.
    pub fn watched(self, witness: &Witness, known: impl Fn(&Murano) -> String + Send + 'static) -> Outcome<Server> {
        match self.cloud.clone() {
            Cloud::Platform(murano) => self.watched_as(witness, move || known(&murano)),
            Cloud::Hawkbit(_) => Err("it is no platform".to_string()),
        }
    }

    fn watched_as(mut self, witness: &Witness, known: impl Fn() -> String + Send + 'static) -> Outcome<Server> {
        let witness = witness.clone();
        let mut before = String::new();
        let mut note = move || {
            let now = known();
            if now != before {
                witness.note(now.clone());
                before = now;
            }
        };
        note();
        self.watch = Some(Watch::start(&self.cloud.url(), note)?);
        Ok(self)
    }

    /// Where the gateway finds it, and by which protocol.
    pub fn source(&self) -> Source {
        let url = self.watch.as_ref().map_or_else(|| self.cloud.url(), Watch::url);
        match &self.cloud {
            Cloud::Platform(_) => Source::DeviceApi(url),
            Cloud::Hawkbit(_) => Source::Hawkbit(url),
        }
    }

    /// The platform itself; of one that is none, nobody asks.
    pub fn murano(&self) -> &Murano {
        match &self.cloud {
            Cloud::Platform(murano) => murano,
            Cloud::Hawkbit(_) => panic!("it is no platform"),
        }
    }

    /// Keeps a tarball.
    pub fn upload(&self, name: &str, bytes: &[u8]) -> Outcome<()> {
        match &self.cloud {
            Cloud::Platform(murano) => murano.upload(name, bytes),
            Cloud::Hawkbit(orders) => orders.upload(name, bytes)?,
        }
        Ok(())
    }

    /// Asks the gateway to install a tarball of the content area.
    pub fn ask_for(&self, tarball: &str) -> Outcome<()> {
        let request = json!({"install": [{"name": tarball}]}).to_string();
        match &self.cloud {
            Cloud::Platform(murano) => murano.write(SERIAL, "engine_fetch", &request),
            Cloud::Hawkbit(orders) => orders.ask_for(tarball)?,
        }
        Ok(())
    }

    /// The same, and offers a delta from a version.
    pub fn ask_for_by_delta(&self, tarball: &str, from: &str) {
        let request = json!({"install": [{"name": tarball, "delta_from": [from]}]}).to_string();
        self.murano().write(SERIAL, "engine_fetch", &request);
    }

    /// The same, to be installed at the next boot.
    pub fn ask_for_at_reboot(&self, tarball: &str) {
        let request = json!({"install": [{"name": tarball, "apply": "reboot"}]}).to_string();
        self.murano().write(SERIAL, "engine_fetch", &request);
    }

    /// Asks the gateway to take an app away.
    pub fn ask_to_remove(&self, app: &str) {
        self.murano().write(SERIAL, "engine_fetch", &json!({"remove": [app]}).to_string());
    }

    /// The next download breaks off, so that a part is there, and is gone on with.
    pub fn break_off_a_download(&self) {
        match &self.cloud {
            Cloud::Platform(murano) => murano.faults(&[FAULT]),
            Cloud::Hawkbit(orders) => orders.break_off_a_download(),
        }
    }

    /// Brings a server that stands before the work to what it knew at a moment of it.
    pub fn is_at(&self, told: &Told) {
        match &self.cloud {
            Cloud::Platform(murano) => {
                if told.engine_fetch.is_empty() {
                    murano.write(SERIAL, "engine_fetch", "");
                }
                told.reports.iter().for_each(|report| murano.write(SERIAL, "fetch_status", report));
            }
            Cloud::Hawkbit(orders) => orders.is_at(told),
        }
    }

    /// What it knows now.
    pub fn told(&self) -> Told {
        self.cloud.told()
    }
}

impl Cloud {
    fn url(&self) -> String {
        match self {
            Cloud::Platform(murano) => murano.url(),
            Cloud::Hawkbit(orders) => orders.url(),
        }
    }

    fn told(&self) -> Told {
        match self {
            Cloud::Platform(murano) => told(murano),
            Cloud::Hawkbit(orders) => orders.told(),
        }
    }
}

fn told(murano: &Murano) -> Told {
    let reports = murano.history(SERIAL, "fetch_status");
    Told { engine_fetch: murano.read(SERIAL, "engine_fetch").unwrap_or_default(), reports }
}
