//! When the queued points are sent, and when the loop must look again.

use std::time::Duration;

use super::{CourierOrder, Moment, Purpose, Service};
use crate::queue::forward::wire::{Batch, Errand, Share};
use crate::queue::stamp;
use crate::queue::store::state::Boot;

impl Service {
    /// Starts a batch when one is due: for all devices that can be served.
    pub(super) fn start_batch(&mut self, moment: Moment) {
        let is_due = self.batch_at().is_some_and(|at| at <= moment.since_boot);
        if !is_due || self.is_collecting() || !self.staged.is_empty() {
            return;
        }
        if self.has_unplaced_boots() {
            self.start(Errand::Time, moment);
            return;
        }
        let ids: Vec<u64> = self.serveable().filter(|id| self.device_at(*id) <= moment.since_boot).collect();
        let Some(store) = &mut self.store else { return };
        let Some(extent) = store.begin_pass(&mut ids.iter().copied()) else { return };
        let state = store.state().clone();
        let share = |id: &u64| {
            let cursor = state.cursor(*id)?;
            Some(Share { who: self.who(*id)?, from: cursor.from, last: cursor.last })
        };
        let shares: Vec<Share> = ids.iter().filter_map(share).collect();
        let quantity = self.settings.batch_qty();
        self.batch_due = None;
        self.start(Errand::Batch(Batch { extent, quantity, shares, boots: state.boots }), moment);
    }

    fn is_collecting(&self) -> bool {
        self.errands.iter().any(|e| matches!(e.purpose, Purpose::Batch | Purpose::Time))
    }

    /// Devices with points queued whose identity is known. (Points of one whose identity was lost wait until an app names it.)
    fn serveable(&self) -> impl Iterator<Item = u64> + '_ {
        let cursors = self.store.as_ref().map_or(&[][..], |store| &store.state().cursors);
        cursors.iter().map(|c| c.identity).filter(|id| self.identities.get(*id).is_some())
    }

    /// When the next batch can start; `None`: nothing is queued that could go.
    fn batch_at(&self) -> Option<Duration> {
        let device = self.serveable().map(|id| self.device_at(id)).min()?;
        let due = self.batch_due.unwrap_or_default();
        Some(due.max(self.link.retry.at()).max(device))
    }

    /// After a batch: what is queued by now is due a period later, or as soon as what stopped it lets it.
    pub(super) fn batch_over(&mut self, moment: Moment) {
        let is_stopped = self.link.retry.is_failing();
        let period = if is_stopped { Duration::ZERO } else { self.settings.batch_record_period() };
        let due = moment.since_boot.saturating_add(period);
        // A write that was queued meanwhile is due at once.
        self.batch_due = Some(self.batch_due.map_or(due, |at| at.min(due)));
        if self.store.as_ref().map_or(true, |store| store.state().cursors.is_empty()) {
            self.batch_due = None;
        }
    }

    fn has_unplaced_boots(&self) -> bool {
        self.boots().iter().any(|boot| boot.began.is_none())
    }

    fn boots(&self) -> &[Boot] {
        self.store.as_ref().map_or(&[], |store| &store.state().boots)
    }

    /// Places the boots in time as soon as it is known when this one began: durably, before any of their points is sent.
    pub(super) fn place_boots(&mut self, moment: Moment) {
        if !self.has_unplaced_boots() {
            return;
        }
        self.clock.look(moment.now);
        let Some(began) = self.clock.began() else { return };
        let placed = stamp::place(self.boots(), self.clock.boot(), began);
        let Some(store) = &mut self.store else { return };
        for boot in placed {
            if let Err(e) = store.set_boot(boot) {
                crate::warning!("{e}; the time of some points will be worked out again");
            }
        }
        crate::info!("the time is known: queued points get theirs");
    }

    /// Ends errands that say nothing.
    pub(super) fn end_errands(&mut self, moment: Moment) {
        let late: Vec<u64> =
            self.errands.iter().filter(|e| e.deadline <= moment.since_boot).map(|e| e.number).collect();
        for number in late {
            crate::warning!("a forwarding process said nothing for too long, and was ended");
            self.orders.push(CourierOrder::End(number));
            self.over(number, moment);
        }
    }

    /// When [`Service::tick`] must be called at the latest, in time since boot; `None`: nothing is to be done.
    #[must_use]
    pub fn deadline(&self, now: Duration) -> Option<Duration> {
        let waiting = self.waiting.iter().map(|w| w.deadline).min();
        let errands = self.errands.iter().map(|e| e.deadline).min();
        let batch = self.batch_at().filter(|_| !self.is_collecting());
        [waiting, errands, batch, self.activation_at(now)].into_iter().flatten().min()
    }

    /// When a device that wants a CIK, and has nothing queued, may be tried next.
    fn activation_at(&self, now: Duration) -> Option<Duration> {
        let wants = self.identities.all().iter().filter(|k| k.cik.is_none() && !self.is_queued(k.id));
        let at = wants.map(|k| self.device_at(k.id).max(self.link.retry.at())).min()?;
        // One that is due and not started waits for an errand to end, which wakes the loop.
        (at > now).then_some(at)
    }
}
