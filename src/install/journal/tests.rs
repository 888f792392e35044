//! The journal: what is taken, kept, given way to, told, and survives damage.

use super::*;
use std::fs;

const NO_LOGS: Tails<'static> = &|_| String::new();

fn job(name: &str, state: InstallState) -> Job {
    Job { state, ..Job::new(Entry::named(name.into())) }
}

#[test]
fn survives_a_round_trip_and_comes_back_as_after_a_crash() {
    let dir = std::env::temp_dir().join(format!("gwe-journal-{}", std::process::id()));
    let file = path(&dir);
    let mut journal = Journal { jobs: vec![job("a.v1.tar.gz", InstallState::Installing)], ..Journal::empty() };
    journal.jobs[0].output = "line\n\u{1}\"".into();
    journal.save(&file).unwrap();
    let back = Journal::load(&file);
    assert_eq!(back.jobs[0].state, InstallState::Verified);
    assert_eq!(back.jobs[0].output, journal.jobs[0].output);
    for damage in [&b""[..], &[0; 100], b"{\"jobs\"", b"\xff"] {
        fs::write(&file, damage).unwrap();
        assert!(Journal::load(&file).is_empty());
    }
    Journal::empty().save(&file).unwrap();
    assert!(!file.exists(), "an idle gateway has no journal");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_newer_request_for_an_app_replaces_one_that_still_waits() {
    let mut journal = Journal::empty();
    let old = [
        job("a.v1.tar.gz", InstallState::Downloading),
        job("b.v1.tar.gz", InstallState::Settling),
        job("c.v1.tar.gz", InstallState::Failed),
    ];
    journal.jobs.extend(old);
    assert!(journal.add(vec![job("a.v2.tar.gz", InstallState::Requested), job("b.v2.tar.gz", InstallState::Requested)]));
    let names: Vec<_> = journal.jobs.iter().map(|j| &*j.name).collect();
    assert_eq!(names, ["b.v1.tar.gz", "c.v1.tar.gz", "a.v2.tar.gz", "b.v2.tar.gz"]);
    assert_eq!((journal.next_job(false, &[]), journal.next_job(true, &[])), (Some(0), Some(0)));
}

#[test]
fn the_same_request_again_does_not_start_its_download_over() {
    let mut journal = Journal::empty();
    let on_its_way = Job { received: 7, ..job("a.v1.tar.gz", InstallState::Downloading) };
    journal.jobs = vec![on_its_way.clone(), job("b.v1.tar.gz", InstallState::Requested)];
    assert!(journal.add(vec![job("a.v1.tar.gz", InstallState::Requested)]));
    assert_eq!(journal.jobs, [job("b.v1.tar.gz", InstallState::Requested), on_its_way]);
    let other = Job { size: Some(9), ..job("a.v1.tar.gz", InstallState::Requested) };
    assert!(journal.add(vec![other.clone()]));
    assert_eq!(journal.jobs, [job("b.v1.tar.gz", InstallState::Requested), other], "it asks for other bytes");
}

#[test]
fn a_report_waits_for_no_other_job_and_drops_what_it_told() {
    // docs/spec/failures.md, A14.
    let mut journal = Journal::empty();
    assert!(!journal.is_reportable());
    journal.jobs = vec![job("a.v1.tar.gz", InstallState::Done), job("b.v1.tar.gz", InstallState::Downloading)];
    assert!(journal.is_reportable());
    journal.reported();
    assert!(!journal.is_reportable());
    assert_eq!(journal.jobs, [job("b.v1.tar.gz", InstallState::Downloading)]);
    journal.jobs[0].state = InstallState::Failed;
    assert!(journal.is_reportable());
    journal.reported();
    assert!(journal.is_empty());
}

#[test]
fn a_report_that_is_refused_gets_smaller_and_goes() {
    let mut journal = Journal { jobs: vec![job("a.v1.tar.gz", InstallState::Failed)], ..Journal::empty() };
    journal.jobs[0].output = "binary".into();
    journal.shorten_report();
    assert!(journal.is_reportable() && journal.jobs[0].output.is_empty() && journal.jobs[0].remarks.len() == 1);
    journal.shorten_report();
    assert!(journal.is_empty());
}

#[test]
fn a_report_is_about_what_has_ended_alone() {
    // docs/spec/failures.md, A14: what goes on is neither told, nor counted for the headings, nor made smaller.
    let told = |name: &str, state: InstallState| Job { output: name.into(), verdict: name.into(), ..job(name, state) };
    let mut journal = Journal::empty();
    journal.jobs = vec![told("a.v1.tar.gz", InstallState::Failed), told("b.v1.tar.gz", InstallState::Settling)];
    journal.jobs[1].verdict.clear();
    assert_eq!(journal.for_report().jobs, [journal.jobs[0].clone()]);
    assert!(!crate::install::status::text(&journal.for_report()).contains("=="), "one app has no heading");
    let goes_on = journal.jobs[1].clone();
    journal.shorten_report();
    assert_eq!((journal.jobs[0].output.as_str(), &journal.jobs[1]), ("", &goes_on));
    journal.shorten_report();
    assert_eq!(journal.jobs, [goes_on], "the output of what goes on does not keep a refused report");
}

#[test]
fn what_is_held_for_an_order_to_come_keeps_no_install_by_hand_back() {
    let held = Job { order: Some("7".into()), ..job("a.v1.tar.gz", InstallState::Verified) };
    let by_hand = Job::from_file(Path::new("/tmp/a.v2.tar.gz"), false);
    let mut journal = Journal { jobs: vec![held, by_hand], ..Journal::empty() };
    assert_eq!(journal.next_job(false, &[]), Some(1));
    // One that was cut off in its slot has to end first: the other would be given the same slot.
    journal.jobs[0].slot = "b".into();
    assert_eq!(journal.next_job(false, &[]), None);
}

#[test]
fn what_waits_is_bounded() {
    let mut journal = Journal::empty();
    for n in 0..MAX_JOBS {
        assert!(journal.add(vec![job(&format!("a{n}.v1.tar.gz"), InstallState::Requested)]));
    }
    assert!(!journal.add(vec![job("z.v1.tar.gz", InstallState::Requested)]));
    assert_eq!(journal.jobs.len(), MAX_JOBS);
    assert!(journal.remarks[0].contains("too many"));
}

const REQUEST: &str = r#"{"install":[{"name":"a.v1.tar.gz"}]}"#;

#[test]
fn the_same_request_read_twice_is_one_install() {
    // hawkbit#381: the reply to the clearing was lost, and the alias is read again.
    let mut journal = Journal::empty();
    assert!(journal.take_request(REQUEST, NO_LOGS));
    assert!(!journal.take_request(REQUEST, NO_LOGS));
    assert_eq!(journal.jobs.len(), 1);
    assert!(journal.take_request("", NO_LOGS), "the alias is seen empty: the request is known to be taken");
    assert!(journal.uncleared.is_none());
    assert!(journal.take_request(REQUEST, NO_LOGS), "from now on the same text is a new request");
}

#[test]
fn a_request_whose_alias_cannot_be_cleared_is_not_waited_for_without_end() {
    // docs/spec/failures.md, A14: refused for good, at once; else after so many check-ins; told once for each request.
    for (for_good, tries) in [(true, 1), (false, MAX_CLEARINGS)] {
        let mut journal = Journal::empty();
        assert!(journal.take_request(REQUEST, NO_LOGS));
        let waited = (1..).find(|_| journal.not_cleared("no", for_good));
        assert_eq!((waited, journal.remarks.len()), (Some(tries), 1));
        journal.reported();
        assert!(
            !journal.take_request(REQUEST, NO_LOGS) && journal.not_cleared("no", false) && journal.remarks.is_empty()
        );
        assert!(journal.take_request(&REQUEST.replace("v1", "v2"), NO_LOGS) && !journal.not_cleared("no", false));
        assert!(journal.cleared() && journal.clearings.is_none());
    }
}

#[test]
fn what_is_no_request_is_told_once() {
    let mut journal = Journal::empty();
    assert!(journal.take_request("{", NO_LOGS));
    assert!(!journal.take_request("{", NO_LOGS));
    assert_eq!(journal.remarks.len(), 1);
    assert!(journal.is_reportable());
    assert!(!Journal::empty().take_request(" null ", NO_LOGS));
    let mut journal = Journal::empty();
    let long = "é".repeat(request::MAX_REQUEST);
    assert!(
        journal.take_request(&long, NO_LOGS) && !journal.take_request(&long, NO_LOGS),
        "one that is not kept whole too"
    );
    assert_eq!(journal.remarks.len(), 1);
}

#[test]
fn the_largest_journal_is_read_back() {
    // Every character six-fold in the file: a journal that cannot be read loses every report in it.
    let dir = std::env::temp_dir().join(format!("gwe-journal-large-{}", std::process::id()));
    let file = path(&dir);
    let mut journal = Journal::empty();
    for n in 0..MAX_JOBS {
        let mut job = job(&format!("a{n}.v1.tar.gz"), InstallState::Failed);
        job.output = "\u{1}".repeat(crate::install::status::room(n + 1));
        job.verdict = "\u{1}".repeat(2000);
        journal.jobs.push(job);
    }
    journal.uncleared = Some("\u{1}".repeat(request::MAX_REQUEST));
    journal.save(&file).unwrap();
    assert_eq!(Journal::load(&file), journal);
    fs::remove_dir_all(dir).unwrap();
}

/// Azure/iotedge#2596: what is sent again after a cut or a lost acknowledgement is the same, and is not gathered twice.
#[test]
fn logs_are_read_once_for_an_order_and_kept_until_their_report_has_arrived() {
    let dir = std::env::temp_dir().join(format!("gwe-journal-logs-{}", std::process::id()));
    let (file, reads) = (path(&dir), std::cell::Cell::new(0));
    let tails = |wishes: &[Wish]| {
        reads.set(reads.get() + 1);
        format!("{}: read {}\n", wishes[0].program, reads.get())
    };
    let text = r#"{"logs": {"gwe": 7}}"#;
    let mut journal = Journal::empty();
    assert!(journal.take_request(text, &tails) && journal.is_reportable() && !journal.is_empty());
    for _ in 0..3 {
        journal.save(&file).unwrap();
        journal = Journal::load(&file);
        assert!(!journal.take_request(text, &tails), "the alias still stands");
        assert_eq!(journal.for_report().logs.as_deref(), Some("gwe: read 1\n"));
    }
    journal.reported();
    assert!(!journal.take_request(text, &tails) && !journal.is_reportable(), "told, but not cleared");
    assert!(journal.cleared() && journal.is_empty());
    assert!(journal.take_request(text, &tails));
    assert_eq!(journal.logs.as_deref(), Some("gwe: read 2\n"), "another order");
    journal.shorten_report();
    assert!(journal.logs.is_none() && journal.remarks[0].contains("the logs are left out"));
    journal.reported();
    let bad = r#"{"install": [{"name": "a.v1.tar.gz"}], "logs": {"gwe": 0}}"#;
    assert!(journal.take_request(bad, &tails) && journal.jobs.len() == 1 && journal.logs.is_none());
    assert!(journal.remarks[0].contains("number of lines"), "{:?}", journal.remarks);
    // What an older agent has left.
    let old = miniserde::json::to_string(&journal).replace(r#","logs":null"#, "");
    assert_eq!(parse(old.as_bytes()), Some(journal));
    fs::remove_dir_all(dir).unwrap();
}
