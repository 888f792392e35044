//! Signatures that minisign itself makes, and what must not pass for one.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::*;
use crate::app::tests::{announce_skip, Scratch};

const NAME: &str = "my_app.v1.tar.gz";

/// The real tool, or a word that it is missing.
fn minisign() -> bool {
    let there = Command::new("minisign").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        announce_skip("needs minisign in PATH");
    }
    there
}

fn run(arguments: &[&str]) {
    let done = Command::new("minisign").args(arguments).output().unwrap();
    assert!(done.status.success(), "minisign {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

struct Bench {
    scratch: Scratch,
    tarball: PathBuf,
}

impl Bench {
    /// A tarball, and two key pairs: `ours.pub` trusted, `theirs.pub` not.
    fn new(name: &str) -> Bench {
        let scratch = Scratch::new(name);
        let tarball = scratch.file(NAME, vec![7; 200_000]);
        let bench = Bench { scratch, tarball };
        for key in ["ours", "theirs"] {
            run(&[
                "-G",
                "-W",
                "-f",
                "-p",
                &bench.path(&format!("{key}.pub")),
                "-s",
                &bench.path(&format!("{key}.key")),
            ]);
        }
        let key = fs::read(bench.path("ours.pub")).unwrap();
        bench.scratch.file("trusted/ours.pub", key);
        bench
    }

    fn path(&self, name: &str) -> String {
        self.scratch.path().join(name).to_str().unwrap().to_string()
    }

    fn keys(&self) -> TrustedKeys {
        TrustedKeys::load(&self.scratch.path().join("trusted"))
    }

    /// Signs as a developer does; more flags go to minisign.
    fn sign(&self, key: &str, flags: &[&str]) -> String {
        let (secret, tarball) = (self.path(&format!("{key}.key")), self.tarball.to_str().unwrap());
        run(&[&["-S", "-W", "-s", &secret, "-m", tarball], flags].concat());
        fs::read_to_string(self.path(&format!("{NAME}.minisig"))).unwrap()
    }
}

#[test]
fn what_minisign_signs_is_believed_and_nothing_else() {
    if !minisign() {
        return;
    }
    let bench = Bench::new("signature");
    let keys = bench.keys();
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let good = bench.sign("ours", &[]);
    let verify = |text: &str, name: &str| keys.verify(&bench.tarball, text, name);

    let signed = verify(&good, NAME).unwrap();
    assert!(signed.timestamp >= before && signed.timestamp < before + 100, "{}", signed.timestamp);
    assert_eq!(keys.names(), [format!("ours.pub {}", signed.key)]);
    assert!(signed.comment.contains("file:my_app.v1.tar.gz"));
    // The number is the one that minisign prints, which leaves leading zeros out: one key in sixteen has some.
    let number = signed.key.to_string();
    assert!(fs::read_to_string(bench.path("ours.pub")).unwrap().contains(number.trim_start_matches('0')));
    assert!(verify(&good.replace('\n', "\r\n"), NAME).is_ok());

    // pithead#856: a good signature of another version must not do.
    assert!(matches!(verify(&good, "my_app.v2.tar.gz"), Err(SignatureError::WrongFile(Some(file))) if file == NAME));
    assert!(matches!(verify(&bench.sign("theirs", &[]), NAME), Err(SignatureError::UnknownKey(_))));
    assert!(matches!(verify(&bench.sign("ours", &["-l"]), NAME), Err(SignatureError::Legacy)));
    assert!(matches!(verify(&bench.sign("ours", &["-t", "hello"]), NAME), Err(SignatureError::WrongFile(None))));
    let no_time = bench.sign("ours", &["-t", "file:my_app.v1.tar.gz"]);
    assert!(matches!(verify(&no_time, NAME), Err(SignatureError::NoTimestamp)));
    let odd_time = bench.sign("ours", &["-t", "timestamp:soon\tfile:my_app.v1.tar.gz"]);
    assert!(matches!(verify(&odd_time, NAME), Err(SignatureError::NoTimestamp)));
    let own_words = bench.sign("ours", &["-t", "timestamp:5\tfile:my_app.v1.tar.gz\tbuild:42"]);
    assert_eq!(verify(&own_words, NAME).unwrap().timestamp, 5);

    // Every single change of the signed parts is found.
    for changed in [
        good.replace("file:my_app.v1.tar.gz", "file:my_app.v2.tar.gz"),
        good.replace("timestamp:1", "timestamp:9"),
        good.lines().take(2).collect::<Vec<_>>().join("\n"),
        good.lines().rev().collect::<Vec<_>>().join("\n"),
        String::new(),
        "untrusted comment: x\n".to_string(),
        "x".repeat(MAX_SIGNATURE + 1),
    ] {
        assert!(verify(&changed, NAME).is_err(), "{changed}");
    }
    let mut lines: Vec<String> = good.lines().map(str::to_string).collect();
    for line in [1, 3] {
        let kept = lines[line].clone();
        for at in (0..kept.len() - 2).step_by(5) {
            let other = if kept.as_bytes()[at] == b'A' { "B" } else { "A" };
            lines[line].replace_range(at..=at, other);
            assert!(verify(&lines.join("\n"), NAME).is_err(), "line {line}, character {at}");
            lines[line].clone_from(&kept);
        }
    }
    // A changed tarball.
    let mut bytes = fs::read(&bench.tarball).unwrap();
    bytes[199_999] ^= 1;
    fs::write(&bench.tarball, bytes).unwrap();
    assert!(matches!(verify(&good, NAME), Err(SignatureError::BadSignature)));
    assert!(matches!(keys.verify(Path::new("/no/such"), &good, NAME), Err(SignatureError::File(_))));
}

#[test]
fn several_keys_are_trusted_side_by_side() {
    if !minisign() {
        return;
    }
    let bench = Bench::new("keys");
    // The key's line alone will do, as it stands in documents.
    let line = fs::read_to_string(bench.path("theirs.pub")).unwrap().lines().nth(1).unwrap().to_string();
    bench.scratch.file("trusted/theirs.pub", &line);
    // A key of the same number that is another one, as a forger would make.
    let mut forged = line.into_bytes();
    forged[30] = if forged[30] == b'A' { b'B' } else { b'A' };
    bench.scratch.file("trusted/a-forged.pub", forged);
    let keys = bench.keys();
    assert_eq!(keys.names().len(), 3);
    for key in ["ours", "theirs"] {
        assert!(keys.verify(&bench.tarball, &bench.sign(key, &[]), NAME).is_ok(), "{key}");
    }
}

#[test]
fn only_an_empty_or_missing_folder_is_open() {
    let key = "untrusted comment: minisign public key E7620F1842B4E81F\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n";
    for (what, files, open, usable, problems) in [
        ("missing", None, true, 0, 0),
        ("empty", Some(vec![]), true, 0, 0),
        ("a key", Some(vec![("a.pub", key)]), false, 1, 0),
        (
            "DOS line ends",
            Some(vec![("a.pub", "comment\r\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\r\n")]),
            false,
            1,
            0,
        ),
        ("a torn key", Some(vec![("a.pub", &key[..80])]), false, 0, 1),
        ("a zeroed key", Some(vec![("a.pub", "\0\0\0\0\0\0\0\0")]), false, 0, 1),
        ("an empty key", Some(vec![("a.pub", "")]), false, 0, 1),
        ("another name", Some(vec![("README", "keys go here")]), false, 0, 1),
        ("a key and rubbish", Some(vec![("a.pub", key), ("b.pub", "rubbish"), ("c.txt", "")]), false, 1, 2),
        ("a secret key", Some(vec![("a.pub", "comment\nRWRTY0IyAAAA\n")]), false, 0, 1),
    ] {
        let scratch = Scratch::new("trusted");
        let folder = scratch.path().join("trusted");
        if let Some(files) = files {
            fs::create_dir(&folder).unwrap();
            for (name, text) in files {
                fs::write(folder.join(name), text).unwrap();
            }
        }
        let keys = TrustedKeys::load(&folder);
        assert_eq!((keys.is_open(), keys.keys.len(), keys.problems().len()), (open, usable, problems), "{what}");
        if !open && usable == 0 {
            assert!(matches!(keys.verify(&folder, "", NAME), Err(SignatureError::NoUsableKey)), "{what}");
        }
    }
    let scratch = Scratch::new("trusted-odd");
    // A file where the folder should be, a folder where a key should be, a link to nothing: closed.
    let file = scratch.file("file", "");
    fs::create_dir_all(scratch.path().join("folder/a.pub")).unwrap();
    std::os::unix::fs::symlink("nowhere", scratch.path().join("link")).unwrap();
    for folder in [&file, &scratch.path().join("folder"), &scratch.path().join("link")] {
        assert!(!TrustedKeys::load(folder).is_open(), "{folder:?}");
    }
    let many = scratch.folder("many");
    for i in 0..MAX_KEYS + 3 {
        fs::write(many.join(format!("{i}.pub")), key).unwrap();
    }
    assert_eq!(TrustedKeys::load(&many).keys.len(), MAX_KEYS);
}

#[test]
fn key_numbers_are_printed_as_minisign_prints_them() {
    let line = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    assert_eq!(key_id(line).unwrap().to_string(), "E7620F1842B4E81F");
    for bad in ["", "RWQf6LRCGA9i5", "RWQf6LRCG*9i53"] {
        assert!(key_id(bad).is_none(), "{bad}");
    }
}

#[test]
fn any_text_ends_in_an_answer() {
    let good = "untrusted comment: c\nRUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
                trusted comment: timestamp:1633700835\tfile:test\tprehashed\n\
                wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==\n";
    let scratch = Scratch::new("signature-any");
    let test = scratch.file("test", "test");
    scratch.file("trusted/a.pub", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3");
    let keys = TrustedKeys::load(&scratch.path().join("trusted"));
    assert_eq!(keys.verify(&test, good, "test").unwrap().timestamp, 1_633_700_835);
    let mut seed = 11u32;
    for _ in 0..2000 {
        let mut bytes = good.as_bytes().to_vec();
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let at = (seed >> 8) as usize % bytes.len();
        bytes[at] = (seed >> 3) as u8;
        if seed & 1 == 0 {
            bytes.truncate(at);
        }
        let text = String::from_utf8_lossy(&bytes);
        let verdict = keys.verify(&test, &text, "test");
        // Only the untrusted comment, the words before the comment's text and line ends are not signed.
        if let Ok(signed) = verdict {
            assert_eq!(signed.timestamp, 1_633_700_835);
        }
    }
}
