//! What is sent when, and what is made of the outcome.

use super::*;

#[test]
fn a_write_goes_at_once_and_is_answered_when_the_platform_has_it() {
    let mut rig = Rig::new("at-once");
    rig.activated("1");
    let first = rig.write("1", "a", "x");
    let second = rig.write("1", "a", "y");
    let (errand, values) = write_of(&rig.turn());
    assert_eq!(values, [("a".to_string(), "x".to_string())]);
    assert!(rig.turn().is_empty() && rig.answers().is_empty(), "one at a time, in order");
    rig.report(errand, CourierReport::Written);
    rig.over(errand);
    assert_eq!(rig.answers(), [(first, 204)]);
    let (errand, values) = write_of(&rig.turn());
    assert_eq!(values[0].1, "y");
    rig.report(errand, CourierReport::Written);
    rig.over(errand);
    assert_eq!((rig.answers(), rig.queued()), (vec![(second, 204)], 0));
    assert_eq!(rig.service.deadline(Duration::from_secs(100)), None, "nothing to do, nothing to wake up for");
    assert_eq!(rig.service.status(rig.moment()).forwarded, 2);
}

#[test]
fn a_write_that_fails_is_queued_under_its_own_time_and_so_is_what_waited_behind_it() {
    let mut rig = Rig::new("fails");
    rig.activated("1");
    let first = rig.write("1", "a", "x");
    let (errand, _) = write_of(&rig.turn());
    rig.seconds += 2.0;
    let second = rig.write("1", "a", "y");
    rig.seconds += 1.0;
    rig.report(errand, link());
    rig.over(errand);
    assert!(rig.answers().is_empty(), "not before it is durable");
    assert!(rig.turn().is_empty());
    assert_eq!((rig.answers(), rig.queued()), (vec![(first, 204), (second, 204)], 2));
    // The link is down: the next is queued without a try.
    let third = rig.write("1", "b", "z");
    assert!(rig.turn().is_empty());
    assert_eq!(rig.answers(), [(third, 204)]);
    let retry = rig.service.deadline(rig.moment().since_boot).unwrap();
    assert!(retry <= rig.moment().since_boot + Duration::from_secs(2));
    let (errand, batch) = batch_of(&rig.pass(1.0));
    let delivered = rig.deliver(errand, &batch);
    let at = |alias: &str, after: u64| (alias.to_string(), WALL + after);
    assert_eq!(delivered, [at("a", 0), at("a", 2), at("b", 3)]);
    // Everything is through: writes go at once again.
    rig.write("1", "a", "w");
    write_of(&rig.turn());
}

#[test]
fn an_app_waits_for_the_platform_only_so_long() {
    let mut rig = Rig::new("patience");
    rig.activated("1");
    let first = rig.write("1", "a", "x");
    let (errand, _) = write_of(&rig.turn());
    assert!(rig.pass(4.9).is_empty() && rig.answers().is_empty());
    rig.pass(0.2);
    assert_eq!((rig.answers(), rig.queued()), (vec![(first, 204)], 1));
    // The process is not killed: it may be bringing a CIK. What it says later is taken.
    rig.report(errand, CourierReport::Activated(id("1"), cik("n")));
    rig.report(errand, CourierReport::Late);
    rig.over(errand);
    let (_, batch) = batch_of(&rig.turn());
    assert_eq!(batch.shares[0].who.cik, Some(cik("n")));
}

#[test]
fn a_process_that_says_nothing_is_ended() {
    let mut rig = Rig::new("silent");
    rig.activated("1");
    rig.write("1", "a", "x");
    let (errand, _) = write_of(&rig.turn());
    rig.pass(6.0);
    let orders = rig.pass(115.0);
    assert!(orders.contains(&CourierOrder::End(errand)), "{orders:?}");
    assert!(rig.service.status(rig.moment()).link_error.is_some());
    rig.over(errand);
    rig.report(errand, CourierReport::Written);
}

#[test]
fn a_write_of_another_alias_does_not_wait_behind_records_and_one_of_the_same_does() {
    let mut rig = Rig::new("alias");
    rig.activated("1");
    rig.record("1", "a", 5);
    let same = rig.write("1", "a", "x");
    rig.turn();
    assert_eq!(rig.answers().last(), Some(&(same, 204)));
    assert_eq!(rig.queued(), 2);
    let mut rig = Rig::new("alias2");
    rig.activated("1");
    rig.record("1", "a", 5);
    rig.write("1", "b", "x");
    let (errand, _) = write_of(&rig.turn());
    rig.report(errand, CourierReport::Written);
    rig.over(errand);
    assert_eq!(rig.queued(), 1);
}

#[test]
fn records_wait_for_their_period_and_then_go_together() {
    let mut rig = Rig::new("period");
    rig.activated("1");
    for time in 1..=3 {
        let place = rig.record("1", "a", time);
        assert!(rig.pass(1.0).is_empty());
        assert_eq!(rig.answers(), [(place, 204)]);
    }
    assert_eq!(rig.service.deadline(Duration::ZERO), Some(Duration::from_secs(110)), "ten seconds after the first");
    assert!(rig.pass(6.9).is_empty());
    let (errand, batch) = batch_of(&rig.pass(0.2));
    assert_eq!((batch.quantity, batch.shares.len()), (500, 1));
    rig.record("1", "a", 4);
    assert!(rig.pass(3.0).is_empty() && rig.pass(30.0).is_empty(), "one batch at a time");
    assert_eq!(rig.deliver(errand, &batch).len(), 3);
    assert_eq!(rig.queued(), 1);
    // What came while that was under way is due a period after it came.
    batch_of(&rig.turn());
}

#[test]
fn a_new_device_is_activated_first_and_only_once() {
    let mut rig = Rig::new("new");
    let write = rig.write("1", "a", "x");
    let ask = rig.ask(AppCall::Activate(Vms::new("p", "p", "1").unwrap()));
    let (errand, who) = activation_of(&rig.turn());
    assert_eq!((who.id, who.cik), (id("1"), None));
    rig.report(errand, CourierReport::Activated(id("1"), cik("n")));
    rig.over(errand);
    assert_eq!(rig.answers(), [(ask, 200)]);
    let (errand, _) = write_of(&rig.turn());
    rig.report(errand, CourierReport::Written);
    rig.over(errand);
    assert_eq!(rig.answers(), [(write, 204)]);
    let again = rig.ask(AppCall::Activate(Vms::new("p", "p", "1").unwrap()));
    assert!(rig.turn().is_empty());
    assert_eq!(rig.answers(), [(again, 200)]);
    let restarted = Rig::on(rig.paths.clone());
    assert_eq!(restarted.service.identities.get(id("1")).unwrap().cik, Some(cik("n")), "kept over a restart");
}

#[test]
fn a_device_that_is_not_enabled_is_tried_later_and_its_data_is_queued() {
    let mut rig = Rig::new("not-enabled");
    let write = rig.write("1", "a", "x");
    let ask = rig.ask(AppCall::Activate(Vms::new("p", "p", "1").unwrap()));
    let (errand, _) = activation_of(&rig.turn());
    rig.report(errand, CourierReport::Held(id("1"), "404".into(), None));
    rig.over(errand);
    rig.turn();
    let mut answers = rig.answers();
    answers.sort_unstable();
    assert_eq!((answers, rig.queued()), (vec![(write, 204), (ask, 204)], 1));
    // Another device is not held up.
    rig.activated("2");
    rig.write("2", "a", "x");
    let (errand, _) = write_of(&rig.turn());
    rig.report(errand, CourierReport::Written);
    rig.over(errand);
    // It is tried again by itself, with the batch.
    let (_, batch) = batch_of(&rig.pass(10.0));
    assert_eq!(batch.shares.iter().map(|s| s.who.id).collect::<Vec<_>>(), [id("1")]);
}

#[test]
fn a_device_first_seen_in_an_outage_is_provisioned_by_itself() {
    let mut rig = Rig::new("outage");
    let ask = rig.ask(AppCall::Activate(Vms::new("p", "p", "1").unwrap()));
    let (errand, _) = activation_of(&rig.turn());
    rig.report(errand, link());
    rig.over(errand);
    rig.turn();
    assert_eq!(rig.answers(), [(ask, 204)], "no CIK yet");
    let mut rig = Rig::on(rig.paths.clone());
    let (errand, _) = activation_of(&rig.turn());
    rig.report(errand, link());
    rig.over(errand);
    assert!(rig.turn().is_empty());
    let at = rig.service.deadline(rig.moment().since_boot).unwrap();
    assert!(at > rig.moment().since_boot);
    activation_of(&rig.pass(2.5));
}

#[test]
fn what_the_platform_refuses_for_good_is_told_and_not_queued() {
    let mut rig = Rig::new("refused");
    rig.activated("1");
    let write = rig.write("1", "a", "x");
    let (errand, _) = write_of(&rig.turn());
    rig.report(errand, CourierReport::Refused("400: no".into()));
    rig.over(errand);
    rig.turn();
    assert_eq!((rig.answers(), rig.queued()), (vec![(write, 400)], 0));
}

#[test]
fn a_held_device_holds_no_other_and_the_rest_of_a_failed_batch_comes_again() {
    let mut rig = Rig::new("held");
    for serial in ["1", "2"] {
        rig.activated(serial);
        rig.record(serial, "a", 1);
        rig.record(serial, "a", 2);
    }
    rig.turn();
    let (errand, batch) = batch_of(&rig.pass(10.0));
    let first_of_2 = batch.shares.iter().find(|s| s.who.id == id("2")).unwrap().from;
    rig.report(errand, CourierReport::Held(id("1"), "403".into(), Some(Duration::from_secs(600))));
    rig.report(errand, CourierReport::Gone { id: id("2"), through: first_of_2, forwarded: 1, aside: 0 });
    rig.report(errand, link());
    rig.over(errand);
    assert_eq!(rig.queued(), 3);
    let (errand, batch) = batch_of(&rig.pass(2.0));
    assert_eq!(batch.shares.len(), 1);
    assert_eq!(rig.deliver(errand, &batch), [("a".to_string(), 2)]);
    assert!(rig.pass(500.0).is_empty(), "as long as the platform asked");
    let (errand, batch) = batch_of(&rig.pass(100.0));
    assert_eq!(rig.deliver(errand, &batch).len(), 2);
}

#[test]
fn what_waits_at_start_goes_within_a_period() {
    let mut rig = Rig::new("start");
    rig.activated("1");
    rig.record("1", "a", 1);
    rig.turn();
    rig.service.shut_down();
    let mut rig = Rig::on(rig.paths.clone());
    assert_eq!(rig.service.deadline(Duration::ZERO), Some(Duration::from_secs(101)));
    assert!(rig.turn().is_empty());
    batch_of(&rig.pass(1.0));
}
