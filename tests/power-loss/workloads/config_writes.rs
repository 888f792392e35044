//! Settings: `gwe --set-…` again and again. A setting that was printed is acknowledged.

use crate::gateway::Agent;
use crate::trouble::Outcome;
use crate::witness::{last_number, Witness};
use crate::workload::{Checker, CrashState, Finding, Workload};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Rounds of setting each of [`SETTINGS`] once.
const ROUNDS: u64 = 40;

/// A command that sets a number, in one way or another, and how to find it again.
struct Setting {
    /// Its key in the printed configuration.
    key: &'static str,
    /// The flag that sets it.
    flag: &'static str,
    /// The flag that prints it.
    shown_by: &'static str,
    /// What stands around the number.
    value: [&'static str; 2],
}

/// Two in each of the two files, so that writing one option must not cost another.
const SETTINGS: [Setting; 4] = [
    Setting { key: "update_interval", flag: "--set-update-interval", shown_by: "--engine-conf", value: ["1", ""] },
    Setting {
        key: "server",
        flag: "--set-server",
        shown_by: "--engine-conf",
        value: ["http://127.0.0.1:1/", "/long-enough-to-be-torn-where-a-file-is-not-replaced-whole"],
    },
    Setting { key: "uuid", flag: "--set-uuid", shown_by: "--gateway-cfg", value: ["serial-", ""] },
    Setting { key: "model", flag: "--set-model", shown_by: "--gateway-cfg", value: ["model-", "-x"] },
];

impl Setting {
    fn value_of(&self, round: u64) -> String {
        let [before, after] = self.value;
        format!("{before}{round:04}{after}")
    }

    fn round_of(&self, value: &str) -> Option<u64> {
        let [before, after] = self.value;
        value.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
    }

    /// The round whose value a printed configuration shows.
    fn shown_in(&self, printed: &str) -> Option<u64> {
        let mut lines = printed.lines().filter_map(|line| line.split_once(" = "));
        lines.find(|(key, _)| *key == self.key).and_then(|(_, value)| self.round_of(value))
    }
}

/// The workload.
pub struct ConfigWrites;

impl Workload for ConfigWrites {
    fn name(&self) -> &'static str {
        "config"
    }

    fn prepare(&self, root: &Path, _notes: &Path) -> Outcome<()> {
        let agent = Agent::on(root)?;
        SETTINGS.iter().try_for_each(|setting| agent.sure(&[setting.flag, &setting.value_of(0)]).map(drop))
    }

    fn work(&self, root: &Path, _notes: &Path, witness: &Witness) -> Outcome<()> {
        let agent = Agent::on(root)?;
        for round in 1..=ROUNDS {
            for setting in &SETTINGS {
                witness.note(format!("began {} {round}", setting.key));
                let printed = agent.sure(&[setting.flag, &setting.value_of(round)])?.stdout;
                witness.note(format!("acknowledged {} {round}", setting.key));
                if setting.shown_in(&printed) != Some(round) {
                    return Err(format!("{} does not print what it has set:\n{printed}", setting.flag));
                }
            }
        }
        Ok(())
    }

    fn checker(&self, _notes: &Path) -> Outcome<Box<dyn Checker>> {
        Ok(Box::new(Settings))
    }
}

struct Settings;

impl Checker for Settings {
    fn check(&mut self, state: &CrashState) -> Outcome<Finding> {
        let agent = Agent::on(state.root)?;
        for setting in &SETTINGS {
            let ran = agent.gwe(&[setting.shown_by]);
            if ran.code != Some(0) {
                return Ok(Finding::DoesNotStart(ran.report()));
            }
            // It says so where a file is damaged.
            if !ran.stderr.is_empty() {
                return Ok(Finding::Third(ran.stderr));
            }
            let Some(found) = setting.shown_in(&ran.stdout) else {
                return Ok(Finding::Third(format!("{} is what nobody has set:\n{}", setting.key, ran.stdout)));
            };
            let last = |word| last_number(state.past, &format!("{word} {}", setting.key)).unwrap_or(0);
            let (acknowledged, began) = (last("acknowledged"), last("began"));
            if found < acknowledged {
                return Ok(Finding::Lost(format!("{} {acknowledged}: {found} is there", setting.key)));
            }
            if found > began {
                return Ok(Finding::Third(format!("{} {found}, which was not yet begun", setting.key)));
            }
        }
        secret_is_kept(state.root)
    }
}

/// The file with the CIK is the owner's alone, whatever happens.
fn secret_is_kept(root: &Path) -> Outcome<Finding> {
    let path = root.join("var/lib/gwe/Gateway.cfg");
    Ok(match fs::metadata(&path).map(|file| file.permissions().mode() & 0o777) {
        Ok(0o600) => Finding::Sound,
        Ok(mode) => Finding::Third(format!("{} has mode {mode:o}", path.display())),
        Err(error) => Finding::Lost(format!("{}: {error}", path.display())),
    })
}
