//! Folders of keys, and texts that must not pass for signatures. Those that are made here and now are in tests/it/signature_files.rs.

use super::*;
use crate::app::tests::Scratch;

const NAME: &str = "my_app.v1.tar.gz";

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
        assert_eq!((keys.is_open(), keys.keys.len(), keys.problems.len()), (open, usable, problems), "{what}");
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
