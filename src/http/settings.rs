//! Where a client talks to, as whom, and how patiently.

use std::path::PathBuf;
use std::time::Duration;

use super::month::Budget;
use crate::config::{Config, Paths, VERSION};

/// A client's settings. [`Settings::new`] fills in what an app needs; the fields may then be changed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's base URL, `https://PRODUCT_ID.m2.exosite.io`. A plain `http://` URL is allowed, and warned about in the
    /// log unless it is this machine's.
    pub server: String,
    /// The CA bundle (PEM) that alone is trusted; `None`: the system's. The first client of a process decides.
    pub cacert: Option<PathBuf>,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Who uses the network, in the account: more than two characters (docs/spec/gateway-engine.md, "Reports").
    pub consumer: String,
    /// The account of every request; see [`usage`](super::usage).
    pub usage_log: PathBuf,
    /// To connect, over all addresses of the server.
    pub connect_limit: Duration,
    /// The longest silence of the server.
    pub stall_limit: Duration,
    /// A call from its beginning to the end of its answer, plus a second for each KiB that it sends. A download has no such
    /// limit: it may take as long as it brings something.
    pub total_limit: Duration,
    /// The longest body of an answer, downloads excepted, in bytes.
    pub max_body: u64,
    /// So many bytes a second a download brings at the most; `None`: as many as come.
    pub max_rate: Option<u64>,
    /// The account of the month, where its bytes are limited: brought up to date with each request.
    pub budget: Option<Budget>,
}

impl Settings {
    /// For a server and a consumer, the rest at its defaults.
    pub fn new(server: impl Into<String>, consumer: impl Into<String>) -> Settings {
        Settings {
            server: server.into(),
            cacert: None,
            user_agent: ["GatewayEngine-v", VERSION].concat(),
            consumer: consumer.into(),
            usage_log: Paths::new("/").usage_log(),
            connect_limit: Duration::from_secs(10),
            stall_limit: Duration::from_secs(30),
            total_limit: Duration::from_secs(60),
            max_body: 1024 * 1024,
            max_rate: None,
            budget: None,
        }
    }

    /// As the gateway is configured.
    #[must_use]
    pub fn of(config: &Config, consumer: &str) -> Settings {
        Settings {
            cacert: config.cacert(),
            user_agent: config.user_agent(),
            usage_log: config.paths().usage_log(),
            max_rate: config.max_rate(),
            budget: Budget::of(config),
            ..Settings::new(config.server(), consumer)
        }
    }
}
