//! What waits, beside its neighbours: the agent's own update, hawkBit's orders, a kill while the app holds it off (docs/spec/failures.md, F1:
//! balena-supervisor#1624, Azure/iot-hub-device-update#691, rauc-hawkbit-updater#155).

use crate::killed::{at_each, kill_at, recover};
use crate::self_update::{good, Field};
use crate::waiting::{boot, held, order, pending};
use crate::{ddi_hosted, killed};
use gwe_tests::harness::{run, wait_until, worker_app, Site, PATIENCE};
use gwe_tests::murano::endpoint::Endpoint;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The local hour, so many hours from now, and a window of two hours that begins then.
fn window(in_hours: u32) -> String {
    let now: u32 = run(Command::new("date").arg("+%H"), PATIENCE).ok().stdout.trim().parse().expect("an hour");
    format!("{:02}:00-{:02}:00", (now + in_hours) % 24, (now + in_hours + 2) % 24)
}

/// It waits as any app's does, is not even tried before its moment, and is then; whichever version is resident.
#[test]
fn the_agent_s_own_update_waits_for_each_kind_of_moment() {
    let Some(mut field) = Field::with(&[("install", "window", &window(8))]) else { return };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    field.site.gateway.root().write("sys/class/rtc/rtc0/since_epoch", format!("{now}\n"));
    let mut resident = field.site.gateway.root().path("usr/bin/gwe");
    for (version, slot, apply, what) in [
        ("0.1.7", "a", "consent", "consent"),
        ("0.1.8", "b", "reboot", "the next boot"),
        ("0.1.9", "a", "window", "the window "),
    ] {
        let name = format!("gwe.v{version}.tar.gz");
        field.site.upload(&name, &good(version));
        order(&field.site, &name, apply);
        field.await_status(&format!("[gwe] waiting gwe v{version}: it is here, and waits for {what}"));
        let trials = field.log().matches("is on trial").count();
        field.site.murano.forget_requests();
        wait_until("further check-ins", PATIENCE, || field.site.murano.count(Endpoint::Hybrid) >= 2);
        assert_eq!(field.log().matches("is on trial").count(), trials, "{apply}: it is not tried");
        let engine = field.site.pid("gwe");
        assert_eq!(gwe_tests::harness::exe(engine), resident, "{apply}");
        match apply {
            "consent" => drop(field.image("gwe", &["--install-now", "gwe"])),
            "reboot" => {
                field.site.supervisord = None;
                boot(&field.site);
                field.boot();
            }
            _ => drop(field.image("gwe", &["--set-window", &window(23)]).ok()),
        }
        field.await_status(&format!("[gwe] installed gwe v{version} in N s\n"));
        resident = field.slot(slot);
        field.runs(version, &resident);
        let told = field.site.reports().concat();
        assert_eq!(told.matches(&format!("installed gwe v{version} ")).count(), 1, "{told}");
    }
}

/// hawkBit has no word for it: the order stays open as long as the app holds it off, and its end tells of that. It may be taken back meanwhile.
#[test]
fn an_app_holds_off_an_order_of_hawkbit_s_too() {
    let Some((site, hawkbit)) = ddi_hosted::hosted() else { return };
    ddi_hosted::order(&hawkbit, "1", "app.v1.tar.gz", &worker_app("one"));
    site.check_in().ok();
    let (pid, lock) = (site.pid("app"), held(&site));
    ddi_hosted::order(&hawkbit, "2", "app.v2.tar.gz", &worker_app("two"));
    site.check_in().ok();
    assert_eq!(pending(&site)[0]["waits_for"], "the app, which holds it off");
    let told = hawkbit.told("2");
    assert!(!told.is_empty() && told.iter().all(|told| !told.starts_with("closed")), "{told:?}");
    // As quiet as any: nothing more is told of it, and it is not fetched again.
    hawkbit.take_log();
    site.check_in().ok();
    assert_eq!((hawkbit.told("2"), site.pid("app")), (told, pid));
    // Killed, it waits on.
    killed::killed_when(&site, "a check-in", |log| !log.is_empty());
    site.check_in().ok();
    assert_eq!(site.pid("app"), pid);
    drop(lock);
    recover(&site);
    assert_eq!(ddi_hosted::end(&hawkbit, "2"), "closed success 0");
    let details = hawkbit.details("2").join("\n");
    let wait = "[gwe] waiting app v2: it is here, and waits for the app, which holds it off";
    assert!(details.contains("[gwe] installed app v2") && details.contains(wait), "{details}");
    let _lock = held(&site);
    ddi_hosted::order(&hawkbit, "3", "app.v3.tar.gz", &worker_app("three"));
    site.check_in().ok();
    hawkbit.cancel("3");
    site.check_in().ok();
    assert_eq!(hawkbit.told("cancel 3"), ["closed success"]);
    assert!(!site.gateway.root().has(killed::JOURNAL));
    assert_ne!(site.pid("app"), pid);
}

/// What the log says when a step is taken of an update that its app holds off.
const HELD: [&str; 5] = [
    "app.v2.tar.gz: downloading → verified",
    "[gwe] waiting app v2",
    "app.v2.tar.gz: verified → staged",
    "app.v2.tar.gz: staged → installing",
    "app.v2.tar.gz: settling → done",
];

/// hawkbit#381, thin-edge#3149: whatever the moment of the kill, the app goes on as long as it holds, and then there is one install and one end.
#[test]
fn killed_at_any_moment_of_a_hold_it_is_not_begun_before_the_app_lets_go() {
    at_each(&HELD, |moment| {
        let Some(site) = Site::hosted() else { return };
        site.install("app.v1.tar.gz", &worker_app("one"));
        let (pid, lock) = (site.pid("app"), held(&site));
        site.deploy("app.v2.tar.gz", &worker_app("two"));
        let waits = moment.contains("waiting") || moment.contains("→ verified");
        if waits {
            assert!(kill_at(&site, moment), "{moment} was not reached");
        }
        (0..2).for_each(|_| drop(site.check_in().ok()));
        assert_eq!(site.pid("app"), pid, "{moment}");
        assert_eq!(pending(&site)[0]["waits_for"], "the app, which holds it off", "{moment}");
        drop(lock);
        if !waits {
            assert!(kill_at(&site, moment), "{moment} was not reached");
        }
        recover(&site);
        let all = site.reports().concat();
        let count = |text: &str| all.matches(text).count();
        assert_eq!((count("[gwe] waiting app v2"), count("[gwe] installed app v2")), (1, 1), "{moment}: {all}");
        assert_eq!(site.reported("app")["version"], "2", "{moment}");
    });
}
