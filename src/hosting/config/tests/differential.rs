//! The configurations of `cases.txt`, read by supervisor 4.3.0 and by ours: the same values, the same messages. What differs is in
//! `differences.txt`, each with its reason and with what ours makes of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::shown::shown;
use crate::format::python::repr;
use crate::hosting::config::{load, Strictness, Surroundings};

const CASES: &str = include_str!("cases.txt");
const DIFFERENCES: &str = include_str!("differences.txt");
const REAL: &str = include_str!("real.py");

/// The environment that both read in.
const VARIABLES: [(&str, &str); 4] =
    [("PATH", "/usr/bin:/bin"), ("COLOUR", "red"), ("PERCENT", "50%"), ("LC_ALL", "C.UTF-8")];

/// Blocks that begin with `=== name`.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let blocks = text.split("\n=== ").skip(1);
    blocks.map(|block| block.split_once('\n').unwrap_or((block, ""))).collect()
}

fn scratch() -> PathBuf {
    let path = std::env::temp_dir().join(format!("gwe-hosting-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(path.join("logs")).unwrap();
    path.canonicalize().unwrap()
}

/// Writes a case's files, `--- name` before each but the first; the path of the root file comes back.
fn write(folder: &Path, text: &str, root: &Path) -> PathBuf {
    fs::create_dir_all(folder.join("conf.d")).unwrap();
    for (index, file) in text.split("\n--- ").enumerate() {
        let (name, text) = if index == 0 { ("root.conf", file) } else { file.split_once('\n').unwrap() };
        let needs_head = index == 0 && !text.contains("[supervisord") && !text.contains("@BARE@");
        let head = if needs_head { "[supervisord]\n" } else { "" };
        let text = [head, text].concat().replace("@BARE@", "").replace("@DIR@", root.to_str().unwrap());
        let text =
            text.replace("@CR@", "\r").replace("@BOM@", "\u{feff}").replace("@TAB@", "\t").replace("@BLANK@", " ");
        let mut bytes: Vec<u8> = Vec::new();
        for (index, part) in text.split("@FF@").enumerate() {
            bytes.extend(if index == 0 { &b""[..] } else { &b"\xff"[..] });
            bytes.extend(part.as_bytes());
        }
        fs::write(folder.join(name), bytes).unwrap();
    }
    folder.join("root.conf")
}

/// The Python that runs supervisord, found as the black-box tests find it.
fn interpreter() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin");
    let folders = std::env::split_paths(&path).chain([venv]);
    folders.map(|folder| folder.join("supervisord")).filter(|path| path.is_file()).find_map(|path| {
        let script = fs::read_to_string(path).ok()?;
        Some(PathBuf::from(script.lines().next()?.strip_prefix("#!")?.split_whitespace().next()?))
    })
}

/// What the real one makes of each file.
fn theirs(python: &Path, folder: &Path, files: &[PathBuf]) -> Vec<String> {
    let mut child = Command::new(python)
        .args(["-c", REAL])
        .env_clear()
        .envs(VARIABLES)
        .envs(["HOME", "TMPDIR"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let list: String = files.iter().map(|file| file.display().to_string() + "\n").collect();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(list.as_bytes()));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator("\n\n").map(|block| block.trim_end().to_string()).collect()
}

fn ours(file: &Path, folder: &Path) -> String {
    let mut environment: Vec<(String, String)> =
        VARIABLES.map(|(name, value)| (name.to_string(), value.to_string())).into();
    environment
        .extend(["HOME", "TMPDIR"].iter().filter_map(|name| Some((name.to_string(), std::env::var(name).ok()?))));
    let surroundings =
        Surroundings { environment, host: crate::sys::host::hostname(), folder: folder.display().to_string() };
    match load(file.to_str().unwrap(), Strictness::Refuse, &surroundings) {
        Ok(configuration) => shown(&configuration).join("\n"),
        Err(fault) => format!("refused {}", repr(&fault.text)),
    }
}

/// The lines of one that the other has not, and the other way round.
fn difference(theirs: &str, ours: &str) -> String {
    // Where only one reads it, its values tell nothing.
    let was_read = |text: &str| text.starts_with("supervisord.");
    let short = |text: &str| if was_read(text) { "reads it".to_string() } else { text.to_string() };
    let (short_theirs, short_ours) = (short(theirs), short(ours));
    let (theirs, ours) =
        if was_read(theirs) == was_read(ours) { (theirs, ours) } else { (short_theirs.as_str(), short_ours.as_str()) };
    let only = |one: &str, other: &str, sign: &str| {
        let other: Vec<&str> = other.lines().collect();
        let lines = one.lines().filter(|line| !other.contains(line)).map(|line| format!("{sign} {line}\n"));
        lines.collect::<String>()
    };
    only(theirs, ours, "theirs") + &only(ours, theirs, "ours")
}

#[test]
fn supervisord_itself_reads_the_same() {
    let cases = blocks(CASES);
    assert!(cases.len() >= 100, "{} cases", cases.len());
    let differences: BTreeMap<&str, &str> = blocks(DIFFERENCES).into_iter().collect();
    let Some(python) = interpreter() else {
        let _ = writeln!(std::io::stderr(), "skipped: needs supervisord in PATH or in .venv");
        return;
    };
    let root = scratch();
    let files: Vec<PathBuf> =
        cases.iter().enumerate().map(|(index, (_, text))| write(&root.join(index.to_string()), text, &root)).collect();
    let theirs = theirs(&python, &root, &files);
    assert_eq!(theirs.len(), cases.len());
    let place = root.to_str().unwrap();
    let mut wrong = Vec::new();
    for ((index, (name, _)), (file, theirs)) in cases.iter().enumerate().zip(files.iter().zip(&theirs)) {
        let difference = difference(theirs, &ours(file, &root));
        let own = format!("{place}/{index}");
        let difference = difference.replace(&own, "@OWN@").replace(place, "@DIR@");
        // A reason stands above what differs.
        let expected = differences.get(name).map_or("", |text| text.split_once('\n').map_or("", |(_, lines)| lines));
        if difference.trim() != expected.trim() {
            wrong.push(format!("=== {name}\n{difference}"));
        }
    }
    let known: Vec<&str> = cases.iter().map(|(name, _)| *name).collect();
    wrong.extend(differences.keys().filter(|name| !known.contains(name)).map(|name| format!("no case {name}")));
    let _ = fs::remove_dir_all(&root);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
