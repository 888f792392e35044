//! The platform as one gateway sees it: the local server, as it was at a moment.

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

/// What the server knows: what the gateway has told it, and what is still asked of the gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// `engine_fetch`; empty once the gateway has cleared it.
    pub engine_fetch: String,
    /// All that ever came as `fetch_status`.
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
#[derive(Debug)]
pub struct Server {
    // The first is dropped first.
    watch: Option<Watch>,
    murano: Arc<Murano>,
}

impl Server {
    /// Starts it on the data of `folder`, which it makes where there is none.
    pub fn on(folder: &Path) -> Server {
        let murano = Murano::with(|options| options.data = folder.to_path_buf());
        Server { watch: None, murano: Arc::new(murano) }
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
        self.watched(witness, |murano| told(murano).as_fact())
    }

    /// The same with other facts: what `known` says of the server is noted whenever it changes.
    pub fn watched(mut self, witness: &Witness, known: impl Fn(&Murano) -> String + Send + 'static) -> Outcome<Server> {
        let (murano, witness) = (self.murano.clone(), witness.clone());
        let mut before = String::new();
        let mut note = move || {
            let now = known(&murano);
            if now != before {
                witness.note(now.clone());
                before = now;
            }
        };
        note();
        self.watch = Some(Watch::start(&self.murano.url(), note)?);
        Ok(self)
    }

    /// Where the gateway finds it.
    pub fn url(&self) -> String {
        self.watch.as_ref().map_or_else(|| self.murano.url(), Watch::url)
    }

    /// The server itself.
    pub fn murano(&self) -> &Murano {
        &self.murano
    }

    /// Asks the gateway to install a tarball of the content area.
    pub fn ask_for(&self, tarball: &str) {
        let request = json!({"install": [{"name": tarball}]}).to_string();
        self.murano.write(SERIAL, "engine_fetch", &request);
    }

    /// The same, and offers a delta from a version.
    pub fn ask_for_by_delta(&self, tarball: &str, from: &str) {
        let request = json!({"install": [{"name": tarball, "delta_from": [from]}]}).to_string();
        self.murano.write(SERIAL, "engine_fetch", &request);
    }

    /// Brings a server that stands before the work to what it knew at a moment of it.
    pub fn is_at(&self, told: &Told) {
        if told.engine_fetch.is_empty() {
            self.murano.write(SERIAL, "engine_fetch", "");
        }
        told.reports.iter().for_each(|report| self.murano.write(SERIAL, "fetch_status", report));
    }

    /// What it knows now.
    pub fn told(&self) -> Told {
        told(&self.murano)
    }
}

fn told(murano: &Murano) -> Told {
    let reports = murano.history(SERIAL, "fetch_status");
    Told { engine_fetch: murano.read(SERIAL, "engine_fetch").unwrap_or_default(), reports }
}
