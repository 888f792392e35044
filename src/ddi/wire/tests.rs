//! The answers that were seen, and those that make no sense.

use super::*;

#[test]
fn every_combination_of_download_update_and_window() {
    use Until::{Downloaded, DownloadedForNow, Installed};
    for (download, update, window, want) in [
        ("forced", "forced", None, Some(Installed)),
        ("attempt", "attempt", None, Some(Installed)),
        ("forced", "skip", None, Some(Downloaded)),
        ("forced", "skip", Some("unavailable"), Some(DownloadedForNow)),
        ("attempt", "skip", Some("unavailable"), Some(DownloadedForNow)),
        ("attempt", "attempt", Some("unavailable"), Some(DownloadedForNow)),
        ("forced", "skip", Some("available"), Some(DownloadedForNow)),
        ("forced", "forced", Some("available"), Some(Installed)),
        ("attempt", "attempt", Some("available"), Some(Installed)),
        ("skip", "forced", None, None),
        ("skip", "skip", Some("available"), None),
        ("later", "forced", None, None),
    ] {
        assert_eq!(until(download, update, window), want, "{download} {update} {window:?}");
    }
}

fn deployment(chunks: &str) -> Option<Order> {
    let text =
        format!(r#"{{"id":"8","x":[1],"deployment":{{"download":"forced","update":"forced","chunks":[{chunks}]}}}}"#);
    parse(text.as_bytes(), Deployment::of)?.order
}

const SHA1: &str = "a9993e364706816aba3e25717850c26c9cd0d89d";

fn artifact(name: &str, links: &str) -> String {
    format!(r#"{{"filename":"{name}","size":3,"hashes":{{"sha1":"{SHA1}"}},"_links":{{{links}}}}}"#)
}

fn link(rel: &str) -> String {
    format!(r#""{rel}":{{"href":"http://h/{rel}"}}"#)
}

#[test]
fn all_artifacts_of_all_chunks_in_order_with_their_signatures() {
    // rauc-hawkbit-updater#222, #103.
    let one = artifact("a.v1.tar.gz", &link("download-http"));
    let signature = artifact("a.v1.tar.gz.minisig", &link("download-http"));
    let two = artifact("b.v2.tar.gz", &link("download-http"));
    let order = deployment(&format!(
        r#"{{"part":"bApp","artifacts":[{signature},{one}]}},{{"artifacts":[]}},{{"part":"os","artifacts":[{two}]}}"#
    ));
    let parts = order.unwrap().parts.unwrap();
    let names: Vec<&str> = parts.iter().map(|part| part.entry.name.as_str()).collect();
    assert_eq!(names, ["a.v1.tar.gz", "b.v2.tar.gz"]);
    assert_eq!((parts[0].link.signature.is_some(), parts[1].link.signature.is_some()), (true, false));
    assert_eq!((parts[0].entry.size, parts[0].link.sha1.as_deref()), (Some(3), Some(SHA1)));
}

#[test]
fn deltas_lie_beside_the_tarballs_of_their_own_module() {
    let file = |name: &str| artifact(name, &link("download-http"));
    let order = deployment(&format!(
        r#"{{"artifacts":[{},{},{},{}]}},{{"artifacts":[{}]}}"#,
        file("a.v2.from.v1.delta"),
        file("a.v2.from.v1.delta.minisig"),
        file("a.v2.tar.gz"),
        artifact("a.v2.from.v0.delta", ""),
        file("b.v2.tar.gz")
    ));
    let parts = order.unwrap().parts.unwrap();
    let beside: Vec<Vec<&str>> =
        parts.iter().map(|part| part.beside.iter().map(|delta| delta.name.as_str()).collect()).collect();
    assert_eq!(beside, [vec!["a.v2.from.v1.delta"], vec![]], "one without a link is none");
    let delta = &parts[0].beside[0];
    assert_eq!((delta.size, delta.link.sha1.as_deref(), delta.link.signature.is_some()), (3, Some(SHA1), true));
    assert!(deployment(&format!(r#"{{"artifacts":[{}]}}"#, file("a.v2.from.v1.delta")))
        .unwrap()
        .parts
        .unwrap()
        .is_empty());
}

#[test]
fn the_link_is_found_under_any_name_or_the_order_is_refused() {
    // hawkbit#1843, rauc-hawkbit-updater#149.
    for (links, want) in [
        (vec!["download", "download-http", "md5sum"], Some("http://h/download")),
        (vec!["download-http", "md5sum-http"], Some("http://h/download-http")),
        (vec!["https", "md5sum"], Some("http://h/https")),
        (vec!["one", "two"], None),
        (vec!["md5sum-http"], None),
        (vec![], None),
    ] {
        let links: Vec<String> = links.into_iter().map(link).collect();
        let order = deployment(&format!(r#"{{"artifacts":[{}]}}"#, artifact("a.v1.tar.gz", &links.join(",")))).unwrap();
        let href = order.parts.ok().map(|parts| parts[0].link.href.clone());
        assert_eq!(href.as_deref(), want, "{links:?}");
    }
    let long = format!(r#"{{"artifacts":[{}]}}"#, artifact(&"a".repeat(201), &link("download")));
    assert!(deployment(&long).unwrap().parts.is_err());
    let bare = r#"{"artifacts":[{"filename":"a.v1.tar.gz","size":3,"_links":{"download":{"href":"/x"}}}]}"#;
    assert!(deployment(bare).unwrap().parts.unwrap_err().contains("hash"));
}

#[test]
fn what_is_no_answer_is_none() {
    // zephyr#48863, rauc-hawkbit-updater#85.
    let bodies = [
        "",
        "null",
        "{}",
        "[]",
        "<html>",
        r#"{"config":{}}"#,
        r#"{"config":{"polling":{"sleep":"00:05:00"}}"#,
        r#"{"config":{"polling":{}},"_links":[]}"#,
        r#"{"config":{"polling":{}},"_links":{"deploymentBase":"http://h/x"}}"#,
        r#"{"config":{"polling":{}},"_links":{"deploymentBase":{"href":7}}}"#,
        "\u{0}",
    ];
    for body in bodies {
        assert!(parse(body.as_bytes(), Poll::of).is_none(), "{body}");
        assert!(parse(body.as_bytes(), Deployment::of).is_none(), "{body}");
        assert!(parse(body.as_bytes(), Cancel::of).is_none(), "{body}");
    }
    for (body, sleep) in [
        (r#"{"config":{"polling":{"sleep":"00:05:00"}}}"#, "00:05:00"),
        (r#"{"config":{"polling":{}},"_links":{}}"#, ""),
        (r#"{"config":{"polling":{"sleep":null}},"_links":null}"#, ""),
    ] {
        let poll = parse(body.as_bytes(), Poll::of).unwrap();
        assert_eq!((poll.sleep.as_str(), poll.link("deploymentBase")), (sleep, None));
    }
    for id in ["", "a/b", "8 9", &"1".repeat(65)] {
        let text = format!(r#"{{"id":"{id}","deployment":{{"download":"forced","update":"forced","chunks":[]}}}}"#);
        assert!(parse(text.as_bytes(), Deployment::of).is_none(), "{id}");
        let text = format!(r#"{{"id":"{id}","cancelAction":{{"stopId":"8"}}}}"#);
        assert!(parse(text.as_bytes(), Cancel::of).is_none(), "{id}");
    }
}

#[test]
fn what_is_told_is_of_the_strict_form() {
    let end = End { success: false, code: 6, lines: vec!["rolled \"back\" <b>".into()], logs: None };
    assert_eq!(
        feedback("closed", "failure", 5, Some(&end)),
        r#"{"timestamp":5,"status":{"execution":"closed","result":{"finished":"failure"},"code":6,"details":["rolled \"back\" (b)"]}}"#
    );
    assert_eq!(
        feedback("download", "none", 5, None),
        r#"{"timestamp":5,"status":{"execution":"download","result":{"finished":"none"}}}"#
    );
    let pairs = [("a".to_string(), "1\"".to_string()), ("b".to_string(), "2".to_string())];
    assert_eq!(config_data(&pairs), r#"{"mode":"replace","data":{"a":"1\"","b":"2"}}"#);
}
