//! What a download looks after while it goes: whether the link is one that it may use, and what the month has left (docs/spec/failures.md, F7).
//!
//! Invariant: it costs a look at this machine's own routes every ten seconds, and at the account now and then; no request.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::kept::For;
use crate::config::metered::LinkNames;
use crate::http::month::Budget;
use crate::http::Route;
use crate::sys::{clock, net};

/// How often a download looks whether it still goes over a link that it may use.
const LOOK: Duration = Duration::from_secs(10);

/// What a download looks after while it goes.
#[derive(Clone, Debug, Default)]
pub struct DownloadMeter {
    /// Links that it may not use.
    not_on: LinkNames,
    /// Where it comes from.
    peer: Option<IpAddr>,
    /// When it looks again.
    next: Duration,
    /// What the month has.
    budget: Option<Budget>,
    /// Bytes that came since that was looked at.
    unlooked: u64,
    /// What it was ended for.
    pub ended: Option<For>,
}

impl DownloadMeter {
    /// For a download over these links alone, within what the month has.
    pub(super) fn new(not_on: LinkNames, budget: Option<Budget>) -> DownloadMeter {
        DownloadMeter { not_on, budget, ..DownloadMeter::default() }
    }

    /// A connection may be used.
    pub(super) fn connected(&mut self, route: Route) -> io::Result<()> {
        self.peer = Some(route.peer);
        self.check(route.local)
    }

    /// Looks, now and then, whether the way has changed, and whether others have used up what it needs.
    pub(super) fn look(&mut self, came: usize) -> io::Result<()> {
        self.unlooked += came as u64;
        if let Some(budget) = self.budget.as_ref().filter(|budget| self.unlooked >= budget.part()) {
            self.unlooked = 0;
            if budget.is_overdrawn() {
                return self.end(For::Month);
            }
        }
        if self.not_on.is_empty() || clock::since_boot() < self.next {
            return Ok(());
        }
        // Where there is no way at all, nothing comes either.
        self.peer.and_then(net::source_for).map_or(Ok(()), |local| self.check(local))
    }

    fn check(&mut self, local: IpAddr) -> io::Result<()> {
        self.next = clock::since_boot() + LOOK;
        if is_forbidden(&self.not_on, local) {
            return self.end(For::Link);
        }
        Ok(())
    }

    fn end(&mut self, reason: For) -> io::Result<()> {
        self.ended = Some(reason);
        Err(io::Error::from(io::ErrorKind::PermissionDenied))
    }
}

/// Whether an address is that of a link that may not be used. One whose link is not known may not be used either.
pub(super) fn is_forbidden(not_on: &LinkNames, local: IpAddr) -> bool {
    let holds = |interface: &&net::Interface| interface.addresses.contains(&local);
    let known = || {
        let all = net::interfaces().unwrap_or_default();
        let its: Vec<_> = all.iter().filter(holds).map(|interface| not_on.have(&interface.name)).collect();
        its.is_empty() || its.contains(&true)
    };
    !not_on.is_empty() && known()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_link_is_known_by_its_address_and_one_that_is_not_known_is_not_used() {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for (links, address, is_forbidden) in [
            ("lo", local, true),
            ("wwan* l*", local, true),
            ("eth0", local, false),
            ("eth0", IpAddr::V4(Ipv4Addr::new(192, 0, 2, 254)), true),
            ("", IpAddr::V4(Ipv4Addr::new(192, 0, 2, 254)), false),
        ] {
            assert_eq!(
                super::is_forbidden(&LinkNames::parse(links).unwrap(), address),
                is_forbidden,
                "{links} {address}"
            );
        }
    }

    #[test]
    fn a_way_that_changes_ends_a_download_at_the_next_look() {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut meter =
            DownloadMeter { not_on: LinkNames::parse("lo").unwrap(), next: Duration::MAX, ..DownloadMeter::default() };
        meter.peer = Some(local);
        assert!(meter.look(1).is_ok(), "not yet");
        meter.next = Duration::ZERO;
        assert!(meter.look(1).is_err());
        assert_eq!(meter.ended, Some(For::Link));
        let mut free = DownloadMeter::default();
        assert!(free.connected(Route { local, peer: local }).is_ok() && free.look(1).is_ok());
    }
}
