//! The platform as a check-in sees it: activated, re-activated when the CIK is no longer known, and written to at most once a
//! second (docs/spec/device-api.md).

use std::time::Duration;

use super::{Client, DeviceError};
use crate::config::{Cik, Config, Identity, Which};
use crate::orders::Failed;
use crate::sys::{clock, file};

/// The platform takes one write a second per device.
const WRITE_PACE: Duration = Duration::from_secs(1);

/// The cloud, with this gateway's key.
pub struct Cloud<'a> {
    client: &'a Client,
    identity: &'a Identity,
    /// Where a new CIK and a new interval are kept.
    pub config: &'a mut Config,
    cik: Cik,
    reactivated: bool,
    /// When this gateway wrote last, since boot, as far as is known.
    last_write: Option<Duration>,
}

impl<'a> Cloud<'a> {
    /// Activates the gateway where it has no CIK yet.
    ///
    /// # Errors
    /// The platform did not activate it, or the CIK could not be stored.
    pub fn new(
        client: &'a Client,
        identity: &'a Identity,
        config: &'a mut Config,
        last_write: Option<Duration>,
    ) -> Result<Cloud<'a>, Failed> {
        let cik = match config.cik() {
            Some(cik) => cik,
            None => activate(client, identity, config)?,
        };
        Ok(Cloud { client, identity, config, cik, reactivated: false, last_write })
    }

    /// See [`Client::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read(&mut self, aliases: &[&str]) -> Result<Vec<(String, String)>, Failed> {
        self.with_key(false, |client, cik| client.read(cik, aliases))
    }

    /// See [`Client::write`].
    ///
    /// # Errors
    /// As there.
    pub fn write(&mut self, values: &[(&str, &str)]) -> Result<(), Failed> {
        self.with_key(true, |client, cik| client.write(cik, values))
    }

    /// See [`Client::write_read`].
    ///
    /// # Errors
    /// As there.
    pub fn write_read(&mut self, values: &[(&str, &str)], aliases: &[&str]) -> Result<Vec<(String, String)>, Failed> {
        self.with_key(true, |client, cik| client.write_read(cik, values, aliases))
    }

    /// A call with the CIK; where the platform does not know it any more, once more with a new one. The old CIK is kept
    /// until there is a new one: a platform that errs for a day must not cost the gateway its identity.
    fn with_key<T>(
        &mut self,
        writes: bool,
        call: impl Fn(&Client, &Cik) -> Result<T, Box<DeviceError>>,
    ) -> Result<T, Failed> {
        match self.paced(writes, &call) {
            Err(e) if e.unauthorized() && !self.reactivated => {
                crate::warning!("the platform does not know CIK {}; activating again", self.cik);
                self.reactivated = true;
                self.cik = activate(self.client, self.identity, self.config)?;
                Ok(self.paced(writes, &call)?)
            }
            result => Ok(result?),
        }
    }

    /// A call, where it writes not sooner than the pace allows. A write counts from its answer on: how long it was on its way is not known.
    fn paced<T>(&mut self, writes: bool, call: impl Fn(&Client, &Cik) -> T) -> T {
        if let Some(last) = self.last_write.filter(|_| writes) {
            let since = clock::since_boot().saturating_sub(last);
            clock::sleep(WRITE_PACE.saturating_sub(since));
        }
        let answer = call(self.client, &self.cik);
        if writes {
            self.last_write = Some(clock::since_boot());
        }
        answer
    }
}

fn activate(client: &Client, identity: &Identity, config: &mut Config) -> Result<Cik, Failed> {
    // The platform gives a CIK once. One that a full disk does not take would be lost, and the gateway with it.
    file::probe(&config.paths().state())?;
    let cik = client.activate(&identity.vendor, &identity.model, &identity.serial)?;
    config.set(Which::Gateway, "cik", cik.secret())?;
    crate::info!("activated {} with CIK {cik}", identity.serial);
    Ok(cik)
}
