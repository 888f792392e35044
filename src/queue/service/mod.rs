//! The queue's decisions: what becomes of each request, what is sent when, and what is made of the outcome.
//!
//! Nothing here waits, reads a clock, or starts a process: the [server](super::server) brings requests, the time and reports, and
//! carries out the orders. So all of it is tested by calling it.
//!
//! A write is sent at once and answered when the platform has it; flash is not touched. Only when that fails, or takes longer
//! than [`PATIENCE`], or something of the same alias is queued already, it is stored and then answered: a gateway with a good
//! link does not wear its flash, and one with a bad link does not keep its apps waiting.

mod dispatch;
mod live;
mod reports;
pub mod status;
mod storing;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::backoff::Retry;
use super::forward::wire::Errand;
use super::http::answer::AppAnswer;
use super::http::route::AppCall;
use super::identities::{Identities, NotTaken};
use super::identity::DeviceIdentity;
use super::nap::NapRecord;
use super::settings::QueueSettings;
use super::stamp::{BootClock, ClockReading};
use super::store::Store;
use crate::config::Paths;
use live::WaitingApp;
use storing::Aliases;

/// How long an app waits for the platform, before what it wrote is stored instead.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Writes and activations under way at once.
const MAX_LIVE: usize = 4;
/// Apps that wait for the platform at once; more are served from the store.
const MAX_WAITING: usize = 64;
/// An errand that says nothing for so long is ended. Longer than any request of the device client may take.
const ERRAND_LIMIT: Duration = Duration::from_secs(120);
/// After a failed link, the first and the longest time until it is tried again.
const LINK_RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));
/// The same for a device that the platform does not serve at present.
const DEVICE_RETRY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3600));
/// After the store could not be opened.
const OPEN_AGAIN: Duration = Duration::from_secs(10);

/// Where an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnAddress {
    /// The connection.
    pub connection: u64,
    /// The request's place on it.
    pub place: u64,
}

/// Looks up the local user behind a request; `None`: the kernel does not tell.
pub type UserLookup<'a> = &'a dyn Fn() -> Option<u32>;

/// The time, as the server reads it for each turn of its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time since boot: all intervals run on it.
    pub since_boot: Duration,
    /// The clocks, for stamping points.
    pub now: ClockReading,
}

/// What the server is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CourierOrder {
    /// Start a forwarding process for the errand of that number.
    Start(u64, Errand),
    /// End it.
    End(u64),
}

/// The queue.
pub struct Service {
    paths: Paths,
    settings: QueueSettings,
    identities: Identities,
    store: Option<Store>,
    /// Why there is none, and when it is tried again.
    store_error: String,
    open_at: Duration,
    clock: BootClock,
    link: Reach,
    devices: Vec<Device>,
    waiting: Vec<WaitingApp>,
    errands: Vec<UnderWay>,
    next_errand: u64,
    /// Whose points are staged, to be answered when they are durable.
    staged: Vec<ReturnAddress>,
    answers: Vec<(ReturnAddress, AppAnswer)>,
    orders: Vec<CourierOrder>,
    /// When the queued points are due.
    batch_due: Option<Duration>,
    refused: u64,
    is_stopping: bool,
    random: fn() -> u64,
}

/// Whether something can be sent to, or when it is tried again.
#[derive(Clone, Debug, Default)]
struct Reach {
    retry: Retry,
    reason: String,
}

/// What is known of a device beside its identity.
struct Device {
    id: u64,
    line: Reach,
    aliases: Aliases,
}

/// An errand that a process is on.
struct UnderWay {
    number: u64,
    purpose: Purpose,
    deadline: Duration,
    /// It has said what came of it.
    is_settled: bool,
}

/// What an errand is for, and for which device: what the service keeps of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Write(u64),
    Activate(u64),
    Time,
    Batch,
}

impl Purpose {
    fn of(errand: &Errand) -> Purpose {
        match errand {
            Errand::Write(who, _) => Purpose::Write(who.id),
            Errand::Activate(who) => Purpose::Activate(who.id),
            Errand::Time => Purpose::Time,
            Errand::Batch(_) => Purpose::Batch,
        }
    }
}

impl Service {
    /// Opens the queue of a gateway. `boot`: see [`super::stamp::tag`]; `random`: for jitter.
    #[must_use]
    pub fn new(paths: Paths, boot: u32, moment: Moment, random: fn() -> u64) -> Service {
        let folder = paths.queue();
        let mut service = Service {
            settings: QueueSettings::load(&paths),
            identities: Identities::load(&folder),
            paths,
            store: None,
            store_error: String::new(),
            open_at: Duration::ZERO,
            clock: BootClock::new(boot, None),
            link: Reach::default(),
            devices: Vec::new(),
            waiting: Vec::new(),
            errands: Vec::new(),
            next_errand: 0,
            staged: Vec::new(),
            answers: Vec::new(),
            orders: Vec::new(),
            batch_due: None,
            refused: 0,
            is_stopping: false,
            random,
        };
        service.settings.problems().iter().for_each(|problem| crate::error!("{problem}"));
        service.open_store(moment);
        if let Some(store) = &service.store {
            let state = store.state();
            service.clock = BootClock::new(boot, state.boots.iter().find(|b| b.tag == boot).and_then(|b| b.began));
            if !state.cursors.is_empty() {
                crate::info!("{} points are queued", state.queued());
                // Gateways that come back from the same power cut do not upload in the same moment.
                let period = u64::try_from(service.settings.batch_record_period().as_millis()).unwrap_or(u64::MAX);
                let spread = Duration::from_millis((service.random)() % period.saturating_add(1));
                service.batch_due = Some(moment.since_boot.saturating_add(spread));
            }
        }
        service
    }

    /// Takes a request. Its answer comes from [`Service::take_answers`], now or later. `user`: who sent it, for what needs to know.
    pub fn request(&mut self, token: ReturnAddress, call: AppCall, user: UserLookup<'_>, moment: Moment) {
        self.clock.look(moment.now);
        let answer = match call {
            AppCall::Status => Some(AppAnswer::json(self.status(moment).to_json())),
            AppCall::Reread => {
                self.reread();
                Some(AppAnswer::done())
            }
            AppCall::Write(identity, values) => {
                self.identify(identity, user).map_or_else(Some, |id| self.write(token, id, values, moment))
            }
            AppCall::Record(identity, points) => {
                self.identify(identity, user).map_or_else(Some, |id| self.record(token, id, points, moment))
            }
            AppCall::Activate(vms) => {
                let identity = DeviceIdentity::Vms(vms);
                self.identify(identity, user).map_or_else(Some, |id| self.activate(token, id, user, moment))
            }
        };
        if let Some(answer) = answer {
            self.answers.push((token, answer));
        }
    }

    /// Reads both configuration files again.
    pub fn reread(&mut self) {
        self.settings = QueueSettings::load(&self.paths);
        crate::sys::log::set_level(self.settings.log_level());
        self.settings.problems().iter().for_each(|problem| crate::error!("{problem}"));
        if let Some(store) = &mut self.store {
            store.set_limits(self.settings.limits());
        }
        crate::info!("read the configuration again");
    }

    /// Does what the time asks for: gives up waiting, starts errands.
    pub fn tick(&mut self, moment: Moment) {
        self.place_boots(moment);
        self.end_waiting(moment);
        self.end_errands(moment);
        if !self.is_stopping {
            self.start_live(moment);
            self.start_batch(moment);
        }
    }

    /// Makes durable what was staged since the last commit, and answers it.
    pub fn commit(&mut self) {
        let result = self.store.as_mut().map_or(Ok(()), Store::commit);
        for token in std::mem::take(&mut self.staged) {
            let answer = match &result {
                Ok(()) => AppAnswer::done(),
                Err(e) => AppAnswer::error(503, &e.to_string()),
            };
            self.answers.push((token, answer));
        }
        if let Err(e) = result {
            crate::error!("{e}; what came in was refused");
            self.refused += 1;
        }
    }

    /// The answers that are ready.
    pub fn take_answers(&mut self) -> Vec<(ReturnAddress, AppAnswer)> {
        std::mem::take(&mut self.answers)
    }

    /// What the server is to do.
    pub fn take_orders(&mut self) -> Vec<CourierOrder> {
        std::mem::take(&mut self.orders)
    }

    /// Prepares what will be needed next: to be called when the answers are out.
    pub fn prepare(&mut self, moment: Moment) {
        if let Some(store) = &mut self.store {
            store.prepare_ahead(moment.since_boot);
        }
    }

    /// Whether an errand is under way: ending it may cost a CIK, which the platform gives once.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.errands.is_empty()
    }

    /// Whether nothing is to be done, now or at any time, and nothing is known that is neither on disk nor [kept](Service::kept).
    #[must_use]
    pub fn is_idle(&self, now: Duration) -> bool {
        let is_empty = self.store.as_ref().is_some_and(|store| store.state().cursors.is_empty());
        let lines = self.devices.iter().map(|device| &device.line).chain([&self.link]);
        is_empty
            && self.waiting.is_empty()
            && self.errands.is_empty()
            && self.staged.is_empty()
            && self.answers.is_empty()
            && self.orders.is_empty()
            && !self.is_stopping
            && self.identities.is_saved()
            && self.identities.all().iter().all(|known| known.cik.is_some())
            && lines.into_iter().all(|line| !line.retry.is_failing())
            && self.deadline(now).is_none()
    }

    /// Leaves the store in order before a nap; whether it would be found as it is.
    pub fn is_settled(&mut self) -> bool {
        self.store.as_mut().is_some_and(Store::is_settled)
    }

    /// What the disk does not tell.
    #[must_use]
    pub fn kept(&self) -> NapRecord {
        let forwarded = self.store.as_ref().map_or(0, |store| store.state().counters.forwarded);
        NapRecord { refused: self.refused, forwarded, began: self.clock.began() }
    }

    /// Takes back what was kept, in the same boot.
    pub fn restore(&mut self, kept: NapRecord) {
        self.refused = kept.refused;
        if let Some(store) = &mut self.store {
            store.know_forwarded(kept.forwarded);
        }
        self.clock = BootClock::new(self.clock.boot(), kept.began);
    }

    /// Starts nothing any more; whoever waits for the platform is served from the store.
    pub fn stop(&mut self, moment: Moment) {
        self.is_stopping = true;
        while let Some(id) = self.waiting.first().map(|w| w.id) {
            self.queue_waiting(id, moment);
        }
    }

    /// Leaves the store in order.
    pub fn shut_down(&mut self) {
        if let Some(store) = &mut self.store {
            store.flush_state();
        }
    }

    /// The id of an identity; a new one is written down first. An app that names one again finds it without a write.
    fn identify(&mut self, identity: DeviceIdentity, user: UserLookup<'_>) -> Result<u64, AppAnswer> {
        if let Some(known) = self.identities.find(&identity) {
            return Ok(known.id);
        }
        let (shown, user) = (identity.to_string(), user());
        let mut added = self.add(identity.clone(), user);
        if matches!(added, Err(NotTaken::TooMany)) && self.make_room(user) {
            added = self.add(identity, user);
        }
        match added {
            Ok(id) => {
                crate::info!("new device: {shown}");
                Ok(id)
            }
            Err(e) => {
                self.refused += 1;
                if let NotTaken::File(_) = &e {
                    crate::error!("{e}");
                }
                Err(AppAnswer::error(503, &e.to_string()))
            }
        }
    }

    fn add(&mut self, identity: DeviceIdentity, user: Option<u32>) -> Result<u64, NotTaken> {
        let (store, waiting) = (&self.store, &self.waiting);
        let is_idle = |id: u64| {
            store.as_ref().map_or(true, |s| s.state().cursor(id).is_none()) && waiting.iter().all(|w| w.id != id)
        };
        self.identities.add(identity, user, &is_idle)
    }

    /// Gives up what a user who crowds out all others has queued for one device that the platform never accepted. Not while an errand
    /// is under way, which may be about that one.
    fn make_room(&mut self, user: Option<u32>) -> bool {
        let Some(id) = self.identities.crowding(user).filter(|_| !self.is_busy()) else { return false };
        let Some(store) = &mut self.store else { return false };
        match store.give_up(id) {
            Ok(points) => crate::warning!("{} gives way to a new device, with {points} points", self.name(id)),
            Err(e) => crate::error!("{e}"),
        }
        true
    }

    fn device(&mut self, id: u64) -> &mut Device {
        let place = self.devices.iter().position(|d| d.id == id).unwrap_or_else(|| {
            // One that is known no more holds no place.
            let identities = &self.identities;
            self.devices.retain(|d| identities.get(d.id).is_some());
            let aliases = Aliases::at_start(self.store.as_ref().is_some_and(|s| s.state().cursor(id).is_some()));
            self.devices.push(Device { id, line: Reach::default(), aliases });
            self.devices.len() - 1
        });
        &mut self.devices[place]
    }

    /// When a device may be tried, in time since boot; zero: at once.
    fn device_at(&self, id: u64) -> Duration {
        self.devices.iter().find(|d| d.id == id).map_or(Duration::ZERO, |d| d.line.retry.at())
    }
}

impl Reach {
    fn succeeded(&mut self) {
        if self.retry.is_failing() {
            *self = Reach::default();
        }
    }

    fn failed(
        &mut self,
        reason: String,
        asked: Option<Duration>,
        (first, longest): (Duration, Duration),
        now: Duration,
        random: u64,
    ) {
        self.retry.failed(now, first, longest, asked, random);
        self.reason = reason;
    }
}
