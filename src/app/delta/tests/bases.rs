//! Real tarballs of several writers, and what an app may do to its folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::build::{build, BuildDeltaError, Built};
use super::*;
use crate::app::tests::{listing, Scratch};
use crate::app::unpack::{read_delta, unpack};
use crate::app::{TarballName, UnpackLimits};
use crate::sys::tests::announce_skip;

/// Files that every installer and a long name and a link are among.
fn tree(scratch: &Scratch, version: &str) -> PathBuf {
    let file = |name: &str, content: &str| scratch.file(&format!("tree{version}/{name}"), content);
    let folder = scratch.path().join(format!("tree{version}"));
    let script = file("install.sh", "#!/bin/sh\nexit 0\n");
    fs::set_permissions(script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let text: String = (0..4000).map(|line| format!("line {line} of the program\n")).collect();
    file("program.py", &text.replace("line 2000", &format!("line {version}")));
    file("lib/a.py", "import b\n");
    file("lib.py", "stands before or behind lib/\n");
    file("lib/empty", "");
    file(&format!("{0}/{0}/{0}/deep.py", "a-folder-with-a-name-of-some-length-so-that-paths-are"), "deep\n");
    std::os::unix::fs::symlink("lib/a.py", folder.join("link.py")).unwrap();
    if version == "2" {
        file("lib/new.py", "new\n");
        fs::remove_file(folder.join("lib/empty")).unwrap();
    }
    folder
}

/// Packs a tree as some writers do; `None` where this machine lacks it.
fn pack_tree(scratch: &Scratch, version: &str, options: &[&str]) -> Option<PathBuf> {
    let folder = tree(scratch, version);
    let tarball = scratch.path().join(format!("a.v{version}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(&tarball).arg("-C").arg(&folder).args(options).arg(".");
    tar.output().is_ok_and(|output| output.status.success()).then_some(tarball)
}

fn unpacked(tarball: &Path, into: &Path) {
    unpack(tarball, &TarballName::of_path(tarball).unwrap(), into, UnpackLimits::default(), false).unwrap();
}

fn built(scratch: &Scratch, old: &Path, new: &Path) -> Built {
    build(old, new, scratch.path(), &mut |_| {}).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn tarballs_of_every_writer_are_made_again() {
    for (index, options) in [
        &["--format=gnu", "--sort=name", "--owner=0", "--group=0"][..],
        &["--format=gnu", "--mtime=@0"],
        &["--format=ustar"],
        &["--format=pax"],
        &["--format=gnu", "--sort=name", "--transform=s,^\\.,a.v2,"],
        &["--format=gnu", "--sort=name", "--mode=u+w,g+w"],
    ]
    .into_iter()
    .enumerate()
    {
        let scratch = Scratch::new(&format!("delta-writers-{index}"));
        let (old, new) = (pack_tree(&scratch, "1", &[]), pack_tree(&scratch, "2", options));
        let (Some(old), Some(new)) = (old, new) else { return announce_skip("no GNU tar") };
        let delta = built(&scratch, &old, &new);
        assert!(delta.bytes < delta.tarball_bytes, "{options:?}: {} of {}", delta.bytes, delta.tarball_bytes);
        let again = fs::read(&delta.path).unwrap();
        built(&scratch, &old, &new);
        assert_eq!(again, fs::read(&delta.path).unwrap(), "the same bytes in, the same bytes out");
        let (slot, plain, by_delta) = (scratch.folder("slot"), scratch.folder("plain"), scratch.folder("delta"));
        unpacked(&old, &slot);
        let before = listing(&slot);
        unpacked(&new, &plain);
        let name = DeltaName::of_path(&delta.path).unwrap();
        let (contents, sha256) =
            read_delta(&delta.path, &name, Root::Folder(&slot), Some(&by_delta), UnpackLimits::default()).unwrap();
        assert_eq!(listing(&by_delta), listing(&plain), "{options:?}");
        assert_eq!(listing(&slot), before, "the base is only read");
        assert_eq!((contents.supervisor_conf, sha256), (None, Hash::of(&fs::read(&new).unwrap())));
    }
}

#[test]
fn what_an_app_adds_to_its_folder_does_not_matter() {
    let scratch = Scratch::new("delta-added");
    let (Some(old), Some(new)) = (pack_tree(&scratch, "1", &[]), pack_tree(&scratch, "2", &[])) else {
        return announce_skip("no GNU tar");
    };
    let delta = fs::read(built(&scratch, &old, &new).path).unwrap();
    let slot = scratch.folder("slot");
    unpacked(&old, &slot);
    let want = apply(&delta, &slot).unwrap();
    for added in ["__pycache__/a.pyc", "lib/__pycache__/b.pyc", "data.db", "lib/0", "zz", "a-folder/x"] {
        scratch.file(&format!("slot/{added}"), "made at run time");
    }
    std::os::unix::fs::symlink("/etc", slot.join("lib/etc")).unwrap();
    std::os::unix::fs::symlink(".", slot.join("lib/round")).unwrap();
    assert_eq!(apply(&delta, &slot).unwrap(), want);
    scratch.file("slot/program.py", "patched at run time");
    assert!(apply(&delta, &slot).is_err());
}

#[test]
fn the_agent_s_delta_needs_its_program_alone() {
    let scratch = Scratch::new("delta-agent");
    let tarball = |version: &str, program: &str| {
        let folder = format!("agent{version}");
        for (name, content) in [("gwe", program), ("install.sh", "#!/bin/sh\nexit 0\n")] {
            let path = scratch.file(&format!("{folder}/{name}"), content);
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        let path = scratch.path().join(format!("gwe.v{version}.tar.gz"));
        let mut tar = Command::new("tar");
        tar.arg("-czf").arg(&path).arg("-C").arg(scratch.path().join(folder)).args(["gwe", "install.sh"]);
        tar.output().is_ok_and(|output| output.status.success()).then_some(path)
    };
    let program: String = (0..5000).map(|n| format!("{n} ")).collect();
    let (Some(old), Some(new)) = (tarball("1", &program), tarball("2", &(program.clone() + "new"))) else {
        return announce_skip("no tar");
    };
    let delta = built(&scratch, &old, &new);
    let name = DeltaName::of_path(&delta.path).unwrap();
    // The image's own: another time, and nothing beside it.
    let image = scratch.file("usr/bin/gwe", &program);
    fs::set_permissions(&image, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    scratch.file("usr/bin/other", "another program");
    let into = scratch.folder("into");
    read_delta(&delta.path, &name, Root::File(&image), Some(&into), UnpackLimits::default()).unwrap();
    assert_eq!(fs::read_to_string(into.join("gwe")).unwrap(), program + "new");
}

#[test]
fn what_is_no_pair_makes_no_delta() {
    let scratch = Scratch::new("delta-pairs");
    let Some(old) = pack_tree(&scratch, "1", &[]) else { return announce_skip("no GNU tar") };
    let path = |name: &str| scratch.path().join(name);
    fs::copy(&old, path("b.v2.tar.gz")).unwrap();
    fs::copy(&old, path("a.v2.from.v1.tar.gz")).unwrap();
    scratch.file("a.v3.tar.gz", "no tarball");
    let make = |new: &str| build(&old, &path(new), scratch.path(), &mut |_| {}).unwrap_err();
    assert!(matches!(make("b.v2.tar.gz"), BuildDeltaError::TwoApps));
    assert!(matches!(make("a.v1.tar.gz"), BuildDeltaError::OneVersion));
    assert!(matches!(make("a.v2.from.v1.tar.gz"), BuildDeltaError::Pair(_)));
    assert!(matches!(make("a.v3.tar.gz"), BuildDeltaError::Bad(..)));
    assert!(matches!(make("x"), BuildDeltaError::Name(..)));
    let left: Vec<_> = fs::read_dir(scratch.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with('.')), "{left:?}");
}
