//! Delivering points of one device: a new CIK at once where the old one is void, what conflicts alone, what is refused for good
//! set aside.

use std::time::{Duration, Instant};

use super::plan;
use super::upstream::{PlatformRefusal, Recorded, Upstream};
use super::wire::{CourierReport, Who};
use crate::config::Cik;
use crate::queue::identity::{DeviceIdentity, Vms};
use crate::queue::set_aside::SetAsidePoint;
use crate::sys::file::FileError;

/// After so many points set aside for one device, a pass sends no more for it. A platform that refuses everything is in trouble
/// itself, and looking for the bad points among many costs requests.
const MAX_ASIDE: u32 = 100;

/// A point on its way: all that a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Its place in the queue.
    pub sequence: u64,
    /// The alias.
    pub alias: String,
    /// Unix seconds.
    pub time: u64,
    /// The value.
    pub value: String,
}

/// Why delivering stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryStop {
    /// Nothing goes for this device now: the reason, what the platform asks to wait.
    Held(String, Option<Duration>),
    /// Nothing goes at all now.
    Link(String, Option<Duration>),
    /// The app has waited long enough; a batch will carry it.
    Late,
}

/// Where to: the platform, what is said to the server, where to set aside.
pub struct DeliveryDesk<'a> {
    /// The platform.
    pub upstream: &'a mut dyn Upstream,
    /// To the server.
    pub report: &'a mut dyn FnMut(CourierReport),
    /// Keeps points durably.
    pub set_aside: &'a mut dyn FnMut(&[SetAsidePoint]) -> Result<(), FileError>,
    /// Unix seconds, for the entries that are set aside.
    pub now: u64,
}

/// One device being served.
#[derive(Debug)]
pub struct Served {
    who: Who,
    was_renewed: bool,
    aside: u32,
    /// Until when a call is made again with a new CIK; `None`: whenever that comes.
    hurry: Option<Instant>,
}

impl Served {
    /// A device at the beginning of an errand.
    #[must_use]
    pub fn new(who: Who) -> Served {
        Served { who, was_renewed: false, aside: 0, hurry: None }
    }

    /// The same, where a call is made again with a new CIK only within `time` from now: the CIK is kept in any case.
    #[must_use]
    pub fn in_a_hurry(who: Who, time: Duration) -> Served {
        Served { hurry: Some(Instant::now() + time), ..Served::new(who) }
    }

    /// Its id in the store.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.who.id
    }

    /// The CIK; gets one where there is none.
    ///
    /// # Errors
    /// There is none to be had.
    pub fn cik(&mut self, desk: &mut DeliveryDesk<'_>) -> Result<Cik, DeliveryStop> {
        match &self.who.cik {
            Some(cik) => Ok(cik.clone()),
            None => self.activate(desk),
        }
    }

    fn activate(&mut self, desk: &mut DeliveryDesk<'_>) -> Result<Cik, DeliveryStop> {
        let DeviceIdentity::Vms(vms) = &self.who.identity else {
            let why = "the platform does not know this CIK; the app has to activate again".to_string();
            return Err(DeliveryStop::Held(why, None));
        };
        let cik = activate(desk, vms)?;
        (desk.report)(CourierReport::Activated(self.who.id, cik.clone()));
        self.who.cik = Some(cik.clone());
        Ok(cik)
    }

    /// Makes a call with the CIK, and once more with a new one where the platform does not know it.
    fn call(
        &mut self,
        desk: &mut DeliveryDesk<'_>,
        call: &mut dyn FnMut(&mut dyn Upstream, &Cik) -> Result<(), PlatformRefusal>,
    ) -> Result<Result<(), PlatformRefusal>, DeliveryStop> {
        let cik = self.cik(desk)?;
        match call(desk.upstream, &cik) {
            Err(PlatformRefusal::Unauthorized) if !self.was_renewed => {
                self.was_renewed = true;
                let cik = self.activate(desk)?;
                if self.hurry.is_some_and(|until| Instant::now() > until) {
                    return Err(DeliveryStop::Late);
                }
                Ok(call(desk.upstream, &cik))
            }
            other => Ok(other),
        }
    }

    /// Writes values. `Some`: they are refused for good, and set aside under the present time; the reason.
    ///
    /// # Errors
    /// They are to be sent later.
    pub fn write(
        &mut self,
        desk: &mut DeliveryDesk<'_>,
        values: &[(String, String)],
    ) -> Result<Option<String>, DeliveryStop> {
        let pairs: Vec<(&str, &str)> = values.iter().map(|(alias, value)| (alias.as_str(), value.as_str())).collect();
        let refused = match self.call(desk, &mut |upstream, cik| upstream.write(cik, &pairs))? {
            Ok(()) => return Ok(None),
            Err(PlatformRefusal::Bad(why)) => why,
            Err(other) => return Err(stop(other)),
        };
        let (identity, now) = (&self.who.identity, desk.now);
        let entry =
            |(alias, value): &(String, String)| SetAsidePoint::new(now, identity.clone(), alias, now, value, &refused);
        let entries: Vec<SetAsidePoint> = values.iter().map(entry).collect();
        (desk.set_aside)(&entries).map_err(|e| DeliveryStop::Held(e.to_string(), None))?;
        Ok(Some(refused))
    }

    /// Records points, each of which is gone afterwards, and says so.
    ///
    /// # Errors
    /// None of them is gone; what was recorded already will be recorded again.
    pub fn record(&mut self, desk: &mut DeliveryDesk<'_>, parcels: &[Parcel]) -> Result<(), DeliveryStop> {
        let Some(last) = parcels.last() else { return Ok(()) };
        if self.aside >= MAX_ASIDE {
            return Err(DeliveryStop::Held(
                "the platform refuses too many points; see `gmq set-aside list`".to_string(),
                None,
            ));
        }
        let before = self.aside;
        let keys: Vec<(&str, u64)> = parcels.iter().map(|p| (p.alias.as_str(), p.time)).collect();
        for request in plan::requests(&keys) {
            let together: Vec<&Parcel> = request.into_iter().filter_map(|i| parcels.get(i)).collect();
            self.record_together(desk, &together, true)?;
        }
        let aside = self.aside - before;
        let forwarded = u32::try_from(parcels.len()).unwrap_or(u32::MAX).saturating_sub(aside);
        (desk.report)(CourierReport::Gone { id: self.who.id, through: last.sequence, forwarded, aside });
        Ok(())
    }

    /// One request; where it is refused as a whole, smaller ones. The depth is bounded: the parts of a bad request are halves,
    /// and those of a conflict may conflict once more and are then sent one by one.
    fn record_together(
        &mut self,
        desk: &mut DeliveryDesk<'_>,
        parcels: &[&Parcel],
        may_part: bool,
    ) -> Result<(), DeliveryStop> {
        let points: Vec<Recorded<'_>> = parcels.iter().map(|p| (p.alias.as_str(), p.time, p.value.as_str())).collect();
        if points.is_empty() {
            return Ok(());
        }
        match self.call(desk, &mut |upstream, cik| upstream.record(cik, &points))? {
            Ok(()) => Ok(()),
            Err(PlatformRefusal::Conflict(named)) => match parcels {
                [alone] => self.set_aside(desk, alone, "record: the platform has another value of that second (409)"),
                _ => self.record_conflicting(desk, parcels, &named, may_part),
            },
            Err(PlatformRefusal::Bad(why)) => match parcels {
                [alone] => self.set_aside(desk, alone, &why),
                _ => {
                    let (first, second) = parcels.split_at(parcels.len() / 2);
                    self.record_together(desk, first, may_part)?;
                    self.record_together(desk, second, may_part)
                }
            },
            Err(other) => Err(stop(other)),
        }
    }

    /// Retries alone what conflicts; the rest goes before it, together.
    fn record_conflicting(
        &mut self,
        desk: &mut DeliveryDesk<'_>,
        parcels: &[&Parcel],
        named: &[(String, i64)],
        may_part: bool,
    ) -> Result<(), DeliveryStop> {
        let is_named =
            |p: &&Parcel| named.iter().any(|(alias, time)| *alias == p.alias && u64::try_from(*time) == Ok(p.time));
        let (conflicting, rest): (Vec<&Parcel>, Vec<&Parcel>) = parcels.iter().partition(|p| is_named(p));
        if conflicting.is_empty() || !may_part {
            return parcels.iter().try_for_each(|p| self.record_together(desk, &[p], false));
        }
        self.record_together(desk, &rest, false)?;
        conflicting.iter().try_for_each(|p| self.record_together(desk, &[p], false))
    }

    fn set_aside(&mut self, desk: &mut DeliveryDesk<'_>, parcel: &Parcel, why: &str) -> Result<(), DeliveryStop> {
        let identity = self.who.identity.clone();
        let entry = SetAsidePoint::new(desk.now, identity, &parcel.alias, parcel.time, &parcel.value, why);
        (desk.set_aside)(&[entry]).map_err(|e| DeliveryStop::Held(e.to_string(), None))?;
        self.aside += 1;
        Ok(())
    }
}

fn activate(desk: &mut DeliveryDesk<'_>, vms: &Vms) -> Result<Cik, DeliveryStop> {
    desk.upstream.activate(vms).map_err(stop)
}

fn stop(refusal: PlatformRefusal) -> DeliveryStop {
    match refusal {
        PlatformRefusal::Link(why, after) => DeliveryStop::Link(why, after),
        PlatformRefusal::Device(why, after) => DeliveryStop::Held(why, after),
        PlatformRefusal::Bad(why) => DeliveryStop::Held(why, None),
        PlatformRefusal::Unauthorized => {
            DeliveryStop::Held("the platform does not know the CIK that it gave".to_string(), None)
        }
        PlatformRefusal::Conflict(_) => DeliveryStop::Held("the platform answered 409".to_string(), None),
    }
}
