//! The agent's update of itself: a supervisord hosts the real engine of a read-only image, which takes good, crashing, hanging and
//! deaf versions from a local cloud (docs/decisions.md, "The engine is a timer"; docs/spec/failures.md, row 15, freenet-core#4591).

use gwe_tests::harness::{
    agent_binary, agent_of, exe, gunzip, run, wait_for, wait_until, Ran, Scratch, Site, Tarball, PATIENCE,
};
use gwe_tests::skip;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The installer that `make otau` packs.
const INSTALL: &str = include_str!("../../configs/otau/install.sh");
/// The version of the image's own agent.
pub const FACTORY: &str = env!("CARGO_PKG_VERSION");
/// Three crashes with their waits, on a busy machine.
const LONG: Duration = Duration::from_secs(300);

pub fn packed(agent: impl Into<Vec<u8>>) -> Tarball {
    Tarball::new().file("gwe", 0o755, agent).file("install.sh", 0o755, INSTALL)
}

pub fn good(version: &str) -> Tarball {
    packed(agent_of(version))
}

/// A version that knows what it is called, and does this instead of a check-in.
pub fn bad(version: &str, once: &str) -> Tarball {
    packed(format!("#!/bin/sh\ncase $1 in\n--version) echo {version} ;;\n--once) {once} ;;\nesac\n"))
}

/// A gateway with a read-only image, whose supervisord hosts the image's own agent.
pub struct Field {
    pub site: Site,
    image: Vec<(String, u64, i64, Vec<u8>)>,
    /// What its supervisord hosts.
    program: String,
}

impl Field {
    pub fn new() -> Option<Field> {
        Field::with(&[])
    }

    pub fn with(settings: &[(&'static str, &'static str, &str)]) -> Option<Field> {
        let mut site = Site::new();
        for (section, key, value) in settings {
            site.set(section, key, value);
        }
        site.bring_programs();
        let root = site.gateway.root();
        fs::set_permissions(root.path("usr/bin"), fs::Permissions::from_mode(0o555)).unwrap();
        // Permissions bind no superuser: there, the image is mounted read-only for the engine and all that it starts.
        let usr = root.path("usr").display().to_string();
        let mount = format!("mount --bind {usr} {usr} && mount -o remount,bind,ro {usr}");
        let locked = format!("{mount} && ! touch {usr}/bin/gwe 2>/dev/null");
        let is_lockable = run(Command::new("unshare").args(["-m", "sh", "-c", &locked]), PATIENCE).code == Some(0);
        let engine = format!("{usr}/bin/gwe");
        let command = if is_lockable { format!("unshare -m sh -c '{mount} && exec {engine}'") } else { engine };
        let image = image(root);
        let program = format!(
            "[program:gwe]\ncommand = {command}\nenvironment = GWE_ROOT=\"{{root}}\"\nredirect_stderr = true\n\
             stdout_logfile = {{root}}/var/log/gwe.log\nstartsecs = 1\nkillasgroup = true\n"
        );
        site.host_with(&program).then_some(Field { site, image, program })
    }

    /// Boots anew, whatever is left of the boot before.
    pub fn boot(&mut self) {
        self.site.supervisord = None;
        assert!(self.site.host_with(&self.program));
    }

    /// A command of the image by its path.
    pub fn image(&self, name: &str, arguments: &[&str]) -> Ran {
        let program = self.site.gateway.root().path("usr/bin").join(name);
        run(Command::new(program).args(arguments).env("GWE_ROOT", self.site.gateway.root().root()), PATIENCE)
    }

    pub fn slot(&self, slot: &str) -> PathBuf {
        self.site.gateway.root().path("var/lib/gwe/apps/gwe").join(slot).join("gwe")
    }

    pub fn log(&self) -> String {
        self.site.gateway.root().read("var/log/gwe.log")
    }

    /// What is known of the agent's versions.
    pub fn agents(&self) -> Value {
        let path = self.site.gateway.root().path("var/lib/gwe/agent/state.json");
        fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    pub fn await_trial(&self, version: &str) {
        wait_until("the trial", PATIENCE, || {
            let agents = self.agents();
            agents["trial"] == true && agents["current"]["version"] == version
        });
    }

    #[track_caller]
    pub fn await_status(&self, wanted: &str) -> String {
        let begun = std::time::Instant::now();
        loop {
            let status = self.site.fetch_status();
            if status.contains(wanted) {
                return status;
            }
            assert!(begun.elapsed() < LONG, "no '{wanted}' but '{status}'\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    pub fn update(&self, version: &str) {
        self.site.deploy(&format!("gwe.v{version}.tar.gz"), &good(version));
        self.await_status(&format!("gwe v{version} runs on this machine\n[gwe] installed gwe v{version} in N s\n"));
    }

    /// The resident engine, the reports, and every name of the image's agent are of this version.
    #[track_caller]
    pub fn runs(&self, version: &str, program: &Path) {
        let engine = self.site.pid("gwe");
        wait_until(&format!("{} to be resident", program.display()), PATIENCE, || exe(engine) == program);
        wait_until("the report", PATIENCE, || {
            let report = self.site.reported("gwe");
            report["version"] == version && report["status"] == "RUNNING" && report["pid"] == engine
        });
        for name in ["gwe", "gmq", "gdc"] {
            assert_eq!(self.image(name, &["-v"]).ok().stdout, format!("{version}\n"), "{name}");
        }
        let status: Value = serde_json::from_str(&self.image("gwe", &["--status", "--json"]).ok().stdout).unwrap();
        let resident = if program.ends_with("usr/bin/gwe") { "image" } else { version };
        assert_eq!((&status["version"], &status["resident"]), (&version.into(), &resident.into()), "{status}");
        assert_eq!(image(self.site.gateway.root()), self.image, "the image is as it was");
    }

    /// A bad version was dropped for `back`, is known as such, and is not tried again.
    #[track_caller]
    fn dropped(&self, tarball: &Tarball, version: &str, back: &str, why: &str) {
        let name = format!("gwe.v{version}.tar.gz");
        self.await_status(&format!("[gwe] rolled back gwe v{version} to {back}: {why}\n"));
        wait_until("the note", PATIENCE, || {
            self.site.reported("gwe")["note"] == format!("rolled back from v{version}: {why}")
        });
        let trials = self.log().matches("is on trial").count();
        let known = self.agents();
        self.site.deploy(&name, tarball);
        let refusal = format!("[gwe] failed gwe v{version}: this very content failed before ({why})");
        self.await_status(&refusal);
        assert_eq!(self.log().matches("is on trial").count(), trials, "no other trial");
        assert_eq!(self.agents(), known);
    }
}

/// Everything of the image's agent that an update could touch.
fn image(root: &Scratch) -> Vec<(String, u64, i64, Vec<u8>)> {
    let files = root.tree("usr").into_iter().filter(|path| !path.ends_with('/'));
    let facts = |path: String| {
        let at = root.path(&path);
        let metadata = at.symlink_metadata().unwrap();
        (path, metadata.ino(), metadata.mtime(), fs::read(at).unwrap())
    };
    files.map(facts).collect()
}

const CRASHED: &str = "it crashed or hung three times in a row";
const OUTDONE: &str = "its check-ins failed where the version before completes them";

#[test]
fn a_good_version_becomes_resident_in_the_same_process_and_another_follows_it() {
    let Some(field) = Field::new() else { return };
    let engine = field.site.pid("gwe");
    field.update("0.1.8");
    field.runs("0.1.8", &field.slot("a"));
    assert_eq!(field.site.pid("gwe"), engine, "it went on as the same process");
    field.update("0.1.9");
    field.runs("0.1.9", &field.slot("b"));
    assert_eq!(field.site.pid("gwe"), engine);
    // A restart begins with the image's path and goes on as what was proven.
    field.site.supervisord.as_ref().unwrap().ctl(&["restart", "gwe"]).ok();
    assert_ne!(field.site.pid("gwe"), engine);
    field.runs("0.1.9", &field.slot("b"));
    // One that crashes falls back on the one before, not on the image's.
    let crashing = bad("0.1.7", "kill -SEGV $$");
    field.site.deploy("gwe.v0.1.7.tar.gz", &crashing);
    field.dropped(&crashing, "0.1.7", "v0.1.9", CRASHED);
    field.runs("0.1.9", &field.slot("b"));
    assert_eq!(field.site.reports().len(), 4, "one report for each order: {:?}", field.site.reports());
}

/// A delta from one version of the agent to another. It names the program alone as its base, and so stands for the image's, too.
fn delta(old: (&str, &Tarball), new: (&str, &Tarball)) -> (String, Vec<u8>) {
    let desk = Scratch::new();
    let [old, new] = [old, new].map(|(version, tarball)| tarball.save(desk.path(&format!("gwe.v{version}.tar.gz"))));
    let built = gwe::app::delta::build::build(&old, &new, desk.root(), &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
    (built.path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&built.path).unwrap())
}

#[test]
fn the_agent_is_updated_by_delta_from_the_image_s_and_from_one_that_arrived() {
    let Some(field) = Field::new() else { return };
    // The symbols of a debug build, some tens of megabytes, make nothing of this: sorting them would take minutes.
    let of_image = fs::read(field.site.gateway.root().path("usr/bin/gwe")).unwrap();
    if of_image.len() > 16_000_000 {
        skip!("needs a release build: this one has {} MB", of_image.len() / 1_000_000);
    }
    let (first, second) = (good("0.1.8"), good("0.1.9"));
    let steps = [(FACTORY, &packed(of_image), "0.1.8", &first, "a"), ("0.1.8", &first, "0.1.9", &second, "b")];
    for (from, old, to, new, slot) in steps {
        let (name, bytes) = delta((from, old), (to, new));
        field.site.murano.upload(&name, &bytes);
        let order = format!(r#"{{"install": [{{"name": "gwe.v{to}.tar.gz", "delta_from": ["{from}"]}}]}}"#);
        field.site.murano.write(gwe_tests::harness::SN, "engine_fetch", &order);
        let received = format!("[gwe] received {} bytes for {name}\n[gwe] installed gwe v{to} in N s\n", bytes.len());
        field.await_status(&received);
        field.runs(to, &field.slot(slot));
    }
}

#[test]
fn a_version_that_crashes_at_its_check_ins_is_dropped_for_the_image_s() {
    let Some(field) = Field::new() else { return };
    let crashing = bad("0.1.8", "exit 134");
    field.site.deploy("gwe.v0.1.8.tar.gz", &crashing);
    field.dropped(&crashing, "0.1.8", "the image's", CRASHED);
    field.runs(FACTORY, &field.site.gateway.root().path("usr/bin/gwe"));
    assert_eq!(field.log().matches("the check-in ended unexpectedly").count(), 3, "{}", field.log());
    // Corrected, under the same name.
    field.update("0.1.8");
    field.runs("0.1.8", &field.slot("a"));
    assert!(field.site.reported("gwe")["note"].is_null(), "what is over is not told again");
}

/// A check-in that hangs is cut off as soon as may be: it may take as long as two installs.
const HANGS: [(&str, &str, &str); 2] = [("engine", "check_in_limit", "12"), ("install", "timeout", "5")];

#[test]
fn a_version_that_hangs_is_dropped_for_the_image_s() {
    let Some(field) = Field::with(&HANGS) else { return };
    let hanging = bad("0.1.8", "trap '' TERM; while :; do sleep 1; done");
    field.site.deploy("gwe.v0.1.8.tar.gz", &hanging);
    field.dropped(&hanging, "0.1.8", "the image's", CRASHED);
    field.runs(FACTORY, &field.site.gateway.root().path("usr/bin/gwe"));
    assert!(field.log().contains("the check-in took longer than 12 s; ending it"), "{}", field.log());
}

#[test]
fn a_version_whose_check_ins_fail_is_dropped_where_the_one_before_completes_them() {
    let Some(field) = Field::new() else { return };
    let deaf = bad("0.1.8", "exit 1");
    field.site.deploy("gwe.v0.1.8.tar.gz", &deaf);
    field.dropped(&deaf, "0.1.8", "the image's", OUTDONE);
    field.runs(FACTORY, &field.site.gateway.root().path("usr/bin/gwe"));
}

#[test]
fn a_trial_survives_the_engine_s_end_and_an_outage() {
    let Some(field) = Field::new() else { return };
    field.site.deploy("gwe.v0.1.8.tar.gz", &good("0.1.8"));
    field.await_trial("0.1.8");
    // Its check-ins wait for answers that do not come.
    field.site.murano.faults(&["any:stall=0,600"]);
    let engine = field.site.pid("gwe");
    // SAFETY: kill(2) touches no memory; the process is one that this test's supervisord started.
    assert_eq!(unsafe { libc::kill(engine as i32, libc::SIGKILL) }, 0);
    let second = wait_for("another engine", PATIENCE, || Some(field.site.pid("gwe")).filter(|pid| *pid != engine));
    field.site.supervisord.as_ref().unwrap().ctl(&["restart", "gwe"]).ok();
    assert_ne!(field.site.pid("gwe"), second);
    field.site.murano.clear_faults();
    field.await_status("[gwe] installed gwe v0.1.8 in N s\n");
    field.runs("0.1.8", &field.slot("a"));
    assert_eq!(field.site.reports().len(), 1);
}

#[test]
fn a_hanging_trial_that_is_cut_off_leaves_no_process_and_is_dropped_all_the_same() {
    let Some(field) = Field::with(&HANGS) else { return };
    let mark = field.site.gateway.root().path("hangs");
    let hanging = bad("0.1.8", &format!("echo $$ >> {}; exec sleep 600", mark.display()));
    field.site.deploy("gwe.v0.1.8.tar.gz", &hanging);
    let pid: i32 =
        wait_for("the check-in that hangs", PATIENCE, || fs::read_to_string(&mark).ok()?.trim().parse().ok());
    let engine = field.site.pid("gwe");
    // SAFETY: as above.
    assert_eq!(unsafe { libc::kill(engine as i32, libc::SIGKILL) }, 0);
    wait_until("its check-in to end with it", PATIENCE, || exe(pid as u32) == Path::new(""));
    field.dropped(&hanging, "0.1.8", "the image's", CRASHED);
    field.runs(FACTORY, &field.site.gateway.root().path("usr/bin/gwe"));
}

#[test]
fn a_proven_version_that_crashes_later_is_dropped_and_a_corrected_one_of_that_name_is_tried() {
    let Some(field) = Field::new() else { return };
    field.update("0.1.8");
    field.runs("0.1.8", &field.slot("a"));
    // As a disk that goes bad under it would.
    let slot = field.slot("a");
    let broken = slot.with_file_name("gwe.new");
    fs::write(&broken, "#!/bin/sh\nexit 134\n").unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&broken, &slot).unwrap();
    wait_until("the drop", LONG, || field.agents()["current"].is_null() && !field.agents()["dropped"].is_null());
    assert_eq!(field.image("gwe", &["-v"]).ok().stdout, format!("{FACTORY}\n"));
    let note = format!("rolled back from v0.1.8: {CRASHED}");
    wait_until("the report of it, which no order asked for", PATIENCE, || field.site.reported("gwe")["note"] == note);
    // The very same again is as bad as it was; a corrected one of that name is another matter.
    field.site.order(&["gwe.v0.1.8.tar.gz"]);
    field.await_status(&format!("[gwe] rolled back gwe v0.1.8 to the image's: {CRASHED}\n"));
    field.site.deploy("gwe.v0.1.8.tar.gz", &good("0.1.8").file("corrected", 0o644, "yes"));
    field.await_status("[gwe] installed gwe v0.1.8 in N s\n");
    wait_until("the proven version", PATIENCE, || field.image("gwe", &["-v"]).ok().stdout == "0.1.8\n");
}

#[test]
fn one_that_cannot_run_here_or_goes_by_another_version_costs_no_trial() {
    let site = Site::new();
    let status = site.install("gwe.v0.1.9.tar.gz", &good("0.1.8"));
    assert_eq!(
        status,
        "the tarball is named v0.1.9, but the gwe in it is v0.1.8: name the tarball after its agent\n\
         [gwe] failed gwe v0.1.9: install.sh exited with 1\n"
    );
    let status = site.install("gwe.v0.1.7.tar.gz", &packed("\u{7f}ELF of another machine"));
    assert!(status.starts_with("this gwe does not run on this machine ("), "{status}");
    assert!(status.ends_with("[gwe] failed gwe v0.1.7: install.sh exited with 1\n"), "{status}");
    assert!(!site.gateway.root().has("var/lib/gwe/agent/state.json"), "no trial");
}

#[test]
fn make_otau_packs_the_agent_the_same_way_twice_and_it_installs() {
    if Command::new("make").arg("--version").output().is_err() {
        skip!("needs make");
    }
    let (agent, scratch) = (agent_binary(), Scratch::new());
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let make = |folder: &str, hosting: &str| {
        let dist = scratch.path(folder);
        let variables = [("BINARY", &agent), ("GWE", &agent), ("DIST", &dist)];
        let variables = variables.map(|(name, path)| format!("{name}={}", path.display()));
        run(Command::new("make").args(["-s", "otau", hosting]).args(variables).current_dir(&project), PATIENCE).ok();
        let tarball = dist.join(format!("gwe.v{FACTORY}.tar.gz"));
        assert_eq!(fs::read_dir(&dist).unwrap().count(), 1, "nothing else is left there");
        (fs::read(&tarball).unwrap(), tarball)
    };
    let ((first, tarball), (second, _)) = (make("one", "HOSTING=own"), make("two", "HOSTING=own"));
    assert!(first == second, "the same binary makes the same bytes");
    let (without, _) = make("three", "HOSTING=python");
    let has_core = |tarball: &[u8]| gunzip(tarball).chunks(512).any(|block| block.starts_with(b"hosting-core\0"));
    assert_eq!((has_core(&first), has_core(&without)), (true, false));
    let site = Site::new();
    site.gateway.gwe(&["--check-tarball", tarball.to_str().unwrap()]).ok();
    site.murano.upload(&format!("gwe.v{FACTORY}.tar.gz"), &first);
    site.order(&[&format!("gwe.v{FACTORY}.tar.gz")]);
    let ran = site.check_in();
    assert!(ran.stderr.contains("is on trial from the next check-in on"), "{}", ran.report());
}
