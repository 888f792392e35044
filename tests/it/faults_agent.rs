//! Faults of the agent's update of itself that lie between its slots, its trial, its neighbours and a reboot: docs/spec/failures.md, A1, A4 and A5.

use crate::self_update::{bad, good, packed, Field, FACTORY};
use gwe_tests::harness::{agent_of, exe, wait_for, wait_until, Tarball, PATIENCE};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;
use std::path::Path;

#[test]
fn a4_a_version_on_trial_keeps_its_slot_from_the_next() {
    let Some(field) = Field::new() else { return };
    field.update("0.1.8");
    field.runs("0.1.8", &field.slot("a"));
    // Both in one order, as in the case; the later one fails when the one before has just arrived.
    field.site.upload("gwe.v0.1.9.tar.gz", &good("0.1.9"));
    let failing = Tarball::new().file("gwe", 0o755, agent_of("0.1.7")).file("install.sh", 0o755, "#!/bin/sh\nexit 3\n");
    field.site.upload("gwe.v0.1.7.tar.gz", &failing);
    field.site.order(&["gwe.v0.1.9.tar.gz", "gwe.v0.1.7.tar.gz"]);
    field.await_status("[gwe] failed gwe v0.1.7: install.sh exited with 3\n");
    let told = field.site.reports().concat();
    assert!(told.contains("[gwe] installed gwe v0.1.9 in N s\n"), "{told}");
    field.runs("0.1.9", &field.slot("b"));
    field.site.supervisord.as_ref().unwrap().ctl(&["restart", "gwe"]).ok();
    field.runs("0.1.9", &field.slot("b"));
}

#[test]
fn a5_a_wrapper_as_the_agent_ends_with_a_reason_and_blocks_nobody() {
    let Some(field) = Field::new() else { return };
    let wrapper = "#!/bin/sh\nexec \"${0%/*}/real\" \"$@\"\n";
    field.site.upload("gwe.v0.1.8.tar.gz", &packed(wrapper).file("real", 0o755, agent_of("0.1.8")));
    field.site.upload("app.v1.tar.gz", &Tarball::app("echo app"));
    field.site.order(&["gwe.v0.1.8.tar.gz", "app.v1.tar.gz"]);
    field.await_trial("0.1.8");
    wait_until("the end of its trial", PATIENCE, || field.agents()["trial"] != true);
    // The check-in that has ended the trial can tell already; that which follows the next one has to have told.
    let check_ins = || field.site.murano.count(Endpoint::Hybrid);
    let ended = check_ins();
    wait_until("three more check-ins", PATIENCE, || check_ins() > ended + 2);
    let why = "its gwe is not the program that runs its check-ins: pack the program itself";
    let told = field.site.reports().concat();
    assert!(told.contains(&format!("[gwe] rolled back gwe v0.1.8 to the image's: {why}\n")), "{told}\n{}", field.log());
    wait_until("the app", PATIENCE, || field.site.reports().concat().contains("[gwe] installed app v1 in N s\n"));
    // The image's own is what goes on, and takes the program itself.
    field.update("0.1.9");
    field.runs("0.1.9", &field.slot("a"));
}

/// What takes the machine down with it: supervisord, the engine, and itself with that.
const TAKES_IT_DOWN: &str =
    "echo cut >> $GWE_ROOT/cuts; read -r _ _ _ init _ < /proc/$PPID/stat; kill -9 $init $PPID $$";

#[test]
fn a1_an_agent_that_takes_the_machine_down_is_dropped_and_the_cloud_is_told() {
    let Some(mut field) = Field::new() else { return };
    let path = field.site.gateway.root().path("cuts");
    let cuts = || fs::read_to_string(&path).map_or(0, |text| text.lines().count());
    field.site.deploy("gwe.v0.1.8.tar.gz", &bad("0.1.8", TAKES_IT_DOWN));
    let why = "the gateway went down 4 times in its check-ins, and not in that of the version before";
    let verdict = format!("[gwe] rolled back gwe v0.1.8 to the image's: {why}\n");
    let mut known = 0;
    for _ in 0..6 {
        let ended = wait_for("a cut, or the verdict", 3 * PATIENCE, || match cuts() {
            now if now > known => Some(false),
            _ => field.site.fetch_status().contains(&verdict).then_some(true),
        });
        if ended {
            break;
        }
        known = cuts();
        let supervisord: u32 = field.site.gateway.root().read("supervisord.pid").trim().parse().unwrap();
        wait_until("supervisord to be gone", PATIENCE, || exe(supervisord) == Path::new(""));
        field.boot();
    }
    assert_eq!(cuts(), 4, "{}", field.log());
    field.await_status(&verdict);
    field.runs(FACTORY, &field.site.gateway.root().path("usr/bin/gwe"));
}

#[test]
fn a1_three_innocent_power_cuts_in_its_check_ins_cost_no_good_agent() {
    let Some(field) = Field::new() else { return };
    field.site.deploy("gwe.v0.1.8.tar.gz", &good("0.1.8"));
    field.await_trial("0.1.8");
    field.site.murano.faults(&["any:stall=0,600"]);
    for cut in 1..=3 {
        wait_until("its check-in", PATIENCE, || field.agents()["begun"] == cut);
        let engine = field.site.pid("gwe");
        // SAFETY: kill(2) touches no memory; the process is one that this test's supervisord started.
        assert_eq!(unsafe { libc::kill(engine as i32, libc::SIGKILL) }, 0);
        wait_until("the next engine", PATIENCE, || field.site.pid("gwe") != engine);
    }
    wait_until("the turn of the version before", PATIENCE, || field.agents()["compared"] == false);
    field.site.murano.clear_faults();
    field.await_status("[gwe] installed gwe v0.1.8 in N s\n");
    field.runs("0.1.8", &field.slot("a"));
}
