//! Orders as text, as they are understood.

use super::*;

#[test]
fn requests_with_and_without_our_keys() {
    let hash = "0".repeat(64);
    let text = format!(
        r#" {{"install": [{{"name": "a.v1.tar.gz"}}, {{"name":"b.v2.tar.gz","sha256":"{hash}","size":7,"x":[{{}}]}}], "y": 1}} "#
    );
    let request = parse(&text).unwrap().unwrap();
    assert_eq!(
        request.entries[0],
        Entry { name: "a.v1.tar.gz".into(), sha256: None, size: None, delta_from: None, force: false, apply: None }
    );
    assert_eq!(
        request.entries[1],
        Entry {
            name: "b.v2.tar.gz".into(),
            sha256: Some(hash),
            size: Some(7),
            delta_from: None,
            force: false,
            apply: None
        }
    );
    assert!(request.refused.is_empty());
}

#[test]
fn an_offer_of_deltas_is_taken_as_far_as_it_can_be_understood() {
    for (offer, want) in [
        ("null", None),
        (r#"["1.0", "1.1"]"#, Some(vec!["1.0", "1.1"])),
        (r#""1.0""#, Some(vec!["1.0"])),
        (r#"["1.0", 2, {}, null]"#, Some(vec!["1.0"])),
        ("[]", Some(vec![])),
        ("7", Some(vec![])),
        (r#"{"1.0": true}"#, Some(vec![])),
    ] {
        let text = format!(r#"{{"install": [{{"name": "a.v1.tar.gz", "delta_from": {offer}}}]}}"#);
        let request = parse(&text).unwrap().unwrap();
        let want = want.map(|versions: Vec<&str>| versions.into_iter().map(String::from).collect());
        assert_eq!((request.refused.len(), &request.entries[0].delta_from), (0, &want), "{offer}");
    }
}

#[test]
fn an_entry_says_whether_it_is_forced() {
    for (force, want) in [("true", true), ("false", false), ("null", false)] {
        let text = format!(r#"{{"install": [{{"name": "a.v1.tar.gz", "force": {force}}}]}}"#);
        assert_eq!(parse(&text).unwrap().unwrap().entries[0].force, want, "{force}");
    }
}

#[test]
fn an_entry_says_when_it_is_installed() {
    for (apply, want) in [
        ("null", None),
        (r#""now""#, Some(Apply::Now)),
        (r#""window""#, Some(Apply::Window)),
        (r#""reboot""#, Some(Apply::Reboot)),
        (r#""consent""#, Some(Apply::Consent)),
    ] {
        let text = format!(r#"{{"install": [{{"name": "a.v1.tar.gz", "apply": {apply}}}]}}"#);
        assert_eq!(parse(&text).unwrap().unwrap().entries[0].apply, want, "{apply}");
    }
}

/// docs/spec/failures.md, F5.
#[test]
fn what_is_to_be_removed_or_cancelled_stands_beside_what_is_installed_or_alone() {
    for (text, entries, remove, cancel) in [
        (r#"{"remove": ["a", "b"]}"#, 0, vec!["a", "b"], vec![]),
        (r#"{"cancel": ["a.v1.tar.gz"], "install": null}"#, 0, vec![], vec!["a.v1.tar.gz"]),
        (r#"{"install": [{"name": "a"}], "remove": ["b"], "cancel": []}"#, 1, vec!["b"], vec![]),
    ] {
        let request = parse(text).unwrap().unwrap();
        assert_eq!((request.entries.len(), request.refused.len()), (entries, 0), "{text}");
        assert_eq!(
            (request.remove, request.cancel),
            (remove.iter().map(|s| s.to_string()).collect(), cancel.iter().map(|s| s.to_string()).collect()),
            "{text}"
        );
    }
    let long = "a".repeat(MAX_NAME + 1);
    for (bad, told) in [
        ("7".to_string(), "entry 2 of engine_fetch's remove is no text"),
        (r#"{"name": "a"}"#.to_string(), "entry 2 of engine_fetch's remove is no text"),
        (format!("\"{long}\""), "entry 2 of engine_fetch's remove has a name of more than 200 bytes"),
    ] {
        let request = parse(&format!(r#"{{"remove": ["a", {bad}, "c"]}}"#)).unwrap().unwrap();
        assert_eq!((request.remove, request.refused[0].to_string()), (vec!["a".into(), "c".into()], told.into()));
    }
    let many = format!(r#"{{"remove":[{}], "cancel": ["b"]}}"#, vec![r#""a""#; MAX_ENTRIES].join(","));
    assert_eq!(parse(&many), Err(RequestError::TooMany));
}

#[test]
fn nothing_to_do() {
    for text in ["", " \n", "null", "\"\"", " null ", "\u{feff}", "\u{feff}null"] {
        assert_eq!(parse(text), Ok(None), "{text:?}");
    }
}

/// docs/spec/failures.md, case 13 (hive#398, kukuri#646): what every JSON reader takes is taken.
#[test]
fn a_byte_order_mark_and_a_whole_number_with_a_point_are_taken() {
    for size in ["150", "150.0", "1.5e2", "1500e-1"] {
        let text = format!("\u{feff}{{\"install\": [{{\"name\": \"a.v1.tar.gz\", \"size\": {size}}}]}}");
        assert_eq!(parse(&text).unwrap().unwrap().entries[0].size, Some(150), "{size}");
    }
}

/// docs/spec/failures.md, case 13: one bad entry of two is told with its place, and the other is installed.
#[test]
fn one_bad_entry_does_not_refuse_its_neighbours() {
    let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(201));
    for (bad, name, why) in [
        (r#"{"name": "b", "size": -1}"#, Some("b"), EntryFault::BadSize),
        (r#"{"name": "b", "size": 1.5}"#, Some("b"), EntryFault::BadSize),
        (r#"{"name": "b", "size": "7"}"#, Some("b"), EntryFault::BadSize),
        (r#"{"name": "b", "size": 1e300}"#, Some("b"), EntryFault::BadSize),
        (r#"{"name": "b", "sha256": "12"}"#, Some("b"), EntryFault::BadHash),
        (r#"{"name": "b", "force": "yes"}"#, Some("b"), EntryFault::BadForce),
        (r#"{"name": "b", "force": 1}"#, Some("b"), EntryFault::BadForce),
        (r#"{"name": "b", "apply": "later"}"#, Some("b"), EntryFault::BadApply),
        (r#"{"name": "b", "apply": true}"#, Some("b"), EntryFault::BadApply),
        (r#"{"name": "b", "sha256": 12}"#, Some("b"), EntryFault::BadHash),
        (r#"{"nam": "b"}"#, None, EntryFault::NoName),
        (r#"{"name": 1}"#, None, EntryFault::NoName),
        (r#""b.v1.tar.gz""#, None, EntryFault::NoObject),
        (long.as_str(), None, EntryFault::NameTooLong),
    ] {
        let request = parse(&format!(r#"{{"install": [{{"name": "a"}}, {bad}, {{"name": "c"}}]}}"#)).unwrap().unwrap();
        let names: Vec<&str> = request.entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["a", "c"], "{bad}");
        assert_eq!(
            request.refused,
            [RefusedEntry { list: INSTALL, number: 2, name: name.map(str::to_string), why }],
            "{bad}"
        );
        assert!(request.refused[0].to_string().starts_with("entry 2 of engine_fetch's install"));
    }
}

#[test]
fn what_is_no_request_says_why_and_where() {
    let many = format!(r#"{{"install":[{}]}}"#, vec![r#"{"name":"a"}"#; 33].join(","));
    let deep = "[".repeat(60_000);
    let long = "x".repeat(MAX_REQUEST + 1);
    for (text, want) in [
        ("{", "engine_fetch is not JSON: see line 1, column 2"),
        ("{\n  \"install\": [{\"name\": \"a\"},]\n}", "engine_fetch is not JSON: see line 2, column 29"),
        ("[]", "of the form"),
        ("{}", "of the form"),
        (r#"{"install": {"name": "a"}}"#, "of the form"),
        (r#"{"remove": "a"}"#, "of the form"),
        (r#"{"remove": [], "cancel": []}"#, "names no app"),
        (r#"{"install": []}"#, "names no app"),
        (many.as_str(), "more than 32 apps"),
        (deep.as_str(), "is not JSON"),
        (long.as_str(), "longer than 64 KiB"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(want), "{}: {error}", &text[..text.len().min(60)]);
    }
}
