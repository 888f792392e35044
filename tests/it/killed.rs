//! `kill -9` at any moment of an install: one install, and its terminal status is always delivered (docs/spec/failures.md, rows 10 and
//! 11: hawkbit#381 and thin-edge#3149, a lost final report; rauc#1554, a failure recorded as success).

use gwe_tests::harness::{scripted_app, wait_for, worker_app, Site, Tarball, PATIENCE, SN};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Runs a check-in, and kills it as soon as its log has `line`. `false`: it ended before. On a busy machine the kill comes late: so its
/// report is refused, since one that is acknowledged and not yet noted is sent again. What passes is the clearing of the order.
pub fn kill_at(site: &Site, line: &str) -> bool {
    site.murano.faults(&["write:pass*1", "write:refuse"]);
    let reached = killed_at(site, line);
    site.murano.clear_faults();
    reached
}

pub fn killed_at(site: &Site, line: &str) -> bool {
    killed_when(site, line, |log| log.contains(line))
}

/// Runs a check-in, and kills it as soon as its log, or anything else, is as it shall be. `false`: it ended before.
pub fn killed_when(site: &Site, what: &str, is_so: impl Fn(&str) -> bool) -> bool {
    let mut check_in = site.gateway.start("gwe", &["--once"]);
    let begun = Instant::now();
    loop {
        let log = check_in.log();
        if is_so(&log) {
            check_in.kill();
            return true;
        }
        if !check_in.is_running() {
            return false;
        }
        assert!(begun.elapsed() < PATIENCE, "'{what}' never came\n{log}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// There as long as something is pending.
pub const JOURNAL: &str = "var/lib/gwe/install/journal.json";

/// Checks in until nothing is pending.
#[track_caller]
pub fn recover(site: &Site) {
    for _ in 0..6 {
        site.check_in();
        if !site.gateway.root().has(JOURNAL) {
            return;
        }
    }
    panic!("it never comes to an end: {}", site.gateway.root().read(JOURNAL));
}

/// How often a verdict stands in all reports together.
fn verdicts(site: &Site, verdict: &str) -> usize {
    site.reports().iter().map(|report| report.matches(verdict).count()).sum()
}

/// Nothing but what an installed app needs.
#[track_caller]
fn is_tidy(site: &Site, app: &str) {
    let tree = site.gateway.root().tree("var/lib/gwe");
    let slots = tree
        .iter()
        .filter(|path| path.ends_with(&format!("/apps/{app}/a/")) || path.ends_with(&format!("/apps/{app}/b/")));
    assert_eq!(slots.count(), 1, "{tree:#?}");
    assert!(!tree.iter().any(|path| path.contains("/downloads/") && path.contains(app)), "{tree:#?}");
    assert!(!tree.iter().any(|path| path.ends_with(".new")), "{tree:#?}");
}

/// What is logged when a state is reached, and what is seen from outside before and after.
pub const MOMENTS: [&str; 12] = [
    "installing app v2",
    "app.v2.tar.gz: requested → downloading",
    "app.v2.tar.gz: downloading → verified",
    "app.v2.tar.gz: verified → staged",
    "app.v2.tar.gz: staged → installing",
    "app.v2.tar.gz: installing → settling",
    "supervisord, app: look",
    "supervisord, app: stop",
    "supervisord, app: remove",
    "supervisord, app: add",
    "[gwe] installed app v2",
    "app.v2.tar.gz: settling → done",
];

/// So many sites go through moments side by side: most of the time is spent waiting.
const LANES: usize = 6;

/// Tests each of these moments.
pub fn at_each(moments: &'static [&'static str], test: fn(&str)) {
    let in_lane = move |lane| moments.iter().skip(lane).step_by(LANES).for_each(|moment| test(moment));
    let lanes: Vec<_> = (0..LANES).map(|lane| thread::spawn(move || in_lane(lane))).collect();
    for lane in lanes {
        lane.join().expect("see above");
    }
}

#[test]
fn killed_in_every_state_an_update_happens_once_and_is_reported_once() {
    at_each(&MOMENTS, |moment| {
        let Some(site) = Site::hosted() else { return };
        site.install("app.v1.tar.gz", &worker_app("one"));
        site.deploy("app.v2.tar.gz", &worker_app("two"));
        assert!(kill_at(&site, moment), "{moment} was not reached");
        recover(&site);
        assert_eq!(verdicts(&site, "[gwe] installed app v2 in N s"), 1, "{moment}: {:#?}", site.reports());
        assert!(site.ctl_status("app").contains("RUNNING"), "{moment}: {}", site.ctl_status("app"));
        assert_eq!(site.reported("app")["version"], "2", "{moment}");
        let exe = fs::read_link(format!("/proc/{}/exe", site.pid("app"))).unwrap();
        assert_eq!(exe, site.gateway.root().path("var/lib/gwe/apps/app/b/worker"), "{moment}");
        is_tidy(&site, "app");
    });
}

/// Durable before it is acknowledged: from the clearing on, nobody but the gateway knows of the order.
#[test]
fn killed_while_the_order_is_cleared_it_is_not_lost() {
    let Some(site) = Site::hosted() else { return };
    site.deploy("app.v1.tar.gz", &worker_app("one"));
    // The platform does what it is asked, and its answer does not arrive.
    site.murano.faults(&["write:stall=0,600"]);
    let is_cleared = || site.murano.read(SN, "engine_fetch").unwrap_or_default().is_empty();
    assert!(killed_when(&site, "the order is cleared", |_| is_cleared()));
    site.murano.clear_faults();
    recover(&site);
    assert_eq!(verdicts(&site, "[gwe] installed app v1 in N s"), 1, "{:#?}", site.reports());
}

#[test]
fn killed_while_install_sh_runs_it_runs_again_and_none_of_the_first_survives() {
    let site = Site::new();
    site.check_in().ok();
    // Says that it runs and what it started, and is then slow the first time.
    let script =
        "echo run >> $GWE_ROOT/runs\n[ -e $GWE_ROOT/second ] && exit\nsleep 31415 &\necho $! > $GWE_ROOT/pid\nwait";
    site.deploy("app.v1.tar.gz", &Tarball::app(script));
    let mut engine = site.start_engine();
    let root = site.gateway.root();
    let pid = wait_for("install.sh", PATIENCE, || {
        root.has("pid").then(|| root.read("pid").trim().to_string()).filter(|pid| !pid.is_empty())
    });
    let children = format!("/proc/{0}/task/{0}/children", engine.pid());
    let check_in: i32 = fs::read_to_string(children).unwrap().trim().parse().expect("one child, the check-in");
    root.write("second", "");
    // SAFETY: a child of a process that this test started.
    assert_eq!(unsafe { libc::kill(check_in, libc::SIGKILL) }, 0);
    wait_for("the report", PATIENCE, || (!site.reports().is_empty()).then_some(()));
    assert_eq!(site.reports(), ["[gwe] installed app v1 in N s\n"], "{}", engine.log());
    assert_eq!(root.read("runs"), "run\nrun\n");
    assert!(!Path::new("/proc").join(&pid).exists(), "{pid} survived: {}", engine.log());
    engine.stop();
}

#[test]
fn a_script_that_cuts_the_power_each_time_is_given_up() {
    let site = Site::new();
    site.check_in().ok();
    // The whole process group of the check-in, as far as a script can tell: its parent.
    site.deploy("app.v1.tar.gz", &Tarball::app("echo run >> $GWE_ROOT/runs; kill -9 $PPID; sleep 5"));
    for _ in 0..4 {
        site.check_in();
    }
    assert_eq!(site.gateway.root().read("runs"), "run\n".repeat(3));
    assert_eq!(site.reports(), ["[gwe] failed app v1: install.sh was cut off 3 times\n"]);
}

#[test]
fn killed_while_it_rolls_back_version_1_is_back_and_the_cloud_is_told_once() {
    for moment in
        ["app.v2.tar.gz: settling → rolling back", "[gwe] rolled back app", "app.v2.tar.gz: rolling back → rolled back"]
    {
        let Some(site) = Site::hosted() else { return };
        site.install("app.v1.tar.gz", &worker_app("one"));
        site.deploy("app.v2.tar.gz", &scripted_app("exit 1", "startsecs = 1\nstartretries = 0"));
        assert!(kill_at(&site, moment), "{moment} was not reached");
        recover(&site);
        assert_eq!(verdicts(&site, "[gwe] rolled back app v2 to v1"), 1, "{moment}: {:#?}", site.reports());
        assert!(site.ctl_status("app").contains("RUNNING"), "{moment}: {}", site.ctl_status("app"));
        assert_eq!(site.reported("app")["version"], "1", "{moment}");
        is_tidy(&site, "app");
    }
}

/// Cut for the last time that is allowed, but after the outcome was recorded: a whole machine's power loss found v2 rolled back to v2.
#[test]
fn a_state_that_was_cut_off_too_often_but_had_done_its_work_is_done() {
    for (state, v2, version, verdict) in [
        ("\"Settling\"", worker_app("two"), "2", "[gwe] installed app v2"),
        (
            "\"RollingBack\"",
            scripted_app("exit 1", "startsecs = 1\nstartretries = 0"),
            "1",
            "[gwe] rolled back app v2 to v1",
        ),
    ] {
        let Some(site) = Site::hosted() else { return };
        site.install("app.v1.tar.gz", &worker_app("one"));
        site.deploy("app.v2.tar.gz", &v2);
        let root = site.gateway.root();
        let is_in_it = |_: &str| root.has(JOURNAL) && root.read(JOURNAL).contains(state);
        assert!(killed_when(&site, state, is_in_it), "{state} was not reached");
        let journal = root.read(JOURNAL);
        recover(&site);
        assert!(site.fetch_status().contains(verdict), "{}", site.fetch_status());
        let tries = account_of_tries(&journal);
        root.write(JOURNAL, journal.replacen(&tries, r#""tries":2"#, 1));
        recover(&site);
        assert!(site.fetch_status().contains(verdict), "{state}: {}", site.fetch_status());
        assert!(site.ctl_status("app").contains("RUNNING"), "{state}: {}", site.ctl_status("app"));
        assert_eq!(site.reported("app")["version"], version, "{state}");
    }
}

/// The account of tries, as it stands in a journal.
fn account_of_tries(journal: &str) -> String {
    let from = journal.find(r#""tries":"#).expect("a state that counts its tries");
    let end = journal[from..].find([',', '}']).expect("JSON");
    journal[from..from + end].to_string()
}

#[test]
fn killed_around_a_failure_the_reason_is_the_true_one() {
    // A crash between the verdict and its report once gave another verdict: the tarball had been removed by then.
    for moment in ["[gwe] failed app v1", "app.v1.tar.gz: installing → failed"] {
        let site = Site::new();
        site.check_in().ok();
        site.deploy("app.v1.tar.gz", &Tarball::app("echo why; exit 3"));
        assert!(kill_at(&site, moment), "{moment} was not reached");
        recover(&site);
        assert_eq!(site.reports(), ["why\n[gwe] failed app v1: install.sh exited with 3\n"], "{moment}");
        assert!(site.gateway.root().tree("var/lib/gwe/apps").is_empty(), "{moment}");
        assert!(site.reported("app").is_null(), "rauc#1554: a failure is never recorded as a success");
    }
}

#[test]
fn killed_at_random_there_is_one_install_and_one_report_for_each_order() {
    // Fixed seeds, so that a failure can be repeated.
    let sites = [2026, 2027, 2028].map(|seed| thread::spawn(move || killed_at_random(seed)));
    for site in sites {
        site.join().expect("see above");
    }
}

/// Four updates of a site, each killed twice at moments spread over the whole of an install.
fn killed_at_random(seed: u64) {
    let Some(site) = Site::hosted() else { return };
    site.install("app.v1.tar.gz", &worker_app("v1"));
    let mut state = seed;
    let mut runs = 1;
    for version in 2..6 {
        site.deploy(&format!("app.v{version}.tar.gz"), &worker_app(&format!("v{version}")));
        for _ in 0..2 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let after = Duration::from_millis((state >> 33) % 2500);
            let mut check_in = site.gateway.start("gwe", &["--once"]);
            thread::sleep(after);
            check_in.kill();
        }
        recover(&site);
        let told = verdicts(&site, &format!("[gwe] installed app v{version} in N s"));
        // Where both kills came while it settled, it is given up (docs/spec/failures.md, A1).
        let back =
            verdicts(&site, &format!("[gwe] rolled back app v{version} to v{runs}: the gateway went down 2 times"));
        assert_eq!(told + back, 1, "seed {seed}, v{version}: {:#?}", site.reports());
        runs = if told == 1 { version } else { runs };
        assert_eq!(site.reported("app")["version"], runs.to_string());
        is_tidy(&site, "app");
    }
}

#[test]
fn a_report_whose_acknowledgement_is_lost_is_sent_again_and_the_install_is_not_repeated() {
    // hawkbit#381.
    let site = Site::new();
    site.check_in().ok();
    site.deploy("app.v1.tar.gz", &Tarball::app("echo x >> $GWE_ROOT/runs"));
    site.murano.faults(&["write:pass*1", "write:lost-reply*1"]);
    site.check_in().exited(1);
    site.check_in().ok();
    assert_eq!(site.gateway.root().read("runs"), "x\n");
    assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n");
    assert_eq!(site.reports().len(), 2, "told twice is better than never");
}

#[test]
fn an_order_whose_clearing_is_lost_on_either_way_is_one_install() {
    for fault in ["write:lost-reply*1", "write:refuse*1", "write:status=500*3"] {
        let site = Site::new();
        site.check_in().ok();
        site.deploy("app.v1.tar.gz", &Tarball::app("echo x >> $GWE_ROOT/runs"));
        site.murano.faults(&[fault]);
        site.check_in().exited(1);
        for _ in 0..5 {
            site.check_in();
        }
        assert_eq!(site.gateway.root().read("runs"), "x\n", "{fault}");
        assert_eq!(site.reports(), ["[gwe] installed app v1 in N s\n"], "{fault}");
        assert_eq!(site.murano.read(SN, "engine_fetch"), None, "{fault}");
        // The same order again is a new one.
        site.order(&["app.v1.tar.gz"]);
        site.check_in().ok();
        assert_eq!(site.gateway.root().read("runs"), "x\nx\n", "{fault}");
    }
}

#[test]
fn a_report_waits_for_days_offline() {
    // thin-edge#3149. What was taken is installed and told, whenever the network is back.
    let site = Site::new();
    site.check_in().ok();
    site.deploy("app.v1.tar.gz", &Tarball::app("echo x >> $GWE_ROOT/runs"));
    // The order is taken and the tarball is here when the link goes.
    site.murano.faults(&["write:pass*1", "write:refuse", "hybrid:pass*1", "hybrid:refuse"]);
    for _ in 0..5 {
        site.check_in().exited(1);
    }
    assert_eq!(site.gateway.root().read("runs"), "x\n");
    assert!(site.reports().is_empty());
    let status = site.gateway.gwe(&["--status"]).ok().stdout;
    assert!(status.contains("app.v1.tar.gz  done"), "{status}");
    site.murano.clear_faults();
    site.murano.forget_requests();
    site.check_in().ok();
    assert_eq!(site.reports(), ["[gwe] installed app v1 in N s\n"]);
    assert_eq!(site.murano.count(Endpoint::Hybrid), 1);
    assert_eq!(site.murano.count(Endpoint::Write), 0, "it goes with the check-in's own request");
}

#[test]
fn a_report_that_the_platform_refuses_does_not_stand_in_the_way_of_every_check_in() {
    let site = Site::new();
    site.check_in().ok();
    site.deploy("app.v1.tar.gz", &Tarball::app("yes | head -n 5000"));
    site.murano.faults(&["write:pass*1", "write:status=413*1", "hybrid:pass*1", "hybrid:status=413*1"]);
    site.check_in().exited(1);
    let ran = site.check_in();
    assert!(ran.stderr.contains("the platform does not take this report"), "{}", ran.report());
    site.check_in();
    let status = site.fetch_status();
    assert!(
        status.ends_with("[gwe] its output is left out: the platform did not take it\n[gwe] installed app v1 in N s\n"),
        "{status}"
    );
    assert!(!status.contains("y\ny\n"));
}

#[test]
fn two_check_ins_at_once_are_one_install() {
    let site = Site::new();
    site.check_in().ok();
    site.deploy("app.v1.tar.gz", &Tarball::app("echo x >> $GWE_ROOT/runs; sleep 1"));
    let mut both: Vec<_> = (0..2).map(|_| site.gateway.start("gwe", &["--once"])).collect();
    for check_in in &mut both {
        assert!(check_in.wait(PATIENCE).is_some_and(|status| status.success()), "{}", check_in.log());
    }
    assert_eq!(site.gateway.root().read("runs"), "x\n");
    assert_eq!(site.reports().len(), 1);
}
