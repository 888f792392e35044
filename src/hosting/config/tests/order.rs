//! `after`: who waits for whom, and circles.

use super::own::Scratch;
use crate::hosting::config::{order::resolved, Configuration, Strictness};

fn text(programs: &str) -> String {
    let sections = programs.split_whitespace().map(|one| match one.split_once('=') {
        Some((name, after)) => format!("[program:{name}]\ncommand = x\nafter = {after}\n"),
        None => format!("[program:{one}]\ncommand = x\n"),
    });
    ["[supervisord]\n".to_string(), sections.collect()].concat()
}

fn waits(configuration: &Configuration) -> Vec<String> {
    let all = configuration.groups.iter().flat_map(|group| &group.processes);
    all.filter(|one| !one.after.names.is_empty()).map(|one| one.name.clone()).collect()
}

#[test]
fn a_circle_is_refused_by_its_names_and_at_boot_nobody_in_it_waits() {
    let scratch = Scratch::new("circle");
    for (programs, circle, still) in [
        ("a b=a c=a,b", None, &["b", "c"][..]),
        ("a=nobody b=a", None, &["a", "b"]),
        ("a=a", Some("a after a"), &[]),
        ("a=b b=a", Some("a after b after a"), &[]),
        ("a=b b=c c=a d=a e=d", Some("a after b after c after a"), &["d", "e"]),
        ("d=a a=b,c b c=a", Some("a after c after a"), &["d"]),
        ("a=x,b b=a x", Some("a after b after a"), &[]),
        ("a=b b=a c=d d=c", Some("a after b after a"), &[]),
    ] {
        scratch.file("root.conf", &text(programs));
        let strict = scratch.load(Strictness::Refuse);
        let said = circle.map(|circle| format!("programs start after each other in a circle: {circle}"));
        assert_eq!(strict.as_ref().err().map(|fault| &fault.text), said.as_ref(), "{programs}");
        let at_boot = scratch.load(Strictness::LeaveOut).unwrap();
        assert_eq!(waits(&at_boot), still, "{programs}");
        let critical: Vec<_> = at_boot.notes.iter().filter(|note| note.level == 50).collect();
        assert_eq!(critical.first().map(|note| note.text.clone()), said.map(|said| said + "; none of them waits"));
    }
    // Through a group, and the file that is to blame is named.
    scratch.file(
        "root.conf",
        "[supervisord]\n[include]\nfiles = d/*.conf\n[group:g]\nprograms = a\n[program:a]\ncommand = x\nafter = b\n",
    );
    scratch.file("d/b.conf", "[program:b]\ncommand = x\nafter = g\n");
    let fault = scratch.load(Strictness::Refuse).unwrap_err();
    assert_eq!(fault.text, "programs start after each other in a circle: b after a after b");
    assert_eq!(scratch.load(Strictness::LeaveOut).unwrap().groups.len(), 2);
}

#[test]
fn names_are_those_of_programs_and_groups() {
    let scratch = Scratch::new("after");
    let programs = "[supervisord]\n[group:g]\nprograms = a, b\n[program:a]\ncommand = x\nnumprocs = 2\n\
                    process_name = a%(process_num)d\n[program:b]\ncommand = x\n[program:c]\ncommand = x\nnumprocs = 2\nprocess_name = c%(process_num)d\n";
    for (after, found, missing) in [
        ("a", &["g:a0", "g:a1"][..], &[][..]),
        ("g", &["g"], &[]),
        ("b, a", &["g:b", "g:a0", "g:a1"], &[]),
        ("c no c a0", &["c"], &["no", "a0"]),
        ("", &[], &[]),
    ] {
        scratch.file("root.conf", &format!("{programs}[program:w]\ncommand = x\nafter = {after}\nafter_timeout = 7\n"));
        let configuration = scratch.load(Strictness::Refuse).unwrap();
        let last = configuration.groups.last().unwrap();
        let (a, b) = resolved(&last.processes[0].after, &configuration.groups);
        assert_eq!(
            (a, b),
            (found.iter().map(ToString::to_string).collect(), missing.iter().map(ToString::to_string).collect()),
            "{after}"
        );
        assert_eq!(last.processes[0].after.timeout, 7);
    }
    for (option, why) in [
        ("after = a/b", "Invalid name: 'a/b' because of character: '/'"),
        ("after_timeout = -1", "after_timeout -1 is below lower bound (0)"),
        ("after_timeout = 601", "after_timeout 601 is above upper bound (600)"),
        ("after_timeout = x", "invalid literal for int() with base 10: 'x'"),
    ] {
        scratch.file("root.conf", &format!("[supervisord]\n[program:w]\ncommand = x\n{option}\n"));
        assert!(scratch.load(Strictness::Refuse).unwrap_err().text.starts_with(why), "{option}");
    }
}

/// The other options of our own.
#[test]
fn a_probe_is_kept_only_where_something_asks() {
    let scratch = Scratch::new("probe");
    let load = |options: &str| {
        scratch.file("root.conf", &format!("[supervisord]\n[program:w]\ncommand = x\n{options}\n"));
        scratch.load(Strictness::Refuse)
    };
    let loaded = load("probe = ask '%(program_name)s %(process_num)d'\nprobe_interval = 5\nprobe_retries = 7").unwrap();
    let probe = &loaded.groups[0].processes[0].probe;
    assert_eq!((probe.interval, probe.timeout, probe.retries), (5, 10, 7));
    assert_eq!(probe.command, ["ask", "w 0"]);
    assert_eq!(load("probe = ask").unwrap().groups[0].processes[0].probe, Default::default());
    for (options, why) in [
        ("probe_interval = 5", "probe_interval without a probe"),
        ("probe = 'half", "probe: No closing quotation"),
        ("probe = x\nprobe_interval = 86401", "probe_interval 86401 is above upper bound (86400)"),
        ("probe = x\nprobe_timeout = 0", "probe_timeout 0 is below lower bound (1)"),
        ("probe = x\nprobe_retries = 0", "probe_retries 0 is below lower bound (1)"),
        ("probe = %(nope)s", "Format string '%(nope)s' for 'program:w.probe' contains names"),
    ] {
        let text = load(options).unwrap_err().text;
        assert!(text.starts_with(why), "{options}: {text}");
    }
}
