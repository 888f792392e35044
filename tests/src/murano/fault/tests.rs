//! Faults by their names, and when they strike.

use super::*;

fn spec(text: &str) -> Spec {
    Spec::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_parts_of_a_fault_are_told_apart() {
    let full = spec("write+hybrid:status=503,120*4@30%/7");
    assert_eq!(full.scope, [Endpoint::Write, Endpoint::Hybrid]);
    assert_eq!(full.fault, Fault::Status(503, Some(120)));
    assert_eq!((full.count, full.chance), (Some(4), Some((30, 7))));

    let short = spec("any:refuse");
    assert_eq!(short.scope, []);
    assert_eq!(short.fault, Fault::Refuse(Ending::Reset));
    assert_eq!((short.count, short.chance), (None, None));
}

#[test]
fn every_kind_has_a_text_form() {
    let second = Duration::from_secs(1);
    let forms = [
        ("pass", Fault::Pass),
        ("refuse=fin", Fault::Refuse(Ending::Fin)),
        ("drop=4096", Fault::Drop(Offset::Whole(4096), Ending::Reset)),
        ("drop=body+9,fin", Fault::Drop(Offset::Body(9), Ending::Fin)),
        ("truncate=9", Fault::Truncate(9)),
        ("stall=80%,1", Fault::Stall(Offset::Percent(80), second)),
        ("drip=1,1000", Fault::Drip(1, second)),
        ("status=404", Fault::Status(404, None)),
        ("lost-reply", Fault::LostReply(Ending::Fin)),
        ("lost-reply=rst", Fault::LostReply(Ending::Reset)),
        ("length=-5", Fault::Length(-5)),
        ("length=+5", Fault::Length(5)),
        ("chunked", Fault::Chunked(1000)),
        ("chunked-length=7", Fault::ChunkedAndLength(7)),
        ("chunked-cut=2,7", Fault::ChunkedCut(2, 7)),
        ("range-200", Fault::RangeAs200),
        ("range-ignored", Fault::RangeIgnored),
        ("range-shifted=-10", Fault::RangeShifted(-10)),
        ("no-length", Fault::NoLength),
        ("headers=1000,100", Fault::Headers(1000, 100)),
        ("interim", Fault::Interim),
        ("redirect=http://a@b/c?d=1,2*x", Fault::Redirect("http://a@b/c?d=1,2*x".into())),
        ("garbage", Fault::Garbage(256)),
        ("delay=1000", Fault::Delay(second)),
        ("corrupt=body+0", Fault::Corrupt(Offset::Body(0))),
    ];
    let name = |text: &str| text.split(['=', '[']).next().unwrap_or_default().to_string();
    for kind in KINDS {
        assert!(forms.iter().any(|(text, _)| name(text) == name(kind)), "{kind} has no row");
    }
    for (text, fault) in forms {
        assert_eq!(spec(&format!("any:{text}")).fault, fault, "{text}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (text, part) in [
        ("refuse", "expected SCOPE:KIND"),
        ("nowhere:refuse", "'nowhere' is no scope"),
        ("any:explode", "'explode' with 0 arguments"),
        ("any:drop", "'drop' with 0 arguments"),
        ("any:drop=x", "'x' is no number"),
        ("any:drop=101%", "past the end"),
        ("any:status=99", "no status"),
        ("any:refuse*0", "count '0'"),
        ("any:refuse@101%", "more than always"),
        ("any:length=0", "with a sign"),
    ] {
        let error = Spec::parse(text).expect_err(text);
        assert!(error.contains(part) && error.contains(text), "{error}");
    }
}

#[test]
fn faults_take_turns_in_order() {
    let book = FaultBook::default();
    book.set(&["download:status=500*2", "any:pass*1", "download:status=404"]).unwrap();
    let mut turns = Vec::new();
    for _ in 0..5 {
        turns.push(book.take(Endpoint::Download).map(|applied| applied.text));
    }
    let texts: Vec<_> = turns.iter().flatten().map(String::as_str).collect();
    assert_eq!(texts[..2], ["download:status=500*2"; 2]);
    assert_eq!(texts[2..], ["any:pass*1", "download:status=404", "download:status=404"]);
    assert!(book.take(Endpoint::Read).is_none());
    assert_eq!(book.list()[2], ("download:status=404".to_string(), 2));
}

#[test]
fn a_wrong_fault_leaves_those_that_are_on() {
    let book = FaultBook::default();
    book.set(&["any:pass"]).unwrap();
    book.set(&["any:refuse", "any:wrong"]).unwrap_err();
    book.add(&["any:refuse", "any:wrong"]).unwrap_err();
    assert_eq!(book.list(), [("any:pass".to_string(), 0)]);
}

#[test]
fn a_chance_is_the_same_for_the_same_seed() {
    let draw = |text: &str| -> Vec<bool> {
        let book = FaultBook::default();
        book.set(&[text]).unwrap();
        (0..1000).map(|_| book.take(Endpoint::Read).is_some()).collect()
    };
    let first = draw("any:pass@30%/7");
    assert_eq!(first, draw("any:pass@30%/7"));
    assert_ne!(first, draw("any:pass@30%/8"));
    let hits = first.iter().filter(|hit| **hit).count();
    assert!((250..350).contains(&hits), "{hits} of 1000 at 30%");
}
