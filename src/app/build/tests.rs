//! Builds in scratch folders: what goes in, what is refused, and the same bytes every time.

use std::os::unix::fs::{symlink, PermissionsExt};

use super::*;
use crate::app::tests::{listing, Scratch};
use crate::app::unpack;

/// An app in a folder, with its buildfile.
fn app(scratch: &Scratch, includes: &str, more: &str) -> PathBuf {
    scratch.file("app/install.sh", "#!/bin/sh\nexit 0\n");
    fs::set_permissions(scratch.path().join("app/install.sh"), fs::Permissions::from_mode(0o700)).unwrap();
    for (path, content) in [
        ("app/supervisor.conf", "[supervisord]\ncommand = ./run.sh\n"),
        ("app/lib/a.py", "a"),
        ("app/lib/a.pyc", "compiled"),
        ("app/lib/__pycache__/b.pyc", "compiled"),
        ("app/lib/deep/er/c.py", "c"),
        ("app/lib/.hidden", "h"),
        ("app/data/x.bin", "x"),
        ("app/secret.key", "s"),
        ("app/.env", "e"),
    ] {
        scratch.file(path, content);
    }
    scratch.file("app/build.json", format!(r#"{{"name": "my_app", "version": "1.2", "includes": [{includes}]{more}}}"#))
}

fn plan(buildfile: &Path) -> Result<PathBuf, BuildError> {
    build(buildfile, &Overrides::default(), buildfile.parent().unwrap().parent().unwrap())
}

fn names(buildfile: &Path) -> Vec<String> {
    let tarball = plan(buildfile).unwrap();
    let into = tarball.parent().unwrap().join("unpacked");
    fs::create_dir(&into).unwrap();
    unpack(&tarball, &TarballName::of_path(&tarball).unwrap(), &into, UnpackLimits::default(), false).unwrap();
    let lines = listing(&into);
    fs::remove_dir_all(into).unwrap();
    fs::remove_file(tarball).unwrap();
    lines.iter().map(|line| line.split(' ').next().unwrap().to_string()).collect()
}

#[test]
fn includes_globs_and_excludes() {
    for (includes, excludes, want) in [
        (r#""install.sh""#, "", &["install.sh"][..]),
        (r#""./install.sh", "install.sh", "lib/a.py""#, "", &["install.sh", "lib/", "lib/a.py"]),
        (r#""install.sh", "*.conf", "data""#, "", &["data/", "data/x.bin", "install.sh", "supervisor.conf"]),
        // A folder is taken whole, hidden files too; a glob leaves them.
        (
            r#""install.sh", "lib""#,
            "",
            &[
                "install.sh",
                "lib/",
                "lib/.hidden",
                "lib/__pycache__/",
                "lib/__pycache__/b.pyc",
                "lib/a.py",
                "lib/a.pyc",
                "lib/deep/",
                "lib/deep/er/",
                "lib/deep/er/c.py",
            ],
        ),
        (r#""install.sh", "lib/*.py""#, "", &["install.sh", "lib/", "lib/a.py"]),
        (
            r#""install.sh", "**/*.py""#,
            "",
            &["install.sh", "lib/", "lib/a.py", "lib/deep/", "lib/deep/er/", "lib/deep/er/c.py"],
        ),
        (r#""install.sh", "lib/.*""#, "", &["install.sh", "lib/", "lib/.hidden"]),
        (
            r#""install.sh", "lib""#,
            r#""*.pyc", "__pycache__/", "lib/deep/er""#,
            &["install.sh", "lib/", "lib/.hidden", "lib/a.py", "lib/deep/"],
        ),
        (r#"".""#, r#""lib", "data/*", ".*""#, &["build.json", "data/", "install.sh", "secret.key", "supervisor.conf"]),
        (
            r#""**""#,
            r#""lib/**/er", "*.pyc", "__pycache__", "secret.key", "build.json""#,
            &["data/", "data/x.bin", "install.sh", "lib/", "lib/.hidden", "lib/a.py", "lib/deep/", "supervisor.conf"],
        ),
        (r#""install.sh", "data/[a-x].b?n""#, "", &["data/", "data/x.bin", "install.sh"]),
        // What is excluded is excluded, however it is included.
        (r#""install.sh", "lib/deep/er/c.py", "data""#, r#""deep""#, &["data/", "data/x.bin", "install.sh"]),
    ] {
        let scratch = Scratch::new("build-globs");
        let buildfile = app(&scratch, includes, &format!(r#", "excludes": [{excludes}]"#));
        assert_eq!(names(&buildfile), want, "{includes} without {excludes}");
    }
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let bytes = |name: &str| {
        let scratch = Scratch::new(name);
        let buildfile = app(&scratch, r#"".""#, "");
        symlink("lib/a.py", scratch.path().join("app/link")).unwrap();
        let long = format!("app/{}/{}", "n".repeat(120), "m".repeat(120));
        scratch.file(&long, "long name");
        let first = fs::read(plan(&buildfile).unwrap()).unwrap();
        // Other times and other write bits, the tarball of the first build beside the files.
        for path in ["app/lib/a.py", "app/data/x.bin"] {
            let content = fs::read(scratch.path().join(path)).unwrap();
            fs::remove_file(scratch.path().join(path)).unwrap();
            scratch.file(path, content);
            fs::set_permissions(scratch.path().join(path), fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::write(scratch.path().join("app/my_app.v1.1.tar.gz"), "an older build").unwrap();
        fs::write(scratch.path().join("app/my_app.v1.1.tar.gz.minisig"), "its signature").unwrap();
        let second = fs::read(build(&buildfile, &Overrides::default(), &scratch.path().join("app")).unwrap()).unwrap();
        let third = fs::read(build(&buildfile, &Overrides::default(), &scratch.path().join("app")).unwrap()).unwrap();
        assert!(first == second && second == third);
        first
    };
    assert!(bytes("build-same-1") == bytes("build-same-2"));
}

#[test]
fn headers_are_plain() {
    let scratch = Scratch::new("build-headers");
    let tarball = plan(&app(&scratch, r#"".""#, "")).unwrap();
    let bytes = fs::read(&tarball).unwrap();
    let mut source = &bytes[..];
    let mut archive = tar::Archive::new(crate::app::gzip::GzipReader::new(&mut source));
    let mut last = String::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
        assert!(header.username_bytes().unwrap_or_default().is_empty());
        let path = entry.path().unwrap().display().to_string();
        let wanted = match path.as_str() {
            "install.sh" => 0o755,
            _ if path.ends_with('/') || header.entry_type().is_dir() => 0o755,
            _ => 0o644,
        };
        assert_eq!(header.mode().unwrap(), wanted, "{path}");
        assert!(Path::new(&last) < Path::new(&path), "{last} {path}");
        last = path;
    }
}

#[test]
fn commands_run_in_the_folder_before_and_after() {
    let scratch = Scratch::new("build-commands");
    let more = r#", "pre_build_cmds": ["mkdir out && echo $GWE_APP_NAME-$GWE_APP_VERSION > out/made", "test -f build.json"],
                    "post_build_cmds": ["cp \"$GWE_TARBALL\" copy.tar.gz"]"#;
    let buildfile = app(&scratch, r#""install.sh", "out/made""#, more);
    let tarball = build(&buildfile, &Overrides { name: Some("other"), version: Some("9") }, scratch.path()).unwrap();
    assert_eq!(tarball, fs::canonicalize(scratch.path()).unwrap().join("other.v9.tar.gz"));
    assert_eq!(fs::read_to_string(scratch.path().join("app/out/made")).unwrap(), "other-9\n");
    assert_eq!(fs::read(tarball).unwrap(), fs::read(scratch.path().join("app/copy.tar.gz")).unwrap());
}

#[test]
fn what_fails_is_named_and_leaves_no_tarball() {
    for (what, includes, more, message) in [
        ("missing", r#""install.sh", "nope", "*.nope", "lib/**/nope""#, "", "`includes`: there is no file that matches nope\n`includes`: there is no file that matches *.nope\n`includes`: there is no file that matches lib/**/nope"),
        ("failing command", r#""install.sh""#, r#", "pre_build_cmds": ["true", "exit 3", "touch never"]"#, "`pre_build_cmds`: exited with 3: exit 3"),
        ("killed command", r#""install.sh""#, r#", "pre_build_cmds": ["kill -9 $$"]"#, "`pre_build_cmds`: was ended by a signal: kill -9 $$"),
        ("failing command afterwards", r#""install.sh""#, r#", "post_build_cmds": ["false"]"#, "`post_build_cmds`: exited with 1: false"),
        ("spoiled afterwards", r#""install.sh""#, r#", "post_build_cmds": ["echo junk >> \"$GWE_TARBALL\""]"#, "other bytes follow its compressed data"),
        ("no installer", r#""lib""#, "", "neither install.sh nor setup.py stands at its root"),
        ("not executable", r#""install.sh""#, r#", "pre_build_cmds": ["chmod -x install.sh"]"#, "install.sh: not executable: chmod +x install.sh"),
        ("bad conf", r#""install.sh", "supervisor.conf""#, r#", "pre_build_cmds": ["echo 'startsecs = x' >> supervisor.conf"]"#, "supervisor.conf: startsecs: `x` is no whole number"),
        ("link out", r#""install.sh", "out""#, r#", "pre_build_cmds": ["ln -s /etc out"]"#, "out: a link to an absolute path; install.sh may make it"),
        ("pipe", r#""install.sh", "pipe""#, r#", "pre_build_cmds": ["mkfifo pipe"]"#, "pipe: neither a file nor a folder nor a link"),
        ("bad buildfile", r#""/abs""#, "", "`includes` entry 1 is an absolute path: give it relative to the buildfile's folder"),
    ] {
        let scratch = Scratch::new("build-fails");
        let buildfile = app(&scratch, includes, more);
        let error = plan(&buildfile).unwrap_err();
        assert_eq!(error.to_string(), message, "{what}");
        let left: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["app"], "{what}");
        assert!(!scratch.path().join("app/never").exists());
    }
}

#[test]
fn links_are_kept_and_never_followed() {
    let scratch = Scratch::new("build-links");
    let buildfile = app(&scratch, r#""install.sh", "loop", "lib/a.py", "alias""#, "");
    symlink(".", scratch.path().join("app/loop")).unwrap();
    symlink("lib/a.py", scratch.path().join("app/alias")).unwrap();
    assert_eq!(names(&buildfile), ["alias", "install.sh", "lib/", "lib/a.py", "loop"]);
}
