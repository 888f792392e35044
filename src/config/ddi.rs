//! The settings of hawkBit's Direct Device Integration: where, as whom, with which token.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::{options, Config, Paths};
use crate::sys::file;

/// The file of /run in which the polling time that the server told last is found, in seconds; the one of the state folder has roughly that, and
/// whose it is, for the next boot.
pub const INTERVAL_FILE: &str = "ddi_interval";
/// Until the server has told one: what hawkBit tells where nobody has set another.
pub const FIRST_INTERVAL: Duration = Duration::from_secs(300);
/// After a boot a longer one counts as this, in seconds: the first check-in is within a quarter of it.
pub const LONGEST_KEPT: u64 = 24 * 3600;
/// The bound of both files in bytes: a URL is a setting, and no longer than one.
const MAX_FILE: u64 = 2048;
/// The longest controller id, in bytes.
const MAX_ID: usize = 256;

/// Who a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// This gateway.
    Target,
    /// Any gateway of the tenant.
    Gateway,
}

/// A token. `Display` and `Debug` show asterisks, and of a long one its beginning; [`Token::secret`] is the one way to the whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Any text.
    #[must_use]
    pub fn new(text: &str) -> Token {
        Token(text.to_string())
    }

    /// The whole token, for the `Authorization` header and the 0600 file.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if self.0.len() >= 16 { self.0.get(..4).unwrap_or("") } else { "" };
        write!(f, "{shown}{}", "*".repeat(12))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The settings, all there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ddi {
    /// The server, without a trailing slash.
    pub url: String,
    /// The tenant.
    pub tenant: String,
    /// The controller id.
    pub id: String,
    /// See [`Token`].
    pub token: Token,
    /// Who it stands for.
    pub token_kind: TokenKind,
    /// Whether consent is given by itself.
    pub confirms: bool,
}

/// What is missing, and the command that sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DdiMissing {
    /// No server.
    Url,
    /// No token.
    Token,
    /// An id that no server takes, or that needs a serial number where there is none.
    Id,
}

impl fmt::Display for DdiMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DdiMissing::Url => "orders are to come from hawkBit, and no server is set; set it with: gwe --set-ddi-url <URL>",
            DdiMissing::Token => "orders are to come from hawkBit, and no token is set; set it with: gwe --set-ddi-token <TOKEN>",
            DdiMissing::Id => "the controller id is not of letters, digits and . _ : - alone; set one with: gwe --set-ddi-id <ID>, or a serial number with: gwe --set-uuid <SERIAL>",
        })
    }
}

impl Ddi {
    /// Reads them; `serial` and the product stand for `<uuid>` and `<product>` in the id.
    pub(super) fn of(config: &Config, serial: &str) -> Result<Ddi, DdiMissing> {
        let get = |key: &str| config.gateway.get(key);
        let url = url(config);
        if url.is_empty() {
            return Err(DdiMissing::Url);
        }
        if get("token").is_empty() {
            return Err(DdiMissing::Token);
        }
        let pattern = get("id");
        if pattern.contains("<uuid>") && serial.is_empty() {
            return Err(DdiMissing::Id);
        }
        let id = pattern.replace("<uuid>", serial).replace("<product>", config.vendor());
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
        if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(is_plain) {
            return Err(DdiMissing::Id);
        }
        Ok(Ddi {
            url: url.to_string(),
            tenant: get("tenant").to_string(),
            id,
            token: Token::new(get("token")),
            token_kind: if get("token_kind") == "gateway" { TokenKind::Gateway } else { TokenKind::Target },
            confirms: get("confirm") == "auto",
        })
    }
}

impl Config {
    /// What must stand in nothing that is passed on, beside others' CIKs, which are known by their form alone: the token and the CIK of each layer.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = self.gateway.in_layers(options::DDI, "token");
        secrets.extend(self.gateway.in_layers("device", "cik"));
        secrets
    }
}

/// From one poll to the next: the setting, else what the server told last, since boot or before it.
pub(super) fn interval(config: &Config) -> Duration {
    options::parse_interval(config.gateway.get("interval"))
        .or_else(|| told(config.paths()))
        .or_else(|| kept(config.paths(), url(config)))
        .map_or(FIRST_INTERVAL, Duration::from_secs)
}

/// What the server has told since boot, in seconds.
#[must_use]
pub fn told(paths: &Paths) -> Option<u64> {
    options::parse_interval(&text(&paths.run())?)
}

/// Roughly what the server with this URL told before the boot, in seconds. What another one told counts for nothing.
#[must_use]
pub fn kept(paths: &Paths, url: &str) -> Option<u64> {
    let text = text(&paths.state())?;
    let (seconds, of) = text.split_once(' ')?;
    options::parse_interval(seconds).filter(|_| of == url).map(|seconds| seconds.min(LONGEST_KEPT))
}

fn text(folder: &Path) -> Option<String> {
    String::from_utf8(file::read(&folder.join(INTERVAL_FILE), MAX_FILE).ok()??).ok()
}

fn url(config: &Config) -> &str {
    config.gateway.get("url").trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Which;

    #[test]
    fn a_token_never_shows_itself() {
        let token = Token::new("0123456789abcdef0123456789abcdef");
        assert_eq!((token.to_string(), format!("{token:?}")), ("0123************".into(), "0123************".into()));
        assert_eq!(Token::new("short").to_string(), "************");
    }

    #[test]
    fn the_id_is_a_pattern_and_what_is_missing_is_named() {
        let dir = std::env::temp_dir().join(format!("gwe-ddi-config-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        let mut config = Config::load(Paths::new(&dir));
        let set = |config: &mut Config, key, value: &str| config.set(Which::Gateway, key, value).unwrap();
        assert_eq!(config.ddi(), Err(DdiMissing::Url));
        set(&mut config, "url", "http://127.0.0.1:8080/");
        assert_eq!(config.ddi(), Err(DdiMissing::Token));
        set(&mut config, "token", "t-secret");
        assert_eq!(config.ddi(), Err(DdiMissing::Id));
        set(&mut config, "uuid", "00:11");
        set(&mut config, "vendor", "product-1");
        assert_eq!(config.ddi().unwrap().id, "00:11");
        for (pattern, id) in [("<product>-<uuid>", Some("product-1-00:11")), ("fixed", Some("fixed")), ("a/b", None)] {
            set(&mut config, "id", pattern);
            assert_eq!(config.ddi().ok().map(|ddi| ddi.id).as_deref(), id, "{pattern}");
        }
        assert_eq!(interval(&config).as_secs(), 300);
        // Before the boot: of this server, and not of another one; bounded; and whatever became of the file.
        for (text, seconds) in [
            ("3600 http://127.0.0.1:8080", 3600),
            ("31622400 http://127.0.0.1:8080", LONGEST_KEPT),
            ("3600 http://127.0.0.1", 300),
            ("3600", 300),
            ("0 http://127.0.0.1:8080", 300),
            ("\0\0\0", 300),
        ] {
            file::write(&config.paths().state().join(INTERVAL_FILE), text.as_bytes()).unwrap();
            assert_eq!(interval(&config).as_secs(), seconds, "{text}");
        }
        file::write(&config.paths().run().join(INTERVAL_FILE), b"60").unwrap();
        assert_eq!(interval(&config).as_secs(), 60);
        set(&mut config, "interval", "7");
        assert_eq!(interval(&config).as_secs(), 7);
        let shown = config.text(Which::Gateway);
        assert!(shown.contains("token = ************") && !shown.contains("t-secret"), "{shown}");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
