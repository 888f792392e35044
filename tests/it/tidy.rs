//! Polices the repository: what ARCHITECTURE.md, the docs and the recipes promise is read from the files themselves.

use gwe_tests::harness::run;
use gwe_tests::skip;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
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
/// Documents that others name before they are there.
const STILL_TO_COME: &[&str] = &[];

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the project's folder is there")
}

/// Whether a line of code (path, text) breaks a rule.
type IsWrong = fn(&str, &str) -> bool;

/// A file that git knows.
struct Tracked {
    path: String,
    is_executable: bool,
    is_link: bool,
}

/// All of them; `None` outside a checkout, as in a release tarball.
fn tracked() -> Option<Vec<Tracked>> {
    let mut git = Command::new("git");
    let listed = run(git.args(["ls-files", "-s", "-z"]).current_dir(project()), Duration::from_secs(20));
    if listed.code != Some(0) {
        return None;
    }
    let file = |line: &str| {
        let (facts, path) = line.split_once('\t')?;
        let mode = facts.split(' ').next()?;
        Some(Tracked { path: path.to_string(), is_executable: mode == "100755", is_link: mode == "120000" })
    };
    // One that is deleted and not yet committed is no more.
    let there = |file: &Tracked| project().join(&file.path).symlink_metadata().is_ok();
    Some(listed.stdout.split('\0').filter_map(file).filter(there).collect())
}

fn read(path: &str) -> String {
    let bytes = fs::read(project().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The agent's source files: path and text.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![project().join("src")];
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

fn assert_none(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n  {}", wrong.join("\n  "));
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

/// A program's own output was there for half a day: what a run leaves in the folder it was started in is nobody's file.
#[test]
fn nothing_lies_about_at_the_top() {
    const FILES: [&str; 12] = [
        ".gitignore",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "LICENSE-CRATES",
        "Makefile",
        "README.md",
        "build.rs",
        "rustfmt.toml",
    ];
    let Some(files) = tracked() else { skip!("needs a git checkout") };
    let map = read("ARCHITECTURE.md");
    let is_known = |path: &str| match path.split_once('/') {
        Some((folder, _)) => folder == ".ci" || map.contains(&format!("{folder}/")),
        None => FILES.contains(&path),
    };
    let wrong: Vec<String> = files.into_iter().map(|file| file.path).filter(|path| !is_known(path)).collect();
    assert_none(&wrong, "a folder at the top is in ARCHITECTURE.md, a file there is one of the usual");
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
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        wrong.extend((lines > MAX_LINES).then(|| format!("{path}: {lines} lines")));
        wrong.extend((!text.starts_with("//! ")).then(|| format!("{path}: no module documentation")));
    }
    for folder in ["tests/it", "tests/src/harness", "tests/src/murano"] {
        for entry in fs::read_dir(project().join(folder)).unwrap().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "rs") {
                let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
                wrong.extend((!read(&path).starts_with("//! ")).then(|| format!("{path}: no module documentation")));
            }
        }
    }
    assert_none(&wrong, "at most 450 lines a file, and a sentence on top");
}

/// `key = "value"` at the beginning of a line.
fn quoted(text: &str, key: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix("= \""));
    line.and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("no {key}")).to_string()
}

/// The names of a section's keys in a Cargo.toml.
fn keys(manifest: &str, section: &str) -> BTreeSet<String> {
    let lines = manifest.lines().skip_while(|line| *line != section).skip(1).take_while(|line| !line.starts_with('['));
    let keys = lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    keys.map(|(key, _)| key.trim().to_string()).filter(|key| !key.is_empty()).collect()
}

#[test]
fn what_ships_is_what_the_lock_file_says() {
    let (manifest, lock) = (read("Cargo.toml"), read("Cargo.lock"));
    assert!(lock.contains("\nversion = 3\n"), "cargo 1.75 cannot read a newer Cargo.lock");
    assert!(!manifest.contains("dev-dependencies"), "dev-dependencies would be in the lock file that ships");
    assert_eq!(quoted(&manifest, "rust-version"), "1.75");
    assert!(!manifest.contains("strip ="), "OE strips, and keeps the symbols in its -dbg package");
    let own = format!("name = \"gwe\"\nversion = \"{}\"\n", quoted(&manifest, "version"));
    assert!(lock.contains(&own), "Cargo.lock has the version of Cargo.toml");
    for lock in ["tests/Cargo.lock", "fuzz/Cargo.lock"] {
        assert!(read(lock).contains(&own), "{lock} has the version of Cargo.toml: run cargo there");
    }
}

#[test]
fn versions_are_in_step() {
    let version = quoted(&read("Cargo.toml"), "version");
    let log = read("CHANGELOG.md");
    let newest = log.lines().find_map(|line| line.strip_prefix("## ")).expect("CHANGELOG.md has a version");
    assert_eq!(newest.split(' ').next(), Some(version.as_str()), "the newest version in CHANGELOG.md");
    let statements = read("configs/product/gwe.vex.cdx.json");
    let told = statements.matches(&format!("gateway-engine@{version}\"")).count();
    assert_eq!((told, statements.matches("gateway-engine@").count()), (2, 2), "the version in gwe.vex.cdx.json");
    let Some(files) = tracked() else { skip!("needs a git checkout") };
    let recipes: Vec<&str> = files
        .iter()
        .map(|file| file.path.as_str())
        .filter(|path| path.ends_with(".bb") && path.contains("/gwe_"))
        .collect();
    assert_eq!(recipes, [format!("meta-gwe/recipes-gwe/gwe/gwe_{version}.bb")]);
    if let Some(package) = files.iter().find(|file| file.path.ends_with("/gwe.mk")) {
        assert_eq!(quoted_make(&read(&package.path), "GWE_VERSION"), version, "{}", package.path);
    }
}

/// `KEY = value` of a makefile.
fn quoted_make(text: &str, key: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix("= "));
    line.unwrap_or_else(|| panic!("no {key}")).trim().to_string()
}

#[test]
fn every_dependency_is_accounted_for() {
    let crates = keys(&read("Cargo.toml"), "[dependencies]");
    assert!(crates.contains("minreq") && crates.len() < 15, "few crates: {crates:?}");
    let doc = read("docs/dependencies.md");
    let rows = doc.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).map(str::to_string);
    let rows: BTreeSet<String> = rows.collect();
    for name in &crates {
        assert!(rows.contains(name), "{name} has no row in docs/dependencies.md");
    }
    let table =
        doc.split("| --- |").nth(1).unwrap_or_default().lines().skip(1).take_while(|line| line.starts_with('|'));
    for row in table {
        let name = row.trim_start_matches("| ").split(' ').next().unwrap_or_default();
        assert!(crates.contains(name), "docs/dependencies.md has {name}, which is no dependency");
    }
}

/// The targets of `[text](target)` in a document.
fn links(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

#[test]
fn what_documents_link_to_is_there() {
    let Some(files) = tracked() else { skip!("needs a git checkout") };
    let mut wrong = Vec::new();
    let mut count = 0;
    for document in files.iter().filter(|file| file.path.ends_with(".md") && !file.is_link) {
        let folder = Path::new(&document.path).parent().unwrap_or(Path::new(""));
        let text = read(&document.path);
        for link in links(&text).into_iter().filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let target = folder.join(link.split('#').next().unwrap_or(link));
            let is_there = project().join(&target).exists();
            let is_to_come = STILL_TO_COME.iter().any(|name| project().join(name) == normal(&project().join(&target)));
            count += 1;
            wrong.extend((!is_there && !is_to_come).then(|| format!("{}: {link}", document.path)));
        }
    }
    assert!(count > 10, "only {count} links found");
    assert_none(&wrong, "links lead somewhere");
}

/// A path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
    }
    out
}

#[test]
fn readme_lists_every_document() {
    let readme = read("README.md");
    let listed: BTreeSet<&str> = links(&readme).into_iter().filter(|link| link.starts_with("docs/")).collect();
    for entry in fs::read_dir(project().join("docs")).unwrap().flatten() {
        let name = format!("docs/{}", entry.file_name().to_string_lossy());
        assert!(!name.ends_with(".md") || listed.contains(name.as_str()), "README.md does not mention {name}");
    }
}

#[test]
fn every_command_block_of_a_document_is_run_by_a_test() {
    let Some(files) = tracked() else { skip!("needs a git checkout") };
    // A test that runs a document's commands names it by its place.
    let tests = files.iter().filter(|file| file.path.starts_with("tests/it/")).map(|file| read(&file.path));
    let tests: Vec<String> = tests.collect();
    for document in files.iter().filter(|file| file.path.ends_with(".md") && !file.is_link) {
        let has_commands = read(&document.path).lines().any(|line| line.trim_start() == "```sh");
        let seen_from_test = match document.path.strip_prefix("tests/") {
            Some(path) => format!("\"../{path}\""),
            None => format!("/../{}\"", document.path),
        };
        let is_run = tests.iter().any(|test| test.contains(&seen_from_test));
        assert!(!has_commands || is_run, "{} shows commands in ```sh blocks, and no test runs them", document.path);
    }
}

#[test]
fn nothing_names_a_registry_or_a_folder_of_some_machine() {
    let Some(files) = tracked() else { skip!("needs a git checkout") };
    // In two halves, so that this file does not name them.
    let hosts = [
        ("crates", ".io"),
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("npmjs", ".org"),
        ("deb.debian", ".org"),
        ("archive.ubuntu", ".com"),
        ("proxy.golang", ".org"),
    ];
    let hosts = hosts.map(|(name, end)| format!("{name}{end}"));
    let folders = ["work", "root", "home"].map(|name| format!("/{name}/"));
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| !file.is_link && !file.path.ends_with("Cargo.lock")) {
        for (index, line) in read(&file.path).lines().enumerate() {
            // As recipes and lock files write a crate's source.
            let line = line.replace(&format!("crate://{}/", hosts[0]), "").replace(&format!("{}-index", hosts[0]), "");
            let at = |what: &str| wrong_at(&line, what);
            let named =
                hosts.iter().any(|host| line.contains(host.as_str())) || folders.iter().any(|folder| at(folder));
            wrong.extend(named.then(|| format!("{}:{}: {}", file.path, index + 1, line.trim())));
        }
    }
    assert_none(&wrong, "no registry host and no path of a machine");
}

/// Whether an absolute path of that beginning is in the line.
fn wrong_at(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        line[..at].chars().next_back().is_none_or(|before| before.is_whitespace() || "\"'`(=:".contains(before))
    })
}

#[test]
fn scripts_can_be_run() {
    let Some(files) = tracked() else { skip!("needs a git checkout") };
    let mut count = 0;
    for file in files.iter().filter(|file| !file.is_link) {
        let is_script = read(&file.path).starts_with("#!");
        // What an image gets is installed with its mode; Buildroot wants init scripts as plain files.
        let is_template =
            ["configs/", "buildroot-package/", "meta-gwe/recipes"].iter().any(|f| file.path.starts_with(f));
        count += usize::from(is_script);
        assert!(!is_script || is_template || file.is_executable, "{}: git update-index --chmod=+x", file.path);
        assert!(is_script || !file.is_executable, "{} is executable and has no #! line", file.path);
    }
    assert!(count > 5, "only {count} scripts found");
}

#[test]
fn every_test_file_is_a_module_of_the_one_program() {
    let files = fs::read_dir(project().join("tests/it")).unwrap().flatten();
    let files = files.map(|entry| entry.file_name().into_string().unwrap()).filter(|name| name.ends_with(".rs"));
    let files: BTreeSet<String> = files.filter(|name| name != "main.rs").collect();
    let main = read("tests/it/main.rs");
    let modules = main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    assert_eq!(modules.map(|name| format!("{name}.rs")).collect::<BTreeSet<_>>(), files);
}
