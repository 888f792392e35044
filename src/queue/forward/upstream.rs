//! The platform, as the forwarder sees it: four calls, and the few ways in which they fail that make a difference to it.

use std::time::Duration;

use crate::config::Cik;
use crate::device::{Client, DeviceError};
use crate::queue::identity::Vms;

/// A point to record: alias, unix seconds, value.
pub type Recorded<'a> = (&'a str, u64, &'a str);

/// Why the platform did not take something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlatformRefusal {
    /// It does not know the CIK.
    Unauthorized,
    /// It will never take what was sent: the reason.
    Bad(String),
    /// These points, alias and unix seconds, are less than a second from others; none was stored. Empty: it did not say which.
    Conflict(Vec<(String, i64)>),
    /// It takes nothing from this device at present: the reason, what it asks to wait.
    Device(String, Option<Duration>),
    /// It was not reached, or is in trouble: the reason, what it asks to wait.
    Link(String, Option<Duration>),
}

/// The calls.
pub trait Upstream {
    /// Activates a device.
    ///
    /// # Errors
    /// Never [`PlatformRefusal::Unauthorized`].
    fn activate(&mut self, vms: &Vms) -> Result<Cik, PlatformRefusal>;
    /// Writes values, which get the platform's time.
    ///
    /// # Errors
    /// Why not.
    fn write(&mut self, cik: &Cik, values: &[(&str, &str)]) -> Result<(), PlatformRefusal>;
    /// Records points at their own times, all or none, in one request.
    ///
    /// # Errors
    /// Why not.
    fn record(&mut self, cik: &Cik, points: &[Recorded<'_>]) -> Result<(), PlatformRefusal>;
    /// The platform's time in unix seconds.
    ///
    /// # Errors
    /// [`PlatformRefusal::Link`], or anything else where it tells none.
    fn timestamp(&mut self) -> Result<u64, PlatformRefusal>;
}

impl Upstream for Client {
    fn activate(&mut self, vms: &Vms) -> Result<Cik, PlatformRefusal> {
        Client::activate(self, &vms.vendor, &vms.model, &vms.serial).map_err(|e| match refusal(*e) {
            // An activation has no points that could be bad: it is the device that is not wanted.
            PlatformRefusal::Bad(why) => PlatformRefusal::Device(why, None),
            PlatformRefusal::Unauthorized => {
                PlatformRefusal::Device("activate: the platform answered 401".to_string(), None)
            }
            PlatformRefusal::Conflict(_) => {
                PlatformRefusal::Device("activate: the platform answered 409".to_string(), None)
            }
            other => other,
        })
    }

    fn write(&mut self, cik: &Cik, values: &[(&str, &str)]) -> Result<(), PlatformRefusal> {
        Client::write(self, cik, values).map_err(|e| refusal(*e))
    }

    fn record(&mut self, cik: &Cik, points: &[Recorded<'_>]) -> Result<(), PlatformRefusal> {
        let mut aliases: Vec<&str> = Vec::new();
        for (alias, ..) in points {
            if !aliases.contains(alias) {
                aliases.push(alias);
            }
        }
        let of_alias = |wanted: &str| {
            let of_it = points.iter().filter(|(alias, ..)| *alias == wanted);
            of_it.map(|(_, time, value)| (i64::try_from(*time).unwrap_or(i64::MAX), *value)).collect::<Vec<_>>()
        };
        let series: Vec<_> = aliases.iter().map(|alias| (*alias, of_alias(alias))).collect();
        let series: Vec<_> = series.iter().map(|(alias, points)| (*alias, points.as_slice())).collect();
        Client::record(self, cik, &series).map_err(|e| refusal(*e))
    }

    fn timestamp(&mut self) -> Result<u64, PlatformRefusal> {
        Client::timestamp(self).map_err(|e| refusal(*e))
    }
}

fn refusal(error: DeviceError) -> PlatformRefusal {
    let (why, after) = (error.to_string(), error.retry_after());
    match error {
        DeviceError::Conflict(points) => PlatformRefusal::Conflict(points),
        DeviceError::Status { status: 401, call, .. } if call != "activate" => PlatformRefusal::Unauthorized,
        DeviceError::Status { status: 409, call: "record", .. } => PlatformRefusal::Conflict(Vec::new()),
        DeviceError::Status { status: 400 | 413 | 422, .. } => PlatformRefusal::Bad(why),
        // Any other 4xx says nothing against the points. A wrong server URL answers 404 to everything, for one.
        DeviceError::Status { status: 429, .. } => PlatformRefusal::Device(why, after),
        DeviceError::Status { .. } if error.is_permanent() => PlatformRefusal::Device(why, after),
        _ => PlatformRefusal::Link(why, after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_makes_the_difference_it_should() {
        let status = |call, status, seconds: Option<u64>| DeviceError::Status {
            call,
            status,
            text: "no".into(),
            retry_after: seconds.map(Duration::from_secs),
        };
        assert_eq!(refusal(status("write", 401, None)), PlatformRefusal::Unauthorized);
        assert_eq!(refusal(status("record", 409, None)), PlatformRefusal::Conflict(vec![]));
        let named = vec![("a".to_string(), 5)];
        assert_eq!(refusal(DeviceError::Conflict(named.clone())), PlatformRefusal::Conflict(named));
        for bad in [400, 413, 422] {
            assert!(matches!(refusal(status("write", bad, None)), PlatformRefusal::Bad(why) if why.contains("no")));
        }
        for device in [403, 404, 405, 410] {
            assert!(matches!(refusal(status("record", device, None)), PlatformRefusal::Device(_, None)), "{device}");
        }
        let waits = Some(Duration::from_secs(7));
        assert!(matches!(refusal(status("write", 429, Some(7))), PlatformRefusal::Device(_, after) if after == waits));
        for link in [408, 425, 500, 502, 503] {
            assert!(
                matches!(refusal(status("write", link, Some(7))), PlatformRefusal::Link(_, after) if after == waits),
                "{link}"
            );
        }
        assert!(matches!(refusal(DeviceError::Reply("write", "x".into())), PlatformRefusal::Link(..)));
    }
}
