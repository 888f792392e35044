//! What a process is given by whoever starts it does not decide what it does (docs/spec/failures.md, case 03), and messages name what is missing
//! (docs/spec/failures.md, case 12).

use gwe_tests::harness::{is_asleep, run, wait_until, Background, Kind, Site, SmallDisk, Tarball, PATIENCE};
use gwe_tests::skip;
use std::ffi::CString;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
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
                   echo locale=$LC_ALL$LANG shell=$CDPATH$ENV; [ $HOME != /own ] || echo $HOME; echo $PATH";
    site.deploy("app.v1.tar.gz", &Tarball::app(install));
    let gwe = site.gateway.command("gwe");
    let start = "trap '' TERM USR2; exec 7</dev/null; exec \"$0\" --once";
    let mut command = Command::new("sh");
    command.args(["-c", start]).arg(gwe.get_program()).env("GWE_ROOT", site.gateway.root().root()).current_dir("/tmp");
    command.env("LC_ALL", "de_DE.UTF-8").env("LANG", "de_DE").env("CDPATH", "/tmp").env("ENV", "/no/such/file");
    command.env("HOME", "/own").env("PATH", "/own/bin:/usr/bin:/bin");
    run(&mut command, PATIENCE).ok();
    let folder = site.gateway.root().path("var/lib/gwe/apps/app/a");
    let status = site.fetch_status();
    let (ignored, rest) = status.trim_start_matches("SigIgn:").trim_start().split_once('\n').unwrap();
    // Those above 31 are the C library's.
    assert_eq!(u64::from_str_radix(ignored, 16).unwrap() & 0x7fff_ffff, 0, "{status}");
    let tools = std::fs::canonicalize(gwe.get_program()).unwrap();
    let path =
        format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", tools.parent().unwrap().display());
    let wanted = format!("{}\nlocale= shell=\n{path}\n[gwe] installed app v1 in N s\n", folder.display());
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

/// What stays keeps nothing of its starter's: no folder, no file, and a relative root is the same after a pause.
#[test]
fn what_stays_keeps_no_folder_and_no_file_of_its_starter_and_finds_its_root_again() {
    for (program, by_flag) in [("gwe", false), ("gwe", true), ("gmq", false), ("gmq", true)] {
        let mut site = Site::new();
        site.set("engine", "update_interval", "600");
        let root = site.gateway.root();
        let (above, name) = (root.root().parent().unwrap(), root.root().file_name().unwrap().to_str().unwrap());
        let mut command = Command::new("sh");
        let words = if by_flag { format!("--root {name}") } else { String::new() };
        let port = if program == "gmq" { " --port 0" } else { "" };
        let script = format!("exec 7</dev/null; exec \"$0\" {words}{port}");
        command.args(["-c", &script]).arg(site.gateway.command(program).get_program()).current_dir(above);
        command.env_remove("GWE_ROOT").env("GWE_NAP_AFTER", "0");
        if !by_flag {
            command.env("GWE_ROOT", name);
        }
        let mut resident = Background::start(&mut command, root, "resident");
        let process = PathBuf::from(format!("/proc/{}", resident.pid()));
        wait_until("it sleeps", PATIENCE, || is_asleep(resident.pid()));
        assert_eq!(std::fs::read_link(process.join("cwd")).unwrap(), PathBuf::from("/"), "{program} {by_flag}");
        assert!(!process.join("fd/7").exists(), "{program} {by_flag}");
        match program {
            "gwe" => {
                site.deploy("app.v1.tar.gz", &Tarball::app("true"));
                resident.signal(libc::SIGHUP);
                site.await_status("[gwe] installed app v1 in N s\n");
            }
            _ => {
                let port = root.read("run/gwe/gmq.port");
                let mut stream = std::net::TcpStream::connect(format!("127.0.0.1:{}", port.trim())).unwrap();
                stream.write_all(b"GET /status HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            }
        }
        assert!(resident.stop().success(), "{program} {by_flag}: {}", resident.log());
        let strays =
            ["var", "run"].map(|folder| std::path::Path::new("/").join(name).join(folder)).map(|path| path.exists());
        assert_eq!(strays, [false, false], "a root of its own below /");
    }
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
