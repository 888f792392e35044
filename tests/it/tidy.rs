//! Polices the repository: what the docs and the recipes promise is read from the files themselves; what ARCHITECTURE.md does of the code, in `rooms`.

mod rooms;

use gwe_tests::harness::run;
use gwe_tests::skip;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Documents that others name before they are there.
const STILL_TO_COME: &[&str] = &[];

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the project's folder is there")
}

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

fn assert_none(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n  {}", wrong.join("\n  "));
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
