//! Fragments row by row; `differential` asks the real supervisord.

mod differential;

use std::path::Path;

use super::gateway::{LogFolder, Variable};
use super::*;

fn defaults() -> FragmentDefaults<'static> {
    FragmentDefaults { log_file: Path::new("/var/log/my_app.log"), directory: Path::new("/var/lib/gwe/apps/my_app/1") }
}

fn made(conf: &str) -> String {
    fragment("my_app", conf, &defaults(), &AnyGateway).unwrap_or_else(|faults| panic!("{conf:?}: {faults:?}"))
}

#[test]
fn the_section_is_renamed_and_completed() {
    assert_eq!(
        made("[supervisord]\n"),
        "[program:my_app]\n\
         command = command\n\
         directory = /var/lib/gwe/apps/my_app/1\n\
         stdout_logfile = /var/log/my_app.log\n\
         redirect_stderr = true\n\
         stdout_logfile_maxbytes = 200KB\n\
         stdout_logfile_backups = 1\n"
    );
}

#[test]
fn what_the_file_sets_stays() {
    let conf = "; demo\n[supervisord]\ncommand = /usr/bin/my_app ; the old one\nCOMMAND: /usr/bin/my_app --new\n\
                stdout_logfile = /tmp/%(program_name)s.log\nredirect_stderr = false\nstdout_logfile_maxbytes = 1MB\n\
                stdout_logfile_backups = 3\ndirectory = /opt\nenvironment = A=\"1\",\n  B=\"2\"\nunknown_option = kept\n";
    assert_eq!(
        made(conf),
        "[program:my_app]\n\
         command = /usr/bin/my_app --new\n\
         stdout_logfile = /tmp/%(program_name)s.log\n\
         redirect_stderr = false\n\
         stdout_logfile_maxbytes = 1MB\n\
         stdout_logfile_backups = 3\n\
         directory = /opt\n\
         environment = A=\"1\",\n\tB=\"2\"\n\
         unknown_option = kept\n"
    );
}

#[test]
fn here_and_a_leading_dot_mean_the_apps_folder() {
    let command = |conf: &str, directory: &str| {
        let defaults = FragmentDefaults { directory: Path::new(directory), ..defaults() };
        let text = fragment("a", &format!("[supervisord]\n{conf}\n"), &defaults, &AnyGateway).unwrap();
        Ini::parse(&text).unwrap().get("program:a", "command").unwrap().to_string()
    };
    assert_eq!(command("command = ./run.sh --x", "/d"), "/d/run.sh --x");
    assert_eq!(command("command = %(here)s/run.sh", "/d"), "/d/run.sh");
    assert_eq!(command("command = ./run.sh\ndirectory = /opt/x/", "/d"), "/opt/x/run.sh");
    assert_eq!(command("command = python3 run.py", "/d"), "python3 run.py");
    let conf = "[supervisord]\nprobe = ./ask.sh --x\n";
    assert!(made(conf).contains("probe = /var/lib/gwe/apps/my_app/1/ask.sh --x\n"), "{}", made(conf));
    assert_eq!(command("command = ./run.sh", "/with space/it's"), "'/with space/it'\"'\"'s'/run.sh");
    assert_eq!(command("command = ./run.sh", "/50%/d"), "/50%%/d/run.sh");
}

#[test]
fn a_percent_sign_in_our_own_paths_survives_supervisords_expansions() {
    let defaults = FragmentDefaults { log_file: Path::new("/50%/a.log"), directory: Path::new("/50%/d") };
    let text = fragment("a", "[supervisord]\n", &defaults, &AnyGateway).unwrap();
    assert!(text.contains("directory = /50%%/d\n") && text.contains("stdout_logfile = /50%%%%/a.log\n"), "{text}");
}

#[test]
fn all_faults_at_once() {
    let told = |conf: &str| check("one", conf).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(told("[supervisord]\ncommand = x\n"), Vec::<String>::new());
    assert_eq!(
        told("[supervisord]\nstartsecs = soon\nautorestart = always\nstopsignal = SIGNOPE\ncommand = %(nope)s\nnumprocs = 0\n"),
        [
            "autorestart: `always` is none of true, false, unexpected",
            "startsecs: `soon` is no whole number",
            "stopsignal: `SIGNOPE` is no signal, as TERM, INT, USR1",
            "numprocs: not between 1 and 100",
            "command: %(nope)s names nothing that supervisord knows here",
        ]
    );
    // Options of our own (docs/hosting.md).
    assert_eq!(told("[supervisord]\nafter = b, c d\nafter_timeout = 600\n"), Vec::<String>::new());
    assert_eq!(
        told("[supervisord]\nafter = app one\nafter_timeout = 601\n"),
        ["after: names the app itself, which would wait for itself", "after_timeout: not between 0 and 600"]
    );
    assert_eq!(told("[supervisord]\nprobe = ./ask %(process_num)d\nprobe_interval = 5\n"), Vec::<String>::new());
    assert_eq!(
        told("[supervisord]\nprobe = 'half\nprobe_timeout = 0\nprobe_retries = 101\n"),
        [
            "probe_timeout: not between 1 and 300",
            "probe_retries: not between 1 and 100",
            "probe: a quote without its partner",
        ]
    );
    assert_eq!(told("[supervisord]\nprobe_interval = 5\n"), ["probe: is empty"]);
    assert_eq!(told("[supervisord]\nafter = a:b\n"), ["after: `:` may not stand in a process name"]);
    assert_eq!(told(""), ["no [supervisord] section: without it the file is not recognised"]);
    assert_eq!(
        told("[program:x]\ncommand=x\n[DEFAULT]\na=b\n"),
        [
            "no [supervisord] section: without it the file is not recognised",
            "a section [program:x]: only [supervisord] may stand here, which becomes the app's own",
            "a section [DEFAULT]: only [supervisord] may stand here, which becomes the app's own",
        ]
    );
    assert_eq!(told("command = x\n"), ["line 1: an option before the first [section]"]);
    assert_eq!(told("[supervisord]\njunk\n"), ["line 2: neither a [section] nor `key = value`"]);
    assert_eq!(told("[supervisord]\ncommand = a\u{b}b\n"), ["a control character; the file must be plain text"]);
}

#[test]
fn what_only_the_gateway_knows_is_asked_of_it() {
    struct Bare;
    impl HostView for Bare {
        fn host(&self) -> Variable {
            Variable::Is("box".into())
        }
        fn variable(&self, name: &str) -> Variable {
            if name == "SECONDS" {
                Variable::Is("often".into())
            } else {
                Variable::Missing
            }
        }
        fn folder(&self, path: &Path) -> LogFolder {
            match path.to_str() {
                Some("/var/log" | "/box") => LogFolder::Stays,
                Some("/run/my_app") => LogFolder::GoesAtReboot,
                _ => LogFolder::Missing,
            }
        }
        fn has_user(&self, user: &str) -> bool {
            user == "root"
        }
    }
    let told = |conf: &str| match fragment("a", &format!("[supervisord]\n{conf}\n"), &defaults(), &Bare) {
        Ok(_) => String::new(),
        Err(faults) => faults.iter().map(|f| f.to_string() + "\n").collect(),
    };
    assert_eq!(told("user = root\nstderr_logfile = /%(host_node_name)s/x.log"), "");
    assert_eq!(told("user = nobody_here"), "user: there is no user `nobody_here`\n");
    assert_eq!(
        told("stdout_logfile = /opt/a.log"),
        "stdout_logfile: the folder /opt does not exist; install.sh may make it\n"
    );
    assert!(told("stdout_logfile = /run/my_app/a.log")
        .contains("is gone after a reboot, and then supervisord would not start"));
    assert_eq!(told("command = %(ENV_NOPE)s"), "command: %(ENV_NOPE)s names nothing that supervisord knows here\n");
    // The value of a variable is never quoted but where it is itself what is wrong.
    assert_eq!(told("startsecs = %(ENV_SECONDS)s"), "startsecs: `often` is no whole number\n");
    // A developer's machine cannot know: no fault there.
    assert_eq!(
        check("one", "[supervisord]\nuser=app\nstdout_logfile=/opt/a.log\ncommand=%(ENV_NOPE)s\nstartsecs=%(ENV_N)s\n"),
        []
    );
    // A fragment that was good once.
    let good = made("[supervisord]\nuser = root\n");
    assert_eq!(check_fragment(&good, &Bare), []);
    assert_eq!(check_fragment(&good.replace("root", "gone"), &Bare).len(), 1);
    assert_eq!(check_fragment("[eventlistener:x]\nbuffer_size=nope\n", &Bare), []);
}

#[test]
fn any_text_ends_in_an_answer() {
    let pieces = [
        "[supervisord]",
        "[",
        "]",
        "\n",
        " ",
        "=",
        ":",
        "%",
        "(",
        ")s",
        "\"",
        "'",
        "#",
        ";",
        "numprocs",
        "environment",
        "A",
        "9",
        "\t",
        "é",
        "\u{2028}",
        "%(ENV_A)s",
    ];
    let mut seed = 3u32;
    for _ in 0..5000 {
        let mut text = String::from("[supervisord]\n");
        for _ in 0..12 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push_str(pieces[(seed >> 8) as usize % pieces.len()]);
        }
        if let Ok(written) = fragment("a", &text, &defaults(), &AnyGateway) {
            assert_eq!(check_fragment(&written, &AnyGateway), [], "{text:?}");
        }
    }
}
