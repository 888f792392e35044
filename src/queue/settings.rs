//! gmq.cfg and logging.cfg (docs/spec/gmq.md, "Command line"): one table makes the defaults, what is shown and the checks.

use std::time::Duration;

use super::store::{Limits, WhenFull, MAX_BYTES, MIN_BYTES};
use crate::config::options::{self, opt, Opt};
use crate::config::problem::Problem;
use crate::config::table::Table;
use crate::config::{ConfigError, Paths};
use crate::sys::log::Level;

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingsFile {
    /// gmq.cfg: how the queue works.
    Queue,
    /// logging.cfg: what it says.
    Logging,
}

/// The port that apps know (docs/spec/gmq.md).
pub const DEFAULT_PORT: u16 = 8090;
/// The longest `batch_record_period`: a day.
const MAX_PERIOD: Duration = Duration::from_secs(24 * 3600);
/// The largest `batch_qty`: what a request carries is bounded in bytes, too.
const MAX_BATCH: usize = 10_000;

static QUEUE: &[Opt] = &[
    opt("unq", "batch_record_period", "10.0", period),
    opt("unq", "batch_qty", "500", quantity),
    opt("db", "max_bytes", "33554432", max_bytes),
    opt("db", "when_full", "refuse", when_full),
    opt("http", "port", "8090", port),
];

static LOGGING: &[Opt] = &[opt("logger_root", "level", "INFO", options::level)];

/// Both files, as in force.
#[derive(Debug)]
pub struct QueueSettings {
    queue: Table,
    logging: Table,
}

impl QueueSettings {
    /// Reads both files in both layers. Never fails: see [`crate::config::layered::Layered::load`].
    #[must_use]
    pub fn load(paths: &Paths) -> QueueSettings {
        let table = |options, which| {
            Table::load(options, &paths.factory().join(file_name(which)), paths.state().join(file_name(which)), 0o644)
        };
        QueueSettings { queue: table(QUEUE, SettingsFile::Queue), logging: table(LOGGING, SettingsFile::Logging) }
    }

    /// All that is wrong with both files.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.queue.problems();
        problems.extend(self.logging.problems());
        problems
    }

    /// From one upload of recorded points to the next.
    #[must_use]
    pub fn batch_record_period(&self) -> Duration {
        parse_period(self.queue.get("batch_record_period")).unwrap_or(Duration::from_secs(10))
    }

    /// Points in one upload, at the most.
    #[must_use]
    pub fn batch_qty(&self) -> usize {
        self.queue.get("batch_qty").parse().unwrap_or(MAX_BATCH).clamp(1, MAX_BATCH)
    }

    /// The store's bounds.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let when_full = match self.queue.get("when_full") {
            "drop_oldest" => WhenFull::DropOldest,
            _ => WhenFull::Refuse,
        };
        Limits { max_bytes: self.queue.get("max_bytes").parse().unwrap_or(MIN_BYTES), when_full }
    }

    /// Where the server listens; 0: the system picks.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.queue.get("port").parse().unwrap_or(DEFAULT_PORT)
    }

    /// Below which level the log is silent.
    #[must_use]
    pub fn log_level(&self) -> Level {
        Level::parse(self.logging.get("level")).unwrap_or(Level::Info)
    }

    /// The value in force of an option, as the file spells it; `None`: there is no such option.
    #[must_use]
    pub fn value(&self, which: SettingsFile, section: &str, key: &str) -> Option<&str> {
        let table = self.table(which);
        table.find(Some(section), key).map(|option| table.value(option))
    }

    /// One of the files.
    #[must_use]
    pub fn table(&self, which: SettingsFile) -> &Table {
        match which {
            SettingsFile::Queue => &self.queue,
            SettingsFile::Logging => &self.logging,
        }
    }

    /// Checks a value and stores it durably.
    ///
    /// # Errors
    /// There is no such option, the value does not fit, or the file could not be written.
    pub fn set(&mut self, which: SettingsFile, section: &str, key: &str, value: &str) -> Result<(), ConfigError> {
        let option = self.table(which).find(Some(section), key).ok_or_else(|| {
            ConfigError::Value("option", [section, " ", key].concat(), "one that `gmq cfg` or `gmq log` shows")
        })?;
        let table = match which {
            SettingsFile::Queue => &mut self.queue,
            SettingsFile::Logging => &mut self.logging,
        };
        option.accepts(value)?;
        table.set(&[(option, value)]).map_err(ConfigError::File)
    }
}

/// The name of a file, in both folders.
#[must_use]
pub fn file_name(which: SettingsFile) -> &'static str {
    match which {
        SettingsFile::Queue => "gmq.cfg",
        SettingsFile::Logging => "logging.cfg",
    }
}

/// Seconds with an optional fraction, without the program having to carry floating point formats.
fn parse_period(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let mut milliseconds = whole.parse::<u64>().ok()?.checked_mul(1000)?;
    for (digit, unit) in fraction.bytes().zip([100, 10, 1]) {
        milliseconds = milliseconds.checked_add(u64::from(digit - b'0') * unit)?;
    }
    Some(Duration::from_millis(milliseconds)).filter(|period| *period <= MAX_PERIOD)
}

fn period(value: &str) -> Result<(), &'static str> {
    parse_period(value).map(|_| ()).ok_or("seconds from 0 to 86400, such as 10.0")
}

fn quantity(value: &str) -> Result<(), &'static str> {
    let quantity = value.parse().ok().filter(|n| (1..=MAX_BATCH).contains(n));
    quantity.map(|_| ()).ok_or("a whole number from 1 to 10000")
}

fn max_bytes(value: &str) -> Result<(), &'static str> {
    let bytes = value.parse().ok().filter(|n| (MIN_BYTES..=MAX_BYTES).contains(n));
    bytes.map(|_| ()).ok_or("bytes from 1048576 to 17179869184")
}

fn when_full(value: &str) -> Result<(), &'static str> {
    if matches!(value, "refuse" | "drop_oldest") {
        Ok(())
    } else {
        Err("refuse or drop_oldest")
    }
}

fn port(value: &str) -> Result<(), &'static str> {
    value.parse::<u16>().map(|_| ()).map_err(|_| "a port from 0 to 65535; 0: the system picks one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn scratch(name: &str) -> Paths {
        let dir = std::env::temp_dir().join(format!("gwe-gmq-settings-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("etc/gwe")).unwrap();
        Paths::new(dir)
    }

    #[test]
    fn defaults_pass_their_own_checks_and_say_the_bounds() {
        for option in QUEUE.iter().chain(LOGGING) {
            assert_eq!((option.check)(option.default), Ok(()), "{}", option.key);
        }
        let bounds = format!("bytes from {MIN_BYTES} to {MAX_BYTES}");
        assert_eq!(max_bytes("x"), Err(bounds.as_str()));
    }

    #[test]
    fn what_is_set_is_shown_and_survives_and_nonsense_is_refused() {
        let paths = scratch("set");
        fs::write(paths.factory().join("gmq.cfg"), "[unq]\nbatch_qty = 60\nbatch_record_period = never\n").unwrap();
        let mut settings = QueueSettings::load(&paths);
        assert_eq!(settings.batch_qty(), 60);
        assert_eq!(settings.value(SettingsFile::Queue, "unq", "batch_record_period"), Some("10.0"));
        settings.set(SettingsFile::Queue, "unq", "batch_record_period", "300.25").unwrap();
        settings.set(SettingsFile::Queue, "db", "when_full", "drop_oldest").unwrap();
        settings.set(SettingsFile::Logging, "logger_root", "level", "debug").unwrap();
        for (section, key, value) in [
            ("unq", "batch_qty", "0"),
            ("unq", "batch_record_period", "-1"),
            ("unq", "batch_record_period", "1e3"),
            ("unq", "batch_record_period", "."),
            ("unq", "batch_record_period", "86401"),
            ("db", "max_bytes", "1000"),
            ("db", "when_full", "explode"),
            ("db", "batch_qty", "5"),
            ("http", "port", "70000"),
            ("nothing", "x", "y"),
        ] {
            assert!(settings.set(SettingsFile::Queue, section, key, value).is_err(), "{section} {key} {value}");
        }
        let again = QueueSettings::load(&paths);
        assert_eq!(again.batch_record_period(), Duration::from_millis(300_250));
        assert_eq!(again.limits(), Limits { max_bytes: 33_554_432, when_full: WhenFull::DropOldest });
        assert_eq!(again.log_level(), Level::Debug);
        assert_eq!(
            again.table(SettingsFile::Queue).text(),
            "[unq]\nbatch_record_period = 300.25\nbatch_qty = 60\n\n\
             [db]\nmax_bytes = 33554432\nwhen_full = drop_oldest\n\n[http]\nport = 8090\n"
        );
        assert_eq!(again.table(SettingsFile::Queue).sections(), ["unq", "db", "http"]);
        assert_eq!(again.table(SettingsFile::Queue).section("nothing"), "");
        fs::remove_dir_all(paths.root()).unwrap();
    }
}
