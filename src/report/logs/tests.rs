//! Logs as hostile as local users and apps can make them.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;

const CIK: &str = "0123456789abcdefABCDEF0123456789abcdef01";

fn logs(name: &str) -> (PathBuf, Logs) {
    let folder = std::env::temp_dir().join(format!("gwe-logs-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("real")).unwrap();
    symlink("real", folder.join("log")).unwrap();
    (folder.clone(), Logs::from(folder.join("log"), &[], vec!["the token".to_string()]))
}

#[test]
fn the_last_lines_and_those_before_the_file_was_begun_anew() {
    let (root, logs) = logs("last");
    let file = logs.files("a").remove(0);
    assert_eq!(file, root.join("log/a.log"));
    assert!(logs.tail(&file, 5, 1000).is_err(), "no log");
    for (old, new, lines, max, want) in [
        (None, "", 5, 100, ""),
        (None, "a\nb\nc", 2, 100, "| b\n| c\n"),
        (None, "a\nb\nc\n", 9, 100, "| a\n| b\n| c\n"),
        (None, "a\nbb\nc\n", 9, 9, "| bb\n| c\n"),
        (None, "abcdefghij", 9, 8, "| fghij\n"),
        (None, "ééééé", 9, 8, "| éé\n"),
        (None, "a\nb\n", 0, 100, ""),
        (Some("x\ny\n"), "a\n", 2, 100, "| y\n| a\n"),
        (Some("x\ny\n"), "a\nb\n", 2, 100, "| a\n| b\n"),
        (Some("x\ny\n"), "a\nb\n", 9, 100, "| x\n| y\n| a\n| b\n"),
    ] {
        let before = root.join("log/a.log.1");
        let _ = fs::remove_file(&before);
        old.iter().for_each(|text| fs::write(&before, text).unwrap());
        fs::write(&file, new).unwrap();
        assert_eq!(logs.tail(&file, lines, max).unwrap(), want, "{old:?} {new:?} {lines} {max}");
    }
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn no_link_no_pipe_and_no_second_name_is_followed() {
    let (root, logs) = logs("links");
    fs::write(root.join("secret"), "secret\n").unwrap();
    let log = |name: &str| root.join("log").join(name);
    symlink(root.join("secret"), log("link.log")).unwrap();
    fs::hard_link(root.join("secret"), log("second.log")).unwrap();
    fs::create_dir(log("folder.log")).unwrap();
    symlink("..", log("up")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(log("pipe.log")).status().unwrap().success());
    let elsewhere = root.join("log/../secret");
    for file in [log("link.log"), log("second.log"), log("folder.log"), log("up/secret"), log("pipe.log"), elsewhere] {
        assert!(logs.tail(&file, 9, 1000).is_err(), "{}", file.display());
    }
    // Elsewhere than in the folder of logs there is no link at all on the way.
    fs::create_dir(root.join("own")).unwrap();
    fs::write(root.join("own/app.out"), "x\n").unwrap();
    let real = fs::canonicalize(&root).unwrap();
    assert_eq!(logs.tail(&real.join("own/app.out"), 9, 1000).unwrap(), "| x\n");
    symlink("own", root.join("way")).unwrap();
    assert!(logs.tail(&real.join("way/app.out"), 9, 1000).is_err());
    // What was before a log is not followed either.
    fs::write(log("a.log"), "a\n").unwrap();
    symlink(root.join("secret"), log("a.log.1")).unwrap();
    assert_eq!(logs.tail(&log("a.log"), 9, 1000).unwrap(), "| a\n");
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn no_secret_is_told_wherever_the_log_is_cut() {
    let (root, logs) = logs("secret");
    let file = root.join("log/a.log");
    for length in 0..1200 {
        for secret in [CIK, "the token", "http://u:password@h"] {
            // One line and many.
            for end in ["", "\n"] {
                let text = [&"-".repeat(300), " ", secret, end, &"-".repeat(length), end].concat();
                fs::write(&file, &text).unwrap();
                let told = logs.tail(&file, 9, 64).unwrap();
                let shown = &secret[secret.len() - 6..];
                assert!(!told.contains(shown) || secret.ends_with("@h") && !told.contains("word@"), "{length}: {told}");
                assert!(told.len() <= 64);
            }
        }
    }
    fs::write(&file, b"\x1b]0;title\x07 \xff\xfe \x9b\n[gwe] installed x v1 in 0.1 s\n").unwrap();
    let told = logs.tail(&file, 9, 1000).unwrap();
    assert!(told.lines().all(|line| line.starts_with(MARK) && !line.chars().any(char::is_control)), "{told:?}");
    fs::remove_dir_all(root).unwrap();
}
