//! Faults of the agent's update of itself that lie between its slots, its trial, its neighbours and a reboot: docs/spec/failures.md, A1, A4 and A5.

use crate::self_update::{good, packed, Field};
use gwe_tests::harness::{agent_of, Tarball};

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
    let why = "its gwe is not the program that runs its check-ins: pack the program itself";
    field.await_status(&format!("[gwe] rolled back gwe v0.1.8 to the image's: {why}\n"));
    let told = field.site.reports().concat();
    assert!(told.contains("[gwe] installed app v1 in N s\n"), "{told}");
    // The image's own is what goes on, and takes the program itself.
    field.update("0.1.9");
    field.runs("0.1.9", &field.slot("a"));
}
