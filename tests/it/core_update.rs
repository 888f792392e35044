//! A newer core of hosting over the air: it comes with the agent, takes over in the supervisord that runs once that agent has settled, and goes
//! with it (docs/hosting.md, "A newer core over the air"). A boot and a `kill -9` begin with the image's.

use crate::self_update::packed;
use gwe::supervisor::{ProcessState, Supervisor};
use gwe_tests::harness::{
    agent_binary, agent_of, announce_skip, exe, run, wait_for, wait_until, Background, Site, Supervisord, Tarball,
    PATIENCE,
};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const VERSION: &str = "0.1.8";
/// Crashes and tries with their waits, on a busy machine.
const LONG: Duration = Duration::from_secs(300);
/// What is begun without proof, and then no more.
const TRIES: usize = 3;

/// A gateway whose supervisord is our own, and hosts one program that must not notice anything.
struct Gateway {
    daemon: Background,
    supervisor: Supervisor<'static>,
    site: Site,
}

impl Gateway {
    fn start() -> Option<Gateway> {
        if Supervisord::own().is_none() {
            announce_skip("needs hosting-core beside the agent");
            return None;
        }
        let site = Site::new();
        let root = site.gateway.root();
        for folder in ["run", "var/lib/gwe/supervisor.d"] {
            fs::create_dir_all(root.path(folder)).unwrap();
        }
        site.bring_programs();
        fs::copy(agent_binary().with_file_name("hosting-core"), root.path("usr/bin/hosting-core")).unwrap();
        symlink("gwe", root.path("usr/bin/supervisord")).unwrap();
        let fragments = Supervisord::plain_config().replace("/conf.d/", "/var/lib/gwe/supervisor.d/");
        let text = fragments.replace("{root}/supervisord.pid", "{root}/run/supervisord.pid")
            + "[program:p]\ncommand = sleep 600\nstartsecs = 0\n";
        root.write("supervisord-test.conf", text.replace("{root}", &root.root().to_string_lossy()));
        let daemon = launch(&site);
        let supervisor = Supervisor::new(root.path("supervisor.sock"));
        let gateway = Gateway { daemon, supervisor, site };
        assert!(gateway.supervisor.wait_until_up(PATIENCE).unwrap(), "{}", gateway.daemon.log());
        Some(gateway)
    }

    /// As what keeps it would start it again.
    fn start_again(&mut self) {
        self.daemon = launch(&self.site);
        assert!(self.supervisor.wait_until_up(PATIENCE).unwrap(), "{}", self.daemon.log());
    }

    fn core(&self) -> PathBuf {
        let pid = self.supervisor.pid().unwrap_or(0);
        exe(u32::try_from(pid).unwrap_or(0))
    }

    fn await_core(&self, core: &Path) {
        wait_until(&format!("{} to host", core.display()), LONG, || self.core() == core);
    }

    /// The program's process.
    fn program(&self) -> u32 {
        let running =
            |process: &gwe::supervisor::Process| process.name == "p" && process.state == ProcessState::Running;
        wait_for("p to run", PATIENCE, || self.supervisor.processes().ok()?.into_iter().find(running)).pid
    }

    fn of_image(&self) -> PathBuf {
        self.site.gateway.root().path("usr/bin/hosting-core")
    }

    /// A program of the gateway, to be what it is.
    fn command(&self, program: &str) -> Command {
        let root = self.site.gateway.root();
        let mut command = Command::new(root.path(program));
        command.env("GWE_ROOT", root.root());
        command
    }

    fn engine(&self) -> Background {
        Background::start(&mut self.command("usr/bin/gwe"), self.site.gateway.root(), "engine")
    }

    fn check_in(&self, program: &str) {
        let ran = run(self.command(program).arg("--once").env("GWE_FOLLOWED", "1"), LONG);
        assert!(!ran.timed_out, "{}", ran.report());
    }

    fn slot(&self, file: &str) -> PathBuf {
        self.site.gateway.root().path("var/lib/gwe/apps/gwe/a").join(file)
    }

    fn link(&self) -> PathBuf {
        fs::read_link(self.site.gateway.root().path("run/supervisord.pid.core")).unwrap()
    }

    fn tries(&self) -> Option<u64> {
        let text = fs::read(self.site.gateway.root().path("var/lib/gwe/agent/core.json")).ok()?;
        serde_json::from_slice::<Value>(&text).ok()?["tries"].as_u64()
    }

    fn checked_in_again(&self) {
        let requests = || self.site.murano.requests()["totals"]["requests"].as_u64().unwrap();
        let before = requests();
        wait_until("two more check-ins", LONG, || requests() >= before + 2);
    }
}

fn launch(site: &Site) -> Background {
    let root = site.gateway.root();
    let mut command = Command::new(root.path("usr/bin/supervisord"));
    command.args(["-n", "-c"]).arg(root.path("supervisord-test.conf")).env("GWE_ROOT", root.root());
    Background::start(&mut command, root, "supervisord-output")
}

fn core() -> Vec<u8> {
    fs::read(agent_binary().with_file_name("hosting-core")).unwrap()
}

fn with_core(core: impl Into<Vec<u8>>) -> Tarball {
    packed(agent_of(VERSION)).file("hosting-core", 0o755, core)
}

/// One that install.sh lets through.
fn unchecked(core: impl Into<Vec<u8>>) -> Tarball {
    Tarball::new().file("gwe", 0o755, agent_of(VERSION)).file("install.sh", 0o755, "#!/bin/sh\ntrue\n").file(
        "hosting-core",
        0o755,
        core,
    )
}

#[test]
fn a_core_comes_with_the_agent_that_settled_and_goes_with_it_and_no_program_notices() {
    let Some(mut gateway) = Gateway::start() else { return };
    let before = gateway.program();
    // The trial's check-in waits for an answer: nothing has settled yet.
    gateway.site.deploy(&format!("gwe.v{VERSION}.tar.gz"), &with_core(core()));
    let mut engine = gateway.engine();
    gateway.site.await_status(&format!("installed gwe v{VERSION}"));
    let of_agent = gateway.slot("hosting-core");
    gateway.await_core(&of_agent);
    assert_eq!(gateway.program(), before);
    wait_until("the proof", PATIENCE, || gateway.tries() == Some(0));
    // A kill -9 begins with the image's; the agent brings its own along.
    gateway.daemon.signal(libc::SIGKILL);
    gateway.daemon.wait(PATIENCE).unwrap();
    engine.stop();
    gateway.start_again();
    assert_eq!((gateway.core(), gateway.link()), (gateway.of_image(), gateway.of_image()));
    // What a power cut or a kill -9 leaves between the link and the signal: the work is done all the same.
    let link = gateway.site.gateway.root().path("run/supervisord.pid.core");
    fs::remove_file(&link).unwrap();
    symlink(&of_agent, &link).unwrap();
    symlink("/left/over", link.with_extension("core.new")).unwrap();
    let before = gateway.program();
    let engine = gateway.engine();
    gateway.await_core(&of_agent);
    assert_eq!(gateway.program(), before);
    // As a disk that goes bad under the agent: it is dropped, and the core goes with it.
    let (slot, broken) = (gateway.slot("gwe"), gateway.slot("gwe.new"));
    fs::write(&broken, "#!/bin/sh\nexit 134\n").unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&broken, &slot).unwrap();
    gateway.await_core(&gateway.of_image());
    assert_eq!(gateway.program(), before);
    drop(engine);
}

#[test]
fn a_trial_leaves_the_core_alone() {
    let Some(gateway) = Gateway::start() else { return };
    gateway.site.deploy(&format!("gwe.v{VERSION}.tar.gz"), &with_core(core()));
    gateway.check_in("usr/bin/gwe");
    assert!(gateway.slot("hosting-core").is_file(), "it is installed, and on trial");
    // The check-in of the version that is on trial, which settles it, and one more: the engine has not judged the trial yet.
    for _ in 0..2 {
        gateway.check_in("var/lib/gwe/apps/gwe/a/gwe");
        assert_eq!((gateway.core(), gateway.link()), (gateway.of_image(), gateway.of_image()));
    }
}

#[test]
fn a_core_that_cannot_run_is_tried_three_times_and_the_one_before_goes_on() {
    let Some(gateway) = Gateway::start() else { return };
    let before = gateway.program();
    gateway.site.deploy(&format!("gwe.v{VERSION}.tar.gz"), &unchecked("\u{7f}ELF of another machine"));
    let _engine = gateway.engine();
    wait_until("the last try", LONG, || gateway.tries() == Some(TRIES as u64));
    gateway.checked_in_again();
    let said = gateway.daemon.log().matches("cannot go on as").count();
    assert_eq!((said, gateway.core(), gateway.program()), (TRIES, gateway.of_image(), before));
}

#[test]
fn a_core_that_dies_is_given_up_for_the_image_s() {
    let Some(mut gateway) = Gateway::start() else { return };
    gateway.site.deploy(&format!("gwe.v{VERSION}.tar.gz"), &unchecked("#!/bin/sh\nexit 1\n"));
    let _engine = gateway.engine();
    for _ in 0..TRIES {
        gateway.daemon.wait(LONG).expect("it dies of its new core");
        gateway.start_again();
    }
    gateway.checked_in_again();
    assert!(gateway.daemon.is_running());
    assert_eq!((gateway.core(), gateway.tries()), (gateway.of_image(), Some(TRIES as u64)));
}

#[test]
fn a_core_of_another_machine_fails_the_install() {
    let site = Site::new();
    let status = site.install(&format!("gwe.v{VERSION}.tar.gz"), &with_core("\u{7f}ELF of another machine"));
    assert!(status.starts_with("the hosting-core beside it does not run on this machine ("), "{status}");
    assert!(!site.gateway.root().has("var/lib/gwe/agent/state.json"), "no trial");
}
