//! `gwe --support-bundle` (Azure/iotedge#1596 and #2596, elastic-agent's diagnostics): one bounded text, whatever the logs hold and
//! whatever is broken, with no key of the agent's in it.

use gwe_tests::harness::{damage, run, worker_app, Gateway, Ran, Site, SmallDisk};
use gwe_tests::skip;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const MAX_BUNDLE: usize = 256 * 1024;
const TOKEN: &str = "a-token-of-hawkbit";

/// What every bundle is.
#[track_caller]
fn is_fit_to_be_sent(ran: Ran, secrets: &[&str]) -> String {
    let ran = ran.ok();
    let text = ran.stdout.clone();
    assert!(text.len() <= MAX_BUNDLE, "{} bytes", text.len());
    let strange = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    assert_eq!(strange, None);
    assert!(!text.contains('\u{fffd}') || text.contains("log ===="), "replaced where no log is");
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} is told");
    }
    for part in ["status", "versions", "Gateway.cfg", "Engine.config", "device_info", "engine_report", "usage_report"] {
        assert!(text.contains(&format!("\n==== {part}")), "{part}: {text}");
    }
    for part in ["journal", "gwe: ", "gmq: ", "supervisord: ", "kernel"] {
        assert!(text.contains(&format!("\n==== {part}")), "{part}: {text}");
    }
    let ours =
        |line: &str| line.is_empty() || line.starts_with("| ") || line.starts_with("==== ") || line.starts_with('(');
    let others: Vec<&str> = text.lines().skip(1).filter(|line| !ours(line)).collect();
    assert!(others.is_empty(), "lines that stand behind no mark: {others:?}");
    text
}

fn bundle(gateway: &Gateway) -> Ran {
    gateway.gwe(&["--support-bundle"])
}

fn hostile_logs(log: &Path, cik: &str) {
    fs::create_dir_all(log).unwrap();
    let noise: Vec<u8> = (0..2_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(log.join("gmq.log"), noise).unwrap();
    fs::write(log.join("gwe.log"), format!("key {cik}\n\u{1b}]0;owned\u{7}\n==== status ====\n{TOKEN}\n")).unwrap();
    // No line end at all, and the key wherever the end of it may be cut off.
    fs::write(log.join("supervisord.log"), format!("{cik}x{cik}{TOKEN} ").repeat(50_000)).unwrap();
}

#[test]
fn it_is_bounded_clean_and_without_secrets_whatever_the_logs_hold() {
    let Some(mut site) = Site::hosted() else { return };
    site.gateway.root().write(
        "etc/gwe/Gateway.cfg",
        format!("[device]\nmodel = p\nvendor = p\nuuid = site-1\n[ddi]\ntoken = {TOKEN}\n"),
    );
    site.set("engine", "log_level", "DEBUG");
    fs::create_dir_all(site.gateway.root().path("var/log")).unwrap();
    site.install("app.v1.tar.gz", &worker_app("one"));
    let cik = site.gateway.gwe(&["--gateway-cik"]).ok().stdout.trim().to_string();
    hostile_logs(&site.gateway.root().path("var/log"), &cik);
    fs::write(site.gateway.root().path("var/log/app.log"), "the last words of app\n").unwrap();
    let text = is_fit_to_be_sent(bundle(&site.gateway), &[&cik, &cik[20..], TOKEN]);
    assert!(text.contains(&format!("key {}********", &cik[..8])), "{text}");
    assert!(text.contains("| ==== status ====\n") && text.contains("| the last words of app\n"), "{text}");
    assert!(text.contains("| app.app = 1\n") && text.contains("| supervisord = "), "{text}");
}

/// What a local user may put in the place of a log, where the folder is everybody's.
#[test]
fn no_link_leads_out_of_the_folder_of_logs() {
    let site = Site::new();
    site.check_in().ok();
    let root = site.gateway.root();
    root.write("secret", "the secret of others\n");
    fs::create_dir_all(root.path("var/log")).unwrap();
    symlink(root.path("secret"), root.path("var/log/gwe.log")).unwrap();
    fs::hard_link(root.path("secret"), root.path("var/log/gmq.log")).unwrap();
    run(Command::new("mkfifo").arg(root.path("var/log/supervisord.log")), LIMIT).ok();
    let text = is_fit_to_be_sent(bundle(&site.gateway), &["the secret of others"]);
    assert_eq!(text.matches("(not to be had: ").count(), 3 + usize::from(text.contains("kernel ====\n(not")), "{text}");
}

#[test]
fn it_works_where_nothing_else_does() {
    let site = Site::new();
    site.check_in().ok();
    let cik = site.gateway.gwe(&["--gateway-cik"]).ok().stdout.trim().to_string();
    let state = site.gateway.root().path("var/lib/gwe");
    for (file, text) in [
        ("install/journal.json", "\0\0\0\u{1b}[2J{"),
        ("install/registry.json", "nonsense"),
        ("Engine.config", "\0\0"),
        ("agent/agent.json", "{"),
    ] {
        fs::create_dir_all(state.join(file).parent().unwrap()).unwrap();
        fs::write(state.join(file), text).unwrap();
    }
    is_fit_to_be_sent(bundle(&site.gateway), &[&cik]);
    let torn = fs::read(state.join("Gateway.cfg")).unwrap();
    fs::write(state.join("Gateway.cfg"), damage(&torn, 3)).unwrap();
    is_fit_to_be_sent(bundle(&site.gateway), &[&cik]);
    fs::remove_dir_all(&state).unwrap();
    fs::write(&state, "a file in the place of the folder").unwrap();
    is_fit_to_be_sent(bundle(&site.gateway), &[&cik]);
}

#[test]
fn a_full_disk_does_not_matter_and_a_full_stdout_is_told() {
    let site = Site::new();
    let Some(disk) = SmallDisk::mount(&site.gateway.root().path("var/lib/gwe"), "size=256k") else { return };
    site.check_in().ok();
    let _ = fs::write(site.gateway.root().path("var/lib/gwe/ballast"), vec![1; 300_000]);
    is_fit_to_be_sent(bundle(&site.gateway), &[]);
    drop(disk);
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else { skip!("needs /dev/full") };
    let mut command = site.gateway.command("gwe");
    let status = command.arg("--support-bundle").stdout(full).stderr(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}
