//! Numbered orders in the journal: which jobs belong to one, how far it may go, and what its end is.
//!
//! The numbers of failures ([`End::code`](crate::orders::End)): 1 the install failed, 2 the order is bad, 3 download or hash, 4 signature,
//! 5 no room, 6 rolled back.

use super::journal::{Job, Journal, Tails};
use super::kept::Numbered;
use super::registry::FAILED_BEFORE;
use super::state::InstallState;
use crate::orders::{End, Order, Part, Progress, Stage, Standing, Until};

/// The install failed.
pub const INSTALL: u32 = 1;
/// The order cannot be understood.
pub const ORDER: u32 = 2;
/// Download or hash.
pub const DOWNLOAD: u32 = 3;
/// Signature.
pub const SIGNATURE: u32 = 4;
/// No room on the disk.
pub const SPACE: u32 = 5;
/// What was there before is back.
pub const ROLLED_BACK: u32 = 6;

/// Lines of a job's output that its order's end tells.
const OUTPUT_LINES: usize = 20;

impl Numbered {
    fn until(&self) -> Until {
        match self.until {
            0 => Until::Installed,
            1 => Until::DownloadedForNow,
            _ => Until::Downloaded,
        }
    }
}

fn number_of(until: Until) -> u32 {
    match until {
        Until::Installed => 0,
        Until::DownloadedForNow => 1,
        Until::Downloaded => 2,
    }
}

impl Journal {
    /// The numbered orders.
    #[must_use]
    pub fn numbered(&self) -> &[Numbered] {
        self.orders.as_deref().unwrap_or_default()
    }

    fn order_mut(&mut self, id: &str) -> Option<&mut Numbered> {
        self.orders.iter_mut().flatten().find(|order| order.id == id)
    }

    /// Whether a job that is downloaded must not be installed now: its order says so, or it is only kept for one to come.
    #[must_use]
    pub fn is_held(&self, job: &Job) -> bool {
        let is_kept = || self.order_of(job).map_or(true, |order| order.until != 0);
        job.order.is_some() && job.state == InstallState::Verified && is_kept()
    }

    /// Whether it is only kept, and who ordered it has been told.
    pub(super) fn is_laid_by(&self, job: &Job) -> bool {
        let is_told = |order: &Numbered| order.told & Progress::Downloaded as u32 != 0;
        self.is_held(job) && self.order_of(job).map_or(true, is_told)
    }

    /// The order that a job is a part of, where that has a number and is known.
    fn order_of(&self, job: &Job) -> Option<&Numbered> {
        self.numbered().iter().find(|order| job.order.as_ref() == Some(&order.id))
    }

    /// Notes that so much of an order's progress was told; `true` where it had not been.
    pub fn tell(&mut self, id: &str, progress: u32) -> bool {
        match self.order_mut(id) {
            Some(order) if order.told & progress == 0 => {
                order.told |= progress;
                true
            }
            _ => false,
        }
    }

    /// Takes an order, or what has changed about it; `true` where the journal has changed.
    pub fn take_order(&mut self, origin: &str, order: Order, tails: Tails<'_>) -> bool {
        let until = number_of(order.until);
        if let Some(open) = self.order_mut(&order.id) {
            let changes = open.until != until;
            open.until = until;
            return changes;
        }
        self.drop_superseded(origin);
        let asks = !order.logs.is_empty();
        let parts = order.parts.and_then(|parts| match parts.len() {
            0 if asks => Ok(parts),
            0 => Err("the order names no app to install".to_string()),
            n if n > super::request::MAX_ENTRIES => Err("the order names more than 32 apps".to_string()),
            _ => Ok(parts),
        });
        let fault = parts.and_then(|parts| self.add_parts(&order.id, parts)).err();
        if let Some(fault) = &fault {
            crate::error!("order {}: {fault}", order.id);
        }
        let logs = asks.then(|| tails(&order.logs));
        let new = Numbered { origin: origin.to_string(), id: order.id, until, told: 0, fault, logs };
        self.orders.get_or_insert_with(Vec::new).push(new);
        true
    }

    fn add_parts(&mut self, id: &str, parts: Vec<Part>) -> Result<(), String> {
        let jobs = parts.into_iter().map(|part| {
            let order = Some(id.to_string());
            if part.remove {
                return Job { order, ..Job::removal(part.entry.name) };
            }
            let mut job = Job { order, link: Some(part.link), ..Job::new(part.entry) };
            job.offer(part.beside);
            job
        });
        let remarks = self.remarks.len();
        if self.add(jobs.collect()) {
            return Ok(());
        }
        self.remarks.truncate(remarks);
        Err("too many installs are pending".to_string())
    }

    /// A server that gives another order has closed the one before: of that, what was not begun is not done.
    fn drop_superseded(&mut self, origin: &str) {
        for id in self.ids(|order| order.origin == origin) {
            self.cancel_order(&id);
        }
    }

    fn ids(&self, is_meant: impl Fn(&Numbered) -> bool) -> Vec<String> {
        self.numbered().iter().filter(|order| is_meant(order)).map(|order| order.id.clone()).collect()
    }

    /// Drops an order of which nothing was begun; `false` where something was, or where it is not known.
    pub fn cancel_order(&mut self, id: &str) -> bool {
        let is_of = |job: &Job| job.order.as_deref() == Some(id);
        let its = || self.jobs.iter().filter(|job| is_of(job));
        // What failed before its script was begun has changed nothing. Where nothing else is left of the order, its end is told.
        let has_failed = |job: &Job| job.state == InstallState::Failed && job.attempts == 0;
        let is_over = its().next().is_some() && its().all(|job| job.state.is_terminal());
        if is_over || !its().all(|job| job.is_unbegun() || has_failed(job)) {
            return false;
        }
        self.jobs.retain(|job| !is_of(job));
        self.forget_order(id);
        true
    }

    /// Drops what has ended, since its end is known. What was only to be downloaded stays for an order to come.
    pub fn end_is_known(&mut self, id: &str) {
        self.jobs.retain(|job| job.order.as_deref() != Some(id) || !job.state.is_terminal());
        self.forget_order(id);
    }

    fn forget_order(&mut self, id: &str) {
        if let Some(orders) = &mut self.orders {
            orders.retain(|order| order.id != id);
            if orders.is_empty() {
                self.orders = None;
            }
        }
    }

    /// Drops what other backends have ordered, as far as nothing of it is under way: they are not configured any more, and nobody is
    /// told. `true` where the journal has changed.
    pub fn drop_orphans(&mut self, origin: &str) -> bool {
        let ids = self.ids(|order| order.origin != origin);
        let before = (self.jobs.len(), ids.len());
        for id in &ids {
            let is_of = |job: &Job| job.order.as_deref() == Some(id);
            if !self.cancel_order(id) && self.jobs.iter().filter(|job| is_of(job)).all(|job| job.state.is_terminal()) {
                self.end_is_known(id);
            }
        }
        before != (self.jobs.len(), self.numbered().iter().filter(|order| order.origin != origin).count())
    }

    /// Gives up what other backends than `origin` have ordered, which do not answer: of their numbered orders and, with `texts`, of those
    /// by text, all is dropped that is not under way. `true` where the journal has changed.
    pub fn give_up(&mut self, origin: &str, texts: bool) -> bool {
        let ids = self.ids(|order| order.origin != origin);
        let is_theirs = |job: &Job| match &job.order {
            Some(id) => ids.contains(id),
            None => texts && job.file.is_none(),
        };
        let rests = |job: &Job| job.state.is_terminal() || job.is_unbegun();
        let before = self.clone();
        self.jobs.retain(|job| !(is_theirs(job) && rests(job)));
        for id in ids {
            if self.jobs.iter().all(|job| job.order.as_deref() != Some(&id)) {
                self.forget_order(&id);
            }
        }
        if texts {
            self.remarks.clear();
            self.logs = None;
            self.cleared();
        }
        *self != before
    }

    /// Where the numbered orders of a backend stand.
    #[must_use]
    pub fn standings(&self, origin: &str) -> Vec<Standing> {
        let mine = self.numbered().iter().filter(|order| order.origin == origin);
        mine.map(|order| Standing { id: order.id.clone(), until: order.until(), stage: self.stage(order) }).collect()
    }

    fn stage(&self, order: &Numbered) -> Stage {
        let jobs: Vec<&Job> = self.jobs.iter().filter(|job| job.order.as_deref() == Some(&order.id)).collect();
        if !jobs.iter().all(|job| job.state.is_terminal() || self.is_held(job)) {
            return Stage::Open;
        }
        let failed = jobs.iter().any(|job| job.state.is_terminal() && job.state != InstallState::Done);
        let held = jobs.iter().any(|job| !job.state.is_terminal());
        if held && !(failed && order.until() == Until::Downloaded) {
            let bit = Progress::Downloaded as u32;
            return Stage::Downloaded(order.told & bit != 0);
        }
        Stage::Ended(end(order, &jobs))
    }
}

/// What is told of an order that has ended: the verdicts first, for they are what counts where only the first lines are kept.
fn end(order: &Numbered, jobs: &[&Job]) -> End {
    let mut lines: Vec<String> = order.fault.iter().map(|fault| ["[gwe] failed: ", fault].concat()).collect();
    // Superseded before anything was begun: nobody waits for this end, but it must not be a success.
    if jobs.is_empty() && order.fault.is_none() && order.logs.is_none() {
        lines.push("[gwe] failed: another order came in its place".to_string());
    }
    lines.extend(jobs.iter().map(|job| job.verdict.clone()).filter(|verdict| !verdict.is_empty()));
    for job in jobs {
        lines.extend(job.remarks.iter().cloned());
        let output: Vec<&str> = job.output.lines().collect();
        lines.extend(output.iter().skip(output.len().saturating_sub(OUTPUT_LINES)).map(|line| line.to_string()));
    }
    let is_nothing = jobs.is_empty() && order.logs.is_none();
    let success = !is_nothing && order.fault.is_none() && jobs.iter().all(|job| job.state == InstallState::Done);
    let first = jobs.iter().find(|job| job.state != InstallState::Done && job.state.is_terminal());
    let code = match first {
        _ if success => 0,
        Some(job) if job.state == InstallState::RolledBack => ROLLED_BACK,
        Some(job) => job.code.unwrap_or(INSTALL),
        None => ORDER,
    };
    End { success, code, lines, logs: order.logs.clone() }
}

/// A name of an app in it, such as `signage`, says nothing.
fn is_of_signature(reason: &str) -> bool {
    let begins =
        ["its signature", "it is signed", "it is not signed", "no trusted key", "this image trusts no root key"];
    begins.iter().any(|begin| reason.starts_with(begin))
}

/// The number of a failure, by where it happened and what was said.
#[must_use]
pub fn code_of(state: InstallState, reason: &str) -> u32 {
    match state {
        _ if reason.starts_with(FAILED_BEFORE) => ORDER,
        _ if reason.contains("disk is full") || reason.contains("no free inodes") => SPACE,
        InstallState::Requested => ORDER,
        // Checked when it is here, and once more when its moment comes.
        InstallState::Downloading | InstallState::Verified if is_of_signature(reason) => SIGNATURE,
        InstallState::Downloading => DOWNLOAD,
        _ => INSTALL,
    }
}

#[cfg(test)]
mod tests;
