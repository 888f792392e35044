//! Settings and identity: Gateway.cfg, Engine.config, every path that is touched (docs/spec/gateway-engine.md, "Identity and configuration").

pub mod apply;
pub mod bundle;
pub mod cik;
pub mod ddi;
pub mod identity;
pub mod layered;
pub mod metered;
pub mod options;
pub mod paths;
pub mod problem;
mod signatures;
pub mod table;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::sys::file::FileError;
use crate::sys::log::Level;
pub use cik::Cik;
pub use identity::Identity;
pub use paths::Paths;
use problem::Problem;
use table::Table;

/// The program's version, which its User-Agent and its reports carry.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// So much of a wrong value is told.
const MAX_SHOWN: usize = 100;

/// Both configuration files, as in force.
#[derive(Clone, Debug)]
pub struct Config {
    paths: Paths,
    gateway: Table,
    engine: Table,
}

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Gateway.cfg: who this gateway is.
    Gateway,
    /// Engine.config: everything else.
    Engine,
}

/// A new value for an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The file.
    pub which: Which,
    /// The option's key.
    pub key: &'static str,
    /// Its value; `''` means empty.
    pub value: String,
}

/// Why a setting was not taken.
#[derive(Debug)]
pub enum ConfigError {
    /// The value does not fit: key, value, what it must be.
    Value(&'static str, String, &'static str),
    /// The state file could not be written.
    File(FileError),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Value(key, value, must) => {
                let shown: String = value.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect();
                // A token is a secret also where it does not fit.
                let shown = if *key == "token" { "*".repeat(12) } else { shown };
                write!(f, "{key} cannot be '{shown}': it must be {must}")
            }
            ConfigError::File(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads both files in both layers. Never fails: see [`layered::Layered::load`].
    #[must_use]
    pub fn load(paths: Paths) -> Config {
        let table = |options, name: &str, mode| {
            Table::load(options, &paths.factory().join(name), paths.state().join(name), mode)
        };
        // The CIK stands in Gateway.cfg.
        let gateway = table(options::GATEWAY, "Gateway.cfg", 0o600);
        let engine = table(options::ENGINE, "Engine.config", 0o644);
        Config { paths, gateway, engine }
    }

    /// The paths this configuration was read from.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Checks a value and stores it durably.
    ///
    /// # Errors
    /// The value does not fit its option, or the file could not be written; the old value then stays in force.
    pub fn set(&mut self, which: Which, key: &'static str, value: &str) -> Result<(), ConfigError> {
        self.set_all(&[Setting { which, key, value: value.to_string() }])
    }

    /// Checks values and stores them durably, each file in one go.
    ///
    /// # Errors
    /// A value does not fit its option: then nothing is set. Or a file could not be written: then nothing of that file is.
    pub fn set_all(&mut self, settings: &[Setting]) -> Result<(), ConfigError> {
        let mut values = (Vec::new(), Vec::new());
        for Setting { which, key, value } in settings {
            let option = self.table(*which).find(None, key).ok_or_else(|| {
                ConfigError::Value("key", key.to_string(), "one of the options that --engine-conf shows")
            })?;
            option.accepts(value)?;
            let of_file = match which {
                Which::Gateway => &mut values.0,
                Which::Engine => &mut values.1,
            };
            of_file.push((option, value.as_str()));
        }
        for (table, values) in [(&mut self.gateway, values.0), (&mut self.engine, values.1)] {
            if !values.is_empty() {
                table.set(&values).map_err(ConfigError::File)?;
            }
        }
        Ok(())
    }

    /// All that is wrong with both files.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.gateway.problems();
        problems.extend(self.engine.problems());
        let wanted = self.shortest_check_in_limit().as_secs();
        if self.seconds("check_in_limit").as_secs() < wanted {
            let what = format!(
                "check_in_limit is too short for an install (timeout and settle, twice): it counts as {wanted} seconds"
            );
            problems.extend(self.engine.problem_of("check_in_limit", what));
        }
        let what = self.cacert().and_then(|path| bundle::problem(self.paths.root(), &path));
        problems.extend(what.and_then(|what| self.engine.problem_of("cacert", what)));
        problems
    }

    /// What must be put right before the gateway may speak to a cloud: without it the gateway would be another one, or speak to
    /// another server, or trust others than its owner said.
    #[must_use]
    pub fn obstacle(&self) -> Option<Problem> {
        let tables = [(&self.gateway, &["vendor", "model", "uuid"][..]), (&self.engine, &["server", "cacert"])];
        let refused = tables.into_iter().find_map(|(table, keys)| keys.iter().find_map(|key| table.refused(key)));
        let is_https = self.server().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
        // A pin that cannot be read is not the same as none (docs/spec/failures.md, A14).
        refused.or_else(|| self.engine.lost("cacert").filter(|_| is_https))
    }

    /// The configuration in force as the text of the file, `''` for empty values.
    #[must_use]
    pub fn text(&self, which: Which) -> String {
        self.table(which).text()
    }

    fn table(&self, which: Which) -> &Table {
        match which {
            Which::Gateway => &self.gateway,
            Which::Engine => &self.engine,
        }
    }

    /// The CIK, once the gateway is activated.
    #[must_use]
    pub fn cik(&self) -> Option<Cik> {
        Cik::parse(self.gateway.get("cik"))
    }

    /// The product id as vendor; empty before it is set.
    #[must_use]
    pub fn vendor(&self) -> &str {
        self.gateway.get("vendor")
    }

    /// The product id as model; empty before it is set.
    #[must_use]
    pub fn model(&self) -> &str {
        self.gateway.get("model")
    }

    /// The stored serial number, or empty.
    #[must_use]
    pub fn uuid(&self) -> &str {
        self.gateway.get("uuid")
    }

    /// The interface whose MAC becomes the serial number, or empty.
    #[must_use]
    pub fn iface(&self) -> &str {
        self.gateway.get("iface")
    }

    /// The server's base URL without a slash at its end: the one set, else the platform's for this product, else nothing.
    #[must_use]
    pub fn server(&self) -> String {
        match self.engine.get("server") {
            "" if self.vendor().is_empty() => String::new(),
            "" => format!("https://{}.m2.exosite.io", self.vendor()),
            url => url.trim_end_matches('/').to_string(),
        }
    }

    /// The CA bundle; `None`: the system's. A path set by the user is the user's: it is not moved below the root.
    #[must_use]
    pub fn cacert(&self) -> Option<PathBuf> {
        Some(self.engine.get("cacert")).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// The User-Agent of every request.
    #[must_use]
    pub fn user_agent(&self) -> String {
        match self.engine.get("user_agent") {
            "" => format!("GatewayEngine-v{VERSION}"),
            set => set.to_string(),
        }
    }

    /// Whether orders come from hawkBit's DDI, and not from the Device API.
    #[must_use]
    pub fn is_ddi(&self) -> bool {
        cfg!(feature = "ddi") && self.engine.get("backend") == "ddi"
    }

    /// The settings of hawkBit's DDI.
    ///
    /// # Errors
    /// What is missing.
    pub fn ddi(&self) -> Result<ddi::Ddi, ddi::DdiMissing> {
        ddi::Ddi::of(self, &identity::serial(self).unwrap_or_default())
    }

    /// From one check-in to the next, whoever gives the orders.
    #[must_use]
    pub fn check_in_interval(&self) -> Duration {
        if self.is_ddi() {
            ddi::interval(self)
        } else {
            self.update_interval()
        }
    }

    /// From one check-in with the Device API to the next.
    #[must_use]
    pub fn update_interval(&self) -> Duration {
        self.seconds("update_interval")
    }

    /// From one try to be activated to the next.
    #[must_use]
    pub fn activation_retry_interval(&self) -> Duration {
        self.seconds("activation_retry_interval")
    }

    /// How long one check-in may take, installs included, before its process is ended: no install that is within its own limits
    /// may be taken for a check-in that hangs (docs/spec/failures.md, A14).
    #[must_use]
    pub fn check_in_limit(&self) -> Duration {
        self.seconds("check_in_limit").max(self.shortest_check_in_limit())
    }

    /// An install is begun up to the middle of a check-in.
    fn shortest_check_in_limit(&self) -> Duration {
        (self.install_timeout() + self.settling_time()) * 2
    }

    /// How long an `install.sh` may take.
    #[must_use]
    pub fn install_timeout(&self) -> Duration {
        self.seconds("timeout")
    }

    /// How long a new version must stay RUNNING before it counts as installed.
    #[must_use]
    pub fn settling_time(&self) -> Duration {
        self.seconds("settle")
    }

    /// Below which level the log is silent.
    #[must_use]
    pub fn log_level(&self) -> Level {
        Level::parse(self.engine.get("log_level")).unwrap_or(Level::Info)
    }

    /// Whether the system clock is set forward to the last known time at start, and that time kept.
    #[must_use]
    pub fn keep_clock(&self) -> bool {
        self.engine.get("keep_clock") != "no"
    }

    /// Whether orders are listened for between check-ins.
    #[must_use]
    pub fn push(&self) -> bool {
        self.engine.get("push") == "yes"
    }

    /// supervisord's socket.
    #[must_use]
    pub fn supervisor_socket(&self) -> PathBuf {
        self.paths.below_root(self.engine.get("socket"))
    }

    /// The folder of supervisord's fragments.
    #[must_use]
    pub fn fragments(&self) -> PathBuf {
        self.paths.below_root(self.engine.get("fragments"))
    }

    /// The folder of the hosted apps' logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.paths.below_root(self.engine.get("logs"))
    }

    fn seconds(&self, key: &str) -> Duration {
        Duration::from_secs(options::parse_interval(self.engine.get(key)).unwrap_or(options::MIN_INTERVAL))
    }
}

#[cfg(test)]
mod tests;
