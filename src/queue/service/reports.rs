//! What is made of what the forwarding processes report.

use super::live::{WaitingApp, Want};
use super::{Moment, Purpose, Service, DEVICE_RETRY, ERRAND_LIMIT};
use crate::config::Cik;
use crate::queue::forward::wire::CourierReport;
use crate::queue::http::answer::AppAnswer;

impl Service {
    /// Takes a report of an errand.
    pub fn report(&mut self, number: u64, report: CourierReport, moment: Moment) {
        let Some(errand) = self.errands.iter_mut().find(|e| e.number == number) else { return };
        errand.deadline = moment.since_boot.saturating_add(ERRAND_LIMIT);
        errand.is_settled = true;
        let purpose = errand.purpose;
        match report {
            CourierReport::Activated(id, cik) => self.activated(id, cik),
            CourierReport::Written => {
                self.link_succeeded();
                self.written(purpose, AppAnswer::done());
            }
            CourierReport::Refused(why) => {
                self.link_succeeded();
                crate::warning!("{why}; the values are set aside");
                self.written(purpose, AppAnswer::error(400, &why));
            }
            // The write is queued when the errand is over, and is due at once.
            CourierReport::Late => {}
            CourierReport::Gone { id, through, forwarded, aside } => self.gone(id, through, forwarded, aside),
            CourierReport::End(id) => {
                if let (Purpose::Batch, Some(store)) = (purpose, &mut self.store) {
                    store.end_pass(id);
                    self.forget_aliases(id);
                }
            }
            CourierReport::Held(id, why, asked) => {
                crate::warning!("{}: {why}", self.name(id));
                let random = (self.random)();
                self.device(id).line.failed(why, asked, DEVICE_RETRY, moment.since_boot, random);
            }
            CourierReport::Link(why, asked) => self.link_failed(why, asked, moment),
            CourierReport::Time(Some(unix)) => {
                self.link_succeeded();
                self.clock.told(unix, moment.now);
            }
            CourierReport::Time(None) => {
                self.link_succeeded();
                self.clock.not_told(moment.now);
            }
            CourierReport::Damaged(segment, lost) => {
                if let Some(store) = &mut self.store {
                    store.damaged(segment, lost);
                }
            }
        }
    }

    /// An errand has ended. What waited for it and got no answer is queued.
    pub fn over(&mut self, number: u64, moment: Moment) {
        let Some(place) = self.errands.iter().position(|e| e.number == number) else { return };
        let errand = self.errands.remove(place);
        if !errand.is_settled {
            self.link_failed("a forwarding process ended without a word".to_string(), None, moment);
        }
        match errand.purpose {
            Purpose::Write(id) => {
                let is_left = self.waiting.iter().any(|w| w.id == id && w.is_under_way);
                if is_left {
                    self.queue_waiting(id, moment);
                }
            }
            Purpose::Activate(id) => {
                if self.identities.get(id).map_or(true, |known| known.cik.is_none()) {
                    self.queue_waiting(id, moment);
                }
            }
            Purpose::Batch => self.batch_over(moment),
            Purpose::Time => {
                self.place_boots(moment);
                if self.clock.began().is_none() && !self.link.retry.is_failing() {
                    let why = "neither the clock nor the platform tells the time, which queued points need".to_string();
                    self.link_failed(why, None, moment);
                }
            }
        }
        if self.link.retry.is_failing() {
            self.queue_all_waiting(moment);
        }
    }

    fn activated(&mut self, id: u64, cik: Cik) {
        self.link_succeeded();
        crate::info!("{} is activated: {cik}", self.name(id));
        if let Err(e) = self.identities.set_cik(id, cik.clone()) {
            crate::error!("{e}; the CIK is lost at the next restart");
        }
        self.device(id).line.succeeded();
        let answers = &mut self.answers;
        self.waiting.retain(|waiting| {
            let is_answered = waiting.id == id && matches!(waiting.want, Want::Cik);
            if is_answered {
                answers.push((waiting.token, AppAnswer::text(cik.secret())));
            }
            !is_answered
        });
    }

    /// Answers the write that is under way.
    fn written(&mut self, purpose: Purpose, answer: AppAnswer) {
        let Purpose::Write(id) = purpose else { return };
        let is_it = |w: &WaitingApp| w.id == id && w.is_under_way;
        let Some(place) = self.waiting.iter().position(is_it) else {
            crate::debug!("a write succeeded that was queued meanwhile; it will be there twice");
            return;
        };
        let waiting = self.waiting.remove(place);
        if let (Want::Write(values, _), Some(store), 204) = (&waiting.want, &mut self.store, answer.status) {
            store.forwarded_at_once(u32::try_from(values.len()).unwrap_or(u32::MAX));
            self.identities.accept(id);
        }
        self.device(id).line.succeeded();
        self.answers.push((waiting.token, answer));
    }

    fn gone(&mut self, id: u64, through: u64, forwarded: u32, aside: u32) {
        self.link_succeeded();
        self.device(id).line.succeeded();
        if let Some(store) = &mut self.store {
            store.forwarded(id, through.saturating_add(1), forwarded, aside);
        }
        if forwarded > 0 {
            self.identities.accept(id);
        }
        if aside > 0 {
            crate::warning!("{}: the platform refused {aside} points; see `gmq set-aside list`", self.name(id));
        }
        self.forget_aliases(id);
    }

    pub(super) fn name(&self, id: u64) -> String {
        self.identities.get(id).map_or_else(|| "an unknown device".to_string(), |known| known.identity.to_string())
    }
}
