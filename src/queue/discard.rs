//! Giving up what is queued for a device that will never take it: one whose CIK is void, one that is not enabled any more.
//!
//! Invariant: only where no server runs. A server may be sending those very points.

use std::fmt;

use super::identities::Identities;
use super::identity::DeviceIdentity;
use super::settings::QueueSettings;
use super::store::Store;
use crate::config::Paths;
use crate::sys::file::FileError;

/// The fewest letters by which a CIK is told: as many as are shown of it.
const MIN_CIK: usize = 8;

/// Why nothing was given up.
#[derive(Debug)]
pub enum DiscardError {
    /// A server has the queue.
    IsRunning,
    /// No device is called so.
    Unknown(String),
    /// More than one is.
    Ambiguous(String),
    /// The disk refused.
    File(FileError),
}

impl fmt::Display for DiscardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiscardError::IsRunning => f.write_str(
                "gmq is running, and may be sending it: `supervisorctl stop gmq` first, and start it after that",
            ),
            DiscardError::Unknown(name) => write!(f, "no device is called '{name}'; `gmq status` shows them"),
            DiscardError::Ambiguous(name) => write!(f, "more than one CIK begins with '{name}'; give all of it"),
            DiscardError::File(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for DiscardError {}

/// Gives up what is queued for the device of this name, durably, and returns how many points that was. A device is named as
/// `gmq status` shows it: vendor, model and serial number, or the beginning of a CIK, or a whole one.
///
/// # Errors
/// See [`DiscardError`].
pub fn discard(paths: &Paths, name: &str) -> Result<u32, DiscardError> {
    let _lock = super::lock(paths).map_err(DiscardError::File)?.ok_or(DiscardError::IsRunning)?;
    let folder = paths.queue();
    let identities = Identities::load(&folder);
    let mut named = identities.all().iter().filter(|known| is_called(&known.identity, name));
    let Some(known) = named.next() else { return Err(DiscardError::Unknown(name.to_string())) };
    if named.next().is_some() {
        return Err(DiscardError::Ambiguous(name.to_string()));
    }
    let mut store = Store::open(&folder, QueueSettings::load(paths).limits()).map_err(DiscardError::File)?;
    store.give_up(known.id).map_err(DiscardError::File)
}

fn is_called(identity: &DeviceIdentity, name: &str) -> bool {
    match identity {
        DeviceIdentity::Vms(_) => identity.to_string() == name,
        DeviceIdentity::Cik(cik) => {
            let beginning = name.trim_end_matches('*');
            beginning.len() >= MIN_CIK && cik.secret().starts_with(beginning)
        }
    }
}
