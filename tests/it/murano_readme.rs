//! tests/README.md says what is true: its commands run, and its tables are complete.

use gwe_tests::harness::{murano_binary, run, Murano, MuranoChild, Scratch};
use gwe_tests::murano::endpoint::NAMES;
use gwe_tests::murano::fault::{Spec, KINDS};
use std::env;
use std::process::Command;
use std::time::Duration;

const README: &str = include_str!("../README.md");

/// The lines of the fenced blocks that are marked ```sh.
fn commands() -> Vec<&'static str> {
    let blocks = README.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or("").lines());
    lines.filter(|line| !line.trim().is_empty()).collect()
}

#[test]
fn every_command_shown_runs() {
    let murano = MuranoChild::start(&[]);
    let folder = Scratch::new();
    folder.write("my_app.v1.2.3.tar.gz", "bytes");
    let own = murano_binary().parent().unwrap().to_path_buf();
    let path = env::join_paths([own].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap()))).unwrap();
    let commands = commands();
    assert!(commands.len() >= 15, "only {} commands found", commands.len());
    let mut said = String::new();
    for line in commands {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).env("MURANO_URL", murano.url()).env("PATH", &path).current_dir(folder.root());
        said += &run(&mut shell, Duration::from_secs(30)).ok().stdout;
    }
    for part in [
        "00:11:22:33:44:55 - enabled\n",
        "uploaded my_app.v1.2.3.tar.gz (5 bytes)\nmy_app.v1.2.3.tar.gz\n",
        "\"{\\\"install\\\": [{\\\"name\\\": \\\"my_app.v1.2.3.tar.gz\\\"}]}\",\"write\"]]",
        "\"log\":[]",
        "any:refuse (applied 0 times)",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
}

#[test]
fn every_kind_of_fault_and_every_scope_is_in_the_table() {
    for kind in KINDS {
        let row = format!("| `{}` |", kind.replace('|', "\\|"));
        assert!(README.contains(&row), "no row {row}");
    }
    for (_, name) in NAMES {
        assert!(README.contains(&format!("{name} ")) || README.contains(&format!("{name}`")), "no scope {name}");
    }
}

#[test]
fn every_fault_shown_as_an_example_can_be_set() {
    let examples = README.split('`').filter(|text| {
        let scope = text.split(':').next().unwrap_or("");
        text.contains(':') && (scope == "any" || NAMES.iter().any(|(_, name)| *name == scope))
    });
    let examples: Vec<&str> = examples.collect();
    assert!(examples.len() >= 2, "{examples:?}");
    for example in examples {
        Spec::parse(example).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn every_flag_of_serve_and_every_command_is_explained() {
    let help = run(Command::new(murano_binary()).arg("--help"), Duration::from_secs(10)).ok().stdout;
    let flags: Vec<&str> =
        help.split(|c: char| c.is_whitespace() || "[]".contains(c)).filter(|word| word.starts_with("--")).collect();
    assert!(flags.len() >= 10, "{flags:?}");
    for flag in flags {
        assert!(README.contains(flag), "{flag} is not explained");
    }
    for line in help.lines().filter_map(|line| line.strip_prefix("  murano ")) {
        let words = line.split([' ', '[']).take_while(|word| word.chars().all(|c| c.is_ascii_lowercase()));
        let command = format!("murano {}", words.collect::<Vec<_>>().join(" ").trim());
        assert!(README.contains(&command), "{command} is not explained");
    }
}

#[test]
fn the_request_log_has_the_fields_that_are_named() {
    let murano = Murano::start();
    murano.activate("sn");
    let requests = murano.requests();
    for field in ["method", "target", "endpoint", "status", "request_bytes", "response_bytes", "unix_ms", "fault"] {
        assert!(requests["log"][0].get(field).is_some() && README.contains(&format!("`{field}`")), "{field}");
    }
    for field in requests["totals"].as_object().unwrap().keys() {
        assert!(README.contains(&format!("`{field}`")), "totals: {field}");
    }
}
