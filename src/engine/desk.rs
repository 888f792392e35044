//! The gateway's books as a source of orders sees them ([`Ledger`]): the journal, and the facts for its reports.

use std::cell::OnceCell;

use super::{facts, falls, tails};
use crate::install::gateway::Gateway;
use crate::install::status;
use crate::orders::logs::Wish;
use crate::orders::{Failed, Kind, Ledger, Order, Progress, Standing};

/// The books of one backend.
pub struct Desk<'d, 'g> {
    /// What they are kept in.
    pub gateway: &'d mut Gateway<'g>,
    /// Which backend: its numbered orders are known by this.
    pub origin: &'static str,
    /// Whether it may give orders.
    pub takes_orders: bool,
    /// What has fallen, once that was looked for.
    pub fallen: OnceCell<Vec<(String, String)>>,
}

impl Ledger for Desk<'_, '_> {
    fn reports(&self) -> [String; 3] {
        let config = self.gateway.config;
        [facts::device_info(config.paths()), facts::engine_report(self.gateway), facts::usage_report(config)]
    }

    fn attributes(&self) -> Vec<(String, String)> {
        facts::attributes(self.gateway, self.fallen.get_or_init(|| falls::fallen(self.gateway)))
    }

    fn takes_orders(&self) -> bool {
        self.takes_orders
    }

    fn report(&self) -> Option<String> {
        let journal = &self.gateway.journal;
        journal.is_reportable().then(|| status::text(&journal.for_report()))
    }

    fn reported(&mut self) -> Result<(), Failed> {
        self.gateway.journal.reported();
        Ok(self.gateway.save_journal()?)
    }

    fn shorten_report(&mut self) -> Result<(), Failed> {
        self.gateway.journal.shorten_report();
        Ok(self.gateway.save_journal()?)
    }

    fn take_text(&mut self, text: &str) -> Result<(), Failed> {
        let Gateway { journal, config, supervisor, registry, .. } = &mut *self.gateway;
        if journal.take_request(text, &|wishes| tails::answer(config, supervisor, registry, wishes)) {
            self.gateway.save_journal()?;
        }
        Ok(())
    }

    fn text_cleared(&mut self) -> Result<(), Failed> {
        if self.gateway.journal.cleared() {
            self.gateway.save_journal()?;
        }
        Ok(())
    }

    fn text_not_cleared(&mut self, failed: Failed) -> Result<(), Failed> {
        let journal = &mut self.gateway.journal;
        let before = journal.clearings;
        let goes_on = journal.not_cleared(&failed.why, failed.kind == Kind::Permanent);
        if journal.clearings != before {
            self.gateway.save_journal()?;
        }
        if !goes_on {
            return Err(failed);
        }
        crate::warning!("engine_fetch is not cleared: {failed}");
        Ok(())
    }

    fn remark(&mut self, line: &str) -> Result<(), Failed> {
        self.gateway.journal.remark(line);
        Ok(self.gateway.save_journal()?)
    }

    fn orders(&self) -> Vec<Standing> {
        self.gateway.journal.standings(self.origin)
    }

    fn take(&mut self, order: Order) -> Result<(), Failed> {
        let Gateway { journal, config, supervisor, registry, .. } = &mut *self.gateway;
        let tails = |wishes: &[Wish]| tails::answer(config, supervisor, registry, wishes);
        if journal.take_order(self.origin, order, &tails) {
            self.gateway.save_journal()?;
        }
        Ok(())
    }

    fn cancel(&mut self, id: &str) -> Result<bool, Failed> {
        let dropped = self.gateway.journal.cancel_order(id);
        if dropped {
            self.gateway.save_journal()?;
        }
        Ok(dropped)
    }

    fn told_downloaded(&mut self, id: &str) -> Result<(), Failed> {
        if self.gateway.journal.tell(id, Progress::Downloaded as u32) {
            self.gateway.save_journal()?;
        }
        Ok(())
    }

    fn end_is_known(&mut self, id: &str) -> Result<(), Failed> {
        self.gateway.journal.end_is_known(id);
        Ok(self.gateway.save_journal()?)
    }
}
