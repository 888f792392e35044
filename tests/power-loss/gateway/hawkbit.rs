//! hawkBit as the source of orders: the strict server of the tests, with what it offers kept in a folder, as it was at a moment.

use super::server::Told;
use crate::trouble::{Doing, Outcome};
use gwe_tests::harness::{answer, Hawkbit};
use serde_json::{json, Value};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What is ordered; beside it are the tarballs.
const ORDER: &str = "order.json";
/// A download breaks off here.
const BROKEN_OFF: usize = 60_000;

/// A server whose orders and tarballs are in a folder, so that another can be started as it was.
pub struct Orders {
    hawkbit: Hawkbit,
    folder: PathBuf,
    /// The number of what is ordered, and its tarball.
    order: Mutex<Option<(String, String)>>,
    /// What it knew before it was started.
    before: Mutex<Told>,
}

impl Orders {
    /// Where it keeps what it has, in the data of a server.
    pub fn folder(data: &Path) -> PathBuf {
        data.join("hawkbit")
    }

    /// Starts it on such a folder.
    pub fn on(folder: PathBuf) -> Orders {
        let orders = Orders { hawkbit: Hawkbit::start(), folder, order: Mutex::default(), before: Mutex::default() };
        let kept = fs::read(orders.folder.join(ORDER)).ok();
        if let Some(Value::Array(kept)) = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            let text = |at: usize| kept[at].as_str().unwrap_or_default().to_string();
            orders.offer(text(0), text(1));
        }
        orders
    }

    /// Where the gateway finds it.
    pub fn url(&self) -> String {
        self.hawkbit.url()
    }

    /// Keeps a tarball.
    pub fn upload(&self, name: &str, bytes: &[u8]) -> Outcome<()> {
        let path = self.folder.join(name);
        fs::write(&path, bytes).doing("write", &path)
    }

    /// Orders it, by a number of its own.
    pub fn ask_for(&self, tarball: &str) -> Outcome<()> {
        let last = self.order().map_or(0, |(id, _)| id.parse().unwrap_or(0));
        let id = (last + 1).to_string();
        let path = self.folder.join(ORDER);
        fs::write(&path, json!([id, tarball]).to_string()).doing("write", &path)?;
        self.offer(id, tarball.to_string());
        Ok(())
    }

    /// The next download breaks off, so that a part is there, and is gone on with.
    pub fn break_off_a_download(&self) {
        let Some((_, tarball)) = self.order() else { return };
        let whole = answer(200, &fs::read(self.folder.join(tarball)).unwrap_or_default(), &[]);
        self.hawkbit.answer_exactly("/artifacts/", 1, whole[..BROKEN_OFF.min(whole.len() / 2)].to_vec());
    }

    /// Brings it to what it knew at a moment.
    pub fn is_at(&self, told: &Told) {
        if let (Some((id, _)), false) = (self.order(), told.reports.is_empty()) {
            self.hawkbit.force_quit(&id);
        }
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = told.clone();
    }

    /// What it knows. A gateway that has told of an order has taken it: from then on it must not forget it.
    pub fn told(&self) -> Told {
        let mut told = self.before.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((id, tarball)) = self.order() else { return told };
        let of_order = self.hawkbit.told(&id);
        let is_taken = !of_order.is_empty() || !told.reports.is_empty();
        told.engine_fetch = if is_taken { String::new() } else { tarball };
        if of_order.last().is_some_and(|last| last.starts_with("closed")) {
            told.reports.push(self.hawkbit.details(&id).join("\n"));
        }
        told
    }

    fn order(&self) -> Option<(String, String)> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn offer(&self, id: String, tarball: String) {
        let bytes = fs::read(self.folder.join(&tarball)).unwrap_or_default();
        let mut artifact = self.hawkbit.artifact(&tarball, &bytes);
        // Whoever stands between is passed also by the download.
        let href = artifact["_links"]["download-http"]["href"].as_str().unwrap_or_default();
        let path = href.trim_start_matches(&self.hawkbit.url()).to_string();
        artifact["_links"]["download-http"]["href"] = path.into();
        self.hawkbit.order(&id, &[artifact]);
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, tarball));
    }
}
