//! The queue's decisions, with time, forwarding processes and the platform turned by the test: what they are turned with.

mod sending;
mod surroundings;

use super::*;
use crate::config::Cik;
use crate::queue::forward::wire::{Batch, CourierReport, Who};
use crate::queue::identity::Vms;
use crate::queue::store::reader::ExtentReader;
use crate::sys::epoch::BUILD_EPOCH;
use std::fs;

const WALL: u64 = BUILD_EPOCH + 1000;

struct Rig {
    service: Service,
    paths: Paths,
    seconds: f64,
    is_synchronised: bool,
    wall: u64,
    places: u64,
}

impl Rig {
    fn new(name: &str) -> Rig {
        let dir = std::env::temp_dir().join(format!("gwe-service-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        Rig::on(Paths::new(dir))
    }

    fn on(paths: Paths) -> Rig {
        let moment = Moment {
            since_boot: Duration::from_secs(100),
            now: ClockReading { wall: WALL * 1000, since_boot: 100_000, is_synchronised: true },
        };
        // Half of whatever the jitter's limit is: odd numbers below it would do as well.
        let service = Service::new(paths.clone(), 7, moment, || 1000);
        Rig { service, paths, seconds: 100.0, is_synchronised: true, wall: WALL - 100, places: 0 }
    }

    fn moment(&self) -> Moment {
        let since_boot = (self.seconds * 1000.0) as u64;
        let now =
            ClockReading { wall: self.wall * 1000 + since_boot, since_boot, is_synchronised: self.is_synchronised };
        Moment { since_boot: Duration::from_secs_f64(self.seconds), now }
    }

    /// A turn of the server's loop: the orders that came of it.
    fn turn(&mut self) -> Vec<CourierOrder> {
        self.service.tick(self.moment());
        self.service.commit();
        self.service.prepare(self.moment());
        self.service.take_orders()
    }

    /// Lets time pass.
    fn pass(&mut self, seconds: f64) -> Vec<CourierOrder> {
        self.seconds += seconds;
        self.turn()
    }

    fn ask(&mut self, call: AppCall) -> u64 {
        self.places += 1;
        let token = ReturnAddress { connection: 1, place: self.places };
        self.service.request(token, call, &|| Some(0), self.moment());
        self.places
    }

    fn write(&mut self, serial: &str, alias: &str, value: &str) -> u64 {
        self.ask(AppCall::Write(identity(serial), vec![(alias.into(), value.into())]))
    }

    fn record(&mut self, serial: &str, alias: &str, time: u64) -> u64 {
        self.ask(AppCall::Record(identity(serial), vec![(alias.into(), time, "v".into())]))
    }

    fn report(&mut self, errand: u64, report: CourierReport) {
        self.service.report(errand, report, self.moment());
    }

    fn over(&mut self, errand: u64) {
        self.service.over(errand, self.moment());
    }

    /// The answers since the last call: place and status.
    fn answers(&mut self) -> Vec<(u64, u16)> {
        self.service.take_answers().into_iter().map(|(token, answer)| (token.place, answer.status)).collect()
    }

    /// Activates a device as the platform does, so that tests need not.
    fn activated(&mut self, serial: &str) {
        let id = self.service.identify(identity(serial), &|| Some(0)).unwrap();
        self.service.identities.set_cik(id, cik("c")).unwrap();
    }

    fn queued(&self) -> u64 {
        self.service.store.as_ref().unwrap().state().queued()
    }

    /// Does a batch as the forwarding process would: all its points go.
    fn deliver(&mut self, errand: u64, batch: &Batch) -> Vec<(String, u64)> {
        let mut reader = ExtentReader::new(&self.paths.queue(), batch.extent).unwrap();
        let mut found = Vec::new();
        let share = |id: u64| batch.shares.iter().find(|s| s.who.id == id);
        let waits = |id: u64, sequence: u64| share(id).is_some_and(|s| (s.from..=s.last).contains(&sequence));
        while reader.next_segment(&waits, &mut |w| found.push(w)).is_some() {}
        for w in &found {
            let gone = CourierReport::Gone { id: w.identity, through: w.sequence, forwarded: 1, aside: 0 };
            self.report(errand, gone);
        }
        for share in &batch.shares {
            self.report(errand, CourierReport::End(share.who.id));
        }
        self.over(errand);
        let time = |time| crate::queue::stamp::unix(time, &batch.boots).unwrap();
        found.into_iter().map(|w| (w.point.alias, time(w.point.time))).collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.paths.root());
    }
}

fn identity(serial: &str) -> DeviceIdentity {
    DeviceIdentity::Vms(Vms::new("p", "p", serial).unwrap())
}

fn id(serial: &str) -> u64 {
    identity(serial).id()
}

fn cik(letter: &str) -> Cik {
    Cik::parse(&letter.repeat(40)).unwrap()
}

fn link() -> CourierReport {
    CourierReport::Link("no network".into(), None)
}

/// The only order, which must start a write; its errand.
#[track_caller]
fn write_of(orders: &[CourierOrder]) -> (u64, Vec<(String, String)>) {
    match orders {
        [CourierOrder::Start(errand, Errand::Write(_, values))] => (*errand, values.clone()),
        other => panic!("no write: {other:?}"),
    }
}

#[track_caller]
fn batch_of(orders: &[CourierOrder]) -> (u64, Batch) {
    match orders {
        [CourierOrder::Start(errand, Errand::Batch(batch))] => (*errand, batch.clone()),
        other => panic!("no batch: {other:?}"),
    }
}

#[track_caller]
fn activation_of(orders: &[CourierOrder]) -> (u64, Who) {
    match orders {
        [CourierOrder::Start(errand, Errand::Activate(who))] => (*errand, who.clone()),
        other => panic!("no activation: {other:?}"),
    }
}
