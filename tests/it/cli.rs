//! `gwe`'s command line from outside: every flag of the table, what it prints and where, exit statuses, and what a person or a
//! script may type wrong.

use gwe_tests::harness::{run, Gateway, Ran, Scratch, Tarball};
use gwe_tests::skip;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const SHORT: Duration = Duration::from_secs(20);
const CIK: &str = "0123456789abcdefABCDEF0123456789abcdef01";
/// Longer than any message needs to be.
const SCREENFUL: usize = 1000;

/// A row: flags, the file that is printed, and the line of it that has changed.
type Setter = (&'static [&'static str], &'static str, &'static str, &'static str);

/// Each setter by all its spellings.
const SETTERS: &[Setter] = &[
    (&["-c", "--set-cik"], CIK, "[device]", "cik = 0123456789abcdefABCDEF0123456789abcdef01"),
    (&["-m", "--set-model"], "m1", "[device]", "model = m1"),
    (&["-r", "--set-vendor"], "v1", "[device]", "vendor = v1"),
    (&["-P", "--product-id", "--set-product-id"], "p1", "[device]", "model = p1\nvendor = p1"),
    (&["-u", "--set-uuid"], "unit-1", "[device]", "uuid = unit-1"),
    (&["-i", "--set-iface"], "nosuch0", "[device]", "iface = nosuch0"),
    (&["-l", "--set-act-retry-interval"], "77", "[engine]", "activation_retry_interval = 77"),
    (&["-t", "--set-update-interval"], "1", "[engine]", "update_interval = 1"),
    (&["-a", "--set-user-agent"], "My Agent/1", "[engine]", "user_agent = My Agent/1"),
    (&["--set-server"], "http://127.0.0.1:9", "[engine]", "server = http://127.0.0.1:9"),
    (&["--set-push"], "yes", "[engine]", "push = yes"),
    (&["--set-apply"], "reboot", "[install]", "apply = reboot"),
    (&["--set-window"], "23:00-01:30", "[install]", "window = 23:00-01:30"),
    (&["--set-max-rate"], "64k", "[network]", "max_rate = 64k"),
    (&["--set-monthly-bytes"], "50M", "[network]", "monthly_bytes = 50M"),
    (&["--set-no-downloads-on"], "wwan* ppp0", "[network]", "no_downloads_on = wwan* ppp0"),
    (&["--set-backend"], "ddi", "[engine]", "backend = ddi"),
    (&["--set-ddi-url"], "https://hb.example", "[ddi]", "url = https://hb.example"),
    (&["--set-ddi-tenant"], "T", "[ddi]", "tenant = T"),
    (&["--set-ddi-id"], "<product>-<uuid>", "[ddi]", "id = <product>-<uuid>"),
    (&["--set-ddi-token"], "t-secret", "[ddi]", "token = ************"),
    (&["--set-ddi-token-kind"], "gateway", "[ddi]", "token_kind = gateway"),
    (&["--set-ddi-interval"], "60", "[ddi]", "interval = 60"),
    (&["--set-ddi-confirm"], "auto", "[ddi]", "confirm = auto"),
    (&["-d", "--set-debug-level"], "debug", "[engine]", "log_level = DEBUG"),
];

/// Commands on a gateway that is not configured: exit status, the beginning of stdout, a part of stderr.
const COMMANDS: &[(&[&str], i32, &str, &str)] = &[
    (&["-h"], 0, "gwe - Gateway Engine", ""),
    (&["--help"], 0, "gwe - Gateway Engine", ""),
    (&["-v"], 0, env!("CARGO_PKG_VERSION"), ""),
    (&["--version"], 0, env!("CARGO_PKG_VERSION"), ""),
    (&["-p"], 0, "/", ""),
    (&["--path"], 0, "/", ""),
    (&["-e"], 0, "[engine]\nserver = ''\n", ""),
    (&["--engine-conf"], 0, "[engine]\nserver = ''\n", ""),
    (&["-g"], 0, "[device]\ncik = ''\nmodel = ''\nvendor = ''\nuuid = ''\niface = ''\n", ""),
    (&["--gateway-cfg"], 0, "[device]\ncik = ''\n", ""),
    (&["-C"], 0, "''\n", ""),
    (&["--gateway-cik"], 0, "''\n", ""),
    (&["--status"], 0, "Gateway\n", ""),
    (&["--status", "--json"], 0, "{\"version\":", ""),
    (&["--json", "--status"], 0, "{\"version\":", ""),
    (&["--support-bundle"], 0, "Support bundle of Gateway Engine v", ""),
    (&["-o"], 255, "", "gwe --set-product-id <PRODUCT_ID>"),
    (&["--once"], 255, "", "gwe --set-product-id <PRODUCT_ID>"),
    (&[], 255, "", "gwe --set-product-id <PRODUCT_ID>"),
    (&["--mac-address", "nosuch0"], 1, "", "interface nosuch0 has no MAC; interfaces with one:"),
    (&["--check-config"], 0, "[PASS]\n", ""),
    (&["--download-latest"], 2, "", "there is no release area any more"),
    (&["-I", "none.v1.tar.gz"], 1, "", "there is no file none.v1.tar.gz"),
    (&["--listen"], 1, "", "cannot listen: this gateway is not activated"),
    (&["--install-apps", "none.v1.tar.gz"], 1, "", "there is no file none.v1.tar.gz"),
    (&["none.v1.tar.gz", "-I"], 1, "", "there is no file none.v1.tar.gz"),
    (&["-I"], 2, "", "--install-apps wants at least one tarball"),
    (&["--remove-app", "app.v1.tar.gz"], 1, "[gwe] failed to remove app.v1.tar.gz: ", ""),
    (&["--remove-app", ""], 1, "[gwe] failed to remove : no app", ""),
    (&["--install-now"], 0, "nothing waits\n", ""),
    (&["--install-now", "all"], 0, "nothing waits\n", ""),
    (&["--install-now", "app", "other"], 2, "", "--install-now wants one app's name, or all"),
    (&["--forget", "app.v1.tar.gz"], 0, "nothing is held against app\n", ""),
    (&["--forget", "all"], 0, "nothing is held against all\n", ""),
    (&["--forget", ""], 2, "", "--forget wants an app's name, or all"),
    (&["-z", "none.v1.tar.gz"], 1, "[FAIL] ", ""),
    (&["--check-tarball", "none.v1.tar.gz"], 1, "[FAIL] ", ""),
    (&["--check-tarball", "none.v2.from.v1.delta"], 1, "[FAIL] cannot be read", ""),
    (&["--check-tarball", "none.delta"], 1, "[FAIL] a delta is named ", ""),
    (&["--build-delta"], 2, "", "--build-delta wants OLD NEW"),
    (&["--build-delta", "a.v1.tar.gz"], 2, "", ""),
    (&["--apply-delta"], 2, "", "--apply-delta wants DELTA OLD"),
    (&["--apply-delta", "none.v2.from.v1.delta", "."], 1, "", "no tarball is made: "),
    (&["--apply-delta", "a.v2.tar.gz", "."], 1, "", "a delta is named "),
    (&["-w", "none.json"], 1, "[FAIL] there is no none.json; gwe --create-buildfile makes one\n", ""),
    (&["--check-buildfile", "none.json"], 1, "[FAIL] ", ""),
    (&["-y", "none.json"], 1, "", "none.json is not built"),
    (&["--build-app", "none.json"], 1, "", "[FAIL] there is no none.json"),
    (&["--build-app-tarball", "none.json"], 1, "", "none.json is not built"),
    (&["-y", "none.json", "-n", "x", "-s", "1"], 1, "", "none.json is not built"),
    (&["--app-version=1", "--build-app=none.json", "--app-name=x"], 1, "", "none.json is not built"),
    // The buildfile's questions are answered by an empty stdin, and cli_developer.rs goes on from there.
    (&["-x"], 0, "buildfile name [build.json]: app name [", ""),
    (&["--create-buildfile"], 1, "buildfile name [build.json]: that file exists", "no buildfile is written"),
    (&["--root", "elsewhere", "-C"], 0, "''\n", ""),
    // Wrong usage.
    (&["--staus"], 2, "", "unknown flag --staus; did you mean --status?; see gwe --help"),
    (&["--build", "x"], 2, "", "did you mean --build-app?"),
    (&["-q"], 2, "", "unknown flag -q; see gwe --help"),
    (&["-ov"], 2, "", "unknown flag -ov"),
    (&["my_app.v1.tar.gz"], 2, "", "nothing to do with my_app.v1.tar.gz (to install it: --install-apps)"),
    (&["--status", "extra"], 2, "", "nothing to do with extra"),
    (&["--json"], 2, "", "--json goes with --status"),
    (&["--once", "--json"], 2, "", "--json goes with --status"),
    (&["-n", "x"], 2, "", "--app-name goes with --build-app"),
    (&["-z", "x", "-s", "1"], 2, "", "--app-version goes with --build-app"),
    (&["--once", "--status"], 2, "", "--status and --once are two commands: give one"),
    (&["-d"], 2, "", "-d wants LEVEL"),
    (&["-d", "LOUD"], 2, "", "-d wants DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    (&["--set-uuid"], 2, "", "--set-uuid wants SERIAL"),
    (&["--set-uuid", "--status"], 2, "", "--set-uuid wants SERIAL before --status"),
    (&["-u", "a", "--set-uuid=b"], 2, "", "--set-uuid is given twice"),
    (&["--set-uuid", "two words"], 2, "", "uuid cannot be 'two words': it must be one word without white space"),
    (&["--set-cik", "short"], 2, "", "cik cannot be 'short': it must be 40 letters and digits, or '' to clear it"),
    (&["--set-update-interval", "0"], 2, "", "it must be a whole number of seconds from 1"),
    (&["-t", "-5"], 2, "", "update_interval cannot be '-5'"),
    (&["-t", "12h"], 2, "", "update_interval cannot be '12h'"),
    (&["--set-server", "example"], 2, "", "it must be a URL such as https://PRODUCT_ID.m2.exosite.io"),
    (&["-P", "p", "-t", "soon"], 2, "", "update_interval cannot be 'soon'"),
];

/// `gwe` in a folder of its own, so that what it writes or finds there is the test's.
fn gwe_in(folder: &Path, gateway: &Gateway, arguments: &[&str]) -> Ran {
    run(gateway.command("gwe").args(arguments).current_dir(folder), SHORT)
}

#[test]
fn every_command_prints_data_to_stdout_and_the_rest_to_stderr() {
    let (gateway, folder) = (Gateway::new(), Scratch::new());
    for (arguments, code, stdout, stderr) in COMMANDS {
        let ran = gwe_in(folder.root(), &gateway, arguments).exited(*code);
        assert!(ran.stdout.starts_with(stdout), "stdout should begin with {stdout:?}\n{}", ran.report());
        assert!(ran.stderr.contains(stderr), "stderr should have {stderr:?}\n{}", ran.report());
        assert_eq!(stdout.is_empty(), ran.stdout.is_empty(), "{}", ran.report());
        // Both ask supervisord, and tell that there is none.
        if *code == 0 && !arguments.contains(&"--status") && !arguments.contains(&"--support-bundle") {
            assert_eq!(ran.stderr, "", "{}", ran.report());
        }
    }
    assert!(!gateway.root().has("var/lib/gwe/Engine.config"), "the two wrong settings at the end set nothing");
    assert!(!gateway.root().has("var/lib/gwe/Gateway.cfg"), "a good setting beside a wrong one sets nothing");
}

#[test]
fn every_flag_of_the_table_is_tested_here() {
    let called = |spelling: &str| {
        let is = |word: &str| word == spelling || word.strip_prefix(spelling).is_some_and(|r| r.starts_with('='));
        COMMANDS.iter().any(|(words, ..)| words.iter().any(|word| is(word)))
            || SETTERS.iter().any(|(spellings, ..)| spellings.contains(&spelling))
    };
    let flags = gwe::cli::gwe::TABLE.iter().flat_map(|(_, rows)| rows.iter().map(|row| &row.flag));
    let spellings: Vec<&str> = flags.flat_map(gwe::cli::flags::Flag::spellings).collect();
    assert!(spellings.len() > 50, "{spellings:?}");
    for spelling in spellings {
        assert!(called(spelling), "no row of COMMANDS or SETTERS in tests/it/cli.rs has {spelling}");
    }
}

#[test]
fn every_setter_prints_the_new_configuration_in_every_spelling() {
    for (spellings, value, file, line) in SETTERS {
        for spelling in *spellings {
            let gateway = Gateway::new();
            let set = gateway.gwe(&[spelling, value]);
            if *value == "ddi" && set.stderr.contains("this program was built without ddi") {
                set.exited(2);
                continue;
            }
            let set = set.ok();
            let (head, is_own_file) = (format!("{file}\n"), !matches!(*file, "[ddi]" | "[install]" | "[network]"));
            assert!(
                if is_own_file { set.stdout.starts_with(&head) } else { set.stdout.contains(&head) },
                "{}",
                set.report()
            );
            assert!(set.stdout.contains(&format!("\n{line}\n")), "{}", set.report());
            let show = if matches!(*file, "[engine]" | "[install]" | "[network]") { "-e" } else { "-g" };
            assert_eq!(gateway.gwe(&[show]).ok().stdout, set.stdout, "what is printed is what is in force");
            if let Some(long) = spelling.strip_prefix("--") {
                let again = gateway.gwe(&[&format!("--{long}={value}")]).ok();
                assert_eq!(again.stdout, set.stdout);
            }
        }
    }
}

#[test]
fn several_settings_at_once_print_each_file_that_changed() {
    let gateway = Gateway::new();
    let ran = gateway.gwe(&["-t", "9", "-P", "p", "-u", "sn"]).ok();
    assert!(ran.stdout.starts_with("[device]\ncik = ''\nmodel = p\nvendor = p\nuuid = sn\n"), "{}", ran.report());
    assert!(ran.stdout.contains("[engine]\n") && ran.stdout.contains("update_interval = 9\n"), "{}", ran.report());
    // A setting beside a command comes first.
    assert_eq!(gateway.gwe(&["-C", "-c", CIK]).ok().stdout.lines().last(), Some(CIK));
}

#[test]
fn an_empty_value_clears_in_every_quoting() {
    for clear in
        [&["--set-uuid", ""][..], &["--set-uuid", "''"], &["--set-uuid", "\"''\""], &["--set-uuid="], &["-u", ""]]
    {
        let gateway = Gateway::new();
        gateway.gwe(&["--set-uuid", "unit-1"]).ok();
        let ran = gateway.gwe(clear).ok();
        assert!(ran.stdout.contains("\nuuid = ''\n"), "{clear:?}: {}", ran.report());
    }
    let gateway = Gateway::new();
    gateway.gwe(&["-a", "Mine", "--set-server", "http://127.0.0.1:1"]).ok();
    let ran = gateway.gwe(&["--set-user-agent", "", "--set-server", "''"]).ok();
    assert!(ran.stdout.contains("user_agent = ''\n") && ran.stdout.contains("server = ''\n"), "{}", ran.report());
}

#[test]
fn an_unknown_interface_only_warns() {
    let gateway = Gateway::new();
    let ran = gateway.gwe(&["--set-iface", "nosuch0"]).ok();
    assert!(ran.stdout.contains("\niface = nosuch0\n"), "{}", ran.report());
    assert!(ran.stderr.starts_with("WARNING  interface nosuch0 has no MAC"), "{}", ran.report());
}

#[test]
fn a_level_alone_is_a_setting_and_beside_a_command_counts_for_that_run() {
    let gateway = Gateway::new();
    assert!(gateway.gwe(&["-d", "error"]).ok().stdout.contains("log_level = ERROR\n"));
    for arguments in [["-e", "-d", "DEBUG"], ["-d", "DEBUG", "--engine-conf"]] {
        assert!(gateway.gwe(&arguments).ok().stdout.contains("log_level = ERROR\n"), "it is not stored");
    }
    // Beside a setter it is for that run, too.
    let quiet = gateway.gwe(&["--set-iface", "nosuch0"]).ok();
    let loud = gateway.gwe(&["--set-iface", "nosuch0", "-d", "WARNING"]).ok();
    assert_eq!((quiet.stderr.as_str(), loud.stderr.starts_with("WARNING")), ("", true));
    assert!(gateway.gwe(&["-e"]).ok().stdout.contains("log_level = ERROR\n"));
}

#[test]
fn flags_also_come_after_a_file_name() {
    let (gateway, folder) = (Gateway::new(), Scratch::new());
    let tarball = Tarball::app("echo hello from install").save(folder.path("once.v1.tar.gz"));
    let tarball = tarball.to_str().unwrap();
    for arguments in [["-z", tarball, "-d", "DEBUG"], ["-d", "DEBUG", "--check-tarball", tarball]] {
        assert_eq!(gateway.gwe(&arguments).ok().stdout, "[PASS]\n");
    }
    let ran = gateway.gwe(&[tarball, "-d", "ERROR", "--install-apps"]).ok();
    assert!(ran.stdout.starts_with("hello from install\n[gwe] installed once v1 in "), "{}", ran.report());
    let ran = gwe_in(folder.root(), &gateway, &["-I", "--", "once.v1.tar.gz"]).ok();
    assert!(ran.stdout.contains("[gwe] installed once v1"), "{}", ran.report());
}

#[test]
fn the_root_of_the_command_line_counts_before_the_environment() {
    let (gateway, other) = (Gateway::new(), Scratch::new());
    let named = other.root().to_str().unwrap();
    gateway.gwe(&["--root", named, "--set-uuid", "there"]).ok();
    gateway.gwe(&["--set-uuid", "here"]).ok();
    assert!(other.read("var/lib/gwe/Gateway.cfg").contains("there"));
    assert!(gateway.root().read("var/lib/gwe/Gateway.cfg").contains("here"));
    gwe_in(other.root(), &gateway, &["--root=relative", "--set-uuid", "below"]).ok();
    assert!(other.read("relative/var/lib/gwe/Gateway.cfg").contains("below"));
    // An empty one counts as none, not as the current folder.
    let ran = gwe_in(other.root(), &gateway, &["--root", "", "-g"]).ok();
    assert!(ran.stdout.contains("uuid = here\n"), "{}", ran.report());
    let mut command = gateway.command("gwe");
    run(command.env("GWE_ROOT", "").arg("-g").current_dir(other.path("relative")), SHORT).ok();
    let shown = run(command.current_dir(other.path("relative")), SHORT).ok().stdout;
    assert!(!shown.contains("below"), "{shown}");
}

#[test]
fn the_file_with_the_cik_is_private_and_the_cik_is_printed_whole_only_where_asked() {
    let gateway = Gateway::new();
    gateway.gwe(&["--set-uuid", "sn"]).ok();
    gateway.gwe(&["--set-cik", CIK]).ok();
    let file = gateway.root().path("var/lib/gwe/Gateway.cfg");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(gateway.gwe(&["--gateway-cik"]).ok().stdout, format!("{CIK}\n"));
    for arguments in [&["--status"][..], &["--status", "--json"], &["-d", "DEBUG", "--status"]] {
        let ran = gateway.gwe(arguments).ok();
        let masked = format!("{}{}", &CIK[..8], "*".repeat(32));
        assert!(ran.stdout.contains(&masked) && !(ran.stdout + &ran.stderr).contains(CIK), "{arguments:?}");
    }
}

#[test]
fn the_mac_of_an_interface_is_printed() {
    let interfaces = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let with_mac = interfaces.filter_map(|entry| {
        let mac = fs::read_to_string(entry.path().join("address")).ok()?.trim().to_uppercase();
        (mac.len() == 17 && mac != "00:00:00:00:00:00").then(|| (entry.file_name().into_string().unwrap(), mac))
    });
    let Some((name, mac)) = with_mac.into_iter().next() else { skip!("needs a network interface with a MAC") };
    let gateway = Gateway::new();
    assert_eq!(gateway.gwe(&["--mac-address", &name]).ok().stdout, format!("{mac}\n"));
    let ran = gateway.gwe(&["--set-iface", &name]).ok();
    assert_eq!(ran.stderr, "", "a known interface is no reason to warn");
    let ran = gateway.gwe(&["--mac-address", "lo"]).exited(1);
    assert!(ran.stderr.contains(&name), "those that have one are named: {}", ran.report());
}

#[test]
fn the_path_is_that_of_the_program_and_the_version_that_of_the_crate() {
    let gateway = Gateway::new();
    let path = gateway.gwe(&["--path"]).ok().stdout;
    assert_eq!(Path::new(path.trim()), gwe_tests::harness::agent_binary());
    assert_eq!(gateway.gwe(&["--version"]).ok().stdout, format!("{}\n", gwe::config::VERSION));
}

#[test]
fn the_help_fits_a_terminal_of_eighty_columns() {
    let gateway = Gateway::new();
    for ran in [gateway.gwe(&["--help"]).ok(), gateway.gdc(&["--help"]).ok()] {
        for line in ran.stdout.lines() {
            assert!(line.chars().count() <= 80 && line == line.trim_end(), "{line:?}");
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure_and_a_full_disk_is_one() {
    let gateway = Gateway::new();
    let shell = |script: &str| {
        let gwe = gateway.command("gwe");
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("gwe", gwe.get_program()).env("GWE_ROOT", gateway.root().root());
        run(&mut command, SHORT).ok()
    };
    let ran = shell("{ \"$gwe\" --help; echo \"status $?\" >&2; } | head -n 1");
    assert_eq!((ran.stdout.lines().count(), ran.stderr.as_str()), (1, "status 0\n"), "{}", ran.report());
    // The reader is gone before anything is written.
    let ran = shell("{ sleep 0.2; \"$gwe\" --engine-conf; echo \"status $?\" >&2; } | true");
    assert_eq!(ran.stderr, "status 0\n");
    let ran = shell("{ sleep 0.2; ln -s \"$gwe\" \"$GWE_ROOT/supervisord\"; \"$GWE_ROOT/supervisord\" --help; echo \"status $?\" >&2; } | true");
    assert_eq!(ran.stderr, "status 0\n");
    let ran = shell("\"$gwe\" --engine-conf > /dev/full; echo \"status $?\"");
    assert_eq!(ran.stdout, "status 1\n");
    assert!(ran.stderr.contains("cannot write to stdout: No space left on device"), "{}", ran.report());
    let ran = shell("\"$gwe\" --version >&- ; echo \"status $?\"");
    assert_eq!(ran.stdout, "status 0\n");
}

#[test]
fn arguments_that_are_no_text_are_paths_or_told() {
    let (gateway, folder) = (Gateway::new(), Scratch::new());
    let odd = |text: &str| OsString::from_vec([text.as_bytes(), b"\xff"].concat());
    let gwe = |arguments: &[OsString]| run(gateway.command("gwe").args(arguments).current_dir(folder.root()), SHORT);
    let flag = |flag: &str| OsString::from(flag);
    for (arguments, code, told) in [
        (vec![flag("--set-uuid"), odd("sn")], 2, "--set-uuid wants SERIAL in UTF-8"),
        (vec![flag("-d"), odd("DEBUG")], 2, "in UTF-8"),
        (vec![odd("--set-uuid=")], 2, "unknown flag"),
        (vec![odd("--what")], 2, "unknown flag"),
        (vec![odd("file")], 2, "nothing to do with file"),
        (vec![flag("-I"), odd("none")], 1, "there is no file none"),
        (vec![flag("--mac-address"), odd("eth")], 1, "has no MAC"),
    ] {
        let ran = gwe(&arguments).exited(code);
        assert!(ran.stderr.contains(told), "{}", ran.report());
    }
    assert!(gwe(&[flag("-z"), odd("none.v1.tar.gz")]).exited(1).stdout.starts_with("[FAIL] "));
    fs::create_dir(folder.root().join(odd("root"))).unwrap();
    gwe(&[flag("--root"), odd("root"), flag("-u"), flag("sn")]).ok();
    assert!(folder.root().join(odd("root")).join("var/lib/gwe/Gateway.cfg").is_file());
}

#[test]
fn a_huge_or_hostile_argument_is_refused_in_few_words() {
    let gateway = Gateway::new();
    let huge = "x".repeat(100_000);
    for arguments in [
        &["--set-uuid", &huge][..],
        &["--set-server", &huge],
        &["-t", &huge],
        &["-d", &huge],
        &["--set-uuid", "a\nb\x1b[31mred"],
        &[&huge],
        &[&format!("--{huge}")],
        &["--mac-address", &huge],
        &["--set-user-agent", "x\r\nX-Evil: 1"],
    ] {
        let ran = gateway.gwe(arguments);
        assert!(matches!(ran.code, Some(1 | 2)), "{:?} {}", ran.code, ran.stderr.get(..200).unwrap_or(&ran.stderr));
        assert!(!ran.stderr.is_empty() && ran.stderr.len() < SCREENFUL, "{} bytes on stderr", ran.stderr.len());
        assert!(!ran.stderr.trim_end().contains(['\n', '\x1b']), "{:?}", ran.stderr);
    }
    let many = vec!["--staus"; 5000];
    assert!(gateway.gwe(&many).exited(2).stderr.len() < SCREENFUL);
}

#[test]
fn settings_that_cannot_be_written_name_the_path_and_what_to_do() {
    let gateway = Gateway::new();
    let folder = gateway.root().path("var/lib/gwe");
    gateway.gwe(&["--set-uuid", "before"]).ok();
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && exec \"$2\" --set-uuid after";
    let unshared = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]);
        command.arg(&folder).arg(gateway.command("gwe").get_program());
        run(command.env("GWE_ROOT", gateway.root().root()), SHORT)
    };
    if unshared("mount --bind \"$1\" \"$1\"").code != Some(0) {
        skip!("needs root, or user namespaces, to mount a read-only folder");
    }
    let ran = unshared(script).exited(1);
    let path = folder.display();
    let told = format!("gwe: nothing is set: cannot write {path}/Gateway.cfg: Read-only file system (os error 30)");
    assert!(ran.stderr.contains(&told), "{}", ran.report());
    assert!(ran.stderr.contains("; it must lie on a writable file system\n"), "{}", ran.report());
    assert_eq!(ran.stdout, "");
    assert!(gateway.gwe(&["-g"]).ok().stdout.contains("uuid = before\n"));
}

#[test]
fn a_file_where_the_folder_should_be_is_named() {
    let gateway = Gateway::new();
    gateway.root().write("var/lib/gwe", "not a folder");
    let ran = gateway.gwe(&["--set-uuid", "sn"]).exited(1);
    let path = gateway.root().path("var/lib/gwe");
    assert!(ran.stderr.contains(&format!("{}", path.display())), "{}", ran.report());
}

#[test]
fn a_damaged_file_is_told_of_and_set_anew() {
    for damage in ["\0\0\0\0\0\0\0\0", "[device", "uuid = x", "\u{fffd}[", ""] {
        let gateway = Gateway::new();
        gateway.root().write("var/lib/gwe/Gateway.cfg", damage);
        let ran = gateway.gwe(&["-g"]).ok();
        assert!(ran.stdout.contains("uuid = ''\n"), "{damage:?}: {}", ran.report());
        let is_told = ran.stderr.contains("Gateway.cfg is damaged");
        assert_eq!(is_told, !damage.is_empty(), "{damage:?}: {}", ran.report());
        assert!(gateway.gwe(&["--set-uuid", "sn"]).ok().stdout.contains("uuid = sn\n"));
    }
}
