//! What ARCHITECTURE.md promises of the code: arrows between rooms, no circles of files, what each room must not do, names, sizes of files.

use super::{assert_none, project, read};
use gwe_tests::harness::run;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::Duration;

/// The rooms from the top; a room uses only those below it.
const ROOMS: [&str; 15] = [
    "cli",
    "engine",
    "report",
    "install",
    "queue",
    "app",
    "hosting",
    "device",
    "ddi",
    "orders",
    "http",
    "supervisor",
    "config",
    "format",
    "sys",
];
/// A file with more lines is a room that has become a warehouse.
const MAX_LINES: usize = 450;
/// Whether a line of code (path, text) breaks a rule.
type IsWrong = fn(&str, &str) -> bool;

/// Rust's files below a folder: path and text.
fn rust_below(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![project().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the source can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let shown = path.strip_prefix(project()).unwrap_or(&path).display().to_string();
                found.push((shown.clone(), read(&shown)));
            }
        }
    }
    found.sort();
    found
}

/// The agent's source files: path and text.
fn sources() -> Vec<(String, String)> {
    let found = rust_below("src");
    assert!(found.len() > 100, "only {} source files found", found.len());
    found
}

fn is_test(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/")
}

/// The lines that run on a gateway, with their numbers: no comments, no unit tests.
fn code<'a>(path: &str, text: &'a str) -> Vec<(usize, &'a str)> {
    if is_test(path) {
        return Vec::new();
    }
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|two| two[0] == "#[cfg(test)]" && two[1].ends_with("mod tests {"));
    let code = lines.into_iter().enumerate().take(tests.unwrap_or(usize::MAX));
    code.filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(index, line)| (index + 1, line)).collect()
}

/// Every line of code in which `is_wrong` finds something, as `path:line: what`.
fn wrong_lines(is_wrong: impl Fn(&str, &str) -> Option<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (number, line) in code(&path, &text) {
            wrong.extend(is_wrong(&path, line).map(|what| format!("{path}:{number}: {what}")));
        }
    }
    wrong
}

fn room_of(path: &str) -> Option<usize> {
    let name = path.strip_prefix("src/")?.split('/').next()?;
    ROOMS.iter().position(|room| *room == name)
}

/// The words behind `crate::` in a line, those in braces included.
fn crate_paths(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or("").split(',').collect(),
            None => vec![rest],
        };
        let word = |name: &str| {
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            (name[..end].to_string(), name[end..].starts_with('!'))
        };
        let words = names.into_iter().map(|name| word(name.trim()));
        // A macro is the log's, whose room is at the bottom.
        found.extend(words.filter(|(_, is_macro)| !is_macro).map(|(name, _)| name));
    }
    found
}

#[test]
fn the_words_behind_crate_are_found() {
    assert_eq!(crate_paths("use crate::sys::{file, log};"), ["sys"]);
    assert_eq!(crate_paths("let x: crate::app::Fault = crate::cli::y();"), ["app", "cli"]);
    assert_eq!(crate_paths("pub(crate) fn f() { crate::info!(\"x\"); }"), [] as [&str; 0]);
    assert_eq!(crate_paths("use crate::{app::x, device::y};"), ["app", "device"]);
}

#[test]
fn arrows_between_rooms_run_downwards_only() {
    let mut wrong = Vec::new();
    let mut arrows = 0;
    for (path, text) in sources() {
        let Some(own) = room_of(&path) else { continue };
        for (index, line) in text.lines().enumerate() {
            let paths = crate_paths(line);
            for used in paths.iter().filter_map(|word| ROOMS.iter().position(|room| room == word)) {
                arrows += usize::from(used != own);
                if used < own {
                    wrong.push(format!("{path}:{}: {} uses {}", index + 1, ROOMS[own], ROOMS[used]));
                }
            }
            if path.split('/').count() == 3 && line.contains("super::super::") && !line.trim_start().starts_with("//") {
                let inside = is_test(&path) || line.starts_with(' ');
                wrong.extend((!inside).then(|| format!("{path}:{}: leaves its room by super::super", index + 1)));
            }
        }
    }
    assert!(arrows > 100, "only {arrows} arrows found: this test looks at the wrong thing");
    assert_none(&wrong, "a room uses only those below it (ARCHITECTURE.md)");
}

#[test]
fn the_picture_of_the_rooms_is_in_step() {
    let drawn = run(&mut Command::new(project().join("tools/rooms.py")), Duration::from_secs(20)).ok().stdout;
    assert!(drawn.contains("<svg ") && drawn.matches("<path d").count() > 10, "{drawn}");
    assert!(drawn == read("docs/rooms.svg"), "the arrows have changed: tools/rooms.py docs/rooms.svg");
}

/// Where files use each other in a circle, none can be read without all the others.
#[test]
fn no_files_use_each_other_in_a_circle() {
    let found = run(&mut Command::new(project().join("tools/circles.py")), Duration::from_secs(20)).ok();
    let count = found.stderr.split(' ').next().and_then(|count| count.parse::<u32>().ok()).unwrap_or(0);
    assert!(count > 300, "{}", found.stderr);
    // Hosting's core is one program around one struct, `own::Core`, that each of its files has in its hands.
    let is_elsewhere = |circle: &&str| circle.split(' ').any(|file| !file.starts_with("hosting::core::"));
    let wrong: Vec<String> = found.stdout.lines().filter(is_elsewhere).map(String::from).collect();
    assert_none(&wrong, "no circles of files, but in hosting's core");
}

#[test]
fn every_room_is_on_the_map_in_its_order() {
    let map = read("ARCHITECTURE.md");
    let lib = read("src/lib.rs");
    let place = |text: &str, what: &str| text.find(what).unwrap_or_else(|| panic!("{what} is missing"));
    let on_map: Vec<usize> = ROOMS.iter().map(|room| place(&map, &format!("| `src/{room}/` |"))).collect();
    let in_lib: Vec<usize> = ROOMS.iter().map(|room| place(&lib, &format!("pub mod {room};"))).collect();
    assert!(on_map.is_sorted() && in_lib.is_sorted(), "ARCHITECTURE.md and src/lib.rs have the rooms from the top");
    let folders = fs::read_dir(project().join("src")).unwrap().flatten().filter(|entry| entry.path().is_dir());
    let folders: BTreeSet<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert_eq!(folders, ROOMS.map(String::from).into(), "a folder of src is a room, and the other way round");
}

/// The name that a line of code gives a type of a module: an associated type stands inside an `impl`.
fn type_named(line: &str) -> Option<&str> {
    let line = match line.strip_prefix("pub(") {
        Some(rest) => rest.split_once(") ")?.1,
        None => line.strip_prefix("pub ").unwrap_or(line),
    };
    let rest = ["struct ", "enum ", "trait ", "type "].iter().find_map(|keyword| line.strip_prefix(keyword))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// 45 of 532 recurred once, `Fault` and `Event` four times: whoever read a `use` line had to look up which.
#[test]
fn each_type_has_a_name_of_its_own() {
    assert_eq!(type_named("pub(super) struct Folder<'a> {"), Some("Folder"));
    assert_eq!(type_named("type Pair = (u8, u8);"), Some("Pair"));
    assert_eq!(type_named("    type Item = u8;"), None);
    // One of the three files is compiled, by the features.
    let alternatives = ["src/http/tls/none.rs", "src/http/tls/rustls.rs"];
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources() {
        let is_apart = alternatives.contains(&path.as_str());
        for (number, line) in code(&path, &text).into_iter().filter(|_| !is_apart) {
            if let Some(name) = type_named(line) {
                found.entry(name.to_string()).or_default().push(format!("{path}:{number}"));
            }
        }
    }
    assert!(found.len() > 400, "only {} types found", found.len());
    let recurring = found.iter().filter(|(_, places)| places.len() > 1);
    let wrong: Vec<String> = recurring.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect();
    assert_none(&wrong, "each type has a name of its own");
}

fn is_in(path: &str, room: &str) -> bool {
    path.starts_with(&format!("src/{room}/"))
}

fn has_word(line: &str, word: &str) -> bool {
    let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    line.match_indices(word)
        .any(|(at, _)| ends(line[..at].chars().next_back()) && ends(line[at + word.len()..].chars().next()))
}

#[test]
fn what_each_room_must_not_do() {
    assert!(has_word("unsafe { x }", "unsafe") && !has_word("allow(unsafe_code)", "unsafe"));
    let rules: [(&str, IsWrong); 8] = [
        ("unsafe stands only in src/sys and hosting's core", |path, line| {
            !is_in(path, "sys") && !is_in(path, "hosting/core") && has_word(line, "unsafe")
        }),
        ("libc is used only in src/sys", |path, line| !is_in(path, "sys") && has_word(line, "libc")),
        ("minreq is used only in src/http/transport.rs", |path, line| {
            path != "src/http/transport.rs" && has_word(line, "minreq") && !line.contains("feature")
        }),
        ("src/format does no I/O and reads no clock", |path, line| {
            is_in(path, "format")
                && ["std::io", "std::fs", "std::net", "std::process", "std::env", "std::time"]
                    .iter()
                    .any(|m| line.contains(m))
        }),
        ("no program is started for a report, by supervisor, device or http, or by a check of an app", |path, line| {
            let may = ["sys", "engine", "install", "queue", "cli"].iter().any(|room| is_in(path, room));
            !may && path != "src/app/build/mod.rs" && line.contains("Command::new")
        }),
        ("threads are only the transport's", |path, line| {
            !is_in(path, "http") && (line.contains("thread::spawn") || line.contains("thread::Builder"))
        }),
        ("nothing panics on any input", |_, line| {
            let forbidden = [
                ".unwrap()",
                ".expect(",
                "panic!(",
                "unreachable!(",
                "todo!(",
                "unimplemented!(",
                "assert!(",
                "assert_eq!(",
            ];
            forbidden.iter().any(|word| line.contains(word))
        }),
        ("only src/cli and the log write to stdout and stderr", |path, line| {
            let is_log = path == "src/sys/log.rs" || path == "src/app/build/mod.rs";
            // A courier tells gmq how a forward went.
            let is_pipe = path == "src/queue/forward/process.rs";
            let prints = ["println!", "print!(", "eprint", "dbg!(", "io::stdout()", "io::stderr()"];
            !is_in(path, "cli") && !is_log && !is_pipe && prints.iter().any(|word| line.contains(word))
        }),
    ];
    for (rule, is_wrong) in rules {
        assert_none(&wrong_lines(|path, line| is_wrong(path, line).then(|| line.trim().to_string())), rule);
    }
    let lib = read("src/lib.rs");
    assert_eq!(lib.matches("allow(unsafe_code)").count(), 1, "for src/sys alone");
    assert!(lib.contains("#[allow(unsafe_code)]\npub mod sys;"));
}

#[test]
fn files_are_of_a_size_to_read_and_say_what_they_are() {
    let tests = ["tests/it", "tests/src", "tests/power-loss"].into_iter().flat_map(rust_below);
    let mut wrong = Vec::new();
    for (path, text) in sources().into_iter().chain(tests) {
        let lines = text.lines().count();
        wrong.extend((lines > MAX_LINES).then(|| format!("{path}: {lines} lines")));
        wrong.extend((!text.starts_with("//! ")).then(|| format!("{path}: no module documentation")));
    }
    assert_none(&wrong, "at most 450 lines a file, and a sentence on top");
}
