//! hawkBit's orders on a whole gateway: its apps hosted by supervisord, killed in every state, rolled back; a cancel that comes too late; and a
//! source of orders that never answers again.

use crate::ddi::unit;
use crate::killed::{at_each, killed_at, recover, MOMENTS};
use gwe_tests::harness::{scripted_app, worker_app, Hawkbit, Murano, Site, Tarball, DDI_ID, DDI_TOKEN, SN};
use std::fs;

const MARK: &str = "echo $GWE_APP_NAME $GWE_APP_VERSION >> $GWE_ROOT/marks";

/// A gateway with a supervisord, whose orders come from a hawkBit; `None`, and said so, without supervisord.
pub fn hosted() -> Option<(Site, Hawkbit)> {
    let mut site = Site::hosted()?;
    let hawkbit = ordered_by_hawkbit(&mut site);
    Some((site, hawkbit))
}

/// A hawkBit in the place of the site's own cloud.
pub fn ordered_by_hawkbit(site: &mut Site) -> Hawkbit {
    let hawkbit = Hawkbit::start();
    let cfg = format!(
        "[device]\nmodel = p\nvendor = p\nuuid = {SN}\n[ddi]\nurl = {}\nid = {DDI_ID}\ntoken = {DDI_TOKEN}\n",
        hawkbit.url()
    );
    site.gateway.root().write("etc/gwe/Gateway.cfg", cfg);
    site.set("engine", "backend", "ddi");
    hawkbit
}

pub fn order(hawkbit: &Hawkbit, id: &str, name: &str, tarball: &Tarball) {
    let artifact = hawkbit.artifact(name, &tarball.bytes());
    hawkbit.order(id, &[artifact]);
}

/// What ended the order, which is told once.
#[track_caller]
pub fn end(hawkbit: &Hawkbit, id: &str) -> String {
    let ends: Vec<String> = hawkbit.told(id).into_iter().filter(|told| told.starts_with("closed")).collect();
    assert_eq!(ends.len(), 1, "{:?}", hawkbit.told(id));
    ends[0].clone()
}

#[test]
fn killed_in_every_state_an_order_of_hawkbit_s_is_installed_once_and_told_once() {
    at_each(&MOMENTS, |moment| {
        let Some((site, hawkbit)) = hosted() else { return };
        order(&hawkbit, "1", "app.v1.tar.gz", &worker_app("one"));
        site.check_in().ok();
        order(&hawkbit, "2", "app.v2.tar.gz", &worker_app("two"));
        assert!(killed_at(&site, moment), "{moment} was not reached");
        recover(&site);
        assert_eq!(end(&hawkbit, "2"), "closed success 0", "{moment}");
        assert!(hawkbit.details("2")[0].starts_with("[gwe] installed app v2"), "{:?}", hawkbit.details("2"));
        let exe = fs::read_link(format!("/proc/{}/exe", site.pid("app"))).unwrap();
        assert_eq!(exe, site.gateway.root().path("var/lib/gwe/apps/app/b/worker"), "{moment}");
        site.check_in().ok();
        assert_eq!(hawkbit.attributes()["app.app"], "2", "{moment}");
    });
}

/// hawkbit#446, #3185: a server that is told nothing believes the new version.
#[test]
fn a_version_that_does_not_stay_up_is_told_as_rolled_back_and_the_attributes_say_what_runs() {
    let Some((site, hawkbit)) = hosted() else { return };
    order(&hawkbit, "1", "app.v1.tar.gz", &worker_app("one"));
    site.check_in().ok();
    order(&hawkbit, "2", "app.v2.tar.gz", &scripted_app("exit 1", "startsecs = 1\nstartretries = 0"));
    site.check_in().ok();
    assert_eq!(end(&hawkbit, "2"), "closed failure 6");
    assert!(hawkbit.details("2")[0].starts_with("[gwe] rolled back app v2 to v1"), "{:?}", hawkbit.details("2"));
    site.check_in().ok();
    let attributes = hawkbit.attributes();
    assert_eq!(attributes["app.app"], "1");
    assert!(attributes["note.app"].as_str().unwrap_or_default().contains("v2"), "{attributes}");
    assert!(site.ctl_status("app").contains("RUNNING"));
    // Ordered again, it is not tried again, and nobody's program is stopped for it.
    let (pid, log) = (site.pid("app"), site.gateway.root().read("var/lib/gwe/install/registry.json"));
    order(&hawkbit, "3", "app.v2.tar.gz", &scripted_app("exit 1", "startsecs = 1\nstartretries = 0"));
    hawkbit.take_log();
    site.check_in().ok();
    assert_eq!(end(&hawkbit, "3"), "closed failure 2");
    assert!(hawkbit.details("3")[0].contains("this very content failed before"), "{:?}", hawkbit.details("3"));
    assert!(hawkbit.take_log().iter().all(|line| !line.contains("/artifacts/")), "it is not even fetched");
    assert_eq!((site.pid("app"), site.gateway.root().read("var/lib/gwe/install/registry.json")), (pid, log));
    site.check_in().ok();
    assert_eq!(hawkbit.attributes()["app.app"], "1");
}

/// hawkbit#3185, aktualizr#1422: an action that has ended takes no more words, so a later fall is an attribute, by which targets can be found.
#[test]
fn an_app_that_falls_later_is_an_attribute_until_it_is_up_for_good_again() {
    let Some((site, hawkbit)) = hosted() else { return };
    let broken = site.gateway.root().path("broken");
    let script = format!("[ -e {} ] && exit 7; exec sleep 300", broken.display());
    order(
        &hawkbit,
        "1",
        "app.v1.tar.gz",
        &scripted_app(&script, "startsecs = 1\nstartretries = 0\nautorestart = true"),
    );
    site.check_in().ok();
    site.check_in().ok();
    hawkbit.take_log();
    assert_eq!(hawkbit.attributes().get("fallen.app"), None);
    site.gateway.root().write("broken", "");
    // SAFETY: the app of this very test.
    unsafe { libc::kill(site.pid("app") as i32, libc::SIGKILL) };
    site.await_ctl("app", "FATAL");
    let once = ["GET  200", "PUT /configData 200"];
    // Told once; a supervisord that says nothing, and a reboot, change nothing of it.
    for (what, log) in [("it has fallen", &once[..]), ("it lies", &once[..1]), ("it still lies", &once[..1])] {
        site.check_in().ok();
        assert_eq!(hawkbit.take_log(), log, "{what}");
        let fallen = hawkbit.attributes()["fallen.app"].to_string();
        assert!(fallen.starts_with("\"v1: FATAL: "), "{what}: {fallen}");
    }
    fs::remove_file(broken).unwrap();
    assert!(site.supervisord.as_ref().unwrap().ctl(&["start", "app"]).stdout.contains("started"));
    for (what, is_told, log) in
        [("up", true, &once[..1]), ("up for good", false, &once[..]), ("quiet", false, &once[..1])]
    {
        site.check_in().ok();
        assert_eq!(hawkbit.take_log(), log, "{what}");
        assert_eq!(hawkbit.attributes().get("fallen.app").is_some(), is_told, "{what}");
    }
}

/// hawkbit#952, zephyr#89530: what has begun is not cancelled; that is "rejected", and then the real end follows.
#[test]
fn a_cancel_of_what_is_done_in_part_is_rejected_and_the_real_end_is_told() {
    let unit = unit();
    let apps = ["one.v1.tar.gz", "two.v1.tar.gz"].map(|name| unit.hawkbit.artifact(name, &Tarball::app(MARK).bytes()));
    unit.hawkbit.order("9", &apps);
    unit.hawkbit.answer_with("/artifacts/two", 9, 503, "");
    assert_eq!(unit.check_in().code, Some(1));
    unit.hawkbit.cancel("9");
    unit.hawkbit.answer_with("/artifacts/two", 9, 503, "");
    unit.check_in();
    assert_eq!(unit.hawkbit.told("cancel 9"), ["rejected failure"]);
    for _ in 0..6 {
        unit.check_in();
    }
    assert_eq!(end(&unit.hawkbit, "9"), "closed success 0");
    assert_eq!(unit.gateway.root().read("marks"), "one 1\ntwo 1\n");
}

#[test]
fn a_source_that_never_answers_again_holds_up_the_next_one_for_a_bounded_number_of_check_ins() {
    let unit = unit();
    let app = unit.hawkbit.artifact("one.v1.tar.gz", &Tarball::app(MARK).bytes());
    unit.hawkbit.order("9", &[app]);
    unit.hawkbit.answer_with("POST /deploymentBase/9/feedback", 999, 503, "");
    unit.check_in();
    let murano = Murano::start();
    unit.gateway.gwe(&["--set-server", &murano.url(), "--set-backend", "device-api"]).ok();
    murano.upload("two.v1.tar.gz", &Tarball::app(MARK).bytes());
    murano.write("00:11", "engine_fetch", r#"{"install": [{"name": "two.v1.tar.gz"}]}"#);
    // Where neither answers, nothing is given up.
    murano.faults(&["any:refuse"]);
    for _ in 0..3 {
        assert_eq!(unit.check_in().code, Some(1));
    }
    murano.clear_faults();
    let mut check_ins = 0;
    while unit.check_in().code != Some(0) {
        check_ins += 1;
        assert!(check_ins <= 20, "it is held up for ever");
        assert_eq!(unit.gateway.root().read("marks"), "one 1\n", "one gives orders at a time");
    }
    assert_eq!(check_ins, 20);
    assert_eq!(unit.gateway.root().read("marks"), "one 1\ntwo 1\n");
    assert!(unit.hawkbit.told("9").is_empty());
}
