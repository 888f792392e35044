//! What must hold for gmq after a power cut: it starts, forwards what it has, and then the platform has every point that was
//! answered with 204, and none that was never sent; each alias's points came in their order, and none was set aside.

use super::look::Step;
use super::queue_clients::{platform_data, server_data, Gmq, Platform};
use super::queue_clients_points::{self as points, numbers, CLIENTS, VMS_DEVICE};
use crate::gateway::{Boot, Server};
use crate::trouble::{Doing, Outcome};
use crate::witness::Fact;
use crate::workload::{Checker, CrashState, Finding};
use gwe_tests::harness::Scratch;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Checks one state after the other.
pub struct QueueClientsChecker {
    notes: PathBuf,
    /// What the platform had of each client in the end, in the order in which it came.
    arrived: Vec<Vec<u64>>,
    scratch: Scratch,
}

impl QueueClientsChecker {
    pub fn new(notes: &Path) -> Outcome<QueueClientsChecker> {
        let path = platform_data(notes);
        let bytes = fs::read(&path).doing("read", &path)?;
        let data: Value = serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        let arrived = (0..CLIENTS).map(|client| points::arrived(&data, client)).collect::<Result<_, _>>()?;
        Ok(QueueClientsChecker { notes: notes.to_path_buf(), arrived, scratch: Scratch::new() })
    }

    /// A server as it was, but for the points that it had: so that what comes now can be told from what came before.
    fn server(&self, platform: &Platform) -> Outcome<Server> {
        let server = Server::on_copy(&server_data(&self.notes), &self.scratch.path("server"))?;
        let store = &server.murano().server().platform().store;
        if let Some(cik) = &platform.cik {
            // The answer to the activation may have been lost with the power; then an operator enables the device again.
            let known = store.set_cik(VMS_DEVICE, cik).and_then(|_| store.enable_device(VMS_DEVICE));
            known.map_err(|error| error.to_string())?;
        }
        Ok(server)
    }

    fn compare(&self, past: &[Fact], platform: &Platform, data: &Value) -> Step<()> {
        let (began, acknowledged) = (numbers(past, "began"), numbers(past, "acknowledged"));
        for client in 0..CLIENTS {
            let now = points::arrived(data, client).map_err(Finding::Third)?;
            if let Some(number) = now.iter().find(|number| !began.contains(number)) {
                return Err(Finding::Third(format!("point {number} is forwarded, which was never sent")));
            }
            if !now.is_sorted() {
                return Err(Finding::Third(format!(
                    "the points of {} came in another order: {now:?}",
                    points::alias(client)
                )));
            }
            let count = platform.counts.get(client as usize).copied().unwrap_or(0);
            let before = self.arrived[client as usize].iter().take(count as usize);
            let all: BTreeSet<u64> = before.chain(&now).copied().collect();
            let promised = acknowledged.iter().filter(|number| *number % CLIENTS == client);
            let lost: Vec<&u64> = promised.filter(|number| !all.contains(number)).collect();
            if !lost.is_empty() {
                return Err(Finding::Lost(format!("points of {}: {lost:?}", points::alias(client))));
            }
        }
        Ok(())
    }
}

impl Checker for QueueClientsChecker {
    fn check(&mut self, state: &CrashState) -> Outcome<Finding> {
        let platform = state.past.iter().rev().find_map(|fact| Platform::of_fact(&fact.text)).unwrap_or_default();
        let server = self.server(&platform)?;
        let _boot = Boot::up(state.root, &server.source(), None)?;
        let forwarded = Gmq::start(state.root).and_then(|gmq| gmq.await_empty(state.root));
        if let Err(why) = forwarded {
            return Ok(Finding::DoesNotStart(why));
        }
        let data = &server.murano().state()["data"];
        Ok(self.compare(state.past, &platform, data).err().unwrap_or(Finding::Sound))
    }
}
