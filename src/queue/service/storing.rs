//! What goes into the store, and which aliases have something in it.

use super::{ReturnAddress, Service, LINK_RETRY, OPEN_AGAIN};
use crate::queue::http::answer::AppAnswer;
use crate::queue::http::route::SentPoint;
use crate::queue::point::Point;
use crate::queue::service::Moment;
use crate::queue::store::Store;

/// Aliases of a device that are told apart; beyond that, any counts as queued.
const MAX_ALIASES: usize = 32;

/// The aliases of a device that have points in the store: a write of one of them must not overtake those.
#[derive(Debug)]
pub(super) enum Aliases {
    /// By their checksums. Two that share one only make a write wait that need not.
    These(Vec<u32>),
    /// It is not known which.
    Any,
}

impl Aliases {
    pub(super) fn at_start(has_points: bool) -> Aliases {
        if has_points {
            Aliases::Any
        } else {
            Aliases::These(Vec::new())
        }
    }

    fn add(&mut self, alias: &str) {
        let Aliases::These(sums) = self else { return };
        let sum = crc32fast::hash(alias.as_bytes());
        if sums.contains(&sum) {
            return;
        }
        if sums.len() >= MAX_ALIASES {
            *self = Aliases::Any;
        } else {
            sums.push(sum);
        }
    }

    pub(super) fn contains(&self, alias: &str) -> bool {
        match self {
            Aliases::These(sums) => sums.contains(&crc32fast::hash(alias.as_bytes())),
            Aliases::Any => true,
        }
    }
}

impl Service {
    pub(super) fn record(
        &mut self,
        token: ReturnAddress,
        id: u64,
        points: Vec<SentPoint>,
        moment: Moment,
    ) -> Option<AppAnswer> {
        let clock = self.clock;
        let point = |(alias, claimed, value)| Point { alias, value, time: clock.stamp(Some(claimed), moment.now) };
        let points: Vec<Point> = points.into_iter().map(point).collect();
        let answer = self.stage(token, id, &points, moment);
        let due = moment.since_boot.saturating_add(self.settings.batch_record_period());
        self.batch_due.get_or_insert(due);
        answer
    }

    /// Stages points; the answer comes with the next commit unless they are refused now.
    pub(super) fn stage(
        &mut self,
        token: ReturnAddress,
        id: u64,
        points: &[Point],
        moment: Moment,
    ) -> Option<AppAnswer> {
        self.open_store(moment);
        // Before anything is staged: what is known of its aliases is exact from then on.
        self.device(id);
        let Some(store) = &mut self.store else {
            self.refused += 1;
            return Some(AppAnswer::error(503, &["the queue cannot be opened: ", &self.store_error].concat()));
        };
        if let Err(e) = store.stage(id, points) {
            self.refused += 1;
            crate::debug!("refused: {e}");
            return Some(AppAnswer::error(503, &e.to_string()));
        }
        let aliases = &mut self.device(id).aliases;
        points.iter().for_each(|point| aliases.add(&point.alias));
        self.staged.push(token);
        None
    }

    /// Opens the store unless it is open, or was tried a moment ago.
    pub(super) fn open_store(&mut self, moment: Moment) {
        if self.store.is_some() || moment.since_boot < self.open_at {
            return;
        }
        match Store::open(&self.paths.queue(), self.settings.limits()) {
            Ok(store) => self.store = Some(store),
            Err(e) => {
                crate::error!("{e}; nothing can be queued");
                self.store_error = e.to_string();
                self.open_at = moment.since_boot.saturating_add(OPEN_AGAIN);
            }
        }
    }

    /// Once nothing of a device is queued, none of its aliases is.
    pub(super) fn forget_aliases(&mut self, id: u64) {
        if self.store.as_ref().map_or(true, |store| store.state().cursor(id).is_none()) {
            self.device(id).aliases = Aliases::at_start(false);
        }
    }

    /// The link has failed: for how long nothing is sent.
    pub(super) fn link_failed(&mut self, reason: String, asked: Option<std::time::Duration>, moment: Moment) {
        if !self.link.retry.is_failing() {
            crate::warning!("{reason}; what comes in is queued");
        } else {
            crate::debug!("{reason}");
        }
        let random = (self.random)();
        self.link.failed(reason, asked, LINK_RETRY, moment.since_boot, random);
    }

    /// The link works.
    pub(super) fn link_succeeded(&mut self) {
        if self.link.retry.is_failing() {
            crate::info!("the platform is back");
        }
        self.link.succeeded();
    }
}
