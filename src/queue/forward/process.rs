//! The forwarding process's own beginning: settings, client, the pipe to the server.

use std::io::{Read, Write};

use super::deliver::DeliveryDesk;
use super::errand;
use super::wire::{CourierReport, Errand};
use crate::config::{Config, Paths};
use crate::device::{Client, Settings};
use crate::queue::set_aside;
use crate::sys::{clock, standard};

/// An errand, in bytes, at the most: all identities with their boots, or the largest write, percent-encoded.
const MAX_ERRAND: u64 = 1024 * 1024;

/// Who uses the network, in the account of usage.
const CONSUMER: &str = "gmq";

/// Reads an errand from stdin, does it, and reports on stdout. Returns the exit status.
#[must_use]
pub fn run(paths: &Paths) -> u8 {
    let mut text = String::new();
    let errand = match std::io::stdin().take(MAX_ERRAND).read_to_string(&mut text) {
        Ok(_) => Errand::decode(&text),
        Err(_) => None,
    };
    let Some(errand) = errand else {
        crate::error!("--forward wants an errand on stdin: gmq starts it by itself");
        return 2;
    };
    let config = Config::load(paths.clone());
    let mut settings = Settings::of(&config, CONSUMER);
    if let Errand::Write(..) = &errand {
        // An app waits for this one; what takes longer is stored, and sent with more patience.
        settings.connect_limit = settings.connect_limit.min(errand::WRITE_LIMIT);
        settings.stall_limit = settings.stall_limit.min(errand::WRITE_LIMIT);
        settings.total_limit = errand::WRITE_LIMIT;
    }
    let mut report = |report: CourierReport| {
        // Nobody listens any more: what was done so far counts, and is found out by doing it again.
        if standard::stdout().write_all(report.encode().as_bytes()).is_err() {
            std::process::exit(1);
        }
    };
    if let Some(problem) = config.obstacle() {
        report(CourierReport::Link(problem.to_string(), None));
        return 1;
    }
    let mut client = match Client::new(settings) {
        Ok(client) => client,
        Err(e) => {
            report(CourierReport::Link(e.to_string(), None));
            return 1;
        }
    };
    let folder = paths.queue();
    let mut keep = |entries: &[set_aside::SetAsidePoint]| set_aside::append(&folder, entries);
    let now = clock::unix_seconds();
    let mut desk = DeliveryDesk { upstream: &mut client, report: &mut report, set_aside: &mut keep, now };
    errand::run(errand, &folder, &mut desk);
    0
}
