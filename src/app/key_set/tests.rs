//! Texts of sets: what is taken, and every way to be none.

use super::*;

const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const ID: &str = "E7620F1842B4E81F";

fn told(keys: &str) -> String {
    let text = format!(r#"{{"version": 3, "keys": {keys}}}"#);
    KeySet::parse(&text).map_or_else(|fault| fault.to_string(), |set| format!("{} keys", set.keys.len()))
}

#[test]
fn a_set_says_of_each_key_when_it_counts() {
    let text = format!(
        "\u{feff}{{\"version\": 12, \"only\": true, \"keys\": [\n\
         {{\"name\": \"release\", \"key\": \"{KEY}\", \"from\": \"1970-01-02\", \"until\": \"1970-01-03\"}},\n\
         {{\"id\": \"00000000000000AA\", \"revoked\": true, \"from\": null}}]}}"
    );
    let set = KeySet::parse(&text).unwrap();
    assert_eq!((set.version, set.only, set.keys.len()), (12, true, 2));
    let (release, lost) = (&set.keys[0], &set.keys[1]);
    assert_eq!((release.name.as_str(), release.id.to_string().as_str(), release.key.is_some()), ("release", ID, true));
    // Until the end of its last day.
    assert_eq!(release.term, Term { from: Some(DAY), until: Some(3 * DAY), revoked: false });
    assert_eq!((lost.key.is_none(), lost.term.revoked), (true, true));
    // Nobody signs any more: a set's root may say so.
    assert!(KeySet::parse(r#"{"version": 1, "keys": []}"#).unwrap().keys.is_empty());
}

/// rauc#347, rauc#651; unknown words too: one of them may be what forbids.
#[test]
fn whatever_is_not_understood_makes_it_none() {
    let many = format!("[{}]", vec!["{}"; MAX_KEYS + 1].join(","));
    let with = |more: &str| format!(r#"[{{"key": "{KEY}"{more}}}]"#);
    let twice = format!(r#"[{{"key": "{KEY}"}}, {{"id": "{ID}", "revoked": true}}]"#);
    for (keys, wanted) in [
        (with(""), "1 keys"),
        (with(&format!(r#", "id": "{ID}""#)), "1 keys"),
        (with(r#", "id": "00000000000000AA""#), "key 1 has an id that is not its key's (E7620F1842B4E81F)"),
        (with(r#", "id": 7"#), "key 1 needs an id of 16 hexadecimal digits"),
        (with(r#", "revokd": true"#), r#"key 1 has a "revokd", which this agent does not know"#),
        (with(r#", "revoked": "yes""#), "key 1 needs a revoked that is true or false"),
        (with(r#", "until": "2024-02-30""#), "key 1 needs an until that is a day"),
        (with(r#", "until": "NaN""#), "key 1 needs an until that is a day"),
        (with(r#", "from": 1735689600"#), "key 1 needs a from that is a day"),
        (with(r#", "from": "2026-02-01", "until": "2026-01-31""#), "key 1 ends before it begins"),
        (with(r#", "from": "2026-02-01", "until": "2026-02-01""#), "1 keys"),
        (with(&format!(r#", "name": "{}""#, "x".repeat(MAX_NAME + 1))), "key 1 needs a name of at most 64 characters"),
        (with(r#", "name": "a\nb""#), "key 1 needs a name of at most 64 characters in one line"),
        (twice, "key 2 has the number E7620F1842B4E81F, as one before it"),
        (r#"[{"id": "E7620F1842B4E81F"}]"#.to_string(), "key 1 needs a key: the second line of minisign's *.pub"),
        (r#"[{"key": "RWQf"}]"#.to_string(), "key 1 needs a key"),
        (r#"["x"]"#.to_string(), "key 1 needs to be a JSON object"),
        (many, "more than 32 keys"),
        ("{}".to_string(), "keys.json needs keys, a list"),
        ("null".to_string(), "keys.json needs keys, a list"),
    ] {
        let said = told(&keys);
        assert!(said.trim_start_matches("it is no set of keys: ").starts_with(wanted), "{keys}: {said}");
    }
    for (text, wanted) in [
        ("", "keys.json is not JSON"),
        ("\0\0\0", "keys.json is not JSON"),
        ("[]", "keys.json needs a JSON object"),
        (r#"{"keys": []}"#, "keys.json needs a version that is a whole number from 1 on"),
        (r#"{"version": 0, "keys": []}"#, "keys.json needs a version"),
        (r#"{"version": -1, "keys": []}"#, "keys.json needs a version"),
        (r#"{"version": 1.5, "keys": []}"#, "keys.json needs a version"),
        (r#"{"version": 99999999999999999999, "keys": []}"#, "keys.json needs a version"),
        (r#"{"version": "1", "keys": []}"#, "keys.json needs a version"),
        (r#"{"version": 1, "only": 1, "keys": []}"#, "keys.json needs an only that is true or false"),
        (r#"{"version": 1, "keys": [], "threshold": 2}"#, r#"keys.json has a "threshold""#),
    ] {
        let said = KeySet::parse(text).map_or_else(|fault| fault.to_string(), |_| "taken".to_string());
        assert!(said.trim_start_matches("it is no set of keys: ").starts_with(wanted), "{text}: {said}");
    }
    assert_eq!(KeySet::parse(&" ".repeat(MAX_TEXT as usize + 1)).err(), Some(KeySetFault::TooLarge));
}
