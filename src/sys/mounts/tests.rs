//! Tables of mounts as kernels write them.

use super::*;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LIST: &str = "\
22 1 179:2 / / rw,relatime shared:1 - ext4 /dev/mmcblk0p2 rw
23 22 0:21 / /proc rw shared:5 - proc proc rw
24 22 0:16 / /data rw - ubifs ubi0:data rw,assert=read-only
25 22 8:1 / /media/a\\040stick\\134\\011 rw,nosuid shared:3 master:1 - vfat /dev/sda1 rw
26 22 0:40 / /mnt/share rw - nfs4 10.0.0.1:/export rw
27 26 8:2 / /mnt/share/disk rw - ext4 /dev/sdb1 rw
28 22 0:41 / /mnt/shared rw - tmpfs  rw
29 22 0:42 / /mnt/phone rw - fuse.sshfs me@there: rw

torn line
30 22 x:y / /bad rw - ext4 /dev/sdc1 rw
31 22 8:3 / /unfinished rw
";

#[test]
fn the_kernels_list_is_read_with_its_escapes_and_empty_fields() {
    let MountList { mounts, doubtful, .. } = read(&mut LIST.as_bytes()).unwrap();
    assert_eq!(doubtful, [Path::new("/mnt/share"), Path::new("/mnt/phone")]);
    let seen: Vec<(&str, &str, &str)> =
        mounts.iter().map(|m| (m.source.as_str(), m.target.to_str().unwrap(), m.kind.as_str())).collect();
    let expected = [
        ("/dev/mmcblk0p2", "/", "ext4"),
        ("ubi0:data", "/data", "ubifs"),
        ("/dev/sda1", "/media/a stick\\\t", "vfat"),
        ("10.0.0.1:/export", "/mnt/share", "nfs4"),
        ("/dev/sdb1", "/mnt/share/disk", "ext4"),
        ("", "/mnt/shared", "tmpfs"),
        ("me@there:", "/mnt/phone", "fuse.sshfs"),
    ];
    assert_eq!(seen, expected);
    assert_eq!(mounts[0].device, libc::makedev(179, 2));
}

#[test]
fn network_and_user_space_file_systems_may_hang_but_the_root_is_asked() {
    let hangs = |kind: &str, target: &str| {
        let line = format!("1 1 0:1 / {target} rw - {kind} x rw");
        may_hang(&parse_line(line.as_bytes()).unwrap())
    };
    for kind in ["nfs", "nfs4", "cifs", "9p", "fuse", "fuse.rclone", "fuseblk"] {
        assert!(hangs(kind, "/mnt"), "{kind}");
        assert!(!hangs(kind, "/"), "{kind}");
    }
    for kind in ["ext4", "ubifs", "squashfs", "overlay", "tmpfs", "btrfs", "fusectl"] {
        assert!(!hangs(kind, "/mnt"), "{kind}");
    }
}

#[test]
fn escapes_are_undone_and_other_backslashes_stay() {
    for (escaped, plain) in [
        ("a\\040b", "a b"),
        ("\\134040", "\\040"),
        ("\\04", "\\04"),
        ("\\", "\\"),
        ("\\900", "\\900"),
        ("\\400", "\\400"),
        ("\\012", "\n"),
    ] {
        assert_eq!(unescape(escaped.as_bytes()), plain.as_bytes(), "{escaped}");
    }
    assert_eq!(unescape(b"\\377"), [0xff]);
}

#[test]
fn the_list_is_bounded_and_what_is_not_looked_at_is_counted() {
    // Case 16. What hangs is known wherever it stands.
    let line = "1 1 0:1 / /x rw - tmpfs x rw\n1 1 0:2 / /proc rw - proc proc rw\n";
    let last = "1 1 0:3 / /x/far rw - nfs s:/ rw\n";
    let found = read(&mut (line.repeat(MAX_MOUNTS + 9) + last).as_bytes()).unwrap();
    assert_eq!((found.mounts.len(), found.unseen), (MAX_MOUNTS, 10));
    assert_eq!(found.doubtful, [Path::new("/x/far")]);
}

#[test]
fn the_root_of_this_machine_is_there_and_has_blocks() {
    let found = file_systems().unwrap().file_systems;
    let root = found.iter().find(|fs| fs.target == Path::new("/")).unwrap();
    let usage = root.usage.unwrap();
    assert!(usage.blocks >= usage.free && usage.free >= usage.available && usage.block_size >= 512);
    assert!(!found.iter().any(|fs| fs.kind == "proc" || fs.kind == "sysfs"));
    assert!(super::usage(Path::new("/no/such/folder")).is_err());
}

/// A file system whose server never answers hangs `df`, and must not hang the agent. It is mounted in a mount namespace of its
/// own, which only root may have, so that nobody else on this machine meets it.
#[test]
fn a_file_system_that_never_answers_hangs_nobody() {
    let folder = std::env::temp_dir().join(format!("gwe-mounts-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private"]).arg(std::env::current_exe().unwrap());
    unshare.args(["--exact", "--ignored", "--nocapture", "sys::mounts::tests::beside_one_that_never_answers"]);
    let child = unshare.env("GWE_TEST_MOUNT", &folder).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = child else { return crate::sys::tests::announce_skip("needs unshare") };
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("file_systems() hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    let _ = fs::remove_dir(&folder);
    if said.contains("unshare failed") || said.contains("skipped:") {
        return crate::sys::tests::announce_skip("needs root and /dev/fuse");
    }
    assert!(status.success(), "{said}");
}

/// The inner half of the test above.
#[test]
#[ignore = "run by a_file_system_that_never_answers_hangs_nobody, in a namespace of its own"]
fn beside_one_that_never_answers() {
    let Some(folder) = std::env::var_os("GWE_TEST_MOUNT").map(PathBuf::from) else { return };
    let Ok(device) = fs::File::options().read(true).write(true).open("/dev/fuse") else {
        return eprintln!("skipped: no /dev/fuse");
    };
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", std::os::fd::AsRawFd::as_raw_fd(&device));
    let [source, kind, options] =
        [b"me@there:".to_vec(), b"fuse.sshfs".to_vec(), options.into_bytes()].map(|text| CString::new(text).unwrap());
    let target = CString::new(folder.as_os_str().as_bytes()).unwrap();
    // SAFETY: all four are strings with a NUL that live for the whole call.
    let result = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
    if result != 0 {
        return eprintln!("skipped: {}", io::Error::last_os_error());
    }
    // Nobody reads `device`: whoever asks waits for ever.
    let found = file_systems().unwrap().file_systems;
    let hanging = found.iter().find(|fs| fs.target == folder).unwrap();
    assert_eq!((hanging.source.as_str(), hanging.usage), ("me@there:", None));
    assert!(found.iter().any(|fs| fs.usage.is_some()));
}
