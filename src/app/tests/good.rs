//! Archives that must be taken, and what comes of them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use super::archive::*;
use super::{listing, Scratch};
use crate::app::unpack::{check_bytes, Contents};
use crate::app::{check, unpack, Installer, TarballName, UnpackError, UnpackLimits};
use crate::sys::tests::announce_skip;

fn unpacked(scratch: &Scratch, bytes: &[u8]) -> (Contents, Vec<String>) {
    let tarball = scratch.file("a.v1.tar.gz", bytes);
    let into = scratch.folder("into");
    let contents =
        unpack(&tarball, &TarballName::of_path(&tarball).unwrap(), &into, UnpackLimits::default(), true).unwrap();
    assert_eq!(check(&tarball), []);
    let lines = listing(&into);
    fs::remove_dir_all(into).unwrap();
    (contents, lines)
}

const SCRIPT: &str = "install.sh 755 \"#!/bin/sh\\nexit 0\\n\"";

#[test]
fn modes_owners_links_and_times() {
    let scratch = Scratch::new("good-modes");
    let entries = [
        folder("./").mode(0o700),
        install_sh(),
        file("world", "w").mode(0o666),
        file("secret", "s").mode(0o400),
        file("none", "n").mode(0),
        folder("shared").mode(0o2777),
        file("shared/f", "f"),
        file("implied/deep/f", "f"),
        folder("implied").mode(0o700),
        folder("shared").mode(0o777),
        symlink("shared/up", "../world"),
        symlink("dangling", "nowhere/at/all"),
        hard_link("again", "./world"),
        Entry::new(b'0', "old-style-folder/", b"").mode(0o755).magic([0; 8]),
        Entry::new(0, "old-style-file", b"o").magic([0; 8]),
        Entry::new(b'7', "contiguous", b"c"),
        Entry::new(b'g', "pax_global_header", b"52 comment=0123456789012345678901234567890123456789\n"),
        file("b/\u{e4} b", "umlaut and space"),
    ];
    let (contents, lines) = unpacked(&scratch, &tar_gz(&entries));
    assert_eq!(
        lines,
        [
            "again 644 \"w\"",
            "b/ 755",
            "b/\u{e4} b 644 \"umlaut and space\"",
            "contiguous 644 \"c\"",
            "dangling -> nowhere/at/all",
            "implied/ 700",
            "implied/deep/ 755",
            "implied/deep/f 644 \"f\"",
            SCRIPT,
            "none 600 \"n\"",
            "old-style-file 644 \"o\"",
            "old-style-folder/ 755",
            "secret 600 \"s\"",
            "shared/ 755",
            "shared/f 644 \"f\"",
            "shared/up -> ../world",
            "world 644 \"w\"",
        ]
    );
    assert_eq!(contents.installer, Installer::InstallSh);
    assert_eq!(contents.supervisor_conf, None);
    assert_eq!(contents.bytes, 17 + 3 + 2 + 2 + 16);
}

#[test]
fn times_are_kept_and_owners_are_not() {
    let scratch = Scratch::new("good-times");
    let tarball = scratch.file("a.v1.tar.gz", tar_gz(&[install_sh()]));
    let into = scratch.folder("into");
    unpack(&tarball, &TarballName::parse("a.v1.tar.gz").unwrap(), &into, UnpackLimits::default(), false).unwrap();
    let script = fs::metadata(into.join("install.sh")).unwrap();
    assert_eq!(script.mtime(), 1_500_000_000);
    assert_eq!(script.uid(), fs::metadata(&into).unwrap().uid());
}

#[test]
fn the_leading_folder_is_taken_off() {
    let scratch = Scratch::new("good-top");
    let inside = |name: &str| format!("a.v1/{name}");
    let mut script = install_sh();
    script.name = inside("install.sh").into();
    let entries = [
        folder("a.v1/"),
        script.clone(),
        file(&inside("d/f"), "f"),
        hard_link(&inside("h"), &inside("d/f")),
        symlink(&inside("d/s"), "../h"),
    ];
    let want = ["d/ 755", "d/f 644 \"f\"", "d/s -> ../h", "h 644 \"f\"", SCRIPT];
    assert_eq!(unpacked(&scratch, &tar_gz(&entries)).1, want);
    // Without an entry for the folder itself, and behind `./`.
    assert_eq!(unpacked(&scratch, &tar_gz(&entries[1..])).1, want);
    // Another folder is a folder like any other.
    assert_eq!(
        unpacked(&scratch, &tar_gz(&[install_sh(), file("a.v2/f", "f")])).1,
        ["a.v2/ 755", "a.v2/f 644 \"f\"", SCRIPT]
    );
}

#[test]
fn long_names_of_both_kinds() {
    let scratch = Scratch::new("good-long");
    let deep = "d".repeat(90) + "/" + &"e".repeat(90) + "/f";
    let gnu = [install_sh(), long(b'L', &deep), file(&deep, "x").magic(GNU), long(b'K', &deep), long(b'L', "link"), {
        symlink("link", &deep).magic(GNU)
    }];
    let posix =
        [install_sh(), pax(&[("path", &deep), ("mtime", "1.5")]), file("short", "x"), pax(&[("linkpath", &deep)]), {
            symlink("link", "short")
        }];
    let (gnu, posix) = (unpacked(&scratch, &tar_gz(&gnu)).1, unpacked(&scratch, &tar_gz(&posix)).1);
    assert_eq!(gnu, posix);
    assert!(gnu.contains(&format!("{deep} 644 \"x\"")) && gnu.contains(&format!("link -> {deep}")));
}

#[test]
fn a_pax_size_counts_over_the_header() {
    // CVE-2026-33055: the header's own size was believed where it was not zero.
    let scratch = Scratch::new("good-pax-size");
    let entries = [install_sh(), pax(&[("size", "3")]), file("f", "abc").size(0), file("g", "g")];
    let lines = unpacked(&scratch, &tar_gz(&entries)).1;
    assert_eq!(lines, ["f 644 \"abc\"", "g 644 \"g\"", SCRIPT]);
}

#[test]
fn what_the_system_tar_makes_is_taken_as_the_system_tar_takes_it() {
    let scratch = Scratch::new("good-tar");
    let tree = scratch.folder("tree");
    fs::create_dir_all(tree.join("lib/deep")).unwrap();
    fs::write(tree.join("install.sh"), "#!/bin/sh\n").unwrap();
    fs::write(tree.join("supervisor.conf"), "[supervisord]\ncommand = sleep 1\n").unwrap();
    fs::write(tree.join("lib/deep").join("n".repeat(200)), vec![b'x'; 100_000]).unwrap();
    fs::write(tree.join("lib/empty"), "").unwrap();
    fs::hard_link(tree.join("lib/empty"), tree.join("lib/same")).unwrap();
    std::os::unix::fs::symlink("../lib/deep", tree.join("lib/link")).unwrap();
    let sh = |script: &str| {
        let done = Command::new("sh").args(["-ec", script]).current_dir(scratch.path()).status().unwrap();
        assert!(done.success(), "{script}");
    };
    sh("chmod 755 tree/install.sh");
    for format in ["gnu", "pax", "ustar", "posix"] {
        // ustar cannot hold a name of 200 bytes.
        let skip = if format == "ustar" { "--exclude=nnnn*" } else { "--exclude=none" };
        sh(&format!("tar -C tree --format={format} '{skip}' -czf a.v1.tar.gz . && mkdir theirs && tar -xzf a.v1.tar.gz -C theirs"));
        let tarball = scratch.path().join("a.v1.tar.gz");
        let (contents, ours) = unpacked(&scratch, &fs::read(&tarball).unwrap());
        assert_eq!(ours, listing(&scratch.path().join("theirs")), "{format}");
        assert_eq!(contents.supervisor_conf.as_deref(), Some("[supervisord]\ncommand = sleep 1\n"));
        sh("rm -r theirs");
    }
}

#[test]
fn setup_py_serves_where_there_is_no_install_sh() {
    let scratch = Scratch::new("good-setup");
    let (contents, _) = unpacked(&scratch, &tar_gz(&[file("setup.py", "from setuptools import setup\n")]));
    assert_eq!(contents.installer, Installer::SetupPy);
    let (contents, _) = unpacked(&scratch, &tar_gz(&[file("setup.py", ""), install_sh()]));
    assert_eq!(contents.installer, Installer::InstallSh);
}

#[test]
fn an_archive_of_exactly_the_limit_is_taken() {
    let name = TarballName::parse("a.v1.tar.gz").unwrap();
    let bytes = tar_gz(&[install_sh(), file("f", vec![1; 10_000])]);
    let size = tar(&[install_sh(), file("f", vec![1; 10_000])]).len() as u64;
    let at = |bytes_limit, entries| check_bytes(&bytes, &name, UnpackLimits { bytes: bytes_limit, entries });
    assert!(at(size, 2).is_ok());
    assert!(matches!(at(size - 1, 2), Err(UnpackError::Bad(_))));
    assert!(matches!(at(size, 1), Err(UnpackError::Bad(_))));
}

#[test]
fn what_this_machine_cannot_do_is_no_fault_of_the_tarball() {
    let scratch = Scratch::new("good-machine");
    let name = TarballName::parse("a.v1.tar.gz").unwrap();
    let tarball = scratch.file("a.v1.tar.gz", tar_gz(&[install_sh()]));
    let run = |tarball: &std::path::Path, into: &std::path::Path| {
        unpack(tarball, &name, into, UnpackLimits::default(), false)
    };
    // Nothing to read, something that is no file, nowhere to write, a folder in use.
    assert!(matches!(run(&scratch.path().join("none"), &scratch.folder("x")), Err(UnpackError::Failed(_))));
    assert!(matches!(run(&scratch.folder("d"), &scratch.folder("x")), Err(UnpackError::Failed(_))));
    assert!(matches!(run(&tarball, &scratch.path().join("missing")), Err(UnpackError::Failed(_))));
    scratch.file("x/there", "already");
    assert!(matches!(run(&tarball, &scratch.folder("x")), Err(UnpackError::Failed(_))));
    assert_eq!(listing(&scratch.folder("x")), ["there 644 \"already\""]);
    // The command line's check puts it in words.
    assert_eq!(check(&scratch.folder("e.v1.tar.gz"))[0].to_string(), "cannot be read: Is a directory (os error 21)");
}

#[test]
fn a_full_disk_is_told_apart() {
    // aktualizr#1520, streborn#239: ENOSPC is survived, and is no reason to refuse the artifact.
    let scratch = Scratch::new("good-full");
    let into = scratch.folder("small");
    let mount = |arguments: &[&str]| Command::new(arguments[0]).args(&arguments[1..]).arg(&into).output();
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=10", "tmpfs"]).is_ok_and(|o| o.status.success()) {
        announce_skip("needs root, to mount a small file system");
        return;
    }
    let name = TarballName::parse("a.v1.tar.gz").unwrap();
    let many: Vec<Entry> = std::iter::once(install_sh()).chain((0..20).map(|i| file(&format!("f{i}"), ""))).collect();
    let mut results = Vec::new();
    for entries in [vec![install_sh(), file("f", vec![1; 200_000])], many] {
        let tarball = scratch.file("a.v1.tar.gz", tar_gz(&entries));
        results.push(unpack(&tarball, &name, &into, UnpackLimits::default(), true));
        for left in fs::read_dir(&into).unwrap() {
            fs::remove_file(left.unwrap().path()).unwrap();
        }
    }
    assert!(mount(&["umount"]).unwrap().status.success());
    for result in results {
        match result {
            Err(UnpackError::Failed(e)) => assert!(e.is_full(), "{e}"),
            other => panic!("{other:?}"),
        }
    }
}

/// docs/spec/failures.md, case 06 (buf#2504, vespa#32549): what macOS brings along, or a label, is no part of the app, and decides nothing.
#[test]
fn companion_files_of_macos_and_a_label_are_passed_over() {
    let scratch = Scratch::new("good-companions");
    let script = "#!/bin/sh\nexit 0\n";
    let entries = [
        file("._a.v1", "\0\x05\x16\x07"),
        folder("a.v1/"),
        file("a.v1/._install.sh", "\0\x05\x16\x07"),
        file("a.v1/install.sh", script).mode(0o755),
    ];
    assert_eq!(unpacked(&scratch, &tar_gz(&entries)).1, [SCRIPT]);
    let labelled = [Entry::new(b'V', "nightly build", b""), install_sh()];
    assert_eq!(unpacked(&scratch, &tar_gz(&labelled)).1.len(), 1);
}

#[test]
fn what_other_tars_write_is_read_as_they_read_it() {
    // Cases 06, 07 and 17 with the files that they were met with: bsdtar of macOS, GNU tar --xattrs, GNU tar -V.
    let scratch = Scratch::new("good-field");
    for (bytes, name) in [
        (&include_bytes!("field/06-macos-tar-of-a-folder.tar.gz")[..], "app.v1.tar.gz"),
        (include_bytes!("field/07-pax-value-with-line-break.tar.gz"), "app.v1.tar.gz"),
        (include_bytes!("field/17-tar-label.tar.gz"), "app.v1.tar.gz"),
    ] {
        let tarball = scratch.file(name, bytes);
        assert_eq!(check(&tarball), []);
        let into = scratch.folder("into");
        unpack(&tarball, &TarballName::of_path(&tarball).unwrap(), &into, UnpackLimits::default(), false).unwrap();
        assert_eq!(listing(&into), ["install.sh 755 \"#!/bin/sh\\necho ok\\n\""]);
        fs::remove_dir_all(into).unwrap();
    }
    let blank_label = Entry::new(b'V', "l", b"").raw_size(&[0; 12]);
    let solaris = Entry { kind: b'X', ..pax(&[("path", "named"), ("SCHILY.xattr.user.x", "1\n\n2 3=4\n")]) };
    let bytes = tar_gz(&[blank_label, install_sh(), solaris, file("other", "12 a=b\nc\nd\n")]);
    assert_eq!(unpacked(&scratch, &bytes).1, [SCRIPT, "named 644 \"12 a=b\\nc\\nd\\n\""]);
    // What looks like a header inside of a file is the file's.
    let inside = tar(&[Entry::new(b'V', "l", b"").raw_size(&[0; 12]), pax(&[("comment", "a\nb")])]);
    let bytes = tar_gz(&[install_sh(), long(b'L', &"n".repeat(200)), file("x", &inside).magic(GNU)]);
    let tarball = scratch.file("a.v1.tar.gz", bytes);
    let into = scratch.folder("into");
    unpack(&tarball, &TarballName::of_path(&tarball).unwrap(), &into, UnpackLimits::default(), false).unwrap();
    assert_eq!(fs::read(into.join("n".repeat(200))).unwrap(), inside);
}

#[test]
fn of_two_equal_members_the_last_counts() {
    // `tar -r` appends a newer file; every tar takes the last (docs/spec/failures.md, point 12).
    let scratch = Scratch::new("good-twice");
    let entries = [
        file("install.sh", "no script").mode(0o644),
        file("supervisor.conf", "no text \u{0}"),
        file("f", "one").mode(0o755),
        hard_link("kept", "f"),
        symlink("was-link", "f"),
        install_sh(),
        file("supervisor.conf", "[supervisord]\ncommand = ./x\n"),
        file("./f", "two"),
        file("was-link", "x"),
        symlink("d/s", "../f"),
        hard_link("d/t", "d/s"),
    ];
    let (contents, lines) = unpacked(&scratch, &tar_gz(&entries));
    assert_eq!(contents.supervisor_conf.as_deref(), Some("[supervisord]\ncommand = ./x\n"));
    let wanted = ["d/ 755", "d/s -> ../f", "d/t -> ../f", "f 644 \"two\"", SCRIPT, "kept 755 \"one\""];
    assert_eq!(lines[..6], wanted);
    assert_eq!(lines.last().unwrap(), "was-link 644 \"x\"");
    // What a script writes may have carriage returns, and Python takes them.
    for text in ["#!/bin/sh\nprintf 'a\r\n'\nexit 0\n", "#!/usr/bin/env python3\nimport os\r\nprint(1)\r\n"] {
        unpacked(&scratch, &tar_gz(&[file("install.sh", text).mode(0o755)]));
    }
}
