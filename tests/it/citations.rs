//! What comments and documents cite is there: a page of `docs/` with the heading or the row that is named, a test that a table of
//! failures names, a heading that a link leads to.

use gwe_tests::harness::run;
use gwe_tests::skip;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the project's folder is there")
}

fn read(path: &str) -> String {
    String::from_utf8_lossy(&fs::read(project().join(path)).unwrap_or_default()).into_owned()
}

/// The files that git knows with one of these endings; `None` outside a checkout, as in a release tarball.
fn tracked(endings: &[&str]) -> Option<Vec<String>> {
    let listed = run(Command::new("git").args(["ls-files", "-z"]).current_dir(project()), Duration::from_secs(20));
    let wanted = |path: &&str| endings.iter().any(|ending| path.ends_with(ending));
    (listed.code == Some(0)).then(|| listed.stdout.split('\0').filter(wanted).map(str::to_string).collect())
}

/// Comments that go on in the next line, in one.
fn joined(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let bare = line.trim_start();
        let rest = ["//! ", "/// ", "// ", "# "].iter().find_map(|mark| bare.strip_prefix(mark));
        out.push_str(if rest.is_some() { " " } else { "\n" });
        out.push_str(rest.unwrap_or(bare));
    }
    out
}

/// A citation: the page, and what of it.
#[derive(Debug, PartialEq)]
struct Citation {
    page: String,
    places: Vec<Place>,
}

#[derive(Debug, PartialEq)]
enum Place {
    Heading(String),
    /// The first cell of a table's row.
    Row(String),
}

/// The pages of `docs/` that a text names, each with what it names of them: `page, "Heading"`, `page, row 4`, `page, A1 and A2`.
fn citations(text: &str) -> Vec<Citation> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("docs/") {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || "/._-".contains(c)) {
            continue;
        }
        let rest = &text[at..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && !"/._-".contains(c)).unwrap_or(rest.len());
        let page = rest[..end].trim_end_matches('.');
        if !page.ends_with(".md") {
            continue;
        }
        let behind = &rest[page.len()..];
        let places = match behind.strip_prefix(", \"") {
            Some(heading) => vec![Place::Heading(heading.split('"').next().unwrap_or_default().to_string())],
            None => behind.strip_prefix(", ").map(rows).unwrap_or_default(),
        };
        found.push(Citation { page: page.to_string(), places });
    }
    found
}

/// `rows 1, 4 and 5`, `case 08`, `A1 to A14`: the first cells of the rows.
fn rows(mut text: &str) -> Vec<Place> {
    let mut found = Vec::new();
    let mut kind = "";
    loop {
        for (word, cell) in
            [("rows ", ""), ("row ", ""), ("traps ", ""), ("trap ", ""), ("cases ", "case "), ("case ", "case ")]
        {
            if let Some(rest) = text.strip_prefix(word) {
                (text, kind) = (rest, cell);
                break;
            }
        }
        let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
        let id = &text[..end];
        let digits = id.trim_start_matches(['A', 'F', 'R']);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || id.len() > digits.len() + 1 {
            return found;
        }
        found.push(Place::Row([if id == digits { kind } else { "" }, id].concat()));
        let next = [", ", " and ", " to "].iter().find_map(|between| text[end..].strip_prefix(between));
        match next {
            Some(next) => text = next,
            None => return found,
        }
    }
}

#[test]
fn citations_are_found() {
    let row = |id: &str| Place::Row(id.to_string());
    let rows: [(&str, Vec<Place>); 8] = [
        ("(docs/x.md).", vec![]),
        ("docs/x.md, \"A heading\": why", vec![Place::Heading("A heading".to_string())]),
        ("//! (docs/x.md, \"A\n//! heading\")", vec![Place::Heading("A heading".to_string())]),
        ("docs/x.md, rows 1, 4 and 13)", vec![row("1"), row("4"), row("13")]),
        ("docs/x.md, row 15, freenet-core#4591", vec![row("15")]),
        ("docs/x.md, cases 04 and 05; a", vec![row("case 04"), row("case 05")]),
        ("docs/x.md, A1 to A14, cases 01", vec![row("A1"), row("A14"), row("case 01")]),
        ("docs/x.md, trap 6", vec![row("6")]),
    ];
    for (text, places) in rows {
        assert_eq!(citations(&joined(text)), [Citation { page: "docs/x.md".to_string(), places }], "{text}");
    }
    assert_eq!(citations("../docs/x.md and https://example.org/docs/y.md and docs/page/fleet.png"), []);
}

/// The headings of a page, without their marks.
fn headings(page: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let mut found = BTreeSet::new();
    for line in read(page).lines() {
        is_code ^= line.starts_with("```");
        if let (false, Some((marks, heading))) = (is_code, line.split_once("# ")) {
            if marks.bytes().all(|b| b == b'#') {
                found.insert(heading.trim().to_string());
            }
        }
    }
    found
}

/// The first cells of a page's tables.
fn first_cells(page: &str) -> BTreeSet<String> {
    let text = read(page);
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    cells.map(str::to_string).collect()
}

#[test]
fn what_comments_cite_is_there() {
    let endings = [".rs", ".py", ".sh", ".mk", ".in", ".bb", ".inc", ".yml", "Makefile", ".cfg", ".toml", ".js"];
    let Some(files) = tracked(&endings) else { skip!("needs a git checkout") };
    let (mut wrong, mut count) = (Vec::new(), 0);
    // This file has citations that lead nowhere.
    for file in files.iter().filter(|file| file.as_str() != "tests/it/citations.rs") {
        let text = joined(&read(file));
        for gone in ["(spec:", "design decision"] {
            wrong.extend(text.contains(gone).then(|| format!("{file}: {gone}: cite docs/spec/ or docs/decisions.md")));
        }
        for citation in citations(&text) {
            let page = &citation.page;
            if !project().join(page).exists() {
                wrong.push(format!("{file}: {page}"));
                continue;
            }
            for place in &citation.places {
                count += 1;
                let is_there = match place {
                    Place::Heading(heading) => headings(page).contains(heading),
                    Place::Row(cell) => first_cells(page).contains(cell),
                };
                wrong.extend((!is_there).then(|| format!("{file}: {page}: {place:?}")));
            }
        }
    }
    assert!(count > 80, "only {count} citations found");
    assert!(wrong.is_empty(), "what is cited is there:\n  {}", wrong.join("\n  "));
}

/// Whether a test of that name is there: a module's of `tests/it`, or a path's, in Rust or Python.
fn is_test(file: &str, name: &str) -> bool {
    let path = if file.contains('.') { file.to_string() } else { format!("tests/it/{}.rs", file.replace("::", "/")) };
    let text = read(&path);
    text.contains(&format!("fn {name}()")) || text.contains(&format!("def {name}(self)"))
}

/// The tests that the rows of a page's tables name.
fn named_tests(text: &str) -> Vec<(&str, &str)> {
    let rows = text.lines().filter(|line| line.starts_with('|'));
    rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter_map(|span| span.rsplit_once("::")).collect()
}

#[test]
fn the_tests_that_the_tables_of_failures_and_promises_name_are_there() {
    for (page, least) in [("docs/spec/failures.md", 60), ("docs/spec/security.md", 50)] {
        let text = read(page);
        let named = named_tests(&text);
        assert!(named.len() > least, "only {} tests found in {page}", named.len());
        let wrong: Vec<_> = named.iter().filter(|(file, name)| !is_test(file, name)).collect();
        assert!(wrong.is_empty(), "{page} names {wrong:?}");
    }
}

/// What a page says between two headings, a paragraph, a point or a table's row each; no code.
fn passages(text: &str, from: &str, to: &str) -> Vec<String> {
    let part = text.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map_or("", |(part, _)| part);
    let (mut found, mut is_code) = (vec![String::new()], false);
    for line in part.lines().map(str::trim) {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        let begins = line.is_empty() || is_fence || ["#", "- ", "| "].iter().any(|mark| line.starts_with(mark));
        if begins {
            found.push(String::new());
        }
        if let (false, false, false, Some(last)) = (is_code, is_fence, line.starts_with('#'), found.last_mut()) {
            *last = [last, line, " "].concat();
        }
    }
    found
}

/// docs/security.md is what an OEM answers for.
#[test]
fn every_promise_of_security_has_its_row() {
    let promises = read("docs/security.md");
    let whole = promises.split_whitespace().collect::<Vec<_>>().join(" ");
    let rows = read("docs/spec/security.md");
    let words: Vec<&str> = rows
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .filter(|words| *words != "words" && !words.starts_with("---"))
        .collect();
    let gone: Vec<&&str> = words.iter().filter(|words| !whole.contains(**words)).collect();
    assert!(gone.is_empty(), "docs/security.md does not say any more: {gone:?}");
    let passages = passages(&promises, "\n## Signed packages\n", "\n## What is not protected against\n");
    let is_heading = |passage: &str| ["| |", "| `what`", "| ---"].iter().any(|start| passage.starts_with(start));
    let told: Vec<&String> = passages.iter().filter(|text| !text.trim().is_empty() && !is_heading(text)).collect();
    assert!(told.len() > 40, "only {} passages found", told.len());
    let bare: Vec<&&String> = told.iter().filter(|text| !words.iter().any(|words| text.contains(words))).collect();
    assert!(bare.is_empty(), "without a row in docs/spec/security.md: {bare:#?}");
}

/// A heading as its link has it: lower case, blanks as hyphens, no other marks.
fn slug(heading: &str) -> String {
    let plain = heading.to_lowercase().replace(' ', "-");
    plain.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

#[test]
fn links_lead_to_headings() {
    let Some(files) = tracked(&[".md"]) else { skip!("needs a git checkout") };
    let (mut wrong, mut count) = (Vec::new(), 0);
    for file in &files {
        let text = read(file);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let Some((page, heading)) = link.split_once('#').filter(|_| !link.contains("://")) else { continue };
            let folder = Path::new(file).parent().unwrap_or(Path::new(""));
            let page = if page.is_empty() { PathBuf::from(file) } else { folder.join(page) };
            let page = page.to_string_lossy().into_owned();
            count += 1;
            let is_there = headings(&page).iter().any(|known| slug(known) == heading);
            wrong.extend((!is_there).then(|| format!("{file}: {link}")));
        }
    }
    assert!(count > 10, "only {count} links to headings found");
    assert!(wrong.is_empty(), "links lead to headings:\n  {}", wrong.join("\n  "));
}

/// The code spans of a document that are paths of this project: `src/cli/gwe.rs`, `tests/power-loss/workloads/`.
fn paths(document: &str) -> Vec<String> {
    let mut is_block = false;
    let lines = document.lines().filter(|line| {
        is_block ^= line.starts_with("```");
        !is_block
    });
    let spans = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
    let tops = ["src/", "tests/", "docs/", "mk/", "configs/", "tools/", "fuzz/", "meta-gwe/", "buildroot-package/"];
    let is_path = |span: &&str| {
        let is_plain = span.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
        is_plain && (tops.iter().any(|top| span.starts_with(top)) || span.ends_with(".md") || span.ends_with(".toml"))
    };
    spans.filter(is_path).map(str::to_string).collect()
}

#[test]
fn the_files_that_readers_are_sent_to_are_there() {
    for (document, least) in [("CONTRIBUTING.md", 50), ("ARCHITECTURE.md", 50), ("docs/decisions.md", 3)] {
        let paths = paths(&read(document));
        assert!(paths.len() >= least, "only {} paths found in {document}", paths.len());
        let wrong: Vec<&String> = paths.iter().filter(|path| !project().join(path).exists()).collect();
        assert!(wrong.is_empty(), "{document} names {wrong:?}");
    }
}

/// In any file of code, where a comment names a path.
#[test]
fn the_files_that_comments_name_are_there() {
    let Some(files) = tracked(&[".rs", ".py", ".sh", ".mk"]) else { skip!("needs a git checkout") };
    let mut count = 0;
    let mut wrong = Vec::new();
    for file in files {
        let text = read(&file);
        let comments: Vec<&str> =
            text.lines().map(str::trim_start).filter(|line| line.starts_with(['/', '#'])).collect();
        for path in paths(&comments.join("\n")) {
            count += 1;
            wrong.extend((!project().join(&path).exists()).then(|| format!("{file}: {path}")));
        }
    }
    assert!(count > 10, "only {count} paths found");
    assert!(wrong.is_empty(), "files that comments name are there:\n  {}", wrong.join("\n  "));
}
