//! The man pages and the shell completion are made of the same tables as the parsers and the help texts, and are in step with
//! them. They are made here and not by the agent, so that they cost a gateway nothing.
//!
//! After a change of a flag: `UPDATE_DOCS=1 cargo test --manifest-path tests/Cargo.toml --test it -- manuals::`, and commit what it wrote.

use gwe::cli::flags::{Flag, Page};
use gwe::cli::{gdc, gmq, gwe as agent};
use gwe::config::options::{Opt, ENGINE};
use gwe_tests::harness::{agent_binary, has_program, run, Scratch};
use gwe_tests::skip;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Pages whose flags are another program's, written by hand.
const BY_HAND: [&str; 2] = ["supervisord", "supervisorctl"];

const SHORT: Duration = Duration::from_secs(20);

fn pages() -> [Page; 3] {
    [agent::page(), gmq::page(), gdc::page()]
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")).join(name)
}

/// Compares a file with what it should be, or writes it where that is asked for.
fn keep_in_step(name: &str, wanted: &str) {
    let path = path(name);
    let is = fs::read_to_string(&path).unwrap_or_default();
    if env::var_os("UPDATE_DOCS").is_some() && is != wanted {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, wanted).unwrap();
        return;
    }
    let line = is.lines().zip(wanted.lines()).position(|(is, wanted)| is != wanted);
    assert!(
        is == wanted,
        "docs/{name} is not in step with the flags (line {}): UPDATE_DOCS=1 cargo test --manifest-path tests/Cargo.toml --test it -- manuals::",
        line.map_or(0, |line| line + 1)
    );
}

/// Text as roff takes it: dashes that are typed, and nothing that looks like a request.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}

fn flag(flag: &Flag) -> String {
    let spellings: Vec<String> = flag.spellings().map(|spelling| format!("\\fB{}\\fR", roff(spelling))).collect();
    let value = if flag.value.is_empty() { String::new() } else { format!(" \\fI{}\\fR", roff(flag.value)) };
    format!(".TP\n{}{value}\n{}.\n", spellings.join(", "), roff(flag.help))
}

/// What stands between the marks of that name.
fn generated(page: &Page, mark: &str) -> String {
    match mark {
        "head" => {
            let version = gwe::config::VERSION;
            let name = page.name;
            let about = roff(page.about);
            let upper = name.to_uppercase();
            let mut out = format!(".TH {upper} 8 \"\" \"gwe {version}\"\n.SH NAME\n{name} \\- {about}\n.SH SYNOPSIS\n");
            for (words, text) in &page.usage {
                let command = format!("{name} {words}");
                out += &format!(".TP\n\\fB{}\\fR\n{}.\n", roff(command.trim_end()), roff(text));
            }
            out
        }
        "options" => page.flags.iter().fold(String::new(), |mut out, (title, flags)| {
            out += &format!(".SS {}\n", roff(title));
            out.extend(flags.iter().map(|each| flag(each)));
            out
        }),
        "exit" => {
            let rows = page.exit.split(", ").filter_map(|row| row.split_once(' '));
            rows.map(|(number, meaning)| format!(".TP\n{number}\n{meaning}.\n")).collect()
        }
        _ => panic!("nobody makes {mark}"),
    }
}

#[test]
fn the_man_pages_are_in_step_with_the_flags() {
    for page in pages() {
        let name = format!("man/{}.8", page.name);
        let text = fs::read_to_string(path(&name)).unwrap();
        let mut wanted = String::new();
        let mut rest = text.as_str();
        let mut marks = 0;
        while let Some((before, after)) = rest.split_once(".\\\" generated: ") {
            let (mark, after) = after.split_once('\n').unwrap();
            let (_, after) =
                after.split_once(".\\\" end of generated\n").unwrap_or_else(|| panic!("{mark} has no end"));
            wanted += &format!("{before}.\\\" generated: {mark}\n{}.\\\" end of generated\n", generated(&page, mark));
            rest = after;
            marks += 1;
        }
        assert_eq!(marks, 3, "{name}: head, options and exit");
        keep_in_step(&name, &(wanted + rest));
    }
}

/// Each flag that the help has, with what it says of it.
#[test]
fn the_pages_of_supervisord_have_the_flags_of_its_help() {
    let root = Scratch::new();
    for name in BY_HAND {
        symlink(agent_binary(), root.path(name)).unwrap();
        let help = run(Command::new(root.path(name)).arg("-h"), SHORT).ok().stdout;
        let page = fs::read_to_string(path(&format!("man/{name}.8"))).unwrap();
        let mut flags = 0;
        for (spellings, about) in help.lines().filter_map(|line| line.split_once(" -- ")).skip(1) {
            let spelling = spellings.split([' ', '/']).next().unwrap();
            assert!(page.contains(&format!("\\fB{}\\fR", roff(spelling))), "{name}.8 lacks {spelling}");
            assert!(page.contains(&roff(about)), "{name}.8 lacks {about:?} of {spelling}");
            flags += 1;
        }
        assert!(flags >= 7, "{help}");
    }
}

#[test]
fn the_man_pages_are_good_roff() {
    let linters = [("mandoc", &["-T", "lint", "-W", "warning"][..]), ("groff", &["-man", "-ww", "-z"])];
    let mut used = 0;
    for (program, arguments) in linters {
        for name in pages().iter().map(|page| page.name).chain(BY_HAND) {
            let mut lint = Command::new("sh");
            lint.args(["-c", "command -v \"$0\" >/dev/null || exit 77; exec \"$0\" \"$@\" 2>&1", program]);
            let ran = run(lint.args(arguments).arg(path(&format!("man/{name}.8"))), SHORT);
            if ran.code == Some(77) {
                continue;
            }
            used += 1;
            // A page without a date is the same whenever it is built.
            let said: Vec<&str> = ran.stdout.lines().filter(|line| !line.contains("missing date")).collect();
            assert!(said.is_empty(), "{}", ran.report());
        }
    }
    if used == 0 {
        skip!("needs mandoc or groff");
    }
}

#[test]
fn every_setting_is_explained_with_its_default() {
    let explained = |text: &str, options: &[Opt]| {
        for option in options {
            let name = format!("\"{}\"", option.key);
            let line = text.lines().find(|line| line.starts_with(".BR") && line.contains(&name));
            let line =
                line.unwrap_or_else(|| panic!("docs/man/gwe.8 has no line `.BR \"{}\" \" (default)\"`", option.key));
            assert!(option.default.is_empty() || line.contains(&format!("({})", option.default)), "{line}");
        }
    };
    explained(&fs::read_to_string(path("man/gwe.8")).unwrap(), ENGINE);
    let queue = fs::read_to_string(path("man/gmq.8")).unwrap();
    let shown = run(Command::new(gwe_tests::harness::agent_binary()).arg("--version"), SHORT).ok();
    assert!(!shown.stdout.is_empty());
    let gateway = gwe_tests::harness::Gateway::new();
    let settings = gateway.gmq(&["cfg"]).ok().stdout;
    for line in settings.lines().filter_map(|line| line.split_once(" = ")) {
        let (key, default) = line;
        let row = queue.lines().find(|row| row.starts_with(".BR") && row.contains(&format!("\"{key}\"")));
        assert!(row.is_some_and(|row| row.contains(&format!("({default})"))), "{key} = {default} is not in gmq.8");
    }
}

/// What completes the words of one program in bash.
fn completion(page: &Page) -> String {
    let flags = || page.flags.iter().flat_map(|(_, flags)| flags);
    let words: Vec<&str> = flags().flat_map(|flag| flag.spellings()).filter(|word| word.starts_with("--")).collect();
    let of_value = |values: &[&str]| {
        let with = flags().filter(|flag| values.contains(&flag.value)).flat_map(|flag| flag.spellings());
        with.collect::<Vec<_>>().join("|")
    };
    let mut cases = String::new();
    for (values, how) in [
        (&["FILE", "FILE..."][..], "compgen -f -- \"$word\""),
        (&["DIR"], "compgen -d -- \"$word\""),
        (&["IFACE"], "compgen -W \"$(ls /sys/class/net 2>/dev/null)\" -- \"$word\""),
        (&["LEVEL"], "compgen -W 'DEBUG INFO WARNING ERROR CRITICAL' -- \"$word\""),
    ] {
        let spellings = of_value(values);
        if !spellings.is_empty() {
            cases += &format!("\t{spellings}) mapfile -t COMPREPLY < <({how}) ;;\n");
        }
    }
    let mut commands: Vec<&str> = Vec::new();
    for (usage, _) in &page.usage {
        let first = usage.split(' ').next().unwrap_or("");
        if !first.is_empty() && first.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !commands.contains(&first)
        {
            commands.push(first);
        }
    }
    let all: Vec<&str> = commands.into_iter().chain(words).collect();
    format!(
        "# Completes the words of {name} in bash. Made by tests/it/manuals.rs of the same table as its parser.\n\
         # shellcheck shell=bash\n\
         _{name}() {{\n\
         \tlocal word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}\n\
         \tcase $before in\n\
         {cases}\
         \t*)\n\
         \t\tmapfile -t COMPREPLY < <(compgen -W '{all}' -- \"$word\")\n\
         \t\t[ \"${{#COMPREPLY[@]}}\" -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n\
         \t\t;;\n\
         \tesac\n\
         }}\n\
         complete -o filenames -F _{name} {name}\n",
        name = page.name,
        all = all.join(" "),
    )
}

#[test]
fn the_completion_is_in_step_with_the_flags_and_works() {
    for page in pages() {
        keep_in_step(&format!("completion/{}", page.name), &completion(&page));
    }
    if !has_program("bash") {
        skip!("needs bash");
    }
    let complete = |program: &str, words: &[&str]| {
        let script = ". \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \"_$1\"; echo \"${COMPREPLY[*]}\"";
        let mut bash = Command::new("bash");
        bash.args(["-euc", script, "bash"]).arg(path(&format!("completion/{program}"))).arg(program).args(words);
        run(bash.current_dir(env!("CARGO_MANIFEST_DIR")), SHORT).ok().stdout.trim().to_string()
    };
    for (program, words, expected) in [
        ("gwe", &["--sta"][..], "--status"),
        ("gwe", &["--build"], "--build-app --build-app-tarball --build-delta"),
        ("gwe", &["-d", "W"], "WARNING"),
        ("gwe", &["-z", "Cargo.t"], "Cargo.toml"),
        ("gwe", &["--install-apps", "x", "Cargo.t"], "Cargo.toml"),
        ("gwe", &["--root", "sr"], "src"),
        ("gwe", &["--mac-address", "l"], "lo"),
        ("gmq", &["set-a"], "set-aside"),
        ("gdc", &["acti"], "activate"),
        ("gdc", &["--time"], "--timeout"),
    ] {
        assert_eq!(complete(program, words), expected, "{program} {words:?}");
    }
}
