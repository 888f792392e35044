//! What is acknowledged is on stable storage: every kind of sync, where it has to be, in the order in which it has to come (docs/spec/failures.md, rows 8 and
//! 9). What becomes of a disk without them is tried by `make power-loss`; that each is there, here. A library that is loaded before the agent's own notes them.

use gwe_tests::harness::{announce_skip, run, worker_app, Gmq, Murano, Scratch, Site, PATIENCE};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("synced/synced.c");

/// The library, and where it notes what is done. `None`: none can be made here.
fn tracer() -> Option<(Scratch, PathBuf, PathBuf)> {
    let folder = Scratch::new();
    let (source, library, trace) = (folder.write("synced.c", SOURCE), folder.path("synced.so"), folder.path("trace"));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
    match compiler.output() {
        Ok(built) if built.status.success() => Some((folder, library, trace)),
        Ok(built) => panic!("{}", String::from_utf8_lossy(&built.stderr)),
        Err(why) => {
            announce_skip(&format!("needs a C compiler ({why})"));
            None
        }
    }
}

/// What was done, and on what.
fn lines(trace: &Path) -> Vec<[String; 3]> {
    let text = fs::read_to_string(trace).unwrap_or_default();
    let fields = |line: &str| {
        let mut fields = line.split('\t').map(str::to_string);
        [(); 3].map(|()| fields.next().unwrap_or_default())
    };
    text.lines().map(fields).collect()
}

#[test]
fn a_file_that_takes_another_s_place_is_synced_before_and_its_folder_after() {
    let Some((_folder, library, trace)) = tracer() else { return };
    let Some(site) = Site::hosted() else { return };
    site.deploy("app.v1.tar.gz", &worker_app("one"));
    let mut command = site.gateway.command("gwe");
    run(command.arg("--once").env("LD_PRELOAD", &library).env("TRACE", &trace), PATIENCE).ok();
    assert_eq!(site.fetch_status(), "install one\n[gwe] installed app v1 in N s\n");
    let state = fs::canonicalize(site.gateway.root().path("var/lib/gwe")).unwrap().display().to_string();
    let lines = lines(&trace);
    if lines.is_empty() {
        return announce_skip("needs an agent that takes its system calls from a shared library");
    }
    let mut moved = Vec::new();
    // Files whose bytes are there to stay, by the name that they have at the moment.
    let mut safe = BTreeSet::new();
    for (at, [what, from, to]) in lines.iter().enumerate() {
        match what.as_str() {
            "fsync" => {
                safe.insert(from);
            }
            "rename" if to.starts_with(&state) => {
                assert!(safe.remove(from), "{from} is renamed and was not synced: {lines:#?}");
                safe.insert(to);
                let folder = Path::new(to).parent().unwrap();
                let is_in_it =
                    |line: &&[String; 3]| line[0] == "rename" && Path::new(&line[2]).parent() == Some(folder);
                let then = lines[at + 1..].iter().find(|line| !is_in_it(line));
                let is_synced = then.is_some_and(|line| line[0] == "fsync" && Path::new(&line[1]) == folder);
                assert!(is_synced, "{} is not synced after {to}: {lines:#?}", folder.display());
                moved.push(to.trim_start_matches(&state).to_string());
            }
            _ => {}
        }
    }
    for (file, times) in [("/install/journal.json", 5), ("/install/registry.json", 1), ("/downloads/app.v1.tar.gz", 1)]
    {
        let found = moved.iter().filter(|moved| *moved == file).count();
        assert!(found >= times, "{file}: {found} times of {moved:#?}");
    }
    // What was unpacked, and what the installer wrote, before the version is recorded.
    let recorded = lines.iter().position(|line| line[2].ends_with("/install/registry.json")).unwrap();
    let whole = lines[..recorded].iter().filter(|line| line[0] == "syncfs").count();
    assert!(whole >= 1, "{lines:#?}");
}

#[test]
fn a_point_is_on_the_disk_before_it_is_acknowledged() {
    let Some((_folder, library, trace)) = tracer() else { return };
    let murano = Murano::start();
    let mut gmq = Gmq::not_running(&murano.url(), "[unq]\nbatch_record_period = 600\n");
    gmq.environment(&[
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("TRACE", trace.to_str().unwrap()),
        ("GWE_STAY", "1"),
    ]);
    gmq.run();
    let syncs = || lines(&trace).iter().filter(|line| line[0] == "fdatasync" && line[1].contains("/var/lib/")).count();
    for number in 1..=10 {
        let before = syncs();
        assert_eq!(gmq.record("sn", "temperature", &format!("{}={number}", 1_700_000_000 + number)), 204);
        if number == 1 && lines(&trace).is_empty() {
            return announce_skip("needs an agent that takes its system calls from a shared library");
        }
        assert!(syncs() > before, "point {number}: {:#?}", lines(&trace));
    }
}
