//! Which source gives the orders: the one place that knows that there is more than one.

use std::cell::OnceCell;

use super::desk::Desk;
use super::error::CheckInError;
use crate::config::identity::Missing;
use crate::config::{Config, Identity};
use crate::device::{Client, DeviceApi, Settings};
use crate::install::gateway::Gateway;
use crate::install::journal::Journal;
use crate::orders::{Backend, Failed};

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Exosite's Device API.
    DeviceApi,
    /// hawkBit's Direct Device Integration.
    #[cfg(feature = "ddi")]
    Ddi,
}

/// Who is in charge of a check-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    source: Source,
    takes_orders: bool,
}

impl Charge {
    /// By the settings and by what is pending.
    #[must_use]
    pub fn of(config: &Config, journal: &Journal) -> Charge {
        let chosen = Source::chosen(config);
        match chosen.other().filter(|other| other.is_owed(journal) && other.is_configured(config)) {
            // What was ordered is finished, and told to who ordered it, before another gives orders.
            Some(other) => Charge { source: other, takes_orders: false },
            None => Charge { source: chosen, takes_orders: true },
        }
    }

    /// Drops what a source has ordered that cannot be told any more; `true` where there was something.
    pub fn has_orphans(self, journal: &mut Journal) -> bool {
        self.takes_orders && journal.drop_orphans(self.source.origin())
    }

    /// Whether it may give orders.
    #[must_use]
    pub fn takes_orders(self) -> bool {
        self.takes_orders
    }

    /// Of a source that is only told the rest: the one that is set, which gives no orders before.
    #[must_use]
    pub fn successor(self) -> Option<Charge> {
        let source = self.source.other().filter(|_| !self.takes_orders)?;
        Some(Charge { source, takes_orders: false })
    }

    /// Drops what the other source has ordered and is not under way, ended or not; `true` where there was something.
    pub fn gives_up_the_other(self, journal: &mut Journal) -> bool {
        journal.give_up(self.source.origin(), self.source != Source::DeviceApi)
    }

    /// The gateway's books, as this source may see them.
    pub fn desk<'d, 'g>(self, gateway: &'d mut Gateway<'g>) -> Desk<'d, 'g> {
        Desk { gateway, origin: self.source.origin(), takes_orders: self.takes_orders, fallen: OnceCell::new() }
    }
}

impl Source {
    fn chosen(config: &Config) -> Source {
        #[cfg(feature = "ddi")]
        if config.is_ddi() {
            return Source::Ddi;
        }
        let _ = config;
        Source::DeviceApi
    }

    fn other(self) -> Option<Source> {
        #[cfg(feature = "ddi")]
        return Some(if self == Source::Ddi { Source::DeviceApi } else { Source::Ddi });
        #[cfg(not(feature = "ddi"))]
        None
    }

    /// Whether something is pending that this source has ordered.
    fn is_owed(self, journal: &Journal) -> bool {
        match self {
            // What waits for its moment may do so for long: it is told once it has ended.
            Source::DeviceApi => {
                journal.jobs.iter().any(|job| job.order.is_none() && job.file.is_none() && !job.is_waiting())
            }
            #[cfg(feature = "ddi")]
            Source::Ddi => !journal.standings(self.origin()).is_empty(),
        }
    }

    fn is_configured(self, config: &Config) -> bool {
        match self {
            Source::DeviceApi => config.cik().is_some() && Identity::of(config).is_ok(),
            #[cfg(feature = "ddi")]
            Source::Ddi => config.ddi().is_ok(),
        }
    }

    /// By which the journal knows whose an order is.
    fn origin(self) -> &'static str {
        match self {
            Source::DeviceApi => "device-api",
            #[cfg(feature = "ddi")]
            Source::Ddi => "ddi",
        }
    }
}

/// Who this gateway is for whoever gives the orders.
///
/// # Errors
/// What is missing.
pub fn identity(config: &Config) -> Result<Identity, Missing> {
    if config.is_ddi() {
        return Identity::of_ddi(config);
    }
    Identity::of(config)
}

/// Where the orders come from, for people.
#[must_use]
pub fn server(config: &Config) -> String {
    match config.ddi() {
        Ok(ddi) if config.is_ddi() => ddi.url,
        _ => config.server(),
    }
}

/// Its name, as the setting `backend` has it.
#[must_use]
pub fn name(config: &Config) -> &'static str {
    Source::chosen(config).origin()
}

/// Whether its orders have numbers: then nobody waits to be told of what has none.
#[must_use]
pub fn has_numbers(config: &Config) -> bool {
    config.is_ddi()
}

/// Whether there is something to listen to between check-ins: hawkBit has no long poll.
#[must_use]
pub fn can_be_listened_to(config: &Config) -> bool {
    !config.is_ddi()
}

/// Whether nobody has made this gateway known to its server yet: then somebody may stand beside it.
#[must_use]
pub fn is_unknown(config: &Config) -> bool {
    !config.is_ddi() && config.cik().is_none()
}

/// Does something with the source in charge.
///
/// # Errors
/// Its settings cannot work, or what was done failed.
pub fn with(
    charge: Charge,
    config: &mut Config,
    identity: &Identity,
    work: impl FnOnce(&dyn Backend) -> Result<(), CheckInError>,
) -> Result<(), CheckInError> {
    match charge.source {
        Source::DeviceApi => {
            let client = Client::new(Settings::of(config, "gwe")).map_err(Failed::from)?;
            let backend = DeviceApi::new(&client, identity, config)?;
            work(&backend)
        }
        #[cfg(feature = "ddi")]
        Source::Ddi => work(&crate::ddi::HawkBit::new(config)?),
    }
}
