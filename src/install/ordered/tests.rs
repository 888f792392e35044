//! Numbered orders from their first sight to their end.

use super::*;
use crate::install::request::Entry;
use crate::orders::logs::Wish;
use crate::orders::{ContentLink, Progress};

fn part(name: &str) -> Part {
    let entry = Entry { size: Some(7), ..Entry::named(name.into()) };
    Part {
        entry,
        link: ContentLink { href: ["/", name].concat(), signature: None, sha1: None, md5: None },
        beside: Vec::new(),
        remove: false,
    }
}

const NO_LOGS: Tails<'static> = &|_| String::new();

fn order(id: &str, names: &[&str], until: Until) -> Order {
    Order { id: id.into(), parts: Ok(names.iter().map(|name| part(name)).collect()), until, logs: Vec::new() }
}

fn stage(journal: &Journal) -> Stage {
    journal.standings("x")[0].stage.clone()
}

#[test]
fn the_same_number_is_the_same_order_until_its_end_is_known() {
    // hawkbit#381, zephyr#71750.
    let mut journal = Journal::empty();
    assert!(journal.take_order("x", order("7", &["a.v1.tar.gz", "b.v1.tar.gz"], Until::Installed), NO_LOGS));
    assert!(!journal.take_order("x", order("7", &["a.v1.tar.gz"], Until::Installed), NO_LOGS));
    assert_eq!((journal.jobs.len(), stage(&journal)), (2, Stage::Open));
    journal.jobs[0].state = InstallState::Done;
    journal.jobs[1].state = InstallState::Done;
    assert!(matches!(stage(&journal), Stage::Ended(End { success: true, code: 0, .. })));
    assert!(
        !journal.take_order("x", order("7", &["a.v1.tar.gz"], Until::Installed), NO_LOGS),
        "its end is only told again"
    );
    journal.end_is_known("7");
    assert!(journal.is_empty());
    assert!(
        journal.take_order("x", order("7", &["a.v1.tar.gz"], Until::Installed), NO_LOGS),
        "goosebit: by force, again"
    );
}

#[test]
fn a_window_that_opens_lets_what_is_downloaded_be_installed() {
    // rauc-hawkbit-updater#111, hawkbit#2026.
    let mut journal = Journal::empty();
    journal.take_order("x", order("7", &["a.v1.tar.gz"], Until::DownloadedForNow), NO_LOGS);
    assert_eq!(journal.next_job(true, &[]), Some(0));
    journal.jobs[0].state = InstallState::Verified;
    assert_eq!((journal.next_job(true, &[]), stage(&journal)), (None, Stage::Downloaded(false)));
    assert!(journal.tell("7", Progress::Downloaded as u32) && !journal.tell("7", Progress::Downloaded as u32));
    assert_eq!(stage(&journal), Stage::Downloaded(true));
    assert!(journal.take_order("x", order("7", &[], Until::Installed), NO_LOGS));
    assert_eq!((journal.next_job(true, &[]), stage(&journal)), (Some(0), Stage::Open));
}

#[test]
fn what_was_only_to_be_downloaded_serves_the_order_that_installs_it() {
    let mut journal = Journal::empty();
    journal.take_order("x", order("7", &["a.v1.tar.gz"], Until::Downloaded), NO_LOGS);
    journal.jobs[0].state = InstallState::Verified;
    journal.end_is_known("7");
    assert_eq!((journal.jobs.len(), journal.next_job(true, &[]), journal.orders.is_none()), (1, None, true));
    journal.take_order("x", order("8", &["a.v1.tar.gz"], Until::Installed), NO_LOGS);
    let job = &journal.jobs[0];
    assert_eq!((journal.jobs.len(), job.state, job.order.as_deref()), (1, InstallState::Verified, Some("8")));
    assert_eq!(journal.next_job(true, &[]), Some(0));
}

#[test]
fn a_cancel_counts_until_a_script_has_begun() {
    // hawkbit#952, zephyr#89530.
    let mut journal = Journal::empty();
    for (state, attempts, is_dropped) in [
        (InstallState::Requested, 0, true),
        (InstallState::Downloading, 0, true),
        (InstallState::Verified, 0, true),
        (InstallState::Verified, 1, false),
        (InstallState::Staged, 0, false),
        (InstallState::Installing, 1, false),
        (InstallState::Settling, 1, false),
        (InstallState::RollingBack, 1, false),
        (InstallState::Done, 1, false),
        (InstallState::Failed, 0, false),
    ] {
        journal = Journal::empty();
        journal.take_order("x", order("7", &["a.v1.tar.gz"], Until::Installed), NO_LOGS);
        (journal.jobs[0].state, journal.jobs[0].attempts) = (state, attempts);
        assert_eq!((journal.cancel_order("7"), journal.is_empty()), (is_dropped, is_dropped), "{state:?} {attempts}");
    }
    assert!(
        journal.take_order("x", order("8", &["a.v2.tar.gz"], Until::Installed), NO_LOGS),
        "closed by the server: another comes"
    );
    assert_eq!(journal.numbered().len(), 2, "what was done is still told");
}

#[test]
fn orders_that_cannot_be_done_end_at_once() {
    let many: Vec<String> = (0..33).map(|n| format!("a{n}.v1.tar.gz")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for bad in [
        order("7", &[], Until::Installed),
        order("7", &many, Until::Installed),
        Order { parts: Err("no link".into()), ..order("7", &[], Until::Installed) },
    ] {
        let mut journal = Journal::empty();
        journal.take_order("x", bad, NO_LOGS);
        assert!(matches!(stage(&journal), Stage::Ended(End { success: false, code: ORDER, .. })));
        assert!(!journal.is_reportable() && journal.remarks.is_empty());
    }
}

#[test]
fn the_number_of_a_failure_says_where_it_was() {
    for (state, reason, code) in [
        (InstallState::Requested, "no name", ORDER),
        (InstallState::Downloading, "this very content failed before (ended by signal 9); to try it", ORDER),
        (InstallState::Downloading, "its SHA-256 is another", DOWNLOAD),
        (InstallState::Downloading, "it is not signed", SIGNATURE),
        (InstallState::Downloading, "signage.v1.tar.gz is not there", DOWNLOAD),
        (InstallState::Verified, "it is signed with the key 0, which is revoked", SIGNATURE),
        (InstallState::Verified, "install.sh: it is signed", INSTALL),
        (InstallState::Downloading, "the disk is full: 1 more", SPACE),
        (InstallState::Verified, "no install.sh", INSTALL),
        (InstallState::Installing, "exit status 3", INSTALL),
    ] {
        assert_eq!(code_of(state, reason), code, "{reason}");
    }
}

#[test]
fn a_text_s_report_and_a_number_s_end_do_not_mix() {
    let mut journal = Journal::empty();
    journal.take_order("x", order("7", &["a.v1.tar.gz"], Until::Installed), NO_LOGS);
    journal.take_request(r#"{"install":[{"name":"b.v1.tar.gz"}]}"#, NO_LOGS);
    journal.jobs[1].state = InstallState::Done;
    assert!(journal.is_reportable() && journal.for_report().jobs.len() == 1);
    journal.reported();
    assert_eq!(journal.jobs.len(), 1);
    journal.jobs[0].state = InstallState::Failed;
    assert!(!journal.is_reportable());
}

#[test]
fn what_a_source_ordered_that_is_not_configured_any_more_is_dropped() {
    let mut journal = Journal::empty();
    journal.take_order("x", order("7", &["a.v1.tar.gz"], Until::Installed), NO_LOGS);
    assert!(!journal.drop_orphans("x"));
    journal.jobs[0].state = InstallState::Installing;
    assert!(!journal.drop_orphans("y"), "what is under way is finished");
    journal.jobs[0].state = InstallState::Done;
    assert!(journal.drop_orphans("y") && journal.is_empty());
}

#[test]
fn what_a_source_ordered_that_never_answers_is_given_up_but_for_what_is_under_way() {
    // The state of the first of two jobs, and how many are left.
    for (state, left) in [
        (InstallState::Requested, 0),
        (InstallState::Downloading, 0),
        (InstallState::Done, 0),
        (InstallState::Installing, 1),
        (InstallState::Settling, 1),
    ] {
        let mut journal = Journal::empty();
        journal.take_order("x", order("7", &["a.v1.tar.gz", "b.v1.tar.gz"], Until::Installed), NO_LOGS);
        journal.jobs[0].state = state;
        assert!(!journal.give_up("x", true), "its own stays");
        assert!(journal.give_up("y", true));
        assert_eq!((journal.jobs.len(), journal.numbered().len()), (left, left), "{state:?}");
        if let Some(job) = journal.jobs.first_mut() {
            job.state = InstallState::Done;
            assert!(journal.give_up("y", true));
        }
        assert!(journal.is_empty(), "{state:?}");
        journal.take_request(r#"{"install":[{"name":"c.v1.tar.gz"}], "logs":{"gwe":7}}"#, NO_LOGS);
        journal.jobs[0].state = state;
        assert!(!journal.give_up("y", false), "texts are its own");
        assert!(journal.give_up("y", true));
        assert_eq!((journal.jobs.len(), journal.uncleared.is_none()), (left, true), "{state:?}");
        assert!(journal.logs.is_none(), "{state:?}");
    }
}

#[test]
fn an_order_for_logs_ends_with_them_and_they_are_read_once() {
    let wish = Wish { program: "gwe".into(), lines: 7 };
    let asks = || Order { logs: vec![wish.clone()], ..order("7", &[], Until::DownloadedForNow) };
    let mut journal = Journal::empty();
    assert!(journal.take_order("x", asks(), &|wishes| format!("| {}\n", wishes[0].program)));
    assert!(!journal.take_order("x", asks(), &|_| "| another\n".into()));
    let Stage::Ended(end) = stage(&journal) else { panic!("it has not ended") };
    assert_eq!((end.success, end.code, end.lines.len(), end.logs.as_deref()), (true, 0, 0, Some("| gwe\n")));
    let bad = Order { parts: Err("logs.json: it is torn".into()), ..order("8", &[], Until::Installed) };
    journal.take_order("x", bad, NO_LOGS);
    assert!(matches!(stage(&journal), Stage::Ended(End { success: false, code: ORDER, logs: None, .. })));
    assert_eq!(journal.numbered().len(), 1, "the one before is closed");
}
