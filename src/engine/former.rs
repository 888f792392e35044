//! The source of orders before the one that is set, where something of it is still open: how long it is waited for.
//!
//! Its orders are finished and told to it before another's count. One that never answers again would hold up the other for ever. So where
//! it fails and the other answers in the same check-in, that is counted, and what is open of it is given up after
//! [`MAX_FAILURES`]. An outage of both counts for nothing.

use super::error::CheckInError;
use super::source::{self, Charge};
use crate::config::{Config, Identity, Paths};
use crate::install::gateway::Gateway;
use crate::sys::file;

/// So many check-ins fail with it while the other one answers.
const MAX_FAILURES: u32 = 20;
/// The count is volatile: a reboot begins anew.
const FILE_NAME: &str = "former_failures";
/// The file's bound in bytes.
const MAX_FILE: u64 = 16;

/// It answered.
pub fn answered(paths: &Paths) {
    if let Err(e) = file::remove(&paths.run().join(FILE_NAME)) {
        crate::debug!("{e}");
    }
}

/// It failed: asks the one that is set, which only is told the state of the gateway, and gives up the other where its time is over.
///
/// # Errors
/// The disk did not take that.
pub fn failed(
    former: Charge,
    config: &mut Config,
    identity: &Identity,
    gateway: &mut Gateway<'_>,
) -> Result<(), CheckInError> {
    let Some(next) = former.successor() else { return Ok(()) };
    let asked = source::with(next, config, identity, |backend| Ok(backend.check_in(&mut next.desk(gateway))?));
    if let Err(e) = asked {
        crate::debug!("{e}");
        return Ok(());
    }
    let path = gateway.config.paths().run().join(FILE_NAME);
    let known = file::read(&path, MAX_FILE).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
    let failures = known.and_then(|text| text.parse::<u32>().ok()).unwrap_or(0).saturating_add(1);
    file::write(&path, failures.to_string().as_bytes())?;
    if failures >= MAX_FAILURES && next.gives_up_the_other(&mut gateway.journal) {
        crate::error!("the source of orders before does not answer: what it ordered and was not begun is dropped, and it is not told the rest");
        gateway.save_journal()?;
    }
    Ok(())
}
