//! Settings and identity: Gateway.cfg, Engine.config, and every path the program touches (spec: gateway-engine.md,
//! "Identity and configuration").

pub mod cik;
pub mod identity;
pub mod layered;
pub mod options;
pub mod paths;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::sys::file::FileError;
use crate::sys::log::Level;
pub use cik::Cik;
pub use identity::Identity;
use layered::Layered;
use options::Opt;
pub use paths::Paths;

/// The program's version, which its User-Agent and its reports carry.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// So much of a wrong value is told.
const MAX_SHOWN: usize = 100;

/// Both configuration files, as in force.
#[derive(Debug)]
pub struct Config {
    paths: Paths,
    gateway: Layered,
    engine: Layered,
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
                write!(f, "{key} cannot be '{shown}': it must be {must}")
            }
            ConfigError::File(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads both files in both layers. Never fails: see [`Layered::load`].
    #[must_use]
    pub fn load(paths: Paths) -> Config {
        let layer = |name: &str, mode| Layered::load(&paths.factory().join(name), paths.state().join(name), mode);
        // The CIK stands in Gateway.cfg.
        let (gateway, engine) = (layer("Gateway.cfg", 0o600), layer("Engine.config", 0o644));
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
        for which in [Which::Gateway, Which::Engine] {
            check(which, settings)?;
        }
        for (which, layered) in [(Which::Gateway, &mut self.gateway), (Which::Engine, &mut self.engine)] {
            let values = check(which, settings)?;
            if !values.is_empty() {
                layered.set(&values).map_err(ConfigError::File)?;
            }
        }
        Ok(())
    }

    /// The configuration in force as the text of the file, `''` for empty values.
    #[must_use]
    pub fn text(&self, which: Which) -> String {
        let mut out = String::new();
        let mut section = "";
        for option in table(which) {
            if option.section != section {
                if !section.is_empty() {
                    out.push('\n');
                }
                section = option.section;
                out.push('[');
                out.push_str(section);
                out.push_str("]\n");
            }
            let value = self.value(which, option);
            out.push_str(option.key);
            out.push_str(" = ");
            out.push_str(if value.is_empty() { "''" } else { value });
            out.push('\n');
        }
        out
    }

    /// The CIK, once the gateway is activated.
    #[must_use]
    pub fn cik(&self) -> Option<Cik> {
        Cik::parse(self.gateway("cik"))
    }

    /// The product id as vendor; empty before it is set.
    #[must_use]
    pub fn vendor(&self) -> &str {
        self.gateway("vendor")
    }

    /// The product id as model; empty before it is set.
    #[must_use]
    pub fn model(&self) -> &str {
        self.gateway("model")
    }

    /// The stored serial number, or empty.
    #[must_use]
    pub fn uuid(&self) -> &str {
        self.gateway("uuid")
    }

    /// The interface whose MAC becomes the serial number, or empty.
    #[must_use]
    pub fn iface(&self) -> &str {
        self.gateway("iface")
    }

    /// The server's base URL without a trailing slash; the platform's own for this product unless one is set. Empty where there
    /// is neither a setting nor a product.
    #[must_use]
    pub fn server(&self) -> String {
        match self.engine("server") {
            "" if self.vendor().is_empty() => String::new(),
            "" => format!("https://{}.m2.exosite.io", self.vendor()),
            url => url.trim_end_matches('/').to_string(),
        }
    }

    /// The CA bundle; `None`: the system's. A path set by the user is the user's: it is not moved below the root.
    #[must_use]
    pub fn cacert(&self) -> Option<PathBuf> {
        Some(self.engine("cacert")).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// The User-Agent of every request.
    #[must_use]
    pub fn user_agent(&self) -> String {
        match self.engine("user_agent") {
            "" => format!("GatewayEngine-v{VERSION}"),
            set => set.to_string(),
        }
    }

    /// From one check-in to the next.
    #[must_use]
    pub fn update_interval(&self) -> Duration {
        self.seconds("update_interval")
    }

    /// From one try to be activated to the next.
    #[must_use]
    pub fn activation_retry_interval(&self) -> Duration {
        self.seconds("activation_retry_interval")
    }

    /// How long one check-in may take, installs included, before its process is ended.
    #[must_use]
    pub fn check_in_limit(&self) -> Duration {
        self.seconds("check_in_limit")
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
        Level::parse(self.engine("log_level")).unwrap_or(Level::Info)
    }

    /// Whether the system clock is set forward to the last known time at start, and that time kept.
    #[must_use]
    pub fn keep_clock(&self) -> bool {
        self.engine("keep_clock") != "no"
    }

    /// supervisord's socket.
    #[must_use]
    pub fn supervisor_socket(&self) -> PathBuf {
        self.paths.below_root(self.engine("socket"))
    }

    /// The folder of supervisord's fragments.
    #[must_use]
    pub fn fragments(&self) -> PathBuf {
        self.paths.below_root(self.engine("fragments"))
    }

    /// The folder of the hosted apps' logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.paths.below_root(self.engine("logs"))
    }

    fn gateway(&self, key: &str) -> &str {
        self.effective(Which::Gateway, key)
    }

    fn engine(&self, key: &str) -> &str {
        self.effective(Which::Engine, key)
    }

    fn effective(&self, which: Which, key: &str) -> &str {
        table(which).iter().find(|o| o.key == key).map_or("", |option| self.value(which, option))
    }

    /// The value in force. One that no longer passes its check (a file edited by hand) gives way to the default.
    fn value(&self, which: Which, option: &'static Opt) -> &str {
        let layered = match which {
            Which::Gateway => &self.gateway,
            Which::Engine => &self.engine,
        };
        match layered.get(option.section, option.key) {
            Some(value) if (option.check)(value).is_ok() => value,
            Some(_) => {
                crate::debug!("{} has a value that does not fit; using its default", option.key);
                option.default
            }
            None => option.default,
        }
    }

    fn seconds(&self, key: &str) -> Duration {
        Duration::from_secs(options::parse_interval(self.engine(key)).unwrap_or(options::MIN_INTERVAL))
    }
}

/// The settings of one file, as section, key and value.
fn check(which: Which, settings: &[Setting]) -> Result<Vec<(&'static str, &'static str, &str)>, ConfigError> {
    let mut values = Vec::new();
    for setting in settings.iter().filter(|setting| setting.which == which) {
        let value = layered::unquote(&setting.value);
        let option = table(which).iter().find(|option| option.key == setting.key);
        let option = option.ok_or_else(|| {
            ConfigError::Value("key", setting.key.to_string(), "one of the options that --engine-conf shows")
        })?;
        (option.check)(value).map_err(|must| ConfigError::Value(option.key, value.to_string(), must))?;
        values.push((option.section, option.key, value));
    }
    Ok(values)
}

fn table(which: Which) -> &'static [Opt] {
    match which {
        Which::Gateway => options::GATEWAY,
        Which::Engine => options::ENGINE,
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

    #[test]
    fn a_bad_value_names_what_it_must_be_and_changes_nothing() {
        let mut config = Config::load(scratch("bad"));
        let error = config.set(Which::Engine, "update_interval", "soon").unwrap_err().to_string();
        assert!(error.contains("update_interval cannot be 'soon'") && error.contains("seconds"), "{error}");
        assert_eq!(config.update_interval().as_secs(), 14400);
    }
}
