//! The three reports as the cloud receives them from the real agent under a supervisord (docs/spec/gateway-engine.md,
//! "Reports").

use gwe_tests::harness::{
    is_asleep, run, wait_for, wait_until, worker_app, Background, Scratch, Site, Tarball, PATIENCE, SN,
};
use gwe_tests::murano::endpoint::Endpoint;
use gwe_tests::skip;
use serde_json::{json, Map, Value};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::Duration;

/// The longest report, in bytes (src/report).
const MAX_REPORT: usize = 16 * 1024;
/// The account's size, in bytes, from which on it is summed up (src/http/usage.rs).
const MAX_ACCOUNT: u64 = 4096;

/// A report as it stands in the cloud: JSON, and of bounded size.
fn report(site: &Site, alias: &str) -> Value {
    let text = site.murano.read(SN, alias).unwrap_or_else(|| panic!("no {alias}"));
    assert!(text.len() <= MAX_REPORT && !text.contains('\n'), "{} bytes", text.len());
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{alias}: {e}: {text}"))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect()
}

/// What a program prints, in the C locale; `None` where there is no such program.
fn real(line: &str) -> Option<String> {
    let mut command = Command::new("sh");
    let ran = run(command.args(["-c", line]).env("LC_ALL", "C"), Duration::from_secs(20));
    (ran.code == Some(0)).then(|| ran.stdout.trim_end().to_string())
}

/// Words of each line.
fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

/// Whether two numbers of a busy machine, read one after the other, are the same for a person: within a tenth, or `slack`.
fn near(ours: &str, theirs: &str, slack: i64) -> bool {
    match (ours.trim_end_matches('%').parse::<i64>(), theirs.trim_end_matches('%').parse::<i64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= (b / 10).max(if ours.ends_with('%') { 2 } else { slack }),
        _ => ours == theirs,
    }
}

/// Other tests mount and unmount disks meanwhile: what is compared was looked at between two equal looks of df's.
fn df_is_as_df_has_it(site: &Site) {
    let look = || real("df 2>/dev/null || true").unwrap_or_default();
    let places = |rows: &[Vec<&str>]| -> Vec<_> {
        rows.iter().map(|row| (row[0].to_string(), row[5..].join(" "), row[1].to_string())).collect()
    };
    for _ in 0..20 {
        let before = look();
        if before.is_empty() {
            skip!("needs df");
        }
        site.check_in().ok();
        let (info, after) = (report(site, "device_info"), look());
        let ours = words(info["df"].as_str().unwrap());
        let (before, theirs) = (words(&before), words(&after));
        if places(&before) != places(&theirs) {
            continue;
        }
        assert_eq!(ours[0], ["Filesystem", "1K-blocks", "Used", "Available", "Use%", "Mounted", "on"]);
        assert_eq!(places(&ours), places(&theirs));
        for (ours, theirs) in ours.iter().zip(&theirs).skip(1) {
            for column in 2..5 {
                assert!(near(ours[column], theirs[column], 4_096), "{ours:?} is not {theirs:?}");
            }
        }
        return;
    }
    panic!("mounts did not come to rest in twenty looks");
}

#[test]
fn device_info_has_the_texts_of_uname_df_and_free() {
    let site = Site::new();
    site.check_in().ok();
    let info = report(&site, "device_info");
    // `flash` is there where the machine that runs the test has it.
    let added: Vec<&str> = keys(&info).into_iter().filter(|key| *key != "flash").collect();
    assert_eq!(added, ["boot", "df", "free", "ipaddrs", "uname"]);
    let text = |key: &str| info[key].as_str().unwrap_or_else(|| panic!("{key} is no string: {info}"));

    // Of `uname -a` some distributions leave out a processor that is "unknown", and others print it: these are the same everywhere.
    assert_eq!(text("uname"), real("uname -s -n -r -v -m -o").unwrap());
    if let Some(theirs) = real("hostname -I") {
        assert_eq!(text("ipaddrs"), theirs.trim());
    }
    df_is_as_df_has_it(&site);
    let Some(theirs) = real("free") else { skip!("needs free") };
    let (ours, theirs) = (words(text("free")), words(&theirs));
    assert_eq!((&ours[0], ours.len()), (&theirs[0], theirs.len()));
    for (ours, theirs) in ours.iter().zip(&theirs).skip(1) {
        assert_eq!((ours[0], ours[1]), (theirs[0], theirs[1]), "the totals do not move");
        assert_eq!(ours.len(), theirs.len());
        // `used` is reckoned in another way by older versions of free; `free` must be near.
        assert!(near(ours[3], theirs[3], 300_000), "{ours:?} is not {theirs:?}");
    }
}

/// The agent and the queue as supervisord's own programs, as the image's fragments have them.
fn own_programs(site: &Site) -> String {
    let program = |name: &str, arguments: &str| {
        let command = site.gateway.command(name);
        format!(
            "[program:{name}]\ncommand = {} {arguments}\nenvironment = GWE_ROOT=\"{{root}}\"\nstartsecs = 1\n\
             redirect_stderr = true\nstdout_logfile = {{root}}/{name}.log\n",
            command.get_program().to_string_lossy()
        )
    };
    program("gwe", "") + &program("gmq", "--port 0")
}

/// Each app of an `engine_report` by its name, in the order of the report.
fn apps(report: &Value) -> Vec<(String, Map<String, Value>)> {
    let list = report["apps"].as_array().unwrap_or_else(|| panic!("no list of apps: {report}"));
    let app = |entry: &Value| {
        let entry =
            entry.as_object().filter(|entry| entry.len() == 1).unwrap_or_else(|| panic!("one app each: {entry}"));
        let (name, facts) = entry.iter().next().unwrap();
        (name.clone(), facts.as_object().unwrap_or_else(|| panic!("facts of {name}")).clone())
    };
    list.iter().map(app).collect()
}

#[test]
fn engine_report_tells_of_every_app_and_of_the_agent_and_the_queue_themselves() {
    let mut site = Site::new();
    let programs = own_programs(&site);
    if !site.host_with(&programs) {
        return;
    }
    site.deploy("my_app.v1.2.3.tar.gz", &worker_app("one"));
    site.await_status("[gwe] installed my_app v1.2.3");
    site.deploy("repair.v7.tar.gz", &Tarball::app("echo done"));
    site.await_status("[gwe] installed repair v7");
    let names = ["gmq", "gwe", "my_app", "repair"];
    let found = wait_for("the report of all four", PATIENCE, || {
        let found = apps(&report(&site, "engine_report"));
        (found.iter().map(|(name, _)| name.as_str()).eq(names)
            && found.iter().filter(|(_, facts)| facts["status"] == "RUNNING").count() == 3)
            .then_some(found)
    });
    for (name, facts) in &found {
        assert!(facts["exitstatus"].is_i64() && facts["uptime"].is_u64(), "{name}: {facts:?}");
        assert!(facts["status"].is_string() && facts["version"].is_string(), "{name}: {facts:?}");
        let version = match name.as_str() {
            "my_app" => "1.2.3",
            "repair" => "7",
            _ => gwe::config::VERSION,
        };
        assert_eq!(facts["version"], version, "{name}");
        if name == "repair" {
            assert_eq!((&facts["status"], &facts["uptime"]), (&"INSTALLED".into(), &0.into()));
            assert!(!facts.contains_key("pid") && !facts.contains_key("rss_kb"), "{facts:?}");
            continue;
        }
        let pid = site.pid(name);
        assert_eq!(facts["pid"], pid, "{name}: as supervisorctl has it");
        let memory = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let memory = memory.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let memory: u64 = memory.trim().trim_end_matches(" kB").parse().unwrap();
        let told = facts["rss_kb"].as_u64().unwrap();
        // gwe's own check-in was running beside it when the report was made.
        assert!(
            told >= memory / 2 && told <= memory * 2 + 20_000,
            "{name}: {told} kB, and the kernel says {memory} kB"
        );
    }
    let uptime = |name: &str| report_of(&site, name)["uptime"].as_u64().unwrap();
    let before = uptime("my_app");
    let later = wait_for("a later report", PATIENCE, || Some(uptime("my_app")).filter(|later| *later > before));
    assert!(later < 600, "seconds since it was started: {later}");

    // An app that ends is reported so, with its exit status, also where supervisord gives up on it.
    site.deploy(
        "my_app.v2.tar.gz",
        &gwe_tests::harness::scripted_app("sleep 4; exit 7", "autorestart = false\nexitcodes = 7"),
    );
    site.await_status("[gwe] installed my_app v2");
    let ended = wait_for("the end of my_app", PATIENCE, || {
        Some(report_of(&site, "my_app")).filter(|facts| facts["status"] == "EXITED")
    });
    assert_eq!((&ended["exitstatus"], &ended["uptime"]), (&7.into(), &0.into()), "{ended:?}");
    assert!(!ended.contains_key("pid"), "{ended:?}");
}

fn report_of(site: &Site, app: &str) -> Map<String, Value> {
    let found = apps(&report(site, "engine_report"));
    found.into_iter().find(|(name, _)| name == app).unwrap_or_else(|| panic!("no {app}")).1
}

#[test]
fn without_supervisord_the_report_has_the_agent_and_what_is_installed() {
    let site = Site::new();
    let ran = site.check_in().ok();
    assert!(ran.stderr.contains("WARNING  supervisord does not answer at /"), "{}", ran.report());
    let found = apps(&report(&site, "engine_report"));
    assert_eq!(found.len(), 1, "{found:?}");
    let (name, facts) = &found[0];
    assert_eq!((name.as_str(), &facts["version"], &facts["uptime"]), ("gwe", &gwe::config::VERSION.into(), &0.into()));
    let installed = site.install("tool.v3.tar.gz", &Tarball::app("true"));
    assert_eq!(installed, "[gwe] installed tool v3 in N s\n");
    let names: Vec<String> = apps(&report(&site, "engine_report")).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["gwe", "tool"]);
}

/// The rows of a `usage_report`: interface, consumer, and its five numbers.
fn usage(report: &Value) -> Vec<(String, String, [u64; 5])> {
    let mut rows = Vec::new();
    for (iface, facts) in report.as_object().unwrap_or_else(|| panic!("no object: {report}")) {
        assert_eq!(keys(facts), ["since_boot", "top_consumer"], "{report}");
        let top = facts["top_consumer"].as_str().unwrap();
        assert!(top.len() < 100 && facts["since_boot"].get(top).is_some(), "{report}");
        for (consumer, numbers) in facts["since_boot"].as_object().unwrap() {
            assert!(consumer.len() > 2, "{report}");
            assert_eq!(keys(numbers), ["max_rx", "max_tx", "num", "tot_rx", "tot_tx"], "{report}");
            let number = |key: &str| numbers[key].as_u64().unwrap_or_else(|| panic!("{key}: {report}"));
            let numbers = ["tot_rx", "max_rx", "tot_tx", "max_tx", "num"].map(number);
            rows.push((iface.clone(), consumer.clone(), numbers));
        }
    }
    rows
}

fn consumer(rows: &[(String, String, [u64; 5])], name: &str) -> [u64; 5] {
    let found: Vec<_> = rows.iter().filter(|(_, consumer, _)| consumer == name).collect();
    assert_eq!(found.len(), 1, "one row for {name}: {rows:?}");
    assert_eq!(found[0].0, "lo", "the interface to the local cloud");
    found[0].2
}

#[test]
fn usage_report_counts_every_byte_of_requests_that_several_processes_make_at_once() {
    const WRITERS: usize = 4;
    const WRITES: u64 = 25;
    let site = Site::new();
    // The first report knows only of the activation before it.
    site.check_in().ok();
    let first = usage(&report(&site, "usage_report"));
    assert_eq!(consumer(&first, "gwe")[4], 1, "the activation: {first:?}");

    let cik = site.gateway.gwe(&["--gateway-cik"]).ok().stdout;
    site.murano.forget_requests();
    let logs = Scratch::new();
    let script = format!(
        "i=0; while [ $i -lt {WRITES} ]; do \"$GDC\" write {} a \"$i $1\" || exit 1; i=$((i + 1)); done",
        cik.trim()
    );
    let mut writers: Vec<Background> = (0..WRITERS)
        .map(|number| {
            let gdc = site.gateway.command("gdc");
            let mut shell = Command::new("sh");
            shell.args(["-c", &script, "sh"]).arg("x".repeat(number * 100)).env("GDC", gdc.get_program());
            shell.env("GWE_ROOT", site.gateway.root().root());
            Background::start(&mut shell, &logs, &format!("writer-{number}"))
        })
        .collect();
    for writer in &mut writers {
        let ended = writer.wait(PATIENCE).unwrap_or_else(|| panic!("a writer hangs\n{}", writer.log()));
        assert!(ended.success(), "{}", writer.log());
    }
    let totals = site.murano.requests()["totals"].clone();
    site.check_in().ok();
    let rows = usage(&report(&site, "usage_report"));
    let [tot_rx, max_rx, tot_tx, max_tx, num] = consumer(&rows, "gdc");
    assert_eq!(num, WRITES * WRITERS as u64, "every request is counted, once");
    assert_eq!(Some(tot_tx), totals["request_bytes"].as_u64(), "each byte sent");
    assert_eq!(Some(tot_rx), totals["response_bytes"].as_u64(), "each byte received");
    assert!(max_tx * num > tot_tx && max_tx < tot_tx && max_rx * num >= tot_rx && max_rx < tot_rx, "{rows:?}");
    assert_eq!(consumer(&rows, "gwe")[4], 2, "the activation and the first check-in");

    let account = site.gateway.root().read("run/gwe/usage");
    let is_whole =
        |line: &str| line.split(' ').count() == 8 && line.split(' ').skip(2).all(|n| n.parse::<u64>().is_ok());
    assert!(account.ends_with('\n') && account.lines().all(is_whole), "no line is torn\n{account}");
}

#[test]
fn the_account_of_requests_is_bounded_and_its_sums_survive() {
    let site = Site::new();
    site.check_in().ok();
    let account = site.gateway.root().path("run/gwe/usage");
    let lines = "eth9 gmq 100 100 10 10 1 1700000000\n".repeat(110);
    fs::write(&account, format!("{lines}eth9 gmq 1 1 1 1 1 17000")).unwrap();
    let mut largest = 0;
    for _ in 0..30 {
        site.check_in().ok();
        largest = largest.max(fs::metadata(&account).unwrap().len());
    }
    assert!(largest <= MAX_ACCOUNT, "{largest} bytes");
    let after = fs::metadata(&account).unwrap().len();
    assert!(after < MAX_ACCOUNT / 2, "it was summed up when it was full: {after} bytes");
    let rows = usage(&report(&site, "usage_report"));
    let gmq = rows.iter().find(|(iface, ..)| iface == "eth9").unwrap_or_else(|| panic!("{rows:?}"));
    assert_eq!(gmq.2, [11_000, 100, 1_100, 10, 110], "the torn line does not count, and nothing is lost");
    assert!(rows.iter().any(|(iface, consumer, numbers)| iface == "lo" && consumer == "gwe" && numbers[4] >= 28));
}

#[test]
fn a_gateway_without_an_account_still_reports() {
    let site = Site::new();
    site.gateway.root().write("run", "a file where the folder should be");
    site.check_in().ok();
    assert_eq!(report(&site, "usage_report"), Value::Object(Map::new()));
    assert!(report(&site, "device_info")["uname"].is_string());
}

const BOOTS: &str = "var/lib/gwe/boots.json";
const NOTE_OF_RESET: &str = "var/lib/gwe/security/factory-reset";
const BOOTSTATUS: &str = "sys/class/watchdog/watchdog0/bootstatus";

/// The engine's time between a boot and its end: its first check-in's word on why the machine booted, and on how often it was each.
fn life(site: &Site, ends_in_order: bool) -> (String, [u64; 5]) {
    site.murano.forget_requests();
    let mut engine = site.start_engine();
    wait_until("the first pause", PATIENCE, || site.murano.count(Endpoint::Hybrid) > 0 && is_asleep(engine.pid()));
    if ends_in_order {
        assert!(engine.stop().success());
    } else {
        engine.kill();
    }
    let boot = &report(site, "device_info")["boot"];
    let number = |key: &str| boot[key].as_u64().unwrap_or_else(|| panic!("no {key}: {boot}"));
    assert!(number("since") > 1_700_000_000, "{boot}");
    let counts = ["orderly", "power_loss_or_crash", "watchdog", "factory_reset", "unknown"].map(number);
    (boot["why"].as_str().expect("why").to_string(), counts)
}

/// What is kept says that it was another boot.
fn reboot(site: &Site) {
    let (kept, now) = (site.gateway.root().read(BOOTS), fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap());
    assert!(kept.contains(now.trim()), "{kept}");
    site.gateway.root().write(BOOTS, kept.replace(now.trim(), "00000000-0000-0000-0000-000000000000"));
}

/// home-assistant/operating-system#1174, umbrel-os#265, kura#1418: it booted, and nobody knows why.
#[test]
fn device_info_tells_why_the_machine_booted_and_how_often_it_was_so() {
    let mut site = Site::new();
    site.set("engine", "update_interval", "3600");
    let site = site;
    let root = site.gateway.root();
    let told = |why: &str, counts| (why.to_string(), counts);
    assert_eq!(life(&site, true), told("unknown", [0, 0, 0, 0, 1]));
    // Restarted in the same boot, and then the power goes: the stop before was not the machine's.
    assert_eq!(life(&site, false), told("unknown", [0, 0, 0, 0, 1]));
    reboot(&site);
    assert_eq!(life(&site, true), told("power loss or crash", [0, 1, 0, 0, 1]));
    reboot(&site);
    assert_eq!(life(&site, false), told("orderly", [1, 1, 0, 0, 1]));
    root.write(BOOTSTATUS, "32\n");
    reboot(&site);
    assert_eq!(life(&site, true), told("watchdog", [1, 1, 1, 0, 1]));
    reboot(&site);
    assert_eq!(life(&site, true), told("orderly", [2, 1, 1, 0, 1]));
    // Check-ins write nothing of it.
    let written = || fs::metadata(root.path(BOOTS)).unwrap().modified().unwrap();
    let before = written();
    site.check_in().ok();
    assert_eq!((written(), root.read(BOOTS).contains("\"ended\":true")), (before, true));
    // What a power cut may leave, and nothing at all: counting begins anew.
    for damaged in ["", "\0\0\0\0", "{\"boot\":\"0000", "{\"boot\":1}"] {
        root.write(BOOTS, damaged);
        assert_eq!(life(&site, true), told("unknown", [0, 0, 0, 0, 1]), "{damaged:?}");
    }
    // A factory reset empties the state folder and leaves a note, which the check-in counts as a security event.
    fs::remove_file(root.path(BOOTS)).unwrap();
    root.write(NOTE_OF_RESET, fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap());
    assert_eq!(life(&site, true), told("factory reset", [0, 0, 0, 1, 0]));
    assert!(!root.has(NOTE_OF_RESET));
    // Where only the event is left, it is the same.
    fs::remove_file(root.path(BOOTS)).unwrap();
    assert_eq!(life(&site, true), told("factory reset", [0, 0, 0, 1, 0]));
}

/// home-assistant/operating-system#1174, umbrel-os#265, kura#1418: the flash wears out before anybody hears of it.
#[test]
fn device_info_tells_how_worn_the_flash_under_the_state_folder_is() {
    let site = Site::new();
    let root = site.gateway.root();
    let state = root.path("var/lib/gwe");
    fs::create_dir_all(&state).unwrap();
    let number = fs::metadata(&state).unwrap().dev();
    let disk = "sys/devices/platform/soc/mmc0/mmc0:0001/block/mmcblk0";
    let file = |name: &str, text: &str| root.write(&format!("{disk}/{name}"), text);
    file("mmcblk0p3/partition", "3\n");
    file("mmcblk0p3/stat", "1 1 1 1 1 1 1 1 1 1 1\n");
    fs::create_dir_all(root.path("sys/dev/block")).unwrap();
    let link = format!("sys/dev/block/{}:{}", libc::major(number), libc::minor(number));
    std::os::unix::fs::symlink(format!("../../../{disk}/mmcblk0p3"), root.path(&link)).unwrap();
    let told = || {
        site.check_in().ok();
        report(&site, "device_info")["flash"].clone()
    };
    assert_eq!(told(), json!({"device": "mmcblk0"}), "what is not there is no key");
    file("stat", "  119  31  6642  32  8  0  2048  4  0  60  36  0  0  0  0  0  0\n");
    file("device/life_time", "0x01 0x0b\n");
    file("device/pre_eol_info", "0x02\n");
    let all = json!({"device": "mmcblk0", "life_time": "0x01 0x0b", "life_used": "0-10 %, exceeded",
        "pre_eol_info": "0x02", "pre_eol": "warning", "written_since_boot": 1_048_576});
    assert_eq!(told(), all);
    file("device/life_time", &"0x01 ".repeat(2000));
    file("device/pre_eol_info", "\u{1}\n");
    assert_eq!(told(), json!({"device": "mmcblk0", "written_since_boot": 1_048_576}));
    fs::remove_file(root.path(&link)).unwrap();
    assert_eq!(told(), Value::Null, "no disk");
}
