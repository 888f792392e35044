//! How the queue is: for `gmq status`.

use miniserde::{json, Deserialize, Serialize};

use super::{Moment, Service};
use crate::config::VERSION;
use crate::queue::stamp;
use crate::queue::store::state::StoreState;
use crate::queue::store::{Limits, WhenFull};

/// The state of the queue; the field names are those of `gmq status --json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Of the program.
    pub version: String,
    /// Whether the server runs; else this was read from the disk.
    pub running: bool,
    /// Points that wait.
    pub queued: u64,
    /// The time of the oldest of them, in unix seconds; `None`: nothing waits, or its time is not known yet.
    pub oldest: Option<u64>,
    /// Points that the platform has taken, since the queue was made.
    pub forwarded: u64,
    /// Points set aside at present: see `gmq set-aside list`.
    pub set_aside: u64,
    /// Points set aside and given up since, for want of room.
    pub set_aside_lost: u64,
    /// Points given up by `drop_oldest`.
    pub dropped: u64,
    /// Records lost to damage.
    pub damaged: u64,
    /// Requests refused since the server started.
    pub refused: u64,
    /// What the queue takes on the disk.
    pub bytes: u64,
    /// What it may take.
    pub max_bytes: u64,
    /// `refuse` or `drop_oldest`.
    pub when_full: String,
    /// Whether the platform was reached at the last try.
    pub link: bool,
    /// Why not.
    pub link_error: Option<String>,
    /// Seconds until it is tried again.
    pub link_retry: Option<u64>,
    /// Whether it is known what time it is.
    pub clock: bool,
    /// The devices.
    pub devices: Vec<DeviceStatus>,
}

/// One device of [`QueueStatus`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DeviceStatus {
    /// Vendor, model and serial number, or a masked CIK.
    pub name: String,
    /// Whether it has a CIK.
    pub activated: bool,
    /// Its points that wait.
    pub queued: u64,
    /// Why they cannot be sent.
    pub error: Option<String>,
    /// Seconds until it is tried again.
    pub retry: Option<u64>,
}

impl QueueStatus {
    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = json::to_string(self);
        text.push('\n');
        text
    }

    /// What the store alone tells.
    #[must_use]
    pub fn of_store(state: &StoreState, bytes: u64, limits: Limits) -> QueueStatus {
        QueueStatus {
            version: VERSION.to_string(),
            queued: state.queued(),
            forwarded: state.counters.forwarded,
            dropped: state.counters.dropped,
            damaged: state.counters.damaged,
            bytes,
            max_bytes: limits.max_bytes,
            when_full: match limits.when_full {
                WhenFull::Refuse => "refuse",
                WhenFull::DropOldest => "drop_oldest",
            }
            .to_string(),
            ..Default::default()
        }
    }
}

impl Service {
    /// How the queue is. (What is set aside is not its business: the command line adds it.)
    #[must_use]
    pub fn status(&self, moment: Moment) -> QueueStatus {
        let limits = self.settings.limits();
        let mut status = match &self.store {
            Some(store) => QueueStatus::of_store(store.state(), store.bytes(), limits),
            None => QueueStatus::of_store(&StoreState::default(), 0, limits),
        };
        status.running = true;
        status.refused = self.refused;
        status.link = !self.link.retry.is_failing();
        status.link_error = (!status.link).then(|| self.link.reason.clone());
        let seconds_to = |at: std::time::Duration| at.saturating_sub(moment.since_boot).as_secs();
        status.link_retry = (!status.link).then(|| seconds_to(self.link.retry.at()));
        status.clock = self.clock.began().is_some();
        status.oldest = self.oldest();
        for known in self.identities.all() {
            let line = self.devices.iter().find(|d| d.id == known.id).map(|d| &d.line);
            let line = line.filter(|line| line.retry.is_failing());
            let cursor = self.store.as_ref().and_then(|store| store.state().cursor(known.id));
            status.devices.push(DeviceStatus {
                name: known.identity.to_string(),
                activated: known.cik.is_some(),
                queued: cursor.map_or(0, |cursor| u64::from(cursor.queued)),
                error: line.map(|line| line.reason.clone()),
                retry: line.map(|line| seconds_to(line.retry.at())),
            });
        }
        status
    }

    fn oldest(&self) -> Option<u64> {
        let store = self.store.as_ref()?;
        stamp::unix(store.oldest()?.time, &store.state().boots)
    }
}
