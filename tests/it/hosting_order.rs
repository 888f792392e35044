//! The order of starts on our own supervisord: `after = a b` (Supervisor/supervisor 122, 215; davmac314/dinit 397).

use super::hosting_listen::Hosted;
use gwe_tests::harness::{call, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);

fn status(hosted: &Hosted, name: &str) -> String {
    hosted.call("supervisor.getProcessInfo", name)
}

fn is_running(hosted: &Hosted, name: &str) -> bool {
    status(hosted, name).contains("RUNNING")
}

/// Where the first of these texts stands in the daemon's log.
fn place(log: &str, text: &str) -> usize {
    log.find(text).unwrap_or_else(|| panic!("{text:?} is not in\n{log}"))
}

fn reload(hosted: &Hosted) -> String {
    format!("{:?}", call(&hosted.root.path("sock"), "supervisor.reloadConfig", &[], PATIENCE))
}

/// Its own configuration with more at its end.
fn append(hosted: &Hosted, more: &str) -> String {
    let before = hosted.root.read("conf");
    hosted.root.write("conf", [&before, more].concat());
    before
}

/// The one that is waited for has stayed up for its startsecs, a program that ends has ended well; priority is another matter.
#[test]
fn each_starts_when_those_before_it_are_up() {
    let text = "[program:c]\ncommand = sleep 300\nstartsecs = 0\nafter = b, a\npriority = 1\n\
                [program:b]\ncommand = sleep 300\nstartsecs = 0\nafter = a\npriority = 2\n\
                [program:a]\ncommand = sleep 300\nstartsecs = 2\n\
                [program:once]\ncommand = sleep 1\nstartsecs = 0\nautorestart = false\n\
                [program:d]\ncommand = sleep 300\nstartsecs = 0\nafter = both\n\
                [program:one]\ncommand = sleep 300\nstartsecs = 0\nafter = once\nnumprocs = 2\nprocess_name = p%(process_num)d\n\
                [program:two]\ncommand = sleep 300\nstartsecs = 0\n[group:both]\nprograms = one, two\n\
                [program:e]\ncommand = sleep 300\nstartsecs = 0\nafter = one\n";
    let Some(hosted) = Hosted::start(text, &[]) else { return };
    for name in ["c", "d", "e"] {
        hosted.wait_for("log", &format!("success: {name} entered RUNNING"));
    }
    let log = hosted.root.read("log");
    for (first, then) in [
        ("success: a entered RUNNING", "spawned: 'b'"),
        ("success: b entered RUNNING", "spawned: 'c'"),
        ("success: once entered RUNNING", "spawned: 'p0'"),
        ("success: p0 entered RUNNING", "spawned: 'd'"),
        ("success: p1 entered RUNNING", "spawned: 'd'"),
        ("success: p1 entered RUNNING", "spawned: 'e'"),
        ("spawned: 'two'", "spawned: 'p0'"),
    ] {
        assert!(place(&log, first) < place(&log, then), "{first:?} comes before {then:?} in\n{log}");
    }
    assert!(log.contains(" c waits for b a\n") && log.contains(" e waits for both:p0 both:p1\n"), "{log}");
    assert!(!log.contains("without having waited"), "{log}");
}

/// Nobody waits for ever; a start by hand does not wait, a stop by hand ends the waiting, and another core goes on with it.
#[test]
fn a_program_that_waits_is_started_in_time_or_by_hand() {
    let text = "[program:never]\ncommand = sleep 300\nautostart = false\nstartsecs = 0\n\
                [program:short]\ncommand = sleep 300\nstartsecs = 0\nafter = never\nafter_timeout = 1\n\
                [program:none]\ncommand = sleep 300\nstartsecs = 0\nafter = never\nafter_timeout = 0\n\
                [program:hand]\ncommand = sleep 300\nstartsecs = 0\nafter = never\n\
                [program:stopped]\ncommand = sleep 300\nstartsecs = 0\nafter = never\n\
                [program:gone]\ncommand = sleep 300\nstartsecs = 0\nafter = never\n\
                [program:last]\ncommand = sleep 300\nstartsecs = 0\nafter = never hand\n";
    let Some(mut hosted) = Hosted::start(text, &[]) else { return };
    assert!(is_running(&hosted, "none"));
    for name in ["hand", "stopped"] {
        let waiting = status(&hosted, name);
        assert!(waiting.contains("STOPPED") && waiting.contains("waits for never"), "{waiting}");
    }
    hosted.daemon.signal(libc::SIGUSR1);
    hosted.wait_for("log", "goes on with all that was there");
    assert!(hosted.call("supervisor.startProcess", "hand").contains("true"));
    assert!(hosted.call("supervisor.stopProcess", "stopped").contains("true"));
    assert!(hosted.call("supervisor.removeProcessGroup", "gone").contains("true"));
    assert!(status(&hosted, "stopped").contains("Not started"), "{}", status(&hosted, "stopped"));
    hosted.wait_for("log", "short starts without having waited to the end: never not up after 1 s");
    wait_until("it runs", PATIENCE, || is_running(&hosted, "short"));
    assert!(status(&hosted, "last").contains("waits for never hand"));
    assert!(hosted.call("supervisor.startProcess", "never").contains("true"));
    wait_until("the last one runs", PATIENCE, || is_running(&hosted, "last"));
    assert!(status(&hosted, "stopped").contains("STOPPED"));
}

/// Taken away while others wait for it, as by a change of its own: it is waited for as long as was said, and goes on being waited for when it is back.
#[test]
fn what_is_taken_away_meanwhile_is_waited_for_in_time_or_until_it_is_back() {
    let text = "[program:goes]\ncommand = sleep 300\nautostart = false\nstartsecs = 0\n\
                [program:short]\ncommand = sleep 300\nstartsecs = 0\nafter = goes\nafter_timeout = 5\n\
                [program:long]\ncommand = sleep 300\nstartsecs = 0\nafter = goes\nafter_timeout = 600\n";
    let Some(hosted) = Hosted::start(text, &[]) else { return };
    assert!(hosted.call("supervisor.removeProcessGroup", "goes").contains("true"));
    assert!(status(&hosted, "long").contains("waits for goes"), "{}", status(&hosted, "long"));
    hosted.wait_for("log", "short starts without having waited to the end: goes not up after 5 s");
    wait_until("it runs", PATIENCE, || is_running(&hosted, "short"));
    assert!(hosted.call("supervisor.addProcessGroup", "goes").contains("true"));
    assert!(!is_running(&hosted, "long"), "it is there again, and not up");
    assert!(hosted.call("supervisor.startProcess", "goes").contains("true"));
    wait_until("it runs", PATIENCE, || is_running(&hosted, "long"));
}

/// What comes with an update waits as what comes at boot does, and not for a program that has done its work. Another order alone restarts nothing.
#[test]
fn groups_that_are_added_wait_too() {
    let text = "[program:a]\ncommand = sleep 300\nstartsecs = 0\n[program:once]\ncommand = true\nstartsecs = 0\nautorestart = false\n";
    let Some(hosted) = Hosted::start(text, &[]) else { return };
    hosted.wait_for("log", "exited: once");
    let before = append(
        &hosted,
        "[program:x]\ncommand = sleep 300\nstartsecs = 0\nafter = y once nobody\n[program:y]\ncommand = sleep 300\nstartsecs = 0\n",
    );
    assert!(reload(&hosted).contains("Text(\"x\")"));
    assert!(hosted.call("supervisor.addProcessGroup", "x").contains("true"));
    hosted.wait_for("log", "x does not wait for nobody: there is no such program");
    hosted.wait_for("log", "x waits for y\n");
    assert!(hosted.call("supervisor.addProcessGroup", "y").contains("true"));
    wait_until("it runs", PATIENCE, || is_running(&hosted, "x"));
    let changed = before.replace("sleep 300\n", "sleep 300\nafter = x\n")
        + "[program:x]\ncommand = sleep 300\nstartsecs = 0\n[program:y]\ncommand = sleep 300\nstartsecs = 0\nafter = x\n";
    hosted.root.write("conf", changed);
    let lists = reload(&hosted);
    assert_eq!(lists.matches("Text(").count(), 0, "{lists}");
}

/// At boot a circle keeps nothing down; whoever reads it anew is told its names, and nothing changes.
#[test]
fn a_circle_is_refused_by_name() {
    let text = "[program:a]\ncommand = sleep 300\nstartsecs = 0\nafter = b\n\
                [program:b]\ncommand = sleep 300\nstartsecs = 0\nafter = a\n\
                [program:c]\ncommand = sleep 300\nstartsecs = 0\nafter = a\n";
    let Some(hosted) = Hosted::start(text, &[]) else { return };
    wait_until("all run", PATIENCE, || ["a", "b", "c"].iter().all(|name| is_running(&hosted, name)));
    let log = hosted.root.read("log");
    let said = "CRIT programs start after each other in a circle: a after b after a; none of them waits\n";
    assert!(log.contains(said), "{log}");
    let answer = reload(&hosted);
    assert!(answer.contains("92") && answer.contains("in a circle: a after b after a"), "{answer}");
    let first = hosted.root.read("conf").replace("after = b\n", "").replace("after = a\n", "");
    hosted.root.write("conf", first + "[program:own]\ncommand = sleep 300\nafter = own\n");
    let answer = reload(&hosted);
    assert!(answer.contains("in a circle: own after own"), "{answer}");
    for (option, why) in [
        ("after_timeout = 601", "after_timeout 601 is above upper bound (600)"),
        ("after = a:b", "because of character: ':'"),
    ] {
        hosted.root.write("conf", hosted.root.read("conf") + &format!("[program:own]\nafter =\n{option}\n"));
        let answer = reload(&hosted);
        assert!(answer.contains(why), "{answer}");
    }
}
