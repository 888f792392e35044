//! Signatures as the agent's library reads them: what the crate and the real `minisign` make, and what must not pass for it.

use gwe::app::signature::{SignatureError, TrustedKeys, MAX_SIGNATURE};
use gwe_tests::harness::{Scratch, Signer};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const NAME: &str = "my_app.v1.tar.gz";

/// The crate, and the tool where it is.
fn signers() -> impl Iterator<Item = (Signer, Signer)> {
    [Some((Signer::new(), Signer::new())), Signer::by_tool().zip(Signer::by_tool())].into_iter().flatten()
}

/// A tarball, a signer who is trusted and one who is not.
struct Bench {
    scratch: Scratch,
    content: Vec<u8>,
    tarball: PathBuf,
    ours: Signer,
    theirs: Signer,
}

impl Bench {
    fn new((ours, theirs): (Signer, Signer)) -> Bench {
        let scratch = Scratch::new();
        let content = vec![7; 200_000];
        let tarball = scratch.write(NAME, &content);
        scratch.write("trusted/ours.pub", fs::read(ours.public_key()).unwrap());
        Bench { scratch, content, tarball, ours, theirs }
    }

    fn keys(&self) -> TrustedKeys {
        TrustedKeys::load(&self.scratch.path("trusted"))
    }

    /// Signs as a developer does.
    fn sign(&self, signer: &Signer, comment: Option<&str>) -> String {
        String::from_utf8(signer.sign(NAME, &self.content, comment)).unwrap()
    }
}

#[test]
fn what_is_signed_is_believed_and_nothing_else() {
    for signers in signers() {
        let bench = Bench::new(signers);
        let (ours, theirs) = (&bench.ours, &bench.theirs);
        let keys = bench.keys();
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let good = bench.sign(ours, None);
        let verify = |text: &str, name: &str| keys.verify(&bench.tarball, text, name);

        let signed = verify(&good, NAME).unwrap();
        assert!(signed.timestamp >= before && signed.timestamp < before + 100, "{}", signed.timestamp);
        assert_eq!(keys.names(), [format!("ours.pub {}", signed.key)]);
        assert!(signed.comment.contains("file:my_app.v1.tar.gz"));
        // The number is the one that minisign prints, which leaves leading zeros out: one key in sixteen has some.
        let number = signed.key.to_string();
        assert!(bench.scratch.read("trusted/ours.pub").contains(number.trim_start_matches('0')));
        assert!(verify(&good.replace('\n', "\r\n"), NAME).is_ok());

        // pithead#856: a good signature of another version must not do.
        assert!(
            matches!(verify(&good, "my_app.v2.tar.gz"), Err(SignatureError::WrongFile(Some(file))) if file == NAME)
        );
        assert!(matches!(verify(&bench.sign(theirs, None), NAME), Err(SignatureError::UnknownKey(_))));
        let old = String::from_utf8(ours.sign_the_old_way(NAME, &bench.content)).unwrap();
        assert!(matches!(verify(&old, NAME), Err(SignatureError::Legacy)));
        assert!(matches!(verify(&bench.sign(ours, Some("hello")), NAME), Err(SignatureError::WrongFile(None))));
        let no_time = bench.sign(ours, Some("file:my_app.v1.tar.gz"));
        assert!(matches!(verify(&no_time, NAME), Err(SignatureError::NoTimestamp)));
        let odd_time = bench.sign(ours, Some("timestamp:soon\tfile:my_app.v1.tar.gz"));
        assert!(matches!(verify(&odd_time, NAME), Err(SignatureError::NoTimestamp)));
        let own_words = bench.sign(ours, Some("timestamp:5\tfile:my_app.v1.tar.gz\tbuild:42"));
        assert_eq!(verify(&own_words, NAME).unwrap().timestamp, 5);

        every_change_is_found(&keys, &bench.tarball, &good);
    }
}

fn every_change_is_found(keys: &TrustedKeys, tarball: &Path, good: &str) {
    let verify = |text: &str| keys.verify(tarball, text, NAME);
    for changed in [
        good.replace("file:my_app.v1.tar.gz", "file:my_app.v2.tar.gz"),
        good.replace("timestamp:1", "timestamp:9"),
        good.lines().take(2).collect::<Vec<_>>().join("\n"),
        good.lines().rev().collect::<Vec<_>>().join("\n"),
        String::new(),
        "untrusted comment: x\n".to_string(),
        "x".repeat(MAX_SIGNATURE + 1),
    ] {
        assert!(verify(&changed).is_err(), "{changed}");
    }
    // Every single change of the signed parts.
    let mut lines: Vec<String> = good.lines().map(str::to_string).collect();
    for line in [1, 3] {
        let kept = lines[line].clone();
        for at in (0..kept.len() - 2).step_by(5) {
            let other = if kept.as_bytes()[at] == b'A' { "B" } else { "A" };
            lines[line].replace_range(at..=at, other);
            assert!(verify(&lines.join("\n")).is_err(), "line {line}, character {at}");
            lines[line].clone_from(&kept);
        }
    }
    let mut bytes = fs::read(tarball).unwrap();
    bytes[199_999] ^= 1;
    fs::write(tarball, bytes).unwrap();
    assert!(matches!(verify(good), Err(SignatureError::BadSignature)));
    assert!(matches!(keys.verify(Path::new("/no/such"), good, NAME), Err(SignatureError::File(_))));
}

#[test]
fn several_keys_are_trusted_side_by_side() {
    for signers in signers() {
        let bench = Bench::new(signers);
        // The key's line alone will do, as it stands in documents.
        let line = fs::read_to_string(bench.theirs.public_key()).unwrap().lines().nth(1).unwrap().to_string();
        bench.scratch.write("trusted/theirs.pub", &line);
        // A key of the same number that is another one, as a forger would make.
        let mut forged = line.into_bytes();
        forged[30] = if forged[30] == b'A' { b'B' } else { b'A' };
        bench.scratch.write("trusted/a-forged.pub", forged);
        let keys = bench.keys();
        assert_eq!(keys.names().len(), 3);
        for signer in [&bench.ours, &bench.theirs] {
            assert!(keys.verify(&bench.tarball, &bench.sign(signer, None), NAME).is_ok());
        }
    }
}
