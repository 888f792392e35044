//! The same configurations and the same calls on supervisor 4.3.0 and on our own daemon, in one run: answers, faults, states and lines of the
//! log are compared. `hosting_calls/behaviour.txt` has programs with their calls; each text that the parsers are compared by is read anew by
//! two running daemons, too. What differs stands in `hosting_calls/differences.txt`, each case with its reason.

#[path = "hosting_calls/shown.rs"]
mod shown;
#[path = "hosting_calls/twin.rs"]
mod twin;

use gwe_tests::harness::{agent_binary, announce_skip, Supervisord};
use std::collections::BTreeMap;
use twin::Twin;

const BEHAVIOUR: &str = include_str!("hosting_calls/behaviour.txt");
const DIFFERENCES: &str = include_str!("hosting_calls/differences.txt");
/// Those that the two parsers are compared by.
const TEXTS: &str = include_str!("../../src/hosting/config/tests/cases.txt");

/// A case waits most of its time.
const SIDE_BY_SIDE: usize = 4;

/// What a twin is given to do with a case; what it saw comes back.
type Play = fn(&mut Twin, &str) -> String;

/// Blocks that begin with `=== name`.
fn blocks(text: &'static str) -> Vec<(&'static str, &'static str)> {
    let blocks = text.split("\n=== ").skip(1);
    blocks.map(|block| block.split_once('\n').unwrap_or((block, ""))).collect()
}

/// The lines of one that the other has not, and the other way round.
fn difference(theirs: &str, ours: &str) -> String {
    if theirs == ours {
        return String::new();
    }
    // Where only one reads it, what it makes of it tells nothing.
    let is_refused = |text: &str| text.starts_with("reloadConfig: fault");
    if is_refused(theirs) != is_refused(ours) {
        let first = |text: &str| text.lines().next().unwrap_or_default().to_string();
        return format!("theirs {}\nours {}\n", first(theirs), first(ours));
    }
    let only = |one: &str, other: &str, sign: &str| {
        let mut left: Vec<&str> = other.lines().collect();
        let lines = one.lines().filter(|line| match left.iter().position(|other| other == line) {
            Some(at) => {
                left.remove(at);
                false
            }
            None => true,
        });
        lines.map(|line| format!("{sign} {line}\n")).collect::<String>()
    };
    match only(theirs, ours, "theirs") + &only(ours, theirs, "ours") {
        same if same.is_empty() => {
            let first = theirs.lines().zip(ours.lines()).find(|(theirs, ours)| theirs != ours);
            let (theirs, ours) = first.unwrap_or_default();
            format!("in another order, as first\ntheirs {theirs}\nours {ours}\n")
        }
        lines => lines,
    }
}

/// Each case by both; the differences by the case's name.
fn compare(cases: &[(&'static str, &'static str)], play: Play) -> BTreeMap<&'static str, String> {
    let real = Supervisord::real().expect("somebody looked");
    let alone = |is_ours: bool, part: usize| -> Vec<(usize, String)> {
        let mut twin = Twin::start(if is_ours { None } else { Some(&real) });
        let mine = cases.iter().enumerate().skip(part).step_by(SIDE_BY_SIDE);
        mine.map(|(index, (_, text))| (index, play(&mut twin, text))).collect()
    };
    let alone = &alone;
    let (theirs, ours) = std::thread::scope(|scope| {
        let begin = |is_ours| (0..SIDE_BY_SIDE).map(|part| scope.spawn(move || alone(is_ours, part))).collect();
        let end = |parts: Vec<std::thread::ScopedJoinHandle<'_, Vec<(usize, String)>>>| {
            let mut seen: Vec<_> = parts.into_iter().flat_map(|part| part.join().unwrap()).collect();
            seen.sort();
            seen
        };
        let (theirs, ours): (Vec<_>, Vec<_>) = (begin(false), begin(true));
        (end(theirs), end(ours))
    });
    let both = cases.iter().zip(theirs.iter().zip(&ours));
    both.map(|((name, _), ((_, theirs), (_, ours)))| (*name, difference(theirs, ours))).collect()
}

fn check(kind: &str, cases: &[(&'static str, &'static str)], play: Play) {
    if let Err(why) = Supervisord::real() {
        return announce_skip(&why);
    }
    if !agent_binary().with_file_name("hosting-core").is_file() {
        return announce_skip("needs hosting-core beside the agent");
    }
    // The case behind its kind, then the reason in one line, then what differs.
    let expected: BTreeMap<String, String> = blocks(DIFFERENCES)
        .into_iter()
        .filter_map(|(name, text)| Some((name.strip_prefix(kind)?.to_string(), text.split_once('\n')?.1.to_string())))
        .collect();
    let mut wrong = Vec::new();
    let found = compare(cases, play);
    for (name, difference) in &found {
        if difference.trim() != expected.get(*name).map_or("", |text| text.trim()) {
            wrong.push(format!("=== {kind}{name}\n{difference}"));
        }
    }
    wrong.extend(
        expected.keys().filter(|name| !found.contains_key(name.as_str())).map(|name| format!("no case {name}")),
    );
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), found.len(), wrong.join("\n"));
}

#[test]
fn programs_do_the_same_when_they_are_called_the_same() {
    check("behaviour: ", &blocks(BEHAVIOUR), Twin::behave);
}

/// As a configuration that is changed under a running daemon: what reloadConfig answers, what is then known of every program, what becomes of
/// its groups.
#[test]
fn every_text_of_the_parsers_is_read_anew_with_the_same_answers() {
    check("text: ", &blocks(TEXTS), Twin::reread);
}
