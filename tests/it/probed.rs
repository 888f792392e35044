//! An app's own word on whether it works, asked while a version settles (rauc-hawkbit-updater#161, hawkbit#3185, aktualizr#1422), and what is told where the
//! hosting does not ask later on.

use super::killed::recover;
use super::local_users::may_become_nobody;
use gwe_tests::harness::{scripted_app, wait_for, wait_until, worker_app, Site, Tarball};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A site where a version settles within a second and its probe is tried again for three.
fn site() -> Option<Site> {
    let mut site = Site::hosted()?;
    site.set("install", "settle", "1");
    Some(site)
}

/// An app that stays up, and its probe.
fn probed(probe: &str, options: &str) -> Tarball {
    let options = format!("startsecs = 1\nprobe = ./probe.sh %(program_name)s\nprobe_timeout = 1\n{options}");
    scripted_app("echo $$ > pid; exec sleep 300", &options).file("probe.sh", 0o755, format!("#!/bin/sh\n{probe}\n"))
}

fn is_alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_version_whose_probe_says_no_is_rolled_back_with_its_last_words() {
    let Some(site) = site() else { return };
    assert!(site.install("app.v1.tar.gz", &worker_app("one")).contains("[gwe] installed app v1"));
    let left = site.gateway.root().path("left").display().to_string();
    let fails = "[gwe] rolled back app vN to v1: app is up, and its probe does not succeed: ";
    for (version, probe, why, words) in [
        ("2", "echo looking; echo no database >&2; exit 3".to_string(), "it exited with 3", "looking\nno database\n"),
        // What it leaves behind goes with it.
        (
            "3",
            format!("echo stuck; sleep 77 & echo $! >{left}; wait"),
            "it took longer than 1 s and was ended",
            "stuck\n",
        ),
        ("4", "kill -9 $$".to_string(), "it was ended by signal 9", ""),
        (
            "5",
            "i=0; while [ $i -lt 500 ]; do echo 0123456789; i=$((i+1)); done; echo last; exit 1".to_string(),
            "it exited with 1",
            "0123456789\nlast\n",
        ),
    ] {
        let status = site.install(&format!("app.v{version}.tar.gz"), &probed(&probe, ""));
        let verdict = fails.replace("vN", &format!("v{version}")) + why;
        assert_eq!(status.lines().last().unwrap_or_default(), verdict, "{status}");
        let told = status.split("[gwe] the probe's last words:\n").nth(1).and_then(|rest| rest.split("[gwe]").next());
        assert_eq!(told.is_some(), !words.is_empty(), "{status}");
        assert!(told.unwrap_or_default().ends_with(words) && told.unwrap_or_default().len() <= 2049, "{status}");
        assert!(site.ctl_status("app").contains("RUNNING"));
        assert_eq!(site.reported("app")["version"], "1");
    }
    assert!(!is_alive(fs::read_to_string(&left).unwrap().trim()));
    // The same content is held against it.
    let status = site.install("app.v2.tar.gz", &probed("echo looking; echo no database >&2; exit 3", ""));
    assert!(status.contains("this very content failed before"), "{status}");
    // One that cannot be run says so before it is tried.
    let bad =
        scripted_app("exec sleep 300", "probe = 'half\nprobe_timeout = 0\nprobe_interval = 5\nprobe_retries = 101");
    let status = site.install("app.v6.tar.gz", &bad);
    for fault in [
        "probe: a quote without its partner",
        "probe_timeout: not between 1 and 300",
        "probe_retries: not between 1 and 100",
    ] {
        assert!(status.contains(fault), "{status}");
    }
}

/// A slow starter has three times the settling time; it is asked as the app's user, in its folder and environment.
#[test]
fn a_probe_that_succeeds_in_time_is_enough() {
    let Some(site) = site() else { return };
    let root = site.gateway.root().root().display().to_string();
    let probe = format!("n=$(cat n 2>/dev/null || echo 0); echo $((n+1)) >n; [ $n -ge 1 ] || exit 1; echo \"$1 $SITE $(id -un) $PWD\" >{root}/asked");
    let status =
        site.install("app.v1.tar.gz", &probed(&probe, "environment = SITE=\"of %(group_name)s\"\nuser = root"));
    assert_eq!(status, "[gwe] installed app v1 in N s\n");
    let folder = site.gateway.root().path("var/lib/gwe/apps/app/a");
    let asked = site.gateway.root().read("asked");
    assert_eq!(asked.trim(), format!("app of app root {}", fs::canonicalize(folder).unwrap().display()));
    // One that takes its app down with it is no proof.
    let status = site.install("app.v2.tar.gz", &probed("kill -9 $(cat pid)", "autorestart = true"));
    assert!(status.contains("[gwe] rolled back app v2 to v1: app "), "{status}");
    assert!(site.ctl_status("app").contains("RUNNING"));
}

/// An app of a user's own has nothing of root, nor has what asks it.
#[test]
fn a_probe_is_its_app_s_user_s_in_all() {
    let Some(site) = site() else { return };
    if !may_become_nobody() {
        return;
    }
    let root = site.gateway.root();
    fs::create_dir(root.path("open")).unwrap();
    for (folder, mode) in [("", 0o755), ("open", 0o777)] {
        fs::set_permissions(root.path(folder), fs::Permissions::from_mode(mode)).unwrap();
    }
    let asked = root.path("open/asked");
    let probe = format!("cat /proc/self/status >{}.new && mv {0}.new {0}", asked.display());
    let status = site.install("app.v1.tar.gz", &probed(&probe, "user = nobody"));
    assert_eq!(status.lines().last(), Some("[gwe] installed app v1 in N s"), "{status}");
    let who = |status: String| -> Vec<String> {
        let is_meant = |line: &&str| ["Uid:", "Gid:", "Groups:", "CapEff:"].iter().any(|key| line.starts_with(key));
        status.lines().filter(is_meant).map(str::to_string).collect()
    };
    let app = who(fs::read_to_string(format!("/proc/{}/status", site.pid("app"))).unwrap());
    assert_eq!(who(fs::read_to_string(asked).unwrap()), app);
    assert!(app.len() == 4 && !app.contains(&"Uid:\t0\t0\t0\t0".to_string()), "{app:?}");
}

/// What asked is gone with who asked; the next check-in asks again, and there is one verdict.
#[test]
fn killed_while_the_probe_runs() {
    let Some(site) = site() else { return };
    let root = site.gateway.root().root().display().to_string();
    let probe = format!(
        "[ -e {root}/good ] && exit 0; echo $$ >{root}/asking.new; mv {root}/asking.new {root}/asking; exec sleep 300"
    );
    let options = "probe_timeout = 300";
    site.deploy(
        "app.v1.tar.gz",
        &probed(&probe, "").file(
            "supervisor.conf",
            0o644,
            format!("[supervisord]\ncommand = ./run.sh\nprobe = ./probe.sh\n{options}\n"),
        ),
    );
    let mut check_in = site.gateway.start("gwe", &["--once"]);
    let pid = wait_for("the probe", PATIENCE, || {
        let asking = site.gateway.root().path("asking");
        fs::read_to_string(asking).ok()
    });
    assert!(is_alive(pid.trim()));
    check_in.kill();
    wait_until("the probe is gone", PATIENCE, || !is_alive(pid.trim()));
    site.gateway.root().write("good", "");
    recover(&site);
    let reports = site.reports();
    assert_eq!(reports.iter().filter(|report| report.contains("[gwe] installed app v1")).count(), 1, "{reports:?}");
    assert!(site.ctl_status("app").contains("RUNNING"));
}

/// rauc-hawkbit-updater#161: a machine that goes down while the probe runs, and all with it. The next boot asks again; a version that is cut off so twice
/// is given up, and is asked by nobody any more.
#[test]
fn a_reboot_in_the_middle_of_a_probe_is_a_try_that_counts() {
    for gets_well in [true, false] {
        let Some(mut site) = site() else { return };
        assert!(site.install("app.v1.tar.gz", &worker_app("one")).contains("[gwe] installed app v1"));
        let root = site.gateway.root().root().display().to_string();
        let probe = format!("[ -e {root}/good ] && exit 0; echo x >>{root}/asked; exec sleep 300");
        let conf = "[supervisord]\ncommand = ./run.sh\nprobe = ./probe.sh\nprobe_timeout = 300\n";
        site.deploy("app.v2.tar.gz", &probed(&probe, "").file("supervisor.conf", 0o644, conf));
        let asked = |site: &Site| fs::read_to_string(site.gateway.root().path("asked")).unwrap_or_default().len() / 2;
        for reboot in 1..=2 {
            let mut check_in = site.gateway.start("gwe", &["--once"]);
            wait_until("the probe", PATIENCE, || asked(&site) == reboot);
            // Both at once, as nearly as can be.
            check_in.kill();
            site.supervisord = None;
            assert!(site.host());
            if gets_well {
                break;
            }
        }
        if gets_well {
            site.gateway.root().write("good", "");
        }
        recover(&site);
        let (verdict, version) = match gets_well {
            true => ("[gwe] installed app v2 in N s", "2"),
            false => ("[gwe] rolled back app v2 to v1: the gateway went down 2 times while it settled", "1"),
        };
        let told = site.reports().concat();
        assert_eq!((told.matches(" app v2 ").count(), told.matches(verdict).count()), (1, 1), "{told}");
        assert_eq!(site.reported("app")["version"], version);
        assert!(site.ctl_status("app").contains("RUNNING"), "{}", site.ctl_status("app"));
        assert_eq!(asked(&site), if gets_well { 1 } else { 2 });
    }
}

/// Python's supervisord ignores what it does not know; who asked is told, once in the log, and in the status as long as it is so.
#[test]
fn what_the_hosting_does_not_do_is_said() {
    let Some(site) = site() else { return };
    let options = "after = nobody\nprobe_interval = 600\nafter_timeout = 1";
    let ran = {
        site.deploy("app.v1.tar.gz", &probed("exit 0", options));
        site.check_in().ok()
    };
    assert!(site.fetch_status().contains("[gwe] installed app v1"), "{}", site.fetch_status());
    let status = site.gateway.gwe(&["--status"]).ok().stdout;
    let is_python = site.hosts_by_python();
    let said = "app: supervisord is Python's, which ignores after and probe_interval";
    assert_eq!(ran.stderr.contains(said), is_python, "{}", ran.stderr);
    let line = "Python's supervisord, which ignores after of app, probe_interval of app";
    assert_eq!(status.contains(line), is_python, "{status}");
    assert_eq!(site.reported("app").get("probe_restarts").is_some(), !is_python);
}

/// A fall after the settling is told by the check-in that finds it, once.
#[test]
fn an_app_that_falls_later_is_told_once() {
    let Some(site) = site() else { return };
    let broken = site.gateway.root().path("broken").display().to_string();
    let script = format!("[ -e {broken} ] && exit 7; exec sleep 300");
    let app = scripted_app(&script, "startsecs = 1\nstartretries = 0\nautorestart = true");
    assert!(site.install("app.v1.tar.gz", &app).contains("[gwe] installed app v1"));
    site.gateway.root().write("broken", "");
    let pid = site.pid("app");
    // SAFETY: the app of this very test.
    unsafe { libc::kill(pid as i32, libc::SIGKILL) };
    site.await_ctl("app", "FATAL");
    let told = |site: &Site| site.reports().iter().filter(|report| report.contains("has fallen")).count();
    assert_eq!(told(&site), 0);
    site.check_in().ok();
    let status = site.fetch_status();
    assert!(status.starts_with("[gwe] app v1 has fallen since it was installed: FATAL: "), "{status}");
    assert_eq!(site.reported("app")["status"], "FATAL");
    site.check_in().ok();
    assert_eq!(told(&site), 1);
    // What was told lies in /run: after a reboot, one that is down is told anew, once, and one that is well is not.
    let mut site = site;
    for is_broken in [true, false] {
        if !is_broken {
            fs::remove_file(site.gateway.root().path("broken")).unwrap();
        }
        site.supervisord = None;
        fs::remove_file(site.gateway.root().path("run/gwe/falls.json")).unwrap();
        assert!(site.host());
        site.await_ctl("app", if is_broken { "FATAL" } else { "RUNNING" });
        (0..2).for_each(|_| drop(site.check_in().ok()));
        assert_eq!(told(&site), 2, "{:?}", site.reports());
    }
}
