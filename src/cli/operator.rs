//! What an operator asks of `gwe`: settings, the CIK, a MAC, an install from disk.

use std::path::PathBuf;

use super::output;
use crate::app::TrustedKeys;
use crate::config::{Cik, Config, ConfigError, Setting, Which};
use crate::install::asked::AskedName;
use crate::install::local::{self, LocalError, Report};
use crate::install::{forget, key_set, trust};
use crate::queue;
use crate::sys::net;

/// Prints data to stdout; returns the exit status.
#[must_use]
pub fn print(text: &str) -> u8 {
    output::print("gwe", text.as_bytes())
}

/// Prints a sentence to stderr.
pub fn complain(sentence: &str) {
    output::complain("gwe", sentence);
}

/// Stores settings, all or none of them, and prints the new configuration of each file that changed.
#[must_use]
pub fn set(config: &mut Config, settings: &[Setting]) -> u8 {
    for Setting { key, value, .. } in settings {
        if *key == "iface" && !value.is_empty() && net::mac_address(value).is_none() {
            crate::warning!("interface {value} has no MAC on this machine; it is stored all the same");
        }
    }
    if let Err(e) = config.set_all(settings) {
        return match e {
            ConfigError::Value(..) => {
                complain(&e.to_string());
                2
            }
            ConfigError::File(e) => {
                complain(&format!("nothing is set: {}", output::told(&e)));
                1
            }
        };
    }
    let mut text = String::new();
    for which in [Which::Gateway, Which::Engine] {
        if settings.iter().any(|setting| setting.which == which) {
            text.push_str(&config.text(which));
        }
    }
    print(&text)
}

/// All that is wrong with the settings of the agent and of the queue.
#[must_use]
pub fn problems(config: &Config) -> Vec<String> {
    let queue = queue::settings::QueueSettings::load(config.paths());
    let told = config.problems().into_iter().chain(queue.problems()).map(|problem| problem.to_string());
    told.chain(no_key(config)).chain(bad_set(config)).chain(bad_keys(config)).collect()
}

/// Files among the keys that are none. With no other beside it, no package is accepted; with one, that is noticed once the other key is needed.
fn bad_keys(config: &Config) -> Vec<String> {
    let mut told = Vec::new();
    for folder in [config.paths().trusted_keys(), config.paths().root_keys()] {
        told.extend(TrustedKeys::load(&folder).problems().map(|problem| format!("{}: {problem}", folder.display())));
    }
    told
}

/// A set of keys that cannot be read.
fn bad_set(config: &Config) -> Option<String> {
    key_set::in_force(config.paths()).err().map(|(file, why)| format!("{}: {why}", file.display()))
}

/// A gateway that can install nothing is one that somebody should know of before it is in the field. One with a root key and no set yet is
/// none: its first set of keys opens it.
fn no_key(config: &Config) -> Option<String> {
    let paths = config.paths();
    let awaits_set = || !key_set::roots(paths).is_empty() && matches!(key_set::in_force(paths), Ok(None));
    let is_so = config.requires_signatures() && trust::keys(config).is_empty() && !awaits_set();
    let folder = paths.trusted_keys();
    is_so.then(|| format!("require_signatures: no key in {} can be used, so no package is accepted", folder.display()))
}

/// Prints `[PASS]`, or what is wrong with the settings, a line each.
#[must_use]
pub fn check_config(config: &Config) -> u8 {
    let problems = problems(config);
    if problems.is_empty() {
        return print("[PASS]\n");
    }
    let text: String = problems.iter().flat_map(|problem| [problem, "\n"]).collect();
    print(&text).max(1)
}

/// Prints the CIK whole, for scripts; `''` if there is none.
#[must_use]
pub fn print_cik(config: &Config) -> u8 {
    let cik = config.cik();
    print(&format!("{}\n", cik.as_ref().map_or("''", Cik::secret)))
}

/// Prints an interface's MAC.
#[must_use]
pub fn print_mac(interface: &str) -> u8 {
    match net::mac_address(interface) {
        Some(mac) => print(&format!("{mac}\n")),
        None => {
            let known = net::interfaces().unwrap_or_default();
            let names: Vec<&str> = known.iter().filter(|i| i.mac.is_some()).map(|i| i.name.as_str()).collect();
            let names = if names.is_empty() { "none".to_string() } else { names.join(" ") };
            complain(&format!("interface {interface} has no MAC; interfaces with one: {names}"));
            1
        }
    }
}

/// Installs tarballs from disk by the code that serves the cloud's requests; prints what `fetch_status` would say.
#[must_use]
pub fn install(config: &Config, files: &[PathBuf]) -> u8 {
    told(local::install(config, files))
}

/// Installs what waits for its moment, of an app or of all; prints what `fetch_status` would say.
#[must_use]
pub fn install_now(config: &Config, operands: &[PathBuf]) -> u8 {
    let [app] = operands else {
        if operands.is_empty() {
            return told(local::install_now(config, local::ALL));
        }
        complain("--install-now wants one app's name, or all");
        return 2;
    };
    // Who pastes the tarball's name means its app.
    told(local::install_now(config, AskedName::new(output::quoted(app.as_os_str())).app()))
}

/// Takes an app away by the code that serves the cloud's requests; prints what `fetch_status` would say.
#[must_use]
pub fn remove(config: &Config, app: &str) -> u8 {
    told(local::remove(config, app))
}

fn told(done: Result<Report, LocalError>) -> u8 {
    match done {
        Ok(report) => print(&report.text).max(u8::from(!report.all_done)),
        Err(e) => not_done(e),
    }
}

/// Forgets what is held against an app's contents; prints what that was.
#[must_use]
pub fn forget(config: &Config, app: &str) -> u8 {
    if app.is_empty() {
        complain("--forget wants an app's name, or all");
        return 2;
    }
    // Who pastes the tarball's name means its app.
    let name = AskedName::new(app);
    let app = name.app();
    match forget::forget(config, app) {
        Ok(lines) if lines.is_empty() => print(&["nothing is held against ", app, "\n"].concat()),
        Ok(lines) => print(&lines.iter().flat_map(|line| ["forgotten: ", line, "\n"]).collect::<String>()),
        Err(e) => not_done(e),
    }
}

fn not_done(error: LocalError) -> u8 {
    complain(&match error {
        LocalError::File(e) => output::told(&e),
        e => e.to_string(),
    });
    1
}

/// A flag of the original, whose scripts may still call it.
#[must_use]
pub fn download_latest() -> u8 {
    complain("--download-latest: there is no release area any more; updates come over the air or with the image");
    2
}
