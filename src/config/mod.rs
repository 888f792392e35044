//! Settings and identity: Gateway.cfg, Engine.config, every path that is touched (docs/spec/gateway-engine.md, "Identity and configuration").

pub mod bundle;
pub mod cik;
pub mod ddi;
pub mod identity;
pub mod layered;
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
                table.set(&values)?;
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
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn scratch(name: &str) -> Paths {
        let dir = std::env::temp_dir().join(format!("gwe-config-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("etc/gwe")).unwrap();
        Paths::new(dir)
    }

    #[test]
    fn a_fresh_gateway_shows_empty_values_and_defaults() {
        let config = Config::load(scratch("fresh"));
        assert_eq!(config.text(Which::Gateway), "[device]\ncik = ''\nmodel = ''\nvendor = ''\nuuid = ''\niface = ''\n");
        assert_eq!(config.update_interval().as_secs(), 14400);
        assert_eq!(config.user_agent(), format!("GatewayEngine-v{VERSION}"));
        assert!(config.cik().is_none());
    }

    #[test]
    fn what_is_set_survives_is_private_and_clears() {
        let paths = scratch("set");
        fs::write(paths.factory().join("Gateway.cfg"), "[device]\nvendor = prod\nmodel = prod\niface = eth0\n")
            .unwrap();
        let mut config = Config::load(paths.clone());
        assert_eq!(config.server(), "https://prod.m2.exosite.io");
        config.set(Which::Gateway, "cik", &"a".repeat(40)).unwrap();
        config.set(Which::Gateway, "uuid", "unit-1").unwrap();
        config.set(Which::Engine, "server", "http://127.0.0.1:80/").unwrap();
        let again = Config::load(paths.clone());
        assert_eq!((again.uuid(), again.vendor()), ("unit-1", "prod"));
        assert!(again.cik().is_some());
        assert_eq!(again.server(), "http://127.0.0.1:80");
        let mode = fs::metadata(paths.state().join("Gateway.cfg")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds the CIK");
        config.set(Which::Gateway, "uuid", "\"''\"").unwrap();
        assert_eq!(Config::load(paths.clone()).uuid(), "");
        fs::remove_dir_all(paths.root()).unwrap();
    }

    /// docs/spec/failures.md, case 08 (gagent#475): what is in the files and does not fit is told with file, line and key.
    #[test]
    fn what_does_not_fit_is_told_with_its_place_and_stops_what_would_go_wrong() {
        let paths = scratch("problems");
        let (gateway, engine) = (paths.factory().join("Gateway.cfg"), paths.factory().join("Engine.config"));
        for (file, text, line, key, obstacle) in [
            (&engine, "[engine]\n; x\nserver = gw.example.com\n", 3, "server", true),
            (&engine, "[engine]\nupdate_interval = 1h\n", 2, "update_interval", false),
            (&engine, "[engine]\nkeep_clock = false\n", 2, "keep_clock", false),
            (&engine, "[engine]\ncheck_in_limit = 60\n", 2, "check_in_limit", false),
            (&gateway, "[device]\nvendor = p\nuuid = AB 12 34\n", 3, "uuid", true),
            (&gateway, "[device]\nvendor = https://p.m2.exosite.io\n", 2, "vendor", true),
        ] {
            fs::write(file, text).unwrap();
            let config = Config::load(paths.clone());
            let problems = config.problems();
            assert_eq!(problems.len(), 1, "{text}");
            let told = problems[0].to_string();
            assert!(told.starts_with(&format!("{}, line {line}: {key}", file.display())), "{told}");
            assert_eq!(config.obstacle().map(|p| p.key), obstacle.then_some(key), "{text}");
            fs::remove_file(file).unwrap();
        }
        fs::remove_dir_all(paths.root()).unwrap();
    }

    /// The layer below counts before the default does.
    #[test]
    fn a_bad_value_over_a_good_one_leaves_the_good_one_in_force() {
        let paths = scratch("below");
        fs::create_dir_all(paths.state()).unwrap();
        fs::write(paths.factory().join("Engine.config"), "[engine]\nserver = http://127.0.0.1:1\n").unwrap();
        fs::write(paths.state().join("Engine.config"), "[engine]\nserver = nonsense\n").unwrap();
        let config = Config::load(paths.clone());
        assert_eq!((config.server().as_str(), config.problems().len()), ("http://127.0.0.1:1", 1));
        assert!(config.obstacle().is_none());
        fs::remove_dir_all(paths.root()).unwrap();
    }

    /// docs/spec/failures.md, A14: a damaged file may have held a pin.
    #[test]
    fn no_tls_with_the_system_s_roots_where_a_pin_may_be_lost() {
        let paths = scratch("pin");
        fs::create_dir_all(paths.state()).unwrap();
        for (factory, server, stops) in [
            ("[engine]\nserver = https://h\n", "", true),
            ("[engine]\nserver = http://127.0.0.1:1\n", "", false),
            ("[engine]\nserver = https://h\ncacert = /etc/gwe/ca.pem\n", "", false),
            ("\0\0\0", "p", true),
        ] {
            fs::write(paths.factory().join("Engine.config"), factory).unwrap();
            fs::write(paths.factory().join("Gateway.cfg"), format!("[device]\nvendor = '{server}'\n")).unwrap();
            fs::write(paths.state().join("Engine.config"), "\0\0\0").unwrap();
            assert_eq!(Config::load(paths.clone()).obstacle().is_some(), stops, "{factory}");
        }
        fs::remove_dir_all(paths.root()).unwrap();
    }

    #[test]
    fn a_check_in_may_take_as_long_as_an_install() {
        let mut config = Config::load(scratch("limit"));
        config.set(Which::Engine, "timeout", "900").unwrap();
        config.set(Which::Engine, "check_in_limit", "60").unwrap();
        assert_eq!(config.check_in_limit().as_secs(), 2 * (900 + 10));
        assert_eq!(config.problems().len(), 1);
    }

    #[test]
    fn a_bad_value_names_what_it_must_be_and_changes_nothing() {
        let mut config = Config::load(scratch("bad"));
        let error = config.set(Which::Engine, "update_interval", "soon").unwrap_err().to_string();
        assert!(error.contains("update_interval cannot be 'soon'") && error.contains("seconds"), "{error}");
        assert_eq!(config.update_interval().as_secs(), 14400);
    }
}
