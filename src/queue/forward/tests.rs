//! The forwarding process against a platform that is a table: what is sent, in which order, and what is said of it.

use super::*;
use crate::config::Cik;
use crate::queue::forward::upstream::{Recorded, Upstream};
use crate::queue::forward::wire::{Share, Who};
use crate::queue::identity::{DeviceIdentity, Vms};
use crate::queue::point::PointTime;
use crate::queue::set_aside::SetAsidePoint;
use crate::queue::store::state::Boot;
use crate::queue::store::{Limits, Store, WhenFull};
use crate::sys::file::FileError;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

/// A point as sent: alias, unix seconds, value.
type Sent = (String, u64, String);
/// What the platform does with a call: made for each test.
type Answer = dyn FnMut(&str, &[Sent]) -> Result<(), PlatformRefusal>;

struct Platform {
    answer: Box<Answer>,
    /// Each call, and what it carried.
    calls: Vec<(String, Vec<Sent>)>,
    /// What was stored, in order.
    stored: Vec<Sent>,
    ciks: VecDeque<Result<Cik, PlatformRefusal>>,
    time: Result<u64, PlatformRefusal>,
}

impl Platform {
    fn new(answer: impl FnMut(&str, &[Sent]) -> Result<(), PlatformRefusal> + 'static) -> Platform {
        let (calls, stored, ciks) = (Vec::new(), Vec::new(), VecDeque::new());
        Platform { answer: Box::new(answer), calls, stored, ciks, time: Ok(1_900_000_000) }
    }

    fn take(&mut self, call: String, points: Vec<Sent>) -> Result<(), PlatformRefusal> {
        let answer = (self.answer)(&call, &points);
        self.calls.push((call, points.clone()));
        if answer.is_ok() {
            self.stored.extend(points);
        }
        answer
    }

    fn names(&self) -> Vec<String> {
        self.calls.iter().map(|(call, points)| format!("{call} {}", points.len())).collect()
    }
}

impl Upstream for Platform {
    fn activate(&mut self, vms: &Vms) -> Result<Cik, PlatformRefusal> {
        self.calls.push((format!("activate {}", vms.serial), Vec::new()));
        self.ciks.pop_front().expect("no activation was expected")
    }

    fn write(&mut self, cik: &Cik, values: &[(&str, &str)]) -> Result<(), PlatformRefusal> {
        let points = values.iter().map(|(a, v)| (a.to_string(), 0, v.to_string())).collect();
        self.take(format!("write {}", &cik.secret()[..1]), points)
    }

    fn record(&mut self, cik: &Cik, points: &[Recorded<'_>]) -> Result<(), PlatformRefusal> {
        let points = points.iter().map(|(a, t, v)| (a.to_string(), *t, v.to_string())).collect();
        self.take(format!("record {}", &cik.secret()[..1]), points)
    }

    fn timestamp(&mut self) -> Result<u64, PlatformRefusal> {
        self.time.clone()
    }
}

fn cik(letter: &str) -> Cik {
    Cik::parse(&letter.repeat(40)).unwrap()
}

fn who(serial: &str, letter: Option<&str>) -> Who {
    let identity = DeviceIdentity::Vms(Vms::new("p", "p", serial).unwrap());
    Who { id: identity.id(), identity, cik: letter.map(cik) }
}

/// Does an errand; returns the reports and what was set aside.
fn done(errand: Errand, folder: &Path, platform: &mut Platform) -> (Vec<CourierReport>, Vec<SetAsidePoint>) {
    let (mut reports, mut aside) = (Vec::new(), Vec::new());
    let mut report = |r| reports.push(r);
    let mut set_aside = |entries: &[SetAsidePoint]| {
        aside.extend_from_slice(entries);
        Ok::<(), FileError>(())
    };
    let mut desk =
        DeliveryDesk { upstream: platform, report: &mut report, set_aside: &mut set_aside, now: 1_800_000_000 };
    run(errand, folder, &mut desk);
    (reports, aside)
}

fn bad() -> PlatformRefusal {
    PlatformRefusal::Bad("the platform answered 400".into())
}

fn link() -> PlatformRefusal {
    PlatformRefusal::Link("down".into(), Some(Duration::from_secs(3)))
}

fn write_errand(letter: Option<&str>) -> Errand {
    Errand::Write(who("1", letter), vec![("a".into(), "1".into()), ("b".into(), "2".into())])
}

#[test]
fn a_write_is_answered_by_what_became_of_it() {
    let held = |why: &str| CourierReport::Held(who("1", None).id, why.into(), None);
    let new_cik = CourierReport::Activated(who("1", None).id, cik("n"));
    // the CIK it has, activations, answers to writes → calls, reports, set aside
    type Row = (
        Option<&'static str>,
        Vec<Result<Cik, PlatformRefusal>>,
        Vec<Result<(), PlatformRefusal>>,
        Vec<&'static str>,
        Vec<CourierReport>,
        usize,
    );
    let rows: Vec<Row> = vec![
        (Some("c"), vec![], vec![Ok(())], vec!["write c 2"], vec![CourierReport::Written], 0),
        (
            None,
            vec![Ok(cik("n"))],
            vec![Ok(())],
            vec!["activate 1 0", "write n 2"],
            vec![new_cik.clone(), CourierReport::Written],
            0,
        ),
        // 401: a new CIK, and again at once.
        (
            Some("c"),
            vec![Ok(cik("n"))],
            vec![Err(PlatformRefusal::Unauthorized), Ok(())],
            vec!["write c 2", "activate 1 0", "write n 2"],
            vec![new_cik.clone(), CourierReport::Written],
            0,
        ),
        (
            Some("c"),
            vec![Ok(cik("n"))],
            vec![Err(PlatformRefusal::Unauthorized), Err(PlatformRefusal::Unauthorized)],
            vec!["write c 2", "activate 1 0", "write n 2"],
            vec![new_cik, held("the platform does not know the CIK that it gave")],
            0,
        ),
        (
            None,
            vec![Err(PlatformRefusal::Device("404".into(), None))],
            vec![],
            vec!["activate 1 0"],
            vec![held("404")],
            0,
        ),
        (
            None,
            vec![Err(link())],
            vec![],
            vec!["activate 1 0"],
            vec![CourierReport::Link("down".into(), Some(Duration::from_secs(3)))],
            0,
        ),
        (
            Some("c"),
            vec![],
            vec![Err(bad())],
            vec!["write c 2"],
            vec![CourierReport::Refused("the platform answered 400".into())],
            2,
        ),
        (
            Some("c"),
            vec![],
            vec![Err(link())],
            vec!["write c 2"],
            vec![CourierReport::Link("down".into(), Some(Duration::from_secs(3)))],
            0,
        ),
    ];
    for (letter, ciks, mut answers, calls, reports, aside) in rows {
        answers.reverse();
        let mut platform = Platform::new(move |_, _| answers.pop().expect("no such call was expected"));
        platform.ciks = ciks.into();
        let (said, kept) = done(write_errand(letter), Path::new("/nonexistent"), &mut platform);
        assert_eq!(
            (platform.names(), said, kept.len()),
            (calls.iter().map(|c| c.to_string()).collect(), reports, aside)
        );
    }
}

#[test]
fn a_bare_cik_that_is_void_is_held_for_the_app_to_mend() {
    let identity = DeviceIdentity::Cik(cik("c"));
    let errand = Errand::Write(Who { id: 7, identity, cik: Some(cik("c")) }, vec![("a".into(), "1".into())]);
    let mut platform = Platform::new(|_, _| Err(PlatformRefusal::Unauthorized));
    let (said, _) = done(errand, Path::new("/nonexistent"), &mut platform);
    assert!(
        matches!(said.as_slice(), [CourierReport::Held(7, why, None)] if why.contains("activate again")),
        "{said:?}"
    );
}

#[test]
fn the_time_is_asked_and_a_platform_without_one_says_so() {
    for (time, report) in [
        (Ok(5), CourierReport::Time(Some(5))),
        (Err(PlatformRefusal::Device("404".into(), None)), CourierReport::Time(None)),
        (Err(link()), CourierReport::Link("down".into(), Some(Duration::from_secs(3)))),
    ] {
        let mut platform = Platform::new(|_, _| Ok(()));
        platform.time = time;
        assert_eq!(done(Errand::Time, Path::new("/nonexistent"), &mut platform).0, [report]);
    }
}

struct Queue {
    folder: PathBuf,
    store: Store,
}

impl Queue {
    fn new(name: &str) -> Queue {
        let folder = std::env::temp_dir().join(format!("gwe-forward-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let limits = Limits { max_bytes: 64 << 20, when_full: WhenFull::Refuse };
        Queue { store: Store::open(&folder, limits).unwrap(), folder }
    }

    fn put(&mut self, serial: &str, alias: &str, time: u64, value: &str) {
        self.put_at(serial, alias, PointTime::Unix(time), value);
    }

    fn put_at(&mut self, serial: &str, alias: &str, time: PointTime, value: &str) {
        let point = Point { alias: alias.into(), value: value.into(), time };
        self.store.stage(who(serial, None).id, &[point]).unwrap();
    }

    fn errand(&mut self, devices: &[Who], quantity: usize) -> Errand {
        self.store.commit().unwrap();
        let extent = self.store.begin_pass(&mut devices.iter().map(|who| who.id)).unwrap();
        let share = |who: &Who| {
            let (from, last) = self.store.state().cursor(who.id).map_or((1, 0), |c| (c.from, c.last));
            Share { who: who.clone(), from, last }
        };
        let shares = devices.iter().map(share).collect();
        Errand::Batch(Batch { extent, quantity, shares, boots: self.store.state().boots.clone() })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn forwarded(reports: &[CourierReport], serial: &str) -> u32 {
    let of = who(serial, None).id;
    let gone = |r: &CourierReport| match r {
        CourierReport::Gone { id, forwarded, .. } if *id == of => *forwarded,
        _ => 0,
    };
    reports.iter().map(gone).sum()
}

#[test]
fn a_batch_carries_full_uploads_per_device_in_order() {
    let mut queue = Queue::new("full");
    for n in 0..5000 {
        queue.put(["1", "2"][n % 2], "a", n as u64, &n.to_string());
    }
    let devices = [who("1", Some("c")), who("2", Some("d"))];
    let errand = queue.errand(&devices, 1000);
    let mut platform = Platform::new(|_, _| Ok(()));
    let (said, aside) = done(errand, &queue.folder, &mut platform);
    assert_eq!(platform.calls.iter().map(|(_, p)| p.len()).collect::<Vec<_>>(), [1000, 1000, 1000, 1000, 500, 500]);
    for (n, letter) in ["c", "d"].iter().enumerate() {
        let calls = platform.calls.iter().filter(|(call, _)| call.ends_with(letter));
        let values: Vec<usize> = calls.flat_map(|(_, points)| points).map(|p| p.2.parse().unwrap()).collect();
        assert_eq!(values, (0..2500).map(|i| i * 2 + n).collect::<Vec<_>>());
    }
    assert_eq!((forwarded(&said, "1"), forwarded(&said, "2"), aside.len()), (2500, 2500, 0));
    assert_eq!(said.iter().filter(|r| matches!(r, CourierReport::End(_))).count(), 2);
}

#[test]
fn a_device_that_is_held_holds_no_other_and_a_link_that_fails_ends_the_pass() {
    let mut queue = Queue::new("held");
    for n in 0..30 {
        queue.put(["1", "2", "3"][n % 3], "a", n as u64, "v");
    }
    let devices = [who("1", None), who("2", Some("d")), who("3", Some("e"))];
    let errand = queue.errand(&devices, 4);
    let mut platform = Platform::new(|call, points| match call {
        "record e" if points[0].1 > 10 => Err(link()),
        _ => Ok(()),
    });
    platform.ciks = [Err(PlatformRefusal::Device("not enabled".into(), None))].into();
    let (said, _) = done(errand, &queue.folder, &mut platform);
    assert_eq!(said[0], CourierReport::Held(devices[0].id, "not enabled".into(), None));
    assert_eq!((forwarded(&said, "2"), forwarded(&said, "3")), (8, 4));
    assert_eq!(said.last(), Some(&CourierReport::Link("down".into(), Some(Duration::from_secs(3)))));
}

#[test]
fn points_of_one_second_go_in_requests_of_their_own_before_the_platform_complains() {
    let mut queue = Queue::new("second");
    for (time, value) in [(1, "x"), (1, "y"), (2, "z"), (3, "w")] {
        queue.put("1", "a", time, value);
    }
    let errand = queue.errand(&[who("1", Some("c"))], 500);
    let mut platform = Platform::new(|_, _| Ok(()));
    let (said, _) = done(errand, &queue.folder, &mut platform);
    assert_eq!(platform.names(), ["record c 1", "record c 3"]);
    assert_eq!(platform.stored.iter().map(|p| p.2.as_str()).collect::<String>(), "xyzw");
    assert_eq!(forwarded(&said, "1"), 4);
}

/// Refuses as the platform does: none of a request's points is stored, and the conflicting ones are named.
fn conflicting(named: &'static [u64]) -> impl FnMut(&str, &[Sent]) -> Result<(), PlatformRefusal> {
    move |_, points| {
        let here: Vec<_> = points.iter().filter(|p| named.contains(&p.1)).map(|p| (p.0.clone(), p.1 as i64)).collect();
        if points.len() > 1 && !here.is_empty() {
            Err(PlatformRefusal::Conflict(here))
        } else {
            Ok(())
        }
    }
}

#[test]
fn what_conflicts_is_retried_alone_and_nothing_else_waits_for_it() {
    let mut queue = Queue::new("conflict");
    for n in 0..10 {
        queue.put("1", "a", n, &n.to_string());
    }
    let errand = queue.errand(&[who("1", Some("c"))], 500);
    let mut platform = Platform::new(conflicting(&[3, 7]));
    let (said, aside) = done(errand, &queue.folder, &mut platform);
    assert_eq!(platform.names(), ["record c 10", "record c 8", "record c 1", "record c 1"]);
    assert_eq!(platform.stored.iter().map(|p| p.2.as_str()).collect::<String>(), "0124568937");
    assert_eq!((forwarded(&said, "1"), aside.len()), (10, 0));
}

#[test]
fn a_conflict_that_names_nothing_goes_point_by_point_and_one_that_stays_is_set_aside() {
    let mut queue = Queue::new("unnamed");
    for n in 0..4 {
        queue.put("1", "a", n, &n.to_string());
    }
    let errand = queue.errand(&[who("1", Some("c"))], 500);
    let mut platform = Platform::new(|_, points| {
        if points.len() > 1 || points[0].1 == 2 {
            Err(PlatformRefusal::Conflict(vec![]))
        } else {
            Ok(())
        }
    });
    let (said, aside) = done(errand, &queue.folder, &mut platform);
    assert_eq!(platform.names(), ["record c 4", "record c 1", "record c 1", "record c 1", "record c 1"]);
    assert_eq!((forwarded(&said, "1"), aside.len(), aside[0].value.as_str()), (3, 1, "2"));
}

#[test]
fn a_bad_point_is_found_among_many_and_set_aside() {
    let mut queue = Queue::new("bad");
    for n in 0..100 {
        queue.put("1", "a", n, &n.to_string());
    }
    let errand = queue.errand(&[who("1", Some("c"))], 500);
    let mut platform = Platform::new(|_, points| if points.iter().any(|p| p.1 == 37) { Err(bad()) } else { Ok(()) });
    let (said, aside) = done(errand, &queue.folder, &mut platform);
    assert!(platform.calls.len() <= 15, "{:?}", platform.names());
    assert_eq!((forwarded(&said, "1"), aside.len()), (99, 1));
    assert_eq!(
        (aside[0].time, aside[0].value.as_str(), aside[0].reason.as_str()),
        (37, "37", "the platform answered 400")
    );
    assert_eq!(
        platform.stored.iter().map(|p| p.1).collect::<Vec<_>>(),
        (0..100).filter(|n| *n != 37).collect::<Vec<_>>()
    );
    assert!(matches!(said[0], CourierReport::Gone { forwarded: 99, aside: 1, .. }));
}

#[test]
fn a_platform_that_refuses_everything_is_not_asked_for_ever() {
    let mut queue = Queue::new("everything");
    for n in 0..1000 {
        queue.put("1", "a", n, "v");
    }
    let errand = queue.errand(&[who("1", Some("c"))], 50);
    let mut platform = Platform::new(|_, _| Err(bad()));
    let (said, aside) = done(errand, &queue.folder, &mut platform);
    assert_eq!(aside.len(), 100);
    assert!(
        matches!(said.last(), Some(CourierReport::Held(_, why, None)) if why.contains("too many")),
        "{:?}",
        said.last()
    );
}

#[test]
fn a_401_in_the_middle_of_a_batch_loses_nothing() {
    let mut queue = Queue::new("renewed");
    for n in 0..30 {
        queue.put("1", "a", n, "v");
    }
    let errand = queue.errand(&[who("1", Some("c"))], 10);
    let mut platform = Platform::new(|call, points| match call {
        "record c" if points[0].1 >= 10 => Err(PlatformRefusal::Unauthorized),
        _ => Ok(()),
    });
    platform.ciks = [Ok(cik("n"))].into();
    let (said, _) = done(errand, &queue.folder, &mut platform);
    assert_eq!(
        platform.names(),
        ["record c 10", "record c 10", "activate 1 0", "record n 10", "record n 10"],
        "a new CIK, and again at once"
    );
    assert_eq!(forwarded(&said, "1"), 30);
}

#[test]
fn points_of_a_boot_get_its_time() {
    let mut queue = Queue::new("boot");
    queue.put_at("1", "a", PointTime::SinceBoot { boot: 4, milliseconds: 10_999 }, "x");
    queue.put_at("1", "a", PointTime::SinceBoot { boot: 4, milliseconds: 12_000 }, "y");
    queue.store.commit().unwrap();
    queue.store.set_boot(Boot { tag: 4, began: Some(1_790_000_000_000), last: 12_000 }).unwrap();
    let errand = queue.errand(&[who("1", Some("c"))], 10);
    let mut platform = Platform::new(|_, _| Ok(()));
    done(errand, &queue.folder, &mut platform);
    assert_eq!(platform.stored.iter().map(|p| p.1).collect::<Vec<_>>(), [1_790_000_010, 1_790_000_012]);
}

#[test]
fn a_device_without_points_is_activated_all_the_same() {
    let mut queue = Queue::new("activate");
    queue.put("2", "a", 1, "v");
    let errand = queue.errand(&[who("1", None), who("2", Some("d"))], 10);
    let mut platform = Platform::new(|_, _| Ok(()));
    platform.ciks = [Ok(cik("n"))].into();
    let (said, _) = done(errand, &queue.folder, &mut platform);
    assert_eq!(said[0], CourierReport::Activated(who("1", None).id, cik("n")));
    assert_eq!(forwarded(&said, "2"), 1);
}
