//! What an operator asks of `gwe`: settings, the CIK, a MAC, an install from disk.

use std::io::Write;
use std::path::PathBuf;

use crate::config::{Cik, Config, Which};
use crate::sys::net;

/// Prints data to stdout.
#[must_use]
pub fn print(text: &str) -> u8 {
    // A closed pipe is the reader's choice, not a failure to tell about.
    let _ = std::io::stdout().write_all(text.as_bytes());
    0
}

/// Prints a sentence to stderr.
pub fn complain(sentence: &str) {
    let _ = std::io::stderr().write_all(format!("{sentence}\n").as_bytes());
}

/// Stores settings, and prints the new configuration of each file that changed.
#[must_use]
pub fn set(config: &mut Config, settings: &[(Which, &'static str, String)]) -> u8 {
    for (which, key, value) in settings {
        if *key == "iface" && !value.is_empty() && net::mac_address(value).is_none() {
            crate::warning!("interface {value} has no MAC on this machine; it is stored all the same");
        }
        if let Err(e) = config.set(*which, key, value) {
            complain(&format!("gwe: {e}"));
            return match e {
                crate::config::ConfigError::Value(..) => 2,
                crate::config::ConfigError::File(_) => 1,
            };
        }
    }
    for which in [Which::Gateway, Which::Engine] {
        if settings.iter().any(|(changed, ..)| *changed == which) {
            let _ = print(&config.text(which));
        }
    }
    0
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
            complain(&format!("gwe: interface {interface} has no MAC; interfaces with one: {}", names.join(" ")));
            1
        }
    }
}

/// Installs tarballs from disk by the code that serves the cloud's requests; prints what `fetch_status` would say.
#[must_use]
pub fn install(config: &Config, files: &[PathBuf]) -> u8 {
    match crate::install::local::install(config, files) {
        Ok(report) => {
            let _ = print(&report.text);
            u8::from(!report.all_done)
        }
        Err(e) => {
            complain(&format!("gwe: {e}"));
            1
        }
    }
}
