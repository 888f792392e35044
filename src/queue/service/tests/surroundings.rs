//! Clocks, disks, signals and settings.

use super::*;

#[test]
fn points_of_an_unknown_time_wait_for_it_and_keep_their_distance() {
    let mut rig = Rig::new("clock");
    rig.is_synchronised = false;
    rig.wall = 0;
    rig.activated("1");
    rig.record("1", "a", 90);
    rig.seconds += 5.0;
    rig.record("1", "a", 105);
    rig.record("1", "a", WALL);
    rig.turn();
    let orders = rig.pass(20.0);
    let [CourierOrder::Start(errand, Errand::Time)] = orders[..] else { panic!("{orders:?}") };
    rig.report(errand, CourierReport::Time(Some(WALL + 50)));
    rig.over(errand);
    let (errand, batch) = batch_of(&rig.turn());
    let delivered: Vec<u64> = rig.deliver(errand, &batch).into_iter().map(|(_, time)| time).collect();
    // It is WALL + 50 at 125 s after boot.
    assert_eq!(delivered, [WALL + 50 - 35, WALL + 50 - 20, WALL]);
    // The rest of this boot needs no question.
    rig.record("1", "a", 125);
    rig.turn();
    let (errand, batch) = batch_of(&rig.pass(10.0));
    assert_eq!(rig.deliver(errand, &batch)[0].1, WALL + 50);
}

#[test]
fn without_any_time_nothing_is_sent_and_ntp_ends_that() {
    let mut rig = Rig::new("no-time");
    rig.is_synchronised = false;
    rig.wall = 0;
    rig.activated("1");
    rig.write("1", "a", "x");
    let (errand, _) = write_of(&rig.turn());
    rig.report(errand, link());
    rig.over(errand);
    rig.turn();
    let orders = rig.pass(2.0);
    let [CourierOrder::Start(errand, Errand::Time)] = orders[..] else { panic!("{orders:?}") };
    rig.report(errand, CourierReport::Time(None));
    rig.over(errand);
    assert!(rig.turn().is_empty());
    assert!(rig.service.status(rig.moment()).link_error.unwrap().contains("time"));
    rig.wall = WALL;
    rig.is_synchronised = true;
    let (errand, batch) = batch_of(&rig.pass(300.0));
    assert_eq!(rig.deliver(errand, &batch), [("a".to_string(), WALL + 100)]);
}

#[test]
fn a_store_that_cannot_be_opened_refuses_and_writes_still_go() {
    let dir = std::env::temp_dir().join(format!("gwe-service-{}-no-store", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    let paths = Paths::new(&dir);
    fs::create_dir_all(paths.state()).unwrap();
    let mut rig = Rig::on(paths.clone());
    rig.activated("1");
    drop(rig.service.store.take());
    fs::rename(paths.queue(), paths.state().join("away")).unwrap();
    fs::write(paths.queue(), "in the way").unwrap();
    let record = rig.record("1", "a", 1);
    let write = rig.write("1", "a", "x");
    let (errand, _) = write_of(&rig.turn());
    rig.report(errand, CourierReport::Written);
    rig.over(errand);
    assert_eq!(rig.answers(), [(record, 503), (write, 204)]);
    // The link fails, and there is nothing queued that could show that it works again: the next write does.
    rig.write("1", "a", "x");
    let (errand, _) = write_of(&rig.turn());
    rig.report(errand, CourierReport::Link("no network".into(), None));
    rig.over(errand);
    rig.write("1", "a", "x");
    assert!(rig.turn().is_empty());
    rig.seconds += 2.0;
    let write = rig.write("1", "a", "x");
    let (errand, _) = write_of(&rig.turn());
    rig.report(errand, CourierReport::Written);
    rig.over(errand);
    assert_eq!(rig.answers().last(), Some(&(write, 204)));
    fs::remove_file(paths.queue()).unwrap();
    fs::rename(paths.state().join("away"), paths.queue()).unwrap();
    rig.seconds += 11.0;
    let record = rig.record("1", "a", 1);
    rig.turn();
    assert_eq!((rig.answers(), rig.service.status(rig.moment()).refused), (vec![(record, 204)], 3));
}

#[test]
fn at_the_end_what_waits_is_stored_and_nothing_is_started() {
    let mut rig = Rig::new("stop");
    rig.activated("1");
    let write = rig.write("1", "a", "x");
    let (errand, _) = write_of(&rig.turn());
    let behind = rig.write("1", "a", "y");
    let moment = rig.moment();
    rig.service.stop(moment);
    assert!(rig.turn().is_empty());
    assert_eq!((rig.answers(), rig.queued()), (vec![(write, 204), (behind, 204)], 2));
    assert!(rig.service.is_busy());
    rig.report(errand, CourierReport::Written);
    rig.over(errand);
    assert!(!rig.service.is_busy() && rig.pass(60.0).is_empty());
}

#[test]
fn settings_are_read_again() {
    let mut rig = Rig::new("reread");
    QueueSettings::load(&rig.paths)
        .set(crate::queue::settings::SettingsFile::Queue, "unq", "batch_record_period", "0")
        .unwrap();
    let place = rig.ask(AppCall::Reread);
    assert_eq!(rig.answers(), [(place, 204)]);
    rig.activated("1");
    rig.record("1", "a", 1);
    rig.turn();
    batch_of(&rig.turn());
}
