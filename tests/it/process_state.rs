//! What a process is given by whoever starts it does not decide what it does (docs/spec/failures.md, case 03), and messages name what is missing
//! (docs/spec/failures.md, case 12).

use gwe_tests::harness::{run, Background, Kind, Site, SmallDisk, Tarball, PATIENCE};
use gwe_tests::skip;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// elastic-agent#5633, rancher/system-agent#244: an app's own user has to get into its folder.
#[test]
fn the_umask_of_who_starts_the_agent_is_not_the_apps() {
    let site = Site::new();
    site.deploy("app.v1.tar.gz", &Tarball::app("mkdir made && echo x > made/file"));
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077 && exec \"$0\" --once"]).arg(site.gateway.command("gwe").get_program());
    command.env("GWE_ROOT", site.gateway.root().root());
    run(&mut command, PATIENCE).ok();
    let mode = |path: &str| {
        let path = site.gateway.root().path("var/lib/gwe/apps/app").join(path);
        std::fs::metadata(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).permissions().mode() & 0o777
    };
    for (path, wanted) in [(".", 0o755), ("a", 0o755), ("a/made", 0o755), ("a/made/file", 0o644)] {
        assert_eq!(mode(path), wanted, "{path}");
    }
}

/// Point 13 of the same kind: signals that are ignored, descriptors that are open, a locale, a shell's own variables, a folder.
#[test]
fn what_who_starts_the_agent_has_is_not_the_installer_s() {
    let site = Site::new();
    let install = "grep SigIgn /proc/$$/status; [ ! -e /proc/$$/fd/7 ] || echo leaked; pwd; \
                   echo locale=$LC_ALL$LANG shell=$CDPATH$ENV";
    site.deploy("app.v1.tar.gz", &Tarball::app(install));
    let gwe = site.gateway.command("gwe");
    let start = "trap '' TERM USR2; exec 7</dev/null; exec \"$0\" --once";
    let mut command = Command::new("sh");
    command.args(["-c", start]).arg(gwe.get_program()).env("GWE_ROOT", site.gateway.root().root()).current_dir("/tmp");
    command.env("LC_ALL", "de_DE.UTF-8").env("LANG", "de_DE").env("CDPATH", "/tmp").env("ENV", "/no/such/file");
    run(&mut command, PATIENCE).ok();
    let folder = site.gateway.root().path("var/lib/gwe/apps/app/a");
    let status = site.fetch_status();
    let (ignored, rest) = status.trim_start_matches("SigIgn:").trim_start().split_once('\n').unwrap();
    // Those above 31 are the C library's.
    assert_eq!(u64::from_str_radix(ignored, 16).unwrap() & 0x7fff_ffff, 0, "{status}");
    let wanted = format!("{}\nlocale= shell=\n[gwe] installed app v1 in N s\n", folder.display());
    assert_eq!(rest, wanted);
}

#[test]
fn an_engine_whose_starter_ignored_its_children_and_whose_folder_is_gone_checks_in() {
    let site = Site::new();
    site.deploy("app.v1.tar.gz", &Tarball::app("true"));
    let gone = site.gateway.root().path("gone");
    std::fs::create_dir_all(&gone).unwrap();
    let gwe = site.gateway.command("gwe");
    let mut command = Command::new(gwe.get_program());
    command.env("GWE_ROOT", site.gateway.root().root()).current_dir(&gone);
    // A shell has its own mind about its children, so this is done here.
    let gone = CString::new(gone.as_os_str().as_bytes()).unwrap();
    // SAFETY: signal(2) and rmdir(2) are async-signal-safe; the path ends with a zero byte and outlives the call.
    unsafe {
        command.pre_exec(move || {
            libc::signal(libc::SIGCHLD, libc::SIG_IGN);
            libc::signal(libc::SIGTERM, libc::SIG_IGN);
            libc::rmdir(gone.as_ptr());
            Ok(())
        });
    }
    let mut engine = Background::start(&mut command, site.gateway.root(), "engine");
    site.await_status("[gwe] installed app v1 in N s\n");
    assert!(!engine.log().contains("cannot wait") && !engine.log().contains("unexpectedly"), "{}", engine.log());
    assert!(engine.stop().success());
}

/// acme.sh#394, netdata#7536.
#[test]
fn an_interpreter_that_is_missing_is_named() {
    let site = Site::new();
    let tarball = Tarball::new().entry("install.sh", 0o755, Kind::File(b"#!/no/such/bash\n".to_vec()));
    let status = site.install("app.v1.tar.gz", &tarball);
    let told = "this gateway does not have what its first line names: #!/no/such/bash";
    assert!(status.contains(told), "{status}");
}

/// netdata#7536: nothing on such a mount can be run; that is said, and it is not held against the content.
#[test]
fn a_state_folder_on_a_noexec_mount_is_told_as_such() {
    let site = Site::new();
    let state = site.gateway.root().path("var/lib/gwe");
    let Some(disk) = SmallDisk::mount(&state, "size=8m,noexec") else {
        skip!("needs root, to mount a file system noexec");
    };
    let told = |folder: &str| {
        format!("Permission denied (os error 13); {folder} is on a file system that is mounted noexec\n")
    };
    let package = Tarball::app("true").file("gwe", 0o755, "#!/bin/sh\necho 9.9.9\n");
    for (name, slot) in [("app", "apps/app/a"), ("gwe", "apps/gwe/a")] {
        let status = site.install(&format!("{name}.v9.9.9.tar.gz"), &package);
        let wanted = told(&state.join(slot).display().to_string());
        assert!(status.contains("install.sh could not be started: ") && status.contains(&wanted), "{status}");
    }
    disk.remount("exec");
    site.order(&["app.v9.9.9.tar.gz"]);
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "[gwe] installed app v9.9.9 in N s\n");
}

#[test]
fn an_interpreter_that_may_not_be_run_is_named() {
    let site = Site::new();
    let tarball = Tarball::new().entry("install.sh", 0o755, Kind::File(b"#!/etc/passwd\n".to_vec()));
    let status = site.install("app.v1.tar.gz", &tarball);
    assert!(status.contains("may what its first line names be run? #!/etc/passwd"), "{status}");
}
