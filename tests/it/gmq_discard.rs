//! `gmq discard`: what waits for a device that will never take it is given up, and nothing else is.

use gwe_tests::harness::{wait_until, Gmq, Murano};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// Three records by a CIK; the answer's status of each is 204.
fn record(gmq: &Gmq, cik: &str) {
    for n in 0..3 {
        let body = format!("{}=x{n}", 1_700_000_000 + n);
        assert_eq!(gmq.post("/onep:v1/stack/alias/a", &[("X-Exosite-CIK", cik)], &body).status, 204);
    }
}

#[test]
fn what_a_void_cik_has_queued_is_given_up_and_nothing_else() {
    let murano = Murano::start();
    let mut gmq = Gmq::start(&murano.url());
    let cik = murano.activate("gone");
    murano.server().platform().store.revoke_device("gone").unwrap();
    record(&gmq, &cik);
    assert_eq!(gmq.record("1", "a", "1700000000=there"), 204);
    wait_until("the other device is served", LIMIT, || murano.history("1", "a") == ["there"]);
    wait_until("the platform refuses the CIK", LIMIT, || {
        let status = gmq.gmq(&["status"]).ok().stdout;
        status.contains(&format!("{}{}: 3 queued: ", &cik[..8], "*".repeat(32)))
    });
    murano.faults(&["record:status=503"]);
    assert_eq!(gmq.record("1", "a", "1700000001=waits"), 204);
    let name = &cik[..8];
    let refused = gmq.gmq(&["discard", name]).exited(1);
    assert!(refused.stderr.contains("supervisorctl stop gmq"), "{}", refused.report());
    assert_eq!(gmq.count("queued"), 4, "nothing was done");
    gmq.stop();
    for (wrong, status, says) in [
        (&["discard"][..], 2, "no such command"),
        (&["discard", "nobody-here"], 1, "no device is called 'nobody-here'"),
        (&["discard", &cik[..7]], 1, "no device"),
        (&["discard", "p", "p", "2"], 1, "no device is called 'p p 2'"),
    ] {
        let ran = gmq.gmq(wrong).exited(status);
        assert!(ran.stderr.contains(says), "{}", ran.report());
    }
    assert_eq!(gmq.count("queued"), 4);
    assert_eq!(gmq.gmq(&["discard", name]).ok().stdout, "3 discarded\n");
    assert_eq!((gmq.count("queued"), gmq.count("dropped")), (1, 3));
    assert_eq!(gmq.gmq(&["discard", &format!("{name}{}", "*".repeat(32))]).ok().stdout, "0 discarded\n");
    murano.clear_faults();
    gmq.run();
    gmq.drained(LIMIT);
    assert_eq!(murano.history("1", "a"), ["there", "waits"]);
    assert_eq!((gmq.count("dropped"), gmq.count("set_aside")), (3, 0));
    // The CIK can be used again, for all that gmq knows.
    record(&gmq, &cik);
    assert_eq!(gmq.count("queued"), 3);
}

#[test]
fn a_device_is_told_by_its_three_words_and_two_ciks_that_begin_alike_by_all_of_them() {
    let mut gmq = Gmq::start("http://127.0.0.1:1");
    let ciks = ["a", "b"].map(|end| ["c".repeat(39).as_str(), end].concat());
    ciks.iter().for_each(|cik| record(&gmq, cik));
    assert_eq!(gmq.record("1", "a", "1700000000=x"), 204);
    gmq.stop();
    let ran = gmq.gmq(&["discard", "cccccccc"]).exited(1);
    assert!(ran.stderr.contains("more than one"), "{}", ran.report());
    assert_eq!(gmq.count("queued"), 7);
    assert_eq!(gmq.gmq(&["discard", &ciks[0]]).ok().stdout, "3 discarded\n");
    assert_eq!(gmq.gmq(&["discard", "p", "p", "1"]).ok().stdout, "1 discarded\n");
    // As the store is: read from the disk by another program.
    assert_eq!(gmq.count("queued"), 3);
    gmq.run();
    assert_eq!(gmq.count("queued"), 3);
}

#[test]
fn a_server_that_sleeps_has_the_queue_all_the_same() {
    let murano = Murano::start();
    let mut gmq = Gmq::not_running(&murano.url(), "[unq]\nbatch_record_period = 0.2\n");
    gmq.environment(&[("GWE_NAP_AFTER", "1")]);
    gmq.run();
    assert_eq!(gmq.record("1", "a", "1700000000=x"), 204);
    let exe = format!("/proc/{}/exe", gmq.server().pid());
    let is_asleep = || std::fs::read_link(&exe).is_ok_and(|path| path.to_string_lossy().starts_with("/memfd:"));
    wait_until("the queue sleeps", LIMIT, is_asleep);
    let refused = gmq.gmq(&["discard", "p", "p", "1"]).exited(1);
    assert!(refused.stderr.contains("gmq is running"), "{}", refused.report());
    assert!(is_asleep(), "it need not wake up for that");
}

#[test]
fn without_a_queue_there_is_nothing_to_give_up() {
    let gmq = Gmq::not_running("http://127.0.0.1:1", "");
    let ran = gmq.gmq(&["discard", "p", "p", "1"]).exited(1);
    assert!(ran.stderr.contains("no device"), "{}", ran.report());
    assert!(!gmq.gateway().root().has("var/lib/gwe/queue"), "it made one");
}
