//! Tables of file systems, and the real `df` beside them.

use super::*;
use std::path::PathBuf;
use std::process::Command;

fn mount(source: &str, target: &str, root: &str, device: u64, usage: Option<Usage>) -> FileSystem {
    FileSystem {
        source: source.into(),
        target: PathBuf::from(target),
        root: PathBuf::from(root),
        kind: "ext4".into(),
        device,
        usage,
    }
}

fn usage(block_size: u64, blocks: u64, free: u64, available: u64) -> Option<Usage> {
    Some(Usage { block_size, blocks, free, available, inodes: 0, inodes_available: 0 })
}

fn disk(source: &str, target: &str, device: u64) -> FileSystem {
    mount(source, target, "/", device, usage(4096, 1000, 400, 300))
}

/// The text of these alone.
fn text_of(mounts: &[FileSystem]) -> String {
    text(&Mounted { file_systems: mounts.to_vec(), unseen: 0 })
}

fn targets(mounts: &[FileSystem]) -> Vec<&str> {
    shown(mounts).into_iter().map(|fs| fs.target.to_str().unwrap()).collect()
}

#[test]
fn a_gateways_table_has_the_columns_of_df() {
    let mounts = [
        mount("/dev/root", "/", "/", 1, usage(1024, 253_871, 120_000, 107_000)),
        mount("devtmpfs", "/dev", "/", 2, usage(4096, 62_000, 62_000, 62_000)),
        mount("ubi0:data", "/var/lib/gwe", "/", 3, usage(4096, 1_230_000, 1, 0)),
        mount("10.0.0.1:/export", "/mnt/share", "/", 4, None),
        mount("tmpfs", "/run", "/", 5, usage(4096, 0, 0, 0)),
    ];
    let expected = "\
Filesystem       1K-blocks    Used Available Use% Mounted on
/dev/root           253871  133871    107000  56% /
devtmpfs            248000       0    248000   0% /dev
ubi0:data          4920000 4919996         0 100% /var/lib/gwe
10.0.0.1:/export         -       -         -    - /mnt/share";
    assert_eq!(text_of(&mounts), expected);
}

#[test]
fn figures_round_up_as_df_does() {
    let cases = [
        // block size, blocks, free, available → 1K-blocks, used, available, use%
        ((4096, 1000, 1000, 1000), ["4000", "0", "4000", "0%"]),
        ((4096, 1000, 999, 999), ["4000", "4", "3996", "1%"]),
        ((512, 3, 2, 2), ["2", "1", "1", "34%"]),
        ((1024, 100, 50, 0), ["100", "50", "0", "100%"]), // the rest is kept for root
        ((1024, 100, 100, 0), ["100", "0", "0", "-"]),    // neither used nor available
        ((1024, 100, 200, 10), ["100", "0", "10", "0%"]), // more free than there is
        ((u64::MAX, u64::MAX, 0, 0), ["18014398509481984", "18014398509481984", "0", "-"]),
    ];
    for ((size, blocks, free, available), expected) in cases {
        assert_eq!(figures(usage(size, blocks, free, available).unwrap()), expected, "{blocks} of {size}");
    }
}

#[test]
fn of_several_mounts_of_a_device_one_is_shown() {
    // A bind mount further from the root, or of a folder, or mounted first.
    assert_eq!(targets(&[disk("/dev/a", "/", 1), disk("/dev/a", "/srv/data", 1)]), ["/"]);
    assert_eq!(targets(&[disk("/dev/a", "/srv/data", 1), disk("/dev/a", "/", 1)]), ["/"]);
    let folder = mount("/dev/a", "/x", "/deep/folder", 1, usage(1, 1, 1, 1));
    assert_eq!(targets(&[disk("/dev/a", "/longer", 1), folder]), ["/longer"]);
    // A source with a path wins, wherever it is.
    assert_eq!(targets(&[disk("rootfs", "/", 1), disk("/dev/a", "/longer", 1)]), ["/longer"]);
    // The later of two at one place hides the earlier.
    let hidden = [disk("tmpfs", "/run", 1), disk("other", "/run", 1)];
    assert_eq!(shown(&hidden)[0].source, "other");
    // The same file system mounted twice at one place.
    assert_eq!(targets(&[disk("tmpfs", "/dev/shm", 1), disk("tmpfs", "/dev/shm", 1)]), ["/dev/shm"]);
    // Two exports of one server.
    let export = |source, target| mount(source, target, "/", 9, None);
    assert_eq!(targets(&[export("s:/a", "/a"), export("s:/b", "/b"), export("s:/b", "/bb")]), ["/a", "/b"]);
}

#[test]
fn names_cannot_break_or_widen_the_table() {
    let mounts = [disk("/dev/a\nb", &("/".to_string() + &"x".repeat(4000)), 1), disk("/dev/b", "/b", 2)];
    let text = text_of(&mounts);
    assert_eq!(text.lines().count(), 3);
    assert!(text.contains("/dev/a?b"));
    assert!(text.lines().all(|line| line.chars().count() < 200));
}

#[test]
fn more_than_fits_is_left_out_and_counted() {
    // Case 16: 1,500 mounts, of which none is lost in the counting; then more than are looked at.
    let file_systems: Vec<FileSystem> =
        (0..1500).map(|i| disk(&format!("/dev/sd{i}"), &format!("/mnt/{i}"), i)).collect();
    for unseen in [0, 77] {
        let text = text(&Mounted { file_systems: file_systems.clone(), unseen });
        assert!(escaped_len(&text) <= MAX_TEXT && escaped_len(&text) > MAX_TEXT - 200);
        let shown = text.lines().filter(|line| line.starts_with("/dev/")).count();
        assert!(text.contains(&format!("\n({} more left out)", 1500 - shown)), "{text}");
        assert_eq!(text.ends_with("\n(77 more mounts not looked at)"), unseen > 0, "{text}");
    }
}

/// Asks the real `df` before and after; the text must be one of theirs, letter by letter. A machine that writes all the time
/// gets many tries, then the moving figures are masked.
#[test]
fn the_text_is_that_of_the_real_df() {
    let ours = || text(&crate::sys::mounts::file_systems().unwrap());
    if ours().lines().any(|line| line.contains(" - ")) {
        return crate::sys::tests::announce_skip("a file system that may hang is mounted, which df asks and we do not");
    }
    let Some(first) = real_df() else {
        return crate::sys::tests::announce_skip("needs GNU df");
    };
    let mut theirs = first;
    for _ in 0..40 {
        let text = ours();
        let after = real_df().unwrap();
        if text == theirs || text == after {
            return;
        }
        theirs = after;
    }
    let steady = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| {
                line.split_whitespace()
                    .enumerate()
                    .filter(|(i, _)| !(2..=4).contains(i))
                    .map(|(_, cell)| cell)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect()
    };
    assert_eq!(steady(&ours()), steady(&theirs));
}

fn real_df() -> Option<String> {
    let mut df = Command::new("df");
    for variable in ["POSIXLY_CORRECT", "BLOCKSIZE", "BLOCK_SIZE", "DF_BLOCK_SIZE"] {
        df.env_remove(variable);
    }
    let version = Command::new("df").arg("--version").output().ok()?;
    if !String::from_utf8_lossy(&version.stdout).contains("GNU coreutils") {
        return None;
    }
    let output = df.env("LC_ALL", "C").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim_end().to_string())
}
