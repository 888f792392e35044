//! Writes and activations while the app waits for them.

use std::time::Duration;

use super::{
    CourierOrder, Moment, Purpose, ReturnAddress, Service, UnderWay, UserLookup, ERRAND_LIMIT, MAX_LIVE, MAX_WAITING,
    PATIENCE,
};
use crate::queue::backoff::Retry;
use crate::queue::forward::wire::{Errand, Who};
use crate::queue::http::answer::AppAnswer;
use crate::queue::point::{Point, PointTime};

/// An app that waits for the platform.
pub(super) struct WaitingApp {
    pub(super) token: ReturnAddress,
    pub(super) id: u64,
    pub(super) want: Want,
    pub(super) deadline: Duration,
    /// Its errand is under way.
    pub(super) is_under_way: bool,
}

/// What for.
pub(super) enum Want {
    /// These values are to be written; else they are queued under this time.
    Write(Vec<(String, String)>, PointTime),
    /// The device's CIK.
    Cik,
}

impl Service {
    pub(super) fn write(
        &mut self,
        token: ReturnAddress,
        id: u64,
        values: Vec<(String, String)>,
        moment: Moment,
    ) -> Option<AppAnswer> {
        let time = self.clock.stamp(None, moment.now);
        if self.may_send_now(id, &values, moment) {
            let want = Want::Write(values, time);
            let deadline = moment.since_boot.saturating_add(PATIENCE);
            self.waiting.push(WaitingApp { token, id, want, deadline, is_under_way: false });
            return None;
        }
        self.queue_write(token, id, values, time, moment)
    }

    /// Whether a write can go now, and overtakes nothing: the link and the device work, and nothing of its aliases is queued.
    fn may_send_now(&mut self, id: u64, values: &[(String, String)], moment: Moment) -> bool {
        // After a failure what is queued goes first, and shows whether they work again. Where nothing is queued (it may be that
        // nothing can be) it is the next write that shows it.
        let may_try = |retry: Retry, is_any_queued: bool| {
            !retry.is_failing() || (!is_any_queued && retry.at() <= moment.since_boot)
        };
        let is_any_queued = self.store.as_ref().is_some_and(|store| store.state().oldest().is_some());
        let (is_queued, link) = (self.is_queued(id), self.link.retry);
        let has_room = self.waiting.len() < MAX_WAITING;
        let device = self.device(id);
        let overtakes = values.iter().any(|(alias, _)| device.aliases.contains(alias));
        has_room && !overtakes && may_try(link, is_any_queued) && may_try(device.line.retry, is_queued)
    }

    /// Queues a write under the time when it was made.
    fn queue_write(
        &mut self,
        token: ReturnAddress,
        id: u64,
        values: Vec<(String, String)>,
        time: PointTime,
        moment: Moment,
    ) -> Option<AppAnswer> {
        let points: Vec<Point> = values.into_iter().map(|(alias, value)| Point { alias, value, time }).collect();
        let answer = self.stage(token, id, &points, moment);
        // It was to go at once: only the link or the device holds it up, not the period.
        self.batch_due = Some(self.batch_due.unwrap_or(moment.since_boot).min(moment.since_boot));
        answer
    }

    pub(super) fn activate(
        &mut self,
        token: ReturnAddress,
        id: u64,
        user: UserLookup<'_>,
        moment: Moment,
    ) -> Option<AppAnswer> {
        // A device's name is no secret, its CIK is (docs/spec/failures.md, A8): who may not have it is told nothing, and need not know that
        // there is one. The device is activated all the same.
        let known = self.identities.get(id).filter(|known| known.may_be_told_to(user()));
        let Some(known) = known else { return Some(AppAnswer::done()) };
        if let Some(cik) = &known.cik {
            return Some(AppAnswer::text(cik.secret()));
        }
        let is_early = self.link.retry.at().max(self.device_at(id)) > moment.since_boot;
        if is_early || self.waiting.len() >= MAX_WAITING {
            // An attempt was made a moment ago, and the next one comes by itself.
            return Some(AppAnswer::done());
        }
        let deadline = moment.since_boot.saturating_add(PATIENCE);
        self.waiting.push(WaitingApp { token, id, want: Want::Cik, deadline, is_under_way: false });
        None
    }

    /// Starts what waits, one errand a device, and the activations that are due.
    pub(super) fn start_live(&mut self, moment: Moment) {
        let mut ids: Vec<u64> = Vec::new();
        for waiting in &self.waiting {
            if !ids.contains(&waiting.id) {
                ids.push(waiting.id);
            }
        }
        ids.extend(self.unactivated(moment));
        for id in ids {
            if self.live_errands() >= MAX_LIVE {
                return;
            }
            if !self.has_errand(id) {
                self.start_for(id, moment);
            }
        }
    }

    fn live_errands(&self) -> usize {
        self.errands.iter().filter(|e| matches!(e.purpose, Purpose::Write(_) | Purpose::Activate(_))).count()
    }

    fn has_errand(&self, id: u64) -> bool {
        self.errands.iter().any(|e| e.purpose == Purpose::Write(id) || e.purpose == Purpose::Activate(id))
    }

    /// Devices that want a CIK, though nothing of theirs is queued (else the batch gets it), and may be tried.
    fn unactivated(&self, moment: Moment) -> Vec<u64> {
        let is_due = |id: u64| self.device_at(id).max(self.link.retry.at()) <= moment.since_boot;
        let known = self.identities.all().iter().filter(|k| k.cik.is_none()).map(|k| k.id);
        known.filter(|id| !self.is_queued(*id) && is_due(*id)).collect()
    }

    pub(super) fn is_queued(&self, id: u64) -> bool {
        self.store.as_ref().is_some_and(|store| store.state().cursor(id).is_some())
    }

    fn start_for(&mut self, id: u64, moment: Moment) {
        let Some(who) = self.who(id) else { return };
        if who.cik.is_none() {
            // A batch that is under way for this device activates it.
            if !self.is_in_batch(id) {
                self.start(Errand::Activate(who), moment);
            }
            return;
        }
        let first = self.waiting.iter_mut().find(|w| w.id == id && matches!(w.want, Want::Write(..)));
        if let Some(WaitingApp { want: Want::Write(values, _), is_under_way, .. }) = first {
            *is_under_way = true;
            let errand = Errand::Write(who, values.clone());
            self.start(errand, moment);
        }
    }

    fn is_in_batch(&self, id: u64) -> bool {
        self.is_queued(id) && self.errands.iter().any(|e| matches!(e.purpose, Purpose::Batch))
    }

    pub(super) fn who(&self, id: u64) -> Option<Who> {
        let known = self.identities.get(id)?;
        Some(Who { id, identity: known.identity.clone(), cik: known.cik.clone() })
    }

    pub(super) fn start(&mut self, errand: Errand, moment: Moment) {
        let number = self.next_errand;
        self.next_errand += 1;
        let deadline = moment.since_boot.saturating_add(ERRAND_LIMIT);
        self.errands.push(UnderWay { number, purpose: Purpose::of(&errand), deadline, is_settled: false });
        self.orders.push(CourierOrder::Start(number, errand));
    }

    /// Apps that have waited long enough: what they wrote is queued, in its order; who wants a CIK is told that there is none
    /// yet. The errand goes on, since it may bring a CIK; a write of its own accord takes no longer than the apps wait.
    pub(super) fn end_waiting(&mut self, moment: Moment) {
        while let Some(place) = self.waiting.iter().position(|w| w.deadline <= moment.since_boot) {
            let id = self.waiting.get(place).map_or(0, |w| w.id);
            self.queue_waiting(id, moment);
        }
    }

    /// Ends all waiting for a device.
    pub(super) fn queue_waiting(&mut self, id: u64, moment: Moment) {
        let (theirs, others) = std::mem::take(&mut self.waiting).into_iter().partition(|w: &WaitingApp| w.id == id);
        self.waiting = others;
        let theirs: Vec<WaitingApp> = theirs;
        for WaitingApp { token, want, .. } in theirs {
            let answer = match want {
                Want::Cik => Some(AppAnswer::done()),
                Want::Write(values, time) => self.queue_write(token, id, values, time, moment),
            };
            self.answers.extend(answer.map(|answer| (token, answer)));
        }
    }

    /// Ends all waiting that no errand is under way for: the link has failed.
    pub(super) fn queue_all_waiting(&mut self, moment: Moment) {
        let is_idle = |id: u64| !self.waiting.iter().any(|w| w.id == id && w.is_under_way);
        let mut ids: Vec<u64> = self.waiting.iter().map(|w| w.id).filter(|id| is_idle(*id)).collect();
        ids.dedup();
        for id in ids {
            self.queue_waiting(id, moment);
        }
    }
}
