//! Which source gives the orders: the one place that knows that there is more than one.

use super::check_in::CheckInError;
use super::desk::Desk;
use crate::config::identity::Missing;
use crate::config::{Config, Identity};
use crate::device::{Client, DeviceApi, Settings};
use crate::install::journal::Journal;
use crate::install::steps::Gateway;
use crate::orders::{Backend, Failed};

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Exosite's Device API.
    DeviceApi,
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
    pub fn of(_config: &Config, _journal: &Journal) -> Charge {
        Charge { source: Source::DeviceApi, takes_orders: true }
    }

    /// The gateway's books, as this source may see them.
    pub fn desk<'d, 'g>(self, gateway: &'d mut Gateway<'g>) -> Desk<'d, 'g> {
        Desk { gateway, origin: self.source.origin(), takes_orders: self.takes_orders }
    }
}

impl Source {
    /// By which the journal knows whose an order is.
    fn origin(self) -> &'static str {
        match self {
            Source::DeviceApi => "device-api",
        }
    }
}

/// Who this gateway is for whoever gives the orders.
///
/// # Errors
/// What is missing.
pub fn identity(config: &Config) -> Result<Identity, Missing> {
    Identity::of(config)
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
    }
}
