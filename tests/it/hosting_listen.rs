//! Event listeners on our own supervisord that do not do what they should, and pools that are full (Supervisor/supervisor 1417, 220; superlance 119,
//! 131; sonic-buildimage 5241).

use gwe::format::xmlrpc::Param;
use gwe_tests::harness::{agent_binary, announce_skip, call, wait_until, Background, Scratch};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);

/// One event: its header and its body into a file, then what the first argument says of it.
const HEAR: &str = "#!/bin/sh
# hear.sh FILE ANSWER
hear() {
  printf 'READY\\n'
  read -r header || exit 0
  len=${header##*len:}
  body=$(dd bs=1 count=\"$len\" 2>/dev/null)
  printf '%s|%s\\n' \"$header\" \"$body\" >>\"$1\"
}
";

/// A daemon of our own with files beside it.
pub struct Hosted {
    pub root: Scratch,
    pub daemon: Background,
}

impl Hosted {
    /// `{hear}` in a script stands for the function that waits for one event.
    pub fn start(configuration: &str, scripts: &[(&str, &str)]) -> Option<Hosted> {
        if !agent_binary().with_file_name("hosting-core").is_file() {
            announce_skip("needs hosting-core beside the agent");
            return None;
        }
        let root = Scratch::new();
        symlink(agent_binary(), root.path("supervisord")).unwrap();
        // Beside a pid file there the link lies by which another core is brought.
        fs::create_dir(root.path("run")).unwrap();
        for (name, text) in scripts {
            root.write(name, [HEAR, text].concat().replace("{root}", &root.root().to_string_lossy()));
        }
        let text = "[supervisord]\nlogfile = {root}/log\npidfile = {root}/run/pid\nchildlogdir = {root}\n\
                    [unix_http_server]\nfile = {root}/sock\n\
                    [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n";
        let file = root.write("conf", [text, configuration].concat().replace("{root}", &root.root().to_string_lossy()));
        let mut command = Command::new(root.path("supervisord"));
        let daemon = Background::start(command.args(["-n", "-c"]).arg(file), &root, "output");
        wait_until("the daemon", PATIENCE, || root.has("log") && root.read("log").contains("started with pid"));
        Some(Hosted { root, daemon })
    }

    fn event(&self, kind: &str, data: &str) {
        let params = [Param::Text(kind), Param::Text(data)];
        call(&self.root.path("sock"), "supervisor.sendRemoteCommEvent", &params, PATIENCE).unwrap();
    }

    pub fn call(&self, method: &str, name: &str) -> String {
        format!("{:?}", call(&self.root.path("sock"), method, &[Param::Text(name)], PATIENCE))
    }

    pub fn wait_for(&self, file: &str, text: &str) {
        let what = format!("{text:?} in {file}");
        wait_until(&what, PATIENCE, || self.root.has(file) && self.root.read(file).contains(text));
    }

    fn logged(&self, text: &str) -> usize {
        self.root.read("log").matches(text).count()
    }
}

#[test]
fn a_listener_that_talks_out_of_turn_hears_no_more_until_it_is_started_again() {
    let listener = "[eventlistener:l]\ncommand = sh {root}/l.sh\nevents = REMOTE_COMMUNICATION\nstartsecs = 0\n";
    let script = "printf 'READY\\nhello\\n'\n[ -e {root}/good ] || exec sleep 300\n";
    let good = "while :; do hear {root}/heard; printf 'RESULT 2\\nOK'; done\n";
    let Some(hosted) = Hosted::start(listener, &[("l.sh", script), ("good.sh", good)]) else { return };
    hosted.wait_for("log", "-> UNKNOWN");
    hosted.event("lost", "no");
    assert!(hosted.call("supervisor.getProcessInfo", "l").contains("RUNNING"), "it goes on running");
    assert_eq!(hosted.logged("-> UNKNOWN"), 1, "said once");
    // The next one behaves, and gets what has waited.
    let text = hosted.root.read("good.sh");
    hosted.root.write("l.sh", text);
    hosted.call("supervisor.stopProcess", "l");
    hosted.call("supervisor.startProcess", "l");
    hosted.wait_for("heard", "type:lost");
    hosted.event("next", "one");
    hosted.wait_for("heard", "type:next");
}

#[test]
fn a_buffer_that_is_full_loses_its_oldest_event_and_says_so() {
    let listener =
        "[eventlistener:l]\ncommand = sh {root}/l.sh\nevents = REMOTE_COMMUNICATION\nstartsecs = 0\nbuffer_size = 3\n";
    let script = "while [ ! -e {root}/go ]; do sleep 0.05; done\n\
                  while :; do hear {root}/heard; printf 'RESULT 2\\nOK'; done\n";
    let Some(hosted) = Hosted::start(listener, &[("l.sh", script)]) else { return };
    for number in 0..8 {
        hosted.event(&format!("kind{number}"), "x");
    }
    assert_eq!(hosted.logged("pool l event buffer overflowed, discarding event "), 5);
    hosted.root.write("go", "");
    hosted.wait_for("heard", "type:kind7");
    let heard = hosted.root.read("heard");
    let kinds: Vec<&str> = heard.lines().filter_map(|line| line.split("type:").nth(1)).collect();
    assert_eq!(kinds, ["kind5", "kind6", "kind7"]);
    let pool_serials: Vec<&str> =
        heard.lines().filter_map(|line| line.split("poolserial:").nth(1)?.split(' ').next()).collect();
    assert_eq!(pool_serials, ["5", "6", "7"]);
}

/// In 4.3.0 it goes to each pool of the same priority again.
#[test]
fn a_rejected_event_comes_again_to_its_own_pool_alone() {
    let listeners = "[eventlistener:fussy]\ncommand = sh {root}/fussy.sh\nevents = REMOTE_COMMUNICATION\nstartsecs = 0\n\
                     [eventlistener:other]\ncommand = sh {root}/other.sh\nevents = REMOTE_COMMUNICATION\nstartsecs = 0\n";
    let fussy =
        "hear {root}/fussy; printf 'RESULT 4\\nFAIL'; while :; do hear {root}/fussy; printf 'RESULT 2\\nOK'; done\n";
    let other = "while :; do hear {root}/other; printf 'RESULT 2\\nOK'; done\n";
    let Some(hosted) = Hosted::start(listeners, &[("fussy.sh", fussy), ("other.sh", other)]) else { return };
    hosted.event("first", "x");
    hosted.event("second", "x");
    hosted.wait_for("fussy", "type:second");
    hosted.wait_for("other", "type:second");
    assert_eq!(hosted.root.read("fussy").matches("type:first").count(), 2);
    assert_eq!(hosted.root.read("other").matches("type:first").count(), 1);
    // The same event, with the numbers that it had.
    let heard = hosted.root.read("fussy");
    let mut headers = heard.lines().filter(|line| line.contains("serial:")).map(|line| line.split('|').next());
    assert_eq!(headers.next(), headers.next());
}

#[test]
fn an_event_whose_listener_died_over_it_goes_to_the_next_one() {
    let listener = "[eventlistener:l]\ncommand = sh {root}/l.sh\nevents = REMOTE_COMMUNICATION\nstartsecs = 0\nautorestart = true\n";
    let script = "if [ ! -e {root}/heard ]; then hear {root}/heard; exit 1; fi\n\
                  while :; do hear {root}/again; printf 'RESULT 2\\nOK'; done\n";
    let Some(hosted) = Hosted::start(listener, &[("l.sh", script)]) else { return };
    hosted.event("deadly", "x");
    hosted.wait_for("heard", "type:deadly");
    hosted.wait_for("again", "type:deadly");
}

/// A renewal of the core: the event that is being worked on is answered to the new one, those that wait come in their order, what is being captured goes
/// on, and a listener that has said that it is ready need not say it again.
#[test]
fn events_and_what_is_being_captured_go_over_a_renewal_of_the_core() {
    let text = "[eventlistener:l]\ncommand = sh {root}/l.sh\nevents = REMOTE_COMMUNICATION\nstartsecs = 0\n\
                [eventlistener:c]\ncommand = sh {root}/c.sh\nevents = PROCESS_COMMUNICATION\nstartsecs = 0\n\
                [program:p]\ncommand = sh {root}/p.sh\nstartsecs = 0\nstdout_logfile = {root}/p.log\nstdout_capture_maxbytes = 1000\n";
    let listener = "hear {root}/heard; while [ ! -e {root}/go ]; do sleep 0.05; done; printf 'RESULT 2\\nOK'\n\
                    while :; do hear {root}/heard; printf 'RESULT 2\\nOK'; done\n";
    let ready = "while :; do hear {root}/captured; printf 'RESULT 2\\nOK'; done\n";
    let program = "printf 'before<!--XSUPERVISOR:BEGIN-->one, <!--XSUPER'; touch {root}/begun\n\
                   while [ ! -e {root}/go ]; do sleep 0.05; done; printf 'VISOR:END-->after'; exec sleep 300\n";
    let scripts = [("l.sh", listener), ("c.sh", ready), ("p.sh", program)];
    let Some(mut hosted) = Hosted::start(text, &scripts) else { return };
    for number in 0..4 {
        hosted.event(&format!("kind{number}"), "x");
    }
    hosted.wait_for("heard", "type:kind0");
    hosted.wait_for("p.log", "before");
    hosted.daemon.signal(libc::SIGUSR1);
    hosted.wait_for("log", "goes on with all that was there");
    hosted.event("kind4", "x");
    hosted.root.write("go", "");
    hosted.wait_for("heard", "type:kind4");
    let heard = hosted.root.read("heard");
    let kinds: Vec<&str> = heard.lines().filter_map(|line| line.split("type:").nth(1)).collect();
    assert_eq!(kinds, ["kind0", "kind1", "kind2", "kind3", "kind4"]);
    hosted.wait_for("captured", "\none, \n");
    hosted.wait_for("p.log", "beforeafter");
}

/// Listeners in Python read text: the length counts characters (638, 664).
#[test]
fn the_length_of_an_event_counts_characters() {
    let listener = "[eventlistener:l]\ncommand = sh {root}/l.sh\nevents = REMOTE_COMMUNICATION\nstartsecs = 0\n";
    let script = "printf 'READY\\n'; read -r header; echo $header >{root}/heard; exec sleep 300\n";
    let Some(hosted) = Hosted::start(listener, &[("l.sh", script)]) else { return };
    hosted.event("größe", "ö");
    // type:größe, a newline, ö.
    hosted.wait_for("heard", "eventname:REMOTE_COMMUNICATION len:12");
}
